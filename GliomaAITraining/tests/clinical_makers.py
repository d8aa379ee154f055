"""Made-up clinical rows; no real patient is among them."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table
from gliomaai_training.cohorts.tcga import COLUMNS as TCGA_COLUMNS


def cohort_of(name: str, patients: Sequence[str], **columns: object) -> ClinicalCohort:
    """A cohort of these patients, of whom nothing is known but the given columns."""
    known = {"patient": patients, "case": patients, "cohort": name}
    return ClinicalCohort(name, clinical_table(known | columns))


def write_csv(path: Path, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> None:
    """Writes a table; cells that a row does not name are empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def write_tcga(data: Path, rows: Sequence[Mapping[str, str]]) -> None:
    """TCGA's table with these rows."""
    write_csv(data / "tables" / "tcga_glioma.csv", TCGA_COLUMNS, rows)
