"""The Cox model as the clinic has it: numbers, refusals, intervals, and the file."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from survival_makers import PLAN, a_patient, made_up_patients

from gliomaai_training.survival.baseline import Baseline, breslow
from gliomaai_training.survival.cox_model import CoxModel, read_cox_model, write_cox_model
from gliomaai_training.survival.cox_prediction import (
    SurvivalCurve,
    contributions,
    predict,
    survival_curve,
)
from gliomaai_training.survival.fit_cox import fit_cox
from gliomaai_training.survival.outcome import outcome
from gliomaai_training.survival.terms import (
    CategoricalTerm,
    MissingCovariateError,
    NumericTerm,
    is_missing,
    term_from_document,
)

APPENDIX = outcome([9, 1, 1, 6, 6, 8], [1, 1, 0, 1, 1, 0])
APPENDIX_X = np.array([[0.0], [1.0], [1.0], [1.0], [0.0], [0.0]])
"""Data set 1 of Therneau and Grambsch, Modeling Survival Data, appendix E.1."""


@pytest.fixture(scope="module")
def model() -> CoxModel:
    return fit_cox(*made_up_patients(), PLAN).model


def plain_term(name: str = "x") -> NumericTerm:
    return NumericTerm(name, name, "", 0.0, (-9.0, 9.0), (-1.0, 0.0, 0.0, 0.0, 1.0))


def appendix_model(beta: float, variance: float) -> CoxModel:
    coefficients = np.array([beta])
    baseline = breslow(APPENDIX_X, coefficients, APPENDIX)
    covariance = np.array([[variance]])
    return CoxModel("t", "c", 6, 4, (plain_term(),), coefficients, covariance, {"": baseline})


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


MADE_UP = fit_cox(*made_up_patients(1, 200), PLAN).model


def test_the_reference_patient_has_no_risk_and_the_baseline_s_curve(model: CoxModel) -> None:
    patient = {term.name: term.reference for term in model.terms}
    told = predict(model, patient)
    assert told.risk == 0
    assert [c.share for c in told.contributions] == [0.0] * 4
    assert model.baseline().months[0] > 0
    steps = told.curve.survival[1 : 1 + model.baseline().hazard.size]
    assert steps == pytest.approx(np.exp(-model.baseline().hazard))


def test_what_moved_the_risk_most_comes_first(model: CoxModel) -> None:
    parts = contributions(model, a_patient())
    assert parts[0].name == "state"
    assert parts[0].hazard_ratio == pytest.approx(np.exp(model.coefficients[2]))
    assert sum(part.share for part in parts) == pytest.approx(1)
    assert sum(part.log_hazard for part in parts) == pytest.approx(predict(model, a_patient()).risk)
    assert {part.value for part in parts} >= {"63 years", "G", "42.0 mL"}


def test_median_and_landmarks_are_read_off_the_curve(model: CoxModel) -> None:
    told = predict(model, a_patient())
    median = told.curve.median_months()
    assert median is not None
    table = {name: [value] for name, value in a_patient().items()}
    before, after = model.survival(table, [median - 1e-6, median])[0]
    assert after <= 0.5 < before
    low, high = told.curve.median_interval_months()
    assert low is not None
    assert low < median
    assert high is None or high > median
    assert told.landmarks[60.0] == pytest.approx(
        [np.interp(60.0, [60.0], line) for line in _at(told.curve, 60.0)]
    )
    mild = predict(model, a_patient() | {"state": "O", "age": 18.0, "volume_ml": 0.0})
    assert mild.curve.median_months() is None


def _at(curve: object, months: float) -> list[np.ndarray]:
    step = np.searchsorted(curve.months, months, side="right") - 1  # type: ignore[attr-defined]
    return [np.array([getattr(curve, name)[step]]) for name in ("survival", "low", "high")]


def test_a_landmark_after_the_follow_up_is_not_told() -> None:
    patients, followed = made_up_patients()
    early = followed.months <= 40
    short = fit_cox(patients[early], followed.take(early), PLAN).model
    told = predict(short, a_patient())
    assert told.landmarks[24.0] is not None
    assert told.landmarks[60.0] is None
    table = {name: [value] for name, value in a_patient().items()}
    with pytest.raises(ValueError, match=r"survival at 60 months cannot be told.*39.8"):
        short.survival(table, 60)
    with pytest.raises(ValueError, match="-1 months"):
        short.survival(table, -1)


@pytest.mark.parametrize("absent", [None, float("nan"), pd.NA, "", "no such key"])
def test_a_missing_covariate_is_named(model: CoxModel, absent: object) -> None:
    patient = {**a_patient(), "age": absent}
    if absent == "no such key" if isinstance(absent, str) else False:
        del patient["age"]
    with pytest.raises(MissingCovariateError, match="made up needs Age") as error:
        predict(model, patient)  # type: ignore[arg-type]
    assert error.value.names == ("Age",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"age": 400.0}, "Age of 400 years is not possible: it lies between 0 and 120 years"),
        ({"age": -1.0}, "Age of -1 years is not possible"),
        ({"age": float("inf")}, "Age of inf years is not possible"),
        ({"age": "old"}, "Age must be a number"),
        ({"state": "X"}, "WHO state 'X' was never seen; known are A, G, O"),
        ({"sex": 1.0}, "Sex 1.0 was never seen"),
        ({"state": {"X": 1.0}}, "WHO state 'X' was never seen"),
        ({"state": {"A": 0.5, "G": 0.4}}, "are no probabilities"),
        ({"state": {"A": 1.5, "G": -0.5}}, "are no probabilities"),
        ({"state": {"A": 0.5, "G": 0.5}, "sex": {"F": 0.5, "M": 0.5}}, "one term only"),
    ],
)
def test_impossible_values_are_refused_by_name(
    model: CoxModel, change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        predict(model, {**a_patient(), **change})  # type: ignore[dict-item]


def test_a_value_that_the_cohort_never_held_is_said(model: CoxModel) -> None:
    assert predict(model, a_patient()).extrapolated == ()
    told = predict(model, a_patient() | {"age": 105.0})
    assert len(told.extrapolated) == 1
    assert told.extrapolated[0].startswith("Age of 105 years: the model saw 18 to ")


def test_the_file_brings_back_every_number_exactly(model: CoxModel, tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    write_cox_model(model, file)
    again = read_cox_model(file)
    assert again.document() == model.document()
    assert np.array_equal(again.coefficients, model.coefficients)
    assert np.array_equal(again.baseline().hazard, model.baseline().hazard)
    assert again.terms == model.terms
    assert predict(again, a_patient()).landmarks == predict(model, a_patient()).landmarks


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.floats(1e-3, 1e6), min_size=4, max_size=4),
    st.floats(-1e6, 1e6),
    st.floats(1e-12, 1e6),
)
def test_any_numbers_survive_json(rises: list[float], beta: float, variance: float) -> None:
    baseline = Baseline(
        np.cumsum(rises), np.cumsum(rises), np.array(rises), np.full((4, 1), beta), 1e12, 9, 4
    )
    model = CoxModel(
        "t", "c", 9, 4, (plain_term(),), np.array([beta]), np.array([[variance]]), {"": baseline}
    )
    again = CoxModel.from_document(json.loads(json.dumps(model.document())))
    assert again.document() == model.document()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "of version 1, not .* of version 2"),
        ({"format": "else"}, "not 'else'"),
        ({"coefficients": [1.0]}, "do not fit 5 columns"),
        ({"terms": [{"kind": "odd"}]}, "'odd' is no kind of term"),
        ({"terms": [{"kind": "numeric", "name": "age"}]}, "term 'age' cannot be read"),
        ({"baselines": {}}, "has no baseline hazard"),
        ({"baselines": {"": {"months": [1]}}}, "baseline hazard cannot be read"),
        ({"default_stratum": "moon"}, "'moon' is none of its strata"),
    ],
)
def test_a_damaged_file_is_refused(
    model: CoxModel, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    file = tmp_path / "model.json"
    file.write_text(json.dumps(model.document() | change))
    with pytest.raises(ValueError, match=message):
        read_cox_model(file)


@pytest.mark.parametrize("text", ["{", "[]", "{}"])
def test_a_file_that_is_no_model_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "model.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"cannot be read|not list|not None"):
        read_cox_model(file)


def test_a_model_without_a_part_is_refused(model: CoxModel) -> None:
    document = model.document()
    del document["cohort"]
    with pytest.raises(ValueError, match=r"cannot be read.*cohort"):
        CoxModel.from_document(document)


def test_thinning_keeps_survival_at_the_multiples(model: CoxModel) -> None:
    thin = model.thinned(0.5)
    assert thin.baseline().months.size < model.baseline().months.size
    months = np.arange(0, 100, 0.5)
    table = {name: [value] for name, value in a_patient().items()}
    assert np.array_equal(thin.survival(table, months), model.survival(table, months))
    was, now = (survival_curve(m, m.encode(table), months) for m in (model, thin))
    assert np.array_equal(was.low, now.low)
    with pytest.raises(ValueError, match="thin to every 0"):
        model.thinned(0)


def test_a_stratified_model_asks_for_the_stratum() -> None:
    patients, followed = made_up_patients()
    model = fit_cox(patients, followed, replace(PLAN, strata="cohort")).model
    assert model.strata == ("one", "two")
    with pytest.raises(ValueError, match="strata 'one', 'two', not None; name one"):
        predict(model, a_patient())
    with pytest.raises(ValueError, match="not 'three'"):
        predict(model, a_patient(), "three")
    one, two = (predict(model, a_patient(), name).landmarks[24.0] for name in ("one", "two"))
    assert one is not None
    assert two is not None
    assert one[0] > two[0]
    settled = replace(model, default_stratum="two")
    assert predict(settled, a_patient()).landmarks[24.0] == two


def test_the_spline_is_harrell_s() -> None:
    """Linear beyond the outer knots, smooth within; the formula of RMS 2.4.5 at one point."""
    term = NumericTerm(
        "x", "x", "", 0.0, (-99.0, 99.0), (-9.0, 0.0, 0.0, 0.0, 9.0), knots=(0.0, 1.0, 3.0)
    )
    assert term.columns == ("x", "x'")
    # (x^3 - (x-1)^3 * 3/2 + 0) / 9 at x = 2, less that at the reference
    assert term.encode([2.0])[0] == pytest.approx([2.0, (8 - 1.5) / 9])
    beyond = term.encode([3.0, 4.0, 5.0, 9.0])[:, 1]
    assert np.diff(beyond)[0] == pytest.approx(np.diff(beyond)[1])
    assert term.encode([-5.0, 0.0])[:, 1] == pytest.approx([0.0, 0.0])


def test_logarithms_are_of_the_value_and_zero_has_none() -> None:
    term = NumericTerm("v", "Volume", "mL", 1.0, (0.0, 99.0), (1, 1, 1, 2, 9), transform="log")
    assert term.encode([np.e])[0, 0] == pytest.approx(1.0)
    with pytest.raises(ValueError, match="Volume of 0 mL is not possible"):
        term.encode([0.0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"transform": "root"}, "'root' is no transform"),
        ({"scale": 0.0}, "scale must be positive"),
        ({"knots": (1.0, 2.0)}, "three or more rising knots"),
        ({"knots": (1.0, 3.0, 2.0)}, "three or more rising knots"),
        ({"allowed": (2.0, 1.0)}, "is no range"),
        ({"transform": "log"}, "is no range for log"),
        ({"reference": 99.0}, "not possible"),
    ],
)
def test_a_wrong_term_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(plain_term(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("levels", "reference", "counts", "message"),
    [
        (("A",), "A", (1,), "two or more different levels"),
        (("A", "A"), "A", (1, 1), "two or more different levels"),
        (("A", "B"), "C", (1, 1), "'C' is none of"),
        (("A", "B"), "A", (1,), "one count for each"),
    ],
)
def test_wrong_levels_are_refused(
    levels: tuple[str, ...], reference: str, counts: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        CategoricalTerm("c", "C", levels, reference, counts)


def test_unknown_terms_in_json_are_refused() -> None:
    with pytest.raises(ValueError, match="is no kind of term"):
        term_from_document({"name": "x"})


@pytest.mark.parametrize("value", [0, 0.0, False, "no", {"A": 1.0}])
def test_zero_and_no_are_known(value: object) -> None:
    assert not is_missing(value)


def test_prediction_needs_numpy_only() -> None:
    """The clinic predicts inside Slicer's worker, and later in a browser."""
    heavy = "lifelines", "pandas", "scipy", "matplotlib", "sklearn", "torch"
    code = (
        "import sys, gliomaai_training.survival.cox_prediction, "
        "gliomaai_training.survival.nomogram\n"
        f"sys.exit(','.join(m for m in {heavy!r} if m in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("part", "value", "message"),
    [
        ("months", [2.0, 1.0], "must rise"),
        ("hazard", [2.0, 1.0], "never falls"),
        ("hazard", [1.0], "one hazard and one variance"),
        ("mean_design", [[1.0]], "rows of covariates"),
        ("follow_up_months", 1.0, "end before the hazard"),
    ],
)
def test_a_wrong_baseline_is_refused(part: str, value: object, message: str) -> None:
    right = {
        "months": [1.0, 2.0],
        "hazard": [1.0, 2.0],
        "variance": [1.0, 2.0],
        "mean_design": [[0.0], [0.0]],
        "follow_up_months": 3.0,
        "patients": 5,
        "events": 2,
    }
    assert Baseline.from_document(right).cumulative(np.array([0.5, 1.0, 3.0])).tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match=message):
        Baseline.from_document(right | {part: value})


def test_nobody_died_gives_no_baseline() -> None:
    with pytest.raises(ValueError, match="nobody died"):
        breslow(np.zeros((2, 1)), np.zeros(1), outcome([1, 2], [0, 0]))
