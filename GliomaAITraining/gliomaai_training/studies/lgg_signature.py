"""The radiomics signature of lower-grade glioma: best sequence, ten features, elastic-net Cox.

After Xu et al., Front Oncol 2022;12:969907. Survival is dichotomised at the median; the sequence
whose features tell short from long survival best (Levene's test, random forest, SVM) is taken; the
forest keeps ten of its features; an elastic net makes them a score. The paper's elastic net
regresses times of which most are censored; this one is a Cox model. Everything here learns from the
patients it is given and from nobody else: cross-fitting is the caller's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import config_context
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from gliomaai_training.evaluation.auc import auc
from gliomaai_training.radiomics.selection import (
    ForestSelector,
    Tamed,
    TwoGroupFilter,
)
from gliomaai_training.studies.slice_features import SEQUENCES, columns_of
from gliomaai_training.survival.elastic_net import ElasticNetConfig
from gliomaai_training.survival.elastic_net_model import (
    ElasticNetModel,
    deal_folds,
    fit_elastic_net,
)
from gliomaai_training.survival.outcome import Outcome

FORMAT = "gliomaai lower-grade signature"
VERSION = 1
NET = ElasticNetConfig(lambdas=16, folds=5, tolerance=1e-4)
FLAT = 1e-6
"""A log hazard: scores that differ by less say nothing."""
NETWORK = "network"
"""In the place of a sequence, where features are a network's alone."""
LEAST_SHORT = 4
"""Patients known to have died early; fewer choose no sequence."""

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]


@dataclass(frozen=True)
class SignatureConfig:
    """How the signature is made; METHODS' defaults where the paper is silent."""

    features: int = 10
    trees: int = 40
    search_folds: int = 3
    """Of the comparison of sequences."""
    net: ElasticNetConfig = NET
    seed: int = 1


CONFIG = SignatureConfig()
FASTER = replace(CONFIG, trees=20)
"""For permuted outcomes only."""


@dataclass(frozen=True, eq=False)
class Signature:
    """A score of slices; higher is worse, 0 in the mean of those it was fitted on."""

    sequence: str
    auc_of: Mapping[str, float]
    """By sequence, from the search."""
    centre: Floats
    scale: Floats
    """(k,) of the net's features: robust z-scores, then arsinh (`radiomics.selection.Tamed`)."""
    kept: tuple[str, ...]
    """That the forest kept, of which the net took `net.features`."""
    net: ElasticNetModel

    def score(self, features: pd.DataFrame) -> Floats:
        """(n,) of n patients.

        Raises:
            ValueError: a feature is absent or not known.
        """
        columns = list(self.net.features)
        if absent := [name for name in columns if name not in features.columns]:
            raise ValueError(f"the signature needs {', '.join(absent)}")
        values = features[columns].to_numpy(np.float64)
        tamed = np.arcsinh((values - self.centre) / self.scale)
        return self.net.score(pd.DataFrame(tamed, columns=columns))

    @property
    def is_empty(self) -> bool:
        """Whether the net found nothing worth having."""
        return not np.abs(self.net.coefficients).sum() > FLAT

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "sequence": self.sequence,
            "auc": dict(self.auc_of),
            "kept": list(self.kept),
            "centre": self.centre.tolist(),
            "scale": self.scale.tolist(),
            "net": self.net.document(),
        }


def short_or_long(followed: Outcome) -> tuple[Truth, Truth]:
    """Whose survival is known to be short or long (n,), and whose is short (n,).

    Cut at the median of the observed times: who died by then lived short, who was seen alive later
    long. Who left before cannot be told, and is left out; the paper does not say what it did.
    """
    middle = float(np.median(followed.months))
    short = followed.event & (followed.months <= middle)
    return short | (followed.months > middle), short


def classifier(config: SignatureConfig) -> Pipeline:
    """Levene, forest and an SVM of scikit-learn's defaults."""
    steps = [
        ("scale", StandardScaler()),
        ("filter", TwoGroupFilter()),
        ("forest", ForestSelector(config.features, config.seed, config.trees)),
        ("svm", SVC()),
    ]
    return Pipeline(steps)


def choices(features: pd.DataFrame) -> dict[str, list[str]]:
    """The columns to choose between: those of each sequence, each with a network's beside them if
    there are any; or a network's alone."""
    radiomics = {name for sequence in SEQUENCES for name in columns_of(sequence)}
    further = [str(name) for name in features.columns if name not in radiomics]
    if len(further) == len(features.columns):
        return {NETWORK: further}
    return {sequence: [*columns_of(sequence), *further] for sequence in SEQUENCES}


def search(features: pd.DataFrame, short: Truth, config: SignatureConfig) -> dict[str, float]:
    """AUC of each of `choices` for short against long survival, mean of the folds.

    Args:
        features: (n, p) tamed, of patients whose survival is known to be one or the other.
        short: (n,)
        config: the chain.

    Raises:
        ValueError: too few of either.
    """
    fewest = min(int(short.sum()), int((~short).sum()))
    if fewest < LEAST_SHORT:
        raise ValueError(
            f"the search for the best sequence needs {LEAST_SHORT} patients of short and of long "
            f"survival, not {fewest}"
        )
    folds = StratifiedKFold(config.search_folds, shuffle=True, random_state=config.seed)
    found = {}
    for sequence, names in choices(features).items():
        columns = features[names].to_numpy(np.float64)
        each = []
        for train, test in folds.split(columns, short):
            model = classifier(config).fit(columns[train], short[train])
            each.append(auc(model.decision_function(columns[test]), short[test]))
        found[sequence] = float(np.mean(each))
    return found


def fit_signature(
    features: pd.DataFrame, followed: Outcome, config: SignatureConfig = CONFIG
) -> Signature:
    """Searches, selects and fits.

    Args:
        features: (n, p) with `slice_features.columns_of` every sequence, a network's, or both.
        followed: n outcomes.
        config: the chain.

    Raises:
        ValueError: too few deaths, or a feature is not finite.
    """
    # scikit-learn's checks of its arguments would take as long as the work.
    with config_context(skip_parameter_validation=True, assume_finite=True):
        return _fit(features, followed, config)


def _fit(features: pd.DataFrame, followed: Outcome, config: SignatureConfig) -> Signature:
    if not np.isfinite(features.to_numpy(np.float64)).all():
        raise ValueError("a feature is not finite; leave it out")
    taming = Tamed().fit(features.to_numpy(np.float64))
    tamed = pd.DataFrame(taming.transform(features.to_numpy()), columns=features.columns)
    known, short = short_or_long(followed)
    auc_of = search(tamed[known], short[known], config)
    sequence = max(auc_of, key=lambda name: auc_of[name])
    own = tamed[choices(features)[sequence]]
    forest = ForestSelector(config.features, config.seed, config.trees)
    forest.fit(own[known].to_numpy(), short[known])
    kept = own.loc[:, forest.get_support()]
    generator = np.random.default_rng(config.seed)
    names = (f"signature of {sequence}", "TCGA-LGG slices")
    net = fit_elastic_net(kept, followed, names, generator, config.net).model
    place = [list(features.columns).index(name) for name in net.features]
    return Signature(
        sequence, auc_of, taming.centre_[place], taming.scale_[place], tuple(kept.columns), net
    )


@dataclass(frozen=True, eq=False)
class NestedSignatures:
    """Signatures of one deal into folds, each made without one fold or without two.

    What is fitted without fold i needs scores of its own patients that are as honest as those of
    fold i: a patient of fold j has there the score of the signature made without i and j.
    """

    fold: NDArray[np.int_]
    """(n,)"""
    score: Floats
    """(folds, n): row i holds what the fit without fold i works with, for everybody."""
    without: Sequence[Signature]
    """By the fold left out."""

    def held_out(self) -> Floats:
        """(n,) each patient's score by the signature made without their fold."""
        return self.score[self.fold, np.arange(self.fold.size)]


def nested(
    features: pd.DataFrame,
    followed: Outcome,
    fold: NDArray[np.int_],
    config: SignatureConfig = CONFIG,
) -> NestedSignatures:
    """Signatures without each fold and without each pair of folds.

    Raises:
        ValueError: as `fit_signature`.
    """
    folds = int(fold.max()) + 1
    score = np.empty((folds, len(followed)))
    without = []
    for first in range(folds):
        out = fold == first
        made = _without(features, followed, out, config)
        score[first, out] = made.score(features[out])
        without.append(made)
        for second in range(first):
            other = fold == second
            both = _without(features, followed, out | other, config)
            score[first, other] = both.score(features[other])
            score[second, out] = both.score(features[out])
    return NestedSignatures(fold, score, tuple(without))


def cross_fitted_score(
    features: pd.DataFrame, followed: Outcome, fold: NDArray[np.int_], config: SignatureConfig
) -> Floats:
    """(n,) each patient's score by the signature made without their fold.

    Raises:
        ValueError: as `fit_signature`.
    """
    score = np.empty(len(followed))
    for number in np.unique(fold):
        out = fold == number
        score[out] = _without(features, followed, out, config).score(features[out])
    return score


def dealt(followed: Outcome, folds: int, seed: int) -> NDArray[np.int_]:
    """Folds (n,) with the dead dealt evenly."""
    return deal_folds(followed, folds, np.random.default_rng(seed))


def _without(
    features: pd.DataFrame, followed: Outcome, out: Truth, config: SignatureConfig
) -> Signature:
    return fit_signature(features[~out].reset_index(drop=True), followed.take(~out), config)
