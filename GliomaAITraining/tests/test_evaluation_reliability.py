"""Reliability and temperature scaling on voxels whose true probabilities are known."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from gliomaai_training.evaluation.reliability import (
    fit_temperature,
    pooled,
    sample_voxels,
    voxel_reliability,
)

SHAPE = (20, 30, 40)
BRAIN = np.ones(SHAPE, np.bool_)


def drawn_case(seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Logits (4, k, j, i) and labels drawn from their probabilities: perfectly calibrated."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (4, *SHAPE))
    cumulative = softmax(logits, axis=0).cumsum(axis=0)
    labels = (generator.uniform(size=SHAPE) > cumulative[:3]).sum(axis=0)
    return logits, labels


def probabilities(logits: NDArray[np.float64]) -> NDArray[np.float32]:
    return softmax(logits, axis=0).astype(np.float32)


def test_calibrated_probabilities_have_no_calibration_error() -> None:
    logits, labels = drawn_case()
    curve = voxel_reliability(probabilities(logits), labels, BRAIN)
    assert curve.voxels.sum() == BRAIN.size
    assert curve.voxels[:2].sum() == 0  # the most likely of four labels has at least 0.25
    assert curve.expected_calibration_error < 0.01
    filled = curve.voxels > 500
    np.testing.assert_allclose(curve.accuracy[filled], curve.confidence[filled], atol=0.05)
    assert np.isnan(curve.accuracy[0])


def test_overconfidence_shows_and_temperature_mends_it() -> None:
    logits, labels = drawn_case()
    sharp = logits * 3
    curve = voxel_reliability(probabilities(sharp), labels, BRAIN)
    assert curve.expected_calibration_error > 0.1
    generator = np.random.default_rng(1)
    values, truth = sample_voxels(probabilities(sharp), labels, BRAIN, 20_000, generator)
    temperature = fit_temperature(values, truth)
    assert temperature == pytest.approx(3.0, rel=0.05)
    mended = voxel_reliability(probabilities(sharp / temperature), labels, BRAIN)
    assert mended.expected_calibration_error < 0.01


@pytest.mark.parametrize("true_temperature", [0.4, 1.0, 2.5])
def test_temperature_is_found_and_is_the_minimum(true_temperature: float) -> None:
    logits, labels = drawn_case(3)
    values = (logits * true_temperature).reshape(4, -1).T
    found = fit_temperature(values, labels.ravel())
    assert found == pytest.approx(true_temperature, rel=0.05)

    def loss(temperature: float) -> float:
        chosen = softmax(values / temperature, axis=1)[np.arange(labels.size), labels.ravel()]
        return float(-np.log(chosen).mean())

    assert loss(found) <= min(loss(found * 0.98), loss(found * 1.02))


def test_error_is_worked_by_hand() -> None:
    confident = np.zeros((4, 1, 1, 4), np.float32)
    confident[0] = [0.95, 0.95, 0.65, 1.0]
    confident[1] = [0.05, 0.05, 0.35, 0.0]
    truth = np.array([[[0, 1, 0, 0]]])
    curve = voxel_reliability(confident, truth, np.ones((1, 1, 4), np.bool_))
    # Bin 0.9-1: three voxels, sum of confidence 2.9, two correct; bin 0.6-0.7: 0.65, correct.
    assert curve.expected_calibration_error == pytest.approx((abs(2.9 - 2) + 0.35) / 4)


def test_only_the_brain_counts() -> None:
    logits, labels = drawn_case()
    half = BRAIN.copy()
    half[10:] = False
    curve = voxel_reliability(probabilities(logits), labels, half)
    cut = voxel_reliability(probabilities(logits[:, :10]), labels[:10], BRAIN[:10])
    np.testing.assert_array_equal(curve.correct, cut.correct)


def test_cases_are_pooled_by_voxel() -> None:
    logits, labels = drawn_case()
    parts = [
        voxel_reliability(probabilities(logits[:, part]), labels[part], BRAIN[part])
        for part in (slice(0, 5), slice(5, 20))
    ]
    whole = voxel_reliability(probabilities(logits), labels, BRAIN)
    together = pooled(parts)
    np.testing.assert_array_equal(together.voxels, whole.voxels)
    assert together.expected_calibration_error == pytest.approx(whole.expected_calibration_error)


def test_sampling_follows_the_generator_and_stays_in_the_brain() -> None:
    logits, labels = drawn_case()
    few = np.zeros(SHAPE, np.bool_)
    few[3, 4, 5:9] = True
    values, truth = sample_voxels(probabilities(logits), labels, few, 100, np.random.default_rng(0))
    assert values.shape == (4, 4)
    assert sorted(truth.tolist()) == sorted(labels[3, 4, 5:9].tolist())


def test_wrong_input_is_refused() -> None:
    logits, labels = drawn_case()
    given = probabilities(logits)
    with pytest.raises(ValueError, match="shapes do not fit"):
        voxel_reliability(given, labels[1:], BRAIN)
    with pytest.raises(ValueError, match="brain mask is empty"):
        voxel_reliability(given, labels, ~BRAIN)
    with pytest.raises(ValueError, match="brain mask is empty"):
        sample_voxels(given, labels, ~BRAIN, 5, np.random.default_rng(0))
    with pytest.raises(ValueError, match="no cases"):
        pooled([])
    with pytest.raises(ValueError, match=r"\(3,\)"):
        fit_temperature(np.zeros((2, 4)), np.zeros(3, np.int64))
    with pytest.raises(ValueError, match="not finite"):
        fit_temperature(np.full((1, 4), np.nan), np.zeros(1, np.int64))
