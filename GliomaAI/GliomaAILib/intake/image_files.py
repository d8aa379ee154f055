"""NIfTI, NRRD and MetaImage files: what their headers promise, and whether they keep it."""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from gliomaai_training.findings import Finding, Severity
from GliomaAILib.intake.volume import VolumeRefusedError

MIN_VOXELS = 4
"""Along each axis: fewer is a picture, not a volume."""


@dataclass(frozen=True)
class FileHeader:
    """What a volume file's header says, without its voxels."""

    size: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    direction: tuple[float, ...]
    findings: tuple[Finding, ...]


def read_header(path: Path, shown_as: str) -> FileHeader:
    """Reads the header of a volume file and refuses what cannot be a sequence.

    Args:
        path: a `.nii`, `.nii.gz`, `.nrrd`, `.nhdr`, `.mha` or `.mhd` file.
        shown_as: its name for people.

    Raises:
        VolumeRefusedError: unreadable, two- or four-dimensional, or not scalar.
    """
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        raise VolumeRefusedError("unreadable", _why_unreadable(str(error))) from error
    size = tuple(reader.GetSize())
    while len(size) > 3 and size[-1] == 1:
        size = size[:-1]
    if len(size) > 3:
        raise VolumeRefusedError(
            "four_dimensional", f"it holds {size[3]} volumes in time; save one of them alone"
        )
    if len(size) < 3 or min(size) < MIN_VOXELS:
        shape = " x ".join(str(n) for n in size)
        raise VolumeRefusedError("two_dimensional", f"it is a 2D image, not a volume ({shape})")
    if reader.GetNumberOfComponents() != 1:
        raise VolumeRefusedError("not_scalar", "it holds colours or vectors, not one intensity")
    i, j, k = size
    si, sj, sk = reader.GetSpacing()[:3]
    direction = np.reshape(reader.GetDirection(), (reader.GetDimension(),) * 2)[:3, :3]
    return FileHeader(
        (i, j, k),
        (si, sj, sk),
        tuple(float(v) for v in direction.reshape(-1)),
        _orientation_findings(reader, shown_as),
    )


def read_volume(path: Path) -> sitk.Image:
    """Reads a volume file into a new image without meta-data.

    Raises:
        VolumeRefusedError: the file is cut short, or does not hold what its header promises.
    """
    _check_complete(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise VolumeRefusedError("unreadable", _why_unreadable(str(error))) from error
    if image.GetDimension() == 4:
        image = image[:, :, :, 0]
    plain = sitk.Image(image)
    for key in plain.GetMetaDataKeys():
        plain.EraseMetaData(key)
    return plain


def _why_unreadable(words: str) -> str:
    """A reason in our words: the reader's own hold paths."""
    if "orthonormal" in words:
        return "its axes are not at right angles (sheared orientation matrix)"
    return "it cannot be read: damaged, cut short, or its header and its data do not match"


def _check_complete(path: Path) -> None:
    """A NIfTI reader fills what is missing with zeros and says nothing, so the length is checked."""
    name = path.name.lower()
    if not name.endswith((".nii", ".nii.gz")):
        return
    import nibabel

    try:
        header = nibabel.Nifti1Image.from_filename(str(path)).header
        voxels = int(np.prod(header.get_data_shape(), dtype=np.int64))
        needed = int(header.get_data_offset()) + voxels * header.get_data_dtype().itemsize
    except (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        OSError,
        EOFError,
        zlib.error,
    ):
        # NIfTI-2 and other kin: the reader is left to judge.
        return
    held = _unpacked_size(path) if name.endswith(".gz") else path.stat().st_size
    if held < needed:
        raise VolumeRefusedError(
            "truncated", f"it is truncated: {held} bytes where its header promises {needed}"
        )


def _unpacked_size(path: Path) -> int:
    total = 0
    try:
        with gzip.open(path, "rb") as file:
            while chunk := file.read(1 << 22):
                total += len(chunk)
    except (EOFError, OSError, zlib.error):
        return total
    return total


def _orientation_findings(reader: sitk.ImageFileReader, shown_as: str) -> tuple[Finding, ...]:
    if not reader.HasMetaDataKey("qform_code"):
        return ()
    codes = [int(reader.GetMetaData(key) or 0) for key in ("qform_code", "sform_code")]
    if codes == [0, 0]:
        return (
            Finding(
                "intake.orientation_unknown",
                Severity.WARNING,
                f"'{shown_as}' does not say how it is oriented (qform and sform are both unset).",
                "Convert it again from DICOM; do not trust left and right.",
            ),
        )
    return ()
