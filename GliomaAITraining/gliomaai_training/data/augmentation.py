"""Random changes of a training sample, with MONAI's transforms."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from scipy import ndimage
from torch.nn import functional

if TYPE_CHECKING:
    from monai.transforms import Compose


DRIFT_WAVES = 3
"""Cosines along each axis, the constant among them."""


class AugmentationConfig(BaseModel):
    """How often and how far a sample is changed.

    Whether a tumour fades or a coil drifts, flip and affine are drawn for a sample; all that
    follows is drawn for each sequence by itself, as sequences of one study differ in contrast,
    noise and slice thickness.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    fade_probability: float = 0.5
    fade_least: float = 0.15
    """Least share of a sequence's tumour contrast that is left: in real FLAIR the oedema's median
    lies 0.7 to 5.7 deviations above the brain's, and few patients teach the faint ones."""
    drift_probability: float = 0.3
    drift_log_sd: float = 0.25
    """Most that the logarithm of a coil's drift deviates over the brain."""
    flip_probability: float = 0.5
    """Left-right only: a brain is nowhere else nearly symmetric."""
    affine_probability: float = 0.5
    rotation_rad: float = 0.25
    scale: float = 0.15
    thick_slices_probability: float = 0.2
    thick_slices_voxels: tuple[float, float] = (1.5, 4.0)
    """Thickness of the slices that a sequence is averaged to, along one axis, and back."""
    noise_probability: float = 0.15
    noise_sd: float = 0.15
    blur_probability: float = 0.15
    blur_sigma_voxels: float = 0.9
    contrast_probability: float = 0.3
    contrast_gamma: tuple[float, float] = (0.7, 1.5)
    intensity_probability: float = 0.5
    intensity_scale: float = 0.3
    intensity_shift: float = 0.2


def faded(
    images: NDArray[np.float32], labels: NDArray[np.uint8], shares: NDArray[np.float64]
) -> NDArray[np.float32]:
    """A sample whose tumour differs less from the brain.

    Args:
        images: (4, z, y, x) normalised, so that 0 is the brain's median.
        labels: (z, y, x).
        shares: (4,) of each sequence's contrast that is left.
    """
    # A border as wide as a voxel on each side: an edge of its own would give the tumour away.
    tumour = ndimage.uniform_filter((labels > 0).astype(np.float32), 3)
    losses = (1 - shares).astype(np.float32)
    return np.asarray(images * (1 - losses[:, None, None, None] * tumour), np.float32)


def random_drift(
    shape: tuple[int, ...], log_sd: float, generator: np.random.Generator
) -> NDArray[np.float32]:
    """A coil's drift of intensity: a smooth factor (z, y, x) with a geometric mean near 1.

    Its logarithm is a sum of cosines of at most one period along each axis: smooth as N4's field.
    """
    waves = np.arange(DRIFT_WAVES)
    weights = generator.standard_normal((DRIFT_WAVES,) * 3)
    weights[0, 0, 0] = 0.0
    bases = [np.cos(np.pi * waves[:, None] * (np.arange(n) + 0.5) / n) for n in shape]
    logarithm = np.einsum("abc,az,by,cx->zyx", weights, *bases, optimize=True)
    factor = np.exp(log_sd / max(float(logarithm.std()), 1e-6) * logarithm)
    return np.asarray(factor, np.float32)


def thick_slices(image: torch.Tensor, axis: int, thickness_voxels: float) -> torch.Tensor:
    """An image as an acquisition of thick slices shows it, interpolated back to its grid.

    Args:
        image: (1, z, y, x).
        axis: across the slices; 0, 1 or 2 for z, y or x.
        thickness_voxels: at least 1.

    Returns:
        An image of the same shape.
    """
    size = list(image.shape[1:])
    thick = [*size]
    thick[axis] = max(1, round(size[axis] / thickness_voxels))
    coarse = functional.interpolate(image[None], size=thick, mode="area")
    return functional.interpolate(coarse, size=size, mode="trilinear")[0]


class Augmentation:
    """Applies the drawn changes; the same generator state gives the same sample."""

    def __init__(self, config: AugmentationConfig) -> None:
        from monai.data import set_track_meta

        set_track_meta(False)
        self._config = config
        self._spatial = _spatial_transforms(config)
        self._intensity = _intensity_transforms(config)

    def __call__(
        self, images: NDArray[np.float32], labels: NDArray[np.uint8], generator: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Changes one sample.

        Args:
            images: (4, z, y, x) normalised intensities, 0 outside the brain.
            labels: (z, y, x).
            generator: source of randomness.

        Returns:
            Float32 images and int64 labels of the same shapes; intensity changes leave voxels that
            are exactly 0 alone, so background stays background.
        """
        for transforms in (self._spatial, self._intensity):
            transforms.set_random_state(seed=int(generator.integers(2**32)))
        sample = {"images": torch.from_numpy(images), "labels": torch.from_numpy(labels)[None]}
        moved = self._spatial(sample)
        changed = torch.cat([self._changed(one[None], generator) for one in moved["images"]])
        changed = changed.masked_fill(moved["images"] == 0, 0.0)
        return changed.float(), moved["labels"][0].long()

    def _changed(self, image: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
        """One sequence, (1, z, y, x), with its own change of intensity and slice thickness."""
        changed: torch.Tensor = self._intensity(image)
        if generator.random() >= self._config.thick_slices_probability:
            return changed
        thickness_voxels = generator.uniform(*self._config.thick_slices_voxels)
        return thick_slices(changed, int(generator.integers(3)), thickness_voxels)


def _spatial_transforms(config: AugmentationConfig) -> "Compose":
    from monai import transforms as mt

    both = ["images", "labels"]
    return mt.Compose(
        [
            mt.RandFlipd(both, prob=config.flip_probability, spatial_axis=2),
            mt.RandAffined(
                both,
                prob=config.affine_probability,
                rotate_range=(config.rotation_rad,) * 3,
                scale_range=(config.scale,) * 3,
                mode=("bilinear", "nearest"),
                padding_mode="zeros",
            ),
        ]
    )


def _intensity_transforms(config: AugmentationConfig) -> "Compose":
    """Changes of one sequence."""
    from monai import transforms as mt

    sigma = (0.3, config.blur_sigma_voxels)
    return mt.Compose(
        [
            mt.RandGaussianSmooth(
                prob=config.blur_probability, sigma_x=sigma, sigma_y=sigma, sigma_z=sigma
            ),
            mt.RandAdjustContrast(
                prob=config.contrast_probability, gamma=config.contrast_gamma, retain_stats=True
            ),
            mt.RandScaleIntensity(
                factors=config.intensity_scale, prob=config.intensity_probability
            ),
            mt.RandShiftIntensity(
                offsets=config.intensity_shift, prob=config.intensity_probability
            ),
            mt.RandGaussianNoise(prob=config.noise_probability, std=config.noise_sd),
        ]
    )
