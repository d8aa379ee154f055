"""Logistic regression with an elastic net, by iteratively reweighted least squares.

Each step is a weighted linear elastic net, which scikit-learn's coordinate descent solves in
milliseconds (Friedman, Hastie, Tibshirani, J Stat Softw 2010;33:1). Scikit-learn's own solver of
this model, saga, does not converge in thousands of iterations on a hundred correlated features.
"""

from typing import Self
from warnings import catch_warnings, simplefilter

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import ElasticNet

Floats = NDArray[np.float64]

STEPS = 50
TOLERANCE = 1e-4
"""Of the largest change of a log odds, at which the steps end."""
INNER = 1e-7
"""Duality gap of a step: with a wider one the odds stand still before they are right."""
LEAST_WEIGHT = 1e-5
"""Of a patient of whom the model is certain (glmnet's)."""


class LogisticNet(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Minimises C x the sum of log losses + l1_ratio |b| + (1 - l1_ratio) b^2 / 2, the intercept
    not penalised: the settings of scikit-learn's `LogisticRegression`."""

    def __init__(self, C: float = 1.0, l1_ratio: float = 0.5) -> None:  # noqa: N803
        self.C = C
        self.l1_ratio = l1_ratio

    def fit(self, features: ArrayLike, truth: ArrayLike) -> Self:
        """Learns from (n, p) scaled features and (n,) groups 0 and 1.

        Raises:
            ValueError: one group only.
        """
        columns, positive = np.asarray(features, np.float64), np.asarray(truth).astype(bool)
        if positive.all() or not positive.any():
            raise ValueError("all patients are of one group: there is nothing to learn")
        self.classes_ = np.array([False, True])
        n = len(positive)
        odds: Floats = np.full(n, float(np.log(positive.sum() / (~positive).sum())))
        step = ElasticNet(l1_ratio=self.l1_ratio, max_iter=5000, tol=INNER, warm_start=True)
        for _ in range(STEPS):
            chance = expit(odds)
            weight = np.maximum(chance * (1 - chance), LEAST_WEIGHT)
            # scikit-learn takes the mean loss, and weights of mean one.
            step.set_params(alpha=1 / (self.C * weight.sum()))
            with catch_warnings():
                # A step may stop early: the next goes on from there until the odds stand still.
                simplefilter("ignore", ConvergenceWarning)
                step.fit(columns, odds + (positive - chance) / weight, sample_weight=weight)
            before, odds = odds, np.asarray(step.predict(columns), np.float64)
            if np.abs(odds - before).max() < TOLERANCE:
                break
        self.coef_ = step.coef_[None, :]
        self.intercept_ = np.array([step.intercept_])
        return self

    def decision_function(self, features: ArrayLike) -> Floats:
        """Log odds (n,) of group 1."""
        columns = np.asarray(features, np.float64)
        return np.asarray(columns @ self.coef_[0] + self.intercept_[0])

    def predict(self, features: ArrayLike) -> NDArray[np.bool_]:
        """Whether group 1 is the likelier one, (n,)."""
        return np.asarray(self.decision_function(features) > 0)
