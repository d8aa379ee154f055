"""NIfTI, NRRD and MetaImage files: what their headers promise, and whether they keep it."""

import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.preprocessing.geometry import Grid
from GliomaAILib.intake.volume import VolumeRefusedError

if TYPE_CHECKING:
    import nibabel

MAX_DISAGREEMENT_MM = 1.0
"""Between the places that qform and sform give to one voxel."""

GZIP = 16 + zlib.MAX_WBITS
"""Tells zlib to expect a gzip header."""

MIN_VOXELS = 4
"""Along each axis: fewer is a picture, not a volume."""

ORTHONORMAL_TOLERANCE = 1e-3
"""Of the products of two axes' direction cosines."""

_SHEARED = "its axes are not at right angles (sheared orientation matrix)"


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
    if not np.allclose(direction.T @ direction, np.eye(3), atol=ORTHONORMAL_TOLERANCE):
        raise VolumeRefusedError("sheared", _SHEARED)  # NRRD and MetaImage readers let it pass
    return FileHeader(
        (i, j, k),
        (si, sj, sk),
        tuple(float(v) for v in direction.reshape(-1)),
        _orientation_findings(path, shown_as),
    )


def read_volume(path: Path) -> sitk.Image:
    """Reads a volume file into a new image without meta-data; NaN stays NaN.

    Raises:
        VolumeRefusedError: the file is cut short, or does not hold what its header promises.
    """
    bad = _voxels_not_finite(path)
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise VolumeRefusedError("unreadable", _why_unreadable(str(error))) from error
    while image.GetDimension() > 3:
        image = image[(slice(None),) * (image.GetDimension() - 1) + (0,)]
    array = sitk.GetArrayFromImage(image)
    if bad is not None:
        array[bad.reshape(array.shape)] = np.nan
    return Grid.of(image).image(array)


def _why_unreadable(words: str) -> str:
    """A reason in our words: the reader's own hold paths."""
    if "orthonormal" in words:
        return _SHEARED
    return "it cannot be read: damaged, cut short, or its header and its data do not match"


def _nifti(path: Path) -> "nibabel.Nifti1Image | None":
    """A NIfTI file, its voxels unread; None for other formats and where nibabel cannot read it."""
    if not path.name.lower().endswith((".nii", ".nii.gz")):
        return None
    import nibabel

    unreadable = (
        nibabel.filebasedimages.ImageFileError,
        nibabel.spatialimages.HeaderDataError,
        OSError,
        EOFError,
        zlib.error,
    )
    try:
        image: nibabel.Nifti1Image = nibabel.nifti1.load(path)
    except unreadable:
        return None
    return image


def _voxels_not_finite(path: Path) -> NDArray[np.bool_] | None:
    """Where a NIfTI file holds NaN or infinity, in file order; None when nowhere.

    SimpleITK's NIfTI reader fills what is missing with zeros and turns NaN into 0, and says
    nothing of either: the bytes are looked at before it reads them.

    Raises:
        VolumeRefusedError: the file is shorter than its header promises.
    """
    image = _nifti(path)
    if image is None:
        return None
    dtype = image.get_data_dtype()
    count = int(np.prod(image.shape, dtype=np.int64))
    # The header in memory no longer knows where the voxels begin; the proxy does.
    offset = int(getattr(image.dataobj, "offset", 0))
    needed = offset + count * dtype.itemsize
    data = _unpacked(path)
    if len(data) < needed:
        raise VolumeRefusedError(
            "truncated", f"it is truncated: {len(data)} bytes where its header promises {needed}"
        )
    if not np.issubdtype(dtype, np.floating):
        return None
    finite = np.isfinite(np.frombuffer(data, dtype, count, offset))
    return None if finite.all() else ~finite


def _unpacked(path: Path) -> bytes:
    """A file's bytes, decompressed as far as they go; a gzip file may have several members."""
    data = path.read_bytes()
    if not path.name.lower().endswith(".gz"):
        return data
    parts = []
    while data:
        member = zlib.decompressobj(wbits=GZIP)
        try:
            parts.append(member.decompress(data))
        except zlib.error:
            break
        data = member.unused_data
    return b"".join(parts)


def _orientation_findings(path: Path, shown_as: str) -> tuple[Finding, ...]:
    """Findings on a NIfTI file's two orientation matrices (NIfTI-1.1, qform and sform)."""
    image = _nifti(path)
    if image is None:
        return ()
    header = image.header
    matrices = [header.get_qform(coded=True)[0], header.get_sform(coded=True)[0]]
    known = [matrix for matrix in matrices if matrix is not None]
    if not known:
        return (
            Finding(
                "intake.orientation_unknown",
                Severity.WARNING,
                f"'{shown_as}' does not say how it is oriented (qform and sform are both unset).",
                "Convert it again from DICOM; do not trust left and right.",
            ),
        )
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in header.get_data_shape()[:3]], [1]))
    corners = corners.reshape(4, -1)
    if np.abs(known[0] @ corners - known[-1] @ corners).max() <= MAX_DISAGREEMENT_MM:
        return ()
    return (
        Finding(
            "intake.orientation_contradiction",
            Severity.WARNING,
            f"'{shown_as}' gives two different orientations (qform and sform disagree); sform is "
            "used where its axes are at right angles, qform otherwise.",
            "Convert it again from DICOM; check left and right on the pictures of the report.",
        ),
    )
