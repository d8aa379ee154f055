"""The same case as somebody else might have scanned and outlined it.

After Zwanenburg et al., Assessing robustness of radiomic features by image perturbation (Sci Rep
2019): rotation and translation of image and mask, volume change, and a random contour. They draw
contours from supervoxels; here a smooth random field moves the surface instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from gliomaai_training.data.case_store import LEGACY_ET
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.radiomics.images import FeatureCase
from gliomaai_training.vocabulary import REGIONS, Label

OUTERMOST_FIRST = tuple(REGIONS)
"""WT holds TC, TC holds ET."""

ROOM_MM = 15.0
"""How far from the tumour a new outline may reach."""


@dataclass(frozen=True)
class PerturbationConfig:
    """Ranges that a perturbation is drawn from; 0 leaves that part out."""

    rotation_degrees: float = 13.0
    """About the superior-inferior axis, either way (the paper's range)."""
    translation_voxels: float = 0.75
    """Along each axis, either way (the paper's range)."""
    volume_change: float = 0.28
    """Of each region's voxels, grown or shrunk (the paper's range); ET, a shell, loses more where
    the core's outline cuts it."""
    contour_mm: float = 0.7
    """Standard deviation of the surface's random displacement."""
    contour_smoothness_mm: float = 4.0
    """How far apart two places of the surface must be to move independently."""

    def __post_init__(self) -> None:
        for name in ("rotation_degrees", "translation_voxels", "contour_mm"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, not {getattr(self, name)}")
        if not 0 <= self.volume_change < 1:
            raise ValueError(f"volume_change must lie in [0, 1), not {self.volume_change}")
        if not self.contour_smoothness_mm > 0:
            raise ValueError(
                f"contour_smoothness_mm must be positive, not {self.contour_smoothness_mm}"
            )


DEFAULT_RANGES = PerturbationConfig()


@dataclass(frozen=True)
class Perturbation:
    """What was drawn: JSON values that give the same case again."""

    rotation_degrees: float = 0.0
    translation_voxels: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Along i, j, k."""
    volume_change: float = 0.0
    """0.1 makes every region a tenth larger."""
    contour_mm: float = 0.0
    contour_smoothness_mm: float = 4.0
    contour_seed: int = 0


def draw_perturbation(
    generator: np.random.Generator, config: PerturbationConfig = DEFAULT_RANGES
) -> Perturbation:
    """A random perturbation, uniform within the ranges."""
    shift = generator.uniform(-config.translation_voxels, config.translation_voxels, 3)
    return Perturbation(
        rotation_degrees=float(
            generator.uniform(-config.rotation_degrees, config.rotation_degrees)
        ),
        translation_voxels=(float(shift[0]), float(shift[1]), float(shift[2])),
        volume_change=float(generator.uniform(-config.volume_change, config.volume_change)),
        contour_mm=config.contour_mm,
        contour_smoothness_mm=config.contour_smoothness_mm,
        contour_seed=int(generator.integers(2**31)),
    )


def perturbed(case: FeatureCase, perturbation: Perturbation) -> FeatureCase:
    """The case, turned and moved, then outlined anew. A region that is empty stays empty."""
    moved = _moved(case, perturbation)
    if not (perturbation.volume_change or perturbation.contour_mm):
        return moved
    generator = np.random.default_rng(perturbation.contour_seed)
    labels = sitk.GetArrayFromImage(moved.labels)
    spacing_mm = moved.labels.GetSpacing()[::-1]
    part = _tumour_box(labels, spacing_mm)
    outlined = {
        name: _outlined(mask, spacing_mm, perturbation, generator)
        for name, mask in _regions(labels[part]).items()
    }
    fresh = np.zeros(labels.shape, np.uint8)
    fresh[part] = _labels(outlined)
    return replace(moved, labels=Grid.of(moved.labels).image(fresh))


def _tumour_box(labels: NDArray[np.generic], spacing_mm: tuple[float, ...]) -> tuple[slice, ...]:
    """The tumour and room to grow; everything if there is none."""
    places = np.argwhere(labels)
    if not len(places):
        return (slice(None),) * 3
    low, high = places.min(axis=0), places.max(axis=0) + 1
    return tuple(
        slice(max(int(a - ROOM_MM / mm), 0), int(b + ROOM_MM / mm) + 1)
        for a, b, mm in zip(low, high, spacing_mm, strict=True)
    )


def _outlined(
    mask: NDArray[np.bool_],
    spacing_mm: tuple[float, ...],
    perturbation: Perturbation,
    generator: np.random.Generator,
) -> NDArray[np.bool_]:
    """A region whose surface is moved at random, then as a whole until its volume is right."""
    field = generator.standard_normal(mask.shape)
    voxels = int(np.count_nonzero(mask))
    wanted = min(round(voxels * (1 + perturbation.volume_change)), mask.size)
    if not voxels or not wanted:
        return mask
    outward_mm = distance_transform_edt(~mask, spacing_mm)
    height_mm = np.asarray(distance_transform_edt(mask, spacing_mm) - outward_mm)
    if perturbation.contour_mm:
        width = [perturbation.contour_smoothness_mm / mm for mm in spacing_mm]
        smooth = gaussian_filter(field, width)
        height_mm += perturbation.contour_mm * smooth / max(float(smooth.std()), 1e-12)
    # Neighbouring voxels are at equal heights; the field's noise decides among them.
    height_mm += 1e-6 * field
    threshold = np.partition(height_mm, -wanted, axis=None)[-wanted]
    return np.asarray(height_mm >= threshold)


def _moved(case: FeatureCase, perturbation: Perturbation) -> FeatureCase:
    """Turned about the tumour's centre, on the same grid."""
    if not (perturbation.rotation_degrees or any(perturbation.translation_voxels)):
        return case
    grid = Grid.of(case.labels)
    masks = _regions(sitk.GetArrayFromImage(case.labels))
    places = np.argwhere(masks[OUTERMOST_FIRST[0]])
    if not len(places):
        return case
    centre = np.append(places.mean(axis=0)[::-1], 1.0)
    axes = np.reshape(grid.direction, (3, 3))
    shift_mm = axes @ np.multiply(perturbation.translation_voxels, grid.spacing_mm)
    motion = sitk.Euler3DTransform(
        [float(mm) for mm in (grid.ijk_to_lps @ centre)[:3]],
        0.0,
        0.0,
        float(np.deg2rad(perturbation.rotation_degrees)),
        [float(mm) for mm in shift_mm],
    )
    images = {name: _resampled(image, motion) for name, image in case.images.items()}
    turned = {
        name: sitk.GetArrayFromImage(_resampled(grid.image(mask.astype(np.float32)), motion)) >= 0.5
        for name, mask in masks.items()
    }
    brain = None
    if case.brain is not None:
        brain = _resampled(sitk.Cast(case.brain, sitk.sitkFloat32), motion) >= 0.5
    return replace(case, images=images, labels=grid.image(_labels(turned)), brain=brain)


def _resampled(image: sitk.Image, motion: sitk.Transform) -> sitk.Image:
    resampled: sitk.Image = sitk.Resample(
        sitk.Cast(image, sitk.sitkFloat32), image, motion, sitk.sitkLinear, 0.0
    )
    return resampled


def _regions(labels: NDArray[np.generic]) -> dict[str, NDArray[np.bool_]]:
    labels = np.where(labels == LEGACY_ET, Label.ET, labels)
    return {name: np.isin(labels, REGIONS[name]) for name in OUTERMOST_FIRST}


def _labels(regions: Mapping[str, NDArray[np.bool_]]) -> NDArray[np.uint8]:
    """Labels of nested regions; what an inner one has outside of an outer one is cut off."""
    core = regions["TC"] & regions["WT"]
    labels = np.where(regions["WT"], Label.ED, Label.BACKGROUND).astype(np.uint8)
    labels[core] = Label.NCR
    labels[core & regions["ET"]] = Label.ET
    return labels
