"""Penalised models of few components: for many features of few patients.

Every block of features becomes a few principal components; a ridge penalty, chosen in inner folds,
weighs them. Whatever is learnt is learnt from the training patients alone: fillings, scales,
components, penalty and weights.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from gliomaai_training.radiomics.selection import Tamed
from gliomaai_training.studies.stacked_classifier import StackedClassifier, held_out_probability
from gliomaai_training.survival.elastic_net import ElasticNetConfig, elastic_net_path
from gliomaai_training.survival.elastic_net_model import deal_folds
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.partial_likelihood import PartialLikelihood

COMPONENTS = 4
"""Of each block that is wider."""
INVERSE_PENALTIES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Of the logistic regression."""
SPREADS = (0.05, 0.1, 0.2, 0.4, 0.8)
"""Of a log hazard ratio by standard deviation, as the ridge penalty of the Cox regression expects
it: its prior's standard deviation."""
COX_FOLDS = 3
"""Inner folds; so few deaths allow no more."""
NEARLY_RIDGE = ElasticNetConfig(l1_ratio=1e-3)

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]
Folds = NDArray[np.int_]


@dataclass(frozen=True, eq=False)
class Columns:
    """What a model is told of n patients."""

    values: Floats
    """(n, p); NaN where unknown."""
    widths: tuple[int, ...]
    """Of the blocks, side by side."""

    @classmethod
    def of(cls, blocks: Sequence[Floats]) -> "Columns":
        """From blocks (n, p_i)."""
        return cls(np.hstack(blocks), tuple(block.shape[1] for block in blocks))

    def reducer(self) -> ColumnTransformer:
        """Fills gaps by the median and scales; of a wide block it keeps `COMPONENTS`, whitened."""
        ends = np.cumsum(self.widths)
        parts = [
            (f"block{number}", _block(width), slice(int(end) - width, int(end)))
            for number, (width, end) in enumerate(zip(self.widths, ends, strict=True))
        ]
        return ColumnTransformer(parts)


def _block(width: int) -> Pipeline:
    fill = SimpleImputer(strategy="median", keep_empty_features=True)
    steps: list[tuple[str, Any]] = [("fill", fill), ("tame", Tamed()), ("scale", StandardScaler())]
    if width > COMPONENTS:
        steps.append(("components", PCA(COMPONENTS, whiten=True, svd_solver="full")))
    return Pipeline(steps)


def held_out_probabilities(columns: Columns, truth: Truth, fold: Folds) -> Floats:
    """(n,) of each patient from a logistic regression that never saw the patient's fold.

    Raises:
        ValueError: fewer than five of a class outside some fold.
    """
    members = tuple(
        Pipeline([("reduce", columns.reducer()), ("model", LogisticRegression(C=c, max_iter=5000))])
        for c in INVERSE_PENALTIES
    )
    model = StackedClassifier({"ridge": members})
    return held_out_probability(model, columns.values, truth, fold)


def held_out_risks(columns: Columns, followed: Outcome, fold: Folds, seed: int) -> Floats:
    """(n,) log hazard of each patient from a Cox regression that never saw the patient's fold.

    Raises:
        ValueError: nobody died outside some fold or part of it.
    """
    risk = np.empty(len(followed))
    for number in np.unique(fold):
        out = fold == number
        risk[out] = _fitted_risk(columns, followed, out, _best_spread(columns, followed, out, seed))
    return risk


def _best_spread(columns: Columns, followed: Outcome, out: Truth, seed: int) -> float:
    """That of the best partial likelihood of left-out training patients (Verweij and van
    Houwelingen, Stat Med 1993;12:2305)."""
    rows = np.flatnonzero(~out)
    own = followed.take(rows)
    training = Columns(columns.values[rows], columns.widths)
    inner = deal_folds(own, COX_FOLDS, np.random.default_rng(seed))
    whole, gain = PartialLikelihood(own), dict.fromkeys(SPREADS, 0.0)
    for number in range(COX_FOLDS):
        left = inner == number
        rest = PartialLikelihood(own.take(~left))
        reduced = training.reducer().fit(training.values[~left]).transform(training.values)
        for spread in SPREADS:
            risk = _cox(reduced[~left], own.take(~left), spread, reduced)
            gain[spread] += float(whole.value(risk) - rest.value(risk[~left]))
    return max(SPREADS, key=lambda spread: gain[spread])


def _fitted_risk(columns: Columns, followed: Outcome, out: Truth, spread: float) -> Floats:
    """Of those left out (m,)."""
    reducer = columns.reducer().fit(columns.values[~out])
    training, asked = (reducer.transform(columns.values[rows]) for rows in (~out, out))
    return _cox(training, followed.take(~out), spread, asked)


def _cox(training: Floats, followed: Outcome, spread: float, asked: Floats) -> Floats:
    penalty = np.array([1.0 / (len(followed) * spread**2)])
    path = elastic_net_path(training, followed, NEARLY_RIDGE, penalty)
    return path.risk(asked)[:, 0]


def named(blocks: Mapping[str, Floats], names: Sequence[str]) -> Columns:
    """Some blocks by name."""
    return Columns.of([blocks[name] for name in names])
