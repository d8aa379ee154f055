"""The nomogram says what the Cox model says; its figure can be read."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from survival_makers import AGE, PLAN, STATES, VOLUME, a_patient, made_up_patients

from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.cox_prediction import predict
from gliomaai_training.survival.fit_cox import fit_cox
from gliomaai_training.survival.nomogram import (
    Nomogram,
    make_nomogram,
    read_nomogram,
    write_nomogram,
)
from gliomaai_training.survival.nomogram_figure import NomogramPatient, nomogram_figure
from gliomaai_training.survival.readable import readable_with_unit
from gliomaai_training.survival.terms import MissingCovariateError, NumericTerm

BENT = replace(PLAN, terms=(replace(AGE, knots=4), *PLAN.terms[1:]))
MODELS = tuple(fit_cox(*made_up_patients(2, 300), plan).model for plan in (PLAN, BENT))


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=50, deadline=None)
@given(
    age=st.floats(0, 120),
    sex=st.sampled_from(["F", "M"]),
    state=st.sampled_from(STATES),
    volume=st.floats(0, 2000),
)
def test_points_are_the_linear_predictor(
    model: CoxModel, age: float, sex: str, state: str, volume: float
) -> None:
    nomogram = Nomogram.from_document(json.loads(json.dumps(make_nomogram(model).document())))
    patient = {"age": age, "sex": sex, "state": state, "volume_ml": volume}
    score = nomogram.score(patient)
    nought = {term.name: term.reference for term in model.terms}
    risk = (score.total - nomogram.score(nought).total) * nomogram.log_hazard_per_point
    assert risk == pytest.approx(predict(model, patient).risk, abs=1e-9)
    table = {name: [value] for name, value in patient.items()}
    expected = model.survival(table, list(score.survival))[0]
    assert list(score.survival.values()) == pytest.approx(expected, abs=1e-12)
    for months, survival in score.survival.items():
        assert nomogram.survival(score.total, months) == pytest.approx(survival, abs=1e-12)


def test_whole_points_lose_little() -> None:
    model = MODELS[0]
    nomogram = make_nomogram(model)
    patients, _ = made_up_patients(9, 50)
    for row in patients.to_dict("records"):
        score = nomogram.score(row)
        rounded = sum(round(points) for points in score.points.values())
        for months, survival in score.survival.items():
            assert nomogram.survival(rounded, months) == pytest.approx(survival, abs=0.03)


def test_axes_start_at_nought_and_the_longest_ends_at_a_hundred() -> None:
    for model in MODELS:
        nomogram = make_nomogram(model)
        ends = [axis.ends for axis in nomogram.axes]
        assert max(high for _, high in ends) == pytest.approx(100, abs=2)
        assert min(low for low, _ in ends) == pytest.approx(0, abs=1e-9)
        for axis in nomogram.axes:
            for value, points in axis.ticks:
                told = value if axis.term.name in ("sex", "state") else float(value)
                assert axis.points(told) == pytest.approx(points)


def test_points_follow_the_formula() -> None:
    model = fit_cox(*made_up_patients(0, 400), replace(PLAN, terms=(AGE, PLAN.terms[2]))).model
    nomogram = make_nomogram(model)
    age, state = nomogram.axes
    words = [float(word) for word, _ in age.ticks]
    assert (words[0], words[-1]) == (10, 90)
    spans = {
        "age": abs(model.coefficients[0]) * 8,
        "state": max(model.coefficients[1:].max(), 0) - min(model.coefficients[1:].min(), 0),
    }
    widest = max(spans.values())
    assert age.points(50.0) == pytest.approx(100 * abs(model.coefficients[0]) * 4 / widest)
    assert state.ends[1] == pytest.approx(100 * spans["state"] / widest)


def test_a_hazard_that_falls_with_age_starts_at_the_old_end() -> None:
    patients, followed = made_up_patients()
    model = fit_cox(patients.assign(age=100 - patients["age"]), followed, PLAN).model
    axis = make_nomogram(model).axes[0]
    points = [points for _, points in axis.ticks]
    assert points == sorted(points, reverse=True)
    assert points[-1] == pytest.approx(0, abs=1e-9)


def test_an_uncertain_state_is_scored_as_the_model_does() -> None:
    model = MODELS[0]
    nomogram = make_nomogram(model)
    patient = a_patient() | {"state": {"A": 0.25, "G": 0.5, "O": 0.25}}
    score, told = nomogram.score(patient), predict(model, patient)
    for months, survival in score.survival.items():
        landmark = told.landmarks[months]
        assert landmark is not None
        assert survival == pytest.approx(landmark[0], abs=1e-12)
    points = {axis.term.name: axis for axis in nomogram.axes}["state"].states(patient["state"])[1]
    assert points.min() < score.points["state"] < points.max()
    with pytest.raises(ValueError, match="one term only"):
        nomogram.score(patient | {"sex": {"F": 0.5, "M": 0.5}})


def test_points_of_a_survival_are_its_inverse() -> None:
    nomogram = make_nomogram(MODELS[0])
    for survival in (0.01, 0.5, 0.99):
        assert nomogram.survival(nomogram.total_for(survival, 24.0), 24.0) == pytest.approx(
            survival
        )
    with pytest.raises(ValueError, match="18 months is no horizon"):
        nomogram.survival(100, 18)
    with pytest.raises(ValueError, match="no points mean survival 1"):
        nomogram.total_for(1.0, 24.0)


def test_horizons_after_the_follow_up_are_left_out() -> None:
    patients, followed = made_up_patients()
    early = followed.months <= 40
    model = fit_cox(patients[early], followed.take(early), PLAN).model
    assert list(make_nomogram(model).hazards) == [12, 24]
    with pytest.raises(ValueError, match="tells survival at none of"):
        make_nomogram(model, horizons_months=(90.0,))


def test_what_is_missing_or_impossible_is_refused_by_name() -> None:
    nomogram = make_nomogram(MODELS[0])
    with pytest.raises(MissingCovariateError, match="made up needs Age, Tumour volume"):
        nomogram.score(a_patient() | {"age": None, "volume_ml": float("nan")})
    with pytest.raises(ValueError, match="Age of 400 years"):
        nomogram.score(a_patient() | {"age": 400.0})
    with pytest.raises(ValueError, match="'X' was never seen"):
        nomogram.score(a_patient() | {"state": "X"})
    flat = replace(MODELS[0], coefficients=np.zeros(5))
    with pytest.raises(ValueError, match="no covariate of made up changes the risk"):
        make_nomogram(flat)


def test_the_file_brings_back_every_number_exactly(tmp_path: Path) -> None:
    nomogram = make_nomogram(replace(MODELS[1], history=("recalibrated somewhere",)))
    file = tmp_path / "nomogram.json"
    write_nomogram(nomogram, file)
    again = read_nomogram(file)
    assert again.document() == nomogram.document()
    assert again.history == ("recalibrated somewhere",)
    assert again.score(a_patient()) == nomogram.score(a_patient())
    file.write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        read_nomogram(file)
    with pytest.raises(ValueError, match="of version 9"):
        Nomogram.from_document(nomogram.document() | {"version": 9})
    with pytest.raises(ValueError, match="cannot be read"):
        Nomogram.from_document(nomogram.document() | {"axes": [{}]})


def test_axes_of_logarithms_name_round_numbers() -> None:
    model = MODELS[0]
    axis = make_nomogram(model).axes[-1]
    assert axis.term.name == VOLUME.name
    values = [float(word) for word, _ in axis.ticks]
    assert {5.0, 10.0, 20.0, 50.0, 100.0} <= set(values)
    assert values[0] <= model.terms[-1].observed[0]  # type: ignore[union-attr]
    assert values[-1] >= model.terms[-1].observed[-1]  # type: ignore[union-attr]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_patient_is_marked_where_the_points_are(tmp_path: Path, theme: str) -> None:
    model = MODELS[0]
    nomogram = make_nomogram(model)
    plain, marked = tmp_path / "plain.png", tmp_path / "marked.png"
    nomogram_figure(nomogram, plain, theme=theme)  # type: ignore[arg-type]
    patient = NomogramPatient(a_patient(), predict(model, a_patient()))
    nomogram_figure(nomogram, marked, patient, theme)  # type: ignore[arg-type]
    mark = {"light": (0xD5, 0x5E, 0x00), "dark": (0xE6, 0x9F, 0x00)}[theme]
    assert not found(plain, mark).size
    rows = found(marked, mark)
    ground = {"light": 255, "dark": 0x17}[theme]
    assert np.asarray(Image.open(marked).convert("RGB"))[0, 0, 0] == ground
    # Four covariates and the total, from which a line leads down to the survival.
    assert np.sum(np.diff(rows) > 3) >= 4


def found(file: Path, colour: tuple[int, int, int]) -> np.ndarray:
    """Rows of a picture with a colour."""
    pixels = np.asarray(Image.open(file).convert("RGB")).astype(int)
    return np.flatnonzero((np.abs(pixels - colour).sum(axis=2) < 12).any(axis=1))


def test_the_drawing_is_valid_svg_and_the_same_each_time(tmp_path: Path) -> None:
    nomogram = make_nomogram(MODELS[1])
    uncertain = NomogramPatient(a_patient() | {"state": {"A": 0.3, "G": 0.7}, "age": 110.0})
    first, second = tmp_path / "1.svg", tmp_path / "2.svg"
    for file in (first, second):
        nomogram_figure(nomogram, file, uncertain)
    assert first.read_bytes() == second.read_bytes()
    assert ElementTree.parse(first).getroot().tag.endswith("svg")


def test_an_unknown_theme_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'pink' is none of light, dark"):
        nomogram_figure(make_nomogram(MODELS[0]), tmp_path / "x.png", theme="pink")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (58.03, "years", "58 years"),
        (70.21071860104162, "mm", "70 mm"),
        (85.98, "mL", "86.0 mL"),
        (0.0312, "mL", "0.0 mL"),
        (-0.01, "mm", "0 mm"),
        (0.70831, "", "0.708"),
        (123456.0, "", "123000"),
        (0.000123456, "1/mm", "0.000123 1/mm"),
    ],
)
def test_a_value_is_written_as_people_would(value: float, unit: str, words: str) -> None:
    assert readable_with_unit(value, unit) == words


def test_axes_name_no_more_digits_than_count() -> None:
    model = MODELS[0]
    low, high = 17.842864, 92.485514
    (place,) = [i for i, term in enumerate(model.terms) if term.name == "age"]
    age = model.terms[place]
    assert isinstance(age, NumericTerm)
    narrow = replace(age, allowed=(low, high), observed=(low, 40.0, 50.0, 60.0, high))
    terms = (*model.terms[:place], narrow, *model.terms[place + 1 :])
    words = [word for word, _ in make_nomogram(replace(model, terms=terms)).axes[place].ticks]
    assert (words[0], words[-1]) == ("17.8", "92.5")
    said = predict(model, a_patient() | {"age": 58.031, "volume_ml": 85.98123})
    values = {one.name: one.value for one in said.contributions}
    assert (values["age"], values["volume_ml"]) == ("58 years", "86.0 mL")
