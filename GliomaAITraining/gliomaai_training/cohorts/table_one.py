"""Table 1: what the cohorts are like, where they differ, and what is unknown of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.dictionary import VARIABLES
from gliomaai_training.cohorts.linking import identities
from gliomaai_training.evaluation.multiplicity import holm
from gliomaai_training.evaluation.tables import write_table
from gliomaai_training.survival.outcome import outcome
from gliomaai_training.survival.product_limit import censoring_curve

MEASURED = ("age_years", "kps")
CATEGORIES = (
    "sex", "who_state", "idh", "codeletion_1p19q", "reported_grade", "histology", "mgmt",
    "resection",
)  # fmt: skip
TITLES = {
    "age_years": "age, years",
    "kps": "KPS",
    "who_state": "WHO 2021 state",
    "idh": "IDH",
    "codeletion_1p19q": "1p/19q",
    "reported_grade": "grade as reported",
    "mgmt": "MGMT promoter",
}
FEW = 5.0
"""Below this expected count the chi-squared distribution is not trusted (Cochran)."""
RANDOM_TABLES = 9999


@dataclass(frozen=True)
class TableOne:
    """The table, formatted, with what a reader has to know about it."""

    table: pd.DataFrame
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Test:
    name: str
    p: float


@dataclass(frozen=True)
class _Block:
    """The rows of one variable; the test stands beside the first."""

    rows: list[list[str]]
    test: _Test | None = None


def table_one(cohorts: Sequence[ClinicalCohort], generator: np.random.Generator) -> TableOne:
    """Describes cohorts side by side.

    Numbers are medians with quartiles, compared by Mann-Whitney or Kruskal-Wallis; categories are
    counts with the share of the patients of whom they are known, compared by the chi-squared test,
    or where an expected count is below 5 by Fisher's (two by two) or by the chi-squared statistic
    of random tables with the same margins. Cohorts that know nothing of a variable are left out of
    its test.

    Args:
        cohorts: one column each.
        generator: of the random tables.

    Raises:
        ValueError: no cohort, an empty one, or two of one name.
    """
    names = [cohort.name for cohort in cohorts]
    if not names or len(set(names)) < len(names):
        raise ValueError(f"Table 1 needs cohorts of different names, not {names}")
    if empty := [cohort.name for cohort in cohorts if not len(cohort)]:
        raise ValueError(f"{', '.join(empty)} has no patients to describe")
    blocks = [_survival(cohorts)]
    blocks += [block for name in MEASURED if (block := _measured(name, cohorts))]
    blocks += [block for name in CATEGORIES if (block := _category(name, cohorts, generator))]
    return TableOne(_assembled(names, blocks), _notes(cohorts))


def write_table_one(one: TableOne, stem: Path) -> Sequence[Path]:
    """Writes `STEM.csv` and `STEM.md`, the notes below the latter; returns both."""
    csv_file, markdown_file = write_table(one.table, stem)
    notes = "".join(f"- {note}\n" for note in one.notes)
    with markdown_file.open("a", encoding="utf-8") as file:
        file.write(f"\n{notes}")
    return csv_file, markdown_file


def _assembled(names: Sequence[str], blocks: Sequence[_Block]) -> pd.DataFrame:
    tested = [block.test.p for block in blocks if block.test]
    adjusted = iter(holm(tested))
    rows = []
    for block in blocks:
        cells = ["", "", ""]
        if block.test:
            cells = [_p(block.test.p), _p(float(next(adjusted))), block.test.name]
        for row in block.rows:
            rows.append([*row, *cells])
            cells = ["", "", ""]
    return pd.DataFrame(rows, columns=["characteristic", *names, "p", "p (Holm)", "test"])


def _survival(cohorts: Sequence[ClinicalCohort]) -> _Block:
    """Sizes, deaths and follow-up; how long people lived is no matter of a Table 1."""
    rows = [["patients", *(str(len(cohort)) for cohort in cohorts)]]
    deaths, follow_up, unknown = ["died"], ["median follow-up, months"], ["- survival unknown"]
    for cohort in cohorts:
        known = cohort.patients[cohort.patients["months"].notna()]
        deaths.append(_share(cohort.events, len(known)))
        follow_up.append(_median_follow_up(known))
        unknown.append(_share(len(cohort) - len(known), len(cohort)))
    return _Block([*rows, deaths, follow_up, unknown])


def _median_follow_up(known: pd.DataFrame) -> str:
    """By the reverse Kaplan-Meier estimate (Schemper and Smith 1996)."""
    if known.empty:
        return ""
    curve = censoring_curve(outcome(known["months"], known["event"]))
    passed = curve.months[curve.survival <= 0.5]
    return f"{passed[0]:.1f}" if passed.size else "not reached"


def _measured(name: str, cohorts: Sequence[ClinicalCohort]) -> _Block | None:
    samples = [cohort.patients[name].dropna().to_numpy(np.float64) for cohort in cohorts]
    if not any(sample.size for sample in samples):
        return None
    cells = []
    for sample in samples:
        low, middle, high = np.percentile(sample, [25, 50, 75]) if sample.size else [np.nan] * 3
        cells.append(f"{middle:.0f} ({low:.0f} to {high:.0f})" if sample.size else "")
    title = f"{TITLES.get(name, name)}, median (quartiles)"
    return _Block([[title, *cells], _unknown(name, cohorts)], _rank_test(samples))


def _rank_test(samples: Sequence[NDArray[np.float64]]) -> _Test | None:
    known = [sample for sample in samples if sample.size]
    if len(known) < 2 or np.unique(np.concatenate(known)).size < 2:
        return None
    if len(known) == 2:
        return _Test("Mann-Whitney", float(stats.mannwhitneyu(known[0], known[1]).pvalue))
    return _Test("Kruskal-Wallis", float(stats.kruskal(*known).pvalue))


def _category(
    name: str, cohorts: Sequence[ClinicalCohort], generator: np.random.Generator
) -> _Block | None:
    columns = [cohort.patients[name] for cohort in cohorts]
    variable = next(one for one in VARIABLES if one.name == name)
    values = [
        value
        for value in (variable.words or variable.numbers)
        if any((column == value).any() for column in columns)
    ]
    if not values:
        return None
    counts = np.array([[int((column == value).sum()) for value in values] for column in columns])
    known = counts.sum(axis=1)
    rows = [[TITLES.get(name, name), *("" for _ in cohorts)]]
    for value, column in zip(values, counts.T, strict=True):
        label = value if isinstance(value, str) else f"{value:g}"
        rows.append([f"- {label}", *(_share(n, of) for n, of in zip(column, known, strict=True))])
    return _Block([*rows, _unknown(name, cohorts)], _table_test(counts[known > 0], generator))


def _table_test(counts: NDArray[np.int_], generator: np.random.Generator) -> _Test | None:
    """Whether the rows' shares differ."""
    if min(counts.shape) < 2:
        return None
    expected = stats.contingency.expected_freq(counts)
    if expected.min() >= FEW:
        return _Test("chi-squared", float(stats.chi2_contingency(counts, correction=False).pvalue))
    if counts.shape == (2, 2):
        return _Test("Fisher", float(stats.fisher_exact(counts).pvalue))
    random = stats.random_table(counts.sum(axis=1), counts.sum(axis=0), seed=generator)
    tables = random.rvs(RANDOM_TABLES).astype(np.int_)
    reached = _chi_squared(tables, expected) >= _chi_squared(counts, expected) * (1 - 1e-12)
    return _Test("chi-squared, random tables", float((reached.sum() + 1) / (RANDOM_TABLES + 1)))


def _chi_squared(counts: NDArray[np.int_], expected: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(((counts - expected) ** 2 / expected).sum(axis=(-2, -1)))


def _unknown(name: str, cohorts: Sequence[ClinicalCohort]) -> list[str]:
    missing = [int(cohort.patients[name].isna().sum()) for cohort in cohorts]
    sizes = [len(cohort) for cohort in cohorts]
    return ["- unknown", *(_share(n, of) for n, of in zip(missing, sizes, strict=True))]


def _notes(cohorts: Sequence[ClinicalCohort]) -> tuple[str, ...]:
    notes = [
        "Shares are of the patients of whom the value is known; those of unknown are of all.",
        "Follow-up by the reverse Kaplan-Meier estimate.",
        f"p (Holm) is adjusted for all tests of this table; chi-squared on random tables draws "
        f"{RANDOM_TABLES} of them and cannot go below {1 / (RANDOM_TABLES + 1):g}.",
    ]
    person_of = identities(cohorts)
    rows = sum(len(cohort) for cohort in cohorts)
    people = len(set(person_of.values()))
    if people < rows:
        notes.append(
            f"{rows} rows are {people} people: cohorts that share patients are not independent, "
            "and the tests take them for it."
        )
    return (*notes, *dict.fromkeys(limit for cohort in cohorts for limit in cohort.limits))


def _share(count: int, of: int) -> str:
    return f"{count} ({100 * count / of:.1f} %)" if of else ""


def _p(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
