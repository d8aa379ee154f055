"""The scanner's part: coil bias, resolution, ghosts and noise."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gliomaai_training.simulation.fields import noise, smooth

_BIAS_MM = 45.0
WHITE_MATTER_VALUE = 400.0
"""Stored value of white matter; images are unsigned 16-bit."""


@dataclass(frozen=True)
class Acquisition:
    """How one sequence was acquired."""

    slice_mm: float
    """Thickness of the slices, before any resampling to the common grid."""
    slice_axis: int
    """Axis of the slices in (z, y, x)."""
    blur_mm: float
    bias: float
    """Standard deviation of the logarithm of the coil's sensitivity."""
    noise: float
    """Standard deviation of the noise, white matter being 1."""
    ghost: bool


def draw_acquisition(name: str, rng: np.random.Generator) -> Acquisition:
    """Draws the acquisition of sequence `name`: T1 is often 3D, T2 and FLAIR seldom."""
    shares = (0.5, 0.15, 0.2, 0.15) if name in ("t1", "t1gd") else (0.3, 0.2, 0.3, 0.2)
    slice_mm = float(rng.choice((1.0, 2.0, 3.0, 5.0), p=shares))
    axis = int(rng.choice(3, p=(0.86, 0.07, 0.07)))
    return Acquisition(
        slice_mm=slice_mm,
        slice_axis=axis,
        blur_mm=float(rng.uniform(0.3, 0.6)),
        bias=float(rng.uniform(0.04, 0.12)),
        noise=float(np.exp(rng.normal(np.log(0.028), 0.4))),
        ghost=bool(rng.random() < 0.3),
    )


def acquire(
    image: Tensor, acquisition: Acquisition, spacing_mm: float, rng: np.random.Generator
) -> Tensor:
    """The image as scanned and resampled to its own grid, without noise; (z, y, x)."""
    shape = tuple(image.shape)
    bias = torch.exp(acquisition.bias * noise(shape, _BIAS_MM / spacing_mm, rng))
    scanned = smooth(image * bias, acquisition.blur_mm / spacing_mm)
    count = round(acquisition.slice_mm / spacing_mm)
    if count > 1:
        scanned = _thicken(scanned, count, acquisition.slice_axis)
    return _ghost(scanned, rng) if acquisition.ghost else scanned


def _thicken(image: Tensor, count: int, axis: int) -> Tensor:
    """Averages `count` voxels to a slice and interpolates back, as resampled 2D studies look."""
    kernel = [1, 1, 1]
    kernel[axis] = count
    size = image.shape[axis]
    whole = (size // count) * count
    rest = image.narrow(axis, whole, size - whole)
    slices = functional.avg_pool3d(image.narrow(axis, 0, whole)[None, None], tuple(kernel))
    target = list(image.shape)
    target[axis] = whole
    back = functional.interpolate(slices, tuple(target), mode="trilinear", align_corners=False)
    return torch.cat([back[0, 0], rest], dim=axis)


def _ghost(image: Tensor, rng: np.random.Generator) -> Tensor:
    """A faint copy displaced along the phase-encoding axis y, as pulsation and motion leave."""
    size = image.shape[1]
    offset = int(size * rng.uniform(0.12, 0.4))
    strength = float(rng.uniform(0.008, 0.03))
    copies = torch.roll(image, offset, dims=1) + torch.roll(image, -offset, dims=1)
    return image * (1 - strength) + strength * copies


def add_noise(image: Tensor, deviation: float, rng: np.random.Generator) -> Tensor:
    """Rician noise: the magnitude of a complex signal with Gaussian noise in both parts."""
    shape = tuple(image.shape)
    real = image + deviation * torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    imaginary = deviation * torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    return torch.hypot(real, imaginary)
