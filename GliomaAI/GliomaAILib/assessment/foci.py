"""Separate parts of a tumour and how far they lie from the largest one."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

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
    parts = [pieces[boxes[n]] == n + 1 for n in kept]
    corners = [_corner(boxes[n]) for n in kept]
    surfaces = [_surface(*both, grid) for both in zip(parts, corners, strict=True)]
    main = cKDTree(surfaces[0])
    return tuple(
        Focus(
            volume_ml=float(volumes_ml[n]),
            centre_ras_mm=tuple(_points(parts[place], corners[place], grid).mean(axis=0).tolist()),
            distance_to_main_mm=None if place == 0 else nearest_mm(main, surfaces[place]),
        )
        for place, n in enumerate(kept)
    )


def nearest_mm(tree: "cKDTree", points: NDArray[np.float64]) -> float:
    """The distance from the nearest of some points (n, 3) to the nearest point of a tree."""
    # A first guess bounds the search from all the others, which then is quick.
    guess = float(np.min(tree.query(points[::50])[0]))
    return min(guess, float(np.min(tree.query(points, distance_upper_bound=guess)[0])))


def centre_of_mass_ras(region: NDArray[np.bool_], grid: Grid) -> tuple[float, float, float]:
    """The centre of a non-empty region, shaped (k, j, i), in RAS mm."""
    return tuple(points_ras(region, grid).mean(axis=0).tolist())


def points_ras(region: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Centres of a region's voxels in RAS mm, shaped (n, 3)."""
    box = bounding_box(region)
    if box is None:
        return np.empty((0, 3))
    return _points(region[box], _corner(box), grid)


def _corner(box: tuple[slice, ...]) -> NDArray[np.int64]:
    return np.array([side.start for side in reversed(box)])


def _points(part: NDArray[np.bool_], corner: NDArray[np.int64], grid: Grid) -> NDArray[np.float64]:
    """Centres of the voxels of a part cut out at `corner` (i, j, k)."""
    index = np.argwhere(part)[:, ::-1] + corner
    points: NDArray[np.float64] = index @ grid.ijk_to_ras[:3, :3].T + grid.ijk_to_ras[:3, 3]
    return points


def _surface(part: NDArray[np.bool_], corner: NDArray[np.int64], grid: Grid) -> NDArray[np.float64]:
    from scipy import ndimage

    return _points(part & ~ndimage.binary_erosion(part), corner, grid)


def surface_ras(region: NDArray[np.bool_], grid: Grid) -> NDArray[np.float64]:
    """Centres of a region's outermost voxels in RAS mm, shaped (n, 3).

    Args:
        region: shaped (k, j, i); voxels at the array's border count as outermost.
        grid: its geometry.
    """
    box = bounding_box(region)
    if box is None:
        return np.empty((0, 3))
    return _surface(region[box], _corner(box), grid)


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
