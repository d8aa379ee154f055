"""The common grid, and how a native image gets there."""

import numpy as np
import SimpleITK as sitk

from gliomaai_training.preprocessing.geometry import Grid

COMMON_SPACING_MM = 1.0

NATIVE_SPACING_TOLERANCE_MM = 0.01
"""A reference whose spacing is this near to 1 mm keeps its own voxels: nothing is interpolated."""


def is_common(grid: Grid) -> bool:
    """Whether a grid already is 1 mm isotropic."""
    deviation = np.abs(np.asarray(grid.spacing_mm) - COMMON_SPACING_MM)
    return bool(deviation.max() <= NATIVE_SPACING_TOLERANCE_MM)


def common_grid(reference: Grid) -> Grid:
    """The 1 mm isotropic grid over a reference image's whole extent, along its own axes.

    Args:
        reference: grid of the reference, its axes already in LPS order.

    Returns:
        The grid itself if it is 1 mm isotropic. Else a grid with the same centre and axes that
        covers the reference's outermost voxel faces to within half a millimetre.
    """
    if is_common(reference):
        return reference
    extent_mm = np.asarray(reference.size) * np.asarray(reference.spacing_mm)
    size = np.maximum(1, np.round(extent_mm / COMMON_SPACING_MM)).astype(int)
    axes = np.reshape(reference.direction, (3, 3))
    corner_to_centre_mm = axes @ (
        (np.asarray(reference.size) - 1) / 2 * np.asarray(reference.spacing_mm)
    )
    centre_mm = np.asarray(reference.origin_mm) + corner_to_centre_mm
    origin_mm = centre_mm - axes @ ((size - 1) / 2 * COMMON_SPACING_MM)
    return Grid(
        size=(int(size[0]), int(size[1]), int(size[2])),
        spacing_mm=(COMMON_SPACING_MM,) * 3,
        origin_mm=(float(origin_mm[0]), float(origin_mm[1]), float(origin_mm[2])),
        direction=reference.direction,
    )


def resample(
    image: sitk.Image,
    grid: Grid,
    to_image: sitk.Transform | None = None,
    interpolator: int = sitk.sitkLinear,
) -> sitk.Image:
    """Brings an image on a grid; voxels outside the image's field of view are 0.

    Args:
        image: any scalar image.
        grid: the target.
        to_image: maps a point (LPS mm) of the target to the same anatomy in `image`;
            None is the identity.
        interpolator: `sitk.sitkLinear` for intensities and probabilities,
            `sitk.sitkNearestNeighbor` for labels.
    """
    if _stays(to_image) and Grid.of(image).matches(grid):
        return image
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(grid.size)
    resampler.SetOutputSpacing(grid.spacing_mm)
    resampler.SetOutputOrigin(grid.origin_mm)
    resampler.SetOutputDirection(grid.direction)
    resampler.SetInterpolator(interpolator)
    resampler.SetDefaultPixelValue(0.0)
    if to_image is not None:
        resampler.SetTransform(to_image)
    resampled: sitk.Image = resampler.Execute(image)
    return resampled


def _stays(transform: sitk.Transform | None) -> bool:
    return transform is None or transform.GetTransformEnum() == sitk.sitkIdentity
