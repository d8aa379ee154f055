"""Curves of a Cox model with their intervals, by hand and by published examples."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survival_makers import PLAN, a_patient, made_up_patients, plain_term

from gliomaai_training.survival.baseline import breslow
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.cox_prediction import (
    SurvivalCurve,
    predict,
    survival_curve,
)
from gliomaai_training.survival.fit_cox import fit_cox
from gliomaai_training.survival.outcome import outcome

APPENDIX = outcome([9, 1, 1, 6, 6, 8], [1, 1, 0, 1, 1, 0])


APPENDIX_X = np.array([[0.0], [1.0], [1.0], [1.0], [0.0], [0.0]])
"""Data set 1 of Therneau and Grambsch, Modeling Survival Data, appendix E.1."""


@pytest.fixture(scope="module")
def model() -> CoxModel:
    return fit_cox(*made_up_patients(), PLAN).model


def appendix_model(beta: float, variance: float) -> CoxModel:
    coefficients = np.array([beta])
    baseline = breslow(APPENDIX_X, coefficients, APPENDIX)
    covariance = np.array([[variance]])
    return CoxModel("t", "c", 6, 4, (plain_term(),), coefficients, covariance, {"": baseline})


MADE_UP = fit_cox(*made_up_patients(1, 200), PLAN).model


def test_the_variance_of_the_hazard_is_r_s_at_zero() -> None:
    """`survfit(coxph(..., iter=0), list(x=0))$std.err^2` of R's survival, tests/book1.R."""
    model = appendix_model(0.0, 8 / 5)
    curve = survival_curve(model, model.encode({"x": [0.0]}), [1, 6, 8, 9])
    hazard = np.cumsum([1 / 6, 2 / 4, 0, 1])
    error = np.sqrt([7 / 180, 2 / 9, 2 / 9, 11 / 9])
    assert curve.survival == pytest.approx(np.exp(-hazard))
    assert curve.low == pytest.approx(np.exp(-hazard * np.exp(1.959964 * error / hazard)), rel=1e-6)
    assert curve.high == pytest.approx(
        np.exp(-hazard * np.exp(-1.959964 * error / hazard)), rel=1e-6
    )


@pytest.mark.parametrize("x", [0.0, 1.0, 2.0])
def test_the_variance_of_the_hazard_is_that_derived_by_hand(x: float) -> None:
    """The closed form of the same appendix, at Breslow's maximum."""
    beta = np.log(1.5 + np.sqrt(33) / 2)
    r = np.exp(beta)
    information = r / (r + 1) ** 2 + 6 * r / (r + 3) ** 2
    rise = np.array([1 / (3 * r + 3), 2 / (r + 3), 1])
    mean = np.array([r / (r + 1), r / (r + 3), 0])
    own = np.cumsum([1 / (3 * r + 3) ** 2, 2 / (r + 3) ** 2, 1])
    hazard = np.cumsum(rise) * np.exp(beta * x)
    variance = (own + np.cumsum((x - mean) * rise) ** 2 / information) * np.exp(2 * beta * x)
    model = appendix_model(float(beta), float(1 / information))
    curve = survival_curve(model, model.encode({"x": [x]}), [1, 6, 9])
    reach = np.exp(1.959964 * np.sqrt(variance) / hazard)
    assert curve.survival == pytest.approx(np.exp(-hazard))
    assert curve.low == pytest.approx(np.exp(-hazard * reach), rel=1e-5)
    assert curve.high == pytest.approx(np.exp(-hazard / reach), rel=1e-5)


def test_a_known_state_is_one_of_probability_one(model: CoxModel) -> None:
    certain = predict(model, a_patient())
    told = predict(model, a_patient() | {"state": {"G": 1.0}})
    assert told.risk == pytest.approx(certain.risk)
    assert told.curve.survival == pytest.approx(certain.curve.survival)
    assert told.curve.low == pytest.approx(certain.curve.low)
    assert told.curve.high == pytest.approx(certain.curve.high)
    assert told.landmarks[24.0] == pytest.approx(certain.landmarks[24.0])


def test_survival_of_an_uncertain_state_is_the_expected_one(model: CoxModel) -> None:
    chances = {"A": 0.3, "G": 0.5, "O": 0.2}
    told = predict(model, a_patient() | {"state": chances})
    pure = {state: predict(model, a_patient() | {"state": state}) for state in chances}
    expected = sum(p * pure[state].curve.survival for state, p in chances.items())
    assert told.curve.survival == pytest.approx(expected)
    ratio = sum(p * np.exp(pure[state].risk) for state, p in chances.items())
    assert told.risk == pytest.approx(np.log(ratio))
    table = {name: [value] for name, value in (a_patient() | {"state": chances}).items()}
    assert model.survival(table, told.curve.months)[0] == pytest.approx(told.curve.survival)
    assert sum(c.log_hazard for c in told.contributions) == pytest.approx(told.risk)


def test_rounding_makes_nobody_surer_than_alive(model: CoxModel) -> None:
    """Probabilities of states that add up to 1 but for the last digit."""
    chances = {"A": 0.1, "G": 0.2, "O": 0.7 + 2e-16}
    table = {name: [value] for name, value in (a_patient() | {"state": chances}).items()}
    encoded = model.encode(table)
    more = replace(encoded, weights=encoded.weights * (1 + 4e-16))
    assert survival_curve(model, more, [0.0, 1e-9]).survival.max() <= 1.0
    assert model.survival(table, [0.0]).max() <= 1.0


def test_the_interval_is_the_delta_method() -> None:
    """Against derivatives by differences, the baseline estimated anew for moved coefficients."""
    patients, followed = made_up_patients(3, 150)
    fit = fit_cox(patients, followed, PLAN)
    model, months = fit.model, 12.0
    design = fit.design[list(model.columns)].to_numpy()
    encoded = model.encode({k: [v] for k, v in (a_patient() | {"state": "A"}).items()})

    def log_minus_log(coefficients: np.ndarray, factor: float = 1.0) -> float:
        hazard = breslow(design, coefficients, followed).cumulative(np.array([months])) * factor
        alive = np.exp(-np.exp(encoded.design[0] @ coefficients) * hazard)
        return float(np.log(-np.log(encoded.weights[0] @ alive)))

    step = 1e-5
    moves = np.eye(len(model.columns)) * step
    gradient = np.array(
        [
            log_minus_log(model.coefficients + m) - log_minus_log(model.coefficients - m)
            for m in moves
        ]
    ) / (2 * step)
    by_baseline = (
        log_minus_log(model.coefficients, 1 + step) - log_minus_log(model.coefficients, 1 - step)
    ) / (2 * step)
    at = int(model.baseline().steps(np.array([months]))[0])
    relative = model.baseline().variance[at] / model.baseline().hazard[at] ** 2
    variance = gradient @ model.covariance @ gradient + by_baseline**2 * relative
    curve = survival_curve(model, encoded, [months])
    measured = np.log(np.log(curve.low) / np.log(curve.survival)) / 1.959964
    assert measured[0] == pytest.approx(np.sqrt(variance), rel=1e-4)


def test_the_interval_of_an_uncertain_state_holds_the_curve_that_tissue_will_tell() -> None:
    """Against draws: first the state, then its curve about its estimate."""
    model = fit_cox(*made_up_patients(3, 150), PLAN).model
    chances = {"A": 0.3, "G": 0.7}
    months = [6.0, 12.0, 24.0]

    def curve_of(state: object) -> SurvivalCurve:
        told = model.encode({k: [v] for k, v in (a_patient() | {"state": state}).items()})
        return survival_curve(model, told, months)

    generator = np.random.default_rng(1)
    draws = []
    for state, chance in chances.items():
        pure = curve_of(state)
        middle = np.log(-np.log(pure.survival))
        spread = (np.log(-np.log(pure.low)) - middle) / 1.959964
        count = round(200_000 * chance)
        draws.append(middle + spread * generator.standard_normal((count, len(months))))
    drawn = np.exp(-np.exp(np.concatenate(draws)))
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    told = curve_of(chances)
    assert told.low == pytest.approx(low, abs=0.004)
    assert told.high == pytest.approx(high, abs=0.004)
    narrow = curve_of("G")
    assert (told.high - told.low > 1.2 * (narrow.high - narrow.low)).all()


def test_the_interval_always_holds_the_curve() -> None:
    """An unlikely state that lives long lifts the mean above what the likely one allows."""
    model = fit_cox(*made_up_patients(3, 400), PLAN).model
    sure = replace(model, covariance=model.covariance * 1e-8)
    told = predict(sure, a_patient() | {"state": {"G": 0.98, "O": 0.02}}).curve
    assert (told.low <= told.survival).all()
    assert (told.survival <= told.high).all()


def test_shares_say_what_the_curve_is_made_of(model: CoxModel) -> None:
    told = predict(model, a_patient() | {"state": {"A": 0.3, "G": 0.7, "O": 0.0}})
    assert [(one.state, one.probability) for one in told.shares] == [("G", 0.7), ("A", 0.3)]
    expected = sum(one.probability * one.landmarks[12.0] for one in told.shares)
    assert told.landmarks[12.0][0] == pytest.approx(expected)
    assert predict(model, a_patient()).shares == ()


@settings(max_examples=50, deadline=None)
@given(
    age=st.floats(0, 120),
    volume=st.floats(0, 2000),
    chances=st.tuples(*[st.floats(0.001, 1)] * 3),
)
def test_a_curve_falls_within_its_interval(
    age: float, volume: float, chances: tuple[float, float, float]
) -> None:
    model = MADE_UP
    shares = dict(zip("AGO", np.array(chances) / sum(chances), strict=True))
    told = predict(model, {"age": age, "sex": "F", "state": shares, "volume_ml": volume})
    curve = told.curve
    for line in (curve.low, curve.survival, curve.high):
        assert line[0] == 1
        assert np.all(np.diff(line) <= 1e-12) or line is not curve.survival
        assert np.isfinite(line).all()
    assert np.all(curve.low <= curve.survival + 1e-12)
    assert np.all(curve.survival <= curve.high + 1e-12)
