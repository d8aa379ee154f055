"""Pairs of patients of whom one should carry the higher risk: what every C and AUC counts.

A statistic is the weighted share of pairs (i, j) in which i, who fared worse, was given the higher
risk; equal risks count half. A bootstrap resample is a vector of how often each patient was drawn,
so all resamples are two products of matrices: 1,000 resamples of 1,000 patients need a fraction of
a second, and each equals the statistic of the resampled patients exactly.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BLOCK = 256
"""Worse patients at once: bounds the memory for many patients."""


@dataclass(frozen=True)
class Pairs:
    """Which pairs of n patients count, and how much."""

    worse: NDArray[np.int_]
    """(m,) the patients who are the worse of at least one pair."""
    weight: NDArray[np.float64]
    """(m,) of all the pairs in which that patient is the worse."""
    comparable: NDArray[np.bool_]
    """(m, n) whether the patient of the row fared worse than that of the column."""

    def share(
        self, risk: ArrayLike, draws: NDArray[np.number] | None = None
    ) -> NDArray[np.float64]:
        """The weighted share of pairs in the right order.

        Args:
            risk: (n,), higher is worse.
            draws: (resamples, n) how often each patient counts; None: all once.

        Returns:
            (resamples,); NaN for a resample without a pair.

        Raises:
            ValueError: not one finite risk for each patient.
        """
        values = check_risk(risk, self.comparable.shape[1])
        counts = np.ones((1, values.size)) if draws is None else draws
        ordered, total = np.zeros(len(counts)), np.zeros(len(counts))
        # Counts and half counts of fewer than 2**23 pairs are exact in single precision.
        single = counts.astype(np.float32)
        for start in range(0, self.worse.size, _BLOCK):
            rows = slice(start, start + _BLOCK)
            weight = counts[:, self.worse[rows]] * self.weight[rows]
            difference = values[self.worse[rows], None] - values
            right = (0.5 + 0.5 * np.sign(difference)).astype(np.float32)
            both = self.comparable[rows]
            ordered += np.sum(weight * (single @ (right * both).T), axis=1)
            total += np.sum(weight * (single @ both.T.astype(np.float32)), axis=1)
        share = np.full(len(counts), np.nan)
        np.divide(ordered, total, out=share, where=total > 0)
        return share


def pairs_of(weight: NDArray[np.float64], comparable: NDArray[np.bool_]) -> Pairs:
    """Pairs from (n,) weights and (n, n) comparisons, without the patients who add none.

    Raises:
        ValueError: no pair is left.
    """
    worse = np.flatnonzero((weight > 0) & comparable.any(axis=1))
    if not worse.size:
        raise ValueError("no two patients can be compared: their order of death is unknown")
    return Pairs(worse, weight[worse], comparable[worse])


def check_risk(risk: ArrayLike, patients: int) -> NDArray[np.float64]:
    """(n,) risks as numbers.

    Raises:
        ValueError: not one finite risk for each patient.
    """
    values = np.asarray(risk, np.float64)
    if values.shape != (patients,):
        raise ValueError(f"needs one risk for each of {patients} patients, not {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError(f"a risk is {values[~np.isfinite(values)][0]}; leave out that patient")
    return values
