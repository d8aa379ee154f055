"""Held-out predictions as mask files on the patients' own grids, with the list that says whose."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.cohorts.manifest import CaseFiles
from gliomaai_training.data.case_store import read_oriented
from gliomaai_training.preprocessing.network_input import brain_box
from gliomaai_training.vocabulary import Label

LIST = "masks.csv"
"""In the folder of masks: whose they are."""
COLUMNS = ("id", "patient", "fold")
"""Of the list; `fold` is the one left out of the training of the network that drew the mask."""
ENDING = ".nii.gz"


@dataclass(frozen=True)
class DrawnMask:
    """A mask that a network drew for a patient whom it had not seen."""

    case: str
    patient: str
    fold: int
    file: Path


def mask_on_own_grid(case: CaseFiles, labels: NDArray[np.uint8]) -> sitk.Image:
    """Labels of a stored case's brain crop on the grid of the case's own segmentation.

    Args:
        case: the files that `data.case_store.convert_case` read.
        labels: (z, y, x) of the crop.

    Raises:
        ValueError: the case has no segmentation, or the crop is not that of its brain.
    """
    if case.segmentation is None:
        raise ValueError(f"case {case.case} has no segmentation, whose grid is asked for")
    brain = np.any(
        [sitk.GetArrayFromImage(read_oriented(file)) != 0 for file in case.sequences.values()],
        axis=0,
    )
    box = brain_box(brain)
    whole = np.zeros(brain.shape, np.uint8)
    if whole[box].shape != labels.shape:
        raise ValueError(
            f"case {case.case}: labels of shape {labels.shape} are not of its brain, "
            f"{whole[box].shape}"
        )
    whole[box] = labels
    drawn = sitk.GetImageFromArray(whole)
    drawn.CopyInformation(read_oriented(case.segmentation))
    own = sitk.ReadImage(str(case.segmentation))
    turned: sitk.Image = sitk.Resample(
        drawn, own, sitk.Transform(), sitk.sitkNearestNeighbor, float(Label.BACKGROUND)
    )
    return turned


def write_mask(files: CaseFiles, labels: NDArray[np.uint8], folder: Path) -> None:
    """Writes one mask, of what `mask_on_own_grid` takes.

    Raises:
        ValueError: as `mask_on_own_grid`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = mask_on_own_grid(files, labels)
    sitk.WriteImage(drawn, str(folder / f"{files.case}{ENDING}"), useCompression=True)


def write_list(cases: Iterable[tuple[CaseFiles, int]], folder: Path) -> None:
    """Writes the list of the masks of cases, each with the fold that it was held out of; cases
    without a mask in the folder are left out."""
    rows = [
        (files.case, files.patient, fold)
        for files, fold in cases
        if (folder / f"{files.case}{ENDING}").is_file()
    ]
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(folder / LIST, index=False)


def read_list(folder: Path) -> list[DrawnMask]:
    """The masks of a folder that `gliomaai-train evaluate --masks` wrote.

    Raises:
        ValueError: there is no list, it lacks a column, names a case twice, or a mask is missing.
    """
    table = folder / LIST
    if not table.is_file():
        raise ValueError(
            f"{folder} has no {LIST}: it is written with the masks by `gliomaai-train evaluate "
            "RUNS --masks DIR`, and tells which fold each was held out of"
        )
    rows = pd.read_csv(table, dtype={"id": str, "patient": str})
    if missing := set(COLUMNS) - set(rows.columns):
        raise ValueError(f"{table} lacks the columns {sorted(missing)}")
    if repeated := rows["id"][rows["id"].duplicated()].tolist():
        raise ValueError(f"{table} names these cases twice: {repeated}")
    found = [
        DrawnMask(case, patient, int(fold), folder / f"{case}{ENDING}")
        for case, patient, fold in zip(rows["id"], rows["patient"], rows["fold"], strict=True)
    ]
    if absent := [one.case for one in found if not one.file.is_file()]:
        raise ValueError(f"{folder} lacks the masks of {', '.join(absent[:5])}")
    return found
