"""UCSF-PDGM (Calabrese et al., Radiol Artif Intell 2022;4:e220058): one hospital, one scanner."""

from pathlib import Path

import pandas as pd

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table, state_columns
from gliomaai_training.cohorts.values import (
    ages,
    first_known,
    months_of_days,
    read_text_table,
    translate,
)
from gliomaai_training.diagnosis.states import (
    CODELETED,
    INTACT,
    MUTANT,
    NOT_ELSEWHERE,
    WILD_TYPE,
)

NAME = "UCSF-PDGM"
TABLE = Path("tables", "ucsf_pdgm_clinical.csv")

SEX = {"M": "M", "F": "F"}
EVENT = {"1": 1.0, "0": 0.0}
IDH = {
    "wildtype": WILD_TYPE,
    "mutated (NOS)": MUTANT,
    "IDH1 p.R132H": MUTANT,
    "IDH1 p.R132C": MUTANT,
    "IDH1 p.R132G": MUTANT,
    "IDH1 p.R132S": MUTANT,
    "IDH1 p.Arg132His": MUTANT,
    "IDH2 p.R172K": MUTANT,
    "IDH2 p.Arg172Trp": MUTANT,
}
CODELETION = {
    "intact": INTACT,
    "co-deletion": CODELETED,
    "Co-deletion": CODELETED,
    "relative co-deletion": None,
}
"""A relative co-deletion is a loss against a gained genome, found in oligodendrogliomas and in
astrocytomas of grade 4 alike: alone it decides nothing."""
GRADE = {"2": 2.0, "3": 3.0, "4": 4.0}
DIAGNOSES = {
    "Glioblastoma, IDH-wildtype": "glioblastoma",
    "Astrocytoma, IDH-mutant": "astrocytoma",
    "Astrocytoma, IDH-wildtype": "astrocytoma",
    "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted": "oligodendroglioma",
}
DIAGNOSIS_CODELETION = {
    "Glioblastoma, IDH-wildtype": None,
    "Astrocytoma, IDH-mutant": None,
    "Astrocytoma, IDH-wildtype": None,
    "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted": CODELETED,
}
"""What the name of the diagnosis says where the measurement does not."""
WHO_2021: dict[str, tuple[str, ...]] = {
    "Glioblastoma, IDH-wildtype, 4": ("GBM",),
    "Astrocytoma, IDH-mutant, 2": ("A2",),
    "Astrocytoma, IDH-mutant, 3": ("A3",),
    "Astrocytoma, IDH-mutant, 4": ("A4",),
    "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted, 2": ("O2",),
    "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted, 3": ("O3",),
    "Astrocytoma, IDH-wildtype, 2": ("GBM", NOT_ELSEWHERE),
    "Astrocytoma, IDH-wildtype, 3": ("GBM", NOT_ELSEWHERE),
}
"""By diagnosis and grade. WHO 2021 knows no IDH-wildtype astrocytoma of adults: glioblastoma if a
molecular marker says so, which the table does not tell, else not elsewhere classified."""
MGMT = {"positive": "methylated", "negative": "unmethylated", "indeterminate": None}
RESECTION = {"GTR": "gross total", "STR": "subtotal", "biopsy": "biopsy"}

COLUMNS = (
    "patient", "sex", "age", "grade", "who2021_diagnosis", "mgmt_status", "codel_1p19q", "idh",
    "event", "os_days", "extent_of_resection", "brats21_id",
)  # fmt: skip

LIMITS = (
    "UCSF-PDGM: one hospital; half of the patients are censored.",
    "UCSF-PDGM: performance status is not in the table.",
    "UCSF-PDGM: 1p/19q was not measured in every glioblastoma, nor MGMT in every tumour.",
)


def read_ucsf_pdgm(data: Path) -> ClinicalCohort:
    """Reads all patients of `tables/ucsf_pdgm_clinical.csv`.

    An event without a time counts as unknown survival.

    Args:
        data: the root of the data.

    Raises:
        ValueError: no such table, a column is missing, or a value that is not mapped or impossible.
    """
    rows = read_text_table(data / TABLE, COLUMNS)
    return ClinicalCohort(NAME, _table(rows), LIMITS)


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    diagnosis_and_grade = (rows["who2021_diagnosis"] + ", " + rows["grade"]).rename(
        "who2021_diagnosis, grade"
    )
    survival, died = months_of_days(rows["os_days"]), translate(rows["event"], EVENT)
    possible = [states or () for states in translate(diagnosis_and_grade, WHO_2021)]
    return clinical_table(
        {
            "patient": rows["patient"],
            "case": rows["patient"],
            "cohort": NAME,
            "site": "UCSF",
            "aliases": rows["brats21_id"].replace("", None),
            "age_years": ages(rows["age"]),
            "sex": translate(rows["sex"], SEX),
            "idh": translate(rows["idh"], IDH),
            "codeletion_1p19q": first_known(
                translate(rows["codel_1p19q"], CODELETION),
                translate(rows["who2021_diagnosis"], DIAGNOSIS_CODELETION),
            ),
            "reported_grade": translate(rows["grade"], GRADE),
            "histology": translate(rows["who2021_diagnosis"], DIAGNOSES),
            "mgmt": translate(rows["mgmt_status"], MGMT),
            "resection": translate(rows["extent_of_resection"], RESECTION),
            "months": survival,
            "event": pd.Series(died).where(pd.Series(survival).notna(), None),
        }
        | state_columns(possible)
    )
