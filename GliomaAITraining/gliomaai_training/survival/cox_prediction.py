"""What a Cox model says of one patient: the curve with its interval, and what moved the risk.

The interval is the delta method on log(-log S), with the covariance of the coefficients and the
variance of the baseline hazard (Tsiatis 1981; `survfit.coxph` of R with conf.type="log-log"). It
says how well the model is known, not how different patients are.

Where a state is uncertain, the curve is the expected one, S(t) = sum_k p_k S_k(t), and the interval
is for S_K(t), the curve that the patient will have once the state K is known: K is k with
probability p_k, and log(-log S_k) is normal about its estimate as above, so that the interval's
ends are quantiles of that mixture. It is as wide as the states' curves lie apart where none of them
can be excluded, and it is the delta method's where the state is certain.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.survival.cox_model import CoxModel, Encoded
from gliomaai_training.survival.readable import readable, readable_with_unit
from gliomaai_training.survival.terms import CategoricalTerm, NumericTerm, Term, Value

Floats = NDArray[np.float64]
Patient = Mapping[str, Value]
"""What is known of a patient, by covariate; more than a model needs does no harm."""

LANDMARKS_MONTHS = (12.0, 24.0, 60.0)
LEVEL = 0.95
BISECTIONS = 40
"""Halvings of the bracket around a quantile, to the twelfth digit."""
TINY = 1e-12
"""Standard error of a model without any: a quantile needs a width to be looked for."""


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


@dataclass(frozen=True)
class StateShare:
    """One of the states that an expected curve is made of."""

    state: str
    probability: float
    landmarks: Mapping[float, float | None]
    """Survival in this state at 12, 24 and 60 months; None after the model's follow-up."""


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
    shares: tuple[StateShare, ...]
    """What the curve is made of, the likeliest first; none where every category is certain."""
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
        _shares(model, patient, known, stratum),
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
    possible = chances > 0
    design, chances = design[possible], chances[possible]
    hazard = np.exp(design @ model.coefficients)[:, None] * baseline.hazard[step]
    # The delta method for log(-log S) = log hazard of each state, (s, m).
    lean = design[:, None, :] - baseline.mean_design[step]
    variance = np.einsum("smp,pq,smq->sm", lean, model.covariance, lean)
    variance += baseline.variance[step] / baseline.hazard[step] ** 2
    ends = _ends(chances, np.log(hazard), np.sqrt(variance), level)
    survival = np.minimum(chances @ np.exp(-hazard), 1.0)
    low, high = np.exp(-np.exp(ends[1])), np.exp(-np.exp(ends[0]))
    curve = np.ones((3, times.size))
    # An unlikely state that is far from the others can move the mean beyond the quantiles.
    curve[:, started] = survival, np.minimum(low, survival), np.maximum(high, survival)
    return SurvivalCurve(times, *curve)


def _ends(chances: Floats, middle: Floats, spread: Floats, level: float) -> tuple[Floats, Floats]:
    """Quantiles (m,) of normal distributions (s, m) that are mixed by chances (s,)."""
    spread = np.maximum(spread, TINY)
    reach = NormalDist().inv_cdf(0.5 + level / 2) * spread
    if len(chances) == 1:
        return middle[0] - reach[0], middle[0] + reach[0]
    found = []
    for tail in ((1 - level) / 2, (1 + level) / 2):
        # The mixture's quantile lies between those of the states.
        shift = reach if tail > 0.5 else -reach
        low, high = (middle + shift).min(axis=0), (middle + shift).max(axis=0)
        for _ in range(BISECTIONS):
            at = (low + high) / 2
            below = chances @ _normal((at - middle) / spread) < tail
            low, high = np.where(below, at, low), np.where(below, high, at)
        found.append((low + high) / 2)
    return found[0], found[1]


def _normal(deviates: Floats) -> Floats:
    """The normal distribution; numpy has none, and the clinic predicts with numpy alone."""
    return np.asarray((1 + np.frompyfunc(math.erf, 1, 1)(deviates / math.sqrt(2))) / 2, np.float64)


def _shares(
    model: CoxModel, patient: Patient, known: Sequence[float], stratum: str | None
) -> tuple[StateShare, ...]:
    uncertain = [
        (term.name, chances)
        for term in model.terms
        if isinstance(chances := patient[term.name], Mapping)
    ]
    if not uncertain:
        return ()
    ((name, chances),) = uncertain
    likely = sorted(((p, state) for state, p in chances.items() if p > 0), reverse=True)
    shares = []
    for chance, state in likely:
        one = {key: [value] for key, value in {**patient, name: state}.items()}
        landmarks: dict[float, float | None] = dict.fromkeys(LANDMARKS_MONTHS)
        landmarks |= zip(known, model.survival(one, known, stratum)[0].tolist(), strict=True)
        shares.append(StateShare(state, float(chance), landmarks))
    return tuple(shares)


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
    return readable_with_unit(float(str(value)), term.unit)


def beyond(term: NumericTerm, value: Value) -> str:
    """That a value lies outside what the cohort held, in words."""
    low, high = (readable(end, term.unit) for end in (term.observed[0], term.observed[-1]))
    return f"{term.label} of {describe(term, value)}: the model saw {low} to {high}"


def _extrapolated(model: CoxModel, patient: Patient) -> tuple[str, ...]:
    return tuple(
        beyond(term, patient[term.name])
        for term in model.terms
        if isinstance(term, NumericTerm) and term.is_extrapolated(float(str(patient[term.name])))
    )


def _first_half(months: Floats, survival: Floats) -> float | None:
    below = np.flatnonzero(survival <= 0.5)
    return float(months[below[0]]) if below.size else None
