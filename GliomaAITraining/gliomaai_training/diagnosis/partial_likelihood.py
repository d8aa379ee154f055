"""Multinomial logistic regression from labels that may be known in part only.

The likelihood of a patient is the sum of the probabilities of the states that the patient can be
in. A ridge penalty on the coefficients makes the softmax, which has one state too many, unique.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import logsumexp

Floats = NDArray[np.float64]

GROUP_PENALTY = 1e-3
"""On what sets a cohort's mix of diagnoses apart from the reference's: weak, but it keeps a state
that a cohort never holds at a finite distance."""
INTERCEPT_PENALTY = 1e-6
"""Only so that one of all equivalent sets of intercepts is the answer."""
MAX_ITERATIONS = 1000


@dataclass(frozen=True, eq=False)
class LabelledRows:
    """Patients to fit a model to."""

    design: Floats
    """(n, p), columns of about unit spread."""
    allowed: NDArray[np.bool_]
    """(n, k) the states that each can be in, as `states.modelled` gives them."""
    group: NDArray[np.int_]
    """(n,) the cohort of each: 0 is the one whose mix of diagnoses the intercepts stand for."""

    def __post_init__(self) -> None:
        n = len(self.design)
        if self.allowed.ndim != 2 or len(self.allowed) != n or self.group.shape != (n,):
            raise ValueError(
                f"{self.design.shape} columns, {self.allowed.shape} states and "
                f"{self.group.shape} groups are not of the same patients"
            )
        if not n or not self.allowed.any(axis=1).all():
            raise ValueError("every patient needs at least one possible state")
        if not np.isfinite(self.design).all():
            raise ValueError("a covariate is not finite; leave that patient out")

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int_]) -> "LabelledRows":
        """Some of the patients, by mask or index."""
        return LabelledRows(self.design[rows], self.allowed[rows], self.group[rows])


@dataclass(frozen=True, eq=False)
class Coefficients:
    """What was fitted."""

    intercepts: Floats
    """(k,) of group 0."""
    offsets: Floats
    """(groups - 1, k) what the intercepts of the others differ by."""
    slopes: Floats
    """(p, k)"""

    def logits(self, rows: LabelledRows) -> Floats:
        """Log odds (n, k), each patient with the intercepts of the own group."""
        shift = np.vstack([np.zeros_like(self.intercepts)[None, :], self.offsets])
        return np.asarray(self.intercepts + shift[rows.group] + rows.design @ self.slopes)


def fit(
    rows: LabelledRows, penalty: float, groups: int = 1, prior: Floats | None = None
) -> Coefficients:
    """The coefficients that minimise the penalised mean negative log likelihood.

    Args:
        rows: the patients.
        penalty: of the ridge, on slopes.
        groups: how many cohorts there are; some may have no patient here.
        prior: (p, k) slopes that the ridge pulls towards; None for zero.

    Raises:
        ValueError: a penalty that is not positive, a group that there is not, or no convergence.
    """
    if not penalty > 0:
        raise ValueError(f"the ridge penalty must be positive, not {penalty}")
    if rows.group.min() < 0 or rows.group.max() >= groups:
        raise ValueError(f"groups count from 0 to {groups - 1}")
    centre = np.zeros((rows.design.shape[1], rows.allowed.shape[1])) if prior is None else prior
    problem = Problem(rows, penalty, groups, centre)
    start = problem.pack(Coefficients(*problem.zeros(), centre.copy()))
    found = minimize(
        problem.value_and_gradient,
        start,
        jac=True,
        method="L-BFGS-B",
        options={"maxiter": MAX_ITERATIONS, "maxcor": 20, "ftol": 1e-11, "gtol": 1e-6},
    )
    if not found.success:
        raise ValueError(f"the diagnosis model did not converge: {found.message}")
    return problem.unpack(found.x)


@dataclass(frozen=True, eq=False)
class Problem:
    """The function that `fit` minimises, with its gradient."""

    rows: LabelledRows
    penalty: float
    groups: int
    prior: Floats

    def zeros(self) -> tuple[Floats, Floats]:
        """Intercepts and offsets to begin with."""
        k = self.rows.allowed.shape[1]
        return np.zeros(k), np.zeros((self.groups - 1, k))

    def pack(self, given: Coefficients) -> Floats:
        """Coefficients as one vector."""
        return np.concatenate([given.intercepts, given.offsets.ravel(), given.slopes.ravel()])

    def unpack(self, vector: Floats) -> Coefficients:
        """One vector as coefficients."""
        k = self.rows.allowed.shape[1]
        table = vector.reshape(-1, k)
        return Coefficients(table[0], table[1 : self.groups], table[self.groups :])

    def value_and_gradient(self, vector: Floats) -> tuple[float, Floats]:
        """The penalised mean negative log likelihood, and how it changes."""
        given, rows = self.unpack(vector), self.rows
        logits = given.logits(rows)
        every = logsumexp(logits, axis=1, keepdims=True)
        possible = np.where(rows.allowed, logits, -np.inf)
        some = logsumexp(possible, axis=1, keepdims=True)
        # Towards the model's probabilities, away from those within the possible states.
        pull = (np.exp(logits - every) - np.exp(possible - some)) / len(logits)
        distance = given.slopes - self.prior
        value = float(np.mean(every - some))
        value += 0.5 * self.penalty * float(np.sum(distance**2))
        value += 0.5 * GROUP_PENALTY * float(np.sum(given.offsets**2))
        value += 0.5 * INTERCEPT_PENALTY * float(np.sum(given.intercepts**2))
        of_groups = [
            pull[rows.group == group].sum(axis=0) + GROUP_PENALTY * given.offsets[group - 1]
            for group in range(1, self.groups)
        ]
        gradient = Coefficients(
            pull.sum(axis=0) + INTERCEPT_PENALTY * given.intercepts,
            np.array(of_groups).reshape(given.offsets.shape),
            rows.design.T @ pull + self.penalty * distance,
        )
        return value, self.pack(gradient)


def log_loss(logits: Floats, allowed: NDArray[np.bool_], temperature: float = 1.0) -> float:
    """Mean negative log likelihood of labels known in part."""
    scaled = logits / temperature
    possible = np.where(allowed, scaled, -np.inf)
    return float(np.mean(logsumexp(scaled, axis=1) - logsumexp(possible, axis=1)))


def stratified_folds(
    labels: Sequence[str], folds: int, generator: np.random.Generator
) -> NDArray[np.int_]:
    """Folds (n,) over which each label is spread evenly.

    Raises:
        ValueError: fewer patients than folds, or fewer than two folds.
    """
    if folds < 2 or len(labels) < folds:
        raise ValueError(f"{len(labels)} patients cannot be dealt into {folds} folds")
    shuffled = generator.permutation(len(labels))
    order = sorted(shuffled, key=lambda row: labels[row])
    found = np.empty(len(labels), np.int_)
    found[order] = np.arange(len(labels)) % folds
    return found
