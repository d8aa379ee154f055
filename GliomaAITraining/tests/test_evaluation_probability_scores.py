"""Calibration of yes-or-no probabilities, against values by hand and scikit-learn."""

import numpy as np
import pytest

from gliomaai_training.evaluation.probability_scores import (
    brier,
    calibration_bins,
    calibration_error,
    calibration_in_the_large,
    calibration_line,
)


def test_brier_is_the_mean_squared_distance() -> None:
    from sklearn.metrics import brier_score_loss

    assert brier([0.8, 0.4], [1, 0]) == pytest.approx((0.04 + 0.16) / 2)
    generator = np.random.default_rng(1)
    p, truth = generator.random(50), generator.random(50) < 0.4
    assert brier(p, truth) == pytest.approx(brier_score_loss(truth, p))


def test_bins_by_hand() -> None:
    probability = [0.05, 0.15, 0.15, 0.95]
    truth = [0, 0, 1, 1]
    halves = calibration_bins(probability, truth, bins=2)
    assert [(one.patients, one.observed) for one in halves] == [(2, 0.0), (2, 1.0)]
    wide = calibration_bins(probability, truth, equal_mass=False)
    assert [one.patients for one in wide] == [1, 2, 1]
    assert calibration_error(probability, truth, equal_mass=False) == pytest.approx(
        (0.05 + 2 * 0.35 + 0.05) / 4
    )


def test_certainty_falls_into_the_last_bin() -> None:
    (one,) = calibration_bins([1.0, 1.0], [1, 1], equal_mass=False)
    assert one.patients == 2
    assert calibration_error([1.0, 1.0], [1, 1]) == 0.0


@pytest.mark.parametrize(("exaggeration", "slope"), [(1.0, 1.0), (2.0, 0.5)])
def test_the_slope_tells_exaggeration(exaggeration: float, slope: float) -> None:
    generator = np.random.default_rng(2)
    odds = generator.normal(0, 1.5, 20_000)
    truth = generator.random(odds.size) < 1 / (1 + np.exp(-odds))
    line = calibration_line(1 / (1 + np.exp(-exaggeration * odds)), truth)
    assert line.slope == pytest.approx(slope, abs=0.04)
    assert line.intercept == pytest.approx(0.0, abs=0.05)


def test_the_mean_tells_the_level() -> None:
    assert calibration_in_the_large([0.25, 0.25], [1, 0]) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("probability", "truth", "message"),
    [
        ([1.2], [1], "1.2 is no probability"),
        ([np.nan], [1], "nan is no probability"),
        ([0.2, 0.3], [1], "one truth for each"),
        ([], [], "one truth for each"),
        ([0.2], [2], "a list of 0 and 1"),
    ],
)
def test_what_is_no_probability_is_refused(
    probability: list[float], truth: list[int], message: str
) -> None:
    for score in (brier, calibration_error, calibration_line, calibration_in_the_large):
        with pytest.raises(ValueError, match=message):
            score(probability, truth)


def test_a_line_needs_both_classes() -> None:
    with pytest.raises(ValueError, match="2 positives of 2"):
        calibration_line([0.2, 0.3], [1, 1])
