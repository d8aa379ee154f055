"""The files of an assessment, written so that a reader sees all of them complete or none."""

import gzip
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import SimpleITK as sitk

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.progress import Progress, silent
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.explanation import native_saliency
from GliomaAILib.output.document import assessment_document, document_bytes, saliency_file
from GliomaAILib.output.folder import OutputError, clear_errors, complete_or_nothing

__all__ = ["OutputError", "OutputFiles", "write_assessment", "write_nifti"]

SEGMENTATION = "segmentation.nii.gz"
DOCUMENT = "assessment.json"
REPORT = "report.html"
REPORT_PDF = "report.pdf"

SALIENCY_FILES = "saliency_*.nii.gz"

STAGE = "write results"


@dataclass(frozen=True)
class OutputFiles:
    """What `write_assessment` wrote."""

    segmentation: Path
    document: Path
    report: Path
    report_pdf: Path


def write_assessment(
    assessment: Assessment,
    folder: Path,
    progress: Progress = silent,
    more: Callable[[Path], None] | None = None,
) -> OutputFiles:
    """Writes segmentation, machine-readable result and report.

    The files are made complete in a hidden folder beside their place and only then moved in, so a
    cancelled run or a full disk leaves nothing behind. An older result in `folder` is replaced, its
    saliency maps too; other files there are left alone.

    Args:
        assessment: what to write.
        folder: of the result.
        progress: told the stage `write results`; may cancel.
        more: writes further files into the folder it is given, which then move in with the rest.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
        progress.Cancelled: the progress callback asked for the end.
    """
    contents = {}
    progress(STAGE, 0.0)
    contents[DOCUMENT] = document_bytes(assessment_document(assessment))
    progress(STAGE, 0.1)
    contents |= _reports(assessment, progress)
    progress(STAGE, 0.8)
    with complete_or_nothing(folder) as scratch:
        for name, content in contents.items():
            (scratch / name).write_bytes(content)
        write_nifti(sitk.Cast(assessment.segmentation, sitk.sitkUInt8), scratch / SEGMENTATION)
        maps = native_saliency(assessment)
        for target, image in maps.items():
            write_nifti(image, scratch / saliency_file(target))
        if more is not None:
            more(scratch)
        progress(STAGE, 0.95)
    with clear_errors(folder):
        _remove_older_maps(folder, {saliency_file(target) for target in maps})
    progress(STAGE, 1.0)
    names = (SEGMENTATION, DOCUMENT, REPORT, REPORT_PDF)
    return OutputFiles(*(folder / name for name in names))


def _remove_older_maps(folder: Path, present: AbstractSet[str]) -> None:
    """Maps of an earlier result explain answers that are no longer there."""
    for file in folder.glob(SALIENCY_FILES):
        if file.name not in present:
            file.unlink()


def _reports(assessment: Assessment, progress: Progress) -> dict[str, bytes]:
    from GliomaAILib.output.content import report_content
    from GliomaAILib.output.pdf import report_pdf
    from GliomaAILib.output.report import report_html

    content = report_content(assessment)
    progress(STAGE, 0.5)
    html = report_html(content).encode("utf-8")
    progress(STAGE, 0.6)
    return {REPORT: html, REPORT_PDF: report_pdf(content)}


def write_nifti(image: sitk.Image, file: Path) -> None:
    """Writes a `.nii.gz` whose bytes depend on nothing but voxels and geometry.

    Raises:
        OSError: it cannot be written.
    """
    # A fresh image: metadata of the source (a DICOM header's, say) must not travel along.
    bare = Grid.of(image).image(sitk.GetArrayViewFromImage(image))
    plain = file.with_suffix("")
    try:
        sitk.WriteImage(bare, str(plain))
    except RuntimeError as error:  # how SimpleITK reports a full disk
        raise OSError(None, f"{file.name} could not be written (disk full?)") from error
    with file.open("wb") as stream, gzip.GzipFile("", "wb", 6, stream, mtime=0) as packed:
        packed.write(plain.read_bytes())
    plain.unlink()
