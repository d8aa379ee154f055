"""What the survival studies know of a patient, and how it enters a Cox model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from gliomaai_training import covariates
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.survival.outcome import Outcome, outcome
from gliomaai_training.survival.term_plan import CategoricalPlan, NumericPlan
from gliomaai_training.vocabulary import MAX_AGE_YEARS

GLIOBLASTOMA = "GBM"
ASSUMED = "assumed"
"""Column: the state was assumed, see `with_assumed_glioblastomas`."""
ASSUMED_FROM_YEARS = 55.0
"""From this age on a tumour that is a glioblastoma under the microscope is taken for IDH-wildtype
where IDH was not measured. WHO 2021 itself does without sequencing there (Louis et al., Neuro-Oncol
2021;23:1231): a mutation is found in less than 1 %."""

AGE_CENTRE_YEARS = 50.0
AGE = NumericPlan(
    "age_years", "age", "years", (0.0, MAX_AGE_YEARS), scale=10.0, reference=AGE_CENTRE_YEARS
)
AGE_SPLINE = replace(AGE, knots=3)
AGE_IN_GLIOBLASTOMA, AGE_IN_MUTANT = (
    replace(AGE, name=name, label=f"age in {group}")
    for name, group in (
        (covariates.AGE_IN_GLIOBLASTOMA, "glioblastoma"),
        (covariates.AGE_IN_MUTANT, "IDH-mutant glioma"),
    )
)
SEX = CategoricalPlan("sex", "sex", ("F", "M"), "F")
STATE = CategoricalPlan("who_state", "WHO 2021", WHO_STATES, GLIOBLASTOMA)
IDH = CategoricalPlan("idh", "IDH", ("wild-type", "mutant"), "wild-type")
MGMT = CategoricalPlan("mgmt", "MGMT promoter", ("unmethylated", "methylated"), "unmethylated")
RESECTION = CategoricalPlan(
    "resection", "resection", ("biopsy", "subtotal", "gross total"), "subtotal"
)


def study_table(cohort: ClinicalCohort) -> tuple[pd.DataFrame, Outcome]:
    """Patients with what the candidates ask for, and their outcome.

    Raises:
        ValueError: survival of some is unknown.
    """
    patients = cohort.patients.copy()
    is_glioblastoma = (patients["who_state"] == GLIOBLASTOMA).to_numpy()
    age = patients["age_years"].to_numpy(np.float64)
    # Off its own group a covariate stays at the reference, where it says nothing.
    patients[AGE_IN_GLIOBLASTOMA.name] = np.where(is_glioblastoma, age, AGE_CENTRE_YEARS)
    patients[AGE_IN_MUTANT.name] = np.where(is_glioblastoma, AGE_CENTRE_YEARS, age)
    patients[ASSUMED] = False
    return patients, outcome(patients["months"], patients["event"])


def with_assumed_glioblastomas(cohort: ClinicalCohort) -> tuple[pd.DataFrame, Outcome]:
    """As `study_table`, of the patients with a state and those in whom glioblastoma is assumed.

    Assumed are tumours that can only be glioblastoma or astrocytoma of grade 4 (a glioblastoma
    under the microscope without IDH) from `ASSUMED_FROM_YEARS` on; the column `assumed` marks them.
    """
    patients, followed = study_table(cohort)
    assumed = (patients["possible_states"] == "GBM A4") & (
        patients["age_years"] >= ASSUMED_FROM_YEARS
    )
    patients.loc[assumed, "who_state"] = GLIOBLASTOMA
    patients.loc[assumed, AGE_IN_GLIOBLASTOMA.name] = patients.loc[assumed, "age_years"]
    patients.loc[assumed, AGE_IN_MUTANT.name] = AGE_CENTRE_YEARS
    patients[ASSUMED] = assumed
    kept = patients["who_state"].notna().to_numpy()
    return patients[kept].reset_index(drop=True), followed.take(kept)


def stacked(
    parts: Sequence[tuple[pd.DataFrame, Outcome]],
) -> tuple[pd.DataFrame, Outcome]:
    """Several cohorts as one, in the order given."""
    tables, outcomes = zip(*parts, strict=True)
    return pd.concat(tables, ignore_index=True), Outcome(
        np.concatenate([one.months for one in outcomes]),
        np.concatenate([one.event for one in outcomes]),
    )
