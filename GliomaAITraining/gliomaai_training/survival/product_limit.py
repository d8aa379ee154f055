"""The Kaplan-Meier product-limit estimate as a step function, of death or of censoring."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.survival.outcome import Outcome

_BLOCK = 256
"""Resamples at once: keeps them in the processor's cache."""


@dataclass(frozen=True)
class StepCurve:
    """A survival function that starts at 1 and drops at given times."""

    months: NDArray[np.float64]
    """(k,) distinct times, ascending."""
    survival: NDArray[np.float64]
    """(k,) the value from each of these times on."""

    def at(self, months: ArrayLike) -> NDArray[np.float64]:
        """S(t), the probability of lasting longer than t; after the last time its last value."""
        return self._value(np.searchsorted(self.months, months, side="right"))

    def before(self, months: ArrayLike) -> NDArray[np.float64]:
        """S(t-), the probability of lasting until t or longer."""
        return self._value(np.searchsorted(self.months, months, side="left"))

    def _value(self, passed: NDArray[np.int_] | np.int_) -> NDArray[np.float64]:
        return np.asarray(np.concatenate([[1.0], self.survival])[passed])


def product_limit(outcome: Outcome) -> StepCurve:
    """Survival (Kaplan and Meier 1958). Patients censored at a time of death are still at risk.

    Raises:
        ValueError: there are no patients.
    """
    months, deaths, _, at_risk = _counts(outcome)
    return StepCurve(months, np.cumprod(1.0 - deaths / at_risk, dtype=np.float64))


def censoring_curve(outcome: Outcome) -> StepCurve:
    """G, the probability of still being under observation.

    Events come before censorings of the same time, so the dead have left the risk set of the
    censoring.

    Raises:
        ValueError: there are no patients.
    """
    months, deaths, censored, at_risk = _counts(outcome)
    return StepCurve(months, np.cumprod(1.0 - censored / np.maximum(at_risk - deaths, 1)))


def _counts(
    outcome: Outcome,
) -> tuple[NDArray[np.float64], NDArray[np.int_], NDArray[np.int_], NDArray[np.int_]]:
    """Distinct times with the numbers of deaths, of censorings and of patients at risk."""
    if not len(outcome):
        raise ValueError("a survival curve needs at least one patient")
    months, index = np.unique(outcome.months, return_inverse=True)
    leaving = np.bincount(index)
    deaths = np.bincount(index[outcome.event], minlength=months.size)
    at_risk = leaving[::-1].cumsum()[::-1]
    return months, deaths, leaving - deaths, at_risk


def resampled_survival(
    outcome: Outcome, months: float, draws: NDArray[np.number]
) -> NDArray[np.float64]:
    """Kaplan-Meier survival at one time in every resample at once.

    Args:
        outcome: of n patients.
        months: the time.
        draws: (resamples, n) how often each patient counts.

    Returns:
        (resamples,); NaN where nobody counts or the follow-up of those who do ends before.
    """
    order = np.argsort(outcome.months, kind="stable")
    survival = np.full(len(draws), np.nan)
    for start in range(0, len(draws), _BLOCK):
        block = slice(start, start + _BLOCK)
        # Patients along the first axis: sums over them are then sums of whole rows.
        counts = draws[block].T[order].astype(np.float64)
        survival[block] = _block_survival(outcome.take(order), months, counts)
    return survival


def _block_survival(
    outcome: Outcome, months: float, counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Of patients (n,) in order of time and (n, resamples) counts."""
    passed = int(np.searchsorted(outcome.months, months, side="right"))
    total = counts.sum(axis=0)
    left = counts[:passed].cumsum(axis=0)
    first = np.searchsorted(outcome.months[:passed], outcome.months[:passed], side="left")
    starts = np.unique(first[outcome.event[:passed]])
    survival = np.ones_like(total)
    if starts.size:
        before = np.where(starts[:, None] > 0, left[starts - 1], 0.0)
        dying = np.where(outcome.event[:passed, None], counts[:passed], 0.0)
        # Up to the next time of death, nobody else dies: the sums run over more rows than the tie.
        deaths = np.add.reduceat(dying, starts, axis=0)
        survival = np.prod(1.0 - deaths / np.maximum(total - before, 1.0), axis=0)
    lasting = counts[np.searchsorted(outcome.months, months, side="left") :].any(axis=0)
    # A curve that has come down to zero stays there, however long the follow-up.
    return np.asarray(np.where(lasting | ((survival == 0) & (total > 0)), survival, np.nan))
