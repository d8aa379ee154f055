"""Area under the ROC curve, with the variance and the paired test of DeLong et al. 1988.

For a binary truth that is known of everyone. DeLong does not apply to survival with censoring: see
`survival.comparison`.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from gliomaai_training.evaluation.bootstrap import Interval
from gliomaai_training.evaluation.paired import PairedDifference, normal_interval, normal_p


def auc(score: ArrayLike, positive: ArrayLike) -> float:
    """The probability that a positive scores higher than a negative; equal scores count half.

    Args:
        score: (n,) higher speaks for positive.
        positive: (n,) 0 or 1, or truth values.

    Raises:
        ValueError: one class only, a score that is not finite, or unequal lengths.
    """
    truth = _truth(positive)
    of_positives, _ = _placements(_score(score, truth), truth)
    return float(of_positives.mean())


def resampled_auc(
    score: ArrayLike, positive: ArrayLike, draws: NDArray[np.number]
) -> NDArray[np.float64]:
    """`auc` of resampled patients, all resamples at once, for `bootstrap.bootstrap`.

    Args:
        score: (n,) higher speaks for positive.
        positive: (n,) 0 or 1, or truth values.
        draws: (resamples, n) how often each patient was drawn.

    Returns:
        (resamples,); NaN for a resample without one of the classes.

    Raises:
        ValueError: as `auc`.
    """
    truth = _truth(positive)
    values = _score(score, truth)
    above = np.sign(values[truth][:, None] - values[~truth]) / 2 + 0.5
    of_positives = draws[:, truth].astype(np.float64)
    of_negatives = draws[:, ~truth].astype(np.float64)
    pairs = of_positives.sum(axis=1) * of_negatives.sum(axis=1)
    won = ((of_positives @ above) * of_negatives).sum(axis=1)
    found: NDArray[np.float64] = np.full(len(draws), np.nan)
    np.divide(won, pairs, out=found, where=pairs > 0)
    return found


def auc_interval(score: ArrayLike, positive: ArrayLike, level: float = 0.95) -> Interval:
    """`auc` with DeLong's interval, cut at 0 and 1.

    Raises:
        ValueError: as `auc`, or fewer than two of a class.
    """
    area, variance = delong(score, positive)
    return _within(normal_interval(area, variance, level))


def delong(score: ArrayLike, positive: ArrayLike) -> tuple[float, float]:
    """The AUC and its variance (Biometrics 1988;44:837), by midranks (Sun and Xu 2014).

    Raises:
        ValueError: as `auc`, or fewer than two of a class.
    """
    areas, covariance = _delong([score], positive)
    return float(areas[0]), float(covariance[0, 0])


def auc_difference(ours: ArrayLike, theirs: ArrayLike, positive: ArrayLike) -> PairedDifference:
    """Two scores of the same patients, by DeLong's paired test; 95 % intervals.

    Raises:
        ValueError: as `delong`.
    """
    areas, covariance = _delong([ours, theirs], positive)
    contrast = np.array([1.0, -1.0])
    difference = float(contrast @ areas)
    variance = float(contrast @ covariance @ contrast)
    first, second = (
        _within(normal_interval(areas[k], covariance[k, k])) for k in range(len(areas))
    )
    return PairedDifference(
        first, second, normal_interval(difference, variance), normal_p(difference, variance)
    )


def _delong(
    scores: list[ArrayLike], positive: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """AUCs (k,) and their covariance (k, k)."""
    truth = _truth(positive)
    smaller = int(min(truth.sum(), (~truth).sum()))
    if smaller < 2:
        raise ValueError(f"a variance needs at least two of each class, not {smaller}")
    placed = [_placements(_score(score, truth), truth) for score in scores]
    of_positives = np.stack([first for first, _ in placed])
    of_negatives = np.stack([second for _, second in placed])
    covariance = np.atleast_2d(np.cov(of_positives)) / of_positives.shape[1]
    covariance = covariance + np.atleast_2d(np.cov(of_negatives)) / of_negatives.shape[1]
    return of_positives.mean(axis=1), covariance


def _placements(
    score: NDArray[np.float64], truth: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each positive the share of negatives below it, for each negative of positives above."""
    rank = rankdata(score)
    positives, negatives = score[truth], score[~truth]
    below = (rank[truth] - rankdata(positives)) / negatives.size
    above = 1.0 - (rank[~truth] - rankdata(negatives)) / positives.size
    return below, above


def _truth(positive: ArrayLike) -> NDArray[np.bool_]:
    values = np.asarray(positive, np.float64)
    if values.ndim != 1 or not np.isin(values, (0.0, 1.0)).all():
        raise ValueError("the truth must be a list of 0 and 1")
    truth = values.astype(bool)
    if truth.all() or not truth.any():
        raise ValueError(f"{int(truth.sum())} positives of {truth.size}: an AUC needs both classes")
    return truth


def _score(score: ArrayLike, truth: NDArray[np.bool_]) -> NDArray[np.float64]:
    values = np.asarray(score, np.float64)
    if values.shape != truth.shape:
        raise ValueError(f"needs one score for each of {truth.size} patients, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"a score is {values[~np.isfinite(values)][0]}; leave out that patient")
    return values


def _within(interval: Interval) -> Interval:
    return Interval(interval.estimate, max(0.0, interval.low), min(1.0, interval.high))
