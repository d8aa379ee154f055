"""Largest distances between the vertices of a mask's mesh (IBSI 3.1.11, L0JK)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist

ANGLES = 16
"""At which a plane's width is looked at, before its diameter."""

FEW = 64
"""Points that are compared with each other without looking for their hull first."""


@dataclass(frozen=True)
class Diameters:
    """In mm."""

    volume: float
    """Between any two vertices."""
    planes: tuple[float, float, float]
    """Between two vertices in one plane across z, y, x (PyRadiomics: slice, column, row)."""


def mesh_diameters(mask: NDArray[np.bool_], voxel_mm: tuple[float, float, float]) -> Diameters:
    """Diameters of the mesh around a mask.

    Args:
        mask: (z, y, x); nothing may touch the array's border, something is inside.
        voxel_mm: voxel size along z, y, x.
    """
    halves = mesh_vertices(mask)
    size_mm = np.asarray(voxel_mm) / 2.0
    across = [_largest_in_planes(halves, size_mm, axis) for axis in range(3)]
    return Diameters(_largest(_on_hull(halves * size_mm)), (across[0], across[1], across[2]))


def mesh_vertices(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(n, 3) vertices in half voxels, so that they are whole numbers: the middles between
    neighbouring voxels of which one is inside."""
    vertices = []
    for axis in range(3):
        behind = tuple(slice(None, -1) if other == axis else slice(None) for other in range(3))
        ahead = tuple(slice(1, None) if other == axis else slice(None) for other in range(3))
        vertices.append(np.argwhere(mask[behind] != mask[ahead]) * 2 + np.eye(3, dtype=int)[axis])
    return np.concatenate(vertices)


def _largest_in_planes(halves: NDArray[np.int64], size_mm: NDArray[np.float64], axis: int) -> float:
    """Planes are looked at from the one that may be widest on, until none could be wider."""
    others = [other for other in range(3) if other != axis]
    order = np.argsort(halves[:, axis], kind="stable")
    plane, points = halves[order, axis], halves[order][:, others] * size_mm[others]
    starts = np.flatnonzero(np.r_[True, plane[1:] != plane[:-1]])
    ends = np.r_[starts[1:], plane.size]
    at_most = _widths(points, starts) / np.cos(np.pi / (2 * ANGLES))
    largest = 0.0
    for number in np.argsort(-at_most, kind="stable"):
        if at_most[number] <= largest:
            break
        largest = max(largest, _largest(_on_hull(points[starts[number] : ends[number]])))
    return largest


def _widths(points: NDArray[np.float64], starts: NDArray[np.int64]) -> NDArray[np.float64]:
    """(planes,) the greatest width that each plane's points have at any of `ANGLES` angles.

    A diameter is at most half an angle's step off one of them, and so hardly longer.
    """
    width = np.zeros(starts.size)
    for angle in np.arange(ANGLES) * np.pi / ANGLES:
        along = points @ np.array([np.cos(angle), np.sin(angle)])
        span = np.maximum.reduceat(along, starts) - np.minimum.reduceat(along, starts)
        width = np.maximum(width, span)
    return width


def _on_hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Those points that can be farthest apart."""
    if len(points) <= FEW:
        return points
    try:
        return points[ConvexHull(points).vertices]
    except QhullError:  # all in one line or plane
        return points


def _largest(points: NDArray[np.float64]) -> float:
    return float(pdist(points).max()) if len(points) > 1 else 0.0
