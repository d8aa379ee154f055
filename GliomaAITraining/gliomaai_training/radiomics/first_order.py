"""Features of the distribution of a region's intensities (IBSI 3.3 and 3.4.18 to 19)."""

import numpy as np
from numpy.typing import NDArray

NAMES = (
    "10Percentile",
    "90Percentile",
    "Energy",
    "Entropy",
    "InterquartileRange",
    "Kurtosis",
    "Maximum",
    "Mean",
    "MeanAbsoluteDeviation",
    "Median",
    "Minimum",
    "Range",
    "RobustMeanAbsoluteDeviation",
    "RootMeanSquared",
    "Skewness",
    "TotalEnergy",
    "Uniformity",
    "Variance",
)
"""Kurtosis is not in excess of 3 (as PyRadiomics, unlike IBSI); entropy is in bits."""


def first_order_features(
    values: NDArray[np.float64], levels: NDArray[np.int64], voxel_mm3: float
) -> dict[str, float]:
    """All of `NAMES`.

    Args:
        values: (n,) intensities of the region, n at least 1.
        levels: (n,) grey levels of the same voxels, from 1.
        voxel_mm3: volume of a voxel.
    """
    p10, p25, p50, p75, p90 = np.percentile(values, (10, 25, 50, 75, 90))
    mean = values.mean()
    centred = values - mean
    squared = centred * centred
    variance = squared.mean()
    spread = variance if variance > 0 else 1.0
    robust = values[(values >= p10) & (values <= p90)]
    energy = values @ values
    probability = np.bincount(levels) / levels.size
    probability = probability[probability > 0]
    features = {
        "10Percentile": p10,
        "90Percentile": p90,
        "Energy": energy,
        "Entropy": -(probability @ np.log2(probability)),
        "InterquartileRange": p75 - p25,
        "Kurtosis": (squared @ squared) / values.size / spread**2,
        "Maximum": values.max(),
        "Mean": mean,
        "MeanAbsoluteDeviation": _mean_deviation(values),
        "Median": p50,
        "Minimum": values.min(),
        "Range": values.max() - values.min(),
        "RobustMeanAbsoluteDeviation": _mean_deviation(robust),
        "RootMeanSquared": np.sqrt(energy / values.size),
        "Skewness": (squared @ centred) / values.size / spread**1.5,
        "TotalEnergy": energy * voxel_mm3,
        "Uniformity": probability @ probability,
        "Variance": variance,
    }
    return {name: float(value) for name, value in features.items()}


def _mean_deviation(values: NDArray[np.float64]) -> float:
    """Unknown without values: none of two voxels lies between the 10th and 90th percentile."""
    return float(np.abs(values - values.mean()).mean()) if values.size else np.nan
