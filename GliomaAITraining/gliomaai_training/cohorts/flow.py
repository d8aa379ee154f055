"""Who was left out of an analysis and why, in order, as CONSORT asks for it."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.dictionary import COLUMNS

LISTED = "in the table"
ANALYSED = "analysed"
DIED = "of whom died"


def with_survival(cohort: ClinicalCohort) -> ClinicalCohort:
    """The patients whose survival is known and who were followed up at all.

    Someone censored at 0 months was never at risk and cannot tell anything about survival.
    """
    months, event = cohort.patients["months"], cohort.patients["event"]
    known = cohort.keep(months.notna().to_numpy(), "survival unknown")
    lived = ~((months == 0) & (event == 0))[months.notna()].to_numpy()
    return known.keep(lived, "censored at 0 months")


def with_known(cohort: ClinicalCohort, columns: Sequence[str]) -> ClinicalCohort:
    """The patients of whom all these columns are known, one step for each column.

    Raises:
        ValueError: a column that a clinical table does not have.
    """
    if unknown := sorted(set(columns) - set(COLUMNS)):
        raise ValueError(f"a clinical table has no columns {', '.join(unknown)}")
    for name in columns:
        cohort = cohort.keep(cohort.patients[name].notna().to_numpy(), f"{name} unknown")
    return cohort


def with_values(cohort: ClinicalCohort, column: str, values: Sequence[object]) -> ClinicalCohort:
    """The patients who have one of some values; those of whom it is unknown are left out before.

    Raises:
        ValueError: a column that a clinical table does not have.
    """
    cohort = with_known(cohort, [column])
    words = ", ".join(map(str, values))
    return cohort.keep(cohort.patients[column].isin(values).to_numpy(), f"{column} not {words}")


def adults(cohort: ClinicalCohort, years: float = 18.0) -> ClinicalCohort:
    """The patients who are known to be at least so old, or whose age is unknown."""
    young = (cohort.patients["age_years"] < years).to_numpy(np.bool_)
    return cohort.keep(~young, f"younger than {years:g} years")


def flow_table(cohorts: Sequence[ClinicalCohort]) -> pd.DataFrame:
    """How many patients each step left out of each cohort, and how many remained.

    Returns:
        A row for the patients listed, one for each step in order, one for those analysed and one
        for the deaths among them; a column for each cohort, empty where it had no such step.

    Raises:
        ValueError: no cohort, or two of one name.
    """
    names = [cohort.name for cohort in cohorts]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"a flow needs cohorts of different names, not {names}")
    steps = list(dict.fromkeys(step.reason for one in cohorts for step in one.exclusions))
    columns: dict[str, list[str]] = {"step": [LISTED, *steps, ANALYSED, DIED]}
    for cohort in cohorts:
        columns[cohort.name] = _column(cohort, steps)
    return pd.DataFrame(columns)


def _column(cohort: ClinicalCohort, steps: Sequence[str]) -> list[str]:
    left_out = dict.fromkeys(steps, 0)
    for step in cohort.exclusions:
        left_out[step.reason] += step.patients
    taken = {step.reason for step in cohort.exclusions}
    listed = len(cohort) + sum(left_out.values())
    counts = [str(-left_out[step]) if step in taken else "" for step in steps]
    return [str(listed), *counts, str(len(cohort)), str(cohort.events)]
