"""Kaplan-Meier, log-rank and cut-offs, against printed values and by simulation."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_lung
from PIL import Image
from scipy.stats import norm

from gliomaai_training.survival.cutoffs import (
    lausen_schumacher_p,
    log_rank_scores,
    maximal_cutoff,
    median_cutoff,
)
from gliomaai_training.survival.kaplan_meier import (
    at_risk,
    kaplan_meier,
    log_rank,
    pairwise_log_rank,
)
from gliomaai_training.survival.outcome import Outcome, outcome
from gliomaai_training.survival.survival_figures import KaplanMeierPlan, kaplan_meier_figure


def lung(column: str) -> dict[str, Outcome]:
    table = load_lung().dropna(subset=[column])
    return {
        f"{value:g}": outcome(part["time"], part["status"]) for value, part in table.groupby(column)
    }


def test_survival_and_numbers_at_risk_are_as_r_prints_them() -> None:
    """`summary(survfit(Surv(time, status) ~ ph.ecog, lung))`: R's survival, tests/cancer.Rout."""
    group = lung("ph.ecog")["1"]
    curve = kaplan_meier(group, "ECOG 1")
    days = [30, 90, 180, 300, 365, 730]
    assert curve.at(days)[0] == pytest.approx([0.982, 0.920, 0.751, 0.527, 0.431, 0.114], abs=5e-4)
    assert at_risk(group, days).tolist() == [111, 104, 82, 46, 34, 7]
    assert (curve.patients, curve.events, curve.median_months) == (113, 82, 306)
    assert kaplan_meier(lung("ph.ecog")["2"]).median_months == 199


def test_the_log_rank_test_is_as_r_prints_it() -> None:
    """`survdiff(Surv(time, status) ~ sex, lung)`: 10.3 on 1 degree of freedom, p = 0.001."""
    found = log_rank(lung("sex"))
    assert (round(found.statistic, 1), found.degrees_of_freedom) == (10.3, 1)
    assert found.p == pytest.approx(0.00131, abs=1e-5)


def test_a_curve_s_interval_surrounds_it_and_ends_are_open() -> None:
    curve = kaplan_meier(outcome([1, 2, 3, 4, 5, 9], [1, 0, 1, 1, 0, 0]))
    assert curve.months.tolist() == [0, 1, 2, 3, 4, 5, 9]
    inside = slice(1, None)
    assert np.all(curve.low[inside] < curve.survival[inside])
    assert np.all(curve.survival[inside] < curve.high[inside])
    assert curve.median_months == 4
    assert curve.median_interval_months[1] is None
    assert np.isnan(curve.at([9.5])[0]).all()
    assert curve.censored_months.tolist() == [2, 5, 9]
    with pytest.raises(ValueError, match="-1"):
        curve.at([-1])
    alive = kaplan_meier(outcome([1, 2], [0, 0]))
    assert alive.median_months is None
    assert alive.survival.tolist() == [1, 1, 1]


def test_groups_that_cannot_be_compared_are_refused() -> None:
    one = outcome([1, 2], [1, 0])
    nobody = outcome([], [])
    with pytest.raises(ValueError, match="two groups or more, not 1"):
        log_rank({"a": one})
    with pytest.raises(ValueError, match="nobody is in group 'b'"):
        log_rank({"a": one, "b": nobody})
    with pytest.raises(ValueError, match="nobody died in any group"):
        log_rank({"a": outcome([1], [0]), "b": outcome([2], [0])})
    with pytest.raises(ValueError, match="nobody is in group 'all'"):
        kaplan_meier(nobody)


def test_pairs_pay_for_their_number() -> None:
    groups = lung("ph.ecog")
    del groups["3"]
    pairs = pairwise_log_rank(groups)
    assert list(pairs) == [("0", "1"), ("0", "2"), ("1", "2")]
    raw = log_rank({"0": groups["0"], "2": groups["2"]}).p
    assert pairs[("0", "2")] == pytest.approx(3 * raw)


def test_log_rank_scores_sum_to_nothing() -> None:
    followed = lung("sex")["1"]
    scores = log_rank_scores(followed)
    assert scores.sum() == pytest.approx(0, abs=1e-9)
    assert scores.max() < 1
    with pytest.raises(ValueError, match="nobody died"):
        log_rank_scores(outcome([1, 2], [0, 0]))


def step_patients(seed: int, ratio: float, n: int = 300) -> tuple[np.ndarray, Outcome]:
    """A score with a jump of the hazard at 0.6."""
    generator = np.random.default_rng(seed)
    score = generator.uniform(0, 1, n)
    death = generator.exponential(20 / np.where(score > 0.6, ratio, 1.0))
    leaving = generator.uniform(5, 60, n)
    return score, outcome(np.minimum(death, leaving), death <= leaving)


def test_the_jump_is_found() -> None:
    score, followed = step_patients(0, 5.0, 600)
    cut = maximal_cutoff(score, followed, np.random.default_rng(1), permutations=500)
    assert cut.value == pytest.approx(0.6, abs=0.03)
    assert cut.p_permutation == pytest.approx(1 / 501)
    assert cut.statistics is not None
    assert cut.candidates is not None
    assert cut.statistics[np.argmax(np.abs(cut.statistics))] == pytest.approx(cut.statistic)


def test_the_statistic_is_observed_less_expected_deaths() -> None:
    """As the log-rank test has them, over the standard deviation of all permutations."""
    score, followed = step_patients(3, 1.3, 40)
    cut = maximal_cutoff(score, followed, np.random.default_rng(1), permutations=10)
    high = cut.is_high(score)
    expected = 0.0
    for months in followed.months[followed.event]:
        at_risk_then = followed.months >= months
        expected += (at_risk_then & high).sum() / at_risk_then.sum()
    difference = followed.event[high].sum() - expected
    generator = np.random.default_rng(0)
    scores = np.stack([generator.permutation(log_rank_scores(followed)) for _ in range(20_000)])
    deviation = scores[:, high].sum(axis=1).std()
    assert cut.statistic == pytest.approx(abs(difference) / deviation, rel=0.02)


def test_only_the_middle_is_cut() -> None:
    score, followed = step_patients(1, 1.5)
    cut = maximal_cutoff(score, followed, np.random.default_rng(1), permutations=10)
    assert cut.candidates is not None
    low, high = np.quantile(score, [0.1, 0.9])
    assert cut.candidates.min() == pytest.approx(low, abs=0.02)
    assert cut.candidates.max() == pytest.approx(high, abs=0.02)


def test_a_search_in_noise_is_paid_for() -> None:
    """Uncorrected, far more than 5 % of noise is significant; corrected, about 5 %."""
    cuts = [
        maximal_cutoff(*step_patients(seed, 1.0, 120), np.random.default_rng(seed), 100)
        for seed in range(120)
    ]
    naive, chance, formula = (
        np.mean([getattr(cut, name) < 0.05 for cut in cuts])
        for name in ("p_naive", "p_permutation", "p_lausen_schumacher")
    )
    assert naive > 0.2
    assert 0.01 <= chance <= 0.11
    # The approximation is of large samples; it is cautious in small ones.
    assert formula <= 0.1


@pytest.mark.parametrize("p_naive", [0.0005, 0.001, 0.005, 0.01])
def test_the_approximation_is_that_of_altman_and_others(p_naive: float) -> None:
    """Their short form for 10 % to 90 %: -1.63 p (1 + 2.35 ln p) (JNCI 1994;86:829)."""
    short = -1.63 * p_naive * (1 + 2.35 * np.log(p_naive))
    assert lausen_schumacher_p(float(norm.isf(p_naive / 2))) == pytest.approx(short, rel=0.05)


def test_the_approximation_is_a_probability() -> None:
    assert [lausen_schumacher_p(b) for b in (0.0, 0.5, 1.0)] == [1, 1, 1]
    assert lausen_schumacher_p(3.0, 0.5, 0.5) == pytest.approx(2 * norm.sf(3.0))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 10))
def test_a_cut_follows_a_rising_transform(seed: int, stretch: float) -> None:
    score, followed = step_patients(seed, 2.0, 80)
    cut = maximal_cutoff(score, followed, np.random.default_rng(0), 5)
    moved = maximal_cutoff(np.exp(stretch * score), followed, np.random.default_rng(0), 5)
    assert np.array_equal(cut.is_high(score), moved.is_high(np.exp(stretch * score)))
    assert cut.statistic == pytest.approx(moved.statistic)


def test_cuts_that_cannot_be_made_are_refused() -> None:
    score, followed = step_patients(0, 2.0, 50)
    generator = np.random.default_rng(0)
    assert median_cutoff([3, 1, 2]).value == 2
    assert median_cutoff([1, 2]).is_high([1.4, 1.6]).tolist() == [False, True]
    for wrong in ([], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="finite scores"):
            median_cutoff(wrong)
    with pytest.raises(ValueError, match="cannot be cut there"):
        maximal_cutoff(np.ones(50), followed, generator)
    with pytest.raises(ValueError, match="50 scores but 49 outcomes"):
        maximal_cutoff(score, followed.take(np.arange(49)), generator)
    with pytest.raises(ValueError, match="nobody died"):
        maximal_cutoff(score, Outcome(followed.months, np.zeros(50, bool)), generator)
    with pytest.raises(ValueError, match="middle 2"):
        maximal_cutoff(score, followed, generator, middle=2.0)


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_the_figure_shows_curves_and_numbers_at_risk(tmp_path: Path, suffix: str) -> None:
    groups = lung("sex")
    file = tmp_path / f"curves.{suffix}"
    plan = KaplanMeierPlan("Lung", log_rank(groups), every_months=120)
    curves = [kaplan_meier(followed, name) for name, followed in groups.items()]
    kaplan_meier_figure(curves, file, plan)
    first = file.read_bytes()
    kaplan_meier_figure(curves, file, plan)
    assert file.read_bytes() == first
    if suffix == "png":
        with Image.open(file) as image:
            colours = {colour for _, colour in image.convert("RGB").getcolors(1 << 20) or []}
        assert {(0, 114, 178), (213, 94, 0)} <= colours
    with pytest.raises(ValueError, match="draws 1 to 6 curves, not 0"):
        kaplan_meier_figure([], file)
