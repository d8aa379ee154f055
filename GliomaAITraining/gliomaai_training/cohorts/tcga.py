"""TCGA-GBM and TCGA-LGG (cBioPortal), with the WHO 2021 diagnoses of a published review."""

from pathlib import Path

import pandas as pd

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table, state_columns
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
    WHO_STATES,
    WILD_TYPE,
    TissueFacts,
    classify,
)

NAME = "TCGA"
TABLE = Path("tables", "tcga_glioma.csv")

SEX = {"Male": "M", "Female": "F"}
EVENT = {"1:DECEASED": 1.0, "0:LIVING": 0.0}
IDH = {
    "Mutant": MUTANT,
    "mutant (maf)": MUTANT,
    "WT": WILD_TYPE,
    "WT (maf)": WILD_TYPE,
}
CODELETION = {"codel": CODELETED, "non-codel": INTACT, "unknown": None}
SUBTYPE_IDH = {
    "LGG_IDHmut-non-codel": MUTANT,
    "LGG_IDHmut-codel": MUTANT,
    "LGG_IDHwt": WILD_TYPE,
    "GBM_IDHmut-non-codel": MUTANT,
    "GBM_IDHwt": WILD_TYPE,
    "GBM": None,
}
SUBTYPE_CODELETION = {
    "LGG_IDHmut-non-codel": INTACT,
    "LGG_IDHmut-codel": CODELETED,
    "LGG_IDHwt": None,
    "GBM_IDHmut-non-codel": INTACT,
    "GBM_IDHwt": None,
    "GBM": None,
}
GRADE = {"G2": 2, "G3": 3, "G4": 4}
HISTOLOGY = {
    "Glioblastoma Multiforme": "glioblastoma",
    "Astrocytoma": "astrocytoma",
    "Oligodendroglioma": "oligodendroglioma",
    "Oligoastrocytoma": "oligoastrocytoma",
    "Low-Grade Glioma (NOS)": "glioma, not specified",
}
HISTOLOGY_GRADE = {
    "Glioblastoma Multiforme": 4,
    "Astrocytoma": None,
    "Oligodendroglioma": None,
    "Oligoastrocytoma": None,
    "Low-Grade Glioma (NOS)": None,
}
"""Glioblastoma was grade 4 by definition; TCGA-GBM gives no grade of its own."""
WHO_2021 = {
    "Glioblastoma, IDH-wildtype. Grade 4.": ("GBM",),
    "Astrocytoma, IDH-mutant. Grade 2.": ("A2",),
    "Astrocytoma, IDH-mutant. Grade 3.": ("A3",),
    "Astrocytoma, IDH-mutant. Grade 4.": ("A4",),
    "Astrocytoma, IDH-mutant. Grade NA.": ("A2", "A3", "A4"),
    "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted. Grade 2.": ("O2",),
    "Oligodendroglioma, IDH-mutant, 1p/19q-codeleted. Grade 3.": ("O3",),
}
HOMOZYGOUS_DELETION = {
    "-2": True,
    "-1": False,
    "0": False,
    "1": False,
    "2": False,
    "unknown": None,
}
"""Of GISTIC's copy number calls; -1 is the loss of one copy."""
AMPLIFICATION = {"-2": False, "-1": False, "0": False, "1": False, "2": True, "unknown": None}
TERT = {"Mutant": True, "WT": False, "unknown": None}
GAIN_7_LOSS_10 = {
    "Gain chr 7 & loss chr 10": True,
    "No combined CNA": False,
    "unknown": None,
}
MGMT = {"Methylated": "methylated", "Unmethylated": "unmethylated", "unknown": None}

COLUMNS = (
    "patient", "age", "age_who", "sex", "histology", "grade", "grade_who", "subtype_tcga",
    "os_months", "os_status", "idh", "codel_1p19q", "chr7_gain_chr10_loss", "tert_promoter",
    "egfr_cnv", "cdkn2a_cnv", "cdkn2b_cnv", "mgmt_promoter", "who2021_diagnosis",
)  # fmt: skip

LIMITS = (
    "TCGA: tissue had to suffice for sequencing, which selects resected tumours; LGG follow-up is "
    "short, most patients are censored.",
    "TCGA: neither extent of resection nor performance status is in the table.",
    "TCGA: months as published by cBioPortal, of 30.417 days.",
)


def read_tcga(data: Path) -> ClinicalCohort:
    """Reads all patients of `tables/tcga_glioma.csv`.

    The published diagnosis of WHO 2021 decides the state; where there is none, the molecular facts
    do as far as they go. Months are taken as published, on months of 30.417 days: 0.07 % below the
    project's.

    Args:
        data: the root of the data.

    Raises:
        ValueError: no such table, a column is missing, or a value that is not mapped or impossible.
    """
    rows = read_text_table(data / TABLE, COLUMNS)
    return ClinicalCohort(NAME, _table(rows), LIMITS)


def tcga_site(barcodes: "pd.Series[str]") -> list[str | None]:
    """The code of the hospital in TCGA barcodes; None for names that are no barcodes."""
    found = barcodes.str.extract(r"^TCGA-(\w{2})-\w{4}$", expand=False)
    return [code if isinstance(code, str) else None for code in found]


def _table(rows: pd.DataFrame) -> pd.DataFrame:
    idh = first_known(translate(rows["idh"], IDH), translate(rows["subtype_tcga"], SUBTYPE_IDH))
    codeletion = first_known(
        translate(rows["codel_1p19q"], CODELETION),
        translate(rows["subtype_tcga"], SUBTYPE_CODELETION),
    )
    grade = first_known(
        translate(rows["grade"], GRADE),
        translate(rows["grade_who"], GRADE),
        translate(rows["histology"], HISTOLOGY_GRADE),
    )
    measured = zip(
        idh,
        codeletion,
        grade,
        homozygous_cdkn2a_deletion(rows),
        glioblastoma_marker(rows),
        strict=True,
    )
    possible = [
        narrowed(published, TissueFacts(*facts))
        for published, facts in zip(
            translate(rows["who2021_diagnosis"], WHO_2021), measured, strict=True
        )
    ]
    age = pd.Series(ages(rows["age"])).fillna(pd.Series(ages(rows["age_who"])))
    return clinical_table(
        {
            "patient": rows["patient"],
            "case": rows["patient"],
            "cohort": NAME,
            "site": tcga_site(rows["patient"]),
            "age_years": age,
            "sex": translate(rows["sex"], SEX),
            "idh": idh,
            "codeletion_1p19q": codeletion,
            "reported_grade": grade,
            "histology": translate(rows["histology"], HISTOLOGY),
            "mgmt": translate(rows["mgmt_promoter"], MGMT),
            "months": months(rows["os_months"]),
            "event": translate(rows["os_status"], EVENT),
        }
        | state_columns(possible)
    )


def narrowed(published: tuple[str, ...] | None, tissue: TissueFacts) -> tuple[str, ...]:
    """The states of a published diagnosis, or what the tissue says where it leaves a choice."""
    if published is not None and len(published) == 1:
        return published
    states = classify(tissue)
    if published is None:
        return states
    return tuple(state for state in WHO_STATES if state in published and state in states)


def homozygous_cdkn2a_deletion(rows: pd.DataFrame) -> list[bool | None]:
    """Whether CDKN2A or CDKN2B is deleted on both copies."""
    return _any(
        translate(rows["cdkn2a_cnv"], HOMOZYGOUS_DELETION),
        translate(rows["cdkn2b_cnv"], HOMOZYGOUS_DELETION),
    )


def glioblastoma_marker(rows: pd.DataFrame) -> list[bool | None]:
    """Whether there is a molecular marker of glioblastoma."""
    return _any(
        translate(rows["tert_promoter"], TERT),
        translate(rows["egfr_cnv"], AMPLIFICATION),
        translate(rows["chr7_gain_chr10_loss"], GAIN_7_LOSS_10),
    )


def _any(*columns: list[bool | None]) -> list[bool | None]:
    """For each row True if any column says so, False if all deny it, else None."""
    return [
        True if any(values) else None if None in values else False
        for values in zip(*columns, strict=True)
    ]
