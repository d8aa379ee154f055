"""Random smooth fields, smoothing and warping on voxel grids; all arrays are (z, y, x)."""

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

_COARSE_FROM_SIGMA = 2.5
"""From this width on (voxels) smoothing runs on a coarser grid: the same result, far faster."""


def smooth(volume: Tensor, sigma_voxels: float) -> Tensor:
    """Gaussian smoothing of one volume (z, y, x) with replicated edges."""
    if sigma_voxels <= 0:
        return volume
    factor = int(sigma_voxels / _COARSE_FROM_SIGMA * 1.25)
    if factor < 2:
        filtered = ndimage.gaussian_filter(
            volume.numpy(), sigma_voxels, truncate=2.5, mode="nearest"
        )
        return torch.from_numpy(filtered)
    shape = volume.shape
    padding = [(-n) % factor for n in reversed(shape)]
    pad = [value for amount in padding for value in (0, amount)]
    padded = functional.pad(volume[None, None], pad, mode="replicate")
    coarse = functional.avg_pool3d(padded, factor)[0, 0]
    filtered = ndimage.gaussian_filter(
        coarse.numpy(), sigma_voxels / factor, truncate=2.5, mode="nearest"
    )
    fine = functional.interpolate(
        torch.from_numpy(filtered)[None, None],
        scale_factor=float(factor),
        mode="trilinear",
        align_corners=False,
    )
    return fine[0, 0, : shape[0], : shape[1], : shape[2]].contiguous()


def noise(shape: tuple[int, ...], sigma_voxels: float, rng: np.random.Generator) -> Tensor:
    """A Gaussian random field (z, y, x) of zero mean and unit variance.

    Args:
        sigma_voxels: width of the Gaussian that smooths white noise.
    """
    factor = max(1, int(sigma_voxels / 1.6))
    coarse_shape = tuple(int(np.ceil(n / factor)) + 2 for n in shape)
    white = rng.standard_normal(coarse_shape, dtype=np.float32)
    field = ndimage.gaussian_filter(
        white, max(0.5, sigma_voxels / factor), truncate=2.5, mode="nearest"
    )
    # The field's own statistics: a coarse field has few independent values.
    field = (field - field.mean()) / max(float(field.std()), 1e-6)
    tensor = torch.from_numpy(field)
    if factor == 1:
        return tensor[: shape[0], : shape[1], : shape[2]].contiguous()
    return resize(tensor, shape)


def resize(volume: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Trilinear resampling of (z, y, x) or (c, z, y, x) to `shape`, corner voxels kept."""
    channels = volume if volume.ndim == 4 else volume[None]
    resized = functional.interpolate(
        channels[None], tuple(shape), mode="trilinear", align_corners=True
    )[0]
    return resized if volume.ndim == 4 else resized[0]


def voxel_indices(shape: tuple[int, ...]) -> Tensor:
    """The voxel indices (z, y, x) of a grid, as (3, z, y, x)."""
    axes = [torch.arange(n, dtype=torch.float32) for n in shape]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def sample(volumes: Tensor, positions: Tensor, padding: str = "border") -> Tensor:
    """Values of (c, z, y, x) volumes at fractional voxel positions (3, z', y', x')."""
    shape = volumes.shape[1:]
    scaled = [
        2 * positions[axis] / max(shape[axis] - 1, 1) - 1 for axis in (2, 1, 0)
    ]  # grid_sample wants x first, in -1..1
    grid = torch.stack(scaled, dim=-1)[None]
    values: Tensor = functional.grid_sample(
        volumes[None], grid, align_corners=True, padding_mode=padding
    )
    return values[0]


def exponentiate(velocity: Tensor, squarings: int = 5) -> Tensor:
    """The displacement (3, z, y, x), in voxels, of a stationary velocity field.

    Scaling and squaring (Arsigny et al. 2006): the result is a diffeomorphism.
    """
    displacement = velocity / float(2**squarings)
    indices = voxel_indices(tuple(velocity.shape[1:]))
    for _ in range(squarings):
        displacement = displacement + sample(displacement, indices + displacement)
    return displacement


def gradient(volume: Tensor) -> Tensor:
    """Central differences along z, y, x: (3, z, y, x), per voxel."""
    return torch.stack(list(torch.gradient(volume)))


def distance_inside(mask: Tensor, spacing_mm: float) -> Tensor:
    """Distance in mm of each voxel of a boolean mask to the mask's outside."""
    distance = ndimage.distance_transform_edt(mask.numpy())
    return torch.from_numpy(distance.astype(np.float32) * spacing_mm)
