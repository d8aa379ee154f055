"""Where vessels, sinuses, falx and choroid plexus lie in the template: drawn once, in RAS mm."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Point = tuple[float, float, float]

_ARTERIES: tuple[tuple[Point, ...], ...] = (
    # internal carotid and middle cerebral artery with two insular branches
    ((14, 2, -34), (13, 4, -24), (12, 2, -16), (20, 2, -17), (29, 3, -19), (37, 4, -14)),
    ((37, 4, -14), (42, -4, -4), (42, -16, 4), (46, -30, 12)),
    ((37, 4, -14), (40, 12, -4), (42, 18, 6)),
    # anterior cerebral artery around the corpus callosum
    ((12, 2, -16), (4, 12, -13), (2, 28, -6), (2, 39, 8), (2, 33, 22), (2, 14, 31), (2, -6, 33)),
    # posterior cerebral artery
    ((1, -13, -14), (12, -22, -14), (20, -34, -10), (20, -52, -2), (14, -70, 2)),
    # vertebral artery
    ((7, -36, -64), (4, -32, -52), (0, -30, -46)),
)
"""Polylines of the right side, mirrored to the left."""
_BASILAR: tuple[Point, ...] = ((0, -30, -46), (0, -25, -34), (0, -20, -24), (1, -13, -14))
_DEEP_VEINS: tuple[tuple[Point, ...], ...] = (
    ((2, -4, 15), (2, -20, 13), (2, -36, 9), (0, -42, 8)),
    ((0, -42, 8), (0, -50, 12), (0, -66, 8), (0, -84, 0)),
)
_CHOROID: tuple[Point, ...] = (
    (27, -36, -8),
    (23, -41, 5),
    (17, -37, 14),
    (8, -22, 16),
    (3, -4, 13),
)
_VESSEL_MM = 1.25
_CHOROID_MM = 2.4


def vessel_map(shape: tuple[int, int, int], ventricles: Tensor) -> Tensor:
    """Named vessels and choroid plexus, 0 to 1, on the atlas's voxels (z, y, x), LPS order."""
    distance = np.full(shape, 50.0, dtype=np.float32)
    for line in (*_ARTERIES, _BASILAR, *_DEEP_VEINS):
        for mirrored in (line, [(-x, y, z) for x, y, z in line]):
            _draw(distance, mirrored)
    vessels = np.exp(-((distance / _VESSEL_MM) ** 2))
    choroid = np.full(shape, 50.0, dtype=np.float32)
    _draw(choroid, _CHOROID)
    _draw(choroid, [(-x, y, z) for x, y, z in _CHOROID])
    plexus = np.exp(-((choroid / _CHOROID_MM) ** 2)) * ventricles.numpy() * 0.9
    return torch.from_numpy(np.maximum(vessels, plexus).astype(np.float32))


def sinus_map(edge: NDArray[np.float32], fluid: Tensor) -> Tensor:
    """Superior sagittal sinus and falx, 0 to 1, on the atlas's voxels (z, y, x), LPS order.

    Args:
        edge: depth in mm below the brain's surface, negative outside.
    """
    z, y, x = np.ogrid[: edge.shape[0], : edge.shape[1], : edge.shape[2]]
    lateral, height, back = np.abs(x - 98.0), z - 72.0, y - 98.0
    along = ((height > 5) & (back > -58)) | ((height > -12) & (back > 70))
    sinus = np.exp(-((lateral / 3.2) ** 2) - (edge / 2.6) ** 2) * along
    sheet = np.exp(-((lateral / 0.9) ** 2)) * (edge < 26) * (edge > 0) * (height > 0)
    falx = sheet * fluid.numpy() * 0.45
    return torch.from_numpy(np.maximum(sinus, falx).astype(np.float32))


def _draw(distance: NDArray[np.float32], line: Sequence[Point]) -> None:
    """Lowers `distance` (mm) to that of the polyline, near it."""
    voxels = [np.array((z + 72.0, 98.0 - y, 98.0 - x)) for x, y, z in line]
    for first, second in pairwise(voxels):
        low = np.maximum(np.floor(np.minimum(first, second)) - 6, 0).astype(int)
        high = np.minimum(np.ceil(np.maximum(first, second)) + 7, distance.shape).astype(int)
        if (high <= low).any():
            continue
        window = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
        axes = [np.arange(a, b, dtype=np.float64) for a, b in zip(low, high, strict=True)]
        points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        span = second - first
        share = ((points - first) @ span / max(float(span @ span), 1e-9)).clip(0, 1)
        nearest = first + share[..., None] * span
        found = np.linalg.norm(points - nearest, axis=-1).astype(np.float32)
        distance[window] = np.minimum(distance[window], found)
