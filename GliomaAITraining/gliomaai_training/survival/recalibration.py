"""Repair of a model's calibration in another cohort: a step of its own, written into the model.

From little to much (van Houwelingen, Stat Med 2000;19:3401; Crowson, Atkinson, Therneau, Stat
Methods Med Res 2016;25:1692): the level of the hazard; also the slope, a factor for all
coefficients; also the shape of the baseline hazard. None of them changes who is at higher risk
than whom. Recalibrate on other patients than those in whom the repaired model is then judged.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.survival.baseline import Baseline, breslow
from gliomaai_training.survival.cox_model import CoxModel, Encoded
from gliomaai_training.survival.fit_cox import LEAST_EVENTS, fit_design
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.terms import Columns

Floats = NDArray[np.float64]
Extent = Literal["level", "slope", "baseline"]


@dataclass(frozen=True)
class RecalibrationPlan:
    """What to repair, and where."""

    cohort: str
    """In whom, in words."""
    extent: Extent
    """`level`: the baseline hazard times observed by expected deaths. `slope`: coefficients times
    a factor, then the level. `baseline`: slope, and a baseline hazard of this cohort."""
    stratum: str | None = None
    """Whose baseline is repaired; None as in `CoxModel.baseline`."""

    def __post_init__(self) -> None:
        if self.extent not in ("level", "slope", "baseline"):
            raise ValueError(f"{self.extent!r} is neither level, slope nor baseline")


@dataclass(frozen=True, eq=False)
class Recalibrated:
    """The repaired model, and how far off the other was."""

    model: CoxModel
    """With one baseline, and its history."""
    observed: int
    """Deaths within the model's follow-up."""
    expected: float
    """Deaths by the model before the repair."""
    slope: float
    """Of the linear predictor; below 1 the model was too sure."""
    slope_interval: tuple[float, float]


def recalibrate(
    model: CoxModel, table: Columns, followed: Outcome, plan: RecalibrationPlan
) -> Recalibrated:
    """Repairs a model's calibration.

    Args:
        model: is not changed.
        table: n patients by columns.
        followed: their outcomes; what lies after the model's follow-up is cut off.
        plan: what to repair.

    Raises:
        ValueError: fewer than ten deaths, or as `CoxModel.encode`.
    """
    old = model.baseline(plan.stratum)
    seen = _cut(followed, old.follow_up_months)
    if seen.events < LEAST_EVENTS:
        raise ValueError(
            f"{model.name}: {seen.events} deaths are too few to recalibrate; needs {LEAST_EVENTS}"
        )
    encoded = model.encode(table)
    expected = expected_deaths(model.coefficients, old, encoded, seen)
    slope, error = _slope(model, encoded, seen)
    factor = 1.0 if plan.extent == "level" else slope
    coefficients = model.coefficients * factor
    covariance = model.covariance * factor**2
    if plan.extent != "level":
        covariance = covariance + error**2 * np.outer(model.coefficients, model.coefficients)
    baseline = (
        _new_baseline(coefficients, encoded, followed)
        if plan.extent == "baseline"
        else _level(old, seen, expected_deaths(coefficients, old, encoded, seen))
    )
    interval = (slope - 1.96 * error, slope + 1.96 * error)
    note = (
        f"recalibrated ({plan.extent}) on {plan.cohort}, n = {len(followed)}, "
        f"{followed.events} events: observed/expected deaths {seen.events}/{expected:.1f}, slope "
        f"{slope:.3f} ({interval[0]:.3f} to {interval[1]:.3f})"
    )
    repaired = replace(
        model,
        coefficients=coefficients,
        covariance=covariance,
        baselines={"": baseline},
        default_stratum=None,
        history=(*model.history, note),
    )
    return Recalibrated(repaired, seen.events, expected, slope, interval)


def expected_deaths(
    coefficients: Floats, baseline: Baseline, encoded: Encoded, followed: Outcome
) -> float:
    """The sum of cumulative hazards over the follow-up: how many should have died.

    Raises:
        ValueError: a patient was followed for longer than the model.
    """
    hazard = baseline.cumulative(followed.months)[:, None]
    alive = np.exp(-np.exp(encoded.design @ coefficients) * hazard)
    return float(-np.log((encoded.weights * alive).sum(axis=1)).sum())


def _cut(followed: Outcome, months: float) -> Outcome:
    inside = followed.months <= months
    return Outcome(np.minimum(followed.months, months), followed.event & inside)


def _slope(model: CoxModel, encoded: Encoded, followed: Outcome) -> tuple[float, float]:
    risk = model.risk_of(encoded)
    if not np.ptp(risk) > 0:
        raise ValueError(f"{model.name} gives every patient the same risk; it has no slope")
    fitter, _ = fit_design(risk[:, None], ("risk",), followed, None)
    return float(fitter.params_.iloc[0]), float(fitter.standard_errors_.iloc[0])


def _level(old: Baseline, followed: Outcome, expected: float) -> Baseline:
    """The old hazard times a factor, whose own uncertainty (1 / deaths) joins the variance."""
    factor = followed.events / expected
    hazard = old.hazard * factor
    variance = old.variance * factor**2 + hazard**2 / followed.events
    return replace(old, hazard=hazard, variance=variance)


def _new_baseline(coefficients: Floats, encoded: Encoded, followed: Outcome) -> Baseline:
    if encoded.weights.shape[1] > 1:
        raise ValueError("a new baseline hazard needs known categories, not probabilities")
    return breslow(encoded.design[:, 0], coefficients, followed)
