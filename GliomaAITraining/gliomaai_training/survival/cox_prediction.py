"""What a Cox model says of one patient: the curve with its interval, and what moved the risk.

The interval is the delta method on log(-log S), with the covariance of the coefficients and the
variance of the baseline hazard (Tsiatis 1981; `survfit.coxph` of R with conf.type="log-log"). It
says how well the model is known, not how different patients are, and takes the probabilities of
uncertain states as given: those are in the curve itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.survival.cox_model import CoxModel, Encoded
from gliomaai_training.survival.terms import CategoricalTerm, NumericTerm, Term, Value

Floats = NDArray[np.float64]
Patient = Mapping[str, Value]
"""What is known of a patient, by covariate; more than a model needs does no harm."""

LANDMARKS_MONTHS = (12.0, 24.0, 60.0)
LEVEL = 0.95


@dataclass(frozen=True, eq=False)
class SurvivalCurve:
    """Probability to be alive, with its pointwise interval."""

    months: Floats
    """(m,)"""
    survival: Floats
    low: Floats
    high: Floats

    def median_months(self) -> float | None:
        """When half have died; None if more are alive at the end."""
        return _first_half(self.months, self.survival)

    def median_interval_months(self) -> tuple[float | None, float | None]:
        """The interval of the median, from the curve's own (Brookmeyer and Crowley 1982)."""
        return _first_half(self.months, self.low), _first_half(self.months, self.high)


@dataclass(frozen=True)
class Contribution:
    """What one covariate does to the risk, against its reference."""

    name: str
    label: str
    value: str
    """The patient's, in words."""
    reference: str
    log_hazard: float
    """Sums to the linear predictor over the covariates."""
    share: float
    """Of all movement, up or down; sums to 1 over the covariates (0 for the reference patient)."""

    @property
    def hazard_ratio(self) -> float:
        """Above 1 for worse."""
        return float(np.exp(self.log_hazard))


@dataclass(frozen=True, eq=False)
class SurvivalPrediction:
    """Everything that a model says of one patient."""

    model: str
    """Which model was used."""
    risk: float
    """Linear predictor; higher is worse."""
    curve: SurvivalCurve
    landmarks: Mapping[float, tuple[float, float, float] | None]
    """Survival and its interval at 12, 24 and 60 months; None after the model's follow-up."""
    contributions: tuple[Contribution, ...]
    """What moved the risk most comes first."""
    extrapolated: tuple[str, ...]
    """Covariates outside what the cohort held; the estimate is then a guess."""


def predict(model: CoxModel, patient: Patient, stratum: str | None = None) -> SurvivalPrediction:
    """The survival of one patient: the whole curve at every step, and the landmarks.

    Raises:
        MissingCovariateError: a covariate is unknown.
        ValueError: an impossible value, a category never seen, an unknown stratum.
    """
    encoded = model.encode({name: [value] for name, value in patient.items()})
    baseline = model.baseline(stratum)
    known = [at for at in LANDMARKS_MONTHS if at <= baseline.follow_up_months]
    times = np.concatenate([[0.0], baseline.months, [baseline.follow_up_months]])
    curve = survival_curve(model, encoded, np.unique(times), stratum)
    at = survival_curve(model, encoded, known, stratum)
    landmarks: dict[float, tuple[float, float, float] | None] = dict.fromkeys(LANDMARKS_MONTHS)
    for month, *numbers in zip(known, at.survival, at.low, at.high, strict=True):
        landmarks[month] = (float(numbers[0]), float(numbers[1]), float(numbers[2]))
    return SurvivalPrediction(
        model.name,
        float(model.risk_of(encoded)[0]),
        curve,
        landmarks,
        contributions(model, patient),
        _extrapolated(model, patient),
    )


def survival_curve(
    model: CoxModel,
    encoded: Encoded,
    months: ArrayLike,
    stratum: str | None = None,
    level: float = LEVEL,
) -> SurvivalCurve:
    """Survival of one encoded patient at m times, with the pointwise interval.

    Raises:
        ValueError: more than one patient, an unknown stratum, a time after the last follow-up.
    """
    times = np.asarray(months, np.float64)
    if encoded.weights.shape[0] != 1:
        raise ValueError(f"a curve is that of one patient, not {encoded.weights.shape[0]}")
    design, chances = encoded.design[0], encoded.weights[0]
    baseline = model.baseline(stratum)
    step = baseline.steps(times)
    started = step >= 0
    step = step[started]
    hazard = np.exp(design @ model.coefficients)[:, None] * baseline.hazard[step]
    alive = np.exp(-hazard)
    survival = chances @ alive
    # How S moves with the log hazard of each state, (s, m); then with baseline and coefficients.
    pull = chances[:, None] * alive * hazard
    lean = np.einsum("sm,sp->mp", pull, design) - pull.sum(0)[:, None] * baseline.mean_design[step]
    variance = pull.sum(0) ** 2 * baseline.variance[step] / baseline.hazard[step] ** 2
    variance += np.einsum("mp,pq,mq->m", lean, model.covariance, lean)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_survival = np.log(survival)
        spread = NormalDist().inv_cdf(0.5 + level / 2) * np.sqrt(variance)
        spread = np.nan_to_num(np.exp(spread / np.abs(survival * log_survival)), nan=1.0)
        low, high = np.exp(log_survival * spread), np.exp(log_survival / spread)
    curve = np.ones((3, times.size))
    curve[:, started] = survival, low, high
    return SurvivalCurve(times, *curve)


def contributions(model: CoxModel, patient: Patient) -> tuple[Contribution, ...]:
    """What each covariate does to the patient's risk, the largest first.

    Raises:
        as `CoxModel.encode`.
    """
    encoded = model.encode({name: [value] for name, value in patient.items()})
    moved = []
    for term in model.terms:
        part = np.zeros(len(model.columns))
        columns = model.slice_of(term)
        part[columns] = 1.0
        alone = Encoded(encoded.design * part, encoded.weights)
        moved.append(float(model.risk_of(alone)[0]))
    total = sum(abs(log_hazard) for log_hazard in moved)
    parts = [
        Contribution(
            term.name,
            term.label,
            describe(term, patient[term.name]),
            describe(term, term.reference),
            log_hazard,
            abs(log_hazard) / total if total else 0.0,
        )
        for term, log_hazard in zip(model.terms, moved, strict=True)
    ]
    return tuple(sorted(parts, key=lambda part: -abs(part.log_hazard)))


def describe(term: Term, value: Value) -> str:
    """A covariate's value in words: "63 years", "GBM", "GBM 80 %, A4 20 %"."""
    if isinstance(value, Mapping):
        likely = sorted(value.items(), key=lambda item: -item[1])
        return ", ".join(f"{level} {100 * p:.0f} %" for level, p in likely if p >= 0.005)
    if isinstance(term, CategoricalTerm):
        return str(value)
    return f"{float(str(value)):.4g} {term.unit}".rstrip()


def _extrapolated(model: CoxModel, patient: Patient) -> tuple[str, ...]:
    return tuple(
        f"{term.label} of {describe(term, patient[term.name])}: the model saw "
        f"{term.observed[0]:.4g} to {term.observed[-1]:.4g}"
        for term in model.terms
        if isinstance(term, NumericTerm) and term.is_extrapolated(float(str(patient[term.name])))
    )


def _first_half(months: Floats, survival: Floats) -> float | None:
    below = np.flatnonzero(survival <= 0.5)
    return float(months[below[0]]) if below.size else None
