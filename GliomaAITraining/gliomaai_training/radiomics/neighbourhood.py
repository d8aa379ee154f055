"""A region's voxels, who is next to whom, and with which grey level: the ground of all texture."""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

Direction = tuple[int, int, int]
"""One step, in voxels along z, y, x."""

DIRECTIONS: tuple[Direction, ...] = tuple(
    (dz, dy, dx)
    for dz, dy, dx in product((0, 1), (-1, 0, 1), (-1, 0, 1))
    if (dz, dy, dx) > (0, 0, 0)
)
"""The 13 directions to half of the 26 neighbours (IBSI 3.6)."""


@dataclass(frozen=True)
class Adjacency:
    """The neighbours of a region's n voxels in d directions: the same for every image of it.

    Voxels are numbered in the order of the mask's array; n stands for "outside of the region".
    """

    directions: tuple[Direction, ...]
    """d of `DIRECTIONS`."""
    ahead: NDArray[np.int32]
    """(d, n) the neighbour in each direction."""
    behind: NDArray[np.int32]
    """(d, n) the neighbour against each direction."""


@dataclass(frozen=True)
class Neighbourhood:
    """An image's grey levels in a region, with those of the neighbours.

    Levels are numbered 1 to g in ascending order without gaps; 0 is outside of the region.
    """

    values: NDArray[np.float64]
    """(g,) the grey levels themselves."""
    own: NDArray[np.int32]
    """(n + 1,) the voxels' numbers; the last is that of the outside, 0."""
    ahead: NDArray[np.int32]
    """(d, n) numbers of the neighbours in each direction."""
    behind: NDArray[np.int32]
    """(d, n) numbers of the neighbours against each direction."""
    adjacency: Adjacency

    @property
    def inside(self) -> NDArray[np.int32]:
        """(n,) the voxels' numbers."""
        return self.own[:-1]

    @property
    def levels(self) -> int:
        """How many different grey levels there are."""
        return self.values.size


def adjacency(mask: NDArray[np.bool_]) -> Adjacency:
    """Looks around every voxel of a region once.

    A direction in which the region is one voxel thick has no neighbours and is left out.

    Args:
        mask: (z, y, x), cut to the region with at least one voxel of nothing around it.
    """
    places = np.flatnonzero(mask)
    number = np.full(mask.size, places.size, np.int32)
    number[places] = np.arange(places.size, dtype=np.int32)
    thick = [np.ptp(where) > 0 for where in np.unravel_index(places, mask.shape)]
    strides = (mask.shape[1] * mask.shape[2], mask.shape[2], 1)
    directions = tuple(
        direction
        for direction in DIRECTIONS
        if all(step == 0 or wide for step, wide in zip(direction, thick, strict=True))
    )
    ahead = np.empty((len(directions), places.size), np.int32)
    behind = np.empty_like(ahead)
    for row, direction in enumerate(directions):
        step = sum(one * stride for one, stride in zip(direction, strides, strict=True))
        ahead[row] = number.take(places + step)
        behind[row] = number.take(places - step)
    return Adjacency(directions, ahead, behind)


def neighbourhood(around: Adjacency, levels: NDArray[np.int64]) -> Neighbourhood:
    """The grey levels of one image.

    Args:
        around: of the region.
        levels: (n,) grey levels of the region's voxels in the mask's order, from 1.
    """
    present = np.flatnonzero(np.bincount(levels))
    rank = np.zeros(int(present[-1]) + 1, np.int32)
    rank[present] = np.arange(1, present.size + 1)
    own = np.append(rank[levels], np.int32(0))
    ahead, behind = own.take(around.ahead), own.take(around.behind)
    return Neighbourhood(present.astype(np.float64), own, ahead, behind, around)
