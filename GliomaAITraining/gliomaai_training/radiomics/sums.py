"""Sums by key."""

import numpy as np
from numpy.typing import NDArray


def sums_by_key(
    keys: NDArray[np.integer], weights: NDArray[np.float64], length: int = 0
) -> NDArray[np.float64]:
    """(at least `length`,) sum of the weights of each key 0, 1, 2, ..."""
    return np.asarray(np.bincount(keys, weights, length), np.float64)
