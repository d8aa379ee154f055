"""The files of an assessment, written so that a reader sees all of them complete or none."""

import contextlib
import gzip
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.progress import Progress, silent
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.output.document import assessment_document, document_bytes

SEGMENTATION = "segmentation.nii.gz"
DOCUMENT = "assessment.json"
REPORT = "report.html"

STAGE = "write results"


class OutputError(Exception):
    """The results could not be written; the folder is as it was."""


@dataclass(frozen=True)
class OutputFiles:
    """What `write_assessment` wrote."""

    segmentation: Path
    document: Path
    report: Path


def write_assessment(
    assessment: Assessment, folder: Path, progress: Progress = silent
) -> OutputFiles:
    """Writes segmentation, machine-readable result and report.

    The files are made complete in a hidden folder beside their place and only then moved in, so a
    cancelled run or a full disk leaves nothing behind. An older result in `folder` is replaced;
    other files there are left alone.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
        progress.Cancelled: the progress callback asked for the end.
    """
    from GliomaAILib.output.report import report_html

    contents = {}
    progress(STAGE, 0.0)
    contents[DOCUMENT] = document_bytes(assessment_document(assessment))
    progress(STAGE, 0.1)
    contents[REPORT] = report_html(assessment).encode("utf-8")
    progress(STAGE, 0.8)
    with _clear_errors(folder), _scratch_beside(folder) as scratch:
        for name, content in contents.items():
            (scratch / name).write_bytes(content)
        _write_segmentation(assessment.segmentation, scratch / SEGMENTATION)
        progress(STAGE, 0.95)
        _move_in(scratch, folder)
    progress(STAGE, 1.0)
    return OutputFiles(folder / SEGMENTATION, folder / DOCUMENT, folder / REPORT)


@contextlib.contextmanager
def _clear_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"The results cannot be written to {folder}: {reason}. "
            "Choose another folder with --out, or make room and check its permissions."
        ) from error


@contextlib.contextmanager
def _scratch_beside(folder: Path) -> Iterator[Path]:
    """A hidden folder on the same file system, so that moving out of it is one atomic step."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(None, "it is a file, not a folder", str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    home = folder if folder.is_dir() else folder.parent
    with tempfile.TemporaryDirectory(dir=home, prefix=".gliomaai-") as name:
        scratch = Path(name) / folder.name
        scratch.mkdir()
        yield scratch


def _move_in(scratch: Path, folder: Path) -> None:
    if not folder.exists():
        os.replace(scratch, folder)
        return
    for file in sorted(scratch.iterdir()):
        os.replace(file, folder / file.name)


def _write_segmentation(segmentation: sitk.Image, file: Path) -> None:
    """Writes a NIfTI whose bytes depend on nothing but voxels and geometry."""
    # A fresh image: metadata of the source (a DICOM header's, say) must not travel along.
    labels = Grid.of(segmentation).image(sitk.GetArrayViewFromImage(segmentation))
    plain = file.with_name("segmentation.nii")
    try:
        sitk.WriteImage(sitk.Cast(labels, sitk.sitkUInt8), str(plain))
    except RuntimeError as error:  # how SimpleITK reports a full disk
        raise OSError(None, "the segmentation could not be written (disk full?)") from error
    with file.open("wb") as stream, gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
        packed.write(plain.read_bytes())
    plain.unlink()
