"""Simulated patients in the form of the real ones, for tests and demonstrations without data."""

from pathlib import Path

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table, state_columns
from gliomaai_training.cohorts.values import ages, months, numbers, read_text_table, translate
from gliomaai_training.diagnosis.states import STATE_FACTS, WHO_STATES
from gliomaai_training.vocabulary import CLINICAL_WORDS

NAME = "simulated"

SEX = {word: word for word in CLINICAL_WORDS["sex"]}
EVENT = {"1": 1.0, "0": 0.0, "1.0": 1.0, "0.0": 0.0}
STATE = {state: state for state in WHO_STATES}
RESECTION = {"True": "gross total", "False": "subtotal"}
"""The simulation knows gross total and less than that."""
MGMT = {"True": "methylated", "False": "unmethylated"}

COLUMNS = (
    "id", "patient", "who_class", "age", "sex", "kps", "gross_total_resection",
    "mgmt_methylated", "os_months", "event",
)  # fmt: skip

LIMITS = ("simulated: shows that the machinery works, and nothing about patients.",)


def read_simulated(table: Path) -> ClinicalCohort:
    """Reads the `patients.csv` that `gliomaai-train simulate` writes, without the tumour-free.

    Raises:
        ValueError: no such table, a column is missing, or a value that is not mapped or impossible.
    """
    rows = read_text_table(table, COLUMNS)
    states = translate(rows["who_class"], STATE)
    facts = [STATE_FACTS[state] if state else None for state in states]
    patients = clinical_table(
        {
            "patient": rows["patient"],
            "case": rows["id"],
            "cohort": NAME,
            "age_years": ages(rows["age"]),
            "sex": translate(rows["sex"], SEX),
            "kps": numbers(rows["kps"], 10.0, 100.0),
            "idh": [one and one.idh for one in facts],
            "codeletion_1p19q": [one and one.codeletion_1p19q for one in facts],
            "reported_grade": [one and one.grade for one in facts],
            "mgmt": translate(rows["mgmt_methylated"], MGMT),
            "resection": translate(rows["gross_total_resection"], RESECTION),
            "months": months(rows["os_months"]),
            "event": translate(rows["event"], EVENT),
        }
        | state_columns([(state,) if state else () for state in states])
    )
    everyone = ClinicalCohort(NAME, patients, LIMITS)
    return everyone.keep(everyone.patients["who_state"].notna().to_numpy(), "tumour-free")


def is_simulated(table: Path) -> bool:
    """Whether a cohort's table is one that `gliomaai-train simulate` wrote.

    Raises:
        ValueError: no such table.
    """
    return set(COLUMNS) <= set(read_text_table(table, ()).columns)
