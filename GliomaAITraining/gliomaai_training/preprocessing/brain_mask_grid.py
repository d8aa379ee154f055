"""The coarse grid on which the brain mask network sees an image; training uses the same code."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

NETWORK_SPACING_MM = 3.0
"""Voxel size of the network's input and of its logits."""
SHAPE_MULTIPLE = 8
"""The network halves its input three times."""
BRIGHT_QUANTILE = 0.99
"""This quantile of the positive intensities becomes 1."""
CLIP = 1.5


def coarse_size(count: int, spacing_mm: float) -> int:
    """How many network voxels cover `count` voxels of this spacing."""
    return max(1, round(count * spacing_mm / NETWORK_SPACING_MM))


def coarse_centres_mm(count: int, spacing_mm: float) -> NDArray[np.float64]:
    """Centres of the network's voxels along an axis, mm from the middle of the field of view."""
    size = coarse_size(count, spacing_mm)
    return np.asarray((np.arange(size) - (size - 1) / 2) * NETWORK_SPACING_MM, dtype=np.float64)


def resampling_matrix(count: int, spacing_mm: float) -> NDArray[np.float32]:
    """Takes `count` voxels of this spacing along an axis to the network's voxels.

    Fine voxels are averaged over the network's voxel; thick slices are interpolated linearly.
    Shape (coarse_size, count); every row sums to 1.
    """
    centres = coarse_centres_mm(count, spacing_mm)
    voxels = np.asarray((np.arange(count) - (count - 1) / 2) * spacing_mm, dtype=np.float64)
    if spacing_mm >= NETWORK_SPACING_MM:
        return linear_matrix(voxels, centres)
    reach = (NETWORK_SPACING_MM + spacing_mm) / 2 - np.abs(centres[:, None] - voxels)
    overlap = np.clip(reach, 0, spacing_mm)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True), dtype=np.float32)


def linear_matrix(
    sources_mm: NDArray[np.float64], targets_mm: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Linear interpolation from evenly spaced sources to targets; the ends extend."""
    rows = np.arange(len(targets_mm))
    matrix = np.zeros((len(targets_mm), len(sources_mm)), dtype=np.float32)
    if len(sources_mm) == 1:
        matrix[:, 0] = 1
        return matrix
    step = sources_mm[1] - sources_mm[0]
    position = (targets_mm - sources_mm[0]) / step
    left = np.clip(np.floor(position).astype(int), 0, len(sources_mm) - 2)
    share = np.clip(position - left, 0, 1)
    matrix[rows, left] = 1 - share
    matrix[rows, left + 1] += share
    return matrix


def apply_along_axes(volume: Tensor, matrices: Sequence[Tensor]) -> Tensor:
    """Multiplies each axis of a 3-D tensor by its matrix, shaped (new size, old size)."""
    for axis, matrix in enumerate(matrices):
        volume = torch.movedim(torch.tensordot(volume, matrix, ([axis], [1])), -1, axis)
    return volume


def normalised(volume: Tensor) -> Tensor:
    """Intensities for the network: 0 at 0, 1 at the bright quantile, clipped."""
    volume = torch.nan_to_num(volume, nan=0.0, posinf=0.0, neginf=0.0)
    positive = volume[volume > 0]
    if positive.numel() == 0:
        return torch.zeros_like(volume)
    sample = positive[:: max(1, positive.numel() // 50_000)]
    return (volume / torch.quantile(sample, BRIGHT_QUANTILE)).clamp(0, CLIP)


def padded_size(size: int) -> int:
    """The next size that the network accepts."""
    return math.ceil(size / SHAPE_MULTIPLE) * SHAPE_MULTIPLE
