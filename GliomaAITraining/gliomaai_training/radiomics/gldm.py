"""Grey level dependence (IBSI 3.11): how many neighbours share a voxel's level, itself included."""

import numpy as np

from gliomaai_training.radiomics.neighbourhood import Neighbourhood
from gliomaai_training.radiomics.size_matrix import Terms, counted, size_features

TERMS = Terms("SmallDependence", "LargeDependence", "Dependence", "", "Dependence")

NAMES = (
    "DependenceEntropy",
    "DependenceNonUniformity",
    "DependenceNonUniformityNormalized",
    "DependenceVariance",
    "GrayLevelNonUniformity",
    "GrayLevelVariance",
    "HighGrayLevelEmphasis",
    "LargeDependenceEmphasis",
    "LargeDependenceHighGrayLevelEmphasis",
    "LargeDependenceLowGrayLevelEmphasis",
    "LowGrayLevelEmphasis",
    "SmallDependenceEmphasis",
    "SmallDependenceHighGrayLevelEmphasis",
    "SmallDependenceLowGrayLevelEmphasis",
)
"""The normalised grey level non-uniformity is first-order uniformity, and left out."""


def gldm_features(around: Neighbourhood) -> dict[str, float]:
    """All of `NAMES`; coarseness 0 and distance 1."""
    equal = np.count_nonzero(around.ahead == around.inside, axis=0)
    equal += np.count_nonzero(around.behind == around.inside, axis=0)
    matrix = counted(around.inside.astype(np.int64), equal.astype(np.int64) + 1, around.values)
    features = size_features(matrix, TERMS)
    return {name: features[name] for name in NAMES}
