"""Whether probabilities of a yes-or-no fact mean what they say: Brier, calibration error, slope."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import minimize
from scipy.special import logit

Floats = NDArray[np.float64]

BINS = 10
SMALLEST = 1e-6
"""Probabilities are kept this far from 0 and 1 where their log odds are needed."""


@dataclass(frozen=True)
class Bin:
    """Patients of similar probability."""

    patients: int
    predicted: float
    """Mean probability."""
    observed: float
    """Share of positives."""


@dataclass(frozen=True)
class CalibrationLine:
    """Log odds observed = intercept + slope x log odds predicted; 0 and 1 where all is well."""

    intercept: float
    slope: float


def brier(probability: ArrayLike, positive: ArrayLike) -> float:
    """Mean squared distance of probability and truth; 0 is best (Brier 1950).

    Raises:
        ValueError: what is no probability, or another number of truths.
    """
    p, truth = _checked(probability, positive)
    return float(np.mean((p - truth) ** 2))


def calibration_bins(
    probability: ArrayLike, positive: ArrayLike, equal_mass: bool = True, bins: int = BINS
) -> tuple[Bin, ...]:
    """Patients by their probability.

    Args:
        probability: (n,)
        positive: (n,) 0 or 1.
        equal_mass: bins of equally many patients; else of equal width. Empty ones are left out.
        bins: how many.

    Raises:
        ValueError: as `brier`.
    """
    p, truth = _checked(probability, positive)
    return tuple(
        Bin(part.size, float(p[part].mean()), float(truth[part].mean()))
        for part in _parts(p, equal_mass, bins)
    )


def calibration_error(
    probability: ArrayLike, positive: ArrayLike, equal_mass: bool = True, bins: int = BINS
) -> float:
    """Expected calibration error: mean gap between predicted and observed, weighted by patients.

    Raises:
        ValueError: as `brier`.
    """
    found = calibration_bins(probability, positive, equal_mass, bins)
    gaps = [one.patients * abs(one.predicted - one.observed) for one in found]
    return float(sum(gaps) / sum(one.patients for one in found))


def resampled_calibration_error(
    probability: ArrayLike,
    positive: ArrayLike,
    draws: NDArray[np.number],
    equal_mass: bool = True,
    bins: int = BINS,
) -> Floats:
    """`calibration_error` of resampled patients, for `bootstrap.bootstrap`; the bins stay fixed.

    A gap has no sign, so that resampling widens it: the interval lies somewhat too high where
    patients are few.

    Args:
        probability: (n,)
        positive: (n,) 0 or 1.
        draws: (resamples, n) how often each patient was drawn.
        equal_mass: bins of equally many patients; else of equal width.
        bins: how many.

    Returns:
        (resamples,); NaN for a resample without patients.

    Raises:
        ValueError: as `brier`.
    """
    p, truth = _checked(probability, positive)
    signed = draws * (p - truth)
    gaps = np.zeros(len(draws))
    for part in _parts(p, equal_mass, bins):
        gaps += np.abs(signed[:, part].sum(axis=1))
    drawn = draws.sum(axis=1)
    found: Floats = np.full(len(draws), np.nan)
    np.divide(gaps, drawn, out=found, where=drawn > 0)
    return found


def calibration_line(probability: ArrayLike, positive: ArrayLike) -> CalibrationLine:
    """The line by logistic regression of the truth on the log odds (Cox 1958).

    A slope below 1 says that probabilities are too extreme.

    Raises:
        ValueError: as `brier`, or one class only.
    """
    p, truth = _checked(probability, positive)
    if truth.all() or not truth.any():
        raise ValueError(f"{int(truth.sum())} positives of {truth.size}: a line needs both classes")
    odds = logit(np.clip(p, SMALLEST, 1 - SMALLEST))
    sign = np.where(truth == 1, -1.0, 1.0)

    def loss(line: Floats) -> float:
        return float(np.mean(np.logaddexp(0.0, sign * (line[0] + line[1] * odds))))

    found = minimize(loss, np.array([0.0, 1.0]), method="BFGS")
    return CalibrationLine(float(found.x[0]), float(found.x[1]))


def calibration_in_the_large(probability: ArrayLike, positive: ArrayLike) -> float:
    """Positives observed for each that was expected; 1 where the mean is right.

    Raises:
        ValueError: as `brier`.
    """
    p, truth = _checked(probability, positive)
    return float(truth.sum() / p.sum())


def _parts(p: Floats, equal_mass: bool, bins: int) -> list[NDArray[np.int_]]:
    """Who is in each bin; empty bins are left out."""
    if equal_mass:
        parts: Sequence[NDArray[np.int_]] = np.array_split(np.argsort(p, kind="stable"), bins)
    else:
        number = np.minimum((p * bins).astype(int), bins - 1)
        parts = [np.flatnonzero(number == one) for one in range(bins)]
    return [part for part in parts if part.size]


def _checked(probability: ArrayLike, positive: ArrayLike) -> tuple[Floats, Floats]:
    p, truth = np.asarray(probability, np.float64), np.asarray(positive, np.float64)
    if p.ndim != 1 or p.shape != truth.shape or not p.size:
        raise ValueError(f"needs one truth for each probability, not {truth.shape} for {p.shape}")
    wrong = p[~((p >= 0) & (p <= 1))]
    if wrong.size:
        raise ValueError(f"{wrong[0]} is no probability")
    if not np.isin(truth, (0.0, 1.0)).all():
        raise ValueError("the truth must be a list of 0 and 1")
    return p, truth
