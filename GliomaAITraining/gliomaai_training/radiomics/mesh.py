"""Volume and surface of a voxel mask's triangle mesh, without making the triangles.

Marching cubes (Lorensen and Cline 1987) cuts the cell between eight neighbouring voxel centres
according to which of them are inside. On a mask all cuts are at the middles of the cell's edges,
so there are 256 cells only: each one's area and volume are found once, and a mask needs no more
than a count of its cells.

Volumes are signed tetrahedra to a common origin (IBSI 3.1.1, RNU0); the areas are those of IBSI
3.1.3 (C0JK). Cells are cut as in PyRadiomics, whose values are the field's reference:

* A cell is looked at so that its last corner is outside; else inside and outside swap.
* On a face with two inside corners diagonally opposite, each is cut off alone.
* A polygon becomes a fan of triangles, no edge of which runs within a face of the cell; of the
  fans the one whose cone from the cell's centre has the least volume. The seven-sided polygon,
  which is its own mirror image, takes the one symmetric fan: that with the most.
"""

from functools import cache
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

CORNERS = np.array(
    [(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0)]
)
"""(8, 3) corners of a cell, in its (z, y, x)."""

LAST_CORNER = 1 << 7
SEVEN_SIDED = 7

Triangles = tuple[tuple[int, int, int], ...]
"""Numbers of edges in whose middles the triangle's corners lie, anticlockwise from outside."""

EDGES = tuple(
    (a, b) for a, b in combinations(range(8), 2) if np.abs(CORNERS[a] - CORNERS[b]).sum() == 1
)
"""The twelve edges of a cell, by their corners."""

MIDDLES = np.array([(CORNERS[a] + CORNERS[b]) / 2.0 for a, b in EDGES])
"""(12, 3)"""

FACES = tuple(
    tuple(int(corner) for corner in np.flatnonzero(CORNERS[:, axis] == side))
    for axis in range(3)
    for side in (0, 1)
)
FACE_EDGES = tuple(
    frozenset(e for e, (a, b) in enumerate(EDGES) if a in face and b in face) for face in FACES
)


def mesh_volume_and_area(
    mask: NDArray[np.bool_], voxel_mm: tuple[float, float, float]
) -> tuple[float, float]:
    """Volume in mm3 and area in mm2 of the mesh around a mask.

    Args:
        mask: (z, y, x); nothing may touch the array's border.
        voxel_mm: voxel size along z, y, x.
    """
    areas, volumes, cones = _cell_measures(voxel_mm)
    cells = _cells(mask)
    places = np.flatnonzero((cells != 0) & (cells != 255))
    kinds = cells.ravel()[places]
    count = np.bincount(kinds, minlength=256)
    volume = float(count @ volumes)
    for axis, place in enumerate(np.unravel_index(places, cells.shape)):
        volume += float(np.bincount(kinds, place, 256) @ cones[:, axis])
    return volume * float(np.prod(voxel_mm)), float(count @ areas)


def _cells(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Which corners of each cell are inside, as bits: (z - 1, y - 1, x - 1)."""
    inside = mask.view(np.uint8)
    shape = tuple(n - 1 for n in mask.shape)
    cells = np.zeros(shape, np.uint8)
    for bit, (z, y, x) in enumerate(CORNERS):
        part = inside[z : z + shape[0], y : y + shape[1], x : x + shape[2]]
        cells |= part << np.uint8(bit)
    return cells


@cache
def _cell_measures(
    voxel_mm: tuple[float, float, float],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """For each of the 256 cells its area, and its volume as a function of the cell's place.

    Returns:
        (256,) areas in mm2; (256,) volumes at the origin and (256, 3) change of volume when the
        cell moves by one voxel along z, y, x: both in voxels.
    """
    size = np.asarray(voxel_mm)
    areas, volumes, cones = np.zeros(256), np.zeros(256), np.zeros((256, 3))
    for cell in range(256):
        sign = -1.0 if cell & LAST_CORNER else 1.0
        for triangle in cell_triangles(cell ^ 255 if cell & LAST_CORNER else cell):
            a, b, c = MIDDLES[list(triangle)]
            volumes[cell] += sign * np.dot(a, np.cross(b, c)) / 6
            normal = np.cross(b - a, c - a)
            cones[cell] += sign * normal / 6
            areas[cell] += np.linalg.norm(np.cross((b - a) * size, (c - a) * size)) / 2
    return areas, volumes, cones


@cache
def cell_triangles(cell: int) -> Triangles:
    """The triangles of one cell whose last corner is outside."""
    return tuple(triangle for polygon in _polygons(cell) for triangle in _fan(polygon))


def _polygons(cell: int) -> list[tuple[int, ...]]:
    """The closed lines in which the surface leaves the cell, as edges in order."""
    following = dict(step for face in range(6) for step in _steps(cell, face))
    polygons = []
    while following:
        start, edge = following.popitem()
        polygon = [start]
        while edge != start:
            polygon.append(edge)
            edge = following.pop(edge)
        polygons.append(tuple(polygon))
    return polygons


def _steps(cell: int, face: int) -> list[tuple[int, int]]:
    """From which to which edge of a face the surface runs, all one way around what is inside."""
    inside = [corner for corner in FACES[face] if cell >> corner & 1]
    apart = len(inside) == 2 and not _adjacent(*inside)
    groups = [[corner] for corner in inside] if apart else [inside]
    steps = []
    for group in groups:
        cut = [e for e in FACE_EDGES[face] if len(set(EDGES[e]) & set(group)) == 1]
        if cut:
            steps.append(_directed(cut[0], cut[1], group, face))
    return steps


def _adjacent(a: int, b: int) -> bool:
    return int(np.abs(CORNERS[a] - CORNERS[b]).sum()) == 1


def _directed(first: int, second: int, group: list[int], face: int) -> tuple[int, int]:
    outward = CORNERS[list(FACES[face])].mean(axis=0) - 0.5
    towards = CORNERS[group].mean(axis=0) - MIDDLES[first]
    turn = np.dot(np.cross(MIDDLES[second] - MIDDLES[first], towards), outward)
    return (second, first) if turn > 0 else (first, second)


def _fan(polygon: tuple[int, ...]) -> Triangles:
    """The polygon's triangles, all from one corner."""
    number = len(polygon)
    fans = []
    for first in range(number):
        turned = polygon[first:] + polygon[:first]
        diagonals = [{turned[0], edge} for edge in turned[2:-1]]
        if not any(diagonal <= face for diagonal in diagonals for face in FACE_EDGES):
            fans.append(tuple((turned[0], turned[k], turned[k + 1]) for k in range(1, number - 1)))
    return (max if number == SEVEN_SIDED else min)(fans, key=_cone_volume)


def _cone_volume(triangles: Triangles) -> float:
    volume = sum(float(np.linalg.det(MIDDLES[list(triangle)] - 0.5)) for triangle in triangles)
    return abs(round(volume, 9))
