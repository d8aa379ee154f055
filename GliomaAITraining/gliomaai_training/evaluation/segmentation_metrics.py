"""How well a segmentation agrees with an expert's: Dice, HD95 and lesion-wise Dice by region.

Masks are boolean arrays (k, j, i); spacings are (k, j, i) in mm, so the reverse of SimpleITK's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gliomaai_training.vocabulary import REGIONS

HD95_ONE_EMPTY_MM = 373.13
"""HD95 when only one of the two masks is empty: the diagonal of the BraTS image (240x240x155 mm),
as the BraTS challenges score it."""

LESION_DILATION_VOXELS = 3
"""Foci of the truth closer than twice this count as one lesion (BraTS 2023)."""

LESION_MINIMUM_MM3 = 50.0
"""Lesions of the truth up to this volume are not judged (BraTS 2023)."""

Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]


@dataclass(frozen=True)
class RegionScores:
    """Agreement in one region of one case."""

    region: str
    dice: float
    hd95_mm: float
    lesion_dice: float
    predicted_ml: float
    truth_ml: float


def case_scores(
    predicted: NDArray[np.integer], truth: NDArray[np.integer], spacing_mm: Spacing
) -> tuple[RegionScores, ...]:
    """The scores of WT, TC and ET, in that order.

    Args:
        predicted: `vocabulary.Label` values (k, j, i).
        truth: the expert's labels, same shape.
        spacing_mm: size of a voxel along k, j, i.

    Raises:
        ValueError: the shapes differ or are not three-dimensional, or a spacing is not positive.
    """
    _check(predicted, truth, spacing_mm)
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    scores = []
    for region, labels in REGIONS.items():
        ours, theirs = np.isin(predicted, labels), np.isin(truth, labels)
        scores.append(
            RegionScores(
                region=region,
                dice=dice(ours, theirs),
                hd95_mm=hd95_mm(ours, theirs, spacing_mm),
                lesion_dice=lesion_dice(ours, theirs, spacing_mm),
                predicted_ml=np.count_nonzero(ours) * voxel_ml,
                truth_ml=np.count_nonzero(theirs) * voxel_ml,
            )
        )
    return tuple(scores)


def dice(predicted: Mask, truth: Mask) -> float:
    """Dice's overlap, 2|A and B| / (|A| + |B|); 1 if both are empty.

    Raises:
        ValueError: the shapes differ.
    """
    if predicted.shape != truth.shape:
        raise ValueError(f"masks of different shapes: {predicted.shape} and {truth.shape}")
    total = np.count_nonzero(predicted) + np.count_nonzero(truth)
    return 2.0 * np.count_nonzero(predicted & truth) / total if total else 1.0


def hd95_mm(predicted: Mask, truth: Mask, spacing_mm: Spacing) -> float:
    """The 95th percentile Hausdorff distance between two masks' surfaces.

    The larger of the two directed 95th percentiles of the distances from each surface voxel's
    centre to the nearest surface voxel's centre of the other mask, as in MONAI. A surface voxel
    has a face neighbour outside the mask or the image. 0 if both masks are empty,
    `HD95_ONE_EMPTY_MM` if one is.

    Raises:
        ValueError: the shapes differ or are not three-dimensional, or a spacing is not positive.
    """
    _check(predicted, truth, spacing_mm)
    if not predicted.any() or not truth.any():
        return HD95_ONE_EMPTY_MM if predicted.any() or truth.any() else 0.0
    box = _bounding_box(predicted | truth)
    surfaces = [_surface(predicted[box]), _surface(truth[box])]
    directed = []
    for ours, theirs in (surfaces, surfaces[::-1]):
        distance = ndimage.distance_transform_edt(~theirs, sampling=spacing_mm)
        directed.append(np.percentile(np.asarray(distance)[ours], 95))
    return float(max(directed))


def lesion_dice(predicted: Mask, truth: Mask, spacing_mm: Spacing) -> float:
    """Mean Dice over lesions, so that a missed or an invented focus counts as much as a large one.

    After BraTS 2023 (github.com/rachitsaluja/BraTS-2023-Metrics): a lesion is a connected part
    (26 neighbours) of the truth dilated by 3 voxels (18 neighbours). Every predicted focus that
    touches a lesion's dilation belongs to the lesion, which scores the Dice of their union with
    its truth. A predicted focus that touches none scores 0. The mean is over lesions above
    `LESION_MINIMUM_MM3` and such foci; 1 if there is neither.

    Raises:
        ValueError: the shapes differ or are not three-dimensional, or a spacing is not positive.
    """
    _check(predicted, truth, spacing_mm)
    either = predicted | truth
    if not either.any():
        return 1.0
    box = _bounding_box(either, margin=LESION_DILATION_VOXELS)
    predicted, truth = predicted[box], truth[box]
    touching = np.ones((3, 3, 3), bool)
    foci, focus_count = ndimage.label(predicted, touching)
    dilated = ndimage.binary_dilation(
        truth, ndimage.generate_binary_structure(3, 2), LESION_DILATION_VOXELS
    )
    territories, lesion_count = ndimage.label(dilated, touching)
    scores, matched = [], {0}
    for lesion in range(1, lesion_count + 1):
        territory = territories == lesion
        own = truth & territory
        members = set(np.unique(foci[territory]).tolist()) - {0}
        matched |= members
        if np.count_nonzero(own) * np.prod(spacing_mm) > LESION_MINIMUM_MM3:
            scores.append(dice(np.isin(foci, list(members)), own))
    invented = focus_count + 1 - len(matched)
    judged = len(scores) + invented
    return sum(scores) / judged if judged else 1.0


def _surface(mask: Mask) -> Mask:
    surface: Mask = mask & ~ndimage.binary_erosion(mask)
    return surface


def _bounding_box(mask: Mask, margin: int = 0) -> tuple[slice, ...]:
    slices = ndimage.find_objects(mask.astype(np.uint8))[0]
    return tuple(
        slice(max(0, part.start - margin), min(size, part.stop + margin))
        for part, size in zip(slices, mask.shape, strict=True)
    )


def _check(
    predicted: NDArray[np.generic], truth: NDArray[np.generic], spacing_mm: Sequence[float]
) -> None:
    if predicted.shape != truth.shape or predicted.ndim != 3:
        raise ValueError(
            f"masks must share one three-dimensional shape, not {predicted.shape}, {truth.shape}"
        )
    if len(spacing_mm) != 3 or not all(value > 0 for value in spacing_mm):
        raise ValueError(f"spacing must be three positive lengths in mm, not {spacing_mm}")
