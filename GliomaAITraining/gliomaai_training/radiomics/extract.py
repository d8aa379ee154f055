"""One case becomes one row of features."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from gliomaai_training.progress import Progress, silent
from gliomaai_training.radiomics.config import DEFAULT_RECIPE, FeatureClass, RadiomicsConfig
from gliomaai_training.radiomics.filters import ORIGINAL, filtered_images, image_types
from gliomaai_training.radiomics.images import FeatureCase, Masks, measured_image, measured_masks
from gliomaai_training.radiomics.neighbourhood import Adjacency, adjacency
from gliomaai_training.radiomics.region import NAMES, intensity_features
from gliomaai_training.radiomics.shape import shape_features

STAGE = "radiomics"


class RegionState(StrEnum):
    """What could be measured of a region."""

    MEASURED = "measured"
    SHAPE_ONLY = "shape only"
    """Fewer voxels than the configuration's minimum: intensities and texture are unknown."""
    EMPTY = "empty"
    """No voxel: volumes and surface are 0, everything else is unknown."""


@dataclass(frozen=True)
class FeatureVector:
    """The features of one case."""

    case: str
    values: Mapping[str, float]
    """By column, always all of `feature_columns`; what is unknown is NaN."""
    states: Mapping[str, RegionState]
    """By region."""
    voxels: Mapping[str, int]
    """By region, on the grid that was measured."""


def feature_columns(config: RadiomicsConfig) -> tuple[str, ...]:
    """The columns of every case: `WT_original_shape_Sphericity` for a region's shape, and
    `t1gd_WT_original_glcm_Contrast` for a sequence in a region."""
    shapes = [
        shape_column(region, name)
        for region in config.regions
        if "shape" in config.classes
        for name in NAMES["shape"]
    ]
    others = [
        intensity_column(sequence, region, kind, f"{group}_{name}")
        for sequence in config.sequences
        for kind in image_types(config.filters)
        for region in config.regions
        for group in intensity_classes(config)
        for name in NAMES[group]
    ]
    return (*shapes, *others)


def shape_column(region: str, feature: str) -> str:
    """Column of a feature of form."""
    return f"{region}_{ORIGINAL}_shape_{feature}"


def intensity_column(sequence: str, region: str, kind: str, feature: str) -> str:
    """Column of a feature such as `glcm_Contrast`."""
    return f"{sequence}_{region}_{kind}_{feature}"


def intensity_classes(config: RadiomicsConfig) -> tuple[FeatureClass, ...]:
    """The classes that are measured in images."""
    return tuple(group for group in config.classes if group != "shape")


def extract(
    case: FeatureCase, config: RadiomicsConfig = DEFAULT_RECIPE, progress: Progress = silent
) -> FeatureVector:
    """Measures every region of a case, in every sequence that it has.

    Args:
        case: images and labels of one grid.
        config: what is measured and how.
        progress: told after each image; may cancel.

    Raises:
        ValueError: an image has no contrast, or holds values in a region that are not finite.
    """
    progress(STAGE, 0.0)
    masks = measured_masks(case, config)
    states = {name: _state(region.voxels, config) for name, region in masks.regions.items()}
    values = dict.fromkeys(feature_columns(config), np.nan)
    if "shape" in config.classes:
        for name, region in masks.regions.items():
            found = shape_features(region.mask, masks.voxel_mm)
            values |= {shape_column(name, feature): value for feature, value in found.items()}
    around = {
        name: adjacency(region.mask)
        for name, region in masks.regions.items()
        if states[name] is RegionState.MEASURED and intensity_classes(config)
    }
    present = [name for name in config.sequences if name in case.images and around]
    for number, sequence in enumerate(present, start=1):
        values |= _sequence_features(case, sequence, masks, around, config)
        progress(STAGE, number / len(present))
    progress(STAGE, 1.0)
    voxels = {name: region.voxels for name, region in masks.regions.items()}
    return FeatureVector(case.case, values, states, voxels)


def _state(voxels: int, config: RadiomicsConfig) -> RegionState:
    if voxels == 0:
        return RegionState.EMPTY
    return RegionState.MEASURED if voxels >= config.minimum_voxels else RegionState.SHAPE_ONLY


def _sequence_features(
    case: FeatureCase,
    sequence: str,
    masks: Masks,
    around: Mapping[str, Adjacency],
    config: RadiomicsConfig,
) -> dict[str, float]:
    image = measured_image(case, sequence, masks, config)
    voxel_mm3 = float(np.prod(masks.voxel_mm))
    classes = intensity_classes(config)
    values: dict[str, float] = {}
    for kind, array in filtered_images(image, config.filters):
        for name, neighbours in around.items():
            region = masks.regions[name]
            inside = array[region.box][region.mask[1:-1, 1:-1, 1:-1]]
            found = intensity_features(
                inside, neighbours, voxel_mm3, config.discretisation, classes
            )
            values |= {
                intensity_column(sequence, name, kind, feature): value
                for feature, value in found.items()
            }
    return values
