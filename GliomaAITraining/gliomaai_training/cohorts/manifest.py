"""Which patients there are and where their images lie."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gliomaai_training.vocabulary import SEQUENCES

IMAGE_ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
SEGMENTATION_NAME = "seg"


@dataclass(frozen=True)
class CaseFiles:
    """One case of a cohort: the images of one patient at one time."""

    case: str
    patient: str
    """The unit of every split: two cases of one patient never fall on both sides."""
    cohort: str
    sequences: Mapping[str, Path]
    segmentation: Path | None


def read_manifest(table: Path, cohort: str) -> list[CaseFiles]:
    """Reads a cohort: a CSV with the columns `id` and `patient`, beside it a folder for each id.

    A folder holds `t1`, `t1gd`, `t2`, `flair` and `seg`, each as NIfTI, NRRD or MetaImage; any of
    them may be absent.

    Raises:
        ValueError: a column is missing, an id is not unique, or a case has no image.
    """
    rows = pd.read_csv(table, dtype=str)
    missing = {"id", "patient"} - set(rows.columns)
    if missing:
        raise ValueError(f"{table} lacks the columns {sorted(missing)}")
    repeated = rows["id"][rows["id"].duplicated()].tolist()
    if repeated:
        raise ValueError(f"{table} names these cases twice: {repeated}")
    return [
        _case_files(table.parent / case, case, patient, cohort)
        for case, patient in zip(rows["id"], rows["patient"], strict=True)
    ]


def _case_files(folder: Path, case: str, patient: str, cohort: str) -> CaseFiles:
    sequences = {name: file for name in SEQUENCES if (file := _find_image(folder, name))}
    if not sequences:
        raise ValueError(f"{folder} holds none of {', '.join(SEQUENCES)}")
    return CaseFiles(case, patient, cohort, sequences, _find_image(folder, SEGMENTATION_NAME))


def _find_image(folder: Path, name: str) -> Path | None:
    for ending in IMAGE_ENDINGS:
        file = folder / f"{name}{ending}"
        if file.is_file():
            return file
    return None
