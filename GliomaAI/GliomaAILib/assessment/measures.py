"""What can be measured of a tumour from its label image, in patient space."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.vocabulary import REGIONS, Label
from GliomaAILib.assessment.diameters import Diameters, diameters
from GliomaAILib.assessment.foci import Focus, bounding_box, centre_of_mass_ras, foci
from GliomaAILib.assessment.midline import Laterality, Midline, laterality, midline_of_mask

FOCI_REGIONS = ("WT", "TC")
"""Separate whole-tumour parts are multicentric growth; separate cores in one are multifocal."""


@dataclass(frozen=True)
class Location:
    """Where the tumour lies in the brain: everything here is approximate."""

    centre_icbm152_mm: tuple[float, float, float]
    """Centre of mass in ICBM152 2009a space, RAS mm, by an affine registration."""
    lobe: str
    """The lobe that holds most of the tumour."""
    lobe_shares: Mapping[str, float]
    """Share of the whole tumour's volume by lobe, largest first; they sum to 1."""
    ventricle_distance_mm: Mapping[str, float] | None
    """Distance from WT and TC to the ventricles, 0 in touch; None where no ventricle is sure."""
    brain_overlap: float
    """Dice of the template's brain and the patient's after registration: its check."""


@dataclass(frozen=True)
class Measures:
    """Measures of one tumour; None, 0 or empty where there is nothing to measure."""

    volumes_ml: Mapping[str, float]
    """By NCR, ED, ET, TC, WT."""
    brain_ml: float | None
    enhancing_proportion: float | None
    """ET of WT by volume (VASARI feature 5)."""
    necrotic_proportion: float | None
    """NCR of WT by volume (VASARI feature 7); holds non-enhancing core too, as the label does."""
    enhancing_proportion_of_core: float | None
    """ET of TC by volume."""
    diameters: Mapping[str, Diameters]
    """By region, for the regions that are present."""
    rano_region: str | None
    """The region whose diameters RANO follows: ET, or WT in a tumour that does not enhance."""
    foci: Mapping[str, tuple[Focus, ...]]
    """By region of `FOCI_REGIONS`, largest first."""
    centre_ras_mm: tuple[float, float, float] | None
    """Centre of mass of WT, RAS mm."""
    laterality: Laterality | None
    """None without a tumour or without a brain to tell the midline by."""
    location: Location | None = None


def measure(
    labels: sitk.Image,
    brain_mask: sitk.Image | None = None,
    midline: Midline | None = None,
) -> Measures:
    """Measures a tumour.

    Args:
        labels: `vocabulary.Label` values in any axis order and direction. The axial plane is the
            image plane nearest to the patient's.
        brain_mask: 1 inside the brain, on the same grid.
        midline: the brain's mid-sagittal plane; found from the brain mask when not given.

    Raises:
        ValueError: an image is not three-dimensional, a label is unknown, or the grids differ.
    """
    _check(labels, brain_mask)
    if brain_mask is not None and midline is None:
        midline = midline_of_mask(brain_mask)
    upright, grid = _upright_crop(labels)
    volumes_ml = _volumes_ml(upright, grid)
    masks = {name: np.isin(upright, parts) for name, parts in REGIONS.items()}
    whole = masks["WT"]
    present = bool(whole.any())
    found = {name: _diameters(name, masks, grid) for name in REGIONS}
    return Measures(
        volumes_ml=volumes_ml,
        brain_ml=None if brain_mask is None else _mask_ml(brain_mask),
        enhancing_proportion=_proportion(volumes_ml["ET"], volumes_ml["WT"]),
        necrotic_proportion=_proportion(volumes_ml["NCR"], volumes_ml["WT"]),
        enhancing_proportion_of_core=_proportion(volumes_ml["ET"], volumes_ml["TC"]),
        diameters={name: pair for name, pair in found.items() if pair is not None},
        rano_region=("ET" if masks["ET"].any() else "WT") if present else None,
        foci={name: foci(masks[name], grid) for name in FOCI_REGIONS},
        centre_ras_mm=centre_of_mass_ras(whole, grid) if present else None,
        laterality=laterality(whole, grid, midline) if present and midline is not None else None,
    )


def _check(labels: sitk.Image, brain_mask: sitk.Image | None) -> None:
    if labels.GetDimension() != 3:
        raise ValueError(f"labels have {labels.GetDimension()} dimensions, not 3")
    if brain_mask is not None and not Grid.of(labels).matches(Grid.of(brain_mask)):
        raise ValueError("the brain mask lies on another grid than the labels")
    values = np.unique(sitk.GetArrayViewFromImage(labels))
    unknown = sorted(set(values.tolist()) - set(Label))
    if unknown:
        raise ValueError(f"labels hold unknown values {unknown}, only {sorted(Label)} are known")


def _upright_crop(labels: sitk.Image) -> tuple[NDArray[np.uint8], Grid]:
    """The tumour's bounding box with i, j, k nearest to left, posterior, superior."""
    upright = sitk.DICOMOrient(labels, "LPS")
    array = sitk.GetArrayViewFromImage(upright)
    box = bounding_box(array > 0) or (slice(0, 1),) * 3
    k, j, i = box
    crop = upright[i.start : i.stop, j.start : j.stop, k.start : k.stop]
    return array[box].astype(np.uint8), Grid.of(crop)


def _volumes_ml(labels: NDArray[np.uint8], grid: Grid) -> dict[str, float]:
    counts = np.bincount(labels.ravel(), minlength=len(Label))
    parts = {label.name: (label,) for label in Label if label != Label.BACKGROUND}
    return {
        name: float(counts[list(values)].sum() * grid.voxel_ml)
        for name, values in {**parts, **REGIONS}.items()
    }


def _diameters(name: str, masks: Mapping[str, NDArray[np.bool_]], grid: Grid) -> Diameters | None:
    # Fragments of an enhancing rim around one core are one lesion to a reader.
    return diameters(masks[name], masks["TC"] if name == "ET" else masks[name], grid)


def _mask_ml(mask: sitk.Image) -> float:
    return float(np.count_nonzero(sitk.GetArrayViewFromImage(mask)) * Grid.of(mask).voxel_ml)


def _proportion(part_ml: float, whole_ml: float) -> float | None:
    return part_ml / whole_ml if whole_ml > 0 else None
