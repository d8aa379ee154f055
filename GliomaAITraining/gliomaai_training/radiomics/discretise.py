"""Intensities become grey levels 1, 2, 3, ... (IBSI 2.7)."""

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.radiomics.config import Discretisation


def grey_levels(values: NDArray[np.float64], config: Discretisation) -> NDArray[np.int64]:
    """Grey levels of a region's voxels.

    With a fixed width, level 1 begins at the greatest multiple of the width that is no more than
    the region's minimum (PyRadiomics' choice where IBSI leaves the minimum open), so that regions
    with different minima share their bins' edges.

    Args:
        values: (n,) intensities of the region, n at least 1, finite.
        config: width or number of bins.

    Returns:
        (n,) levels from 1.
    """
    low, high = float(values.min()), float(values.max())
    if config.bin_number is not None:
        return _fixed_number(values, low, high, config.bin_number)
    width = float(config.bin_width or 1.0)
    first = low - low % width
    # The edges are added up as numpy.arange does, so that a value on an edge falls where it does
    # in other implementations.
    edges = np.arange(first, high + 2 * width, width)
    return np.asarray(np.searchsorted(edges, values, side="right"), np.int64)


def _fixed_number(
    values: NDArray[np.float64], low: float, high: float, number: int
) -> NDArray[np.int64]:
    if high == low:
        return np.ones(values.size, np.int64)
    edges = np.linspace(low, high, number + 1)
    levels = np.searchsorted(edges, values, side="right")
    return np.asarray(np.minimum(levels, number), np.int64)
