"""A corrected case as the training package reads it: what a person drew teaches the next model."""

import contextlib
import csv
import io
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from gliomaai_training.cohorts.manifest import SEGMENTATION_NAME
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.progress import Progress, silent
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.output.folder import OutputError, clear_errors, complete_or_nothing, replace_text
from GliomaAILib.output.write import write_nifti

TABLE = "patients.csv"
COLUMNS = ("id", "patient")
STAGE = "training case"

_SAFE_NAME = re.compile(r"[^\W_](?:[\w. -]{0,78}[\w-])?")
"""Letters, digits, blanks, `.`, `-` and `_`: a folder's name on every system."""

_RESERVED = re.compile(r"(?i)(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?")
"""Names that Windows keeps for devices."""


@dataclass(frozen=True)
class TrainingCase:
    """Where a case was saved."""

    folder: Path
    table: Path


def save_training_case(
    assessment: Assessment, cohort: Path, case: str, progress: Progress = silent
) -> TrainingCase:
    """Adds a case to a cohort that `cohorts.manifest.read_manifest` reads.

    Sequences and labels lie on the common grid, 0 outside the brain (and the tumour, where the
    brain mask leaves a part of it out). The table's `patient` is the case's own name: nothing in a
    study may say whose it is, so who saves a second case of one patient has to give both the same
    patient in the table.

    Args:
        assessment: whose `labels` are the truth to learn.
        cohort: folder of the cohort; made where there is none.
        case: the case's name, which becomes its folder.
        progress: told the stage `training case`; may cancel, and then nothing is left.

    Raises:
        ValueError: the name is unsafe or taken, or the cohort's table is none.
        OutputError: the cohort cannot be written.
    """
    check_case(cohort, case)
    folder, table = cohort / case, cohort / TABLE
    rows = _rows(table)
    with complete_or_nothing(folder) as scratch:
        _write_images(assessment, scratch, progress)
    with _removed_on_error(folder), clear_errors(cohort):
        values = {"id": case, "patient": case}
        replace_text(table, _csv([*rows, [values.get(name, "") for name in rows[0]]]))
    progress(STAGE, 1.0)
    return TrainingCase(folder, table)


def check_case(cohort: Path, case: str) -> None:
    """Refuses early what `save_training_case` would refuse.

    Raises:
        ValueError: the name is empty, too long, holds a path or signs that a system does not take,
            or is taken; or the cohort's table is none.
        OutputError: the table cannot be read.
    """
    if not _SAFE_NAME.fullmatch(case) or _RESERVED.fullmatch(case):
        raise ValueError(
            f"{case!r} cannot be the name of a case: use up to 80 letters, digits, '-', '_' and "
            "'.', with a letter or digit at the start"
        )
    rows = _rows(cohort / TABLE)
    taken = {row[rows[0].index("id")].casefold() for row in rows[1:]}
    if (cohort / case).exists() or case.casefold() in taken:
        raise ValueError(f"the cohort has a case {case!r} already: choose another name")


def _write_images(assessment: Assessment, folder: Path, progress: Progress) -> None:
    prepared = assessment.prepared
    labels = sitk.GetArrayViewFromImage(assessment.labels)
    outside = (sitk.GetArrayViewFromImage(prepared.brain_mask) == 0) & (labels == 0)
    for index, (name, image) in enumerate(prepared.sequences.items()):
        progress(STAGE, index / (len(prepared.sequences) + 1))
        array = sitk.GetArrayFromImage(image)
        array[outside] = 0
        write_nifti(Grid.of(image).image(array), folder / f"{name}.nii.gz")
    progress(STAGE, 0.9)
    truth = prepared.grid.image(np.asarray(labels, np.uint8))
    write_nifti(truth, folder / f"{SEGMENTATION_NAME}.nii.gz")


def _rows(table: Path) -> list[list[str]]:
    """The cohort's table with its header; other columns than ours are kept."""
    if not table.exists():
        return [list(COLUMNS)]
    with clear_errors(table.parent):
        text = _text(table)
    rows = [row for row in csv.reader(io.StringIO(text)) if row]
    if not rows or not set(COLUMNS) <= set(rows[0]) or any(len(r) != len(rows[0]) for r in rows):
        raise ValueError(
            f"{table} is no table of a cohort with the columns {' and '.join(COLUMNS)}: "
            "choose another folder"
        )
    return rows


def _text(table: Path) -> str:
    try:
        return table.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{table} is no text in UTF-8: choose another folder") from error


def _csv(rows: list[list[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


@contextlib.contextmanager
def _removed_on_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OutputError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
