"""BraTS 2020's training cases: expert segmentations with age and survival, a third from TCGA."""

from pathlib import Path

import pandas as pd

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table, state_columns
from gliomaai_training.cohorts.linking import completed
from gliomaai_training.cohorts.tcga import read_tcga, tcga_site
from gliomaai_training.cohorts.values import (
    ages,
    months_of_days,
    read_text_table,
    translate,
)
from gliomaai_training.diagnosis.states import (
    CODELETED,
    INTACT,
    MUTANT,
    WILD_TYPE,
    TissueFacts,
    classify,
)

MASKS_NAME = "BraTS20"
MASKS_TABLE = Path("brats20_masks", "masks.csv")
VOLUMES_NAME = "BraTS volumes"
VOLUMES_TABLE = Path("volumes", "volumes.csv")

EVENT = {"1.0": 1.0, "0.0": 0.0}
GRADE = {"4(HGG)": 4, "G3": 3, "G2": 2, "2/3(LGG)": None}
IDH = {"IDHwt": WILD_TYPE, "IDHmut-noncodel": MUTANT, "IDHmut-codel": MUTANT, "unknown": None}
CODELETION = {
    "IDHwt": None,
    "IDHmut-noncodel": INTACT,
    "IDHmut-codel": CODELETED,
    "unknown": None,
}
RESECTION = {"GTR": "gross total", "STR": "subtotal"}

COLUMNS = ("id", "patient", "grade", "subtype", "age", "os_days", "event")

LIMITS = (
    "BraTS: patients were treated and selected for complete imaging; outside TCGA every patient "
    "with a survival time counts as dead, so that its survival curve falls too early and no "
    "prevalence or absolute risk can be read from it.",
    "BraTS: IDH and 1p/19q are known only for patients of TCGA; high-grade counts as grade 4.",
    "BraTS: extent of resection is known mostly for gross total resections.",
)


def read_brats20(data: Path) -> ClinicalCohort:
    """Reads all patients of `brats20_masks/masks.csv`.

    What BraTS does not know of patients from TCGA is taken from TCGA's table.

    Args:
        data: the root of the data.

    Raises:
        ValueError: no such table, a column is missing, or a value that is not mapped or impossible.
    """
    rows = read_text_table(data / MASKS_TABLE, (*COLUMNS, "extent_of_resection"))
    resection = translate(rows["extent_of_resection"], RESECTION)
    table = _table(rows, MASKS_NAME, rows["id"], resection)
    return completed(ClinicalCohort(MASKS_NAME, table, LIMITS), read_tcga(data))


def read_volumes(data: Path) -> ClinicalCohort:
    """Reads the patients of `volumes/volumes.csv`, all of whom are in `brats20_masks` too.

    Args:
        data: the root of the data.

    Raises:
        ValueError: as `read_brats20`.
    """
    rows = read_text_table(data / VOLUMES_TABLE, (*COLUMNS, "source_case"))
    table = _table(rows, VOLUMES_NAME, rows["source_case"], None)
    return completed(ClinicalCohort(VOLUMES_NAME, table, LIMITS), read_tcga(data))


def _table(
    rows: pd.DataFrame,
    cohort: str,
    aliases: "pd.Series[str]",
    resection: list[str | None] | None,
) -> pd.DataFrame:
    idh, codeletion = translate(rows["subtype"], IDH), translate(rows["subtype"], CODELETION)
    grade = translate(rows["grade"], GRADE)
    tissue = [TissueFacts(*facts) for facts in zip(idh, codeletion, grade, strict=True)]
    return clinical_table(
        {
            "patient": rows["patient"],
            "case": rows["id"],
            "cohort": cohort,
            "site": tcga_site(rows["patient"]),
            "aliases": aliases.where(aliases != rows["patient"], None),
            "age_years": ages(rows["age"]),
            "idh": idh,
            "codeletion_1p19q": codeletion,
            "reported_grade": grade,
            "resection": resection,
            "months": months_of_days(rows["os_days"]),
            "event": translate(rows["event"], EVENT),
        }
        | state_columns([classify(facts) for facts in tissue])
    )
