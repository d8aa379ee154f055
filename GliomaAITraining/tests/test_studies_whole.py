"""Whole studies of made-up tables: everything that a study promises is there."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from study_makers import write_data

from gliomaai_training.progress import silent
from gliomaai_training.studies import (
    controls,
    diagnosis_models,
    postoperative,
    predicted_state_cohorts,
    preoperative,
)
from gliomaai_training.studies.folder import write_study
from gliomaai_training.studies.postoperative_models import choose_specification
from gliomaai_training.studies.study import StudyResult, StudySettings
from gliomaai_training.survival.cox_model import CoxModel, read_cox_model
from gliomaai_training.survival.cox_prediction import predict
from gliomaai_training.survival.terms import MissingCovariateError

SIZES = (300, 140, 140)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> StudySettings:
    data = tmp_path_factory.mktemp("data")
    write_data(data, SIZES)
    return StudySettings(data, seed=2, resamples=10, cache=data / "cache")


def cells(result: StudyResult, table: str, column: str) -> list[str]:
    (found,) = (one for one in result.tables if one.name == table)
    return [str(cell) for cell in found.frame[column]]


def test_the_postoperative_study(
    settings: StudySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = partial(choose_specification, repeats=1)
    monkeypatch.setattr(postoperative, "choose_specification", once)
    result = postoperative.study(settings, silent)
    quick = [figure for figure in result.figures if figure.name != "calibration"]
    write_study("postoperative", replace(result, figures=tuple(quick)), settings, tmp_path)
    assert len(cells(result, "discrimination", "Harrell C")) == 6
    estimate = dict(
        zip(
            cells(result, "discrimination", "model"),
            [float(cell.split()[0]) for cell in cells(result, "discrimination", "C within GBM")],
            strict=True,
        )
    )
    assert estimate[postoperative.CLASS_ONLY] == 0.5
    assert min(estimate[name] for name in estimate if name != postoperative.CLASS_ONLY) > 0.52
    for name in ("risk-groups", "decision", "nomogram"):
        assert (tmp_path / "figures" / f"{name}.png").stat().st_size > 10_000
    names = ("postoperative", "postoperative-without-resection", "postoperative-age-state")
    models = [read_cox_model(tmp_path / "models" / f"{name}.json") for name in names]
    ages = dict.fromkeys(("age_years", "age_years_glioblastoma", "age_years_mutant"), 50.0)
    known = ages | {"who_state": {"GBM": 0.5, "A2": 0.5}}
    at_two_years = predict(models[2], known).landmarks[24.0]
    assert at_two_years is not None
    assert 0 < at_two_years[0] < 1
    with pytest.raises(MissingCovariateError, match="resection"):
        predict(models[0], known | {"sex": "F"})


def test_the_preoperative_study(
    settings: StudySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicted_state_cohorts, "FOLDS", 3)
    for module in (predicted_state_cohorts, diagnosis_models):
        monkeypatch.setattr(module, "PENALTIES", (1e-2,))
    monkeypatch.setattr(predicted_state_cohorts, "RADIOMICS_PENALTIES", (1e-1,))
    result = preoperative.study(settings, silent)
    write_study("preoperative", result, settings, tmp_path)
    assert "elastic net of everything measured" in cells(result, "ucsf-pdgm-added", "model")
    assert set(cells(result, "left-out", "left out")) == {
        "UCSF-PDGM",
        "BraTS 2020 of TCGA",
        "BraTS 2020 of others",
    }
    assert (tmp_path / "figures" / "added.svg").stat().st_size > 10_000
    model = result.models["preoperative-imaging"]
    assert isinstance(model, CoxModel)
    assert model.covariates[:3] == ("age_years", "sex", "wt_ml")
    assert model.strata == ("",)
    through = cells(result, "ucsf-pdgm-state", "model")
    assert "through the state by age, sex, volume, axes" in through
    assert len(cells(result, "state-intervals", "n")) == 9
    assert set(cells(result, "state-elsewhere", "left out")) == set(
        cells(result, "left-out", "left out")
    )
    by_state = read_cox_model(tmp_path / "models" / "preoperative-state.json")
    told = predict(by_state, {"age_years": 60.0, "sex": "F", "who_state": {"GBM": 0.8, "O2": 0.2}})
    assert [one.state for one in told.shares] == ["GBM", "O2"]
    limits = " ".join(result.limits)
    assert "Karnofsky performance status is in none" in limits


def test_the_controls(settings: StudySettings) -> None:
    result = controls.study(settings, silent)
    means = [float(cell.split()[0]) for cell in cells(result, "permuted", "C, permuted")]
    assert np.abs(np.array(means) - 0.5).max() < 0.09
    assert "hospital" in cells(result, "simple", "model")
