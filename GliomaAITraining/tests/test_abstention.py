"""Answering only where sure: the curve, the rule from validation, and what it does to others."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prediction_makers import cohort_of_states, drawn_truth, state_chances, table_of

from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.evaluation.tasks.abstention import (
    CONFIDENCE,
    AbstentionConfig,
    AbstentionRule,
    abstention_table,
    choose_threshold,
    judge,
    risk_coverage,
    rules_of,
    sureness_of,
)
from gliomaai_training.evaluation.tasks.abstention_figure import risk_coverage_plot
from gliomaai_training.evaluation.tasks.answers import Answers, HeldOut, answers
from gliomaai_training.evaluation.tasks.truth import TaskTruth, truth_of

FEW = BootstrapConfig(resamples=40)


def answered(
    confidence: list[float], correct: list[bool], std: list[float] | None = None, run: str = "1"
) -> Answers:
    """Answers to IDH of so many patients, each of confidence at least a half."""
    p, right = np.array(confidence), np.array(correct)
    n = len(p)
    return Answers(
        task="idh",
        case=np.array([f"P{i}" for i in range(n)], object),
        run=np.full(n, run, object),
        fold=np.full(n, "", object),
        probabilities=np.stack([p, 1 - p], axis=1),
        possible=np.stack([right, ~right], axis=1),
        spread={} if std is None else {"std": np.array(std)},
    )


def test_the_curve_of_four_answers_by_hand() -> None:
    curve = risk_coverage(np.array([0.6, 0.9, 0.8, 0.7]), np.array([True, True, False, True]))
    assert curve.sureness.tolist() == [0.9, 0.8, 0.7, 0.6]
    assert curve.coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    np.testing.assert_allclose(curve.error, [0, 1 / 2, 1 / 3, 1 / 4])
    assert curve.area == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4) / 4)
    assert curve.best_area == pytest.approx(1 / 16)
    assert curve.excess_area == pytest.approx(curve.area - 1 / 16)


def test_equally_sure_answers_are_kept_together() -> None:
    curve = risk_coverage(np.array([0.8, 0.8, 0.8, 0.6]), np.array([True, False, True, True]))
    assert curve.coverage.tolist() == [0.75, 1.0]
    np.testing.assert_allclose(curve.error, [1 / 3, 1 / 4])


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 20), st.booleans()), min_size=1, max_size=40))
def test_properties_of_the_curve(rows: list[tuple[int, bool]]) -> None:
    sureness = np.array([one for one, _ in rows], float)
    correct = np.array([one for _, one in rows])
    curve = risk_coverage(sureness, correct)
    assert curve.coverage[-1] == 1
    assert (np.diff(curve.coverage) > 0).all()
    assert (np.diff(curve.sureness) < 0).all()
    assert curve.error[-1] == pytest.approx(np.mean(~correct))
    assert ((curve.error >= 0) & (curve.error <= 1)).all()
    assert curve.best_area - 1e-9 <= curve.area <= 1
    # Neither the order of the rows nor the scale of the sureness matters.
    other = risk_coverage(np.exp(sureness[::-1] / 7), correct[::-1])
    assert other.area == pytest.approx(curve.area)


def test_perfect_sureness_has_no_excess() -> None:
    correct = np.array([True] * 7 + [False] * 3)
    assert risk_coverage(np.arange(10.0, 0, -1), correct).excess_area == pytest.approx(0)
    assert risk_coverage(np.arange(10.0), correct).excess_area > 0.3


@pytest.mark.parametrize(
    ("sureness", "correct", "message"),
    [
        (np.array([]), np.array([], bool), "one truth for each"),
        (np.ones(3), np.ones(2, bool), "one truth for each"),
        (np.array([1.0, np.nan]), np.ones(2, bool), "not finite"),
    ],
)
def test_no_curve_of_these(sureness: np.ndarray, correct: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        risk_coverage(sureness, correct)


@settings(deadline=None, max_examples=80)
@given(
    st.lists(st.tuples(st.integers(50, 100), st.booleans()), min_size=1, max_size=40),
    st.floats(0, 0.5),
)
def test_a_rule_keeps_to_its_target_and_answers_most(
    rows: list[tuple[int, bool]], target: float
) -> None:
    given_answers = answered([p / 100 for p, _ in rows], [right for _, right in rows])
    rule = choose_threshold(given_answers, CONFIDENCE, target, fewest=1)
    kept = rule.answered(given_answers.confidence)
    assert kept.mean() == pytest.approx(rule.coverage)
    if kept.any():
        assert np.mean(~given_answers.correct[kept]) == pytest.approx(rule.error)
        assert rule.error <= target
    for other in np.unique(given_answers.confidence):
        more = given_answers.confidence >= other
        if more.mean() > rule.coverage:
            assert np.mean(~given_answers.correct[more]) > target


def test_who_is_never_right_enough_answers_nobody() -> None:
    given_answers = answered([0.9, 0.8] * 20, [False] * 40)
    rule = choose_threshold(given_answers, CONFIDENCE, 0.05)
    assert (rule.coverage, rule.least_sureness) == (0, np.inf)
    assert not rule.answered(given_answers.confidence).any()
    found = judge(given_answers, {("1", ""): rule}, np.random.default_rng(1), FEW)
    assert found.error is None
    assert found.coverage.estimate == 0
    assert found.error_of_all.estimate == 1


def test_a_threshold_of_a_few_lucky_answers_is_none() -> None:
    lucky = answered([0.99, 0.98, *[0.7] * 30], [True, True, *[False] * 30])
    assert choose_threshold(lucky, CONFIDENCE, 0.05).coverage == 0
    assert choose_threshold(lucky, CONFIDENCE, 0.05, fewest=2).coverage == pytest.approx(2 / 32)


def test_abstaining_by_deviation_has_its_threshold_in_its_own_terms() -> None:
    std = np.linspace(0, 0.2, 40)
    right = (std < 0.1).tolist()
    given_answers = answered([0.9] * 40, right, std.tolist())
    rule = choose_threshold(given_answers, "std", 0.0)
    assert 0.09 < rule.threshold < 0.1
    np.testing.assert_array_equal(rule.answered(sureness_of(given_answers, "std")), right)
    with pytest.raises(ValueError, match="no column idh_entropy"):
        sureness_of(given_answers, "entropy")


def test_undecided_patients_choose_and_judge_nothing() -> None:
    truth = truth_of(cohort_of_states([("GBM",)] * 12 + [("A2", "A4")] * 5))
    chances = np.full((17, 7), 0.02)
    chances[:, 0] = 0.88
    given_answers = answers(table_of(chances), truth, "state")
    rule = choose_threshold(given_answers, CONFIDENCE, 0.0)
    assert rule.coverage == 1
    found = judge(given_answers, {("1", ""): rule}, np.random.default_rng(1), FEW)
    assert found.error_of_all.estimate == 0


def test_what_a_rule_does_to_others_by_hand() -> None:
    given_answers = answered([0.95, 0.9, 0.6, 0.55], [True, False, False, True])
    rule = AbstentionRule(CONFIDENCE, 0.9, 0.05, 0.5, 0.0)
    found = judge(given_answers, {("1", ""): rule}, np.random.default_rng(1), FEW)
    assert found.coverage.estimate == 0.5
    assert found.error is not None
    assert found.error.estimate == 0.5
    assert found.error_of_all.estimate == 0.5
    curve = risk_coverage(given_answers.confidence, given_answers.correct)
    assert found.area.estimate == pytest.approx(curve.area)
    assert found.coverage.low <= 0.5 <= found.coverage.high


def test_resampled_areas_are_those_of_the_resampled_answers() -> None:
    """The shortcut for all resamples at once against the curve of one, written out."""
    draw = np.random.default_rng(3)
    confidence = np.round(draw.uniform(0.5, 1, 30), 2)
    right = draw.random(30) < confidence
    given_answers = answered(confidence.tolist(), right.tolist())
    rule = choose_threshold(given_answers, CONFIDENCE, 0.3)
    config = BootstrapConfig(resamples=1)
    found = judge(given_answers, {("1", ""): rule}, np.random.default_rng(4), config)
    counts = np.random.default_rng(4).multinomial(30, np.full(30, 1 / 30), 1)[0]
    # Cases are drawn in alphabetical order: P0, P1, P10, ...
    order = np.argsort([f"P{n}" for n in range(30)])
    rows = np.repeat(order, counts)
    curve = risk_coverage(confidence[rows], right[rows])
    assert found.area.low == pytest.approx(curve.area)
    assert found.error_of_all.low == pytest.approx(np.mean(~right[rows]))


def test_a_patient_of_several_runs_is_one_patient() -> None:
    both = [answered([0.9] * 20 + [0.6] * 20, [True] * 20 + [False] * 20, run=r) for r in "12"]
    twice = Answers(
        task="idh",
        spread={},
        **{
            name: np.concatenate([getattr(one, name) for one in both])
            for name in ("case", "run", "fold", "probabilities", "possible")
        },
    )
    rules = rules_of(twice, CONFIDENCE, 0.0)
    assert set(rules) == {("1", ""), ("2", "")}
    one = judge(both[0], {("1", ""): rules["1", ""]}, np.random.default_rng(5), FEW)
    two = judge(twice, rules, np.random.default_rng(5), FEW)
    assert one.coverage == two.coverage
    with pytest.raises(ValueError, match="no rule for some of 2"):
        judge(twice, {("1", ""): rules["1", ""]}, np.random.default_rng(5), FEW)


def held_out() -> tuple[HeldOut, TaskTruth]:
    chances = state_chances(400, seed=6, concentration=0.4)
    truth = drawn_truth(chances, 7)
    spread = 0.5 - np.abs(chances.max(axis=1) - 0.5)
    table = table_of(chances).assign(state_std=spread)
    return HeldOut(table.iloc[:200], table.iloc[200:]), truth


def test_the_table_of_calibrated_answers_keeps_near_the_target() -> None:
    held, truth = held_out()
    config = AbstentionConfig(target_error=0.1, bootstrap=FEW)
    table = abstention_table({"net": held}, truth, np.random.default_rng(8), config)
    by = table.groupby("task")["by"].agg(list).to_dict()
    assert by["state"] == [CONFIDENCE, "std"]
    assert by["idh"] == [CONFIDENCE]
    row = table[(table["task"] == "state") & (table["by"] == CONFIDENCE)].iloc[0]
    of_all, of_answered, share = (
        float(row[name].split(" ")[0])
        for name in ("error of all", "error of the answered", "answered")
    )
    assert of_all > 0.2
    assert of_answered < 0.18
    assert 0.1 < share < 0.9
    assert row["patients"] == 200


def test_a_task_of_which_validation_knows_nothing_has_no_row() -> None:
    held, _ = held_out()
    truth = truth_of(cohort_of_states([()] * 200 + [("GBM",)] * 200))
    table = abstention_table({"net": held}, truth, np.random.default_rng(9))
    assert table.empty


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target_error": 1.0}, "not 1.0"),
        ({"measures": ("luck",)}, "not \\['luck'\\]"),
        ({"measures": ()}, "not none"),
    ],
)
def test_wrong_settings_are_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AbstentionConfig(**fields)  # type: ignore[arg-type]


def test_the_figure_is_drawn(tmp_path: Path) -> None:
    held, truth = held_out()
    given_answers = answers(held.test, truth, "state")
    curves = {
        name: risk_coverage(sureness_of(given_answers, name), given_answers.correct)
        for name in (CONFIDENCE, "std")
    }
    file = tmp_path / "figure" / "risk-coverage.png"
    risk_coverage_plot(curves, file, {CONFIDENCE: (0.5, 0.1)})
    assert file.stat().st_size > 5000
    with pytest.raises(ValueError, match="not 0"):
        risk_coverage_plot({}, file)


def test_rules_by_several_measures_do_not_mix() -> None:
    std = [0.1, 0.2]
    given_answers = answered([0.9, 0.8], [True, True], std)
    mixed = Answers(
        task="idh",
        case=given_answers.case,
        run=np.array(["1", "2"], object),
        fold=given_answers.fold,
        probabilities=given_answers.probabilities,
        possible=given_answers.possible,
        spread=given_answers.spread,
    )
    rules = {
        ("1", ""): AbstentionRule(CONFIDENCE, 0.5, 0.1, 1.0, 0.0),
        ("2", ""): AbstentionRule("std", -0.5, 0.1, 1.0, 0.0),
    }
    with pytest.raises(ValueError, match="confidence, std"):
        judge(mixed, rules, np.random.default_rng(1), FEW)
