"""The way back: labels and probabilities of the common grid in a native image's geometry."""

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.orientation import to_lps
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.preprocessing.resampling import resample


def labels_to_native(labels: sitk.Image, prepared: Prepared, sequence: str) -> sitk.Image:
    """Labels of the common grid on a sequence's native grid, by the nearest voxel.

    Where the native image is 1 mm isotropic and the reference, this only reorders the axes:
    every voxel returns to its own place.

    Args:
        labels: integer labels on `prepared.grid`.
        prepared: the study.
        sequence: whose native geometry is wanted.

    Raises:
        ValueError: the labels are not on the common grid, or the sequence is not in the study.
    """
    native = _native_grid(prepared, sequence)
    _require_grid(labels, prepared.grid, "the common grid")
    to_common = prepared.to_native[sequence].GetInverse()
    return resample(labels, native, to_common, sitk.sitkNearestNeighbor)


def labels_to_common(native_labels: sitk.Image, prepared: Prepared, sequence: str) -> sitk.Image:
    """Labels drawn on a sequence's native image, on the common grid, by the nearest voxel.

    Args:
        native_labels: integer labels on the sequence's native grid.
        prepared: the study.
        sequence: on whose image they were drawn.

    Raises:
        ValueError: the labels are not on that native grid, or the sequence is not in the study.
    """
    _require_grid(native_labels, _native_grid(prepared, sequence), f"the native grid of {sequence}")
    return resample(
        native_labels, prepared.grid, prepared.to_native[sequence], sitk.sitkNearestNeighbor
    )


def probabilities_to_native_labels(
    probabilities: NDArray[np.float32], prepared: Prepared, sequence: str
) -> sitk.Image:
    """The most probable label of each native voxel, from linearly resampled probabilities.

    Borders come out smooth on a native grid that is finer than 1 mm, where nearest labels would
    show the common grid's staircase. Only the box of the common grid's own tumour is resampled:
    linear interpolation cannot make a label win where it wins at none of the corners.

    Args:
        probabilities: (label, k, j, i) on the common grid, label 0 first.
        prepared: the study.
        sequence: whose native geometry is wanted.

    Returns:
        UInt8 labels on the native grid; the plain argmax where both grids have the same voxels.

    Raises:
        ValueError: the shape is not the common grid's, or the sequence is not in the study.
    """
    native = _native_grid(prepared, sequence)
    common = prepared.grid
    if probabilities.ndim != 4 or probabilities.shape[1:] != common.size[::-1]:
        raise ValueError(f"probabilities of shape {probabilities.shape} on a grid {common.size}")
    labels = probabilities.argmax(axis=0).astype(np.uint8)
    if not labels.any() or _same_voxels(prepared, native, sequence):
        return labels_to_native(common.image(labels), prepared, sequence)
    to_native = prepared.to_native[sequence]
    box = _padded_box(labels > 0)
    start, stop = _native_box(box, common, native, to_native)
    result = np.zeros(native.size[::-1], np.uint8)
    if (stop > start).all():
        target = _subgrid(native, start, stop)
        source = _subgrid(common, *_index_bounds(box))
        best = _argmax_on(probabilities[(slice(None), *box)], source, target, to_native)
        where = tuple(slice(int(a), int(b)) for a, b in zip(start[::-1], stop[::-1], strict=True))
        result[where] = best
    return native.image(result)


def _native_grid(prepared: Prepared, sequence: str) -> Grid:
    if sequence not in prepared.native_grids:
        known = ", ".join(prepared.native_grids)
        raise ValueError(f"no sequence {sequence!r} in this study, only {known}")
    return prepared.native_grids[sequence]


def _require_grid(image: sitk.Image, grid: Grid, name: str) -> None:
    found = Grid.of(image)
    if not found.matches(grid):
        raise ValueError(
            f"labels of size {found.size} and spacing {found.spacing_mm} mm are not on {name}"
            f" (size {grid.size}, spacing {grid.spacing_mm} mm)"
        )


def _same_voxels(prepared: Prepared, native: Grid, sequence: str) -> bool:
    """Whether the native voxels are the common ones, in whatever order of axes."""
    if sequence != prepared.reference or sorted(native.size) != sorted(prepared.grid.size):
        return False
    empty = native.image(np.zeros(native.size[::-1], np.uint8))
    return Grid.of(to_lps(empty)).matches(prepared.grid)


def _padded_box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """Bounding box of a (k, j, i) mask, one voxel wider."""
    bounds = []
    for axis, length in enumerate(mask.shape):
        others = tuple(other for other in range(3) if other != axis)
        occupied = np.flatnonzero(mask.any(axis=others))
        bounds.append(slice(max(0, int(occupied[0]) - 1), min(length, int(occupied[-1]) + 2)))
    return bounds[0], bounds[1], bounds[2]


def _index_bounds(
    box: tuple[slice, slice, slice],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """A (k, j, i) box as first and one-past-last (i, j, k)."""
    return (
        np.array([part.start for part in reversed(box)]),
        np.array([part.stop for part in reversed(box)]),
    )


def _native_box(
    box: tuple[slice, slice, slice], common: Grid, native: Grid, to_native: sitk.Transform
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and one-past-last native (i, j, k) that a box of the common grid can reach."""
    first, past = _index_bounds(box)
    corners = np.array(np.meshgrid(*zip(first - 0.5, past - 0.5, strict=True))).reshape(3, -1)
    points = (common.ijk_to_lps @ np.vstack([corners, np.ones(8)]))[:3].T
    moved = np.array([to_native.TransformPoint(point.tolist()) for point in points])
    index = np.linalg.solve(native.ijk_to_lps, np.vstack([moved.T, np.ones(8)]))[:3]
    size = np.asarray(native.size)
    start = np.clip(np.floor(index.min(axis=1)), 0, size).astype(np.int64)
    stop = np.clip(np.ceil(index.max(axis=1)) + 1, 0, size).astype(np.int64)
    return start, stop


def _subgrid(grid: Grid, start: NDArray[np.int64], stop: NDArray[np.int64]) -> Grid:
    origin = (grid.ijk_to_lps @ np.append(start, 1.0))[:3]
    size = stop - start
    return Grid(
        size=(int(size[0]), int(size[1]), int(size[2])),
        spacing_mm=grid.spacing_mm,
        origin_mm=(float(origin[0]), float(origin[1]), float(origin[2])),
        direction=grid.direction,
    )


def _argmax_on(
    probabilities: NDArray[np.float32], source: Grid, target: Grid, to_native: sitk.Transform
) -> NDArray[np.uint8]:
    """Label of the largest probability at each target voxel; 0 outside the source."""
    to_common = to_native.GetInverse()
    best = np.zeros(target.size[::-1], np.uint8)
    highest = np.zeros(target.size[::-1], np.float32)
    for label, probability in enumerate(probabilities):
        image = source.image(np.ascontiguousarray(probability, np.float32))
        value = sitk.GetArrayFromImage(resample(image, target, to_common))
        higher = value > highest
        best[higher] = label
        highest[higher] = value[higher]
    return best
