"""Two scores of the same patients and their difference; intervals and p of a normal error."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from gliomaai_training.evaluation.bootstrap import Interval


@dataclass(frozen=True)
class PairedDifference:
    """Two scores of the same patients and their difference."""

    ours: Interval
    theirs: Interval
    difference: Interval
    """Ours less theirs."""
    p: float
    """Two-sided, of no difference."""

    def __str__(self) -> str:
        return f"{self.ours} against {self.theirs}: {self.difference}, p {self.p:.2g}"


def normal_interval(value: float, variance: float, level: float = 0.95) -> Interval:
    """A value with a symmetric interval of a normal error."""
    margin = float(ndtri(0.5 + level / 2) * np.sqrt(max(variance, 0.0)))
    return Interval(float(value), float(value) - margin, float(value) + margin)


def wilson_interval(
    share: NDArray[np.float64], patients: NDArray[np.number], level: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Intervals (low, high) of observed shares, by Wilson (JASA 1927;22:209): never beyond 0 or 1.

    Args:
        share: (k,) of positives.
        patients: (k,) among so many, each at least one.
        level: of the intervals.
    """
    z = float(ndtri(0.5 + level / 2))
    middle = share + z**2 / (2 * patients)
    margin = z * np.sqrt(share * (1 - share) / patients + (z / (2 * patients)) ** 2)
    scale = 1 + z**2 / patients
    low, high = (middle - margin) / scale, (middle + margin) / scale
    # Where all or none are positive, rounding may put the end beyond the share.
    return np.minimum(low, share), np.maximum(high, share)


def normal_p(difference: float, variance: float) -> float:
    """Two-sided p of a difference; without any error 1 if it is zero, else 0."""
    # Rounding leaves a trace of variance where two scores order everyone alike.
    if variance <= np.finfo(np.float64).eps:
        return float(abs(difference) <= np.finfo(np.float64).eps)
    return float(2.0 * ndtr(-abs(difference) / np.sqrt(variance)))


def bootstrap_p(differences: NDArray[np.float64]) -> float:
    """Two-sided p from resampled differences (resamples,); NaN are left out.

    Twice the smaller share on either side of zero, with one resample more on each side, so that p
    is never 0 (Davison and Hinkley 1997, chapter 4).
    """
    known = differences[np.isfinite(differences)]
    below = (np.count_nonzero(known <= 0) + 1) / (known.size + 1)
    above = (np.count_nonzero(known >= 0) + 1) / (known.size + 1)
    return float(min(1.0, 2.0 * min(below, above)))
