"""Figures of calibration, D-calibration, decision curves and reliability."""

from pathlib import Path

import numpy as np
import pytest
import survival_oracle as oracle
from scipy import stats

from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.evaluation.figures import probability_plot
from gliomaai_training.evaluation.paired import wilson_interval
from gliomaai_training.evaluation.probability_scores import calibration_bins
from gliomaai_training.survival.calibration import grouped_calibration, smooth_calibration
from gliomaai_training.survival.d_calibration import d_calibration
from gliomaai_training.survival.decision_curve import decision_curves
from gliomaai_training.survival.figures_calibration import (
    DrawnCalibration,
    calibration_plot,
    d_calibration_plot,
    decision_plot,
)
from gliomaai_training.survival.outcome import Outcome, outcome

FEW = BootstrapConfig(resamples=30)


def generator() -> np.random.Generator:
    return np.random.default_rng(0)


def drawn(name: str, months: float) -> DrawnCalibration:
    survival = oracle.predicted(months)
    return DrawnCalibration(
        name,
        smooth_calibration(survival, oracle.patients(), months, generator(), FEW),
        grouped_calibration(survival, oracle.patients(), months, 3),
    )


def test_figures_are_drawn(tmp_path: Path) -> None:
    curves = decision_curves(
        {"model": oracle.predicted(24.0)}, oracle.patients(), 24.0, generator(), config=FEW
    )
    found = {"model": d_calibration(oracle.predicted(oracle.MONTHS), oracle.patients())}
    calibrations = [drawn("model", 12.0), drawn("model", 24.0), drawn("other", 24.0)]
    calibration_plot(calibrations, tmp_path / "new" / "calibration.png")
    d_calibration_plot(found, tmp_path / "new" / "d.png")
    decision_plot(curves, 24.0, tmp_path / "new" / "decision.png")
    assert all(file.stat().st_size > 5000 for file in (tmp_path / "new").iterdir())
    assert len(list((tmp_path / "new").iterdir())) == 3


def test_the_same_figure_is_the_same_file(tmp_path: Path) -> None:
    calibrations = [drawn("model", 24.0)]
    files = [tmp_path / "first.svg", tmp_path / "second.svg"]
    for file in files:
        calibration_plot(calibrations, file)
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_decision_curve_with_gaps_is_drawn(tmp_path: Path) -> None:
    known: Outcome = outcome([*range(1, 21), *[80] * 20], [1, 0] * 10 + [1] * 10 + [0] * 10)
    survival = [0.1] * 20 + [0.9] * 20
    curves = decision_curves({"model": survival}, known, 60.0, generator(), (0.3, 0.95), FEW)
    decision_plot(curves, 60.0, tmp_path / "gaps.png")
    assert (tmp_path / "gaps.png").is_file()


def test_no_or_too_many_models_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "none.png"
    with pytest.raises(ValueError, match="not 0"):
        calibration_plot([], file)
    with pytest.raises(ValueError, match="not 0"):
        decision_plot([], 24.0, file)
    one = d_calibration(oracle.predicted(oracle.MONTHS), oracle.patients())
    with pytest.raises(ValueError, match="1 to 6 models, not 7"):
        d_calibration_plot({f"model {k}": one for k in range(7)}, file)
    assert not file.exists()


def test_probabilities_are_drawn(tmp_path: Path) -> None:
    risk = 1 - oracle.predicted(24.0)
    bins = calibration_bins(risk, risk > 0.5, bins=5)  # with bins of none and of all
    probability_plot({"raw": bins, "recalibrated": bins[1:]}, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 5000
    with pytest.raises(ValueError, match="not 0"):
        probability_plot({}, tmp_path / "none.png")


@pytest.mark.parametrize(("positives", "patients"), [(0, 1), (0, 20), (7, 20), (20, 20)])
def test_wilsons_interval_is_scipys(positives: int, patients: int) -> None:
    low, high = wilson_interval(np.array([positives / patients]), np.array([patients]))
    theirs = stats.binomtest(positives, patients).proportion_ci(method="wilson")
    assert (low[0], high[0]) == pytest.approx((theirs.low, theirs.high))
    assert low[0] <= positives / patients <= high[0]
