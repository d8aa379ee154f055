"""A classifier of many features that chooses its own settings in inner folds, and is calibrated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from gliomaai_training.radiomics.selection import Tamed

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

INNER_FOLDS = 5
UNPENALISED = 1e6
"""Inverse penalty of a model of one or two numbers."""


def _tamed(model: Any) -> Pipeline:
    return Pipeline([("tame", Tamed()), ("scale", StandardScaler()), ("model", model)])


def ridge(c: float) -> Pipeline:
    """Logistic regression with a ridge penalty, long tails pulled in."""
    return _tamed(LogisticRegression(C=c, max_iter=5000))


def lasso(c: float) -> Pipeline:
    """Logistic LASSO, long tails pulled in."""
    return _tamed(LogisticRegression(C=c, l1_ratio=1.0, solver="liblinear", random_state=1))


def support_vectors(c: float, gamma: float) -> Pipeline:
    """SVM with a Gaussian kernel, long tails pulled in."""
    return _tamed(SVC(C=c, gamma=gamma))


def plain_logistic() -> Pipeline:
    """z-score and scikit-learn's default logistic regression, nothing tuned."""
    return Pipeline([("scale", StandardScaler()), ("model", LogisticRegression(max_iter=5000))])


def unpenalised() -> Pipeline:
    """Logistic regression of few numbers."""
    model = LogisticRegression(C=UNPENALISED, max_iter=5000)
    return Pipeline([("scale", StandardScaler()), ("model", model)])


RIDGE: tuple[Pipeline, ...] = tuple(ridge(c) for c in (0.03, 0.1, 0.3, 1.0))
LASSO: tuple[Pipeline, ...] = tuple(lasso(c) for c in (0.1, 0.3, 1.0))
SVM: tuple[Pipeline, ...] = tuple(
    support_vectors(c, gamma) for c in (3.0, 10.0, 30.0) for gamma in (0.001, 0.003)
)
FAMILIES: Mapping[str, tuple[Pipeline, ...]] = {"ridge": RIDGE, "LASSO": LASSO, "SVM": SVM}


@dataclass
class StackedClassifier:
    """The best member of each family, by log loss in inner folds; their mean log odds, calibrated.

    Every member's margins become log odds by a line fitted to those of left-out patients (Platt
    1999), and so do the means.
    """

    families: Mapping[str, tuple[Pipeline, ...]] = field(default_factory=lambda: dict(FAMILIES))
    seed: int = 1
    chosen: dict[str, Pipeline] = field(default_factory=dict)

    def fit(self, features: Floats, truth: Truth) -> Self:
        """Chooses and fits; features (n, p), truth (n,)."""
        from sklearn.base import clone

        folds = StratifiedKFold(INNER_FOLDS, shuffle=True, random_state=self.seed)
        splits = list(folds.split(features, truth))
        self._lines: dict[str, Pipeline] = {}
        odds = []
        for name, members in self.families.items():
            best: tuple[float, Pipeline, Any, Floats] | None = None
            for member in members:
                margin = _held_out(member, features, truth, splits)
                line = _line(margin, truth)
                own = np.asarray(line.decision_function(margin[:, None]))
                loss = float(np.mean(np.logaddexp(0.0, np.where(truth, -own, own))))
                if best is None or loss < best[0]:
                    best = (loss, member, line, own)
            if best is None:
                raise ValueError(f"family {name!r} has no member")
            self.chosen[name] = clone(best[1]).fit(features, truth)
            self._lines[name] = best[2]
            odds.append(best[3])
        self._last = _line(np.mean(odds, axis=0), truth)
        return self

    def probability(self, features: Floats) -> Floats:
        """Of the positive class, (n,)."""
        odds = [
            self._lines[name].decision_function(model.decision_function(features)[:, None])
            for name, model in self.chosen.items()
        ]
        return np.asarray(expit(self._last.decision_function(np.mean(odds, axis=0)[:, None])))


def held_out_probability(
    model: StackedClassifier | Pipeline,
    features: Floats,
    truth: Truth,
    fold: NDArray[np.int_],
) -> Floats:
    """Probabilities (n,) of each patient from a model that never saw the patient's fold."""
    from sklearn.base import clone

    found = np.empty(len(truth))
    for number in np.unique(fold):
        test = fold == number
        if isinstance(model, StackedClassifier):
            fitted = StackedClassifier(model.families, model.seed)
            found[test] = fitted.fit(features[~test], truth[~test]).probability(features[test])
        else:
            pipeline = clone(model).fit(features[~test], truth[~test])
            found[test] = expit(pipeline.decision_function(features[test]))
    return found


def _held_out(member: Pipeline, features: Floats, truth: Truth, splits: Any) -> Floats:
    from sklearn.base import clone

    margin = np.empty(len(truth))
    for train, test in splits:
        fitted = clone(member).fit(features[train], truth[train])
        margin[test] = fitted.decision_function(features[test])
    return margin


def _line(margin: Floats, truth: Truth) -> Any:
    return LogisticRegression(C=UNPENALISED).fit(margin[:, None], truth)
