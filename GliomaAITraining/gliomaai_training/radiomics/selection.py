"""Selection of features before a classifier, as scikit-learn steps (Xu et al., Front Oncol
2022;12:969907, and what stands beside it here for comparison).

Every step learns from the rows that it is fitted on and from nothing else, so that in a `Pipeline`
inside a cross-validation no test patient takes part in the selection. Features may come from
anywhere: radiomics, or a network's as further columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import levene, mannwhitneyu
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_selection import SelectorMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from gliomaai_training.diagnosis.covariates import NORMAL_SPREAD
from gliomaai_training.radiomics.logistic_net import LogisticNet

Floats = NDArray[np.float64]
FilterTest = Literal["levene", "mann-whitney"]
Classifier = Literal["svm", "elastic net"]

SVM_C = tuple(float(2.0**power) for power in range(-3, 9))
SVM_GAMMA = tuple(float(2.0**power) for power in range(-10, 2))
FOREST_TREES = 100
FOLDS = 5
LASSO_CS = tuple(float(c) for c in np.geomspace(0.01, 1.0, 9))
"""Inverse penalties of the path; at the strongest hardly a feature stays."""
NET_CS = (0.01, 0.1, 1.0, 10.0)
NET_SHARES = (0.1, 0.5, 0.9)
"""Inverse penalties, and shares of the LASSO in them, of an elastic net that classifies."""


@dataclass(frozen=True)
class SelectionConfig:
    """The chain of steps; the defaults are the paper's, or METHODS' where it is silent."""

    test: FilterTest | None = "levene"
    """None to leave the filter out."""
    significance: float = 0.05
    """Features with a larger p are dropped."""
    lasso: bool = True
    ridge_share: float = 0.0
    """0 is the LASSO; above it an elastic net with this share of ridge penalty."""
    features: int = 8
    """That the forest keeps."""
    classifier: Classifier = "svm"
    svm_c: tuple[float, ...] = SVM_C
    svm_gamma: tuple[float, ...] = SVM_GAMMA
    svm_folds: int = FOLDS
    seed: int = 1


def selection_pipeline(config: SelectionConfig | None = None) -> Pipeline:
    """z-score, filter, LASSO, forest importance and an RBF SVM, or elastic net, with grid search.

    The grid is searched by AUC in inner folds of the rows that the whole is fitted on.

    Args:
        config: which steps; None for the paper's.
    """
    config = config or SelectionConfig()
    steps: list[tuple[str, Any]] = [("scale", StandardScaler())]
    if config.test is not None:
        steps.append(("filter", TwoGroupFilter(config.test, config.significance)))
    if config.lasso:
        steps.append(("lasso", SparseSelector(config.ridge_share, config.seed)))
    steps.append(("forest", ForestSelector(config.features, config.seed)))
    folds = StratifiedKFold(config.svm_folds, shuffle=True, random_state=config.seed)
    model: Any = SVC()
    grid = {"C": list(config.svm_c), "gamma": list(config.svm_gamma)}
    if config.classifier == "elastic net":
        model = LogisticNet()
        grid = {"C": list(NET_CS), "l1_ratio": list(NET_SHARES)}
    search = GridSearchCV(model, grid, scoring="roc_auc", cv=folds)
    return Pipeline([*steps, (config.classifier, search)])


class _Selector(SelectorMixin, BaseEstimator):  # type: ignore[misc]
    """Keeps some columns; scikit-learn comes without types, so its classes count as Any."""

    kept_: NDArray[np.bool_]
    n_features_in_: int

    def _get_support_mask(self) -> NDArray[np.bool_]:
        return self.kept_


class TwoGroupFilter(_Selector):
    """Keeps features that differ between two groups; the smallest p if none does.

    `levene` (Brown-Forsythe, about the median) asks whether the *spread* differs, not the location:
    it is kept because the paper names it. `mann-whitney` asks for location.
    """

    def __init__(self, test: FilterTest = "levene", significance: float = 0.05) -> None:
        self.test = test
        self.significance = significance

    def fit(self, features: ArrayLike, truth: ArrayLike) -> Self:
        """Learns which columns to keep from (n, p) features and (n,) groups 0 and 1.

        Raises:
            ValueError: an unknown test, or one group only.
        """
        if self.test not in get_args(FilterTest):
            raise ValueError(f"{self.test!r} is none of {', '.join(get_args(FilterTest))}")
        columns, positive = _checked(features, truth)
        compare = _levene if self.test == "levene" else _mann_whitney
        self.n_features_in_ = columns.shape[1]
        self.p_values_ = compare(columns, positive)
        self.kept_ = self.p_values_ < self.significance
        if not self.kept_.any():
            self.kept_[int(np.argmin(self.p_values_))] = True
        return self


class SparseSelector(_Selector):
    """Keeps features of a logistic LASSO or elastic net, its penalty by the 1-SE rule.

    The strongest penalty whose cross-validated log loss is within one standard error of the best
    (Hastie et al., The Elements of Statistical Learning, section 7.10). If it keeps nothing, the
    best penalty is taken, and if that keeps nothing, the largest coefficient of the weakest.
    """

    def __init__(self, ridge_share: float = 0.0, seed: int = 1) -> None:
        self.ridge_share = ridge_share
        self.seed = seed

    def fit(self, features: ArrayLike, truth: ArrayLike) -> Self:
        """Learns which columns to keep from (n, p) scaled features and (n,) groups 0 and 1.

        Raises:
            ValueError: one group only.
        """
        columns, positive = _checked(features, truth)
        self.n_features_in_ = columns.shape[1]
        losses = self._losses(columns, positive)
        mean = losses.mean(axis=1)
        error = losses.std(axis=1, ddof=1) / np.sqrt(losses.shape[1])
        best = int(mean.argmin())
        strongest = int(np.flatnonzero(mean <= mean[best] + error[best])[0])
        for index in (strongest, best, len(LASSO_CS) - 1):
            self.c_ = LASSO_CS[index]
            size = np.abs(self._model(self.c_).fit(columns, positive).coef_[0])
            self.kept_ = size > 0
            if self.kept_.any():
                break
        else:
            self.kept_ = size == size.max()
        return self

    def _model(self, c: float) -> LogisticRegression | LogisticNet:
        if self.ridge_share > 0:
            return LogisticNet(c, 1.0 - self.ridge_share)
        return LogisticRegression(
            C=c, l1_ratio=1.0, solver="liblinear", max_iter=1000, random_state=self.seed
        )

    def _losses(self, columns: Floats, positive: NDArray[np.bool_]) -> Floats:
        """Log loss (penalties, folds) of the patients left out."""
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=self.seed)
        losses = np.empty((len(LASSO_CS), FOLDS))
        for fold, (train, test) in enumerate(folds.split(columns, positive)):
            for index, c in enumerate(LASSO_CS):
                model = self._model(c).fit(columns[train], positive[train])
                margin = model.decision_function(columns[test])
                losses[index, fold] = np.mean(
                    np.logaddexp(0.0, np.where(positive[test], -margin, margin))
                )
        return losses


class ForestSelector(_Selector):
    """Keeps the features that a random forest finds most important (mean decrease of impurity)."""

    def __init__(self, features: int = 8, seed: int = 1, trees: int = FOREST_TREES) -> None:
        self.features = features
        self.seed = seed
        self.trees = trees

    def fit(self, features: ArrayLike, truth: ArrayLike) -> Self:
        """Learns which columns to keep from (n, p) features and (n,) groups 0 and 1.

        Raises:
            ValueError: one group only.
        """
        columns, positive = _checked(features, truth)
        forest = RandomForestClassifier(self.trees, random_state=self.seed)
        self.n_features_in_ = columns.shape[1]
        self.importances_ = forest.fit(columns, positive).feature_importances_
        order = np.argsort(-self.importances_, kind="stable")
        self.kept_ = np.zeros(columns.shape[1], np.bool_)
        self.kept_[order[: self.features]] = True
        return self


class Tamed(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Pulls in long tails: arsinh of the distance to the median in robust standard deviations.

    Radiomics features span decades; unlike a logarithm this takes negative ones, and unlike a power
    transform it needs no search.
    """

    def fit(self, features: ArrayLike, truth: ArrayLike | None = None) -> Self:
        """Learns medians and quartiles of (n, p) features."""
        columns = np.asarray(features, np.float64)
        low, self.centre_, high = np.quantile(columns, [0.25, 0.5, 0.75], axis=0)
        self.scale_ = np.where(high > low, (high - low) / NORMAL_SPREAD, 1.0)
        return self

    def transform(self, features: ArrayLike) -> Floats:
        """(n, p) as learned."""
        columns = np.asarray(features, np.float64)
        return np.asarray(np.arcsinh((columns - self.centre_) / self.scale_))


def kept_names(pipeline: Pipeline, names: Sequence[str]) -> list[str]:
    """The features that reach the classifier of a fitted pipeline.

    Args:
        pipeline: of selection steps, the classifier last.
        names: of the columns that it was fitted on.
    """
    kept = np.arange(len(names))
    for _, step in pipeline.steps[:-1]:
        if isinstance(step, _Selector):
            kept = kept[step.get_support()]
    return [names[int(index)] for index in kept]


def _checked(features: ArrayLike, truth: ArrayLike) -> tuple[Floats, NDArray[np.bool_]]:
    columns, positive = np.asarray(features, np.float64), np.asarray(truth).astype(bool)
    if columns.ndim != 2 or positive.shape != columns.shape[:1]:
        raise ValueError(f"{columns.shape} features and {positive.shape} groups do not fit")
    if positive.all() or not positive.any():
        raise ValueError("all patients are of one group: there is nothing to select by")
    if not np.isfinite(columns).all():
        raise ValueError("a feature is not finite; fill it in or leave it out")
    return columns, positive


def _levene(columns: Floats, positive: NDArray[np.bool_]) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        p = levene(columns[positive], columns[~positive], center="median", axis=0).pvalue
    return np.nan_to_num(np.asarray(p, np.float64), nan=1.0)


def _mann_whitney(columns: Floats, positive: NDArray[np.bool_]) -> Floats:
    p = mannwhitneyu(columns[positive], columns[~positive], axis=0).pvalue
    return np.nan_to_num(np.asarray(p, np.float64), nan=1.0)
