"""Checks on voxels: what is not finite is repaired and reported, what is no image is refused."""

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.preprocessing.geometry import Grid
from GliomaAILib.intake.volume import Volume, VolumeRefusedError

MAX_LABEL_VALUES = 20
"""An image of so few different values is a label image or a mask, not an MR intensity image."""

MIN_FINITE = 0.05
"""Below this fraction of finite voxels there is no image left to repair."""

MIN_EXTENT_MM = 80.0
"""A field of view shorter than this cannot hold a brain."""


def checked_voxels(volume: Volume) -> tuple[sitk.Image, tuple[Finding, ...]]:
    """Reads a volume and checks its voxels.

    Returns:
        The image (a scalar volume, all voxels finite) and what was repaired or is remarkable.

    Raises:
        VolumeRefusedError: undecodable, constant, a label image, or hardly any finite voxel.
    """
    image = volume.load()
    array = sitk.GetArrayFromImage(image)
    findings: list[Finding] = []
    if np.issubdtype(array.dtype, np.floating):
        finite = np.isfinite(array)
        if not finite.all():
            array = _repaired(array, finite)
            image = Grid.of(image).image(array)
            findings.append(_not_finite(volume, finite))
    _refuse_if_no_image(array)
    findings.extend(_short_field_of_view(volume))
    return image, tuple(findings)


def _repaired(array: NDArray[np.floating], finite: NDArray[np.bool_]) -> NDArray[np.floating]:
    if finite.mean() < MIN_FINITE:
        raise VolumeRefusedError(
            "not_finite", f"only {100 * finite.mean():.1f} % of its voxels are numbers (NaN)"
        )
    return np.where(finite, array, 0).astype(array.dtype)


def _not_finite(volume: Volume, finite: NDArray[np.bool_]) -> Finding:
    percent = 100 * (1 - finite.mean())
    return Finding(
        "intake.not_finite",
        Severity.WARNING,
        f"{percent:.2g} % of the voxels of '{volume.description}' are not numbers (NaN or "
        "infinite); they were set to 0.",
        "Check where they lie; convert the image again if they are inside the brain.",
    )


def _refuse_if_no_image(array: NDArray[np.generic]) -> None:
    values = _few_values(array)
    if values is None:
        return
    if len(values) == 1:
        raise VolumeRefusedError("constant", f"all its voxels hold the same value ({values[0]:g})")
    raise VolumeRefusedError(
        "label_image", f"it holds only {len(values)} different values: a label image or mask"
    )


def _few_values(array: NDArray[np.generic]) -> NDArray[np.generic] | None:
    """The values of an image that has few of them; None as soon as it has many."""
    sample = np.unique(array[::7, ::7, ::7])
    if len(sample) > MAX_LABEL_VALUES:
        return None
    values = np.unique(array)
    return values if len(values) <= MAX_LABEL_VALUES else None


def _short_field_of_view(volume: Volume) -> tuple[Finding, ...]:
    extents = [n * s for n, s in zip(volume.size, volume.spacing_mm, strict=True)]
    if min(extents) >= MIN_EXTENT_MM:
        return ()
    return (
        Finding(
            "intake.short_field_of_view",
            Severity.WARNING,
            f"'{volume.description}' covers only {min(extents):.0f} mm in one direction: a part "
            "of the brain is missing.",
            "Export all slices of the series, or use a series that covers the head.",
        ),
    )
