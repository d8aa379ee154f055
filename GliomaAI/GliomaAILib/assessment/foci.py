"""Separate parts of a tumour and how far they lie from the largest one."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid

FOCUS_MINIMUM_ML = 0.1
"""Smaller separate parts are counted in the volumes but not as foci; the largest part always is."""


@dataclass(frozen=True)
class Focus:
    """One 26-connected part of a region."""

    volume_ml: float
    centre_ras_mm: tuple[float, float, float]
    """Centre of mass, RAS mm."""
    distance_to_main_mm: float | None
    """Between the nearest voxel centres of this focus and the largest; None for the largest."""


def foci(region: NDArray[np.bool_], grid: Grid) -> tuple[Focus, ...]:
    """The foci of a region, largest first.

    Args:
        region: shaped (k, j, i).
        grid: its geometry.
    """
    from scipy import ndimage
    from scipy.spatial import cKDTree

    pieces, count = ndimage.label(region, np.ones((3, 3, 3)))
    if count == 0:
        return ()
    volumes_ml = np.bincount(pieces.ravel())[1:] * grid.voxel_ml
    order = np.argsort(-volumes_ml, kind="stable")
    kept = [int(n) for n in order if n == order[0] or volumes_ml[n] >= FOCUS_MINIMUM_ML]
    surfaces = [surface_ras(pieces == n + 1, grid) for n in kept]
    main = cKDTree(surfaces[0])
    return tuple(
        Focus(
            volume_ml=float(volumes_ml[n]),
            centre_ras_mm=centre_of_mass_ras(pieces == n + 1, grid),
            distance_to_main_mm=None if place == 0 else float(np.min(main.query(surface)[0])),
        )
        for place, (n, surface) in enumerate(zip(kept, surfaces, strict=True))
    )


def centre_of_mass_ras(region: NDArray[np.bool_], grid: Grid) -> tuple[float, float, float]:
    """The centre of a non-empty region, shaped (k, j, i), in RAS mm."""
    return tuple(points_ras(region, grid).mean(axis=0).tolist())


def points_ras(region: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Centres of a region's voxels in RAS mm, shaped (n, 3)."""
    index = np.argwhere(region)[:, ::-1]
    return index @ grid.ijk_to_ras[:3, :3].T + grid.ijk_to_ras[:3, 3]


def surface_ras(region: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Centres of a region's outermost voxels in RAS mm, shaped (n, 3).

    Args:
        region: shaped (k, j, i); voxels at the array's border count as outermost.
        grid: its geometry.
    """
    from scipy import ndimage

    box = bounding_box(region)
    if box is None:
        return np.empty((0, 3))
    inside = region[box]
    corner = np.array([side.start for side in box])[::-1]
    points = points_ras(inside & ~ndimage.binary_erosion(inside), grid)
    return np.asarray(points + grid.ijk_to_ras[:3, :3] @ corner, dtype=np.float64)


def bounding_box(region: NDArray[np.bool_]) -> tuple[slice, slice, slice] | None:
    """The smallest box, as slices of (k, j, i), that holds a region; None for an empty one."""
    occupied = [
        np.flatnonzero(region.any(axis=tuple(other for other in range(3) if other != axis)))
        for axis in range(3)
    ]
    if len(occupied[0]) == 0:
        return None
    k, j, i = (slice(int(hit[0]), int(hit[-1]) + 1) for hit in occupied)
    return k, j, i
