"""Intraclass correlation: how much of a feature's spread is between patients, not readings."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import f as fisher


@dataclass(frozen=True)
class Agreement:
    """ICC(2,1) of p features with its interval; NaN where a feature does not vary."""

    estimate: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    cases: NDArray[np.int64]
    """How many cases had the feature in all readings."""


def icc(values: ArrayLike, level: float = 0.95) -> Agreement:
    """Two-way random effects, absolute agreement, single reading.

    ICC(2,1) of Shrout and Fleiss (1979), with the interval of McGraw and Wong (1996).

    Args:
        values: (n, k, p) p features of n cases in k readings; a case that lacks a feature in any
            reading is left out for that feature.
        level: of the interval.

    Raises:
        ValueError: not three axes, fewer than two readings, or a level outside (0, 1).
    """
    array = np.asarray(values, np.float64)
    if array.ndim != 3 or array.shape[1] < 2:
        raise ValueError(f"needs cases x at least 2 readings x features, not {array.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, not {level}")
    known = np.isfinite(array).all(axis=1)
    result = np.full((3, array.shape[2]), np.nan)
    patterns, number = np.unique(known, axis=1, return_inverse=True)
    # Features that are known in the same cases are computed at once.
    for pattern in range(patterns.shape[1]):
        features = np.flatnonzero(np.ravel(number) == pattern)
        rows = patterns[:, pattern]
        if rows.sum() > 1:
            result[:, features] = _complete(array[rows][:, :, features], level)
    return Agreement(result[0], result[1], result[2], known.sum(axis=0))


def _complete(values: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """(3, p) estimate, low and high of features without gaps."""
    n, k, _ = values.shape
    mean = values.mean(axis=(0, 1))
    rows, columns = values.mean(axis=1) - mean, values.mean(axis=0) - mean
    between = k * (rows**2).sum(axis=0) / (n - 1)
    readings = n * (columns**2).sum(axis=0) / (k - 1)
    rest = values - mean - rows[:, None] - columns[None]
    error = (rest**2).sum(axis=(0, 1)) / ((n - 1) * (k - 1))
    # What rounding leaves of a feature that never varies is no agreement.
    varies = between > 1e-24 * np.maximum(mean**2, 1e-300)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        estimate = (between - error) / (between + (k - 1) * error + k * (readings - error) / n)
        share = estimate / (1 - estimate)
        a, b = k * share / n, 1 + k * share * (n - 1) / n
        freedom = (a * readings + b * error) ** 2 / (
            (a * readings) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1))
        )
        tail = 1 - (1 - level) / 2
        over, under = fisher.ppf(tail, n - 1, freedom), fisher.ppf(tail, freedom, n - 1)
        noise = k * readings + (k * n - k - n) * error
        low = n * (between - over * error) / (over * noise + n * between)
        high = n * (under * between - error) / (noise + n * under * between)
    perfect = varies & (readings + error <= 1e-24 * between)
    found = np.where(varies, np.stack([estimate, low, high]), np.nan)
    return np.where(perfect, 1.0, found)
