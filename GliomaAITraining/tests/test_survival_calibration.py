"""Calibration at horizons, and the small Cox regression behind it, against lifelines."""

import numpy as np
import pandas as pd
import pytest
import survival_oracle as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter, KaplanMeierFitter
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.survival.calibration import (
    KNOT_QUANTILES,
    calibration_summary,
    grouped_calibration,
    smooth_calibration,
    up_to,
)
from gliomaai_training.survival.newton_cox import newton_cox
from gliomaai_training.survival.outcome import Outcome, outcome

Floats = NDArray[np.float64]

FEW = BootstrapConfig(resamples=40)
HORIZON = 24.0


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def simulated(n: int = 600, seed: int = 0) -> tuple[Floats, Outcome]:
    """Survival probabilities at the horizon that are true, and what happened."""
    random = generator(seed)
    risk = random.normal(size=n)
    death, lost = random.exponential(40 * np.exp(-risk)), random.uniform(6, 120, n)
    survival = np.exp(-HORIZON / 40 * np.exp(risk))
    return survival, Outcome(np.minimum(death, lost), death <= lost)


@pytest.mark.parametrize("columns", [1, 3])
def test_the_small_cox_is_lifelines(columns: int) -> None:
    random = generator(columns)
    design = random.normal(size=(150, columns)) * [1.0, 20.0, 0.1][:columns]
    death = np.ceil(random.exponential(30 * np.exp(-design[:, 0])))  # tied deaths
    lost = np.ceil(random.uniform(5, 60, 150))
    known = Outcome(np.minimum(death, lost), death <= lost)
    frame = pd.DataFrame(design).assign(months=known.months, event=known.event)
    theirs = CoxPHFitter().fit(frame, "months", "event")
    ours = newton_cox(design, known)
    assert ours.coefficients == pytest.approx(theirs.params_.to_numpy(), rel=1e-4)
    assert ours.covariance == pytest.approx(theirs.variance_matrix_.to_numpy(), rel=1e-4)
    # lifelines stops a little earlier.
    assert theirs.log_likelihood_ - 1e-9 <= ours.log_likelihood < theirs.log_likelihood_ + 1e-6


@settings(max_examples=30)
@given(st.floats(-50, 50), st.floats(0.01, 100), st.integers(0, 1000))
def test_the_small_cox_knows_neither_shift_nor_unit_nor_order(
    shift: float, unit: float, seed: int
) -> None:
    random = generator(seed)
    order = random.permutation(60)
    column = oracle.OTHER[:, None]
    once = newton_cox(column, oracle.patients())
    again = newton_cox(column[order] * unit + shift, oracle.patients().take(order))
    assert again.coefficients[0] * unit == pytest.approx(once.coefficients[0], rel=1e-5)
    assert again.log_likelihood == pytest.approx(once.log_likelihood)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (np.ones((60, 1)), "not constant"),
        (np.column_stack([oracle.RISK, 2 * oracle.RISK + 1]), "depend on each other"),
        (-oracle.MONTHS[:, None], "no maximum"),
        (np.full((60, 1), np.nan), "finite columns"),
        (oracle.RISK, r"not \(60,\)"),
    ],
)
def test_what_the_small_cox_cannot_fit_is_refused(columns: Floats, message: str) -> None:
    known = outcome(oracle.MONTHS + np.arange(60) / 100, np.ones(60))
    with pytest.raises(ValueError, match=message):
        newton_cox(columns, known)


def test_the_summary_of_a_true_model_is_ideal() -> None:
    survival, known = simulated(2000)
    found = calibration_summary(survival, known, HORIZON, generator(), FEW)
    assert found.ratio.low < 1 < found.ratio.high
    assert found.difference.low < 0 < found.difference.high
    assert found.slope.low < 1 < found.slope.high
    theirs = 1 - KaplanMeierFitter().fit(known.months, known.event).predict(HORIZON)
    assert found.observed.estimate == pytest.approx(theirs)
    assert found.expected == pytest.approx(np.mean(1 - survival))
    assert found.ratio.estimate == pytest.approx(theirs / found.expected)


def test_too_high_risks_and_too_extreme_ones_are_told_apart() -> None:
    survival, known = simulated(2000)
    high = calibration_summary(survival**2, known, HORIZON, generator(), FEW)
    assert high.ratio.high < 0.9
    assert high.difference.high < -0.05
    assert high.slope.low < 1 < high.slope.high  # all hazards doubled
    log_log = np.log(-np.log(survival))
    extreme = np.exp(-np.exp(2 * (log_log - log_log.mean()) + log_log.mean()))
    assert calibration_summary(extreme, known, HORIZON, generator(), FEW).slope.estimate == (
        pytest.approx(0.5, abs=0.06)
    )


def test_the_slope_is_that_of_the_linear_predictor_in_lifelines() -> None:
    survival, known = simulated()
    early = up_to(known, HORIZON)
    frame = pd.DataFrame(
        {"lp": np.log(-np.log(survival)), "months": early.months, "event": early.event}
    )
    theirs = CoxPHFitter().fit(frame, "months", "event")
    slope = calibration_summary(survival, known, HORIZON, generator(), FEW).slope
    assert slope.estimate == pytest.approx(theirs.params_["lp"], rel=1e-4)
    bounds = theirs.confidence_intervals_.to_numpy()[0]
    assert (slope.low, slope.high) == pytest.approx(tuple(bounds), rel=1e-4)


def test_groups_are_kaplan_meier_with_lifelines_interval() -> None:
    survival, known = simulated()
    found = grouped_calibration(survival, known, HORIZON, groups=4)
    assert found.patients.tolist() == [150] * 4
    assert (np.diff(found.predicted) > 0).all()
    rows = np.argsort(1 - survival)[:150]
    fitted = KaplanMeierFitter().fit(known.months[rows], known.event[rows])
    bounds = fitted.confidence_interval_.asof(HORIZON).to_numpy()
    assert found.observed[0] == pytest.approx(1 - fitted.predict(HORIZON))
    assert (found.low[0], found.high[0]) == pytest.approx((1 - bounds[1], 1 - bounds[0]))
    assert found.deaths.sum() == up_to(known, HORIZON).events


def test_equal_predictions_stay_in_one_group() -> None:
    _, known = simulated(60)
    survival = np.where(np.arange(60) < 45, 0.8, 0.3)
    found = grouped_calibration(survival, known, HORIZON)
    assert found.patients.tolist() == [45, 15]
    assert found.predicted == pytest.approx([0.2, 0.7])


def test_a_group_that_is_not_followed_has_no_observed_risk() -> None:
    known = outcome([*range(1, 41), *[50] * 40], [1] * 20 + [0] * 20 + [1] * 10 + [0] * 30)
    found = grouped_calibration([0.3] * 40 + [0.9] * 40, known, 45.0, groups=2)
    assert np.isnan(found.observed[1])
    assert found.observed[0] == 0.0


def test_the_smooth_curve_is_a_spline_cox_of_lifelines() -> None:
    """The space of natural splines is one; formulaic's basis of it is another than ours."""
    survival, known = simulated()
    found = smooth_calibration(survival, known, HORIZON, generator(), FEW)
    early = up_to(known, HORIZON)
    x = np.log(-np.log(survival))
    knots = np.quantile(x, KNOT_QUANTILES)
    formula = f"cr(x, knots=[{knots[1]}], lower_bound={knots[0]}, upper_bound={knots[2]}, "
    formula += "extrapolation='extend', constraints='center')"
    frame = pd.DataFrame({"x": x, "months": early.months, "event": early.event})
    theirs = CoxPHFitter().fit(frame, "months", "event", formula=formula)
    points = pd.DataFrame({"x": np.log(-np.log(1 - found.predicted))})
    expected = 1 - theirs.predict_survival_function(points, times=[HORIZON]).to_numpy()[0]
    # Both take Efron's coefficients; lifelines' baseline hazard is Breslow's as well.
    assert found.observed == pytest.approx(expected, abs=1e-4)


def test_the_smooth_curve_of_a_true_model_is_the_diagonal() -> None:
    survival, known = simulated(2000)
    found = smooth_calibration(survival, known, HORIZON, generator(), FEW)
    middle = slice(10, 90)
    assert np.abs(found.observed - found.predicted)[middle].max() < 0.06
    assert found.ici.estimate < 0.02
    assert found.e50.estimate <= found.e90.estimate


def test_the_integrated_index_is_the_mean_distance() -> None:
    survival, known = simulated(2000)
    found = smooth_calibration(survival**2, known, HORIZON, generator(), FEW)
    assert found.ici.estimate == pytest.approx(np.mean(np.abs(survival - survival**2)), abs=0.03)
    assert found.ici.low > 0.05
    assert (found.low <= found.high).all()


def test_a_bend_is_seen() -> None:
    """Right for low risks and wrong for high ones; a line in log(-log S) would not show it."""
    survival, known = simulated(2000)
    bent = np.where(survival < 0.5, 0.5 + 0.2 * (survival - 0.5), survival)
    found = smooth_calibration(bent, known, HORIZON, generator(), FEW)
    low_risk = found.predicted < 0.4
    assert np.abs(found.observed - found.predicted)[low_risk].mean() < 0.06
    assert (found.observed - found.predicted)[found.predicted > 0.58].min() > 0.1


def test_few_distinct_predictions_are_smoothed_by_a_line() -> None:
    survival, known = simulated()
    two = np.where(survival < 0.5, 0.3, 0.8) + 1e-12 * np.arange(survival.size)
    found = smooth_calibration(two, known, HORIZON, generator(), FEW)
    assert np.isfinite(found.observed).all()
    assert (np.diff(found.observed) > 0).all()


@pytest.mark.parametrize("judge", [calibration_summary, smooth_calibration])
@pytest.mark.parametrize(
    ("survival", "months", "message"),
    [
        (np.full(60, 1.5), 24.0, "1.5 is not possible"),
        (np.full(59, 0.5), 24.0, r"\(60,\), not \(59,\)"),
        (np.full(60, 0.5), 24.0, "not constant"),
        (oracle.predicted(24.0), 500.0, "beyond the follow-up"),
        (oracle.predicted(24.0), -1.0, "-1.0 months is not possible"),
        (oracle.predicted(1.0), 1.0, "deaths among 60 patients are too few"),
    ],
)
def test_what_cannot_be_calibrated_is_refused(
    judge: object, survival: Floats, months: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        judge(survival, oracle.patients(), months, generator(), FEW)  # type: ignore[operator]


def test_groups_of_one_class_are_one_group_and_none_is_refused() -> None:
    found = grouped_calibration(np.full(60, 0.5), oracle.patients(), 24.0)
    assert found.patients.tolist() == [60]
    with pytest.raises(ValueError, match="0 groups"):
        grouped_calibration(np.full(60, 0.5), oracle.patients(), 24.0, groups=0)


def test_certain_predictions_stay_finite() -> None:
    survival = oracle.predicted(24.0)
    survival[:5] = 0.0
    survival[5:10] = 1.0
    found = calibration_summary(survival, oracle.patients(), 24.0, generator(), FEW)
    assert np.isfinite([found.slope.low, found.slope.high]).all()
