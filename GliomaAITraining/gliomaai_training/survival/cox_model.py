"""A fitted Cox model as a small readable file, and what it says of patients. Only numpy is needed.

Where a category is known only as probabilities p_k (a predicted molecular state), survival is the
expected value over the states, S(t) = sum_k p_k S_k(t). It is not survival at the mean linear
predictor: risk is exponential in it, so that curve would be that of no possible patient, and of
two very different prognoses it would make a middling one. Who is 50 % glioblastoma and 50 %
oligodendroglioma dies early or late, and the curve shows it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.documents import (
    check_format,
    model_head,
    read_document,
    told_in_head,
    write_document,
)
from gliomaai_training.survival.baseline import Baseline
from gliomaai_training.survival.terms import (
    Columns,
    MissingCovariateError,
    NumericTerm,
    OfTerms,
    Term,
    is_missing,
    term_document,
    term_from_document,
)

Floats = NDArray[np.float64]

FORMAT = "gliomaai Cox model"
VERSION = 1
"""Of the file; a reader refuses what it does not know."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """n patients as numbers, each in one or several possible states."""

    design: Floats
    """(n, s, p) columns of the terms in each state."""
    weights: Floats
    """(n, s) probability of each state; rows sum to 1."""


@dataclass(frozen=True, eq=False)
class CoxModel(OfTerms):
    """Cox proportional hazards: log hazard = log baseline + columns x coefficients."""

    name: str
    cohort: str
    """Which patients it was fitted on, in words."""
    patients: int
    events: int
    terms: tuple[Term, ...]
    coefficients: Floats
    """(p,) log hazard ratio for one unit of each column."""
    covariance: Floats
    """(p, p) of the coefficients."""
    baselines: Mapping[str, Baseline]
    """By stratum; one, named "", where the fit was not stratified."""
    default_stratum: str | None = None
    """Whose baseline a patient of no known stratum has; None to refuse."""
    history: tuple[str, ...] = ()
    """What was done to the model after its fit, such as a recalibration."""

    def __post_init__(self) -> None:
        p = len(self.columns)
        self.check_terms()
        if self.coefficients.shape != (p,) or self.covariance.shape != (p, p):
            raise ValueError(
                f"{self.name}: {self.coefficients.shape} coefficients and covariance "
                f"{self.covariance.shape} do not fit {p} columns"
            )
        if not (np.isfinite(self.coefficients).all() and np.isfinite(self.covariance).all()):
            raise ValueError(f"{self.name}: a coefficient or its covariance is not finite")
        if not self.baselines:
            raise ValueError(f"{self.name}: has no baseline hazard")
        for stratum, baseline in self.baselines.items():
            if baseline.mean_design.shape[1] != p:
                raise ValueError(f"{self.name}: baseline {stratum!r} does not fit {p} columns")
        if self.default_stratum is not None and self.default_stratum not in self.baselines:
            raise ValueError(f"{self.name}: {self.default_stratum!r} is none of its strata")

    @property
    def strata(self) -> tuple[str, ...]:
        """Names of the strata."""
        return tuple(self.baselines)

    def slice_of(self, term: Term) -> slice:
        """Where a term's columns are."""
        before = self.terms[: self.terms.index(term)]
        start = sum(len(earlier.columns) for earlier in before)
        return slice(start, start + len(term.columns))

    def baseline(self, stratum: str | None = None) -> Baseline:
        """The baseline hazard of a stratum.

        Raises:
            ValueError: no such stratum, or the model has several and no default.
        """
        if stratum is None:
            stratum = self.strata[0] if len(self.baselines) == 1 else self.default_stratum
        if stratum is None or stratum not in self.baselines:
            known = ", ".join(repr(name) for name in self.strata)
            raise ValueError(f"{self.name} has the strata {known}, not {stratum!r}; name one")
        return self.baselines[stratum]

    def encode(self, table: Columns) -> Encoded:
        """n patients by columns; each column holds n values (further columns are ignored).

        A category may be a mapping of levels to probabilities, for one term of the model: states
        that depend on each other, such as IDH and 1p/19q, belong into one term.

        Raises:
            MissingCovariateError: a covariate is absent or unknown for some patient.
            ValueError: an impossible value, a category never seen, probabilities in two terms.
        """
        columns = {name: list(table[name]) for name in self.covariates if name in table}
        missing = [
            term.label
            for term in self.terms
            if term.name not in columns or any(is_missing(v) for v in columns[term.name])
        ]
        if missing:
            raise MissingCovariateError(self.name, missing)
        blocks, weights = [], None
        for term in self.terms:
            values = columns[term.name]
            if isinstance(term, NumericTerm) or not any(isinstance(v, Mapping) for v in values):
                blocks.append(term.encode(values)[:, None, :])
                continue
            if weights is not None:
                raise ValueError("probabilities are possible for one term only; join the states")
            weights = np.array([term.probabilities(value) for value in values])
            states = term.encode(term.levels)
            blocks.append(np.broadcast_to(states, (len(values), *states.shape)))
        count = len(columns[self.covariates[0]])
        if weights is None:
            weights = np.ones((count, 1))
        return Encoded(
            np.concatenate(
                [np.broadcast_to(b, (*weights.shape, b.shape[2])) for b in blocks], axis=2
            ),
            weights,
        )

    def risk(self, table: Columns) -> Floats:
        """Linear predictor (n,): the log hazard ratio against the patient of every reference.

        Where a state is uncertain it is the log of the expected hazard ratio.

        Raises:
            as `encode`.
        """
        return self.risk_of(self.encode(table))

    def risk_of(self, encoded: Encoded) -> Floats:
        """As `risk`, of patients already encoded."""
        with np.errstate(divide="ignore"):
            logs = encoded.design @ self.coefficients + np.log(encoded.weights)
        top = logs.max(axis=1, keepdims=True)
        return np.asarray((top + np.log(np.exp(logs - top).sum(axis=1, keepdims=True)))[:, 0])

    def survival(self, table: Columns, months: ArrayLike, stratum: str | None = None) -> Floats:
        """Probability (n, m) to be alive at each of m times, expected over uncertain states.

        Raises:
            ValueError: as `encode`; an unknown stratum; a time after the last follow-up.
        """
        times = np.atleast_1d(np.asarray(months, np.float64))
        encoded = self.encode(table)
        ratios = np.exp(encoded.design @ self.coefficients)
        hazard = self.baseline(stratum).cumulative(times)
        alive = np.einsum("ns,nsm->nm", encoded.weights, np.exp(-ratios[:, :, None] * hazard))
        # Probabilities of the states add up to 1 but for the last digit.
        return np.asarray(np.minimum(alive, 1.0))

    def thinned(self, every_months: float) -> Self:
        """The same model with fewer steps of the baseline; see `Baseline.thinned`."""
        return replace(
            self, baselines={k: b.thinned(every_months) for k, b in self.baselines.items()}
        )

    def document(self) -> dict[str, Any]:
        """The model as JSON holds it; every number comes back exactly."""
        return {
            **model_head(FORMAT, VERSION, self),
            "events": self.events,
            "history": list(self.history),
            "terms": [term_document(term) for term in self.terms],
            "columns": list(self.columns),
            "coefficients": self.coefficients.tolist(),
            "covariance": self.covariance.tolist(),
            "default_stratum": self.default_stratum,
            "baselines": {name: b.document() for name, b in self.baselines.items()},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The model from JSON.

        Raises:
            ValueError: it is no such file, of another version, or incomplete.
        """
        check_format(document, FORMAT, VERSION)
        try:
            return cls(
                **told_in_head(document),
                events=int(document["events"]),
                terms=tuple(term_from_document(term) for term in document["terms"]),
                coefficients=np.asarray(document["coefficients"], np.float64),
                covariance=np.asarray(document["covariance"], np.float64),
                baselines={
                    name: Baseline.from_document(b) for name, b in document["baselines"].items()
                },
                default_stratum=document["default_stratum"],
                history=tuple(document["history"]),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the Cox model cannot be read: {error!r}") from error


def read_cox_model(file: Path) -> CoxModel:
    """A model from its file.

    Raises:
        ValueError: the file is no Cox model.
    """
    return CoxModel.from_document(read_document(file))


def write_cox_model(model: CoxModel, file: Path) -> None:
    """Writes a model as JSON."""
    write_document(model.document(), file)
