"""Bias field correction by N4; off unless asked for."""

from dataclasses import dataclass

import SimpleITK as sitk


@dataclass(frozen=True)
class BiasFieldConfig:
    """Settings of N4."""

    shrink: int = 4
    """The field is smooth: it is estimated on every fourth voxel and evaluated on all."""
    iterations: tuple[int, ...] = (30, 30, 30)
    """At most so many, by level from coarse to fine."""
    tolerance: float = 1e-3


def correct_bias_field(
    image: sitk.Image, mask: sitk.Image, config: BiasFieldConfig | None = None
) -> sitk.Image:
    """Divides out the slow drift of intensity over the brain (N4, Tustison et al. 2010).

    Args:
        image: float32 intensities.
        mask: 1 inside the brain, on the same grid.
        config: the default settings if None.

    Returns:
        The corrected image, float32. Intensities outside the brain are divided by the field's
        extrapolation and mean little.

    Raises:
        ValueError: no voxel inside the mask is positive: there is nothing to estimate from.
    """
    config = config or BiasFieldConfig()
    # N4 works on logarithms, so only positive voxels can take part.
    usable = sitk.Cast((image > 0) & (mask > 0), sitk.sitkUInt8)
    factors = [min(config.shrink, max(1, size // 8)) for size in image.GetSize()]
    coarse_mask = sitk.Shrink(usable, factors)
    if not sitk.GetArrayViewFromImage(coarse_mask).any():
        raise ValueError("no positive intensity inside the brain mask to estimate a bias field")
    correction = sitk.N4BiasFieldCorrectionImageFilter()
    # One thread: sums over threads are not repeatable to the last bit.
    correction.SetNumberOfThreads(1)
    correction.SetMaximumNumberOfIterations(config.iterations)
    correction.SetConvergenceThreshold(config.tolerance)
    correction.Execute(sitk.Shrink(image, factors), coarse_mask)
    field = sitk.Exp(correction.GetLogBiasFieldAsImage(image))
    corrected: sitk.Image = sitk.Cast(image / sitk.Cast(field, sitk.sitkFloat32), sitk.sitkFloat32)
    return corrected
