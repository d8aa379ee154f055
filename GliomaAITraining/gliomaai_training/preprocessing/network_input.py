"""From a prepared study to the array a segmentation network reads, and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.vocabulary import SEQUENCES

CLIP_PERCENTILES = (0.1, 99.9)
"""Intensities of the brain outside these are clipped, so that no single voxel sets the scale."""

NORMALISATION = "median and interquartile range"
"""How `normalise` scales: a pack names it, as a network is right for the one it learned with."""

NORMAL_INTERQUARTILE_RANGE = 1.349
"""Of a normal distribution with variance 1."""

_Voxel = TypeVar("_Voxel", bound=np.generic)


@dataclass(frozen=True)
class NetworkInput:
    """A brain crop, normalised, with the way back to the grid it was cut from."""

    images: NDArray[np.float32]
    """(4, z, y, x) in `vocabulary.SEQUENCES` order, normalised inside the brain and 0 outside;
    z, y, x are multiples of the network's stride. Absent sequences are 0."""
    present: NDArray[np.bool_]
    """(4,)"""
    brain: NDArray[np.bool_]
    """(z, y, x), the brain inside the crop."""
    box: tuple[slice, slice, slice]
    """Where the crop lies in the grid, before padding."""
    grid_shape: tuple[int, int, int]
    """(k, j, i) of the grid."""

    @classmethod
    def of(cls, prepared: Prepared, multiple: int) -> "NetworkInput":
        """Cuts a prepared study to its brain.

        Raises:
            ValueError: the brain mask is empty.
        """
        brain = sitk.GetArrayViewFromImage(prepared.brain_mask) > 0
        arrays = {
            name: sitk.GetArrayViewFromImage(image) for name, image in prepared.sequences.items()
        }
        box = brain_box(brain)
        inside = brain[box]
        images = np.zeros((len(SEQUENCES), *inside.shape), np.float32)
        for index, name in enumerate(SEQUENCES):
            if name in arrays:
                images[index] = normalise(np.asarray(arrays[name][box]), inside)
        return cls(
            images=pad_to_multiple(images, multiple),
            present=np.array([name in arrays for name in SEQUENCES]),
            brain=pad_to_multiple(inside[None], multiple)[0],
            box=box,
            grid_shape=brain.shape,
        )

    def restore(self, array: NDArray[_Voxel], fill: Sequence[float]) -> NDArray[_Voxel]:
        """Puts a (channel, z, y, x) array of the crop back on the whole grid.

        Args:
            array: on the crop's padded shape.
            fill: one value for each channel, for voxels outside the crop.
        """
        whole = np.zeros((len(array), *self.grid_shape), array.dtype)
        for channel, value in zip(whole, fill, strict=True):
            if value != 0:  # pages of zeros cost nothing until they are written
                channel[:] = value
        depth, height, width = (part.stop - part.start for part in self.box)
        whole[(slice(None), *self.box)] = array[:, :depth, :height, :width]
        return whole


def brain_box(brain: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """The bounding box of a (k, j, i) mask.

    Raises:
        ValueError: the mask is empty.
    """
    if not brain.any():
        raise ValueError("the brain mask is empty")
    bounds = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        occupied = np.flatnonzero(brain.any(axis=others))
        bounds.append(slice(int(occupied[0]), int(occupied[-1]) + 1))
    return bounds[0], bounds[1], bounds[2]


def pad_to_multiple(array: NDArray[Any], multiple: int) -> NDArray[Any]:
    """Zero-pads the last three axes at their end to multiples of `multiple`."""
    padding = [(0, 0)] * (array.ndim - 3) + [(0, -n % multiple) for n in array.shape[-3:]]
    return np.pad(array, padding)


def normalise(array: NDArray[np.generic], brain: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Median 0 and interquartile range that of unit variance inside the brain; 0 elsewhere.

    Not mean and variance: a tumour moves them, so that healthy tissue would look different beside
    it, and the brightest part of a healthy brain would be blown up to what tumour looks like.

    Voxels that are exactly 0 inside the brain hold no signal (outside that sequence's field of
    view) and stay 0.

    Args:
        array: raw intensities (k, j, i).
        brain: mask of the same shape.
    """
    inside = brain & (array != 0)
    values = array[inside].astype(np.float32)
    result = np.zeros(array.shape, np.float32)
    if values.size == 0:
        return result
    # Percentiles of a regular sample: a full sort of millions of voxels buys no precision.
    sample = values[:: max(1, values.size // 200_000)]
    low, lower, middle, upper, high = np.percentile(
        sample, (CLIP_PERCENTILES[0], 25, 50, 75, CLIP_PERCENTILES[1])
    )
    # More than half of the voxels alike, as in a phantom: the range is 0, the deviation is not.
    scale = float((upper - lower) / NORMAL_INTERQUARTILE_RANGE or values.std())
    if scale > 0:
        result[inside] = (np.clip(values, low, high) - middle) / scale
    return result
