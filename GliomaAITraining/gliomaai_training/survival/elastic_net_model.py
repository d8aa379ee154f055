"""The elastic net with its penalty chosen by cross-validation: a score to keep and to ship."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.documents import check_format, read_document, write_document
from gliomaai_training.survival.elastic_net import (
    ElasticNetConfig,
    ElasticNetPath,
    elastic_net_path,
)
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.partial_likelihood import PartialLikelihood

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]

FORMAT = "gliomaai elastic net score"
VERSION = 1
LEAST_EVENTS = 10
"""Fewer deaths than this fit nothing."""


@dataclass(frozen=True, eq=False)
class ElasticNetModel:
    """A linear score of the features that were chosen; higher is worse."""

    name: str
    cohort: str
    patients: int
    events: int
    candidates: int
    """How many features there were to choose from."""
    features: tuple[str, ...]
    """The k chosen."""
    coefficients: Floats
    """(k,) for the features as they are, not scaled."""
    centre: Floats
    """(k,) means of the training patients, where the score is 0."""
    penalty: float
    l1_ratio: float

    def score(self, table: "pd.DataFrame") -> Floats:
        """Linear predictor (n,) of n patients.

        Raises:
            ValueError: a feature is absent or not known for a patient.
        """
        if absent := [name for name in self.features if name not in table.columns]:
            raise ValueError(f"{self.name} needs {', '.join(absent)}")
        values = table[list(self.features)].to_numpy(np.float64)
        if not np.isfinite(values).all():
            lacking = np.array(self.features)[~np.isfinite(values).all(axis=0)]
            raise ValueError(f"{self.name} needs {', '.join(lacking)} of every patient")
        return np.asarray((values - self.centre) @ self.coefficients)

    def document(self) -> dict[str, Any]:
        """The score as JSON holds it."""
        fields = {name: getattr(self, name) for name in type(self).__dataclass_fields__}
        return {
            "format": FORMAT,
            "version": VERSION,
            **{
                name: value.tolist() if isinstance(value, np.ndarray) else value
                for name, value in fields.items()
            },
            "features": list(self.features),
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The score from JSON.

        Raises:
            ValueError: it is no such document, or incomplete.
        """
        check_format(document, FORMAT, VERSION)
        try:
            return cls(
                str(document["name"]),
                str(document["cohort"]),
                int(document["patients"]),
                int(document["events"]),
                int(document["candidates"]),
                tuple(document["features"]),
                np.asarray(document["coefficients"], np.float64),
                np.asarray(document["centre"], np.float64),
                float(document["penalty"]),
                float(document["l1_ratio"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the score cannot be read: {error!r}") from error


@dataclass(frozen=True, eq=False)
class DevianceCurve:
    """Cross-validated deviance along the path."""

    lambdas: Floats
    """(m,) falling."""
    deviance: Floats
    """(m,) for each death; lower is better."""
    error: Floats
    """(m,) standard error of the deviance over the folds."""
    chosen: Floats
    """(m,) number of features that the fit on all patients has."""

    def index(self, rule: str) -> int:
        """Which lambda a rule takes: `min` or `1se`."""
        best = int(np.argmin(self.deviance))
        if rule == "min":
            return best
        return int(np.argmax(self.deviance <= self.deviance[best] + self.error[best]))


@dataclass(frozen=True, eq=False)
class ElasticNetFit:
    """The score with how it came about."""

    model: ElasticNetModel
    path: ElasticNetPath
    curve: DevianceCurve


def fit_elastic_net(
    features: "pd.DataFrame",
    followed: Outcome,
    names: tuple[str, str],
    generator: np.random.Generator,
    config: ElasticNetConfig,
    strata: NDArray[np.int_] | None = None,
) -> ElasticNetFit:
    """Fits the path, chooses the penalty by cross-validation and keeps that score.

    The deviance of a fold is that of all patients less that of the fold's training patients, both
    at the training patients' coefficients (van Houwelingen et al., Stat Med 2006;25:3201), so that
    small folds have risk sets; it counts by its deaths. Scaling happens inside each fold.

    Args:
        features: (n, p) numbers without gaps; column names are kept.
        followed: n outcomes.
        names: of the score and of the cohort.
        generator: deals the folds.
        config: the penalty, the folds and the rule.
        strata: (n,) numbers of groups with own baseline hazards.

    Raises:
        ValueError: fewer than ten deaths or than folds, gaps, or no convergence.
    """
    if followed.events < max(LEAST_EVENTS, config.folds):
        raise ValueError(
            f"{names[0]}: {followed.events} deaths are too few for an elastic net with "
            f"{config.folds} folds; needs at least {max(LEAST_EVENTS, config.folds)}"
        )
    values = features.to_numpy(np.float64)
    path = elastic_net_path(values, followed, config, strata=strata)
    folds = deal_folds(followed, config.folds, generator)
    curve = _deviance(values, followed, path, folds, (config, strata))
    at = curve.index(config.rule)
    kept = np.flatnonzero(path.coefficients[:, at])
    model = ElasticNetModel(
        names[0],
        names[1],
        len(followed),
        followed.events,
        values.shape[1],
        tuple(str(name) for name in features.columns[kept]),
        path.coefficients[kept, at],
        path.centre[kept],
        float(path.lambdas[at]),
        config.l1_ratio,
    )
    return ElasticNetFit(model, path, curve)


def deal_folds(followed: Outcome, folds: int, generator: np.random.Generator) -> NDArray[np.int_]:
    """The fold (n,) of each patient, with the dead dealt evenly."""
    dealt = np.empty(len(followed), np.int_)
    start = 0
    for group in (followed.event, ~followed.event):
        rows = generator.permutation(np.flatnonzero(group))
        dealt[rows] = (np.arange(rows.size) + start) % folds
        start += rows.size
    return dealt


def _deviance(
    values: Floats,
    followed: Outcome,
    path: ElasticNetPath,
    folds: NDArray[np.int_],
    how: tuple[ElasticNetConfig, NDArray[np.int_] | None],
) -> DevianceCurve:
    config, strata = how
    whole = PartialLikelihood(followed, strata)
    parts, deaths = [], []
    for fold in range(config.folds):
        train = folds != fold
        groups = None if strata is None else strata[train]
        outcome = followed.take(train)
        fitted = elastic_net_path(values[train], outcome, config, path.lambdas, groups)
        risk = fitted.risk(values)
        inside = PartialLikelihood(outcome, groups).value(risk[train])
        parts.append(-2 * (whole.value(risk) - inside))
        deaths.append(followed.events - outcome.events)
    weight = np.asarray(deaths, np.float64)
    each = np.asarray(parts) / weight[:, None]
    mean = np.average(each, axis=0, weights=weight)
    variance = np.average((each - mean) ** 2, axis=0, weights=weight) / (config.folds - 1)
    chosen = (path.coefficients != 0).sum(axis=0).astype(np.float64)
    return DevianceCurve(path.lambdas, mean, np.sqrt(variance), chosen)


def read_elastic_net(file: Path) -> ElasticNetModel:
    """A score from its file.

    Raises:
        ValueError: the file is none.
    """
    return ElasticNetModel.from_document(read_document(file))


def write_elastic_net(model: ElasticNetModel, file: Path) -> None:
    """Writes a score as JSON."""
    write_document(model.document(), file)
