"""The TCGA-LGG patients whose slices were segmented by Buda et al. (Comput Biol Med 2019;109)."""

from pathlib import Path

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table, state_columns
from gliomaai_training.cohorts.linking import completed
from gliomaai_training.cohorts.tcga import (
    CODELETION,
    GRADE,
    HISTOLOGY,
    IDH,
    SEX,
    WHO_2021,
    narrowed,
    read_tcga,
    tcga_site,
)
from gliomaai_training.cohorts.values import (
    ages,
    first_known,
    months,
    read_text_table,
    translate,
)
from gliomaai_training.diagnosis.states import (
    CODELETED,
    INTACT,
    MUTANT,
    WILD_TYPE,
    TissueFacts,
)

NAME = "TCGA-LGG slices"
TABLE = Path("lgg_slices", "patients.csv")
SEQUENCES = ("t1", "t1gd", "flair")
"""In a patient's file."""
MASK = "whole_tumor"
"""There too."""

EVENT = {"1": 1.0, "0": 0.0}
SUBTYPE_IDH = {"IDHwt": WILD_TYPE, "IDHmut-noncodel": MUTANT, "IDHmut-codel": MUTANT}
SUBTYPE_CODELETION = {"IDHwt": None, "IDHmut-noncodel": INTACT, "IDHmut-codel": CODELETED}

COLUMNS = (
    "patient", "age", "sex", "grade", "histology", "idh", "codel_1p19q", "subtype",
    "who2021_diagnosis", "os_months", "event",
)  # fmt: skip

LIMITS = (
    "TCGA-LGG slices: few deaths; every estimate is wide.",
    "TCGA-LGG slices: images without geometry; nothing in mm or mL can be measured.",
)


def read_lgg_slices(data: Path) -> ClinicalCohort:
    """Reads all patients of `lgg_slices/patients.csv`, who are all in TCGA's table too.

    Laterality and location are left out: the table codes them by numbers without a key.

    Args:
        data: the root of the data.

    Raises:
        ValueError: no such table, a column is missing, or a value that is not mapped or impossible.
    """
    rows = read_text_table(data / TABLE, COLUMNS)
    idh = first_known(translate(rows["idh"], IDH), translate(rows["subtype"], SUBTYPE_IDH))
    codeletion = first_known(
        translate(rows["codel_1p19q"], CODELETION),
        translate(rows["subtype"], SUBTYPE_CODELETION),
    )
    grade = translate(rows["grade"], GRADE)
    published = translate(rows["who2021_diagnosis"], WHO_2021)
    possible = [
        narrowed(states, TissueFacts(*facts))
        for states, facts in zip(published, zip(idh, codeletion, grade, strict=True), strict=True)
    ]
    table = clinical_table(
        {
            "patient": rows["patient"],
            "case": rows["patient"],
            "cohort": NAME,
            "site": tcga_site(rows["patient"]),
            "age_years": ages(rows["age"]),
            "sex": translate(rows["sex"], SEX),
            "idh": idh,
            "codeletion_1p19q": codeletion,
            "reported_grade": grade,
            "histology": translate(rows["histology"], HISTOLOGY),
            "months": months(rows["os_months"]),
            "event": translate(rows["event"], EVENT),
        }
        | state_columns(possible)
    )
    return completed(ClinicalCohort(NAME, table, LIMITS), read_tcga(data))
