"""Separate parts of a tumour and how far they lie from the largest one."""

from dataclasses import dataclass

import numpy as np
from gliomaai_training.preprocessing.geometry import Grid
from numpy.typing import NDArray

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
    boxes = ndimage.find_objects(pieces)
    surfaces = [_surface_ras(pieces, n + 1, boxes[n], grid) for n in kept]
    main = cKDTree(surfaces[0])
    return tuple(
        Focus(
            volume_ml=float(volumes_ml[n]),
            centre_ras_mm=centre_of_mass_ras(pieces == n + 1, grid),
            distance_to_main_mm=None if place == 0 else float(main.query(surface)[0].min()),
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


def _surface_ras(
    pieces: NDArray[np.int32], number: int, box: tuple[slice, ...], grid: Grid
) -> NDArray[np.float64]:
    from scipy import ndimage

    region = pieces[box] == number
    surface = region & ~ndimage.binary_erosion(region)
    corner = np.array([side.start for side in box])[::-1]
    return points_ras(surface, grid) + grid.ijk_to_ras[:3, :3] @ corner
