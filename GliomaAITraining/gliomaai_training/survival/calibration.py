"""Whether predicted survival is what happened: at a horizon, in groups, smoothly and in summary.

Predictions are probabilities of living longer than a horizon; risk is 1 less that.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.evaluation.bootstrap import (
    BOOTSTRAP,
    BootstrapConfig,
    Interval,
    intervals,
    patient_draws,
    percentile_interval,
)
from gliomaai_training.evaluation.paired import normal_interval
from gliomaai_training.survival.baseline import breslow
from gliomaai_training.survival.brier import check_survival
from gliomaai_training.survival.censoring import censoring_of, check_events
from gliomaai_training.survival.kaplan_meier import kaplan_meier
from gliomaai_training.survival.newton_cox import newton_cox
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.product_limit import resampled_survival

GROUPS = 5
KNOT_QUANTILES = (0.1, 0.5, 0.9)
"""Of the spline: three knots, Harrell's places (Regression Modeling Strategies, section 2.4.6)."""
SMOOTH_BOOTSTRAP = BootstrapConfig(resamples=200)
"""Each resample refits a Cox model."""

_EXTREME = 1e-6
"""Probabilities nearer to 0 or 1 are drawn in, for their log-log would be infinite."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CalibrationSummary:
    """Calibration in the large and slope at a horizon (McLernon et al., Ann Intern Med 2023)."""

    horizon_months: float
    expected: float
    """Mean predicted risk of death by the horizon."""
    observed: Interval
    """Kaplan-Meier risk of death by the horizon."""
    ratio: Interval
    """Observed / expected: above 1, too few deaths were predicted."""
    difference: Interval
    """Observed - expected."""
    slope: Interval
    """1 is ideal; below, predictions are too extreme, as of an overfitted model."""


@dataclass(frozen=True, eq=False)
class GroupedCalibration:
    """Mean predicted and Kaplan-Meier risk in g groups of rising predicted risk."""

    horizon_months: float
    predicted: Floats
    observed: Floats
    """NaN where a group's follow-up ends before the horizon."""
    low: Floats
    high: Floats
    patients: NDArray[np.int_]
    deaths: NDArray[np.int_]
    """By the horizon."""


@dataclass(frozen=True, eq=False)
class SmoothCalibration:
    """Observed risk as a smooth function of predicted risk, on a grid of k predicted risks."""

    horizon_months: float
    risk: Floats
    """(n,) predicted for each patient."""
    predicted: Floats
    """(k,) grid from the 1st to the 99th percentile of `risk`."""
    observed: Floats
    low: Floats
    high: Floats
    ici: Interval
    """Integrated calibration index: mean absolute difference over the patients."""
    e50: Interval
    """Median absolute difference."""
    e90: Interval
    """90th percentile of the absolute difference."""


def calibration_summary(
    survival: ArrayLike,
    outcome: Outcome,
    horizon_months: float,
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
) -> CalibrationSummary:
    """Calibration in the large, by the Kaplan-Meier estimate, and the calibration slope.

    The slope is the coefficient of the predicted log(-log S) in a Cox regression on the follow-up
    up to the horizon; of a Cox model's predictions, that of its linear predictor.

    Args:
        survival: (n,) predicted probabilities of living longer than the horizon.
        outcome: of the same patients.
        horizon_months: for example one of `HORIZONS_MONTHS`.
        generator: of the bootstrap of the first three intervals; that of the slope is normal.
        config: the number of draws and the level.

    Raises:
        ValueError: a value is no probability, all are the same, the horizon lies beyond the
            follow-up, or fewer than ten patients died by it.
    """
    values, early = _checked(survival, outcome, horizon_months)

    def statistics(draws: NDArray[np.int64]) -> Floats:
        observed = 1.0 - resampled_survival(outcome, horizon_months, draws)
        expected = draws @ (1.0 - values) / draws.sum(axis=1)
        return np.column_stack([observed, observed / expected, observed - expected])

    observed, ratio, difference = intervals(statistics, len(outcome), generator, config)
    fit = newton_cox(_log_log(values)[:, None], early)
    slope = normal_interval(fit.coefficients[0], fit.covariance[0, 0], config.level)
    expected = float(np.mean(1.0 - values))
    return CalibrationSummary(horizon_months, expected, observed, ratio, difference, slope)


def grouped_calibration(
    survival: ArrayLike,
    outcome: Outcome,
    horizon_months: float,
    groups: int = GROUPS,
) -> GroupedCalibration:
    """Observed (Kaplan-Meier) against mean predicted risk in equal groups of predicted risk.

    Equal predictions stay together, so that few distinct predictions give fewer groups. Intervals
    are 95 %, as `kaplan_meier` has them.

    Raises:
        ValueError: as `calibration_summary`, or fewer than one group.
    """
    values, _ = _checked(survival, outcome, horizon_months)
    if groups < 1:
        raise ValueError(f"{groups} groups are not possible")
    risk = 1.0 - values
    edges = np.unique(np.quantile(risk, np.linspace(0, 1, groups + 1)[1:-1]))
    index = np.unique(np.searchsorted(edges, risk, side="left"), return_inverse=True)[1]
    members = [np.flatnonzero(index == group) for group in range(int(index.max()) + 1)]
    curves = [kaplan_meier(outcome.take(rows)).at(horizon_months) for rows in members]
    survived, low, high = np.concatenate(curves, axis=1)
    dead = outcome.event & (outcome.months <= horizon_months)
    return GroupedCalibration(
        horizon_months,
        np.array([risk[rows].mean() for rows in members]),
        1.0 - survived,
        1.0 - high,
        1.0 - low,
        np.array([rows.size for rows in members]),
        np.array([np.count_nonzero(dead[rows]) for rows in members]),
    )


def smooth_calibration(
    survival: ArrayLike,
    outcome: Outcome,
    horizon_months: float,
    generator: np.random.Generator,
    config: BootstrapConfig = SMOOTH_BOOTSTRAP,
) -> SmoothCalibration:
    """A smooth calibration curve with the integrated calibration index.

    After Austin, Harrell and van Klaveren, Stat Med 2020;39:2714: a Cox regression of the outcome
    on a restricted cubic spline of the predicted log(-log S). lifelines'
    `survival_probability_calibration` is linear in log(-log S) and cannot show a bend; local
    Kaplan-Meier estimates need many patients at every risk. Follow-up after the horizon is left
    out, so that hazards need be proportional until then only.

    Args:
        survival: (n,) predicted probabilities of living longer than the horizon.
        outcome: of the same patients.
        horizon_months: for example one of `HORIZONS_MONTHS`.
        generator: source of the draws.
        config: the number of draws and the level. Resamples without a fit are left out.

    Raises:
        ValueError: as `calibration_summary`.
    """
    values, early = _checked(survival, outcome, horizon_months)
    risk = 1.0 - values
    ends = np.quantile(risk, [0.01, 0.99])
    grid = np.linspace(float(ends[0]), float(ends[1]), 101)
    estimate = _smoothed(values, early, grid)
    resampled = []
    for counts in patient_draws(len(outcome), generator, config.resamples):
        rows = np.repeat(np.arange(len(outcome)), counts)
        try:
            resampled.append(_smoothed(values[rows], early.take(rows), grid))
        except ValueError:
            continue  # a resample whose deaths are separated has no curve
    if not resampled:
        raise ValueError("the calibration curve is undefined in every resample: too few deaths")
    spread = np.stack([curve for curve, _ in resampled])
    tail = (1.0 - config.level) / 2
    low, high = np.quantile(spread, [tail, 1.0 - tail], axis=0)
    errors = np.stack([distances for _, distances in resampled])
    ici, e50, e90 = (
        percentile_interval(float(value), errors[:, column], config.level)
        for column, value in enumerate(estimate[1])
    )
    return SmoothCalibration(horizon_months, risk, grid, estimate[0], low, high, ici, e50, e90)


def _smoothed(values: Floats, outcome: Outcome, grid: Floats) -> tuple[Floats, Floats]:
    """Observed risk on the grid, and mean, median and 90th percentile of |observed - predicted|."""
    column, points = _log_log(values), _log_log(1.0 - grid)
    # Rounded, so that predictions which are equal but for rounding make one knot.
    knots = np.unique(np.round(np.quantile(column, KNOT_QUANTILES), 6))
    design = _spline(column, knots)
    fit = newton_cox(design, outcome)
    centre = design.mean(axis=0)
    baseline = breslow(design - centre, fit.coefficients, outcome)
    hazard = baseline.hazard[-1]
    observed, own = (
        1.0 - np.exp(-hazard * np.exp((_spline(x, knots) - centre) @ fit.coefficients))
        for x in (points, column)
    )
    distance = np.abs(own - (1.0 - values))
    return observed, np.array([distance.mean(), *np.quantile(distance, [0.5, 0.9])])


def _spline(x: Floats, knots: Floats) -> Floats:
    """Restricted cubic spline (n, knots - 1), linear beyond the outer knots; x alone below 3."""
    if knots.size < 3:
        return x[:, None]
    first, last = knots[0], knots[-1]

    def cubed(knot: float) -> Floats:
        return np.asarray(np.maximum(x - knot, 0.0) ** 3)

    columns = [x]
    for knot in knots[:-2]:
        before = knots[-2]
        bend = cubed(knot)
        bend -= cubed(before) * (last - knot) / (last - before)
        bend += cubed(last) * (before - knot) / (last - before)
        columns.append(bend / (last - first) ** 2)
    return np.stack(columns, axis=1)


def _checked(
    survival: ArrayLike, outcome: Outcome, horizon_months: float
) -> tuple[Floats, Outcome]:
    """Probabilities away from 0 and 1, and the outcome up to the horizon."""
    values = check_survival(survival, (len(outcome),))
    censoring_of(outcome).check_horizon(horizon_months)
    early = up_to(outcome, horizon_months)
    check_events(early)
    return np.clip(values, _EXTREME, 1.0 - _EXTREME), early


def up_to(outcome: Outcome, months: float) -> Outcome:
    """The outcome as known at some time after the start; later deaths are not events."""
    return Outcome(np.minimum(outcome.months, months), outcome.event & (outcome.months <= months))


def _log_log(survival: Floats) -> Floats:
    return np.asarray(np.log(-np.log(survival)))
