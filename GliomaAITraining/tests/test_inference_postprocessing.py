"""Softmax, entropy, labels and their clean-up against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from scipy import special, stats

from gliomaai_training.inference.postprocessing import (
    LEAST_THRESHOLD,
    PROBABILITY_LEVELS,
    PostprocessingConfig,
    clean_labels,
    entropy_bits,
    nested_labels,
    overlap_threshold,
    softmax,
)
from gliomaai_training.vocabulary import Label

LOGITS = arrays(
    np.float32,
    array_shapes(min_dims=3, max_dims=3, max_side=4).map(lambda shape: (4, *shape)),
    elements=st.floats(-500, 500, width=32),
)


@given(LOGITS, st.floats(0.25, 4))
def test_softmax_is_scipys(logits: NDArray[np.float32], temperature: float) -> None:
    expected = special.softmax(logits.astype(np.float64) / temperature, axis=0)
    np.testing.assert_allclose(softmax(logits, temperature), expected, atol=2e-4)


@given(LOGITS)
def test_entropy_is_scipys_and_at_most_two_bits(logits: NDArray[np.float32]) -> None:
    probabilities = softmax(logits)
    entropy = entropy_bits(probabilities)
    expected = stats.entropy(probabilities.astype(np.float64), base=2, axis=0)
    np.testing.assert_allclose(entropy, expected, atol=1e-4)
    assert entropy.min() >= 0
    assert entropy.max() <= 2 + 1e-5


@given(LOGITS)
def test_each_region_is_where_its_probability_reaches_its_threshold(
    logits: NDArray[np.float32],
) -> None:
    background, necrosis, _, enhancing = p = softmax(logits)
    labels = nested_labels(p)
    possible = 1 - background >= 1 / PROBABILITY_LEVELS
    core = necrosis + enhancing
    inside = possible
    for region, drawn in (
        (core + p[Label.ED], labels > 0),
        (core, np.isin(labels, (Label.NCR, Label.ET))),
        (enhancing, labels == Label.ET),
    ):
        inside = inside & (region >= overlap_threshold(region[possible]))
        np.testing.assert_array_equal(drawn, inside)


@given(arrays(np.float32, 60, elements=st.floats(0, 1, width=32)))
def test_no_other_threshold_is_expected_to_overlap_more(probability: NDArray[np.float32]) -> None:
    probability = np.floor(probability * PROBABILITY_LEVELS) / np.float32(PROBABILITY_LEVELS)

    def expected_dice(threshold: float) -> float:
        drawn = probability[probability >= threshold]
        return float(2 * drawn.sum() / max(drawn.size + probability.sum(), 1))

    chosen = overlap_threshold(probability)
    assert chosen + 1 / PROBABILITY_LEVELS >= LEAST_THRESHOLD
    best = max(expected_dice(t) for t in np.linspace(0.21, 1, 80))
    assert expected_dice(chosen) >= best - 1e-6


def test_a_faint_tumour_is_drawn_below_even_odds_and_a_sure_one_near_them() -> None:
    far = np.linspace(0, 5, 4000, dtype=np.float32)
    sure = special.expit(20 * (1 - far))
    assert overlap_threshold(sure) == pytest.approx(0.5, abs=0.05)
    assert overlap_threshold(0.45 * sure) < 0.35
    assert overlap_threshold(np.zeros(10, np.float32)) > 0


def test_a_tumour_of_uncertain_kind_is_still_tumour() -> None:
    divided = np.array([0.4, 0.19, 0.2, 0.21], np.float32).reshape(4, 1, 1, 1)
    assert divided.argmax() == Label.BACKGROUND
    assert nested_labels(divided).item() == Label.ET


def test_certain_and_uniform_voxels() -> None:
    certain = np.zeros((4, 1, 1, 1), np.float32)
    certain[2] = 1
    assert entropy_bits(certain).item() == 0
    assert entropy_bits(np.full((4, 1, 1, 1), 0.25, np.float32)).item() == 2


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_temperature_must_be_positive(temperature: float) -> None:
    with pytest.raises(ValueError, match="temperature must be positive"):
        softmax(np.zeros((4, 1, 1, 1), np.float32), temperature)


SURE = np.ones((20, 20, 20), np.float32)


def two_foci() -> NDArray[np.uint8]:
    labels = np.zeros((20, 20, 20), np.uint8)
    labels[2:8, 2:8, 2:8] = Label.ED  # 216 voxels
    labels[4, 4, 4] = Label.ET
    labels[15:17, 15:17, 15:17] = Label.NCR  # 8 voxels
    return labels


def test_small_foci_go_and_large_ones_stay() -> None:
    labels = two_foci()
    cleaned = clean_labels(labels, SURE, 0.001, PostprocessingConfig(minimum_focus_ml=0.009))
    assert not cleaned[15:17].any()
    np.testing.assert_array_equal(cleaned[:10], labels[:10])
    kept = clean_labels(labels, SURE, 0.001, PostprocessingConfig(minimum_focus_ml=0.008))
    np.testing.assert_array_equal(kept, labels)


def test_foci_of_which_the_network_is_nowhere_sure_go() -> None:
    labels = two_foci()
    probability = np.where(labels > 0, np.float32(0.6), np.float32(0))
    probability[4, 4, 4] = 0.9
    cleaned = clean_labels(
        labels, probability, 0.001, PostprocessingConfig(minimum_peak_probability=0.85)
    )
    assert not cleaned[15:17].any()
    np.testing.assert_array_equal(cleaned[:10], labels[:10])


def test_foci_that_touch_at_a_corner_are_one() -> None:
    labels = np.zeros((4, 4, 4), np.uint8)
    labels[1, 1, 1] = labels[2, 2, 2] = Label.ED
    kept = clean_labels(labels, SURE[:4, :4, :4], 1.0, PostprocessingConfig(minimum_focus_ml=2.0))
    np.testing.assert_array_equal(kept, labels)


def test_a_trace_of_enhancement_becomes_core() -> None:
    labels = two_foci()
    cleaned = clean_labels(labels, SURE, 0.001, PostprocessingConfig(minimum_et_ml=0.0015))
    assert cleaned[4, 4, 4] == Label.NCR
    kept = clean_labels(labels, SURE, 0.001, PostprocessingConfig(minimum_et_ml=0.001))
    assert kept[4, 4, 4] == Label.ET


def test_cleaning_leaves_its_input_alone() -> None:
    labels = two_foci()
    before = labels.copy()
    clean_labels(labels, SURE, 0.001, PostprocessingConfig(minimum_focus_ml=1.0, minimum_et_ml=1.0))
    np.testing.assert_array_equal(labels, before)


def test_a_peak_that_no_focus_can_reach_is_refused() -> None:
    with pytest.raises(ValueError, match="must be below 1"):
        PostprocessingConfig(minimum_peak_probability=1.0)


@pytest.mark.parametrize("name", ["minimum_focus_ml", "minimum_peak_probability", "minimum_et_ml"])
def test_negative_volumes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must not be negative"):
        PostprocessingConfig(**{name: -0.1})
