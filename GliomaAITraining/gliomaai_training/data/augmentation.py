"""Random changes of a training sample, with MONAI's transforms."""

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from monai.transforms import Compose


class AugmentationConfig(BaseModel):
    """How often and how far a sample is changed. Probabilities are for each sample."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    flip_probability: float = 0.5
    """Left-right only: a brain is nowhere else nearly symmetric."""
    affine_probability: float = 0.25
    rotation_rad: float = 0.25
    scale: float = 0.12
    noise_probability: float = 0.15
    noise_sd: float = 0.15
    blur_probability: float = 0.15
    blur_sigma_voxels: float = 0.9
    contrast_probability: float = 0.3
    contrast_gamma: tuple[float, float] = (0.7, 1.5)
    intensity_probability: float = 0.5
    intensity_scale: float = 0.15
    intensity_shift: float = 0.15


class Augmentation:
    """Applies the drawn changes; the same generator state gives the same sample."""

    def __init__(self, config: AugmentationConfig) -> None:
        from monai.data import set_track_meta

        set_track_meta(False)
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
        background = moved["images"] == 0
        changed = self._intensity(moved)["images"].masked_fill(background, 0.0)
        return changed.float(), moved["labels"][0].long()


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
    from monai import transforms as mt

    images = ["images"]
    sigma = (0.3, config.blur_sigma_voxels)
    return mt.Compose(
        [
            mt.RandGaussianSmoothd(
                images, prob=config.blur_probability, sigma_x=sigma, sigma_y=sigma, sigma_z=sigma
            ),
            mt.RandAdjustContrastd(
                images,
                prob=config.contrast_probability,
                gamma=config.contrast_gamma,
                retain_stats=True,
            ),
            mt.RandScaleIntensityd(
                images,
                factors=config.intensity_scale,
                prob=config.intensity_probability,
                channel_wise=True,
            ),
            mt.RandShiftIntensityd(
                images,
                offsets=config.intensity_shift,
                prob=config.intensity_probability,
                channel_wise=True,
            ),
            mt.RandGaussianNoised(images, prob=config.noise_probability, std=config.noise_sd),
        ]
    )
