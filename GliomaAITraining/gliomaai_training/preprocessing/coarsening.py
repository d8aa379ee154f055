"""Coarser voxels for a network, and its answer back on the finer ones."""

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.preprocessing.network_input import normalise
from gliomaai_training.preprocessing.resampling import COMMON_SPACING_MM

Shape = tuple[int, int, int]

MIN_SIGNAL_SHARE = 0.5
"""A coarse voxel holds signal when at least this share of it does."""


def coarser_shape(shape: tuple[int, ...], voxel_mm: tuple[float, ...], coarse_mm: float) -> Shape:
    """The size (z, y, x) of a grid over the same extent with cubic voxels.

    Raises:
        ValueError: the voxels are larger than `coarse_mm` already.
    """
    if max(voxel_mm) > coarse_mm:
        raise ValueError(
            f"voxels of {voxel_mm} mm cannot become {coarse_mm} mm: choose larger ones"
        )
    depth, height, width = (
        max(1, round(n * own_mm / coarse_mm)) for n, own_mm in zip(shape, voxel_mm, strict=True)
    )
    return depth, height, width


def block_means(stack: NDArray[np.generic], shape: Shape) -> NDArray[np.float32]:
    """Means of a (channel, z, y, x) stack over the blocks that make up a coarser grid."""
    from torch import from_numpy
    from torch.nn.functional import adaptive_avg_pool3d

    means = adaptive_avg_pool3d(from_numpy(stack.astype(np.float32)), shape)
    return np.asarray(means.numpy())


def mean_signal(images: NDArray[np.generic], shape: Shape) -> NDArray[np.float32]:
    """Block means over the voxels that hold signal (are not 0), so that edges grow no darker.

    Args:
        images: (channel, z, y, x).
        shape: the coarser grid's size.

    Returns:
        (channel, *shape), 0 where less than `MIN_SIGNAL_SHARE` of a block holds signal.
    """
    share = block_means(images != 0, shape)
    means = block_means(images, shape) / np.maximum(share, 1e-6)
    return np.where(share >= MIN_SIGNAL_SHARE, means, np.float32(0))


def coarsened_input(images: NDArray[np.float32], voxel_mm: float) -> NDArray[np.float32]:
    """Normalised images (4, z, y, x) of 1 mm voxels on coarser ones, normalised anew.

    That is what a network sees in training on voxels of that size; at 1 mm, the images themselves.
    """
    own_mm = (COMMON_SPACING_MM,) * 3
    shape = coarser_shape(images.shape[1:], own_mm, voxel_mm)
    if shape == images.shape[1:]:
        return images
    coarse = mean_signal(images, shape)
    brain = np.asarray(coarse.any(axis=0))
    return np.stack([normalise(image, brain) for image in coarse])


def refined(probabilities: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Probabilities (label, z, y, x) on a finer grid (z, y, x) over the same extent, trilinear."""
    if probabilities.shape[1:] == shape:
        return probabilities
    from torch import from_numpy
    from torch.nn.functional import interpolate

    finer = interpolate(from_numpy(probabilities)[None], size=shape, mode="trilinear")
    return np.asarray(finer[0].numpy())
