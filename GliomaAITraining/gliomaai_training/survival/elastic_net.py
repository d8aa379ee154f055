"""Cox regression with an elastic net: many features, few patients.

Minimises  -log PL / n + lambda (a |b|_1 + (1 - a)/2 |b|_2^2)  along a path of lambda, each step as
weighted least squares by coordinate descent on the features that the strong rules leave, warm from
the step before (Simon, Friedman, Hastie, Tibshirani, J Stat Softw 2011;39(5):1; Tibshirani, J R
Stat Soc B 2012;74:245). Features are scaled inside, to mean 0 and variance 1 in the patients at
hand; coefficients come back for the features as they were given.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.partial_likelihood import PartialLikelihood

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ElasticNetConfig:
    """How to penalise."""

    l1_ratio: float = 0.5
    """a: 1 for the lasso; above 0."""
    lambdas: int = 50
    """Length of the path."""
    smallest: float = 0.05
    """Last lambda by the first."""
    folds: int = 10
    """Of the inner cross-validation."""
    rule: Literal["min", "1se"] = "min"
    """The lambda of least deviance, or the largest within one standard error of it."""
    tolerance: float = 1e-5
    """Largest change of a scaled coefficient at which a step has converged."""
    max_steps: int = 200
    """Reweightings for one lambda."""

    def __post_init__(self) -> None:
        if not 0 < self.l1_ratio <= 1:
            raise ValueError(f"l1_ratio lies in (0, 1], not {self.l1_ratio}")
        if self.lambdas < 1 or self.folds < 2:
            raise ValueError(f"needs a lambda and two folds, not {self.lambdas}, {self.folds}")
        if not 0 < self.smallest <= 1:
            raise ValueError(f"the smallest lambda is a share in (0, 1], not {self.smallest}")
        if self.rule not in ("min", "1se"):
            raise ValueError(f"the rule is min or 1se, not {self.rule!r}")


@dataclass(frozen=True, eq=False)
class ElasticNetPath:
    """Coefficients along the path."""

    lambdas: Floats
    """(m,) falling."""
    coefficients: Floats
    """(p, m) for the features as they were given."""
    centre: Floats
    """(p,) means of the features: who has them has risk 0."""

    def risk(self, features: Floats) -> Floats:
        """Linear predictors (n, m) of features (n, p)."""
        return np.asarray((features - self.centre) @ self.coefficients)


def elastic_net_path(
    features: Floats,
    followed: Outcome,
    config: ElasticNetConfig,
    lambdas: Floats | None = None,
    strata: NDArray[np.int_] | None = None,
) -> ElasticNetPath:
    """Fits the whole path.

    Args:
        features: (n, p) without gaps.
        followed: n outcomes.
        config: the penalty.
        lambdas: the path, falling; None to start where the first feature enters.
        strata: (n,) numbers of groups with own baseline hazards.

    Raises:
        ValueError: shapes do not fit, a feature is not finite, nobody died, or no convergence.
    """
    _check(features, followed)
    centre, spread = features.mean(axis=0), features.std(axis=0)
    # A feature that never changes says nothing; without a spread it would be divided by zero.
    varies = spread > 1e-12 * np.maximum(np.abs(centre), 1.0)
    scaled = np.where(varies, (features - centre) / np.where(varies, spread, 1.0), 0.0)
    likelihood = PartialLikelihood(followed, strata)
    n, p = features.shape
    gradient = scaled.T @ likelihood.derivatives(np.zeros(n))[0] / n
    if lambdas is None:
        lambdas = _lambdas(float(np.abs(gradient).max()), config)
    solver = _Solver(np.asfortranarray(scaled), likelihood, config)
    found = np.empty((p, lambdas.size))
    before = max(float(np.abs(gradient).max()) / config.l1_ratio, float(lambdas[0]))
    for step, penalty in enumerate(lambdas):
        found[:, step] = solver.solve(float(penalty), before)
        before = float(penalty)
    return ElasticNetPath(lambdas, found / np.where(varies, spread, 1.0)[:, None], centre)


def _check(features: Floats, followed: Outcome) -> None:
    if features.ndim != 2 or features.shape[0] != len(followed) or features.shape[1] == 0:
        raise ValueError(f"needs (patients, features) for {len(followed)}, not {features.shape}")
    if not np.isfinite(features).all():
        raise ValueError("a feature is not finite; leave it or the patient out, or fill it in")


def _lambdas(largest: float, config: ElasticNetConfig) -> Floats:
    if not largest > 0:
        raise ValueError("no feature moves the hazard: every one is constant")
    start = largest / config.l1_ratio
    return np.geomspace(start, start * config.smallest, config.lambdas)


class _Solver:
    """Steps along the path, each from the last."""

    def __init__(
        self, scaled: Floats, likelihood: PartialLikelihood, config: ElasticNetConfig
    ) -> None:
        self._x = scaled
        self._likelihood = likelihood
        self._config = config
        self._beta = np.zeros(scaled.shape[1])
        self._gradient = scaled.T @ likelihood.derivatives(np.zeros(len(scaled)))[0] / len(scaled)

    def solve(self, penalty: float, before: float) -> Floats:
        """Coefficients (p,) at a penalty, given the solution at the one before."""
        l1 = penalty * self._config.l1_ratio
        strong = np.abs(self._gradient) >= 2 * l1 - before * self._config.l1_ratio
        working = np.flatnonzero(strong | (self._beta != 0))
        while True:
            self._converge(working, penalty)
            risk = self._x @ self._beta
            slope = self._likelihood.derivatives(risk)[0]
            self._gradient = self._x.T @ slope / len(self._x)
            # The strong rules can err: who breaks the optimality conditions comes in.
            broken = np.abs(self._gradient) > l1 * (1 + 1e-6) + 1e-9
            broken[working] = False
            if not broken.any():
                return self._beta.copy()
            working = np.flatnonzero(broken | np.isin(np.arange(broken.size), working))

    def _converge(self, working: NDArray[np.intp], penalty: float) -> None:
        if working.size == 0:
            return
        x = self._x[:, working]
        for _ in range(self._config.max_steps):
            old = self._beta[working]
            risk = x @ old
            new = self._least_squares(x, risk, old, penalty)
            new = self._damped(x, old, new, penalty)
            self._beta[working] = new
            if np.abs(new - old).max() < self._config.tolerance:
                return
        raise ValueError(
            f"the elastic net does not converge at lambda {penalty:.3g} within "
            f"{self._config.max_steps} steps; use fewer features or a larger `smallest`"
        )

    def _least_squares(self, x: Floats, risk: Floats, old: Floats, penalty: float) -> Floats:
        from sklearn import config_context
        from sklearn.linear_model import enet_path

        gradient, curvature = self._likelihood.derivatives(risk)
        root = np.sqrt(np.maximum(curvature, 1e-10))
        rows = np.asfortranarray(x * root[:, None])
        target = root * risk + gradient / root
        # The checks of the arguments would take longer than the work.
        with config_context(skip_parameter_validation=True):
            _, coefficients, _ = enet_path(
                rows,
                target,
                l1_ratio=self._config.l1_ratio,
                alphas=[penalty],
                coef_init=old.copy(),  # it is overwritten
                tol=min(1e-4, self._config.tolerance) / 10,
                max_iter=5000,
                check_input=False,
            )
        return np.asarray(coefficients[:, 0])

    def _damped(self, x: Floats, old: Floats, new: Floats, penalty: float) -> Floats:
        """Halfway back as long as the step makes matters worse."""
        for share in (1.0, 0.5, 0.25, 0.125, 0.0625):
            tries = np.stack([old, old + share * (new - old)], axis=1)
            before, after = self._cost(x, tries, penalty)
            if after <= before + 1e-12:
                break
        return tries[:, 1]

    def _cost(self, x: Floats, beta: Floats, penalty: float) -> Floats:
        """What is minimised, for each column of coefficients."""
        a = self._config.l1_ratio
        shrink = a * np.abs(beta).sum(axis=0) + (1 - a) / 2 * (beta**2).sum(axis=0)
        return np.asarray(-self._likelihood.value(x @ beta) / len(x) + penalty * shrink)
