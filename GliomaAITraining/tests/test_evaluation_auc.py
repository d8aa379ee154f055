"""AUC and DeLong against scikit-learn, MLstatkit, their definitions and simulation."""

import numpy as np
import pytest
import survival_oracle as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from gliomaai_training.evaluation.auc import auc, auc_difference, auc_interval, delong

BOTH = st.lists(st.tuples(st.integers(-4, 4), st.booleans()), min_size=4, max_size=30).filter(
    lambda rows: 2 <= sum(positive for _, positive in rows) <= len(rows) - 2
)


@settings(max_examples=40)
@given(BOTH)
def test_the_area_and_its_variance_are_their_definitions(rows: list[tuple[int, bool]]) -> None:
    score = np.array([value for value, _ in rows], float)
    positive = np.array([truth for _, truth in rows])
    difference = score[positive][:, None] - score[~positive]
    won = 0.5 + 0.5 * np.sign(difference)
    variance = np.var(won.mean(axis=1), ddof=1) / positive.sum()
    variance += np.var(won.mean(axis=0), ddof=1) / (~positive).sum()
    area, found = delong(score, positive)
    assert area == pytest.approx(won.mean())
    assert area == pytest.approx(roc_auc_score(positive, score))
    assert found == pytest.approx(variance, abs=1e-12)
    assert auc(-score, positive) == pytest.approx(1 - area)
    assert auc(np.exp(score), positive) == pytest.approx(area)


def test_the_paired_test_is_that_of_mlstatkit() -> None:
    dead = oracle.patients().event & (oracle.MONTHS <= 24)
    found = auc_difference(oracle.RISK, oracle.OTHER, dead)
    z, p = oracle.DELONG
    width = found.difference.high - found.difference.low
    assert -found.difference.estimate / (width / 2 / 1.959964) == pytest.approx(z, rel=1e-5)
    assert found.p == pytest.approx(p)


def test_equal_scores_are_refuted_in_one_of_twenty() -> None:
    generator = np.random.default_rng(3)
    positive = np.arange(120) < 50
    refuted = covered = 0
    for _ in range(200):
        signal = generator.normal(size=120) + positive
        ours, theirs = signal + generator.normal(size=(2, 120))
        refuted += auc_difference(ours, theirs, positive).p < 0.05
        found = auc_interval(ours, positive)
        covered += found.low <= 0.6914625 <= found.high  # normal with shift 1 and variance 2
    assert 2 <= refuted <= 20  # 10 expected, SD 3.1
    assert 180 <= covered <= 199  # 190 expected, SD 3.1


def test_permuted_labels_give_a_half_on_average() -> None:
    generator = np.random.default_rng(5)
    score, positive = generator.normal(size=80), np.arange(80) < 30
    areas = [auc(score, generator.permutation(positive)) for _ in range(300)]
    assert np.mean(areas) == pytest.approx(0.5, abs=0.015)


def test_a_perfect_score_has_an_interval_without_width() -> None:
    found = auc_interval([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1])
    assert (found.estimate, found.low, found.high) == (1.0, 1.0, 1.0)


def test_the_same_score_is_no_better() -> None:
    score = np.random.default_rng(0).normal(size=30)
    found = auc_difference(score, 3 * score, np.arange(30) % 2)
    assert (found.difference.estimate, found.p) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("score", "positive", "message"),
    [
        ([1.0, 2.0], [1, 1], "2 positives of 2"),
        ([1.0, 2.0], [0, 0], "0 positives of 2"),
        ([], [], "0 positives of 0"),
        ([1.0, 2.0], [0, 2], "0 and 1"),
        ([1.0, float("nan")], [0, 1], "a score is nan"),
        ([1.0], [0, 1], r"2 patients, not \(1,\)"),
    ],
)
def test_wrong_scores_are_refused(score: list[float], positive: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        auc(score, positive)


def test_one_positive_has_an_area_but_no_variance() -> None:
    assert auc([1.0, 2.0, 3.0], [0, 0, 1]) == 1.0
    with pytest.raises(ValueError, match="at least two of each class, not 1"):
        delong([1.0, 2.0, 3.0], [0, 0, 1])
