"""Cox regression on a few columns by Newton's method: fast enough to be repeated in a bootstrap.

For judging predictions; models are fitted by `fit_cox`, with the checks that a model needs.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.survival.outcome import Outcome

_STEPS = 50
_HALVINGS = 20
_CONVERGED = 1e-9
_DEPENDENT = 1e12
_ENDLESS = 30.0
"""Log hazard ratio for one standard deviation; towards it the likelihood only flattens."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class NewtonCox:
    """Maximum of Efron's partial likelihood."""

    coefficients: Floats
    """(p,) log hazard ratio for one unit of each column."""
    covariance: Floats
    """(p, p) of the coefficients."""
    log_likelihood: float


def newton_cox(
    columns: Floats, outcome: Outcome, strata: NDArray[np.int_] | None = None
) -> NewtonCox:
    """Fits (n, p) columns, ties after Efron (JASA 1977;72:557).

    Args:
        columns: (n, p) without gaps.
        outcome: of the same patients.
        strata: (n,) numbers of groups with own baseline hazards.

    Raises:
        ValueError: shapes do not fit, a column is constant or depends on others, or no maximum is
            found because a column separates the dead from the others.
    """
    if columns.ndim != 2 or len(columns) != len(outcome) or not np.isfinite(columns).all():
        raise ValueError(f"needs finite columns for {len(outcome)} patients, not {columns.shape}")
    mean, scale = columns.mean(axis=0), columns.std(axis=0)
    if not outcome.events or (scale <= 1e-12 * np.maximum(1.0, np.abs(mean))).any():
        raise ValueError("a Cox regression needs deaths and columns that are not constant")
    deaths = _by_stratum((columns - mean) / scale, outcome, strata)
    beta = np.zeros(columns.shape[1])
    value, gradient, information = _likelihood(deaths, beta)
    if np.linalg.cond(information) > _DEPENDENT:
        raise ValueError("the columns of a Cox regression depend on each other")
    for _ in range(_STEPS):
        step = np.linalg.solve(information, gradient)
        for halving in range(_HALVINGS):
            candidate = beta + step / 2**halving
            found = _likelihood(deaths, candidate)
            if found[0] >= value - 1e-12 * abs(value):
                break
        gain, beta = found[0] - value, candidate
        value, gradient, information = found
        if np.abs(beta).max() > _ENDLESS:
            break
        if abs(gain) <= _CONVERGED * (1.0 + abs(value)) and np.abs(step).max() < 1e-4:
            covariance = np.linalg.inv(information) / np.outer(scale, scale)
            return NewtonCox(beta / scale, covariance, value)
    raise ValueError("the Cox regression finds no maximum: a column separates the dead")


def _by_stratum(
    columns: Floats, outcome: Outcome, strata: NDArray[np.int_] | None
) -> "list[_Deaths]":
    if strata is None:
        return [_Deaths.of(columns, outcome)]
    groups = [strata == stratum for stratum in np.unique(strata)]
    # Where nobody died there is no term of the likelihood.
    return [
        _Deaths.of(columns[rows], outcome.take(rows))
        for rows in groups
        if outcome.event[rows].any()
    ]


def _likelihood(deaths: "list[_Deaths]", beta: Floats) -> tuple[float, Floats, Floats]:
    values, gradients, informations = zip(*(one.likelihood(beta) for one in deaths), strict=True)
    return float(sum(values)), np.sum(gradients, axis=0), np.sum(informations, axis=0)


@dataclass(frozen=True, eq=False)
class _Deaths:
    """Patients sorted from the longest follow-up to the shortest, with the rows of the deaths."""

    columns: Floats
    rows: NDArray[np.int_]
    """(d,) of the deaths."""
    last_at_risk: NDArray[np.int_]
    """(d,) the last row with the same time: up to it everybody is at risk."""
    tie: NDArray[np.int_]
    """(d,) which deaths share a time."""
    share: Floats
    """(d,) of its tie's weight that Efron takes out of the risk set."""

    @classmethod
    def of(cls, columns: Floats, outcome: Outcome) -> "_Deaths":
        order = np.argsort(-outcome.months, kind="stable")
        months = outcome.months[order]
        rows = np.flatnonzero(outcome.event[order])
        last = np.searchsorted(-months, -months[rows], side="right") - 1
        _, first, tie, size = np.unique(
            -months[rows], return_index=True, return_inverse=True, return_counts=True
        )
        share = (np.arange(rows.size) - first[tie]) / size[tie]
        return cls(columns[order], rows, last, tie, share)

    def likelihood(self, beta: Floats) -> tuple[float, Floats, Floats]:
        """Log partial likelihood, gradient (p,) and information (p, p)."""
        score = self.columns @ beta
        top = float(score.max())
        weight = np.exp(score - top)
        first = weight[:, None] * self.columns
        second = first[:, :, None] * self.columns[:, None, :]
        total = self._at_risk(weight)
        mean = self._at_risk(first) / total[:, None]
        square = self._at_risk(second) / total[:, None, None]
        value = float(np.sum(score[self.rows] - top - np.log(total)))
        gradient = np.sum(self.columns[self.rows] - mean, axis=0)
        information = square.sum(axis=0) - mean.T @ mean
        return value, gradient, information

    def _at_risk(self, values: Floats) -> Floats:
        """Sums over who was at risk at each death, less Efron's share of those tied with it."""
        tied = np.add.reduceat(values[self.rows], np.flatnonzero(np.diff(self.tie, prepend=-1)))
        share = self.share.reshape(-1, *[1] * (values.ndim - 1))
        return np.asarray(values.cumsum(axis=0)[self.last_at_risk] - share * tied[self.tie])
