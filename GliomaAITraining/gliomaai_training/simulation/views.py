"""Each sequence on its own grid: thick slices, oblique fields of view, motion in between."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.simulation.config import SimulationConfig
from gliomaai_training.simulation.fields import sample, voxel_indices
from gliomaai_training.vocabulary import reference_sequence

_CENTRE_MM = np.array([119.0, -113.0, 72.0])
"""LPS mm of the brain's centre before motion."""
_SAGITTAL_SHARE = 0.15
_SLICE_STEP_MM = 1.4
"""Spacing at which a slice profile is sampled."""


@dataclass(frozen=True)
class View:
    """The field of view of one sequence."""

    grid: Grid
    slice_mm: float
    """Thickness of a slice; its distance to the next is the grid's third spacing."""
    motion: tuple[float, ...]
    """4x4 matrix, row by row, from this sequence's LPS mm to the patient's (the labels')."""


def draw_views(config: SimulationConfig, rng: np.random.Generator) -> dict[str, View]:
    """Draws a view for each present sequence; the reference sequence has not moved."""
    reference = reference_sequence(config.present)
    tilt = float(rng.normal(8, 6)) if config.separate_views else 0.0
    views = {}
    for name in config.present:
        motion = np.eye(4)
        turned = np.zeros(3)
        shifted = np.zeros(3)
        sagittal = bool(rng.random() < _SAGITTAL_SHARE) and name in ("t1", "t1gd")
        if config.separate_views:
            turned = np.array([tilt + rng.normal(0, 2), rng.normal(0, 2), rng.normal(0, 3)])
            shifted = rng.normal(0, 3, 3)
            moved = rigid(rng.normal(0, 2.0, 3), rng.normal(0, 2.5, 3), _CENTRE_MM)
            motion = np.eye(4) if name == reference else moved
        direction = rigid(turned, np.zeros(3), np.zeros(3))[:3, :3]
        if sagittal and config.separate_views:  # i to the back, j down, k to the left
            direction = direction @ np.array([[0.0, 0, 1], [1, 0, 0], [0, -1, 0]])
        views[name] = _view(config, direction, shifted, motion, rng)
    return views


def _view(
    config: SimulationConfig,
    direction: NDArray[np.float64],
    shifted_mm: NDArray[np.float64],
    motion: NDArray[np.float64],
    rng: np.random.Generator,
) -> View:
    thick = float(rng.choice([3.0, 4.0, 5.0, 6.0, 7.0])) if config.thick_slices else 1.0
    slice_mm = max(thick, config.spacing_mm)
    gap = float(rng.choice([1.0, 1.1, 1.2])) if config.thick_slices else 1.0
    in_plane = max(float(rng.uniform(0.85, 1.05)), config.spacing_mm)
    extent = np.array([236.0, 236.0, 176.0 if config.whole_head else 160.0])
    along = np.abs(direction[:, 2])
    depth = float(extent @ (along / along.sum()))
    plane = 250.0 if config.whole_head else 236.0
    size = (
        round(plane / in_plane),
        round(plane / in_plane),
        max(4, round(depth / (slice_mm * gap))),
    )
    spacing = (in_plane, in_plane, slice_mm * gap)
    centre = _CENTRE_MM + shifted_mm + np.array([0.0, 0.0, -3.0 if config.whole_head else 2.0])
    middle = direction @ ((np.array(size) - 1) / 2 * np.array(spacing))
    x, y, z = (round(float(v), 4) for v in centre - middle)
    cosines = tuple(float(v) for v in direction.ravel())
    return View(Grid(size, spacing, (x, y, z), cosines), slice_mm, _flat(motion))


def _flat(matrix: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(float(v) for v in matrix.ravel())


def rigid(
    angles_degrees: NDArray[np.float64],
    shift_mm: NDArray[np.float64],
    centre_mm: NDArray[np.float64],
) -> NDArray[np.float64]:
    """A 4x4 rotation about x, then y, then z through a centre, followed by a shift (LPS mm)."""
    x, y, z = np.deg2rad(angles_degrees)
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_y @ about_x
    matrix[:3, 3] = centre_mm + shift_mm - matrix[:3, :3] @ centre_mm
    return matrix


def resample(volume: Tensor, source: Grid, view: View) -> Tensor:
    """What the view sees of a volume (z, y, x): the mean over each slice's thickness."""
    motion = np.reshape(view.motion, (4, 4))
    matrix = np.linalg.inv(source.ijk_to_lps) @ motion @ view.grid.ijk_to_lps
    count = max(1, round(view.slice_mm / max(_SLICE_STEP_MM, source.spacing_mm[0])))
    offsets = ((np.arange(count) + 0.5) / count - 0.5) * view.slice_mm / view.grid.spacing_mm[2]
    flipped = matrix[[2, 1, 0, 3]][:, [2, 1, 0, 3]]  # from (i, j, k) to (k, j, i)
    linear = torch.from_numpy(flipped[:3, :3].astype(np.float32))
    start = torch.from_numpy(flipped[:3, 3].astype(np.float32)).view(3, 1, 1, 1)
    indices = voxel_indices(view.grid.size[::-1])
    positions = torch.einsum("ab,bzyx->azyx", linear, indices) + start
    total = torch.zeros(indices.shape[1:])
    for offset in offsets:
        step = linear[:, 0].view(3, 1, 1, 1) * float(offset)
        total += sample(volume[None], positions + step, "zeros")[0]
    return total / count
