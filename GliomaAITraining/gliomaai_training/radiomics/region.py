"""All features of one region of one image."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.radiomics import (
    first_order,
    glcm,
    gldm,
    glrlm,
    glszm,
    ngtdm,
    shape,
)
from gliomaai_training.radiomics.config import Discretisation, FeatureClass
from gliomaai_training.radiomics.discretise import grey_levels
from gliomaai_training.radiomics.neighbourhood import Adjacency, Neighbourhood, neighbourhood

NAMES: Mapping[FeatureClass, tuple[str, ...]] = MappingProxyType(
    {
        "shape": shape.NAMES,
        "firstorder": first_order.NAMES,
        "glcm": glcm.NAMES,
        "glrlm": glrlm.NAMES,
        "glszm": glszm.NAMES,
        "gldm": gldm.NAMES,
        "ngtdm": ngtdm.NAMES,
    }
)
"""The features of each class, in the order of the table."""

TEXTURE: Mapping[FeatureClass, Callable[[Neighbourhood], dict[str, float]]] = MappingProxyType(
    {
        "glcm": glcm.glcm_features,
        "glrlm": glrlm.glrlm_features,
        "glszm": glszm.glszm_features,
        "gldm": gldm.gldm_features,
        "ngtdm": ngtdm.ngtdm_features,
    }
)


def intensity_features(
    values: NDArray[np.float64],
    around: Adjacency,
    voxel_mm3: float,
    discretisation: Discretisation,
    classes: tuple[FeatureClass, ...],
) -> dict[str, float]:
    """First order and texture, named `class_Feature`.

    Args:
        values: (n,) intensities of the region's voxels, n at least 1.
        around: who is next to whom among them.
        voxel_mm3: volume of a voxel.
        discretisation: how intensities become grey levels.
        classes: which classes; shape is passed over.

    Raises:
        ValueError: an intensity in the region is not finite.
    """
    if not np.isfinite(values).all():
        raise ValueError("an intensity in the region is not finite")
    levels = grey_levels(values, discretisation)
    features: dict[str, float] = {}
    if "firstorder" in classes:
        found = first_order.first_order_features(values, levels, voxel_mm3)
        features |= {f"firstorder_{name}": value for name, value in found.items()}
    wanted = [name for name in classes if name in TEXTURE]
    if wanted:
        grey = neighbourhood(around, levels)
        for name in wanted:
            found = TEXTURE[name](grey)
            features |= {f"{name}_{feature}": value for feature, value in found.items()}
    return features


def nothing_known(classes: tuple[FeatureClass, ...]) -> dict[str, float]:
    """The same features of a region that is too small to have any."""
    return {
        f"{name}_{feature}": np.nan
        for name in classes
        if name != "shape"
        for feature in NAMES[name]
    }
