"""How a scanner sees a simulated head: field of view, slices, noise; on the network's grid."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from numpy.typing import NDArray
from torch import Tensor

from gliomaai_training.preprocessing.brain_mask_grid import (
    apply_along_axes,
    coarse_centres_mm,
    linear_matrix,
    normalised,
    resampling_matrix,
)
from gliomaai_training.simulation.head import Head, HeadConfig, draw_head
from gliomaai_training.simulation.head_canvas import Draw
from gliomaai_training.simulation.head_contrast import (
    draw_contrast,
    paint_signal,
    with_ghost,
    with_receive_field,
)
from gliomaai_training.simulation.head_warp import draw_coordinates

DRAWING_SPACING_MM = 2.5
"""Finer than the network's voxels; finer still costs more than it teaches."""
DRAWING_SHAPE = (76, 96, 96)
"""190 x 240 x 240 mm, RAS."""
AIR_AT_THE_SIDES = 10
"""Voxels of air added left and right: fields of view are square, heads are not."""
MARGIN_MM = 1.0
"""A mask's surface lies this far outside the cortex: where HD-BET, too, puts it."""
SOFTNESS_MM = 1.0
"""The target falls from 1 to 0 as a sigmoid of distance / softness."""
STRIPPED_SHARE = 0.07
GREY_BACKGROUND_SHARE = 0.15
CROPPED_SHARE = 0.15
PARTIAL_SHARE = 0.1
"""Images with a zero part: one sequence resampled to another's field of view."""


@dataclass(frozen=True)
class HeadSample:
    """What the brain mask network learns from: one image and its answer on the network's grid."""

    image: Tensor
    """Float32 normalised intensities, shape (X, Y, Z), RAS, 3 mm."""
    target: Tensor
    """Float32 in 0..1: the sigmoid of the distance to the mask's surface."""


@dataclass(frozen=True)
class AxisSampling:
    """How one axis of the drawing grid is seen: field of view and slices."""

    first_mm: float
    """Centre of the first slice, from the middle of the drawing grid."""
    step_mm: float
    width_mm: float
    """Thickness of the slice profile."""
    count: int


def draw_sample(seed: int) -> HeadSample:
    """A random head in a random contrast; the same seed gives the same sample."""
    return draw_samples(seed, 1)[0]


def draw_samples(seed: int, count: int) -> list[HeadSample]:
    """One random head, seen in `count` independent contrasts, poses of the slices and noises."""
    draw = Draw(torch.Generator().manual_seed(seed))
    coordinates = draw_coordinates(DRAWING_SHAPE, DRAWING_SPACING_MM, draw)
    head = draw_head(coordinates, draw.generator, HeadConfig())
    return [_acquire(head, draw) for _ in range(count)]


def _acquire(head: Head, draw: Draw) -> HeadSample:
    sides = (0, 0, 0, 0, AIR_AT_THE_SIDES, AIR_AT_THE_SIDES)
    labels = F.pad(head.labels, sides)
    distance = F.pad(head.distance_mm[None, None], sides, mode="replicate")[0, 0] - MARGIN_MM
    signal = with_receive_field(paint_signal(labels, draw_contrast(draw), draw), draw)
    stripped = draw.chance(STRIPPED_SHARE)
    if stripped:
        wave = draw.smooth(tuple(labels.shape), 10)[0]
        signal = signal * (distance + MARGIN_MM < draw.uniform(0, 3) + wave)
    signal = with_ghost(signal, draw)
    axes = draw_field_of_view(labels, draw)
    image = apply_along_axes(signal, [_seen(a, n) for a, n in zip(axes, labels.shape, strict=True)])
    target = apply_along_axes(
        distance, [_located(a, n) for a, n in zip(axes, labels.shape, strict=True)]
    )
    image = _with_noise(image, stripped, draw)
    seen = _seen_part(tuple(image.shape), draw)
    return HeadSample(normalised(image * seen), torch.sigmoid(-target / SOFTNESS_MM) * seen)


def draw_field_of_view(labels: Tensor, draw: Draw) -> tuple[AxisSampling, ...]:
    """Slices and cuts of the three axes: mostly thick axial slices, often cut below the brain."""
    thick_axis = (2, 2, 2, 1, 0)[draw.integer(0, 4)] if draw.chance(0.78) else -1
    plane_mm = draw.uniform(0.8, 2.2)
    cropped_axis = draw.integer(0, 1) if draw.chance(CROPPED_SHARE) else -1
    axes = []
    for axis, size in enumerate(labels.shape):
        half = size * DRAWING_SPACING_MM / 2
        head = _extent_mm(labels, axis)
        if axis == 2:
            low, high = _vertical_range_mm(half, head, draw)
        else:
            low, high = _plane_range_mm(half, head, axis == cropped_axis, draw)
        step = draw.uniform(2.5, 7.5) if axis == thick_axis else plane_mm
        width = step * (draw.uniform(0.6, 1) if axis == thick_axis else draw.uniform(0.8, 1.6))
        count = max(4, int((high - low) / step))
        axes.append(AxisSampling(low + draw.uniform(0, 1) * step, step, width, count))
    return tuple(axes)


def _vertical_range_mm(half: float, head: tuple[float, float], draw: Draw) -> tuple[float, float]:
    low, high = -half, half
    if draw.chance(0.6):
        low += draw.uniform(0, 85)
    kind = draw.uniform(0, 1)
    if kind < 0.35:  # the last slice falls anywhere about the scalp, as it does in practice
        high = head[1] + draw.uniform(-14, 12)
    elif kind < 0.5:
        high = head[1] - draw.uniform(0, 45)
    return low, min(high, half)


def _plane_range_mm(
    half: float, head: tuple[float, float], cropped: bool, draw: Draw
) -> tuple[float, float]:
    if cropped:
        low = head[0] + (draw.uniform(-5, 35) if draw.chance(0.6) else -10)
        high = head[1] - (draw.uniform(-5, 35) if draw.chance(0.6) else -10)
        return max(low, -half), min(high, half)
    if draw.chance(0.35):
        return -half, half
    return max(head[0] - draw.uniform(0, 30), -half), min(head[1] + draw.uniform(0, 30), half)


def _extent_mm(labels: Tensor, axis: int) -> tuple[float, float]:
    others = [other for other in range(3) if other != axis]
    occupied = torch.nonzero((labels > 0).sum(others) > 20)[:, 0]
    if occupied.numel() == 0:
        return 0.0, 0.0
    half = labels.shape[axis] * DRAWING_SPACING_MM / 2
    first, last = int(occupied[0]), int(occupied[-1])
    return first * DRAWING_SPACING_MM - half, (last + 1) * DRAWING_SPACING_MM - half


def _seen(axis: AxisSampling, size: int) -> Tensor:
    voxels = _voxels_mm(size)
    slices = axis.first_mm + np.arange(axis.count) * axis.step_mm
    half = max(axis.width_mm, DRAWING_SPACING_MM) / 2
    reach = (half + DRAWING_SPACING_MM / 2 - np.abs(slices[:, None] - voxels)) / DRAWING_SPACING_MM
    profile = np.clip(reach, 0, 1)
    profile = profile / np.maximum(profile.sum(axis=1, keepdims=True), 1e-6)
    matrix = resampling_matrix(axis.count, axis.step_mm) @ profile.astype(np.float32)
    return torch.from_numpy(matrix)


def _located(axis: AxisSampling, size: int) -> Tensor:
    middle = axis.first_mm + (axis.count - 1) / 2 * axis.step_mm
    centres = coarse_centres_mm(axis.count, axis.step_mm) + middle
    return torch.from_numpy(linear_matrix(_voxels_mm(size), centres))


def _seen_part(shape: tuple[int, ...], draw: Draw) -> Tensor:
    """1 but for the zeros beyond a tilted plane, in some heads: what resampling leaves."""
    if not draw.chance(PARTIAL_SHARE):
        return torch.ones(shape)
    x, y, z = (torch.linspace(-1, 1, n) for n in shape)
    tilted = z + (draw.normal(0, 0.15) * x)[:, None, None] + (draw.normal(0, 0.15) * y)[:, None]
    return (tilted * (1 if draw.chance(0.5) else -1) < draw.uniform(0.6, 1.1)).float()


def _voxels_mm(size: int) -> NDArray[np.float64]:
    return np.asarray((np.arange(size) - (size - 1) / 2) * DRAWING_SPACING_MM, dtype=np.float64)


def _with_noise(image: Tensor, stripped: bool, draw: Draw) -> Tensor:
    shape = tuple(image.shape)
    deviation = draw.uniform(0, 0.04) * draw.uniform(0.2, 1)
    if stripped:
        return (image * (1 + deviation * draw.normals(*shape))).clamp_min(0)
    real, imaginary = deviation * draw.normals(*shape), deviation * draw.normals(*shape)
    image = ((image + real) ** 2 + imaginary**2).sqrt()  # Rician, as magnitude images are
    if draw.chance(0.5):
        image = image.clamp_min(1e-4) ** draw.uniform(0.75, 1.35)
    if draw.chance(GREY_BACKGROUND_SHARE):
        grey = draw.uniform(0.03, 0.5)
        image = image.clamp_min(grey) if draw.chance(0.5) else grey + (1 - grey) * image
    return image
