"""The random shape and pose of a head: ICBM152 coordinates of every voxel of a drawing grid."""

import math

import torch
from torch import Tensor

from gliomaai_training.simulation.head_canvas import Draw

MNI_SCALE = 1.08
"""ICBM152 is larger than people are."""
TILT_SD_DEGREES = (11.0, 6.0, 7.0)
"""Pitch, roll and yaw."""
HEAD_CENTRE_MM = (0.0, -18.0, -18.0)
"""The ICBM152 point in the middle of the grid, on average."""


def draw_coordinates(shape: tuple[int, int, int], spacing_mm: float, draw: Draw) -> Tensor:
    """ICBM152 RAS coordinates (mm) shaped (3, X, Y, Z) for a random head on a RAS grid."""
    axes = [(torch.arange(n) - (n - 1) / 2) * spacing_mm for n in shape]
    grid = torch.stack(torch.meshgrid(*axes, indexing="ij"))
    points = torch.einsum("ij,jxyz->ixyz", _affine(draw), grid)
    longest = max(shape)
    points = points + draw.smooth(shape, longest / 6, 3) * draw.uniform(0, 5)
    points = points + draw.smooth(shape, longest / 12, 3) * draw.uniform(0, 2.5)
    ranges = (10.0, 20.0, 31.0)
    centre = [
        middle + draw.uniform(-reach, reach)
        for middle, reach in zip(HEAD_CENTRE_MM, ranges, strict=True)
    ]
    points = points + torch.tensor(centre).view(3, 1, 1, 1)
    return _with_mass_effect(points, draw) if draw.chance(0.5) else points


def _affine(draw: Draw) -> Tensor:
    rotation = torch.eye(3)
    for axis, deviation in enumerate(TILT_SD_DEGREES):
        angle = math.radians(draw.normal(0, deviation))
        i, j = [other for other in range(3) if other != axis]
        turn = torch.eye(3)
        turn[i, i] = turn[j, j] = math.cos(angle)
        turn[i, j], turn[j, i] = -math.sin(angle), math.sin(angle)
        rotation = rotation @ turn
    size = MNI_SCALE * draw.uniform(0.92, 1.12)
    scale = torch.tensor([size * draw.uniform(0.92, 1.08) for _ in range(3)])
    return rotation @ torch.diag(scale) + 0.03 * draw.normals(3, 3)


def _with_mass_effect(points: Tensor, draw: Draw) -> Tensor:
    centre = torch.tensor([draw.uniform(-50, 50), draw.uniform(-80, 50), draw.uniform(-20, 60)])
    offset = points - centre.view(3, 1, 1, 1)
    reach2 = 2 * draw.uniform(12, 28) ** 2
    near = torch.exp(-(offset**2).sum(0, keepdim=True) / reach2)
    return points - offset * draw.uniform(-0.1, 0.35) * near
