"""The patient's own brain: a deformed ICBM152 on the patient's grid."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.simulation.atlas import CHANNELS, Atlas, load_atlas
from gliomaai_training.simulation.config import (
    BRATS_ORIGIN_MM,
    BRATS_SIZE,
    HEAD_ORIGIN_MM,
    HEAD_SIZE,
    SimulationConfig,
)
from gliomaai_training.simulation.fields import (
    exponentiate,
    gradient,
    noise,
    resize,
    sample,
    smooth,
    voxel_indices,
)

_DEPTH = CHANNELS.index("depth_mm")
_VENTRICLES = CHANNELS.index("ventricles")
_FRAME_MM = 4.0
"""Spacing of the grid on which the deformation is drawn."""
_CENTRE_MM = (72.0, -113.0, 119.0)
"""LPS mm (z, y, x) of the brain's centre, as in BraTS cases."""
_ATLAS_CENTRE = (79.0, 117.0, 98.0)
"""Atlas voxel (z, y, x) at the centre of the template's brain."""
_MARGIN_MM = 6.0
_SCALP_SMOOTHING_MM = 18.0
_SCALES_MM = ((24.0, 3.4), (9.0, 1.8), (5.5, 0.9))
"""Width of the random velocity's parts and their standard deviations, mm."""


@dataclass(frozen=True)
class Frame:
    """The patient's geometry before any tumour: a box of the output grid and where it lies."""

    corner: tuple[int, int, int]
    """Voxel (k, j, i) of the BraTS grid at which the box begins."""
    shape: tuple[int, int, int]
    """Voxels of the box (z, y, x)."""
    spacing_mm: float
    coarse_mm: float
    """Voxel size of `positions`: 2 mm, or the patient's spacing where that is coarser."""
    positions: Tensor
    """(3, z, y, x): the atlas voxel (z, y, x) of each coarse voxel of the box."""
    deformation: Tensor
    """The same on 4 mm voxels over the whole head's field of view."""

    @property
    def grid(self) -> Grid:
        """The box as a grid of the patient's space."""
        z, y, x = (
            origin + index * self.spacing_mm
            for origin, index in zip(reversed(BRATS_ORIGIN_MM), self.corner, strict=True)
        )
        size = (self.shape[2], self.shape[1], self.shape[0])
        identity = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
        return Grid(size, (self.spacing_mm,) * 3, (x, y, z), identity)

    def atlas_positions(self, grid: Grid) -> Tensor:
        """(3, z, y, x): the atlas voxel (z, y, x) of each voxel of an axis-aligned grid.

        Gyral detail of the deformation fades out above the brain: a scalp has no gyri.
        """
        unmoved = voxel_indices(tuple(self.deformation.shape[1:])) * _FRAME_MM
        moved = self.deformation - unmoved
        calm = torch.stack([smooth(part, _SCALP_SMOOTHING_MM / _FRAME_MM) for part in moved])
        depth = sample(load_atlas().maps[_DEPTH : _DEPTH + 1], self.deformation)[0]
        near = ((depth + 10) / 8).clamp(0, 1)
        deformation = unmoved + near * moved + (1 - near) * calm
        indices = voxel_indices(grid.size[::-1])
        offset = torch.tensor(grid.origin_mm[::-1]) - torch.tensor(HEAD_ORIGIN_MM[::-1])
        mm = indices * grid.spacing_mm[0] + offset.float().view(3, 1, 1, 1)
        return sample(deformation, mm / _FRAME_MM)


@dataclass(frozen=True)
class Tissues:
    """The patient's tissues on the box, (z, y, x)."""

    white: Tensor
    grey: Tensor
    fluid: Tensor
    """White, grey and fluid are fractions; they sum to `brain`."""
    brain: Tensor
    """1 inside the brain's hull, with a soft border."""
    texture: Tensor
    """The T1 template, 0 to 1."""
    ventricles: Tensor
    vessels: Tensor
    """Named vessels and choroid plexus, 0 to 1."""
    sinus: Tensor
    """Sagittal sinus and falx, 0 to 1."""


def draw_frame(config: SimulationConfig, age_years: float, rng: np.random.Generator) -> Frame:
    """Draws size, pose, shape and ventricles, and finds the box that holds the brain."""
    atlas = load_atlas()
    shape = tuple(int(np.ceil(n / _FRAME_MM)) + 1 for n in reversed(HEAD_SIZE))
    positions = _positions(atlas, shape, age_years, rng)
    inside = sample(atlas.maps[_DEPTH : _DEPTH + 1], positions)[0] > -_FRAME_MM
    corner, box = _bounding_box(inside, config)
    factor = 2 if config.spacing_mm < 1.6 else 1
    coarse = tuple((n - 1) // factor + 1 for n in box)
    return Frame(
        corner=corner,
        shape=box,
        spacing_mm=config.spacing_mm,
        coarse_mm=config.spacing_mm * factor,
        positions=sample(positions, _frame_voxels(coarse, corner, factor, config)),
        deformation=positions,
    )


def _frame_voxels(
    shape: tuple[int, ...], corner: tuple[int, int, int], factor: int, config: SimulationConfig
) -> Tensor:
    """Voxels of the 4 mm frame at which the box's coarse voxels lie."""
    indices = voxel_indices(shape) * factor + torch.tensor(corner).view(3, 1, 1, 1)
    offset = [b - h for b, h in zip(BRATS_ORIGIN_MM[::-1], HEAD_ORIGIN_MM[::-1], strict=True)]
    return (indices * config.spacing_mm + torch.tensor(offset).view(3, 1, 1, 1)) / _FRAME_MM


def _positions(
    atlas: Atlas, shape: tuple[int, ...], age_years: float, rng: np.random.Generator
) -> Tensor:
    """Atlas voxel of each voxel of the 4 mm grid over the whole head's field of view."""
    centre = [c - o for c, o in zip(_CENTRE_MM, HEAD_ORIGIN_MM[::-1], strict=True)]
    offset = voxel_indices(shape) * _FRAME_MM - torch.tensor(centre).view(3, 1, 1, 1)
    matrix = _affine(rng)
    affine = torch.einsum("ab,bzyx->azyx", matrix, offset)
    affine = affine + torch.tensor(_ATLAS_CENTRE).view(3, 1, 1, 1)
    velocity = torch.zeros(3, *shape)
    for width_mm, deviation_mm in _SCALES_MM:
        strength = deviation_mm * rng.uniform(0.7, 1.3)
        for axis in range(3):
            velocity[axis] += strength * noise(shape, width_mm / _FRAME_MM, rng)
    # The falx keeps the midline nearly straight.
    lateral = (affine[2] - _ATLAS_CENTRE[2]) / 16.0
    velocity[2] *= 1 - 0.75 * torch.exp(-(lateral**2))
    wall = gradient(sample(atlas.maps[_VENTRICLES : _VENTRICLES + 1], affine)[0])
    steepest = float(wall.norm(dim=0).max())
    widening_mm = rng.normal(-0.6 + 0.055 * (age_years - 35), 1.1)
    velocity += float(np.clip(widening_mm, -1.8, 4.5)) * wall / max(steepest, 1e-3)
    return affine + exponentiate(velocity / _FRAME_MM) * _FRAME_MM


def _affine(rng: np.random.Generator) -> Tensor:
    """Patient mm to atlas mm; the template is about 6 % larger than a mean brain."""
    angles = np.deg2rad(rng.normal(0, (3.0, 3.0, 4.0)))
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        first, second = [a for a in range(3) if a != axis]
        turn = np.eye(3)
        turn[first, first] = turn[second, second] = np.cos(angle)
        turn[first, second], turn[second, first] = -np.sin(angle), np.sin(angle)
        rotation = rotation @ turn
    scale = rng.normal(0.945, 0.025) * rng.normal(1.0, 0.022, 3)
    matrix = rotation @ np.diag(1 / scale) + rng.normal(0, 0.012, (3, 3))
    return torch.from_numpy(matrix.astype(np.float32))


def _bounding_box(
    inside: Tensor, config: SimulationConfig
) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    corner: list[int] = []
    box: list[int] = []
    for axis in range(3):
        limit = round(BRATS_SIZE[2 - axis] / config.spacing_mm)
        offset = HEAD_ORIGIN_MM[2 - axis] - BRATS_ORIGIN_MM[2 - axis]
        others = tuple(a for a in range(3) if a != axis)
        used = torch.nonzero(inside.any(dim=others[1]).any(dim=others[0])).ravel()
        low = float(used.min()) * _FRAME_MM + offset - _MARGIN_MM
        high = float(used.max()) * _FRAME_MM + offset + _MARGIN_MM
        first = max(0, int(low / config.spacing_mm))
        last = min(limit - 1, int(np.ceil(high / config.spacing_mm)))
        count = last - first + 1
        corner.append(first)
        box.append(count if count % 2 else count - 1)
    return (corner[0], corner[1], corner[2]), (box[0], box[1], box[2])


@dataclass(frozen=True)
class _Finish:
    """How sampled maps are made crisp, and in what this patient differs."""

    sharpness: float
    widening: float = 1.0
    """Factor on the fluid maps: above 1, wider sulci and ventricles."""
    gyri: Tensor | None = None
    """Random field that widens and narrows gyri."""
    rim_mm: Tensor | float = 0.5
    """How far the hull lies outside the template's: a rim of subarachnoid fluid."""


def coarse_tissues(frame: Frame) -> Tissues:
    """The tissues on the coarse grid, for growth."""
    return _tissues(frame.positions, _Finish(sharpness=2.2), frame.coarse_mm)


def fine_tissues(
    frame: Frame, shift: Tensor, age_years: float, rng: np.random.Generator
) -> Tissues:
    """The tissues on the patient's grid after the mass effect.

    Args:
        shift: (3, z, y, x) on the coarse grid, in coarse voxels: where the tissue found at each
            voxel came from, relative to it.
    """
    coarse = frame.positions
    indices = voxel_indices(tuple(coarse.shape[1:]))
    positions = resize(sample(coarse, indices + shift), frame.shape)
    widening = float(np.clip(rng.normal(1.0 + 0.008 * (age_years - 50), 0.12), 0.7, 1.7))
    ragged = 0.7 * noise(frame.shape, 7 / frame.spacing_mm, rng)
    rim_mm = rng.uniform(-0.2, 1.2) + 0.012 * (age_years - 50) + ragged
    gyri = noise(frame.shape, 2.2 / frame.spacing_mm, rng)
    finish = _Finish(sharpness=3.0, widening=widening, gyri=gyri, rim_mm=rim_mm)
    return _tissues(positions, finish, frame.spacing_mm)


def _tissues(positions: Tensor, finish: _Finish, spacing_mm: float) -> Tissues:
    """Sampled maps made crisp: averaging over 152 brains blurred them, one brain is not blurred."""
    channels = sample(load_atlas().maps, positions)
    white, grey, fluid, depth, t1, ventricles, vessels, sinus = channels
    fluid = fluid * finish.widening
    if finish.gyri is not None:
        white = white * torch.exp(0.10 * finish.gyri)
        fluid = fluid * torch.exp(-0.22 * finish.gyri)
    parts = [part.clamp_min(0).pow(finish.sharpness) for part in (white, grey, fluid)]
    total = parts[0] + parts[1] + parts[2]
    outward = torch.as_tensor(depth + finish.rim_mm)
    outward = torch.maximum(outward, (sinus - 0.45) * 3.0)  # stripping leaves most of the sinus
    hull = (outward / spacing_mm + 0.5).clamp(0, 1)
    parts = [part / total.clamp_min(1e-6) * hull for part in parts]
    rest = (hull - parts[0] - parts[1] - parts[2]).clamp_min(0)  # where the maps are all zero
    return Tissues(
        white=parts[0],
        grey=parts[1],
        fluid=parts[2] + rest,
        brain=hull,
        texture=t1,
        ventricles=ventricles,
        vessels=vessels,
        sinus=sinus,
    )
