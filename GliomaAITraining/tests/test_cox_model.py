"""The Cox model as the clinic has it: what it says, what it refuses, and its file."""

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
from survival_makers import PLAN, a_patient, made_up_patients, plain_term

from gliomaai_training.survival.baseline import Baseline, breslow
from gliomaai_training.survival.cox_model import CoxModel, read_cox_model, write_cox_model
from gliomaai_training.survival.cox_prediction import (
    contributions,
    predict,
    survival_curve,
)
from gliomaai_training.survival.fit_cox import fit_cox
from gliomaai_training.survival.outcome import outcome
from gliomaai_training.survival.terms import (
    MissingCovariateError,
)


@pytest.fixture(scope="module")
def model() -> CoxModel:
    return fit_cox(*made_up_patients(), PLAN).model


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
