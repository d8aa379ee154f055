"""Harrell's C, Uno's C and dynamic AUC against other implementations, counting and theory."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest
import survival_oracle as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.survival.censoring import Censoring, censoring_of
from gliomaai_training.survival.comparison import concordance_difference, share_difference
from gliomaai_training.survival.concordance import (
    PairRule,
    comparable_pairs,
    concordance,
    concordance_interval,
    harrell_c,
    uno_c,
)
from gliomaai_training.survival.outcome import Outcome, outcome
from gliomaai_training.survival.time_dependent_auc import (
    dynamic_auc,
    dynamic_auc_interval,
    horizon_pairs,
)

Floats = NDArray[np.float64]


@st.composite
def followed(draw: st.DrawFn, distinct: bool = False) -> tuple[Floats, Outcome]:
    """Risks and outcomes of few patients with many ties, or with none; the first died first."""
    size = draw(st.integers(3, 14))
    values = st.integers(0, 5 if not distinct else 10_000)
    lists = st.lists(values, min_size=size, max_size=size, unique=distinct)
    risk, months = (np.array(draw(lists), np.float64) for _ in range(2))
    event = np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    months[0], event[0] = -1.0, True
    return risk, Outcome(months + 1.0, event)


ANY = PairRule(minimum_events=1)


def counted(
    risk: Floats, known: Outcome, strata: Sequence[int] | None = None, weight: Floats | None = None
) -> float:
    """By definition, one pair at a time."""
    right = total = 0.0
    for i in range(len(known)):
        for j in range(len(known)):
            earlier = known.months[i] < known.months[j] or (
                known.months[i] == known.months[j] and not known.event[j]
            )
            together = strata is None or strata[i] == strata[j]
            if i != j and known.event[i] and earlier and together:
                worth = 1.0 if weight is None else weight[i]
                right += worth * (float(risk[i] > risk[j]) + 0.5 * float(risk[i] == risk[j]))
                total += worth
    return right / total


def simulated(n: int = 300, seed: int = 0) -> tuple[Floats, Outcome]:
    generator = np.random.default_rng(seed)
    risk = generator.normal(size=n)
    death, lost = generator.exponential(30 * np.exp(-risk)), generator.uniform(0, 90, n)
    return risk, Outcome(np.minimum(death, lost), death <= lost)


def train() -> Censoring:
    return censoring_of(oracle.training_patients())


def test_harrells_c_is_scikit_survivals() -> None:
    found = harrell_c(oracle.RISK, oracle.patients())
    assert found == pytest.approx(oracle.HARRELL, abs=1e-12)
    assert harrell_c(oracle.OTHER, oracle.patients()) == pytest.approx(oracle.HARRELL_OTHER)


def test_harrells_c_is_lifelines() -> None:
    from lifelines.utils import concordance_index

    theirs = concordance_index(oracle.MONTHS, -oracle.RISK, oracle.EVENT)
    assert harrell_c(oracle.RISK, oracle.patients()) == pytest.approx(theirs, abs=1e-12)


def test_unos_c_is_scikit_survivals() -> None:
    rule = PairRule(train(), tau_months=60.0)
    found = concordance(oracle.RISK, oracle.patients(), rule)
    assert found == pytest.approx(oracle.UNO_TAU_60, abs=1e-12)


@pytest.mark.parametrize("months", [12.0, 24.0, 48.0])
def test_dynamic_auc_is_scikit_survivals(months: float) -> None:
    found = dynamic_auc(oracle.RISK, oracle.patients(), months, train())
    assert found == pytest.approx(oracle.AUC[months], abs=1e-12)


@settings(max_examples=50)
@given(followed(), st.data())
def test_the_c_is_what_counting_pairs_gives(
    patients: tuple[Floats, Outcome], data: st.DataObject
) -> None:
    risk, known = patients
    strata = data.draw(st.lists(st.integers(0, 1), min_size=len(known), max_size=len(known)))
    if known.months.max() > 0:
        assert concordance(risk, known, ANY) == pytest.approx(counted(risk, known))
    within = [0, 0, *strata[2:]]
    if known.months[1] > 0:
        found = concordance(risk, known, PairRule(strata=within, minimum_events=1))
        assert found == pytest.approx(counted(risk, known, within))


@settings(max_examples=50)
@given(followed())
def test_unos_c_is_what_counting_weighted_pairs_gives(patients: tuple[Floats, Outcome]) -> None:
    risk, known = patients
    censoring = censoring_of(known)
    weight = censoring.event_weights(known) ** 2
    rule = PairRule(censoring, tau_months=1e9, minimum_events=1)
    if known.months.max() > 0:
        assert concordance(risk, known, rule) == pytest.approx(counted(risk, known, weight=weight))


@settings(max_examples=50)
@given(followed(distinct=True))
def test_the_opposite_risk_has_the_opposite_c(patients: tuple[Floats, Outcome]) -> None:
    risk, known = patients
    both = concordance(risk, known, ANY) + concordance(-risk, known, ANY)
    assert both == pytest.approx(1.0)


@settings(max_examples=50)
@given(followed(), st.floats(0.1, 3), st.floats(-5, 5))
def test_only_the_order_of_risks_counts(
    patients: tuple[Floats, Outcome], scale: float, shift: float
) -> None:
    risk, known = patients
    if known.months.max() > 0:
        value = concordance(risk, known, ANY)
        assert concordance(np.exp(scale * risk + shift), known, ANY) == value
        assert concordance(np.zeros(risk.size), known, ANY) == 0.5


@settings(max_examples=50)
@given(followed(), st.randoms(use_true_random=False))
def test_the_order_of_patients_does_not_count(
    patients: tuple[Floats, Outcome], chance: Random
) -> None:
    risk, known = patients
    order = list(range(len(known)))
    chance.shuffle(order)
    if known.months.max() > 0:
        shuffled = concordance(risk[order], known.take(np.array(order)), ANY)
        assert shuffled == pytest.approx(concordance(risk, known, ANY))


def test_a_death_comes_before_a_censoring_of_the_same_time() -> None:
    known = outcome([5, 5], [1, 0])
    assert concordance([2.0, 1.0], known, ANY) == 1.0
    assert concordance([1.0, 2.0], known, ANY) == 0.0


def test_two_deaths_at_the_same_time_are_no_pair() -> None:
    with pytest.raises(ValueError, match="no two patients can be compared"):
        concordance([2.0, 1.0], outcome([5, 5], [1, 1]), ANY)


def test_resamples_are_the_c_of_the_patients_drawn() -> None:
    risk, known = simulated(40)
    draws = np.random.default_rng(1).multinomial(40, np.full(40, 1 / 40), 20)
    fast = comparable_pairs(known).share(risk, draws)
    for value, counts in zip(fast, draws, strict=True):
        rows = np.repeat(np.arange(40), counts)
        assert value == pytest.approx(concordance(risk[rows], known.take(rows), ANY), abs=1e-12)


def test_many_patients_are_counted_in_blocks() -> None:
    risk, known = simulated(290)
    known = Outcome(known.months, np.ones(290, bool))
    assert harrell_c(risk, known) == pytest.approx(counted(risk, known), abs=1e-12)


def test_pairs_within_strata_ignore_what_the_strata_say() -> None:
    """A class that dies early lifts the pooled C of a risk that knows only the class."""
    generator = np.random.default_rng(3)
    group = generator.integers(0, 2, 400)
    death = generator.exponential(np.where(group == 1, 10.0, 60.0))
    known = Outcome(death, np.ones(400, bool))
    assert harrell_c(group, known) > 0.65
    assert harrell_c(group, known, strata=group.tolist()) == 0.5


def test_permuted_outcomes_give_a_half_on_average() -> None:
    risk, known = simulated(200)
    generator = np.random.default_rng(5)
    censoring = censoring_of(known)
    found = []
    for _ in range(200):
        shuffled = known.take(generator.permutation(200))
        found.append(
            [
                harrell_c(risk, shuffled),
                uno_c(risk, shuffled, censoring),
                dynamic_auc(risk, shuffled, 24.0, censoring),
            ]
        )
    # The SD of one C is about .03, of the mean of 200 about .002.
    assert np.mean(found, axis=0) == pytest.approx([0.5, 0.5, 0.5], abs=0.012)


def test_unos_c_does_not_depend_on_the_follow_up_and_harrells_does() -> None:
    """Uno's point: the risk tells early deaths apart only, so early censoring flatters Harrell."""
    generator = np.random.default_rng(8)
    n = 4000
    early = generator.random(n) < 0.5
    death = np.where(early, generator.uniform(0, 12, n), generator.uniform(12, 60, n))
    risk = early + 0.01 * generator.normal(size=n)
    full = Outcome(np.minimum(death, 36), death <= 36)
    lost = np.where(generator.random(n) < 0.9, generator.uniform(0, 36, n), 36.0)
    short = Outcome(np.minimum(death, lost), death <= lost)
    rule = PairRule(censoring_of(short), tau_months=30.0)
    truth = concordance(risk, full, PairRule(tau_months=30.0))
    uno = concordance(risk, short, rule)
    harrell = concordance(risk, short, PairRule(tau_months=30.0))
    assert abs(uno - truth) < 0.01
    assert harrell - truth > 0.02


def test_the_interval_covers_the_truth() -> None:
    """Simulated under proportional hazards, whose concordance is known in closed form."""
    big = np.random.default_rng(0).normal(size=4000)
    truth = np.mean(1 / (1 + np.exp(-np.abs(big[:2000] - big[2000:]))))
    config = BootstrapConfig(resamples=300, level=0.9)
    hits = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        risk = generator.normal(size=120)
        known = Outcome(generator.exponential(np.exp(-risk)), np.ones(120, bool))
        found = concordance_interval(risk, known, generator, config=config)
        hits += found.low <= truth <= found.high
    assert hits >= 46  # of 60; 54 expected, and 46 is 3.4 SD below


def test_a_difference_is_of_the_same_resamples() -> None:
    risk, known = simulated()
    noisy = risk + np.random.default_rng(2).normal(0, 1.0, risk.size)
    same = concordance_difference(risk, 2 * risk, known, np.random.default_rng(0))
    assert (same.difference.low, same.difference.high, same.p) == (0.0, 0.0, 1.0)
    better = concordance_difference(risk, noisy, known, np.random.default_rng(0))
    assert 0 < better.difference.low < better.difference.estimate < better.difference.high
    assert better.p < 0.01
    pairs = horizon_pairs(known, 24.0, censoring_of(known))
    auc = share_difference(risk, noisy, pairs, np.random.default_rng(0))
    assert auc.ours == dynamic_auc_interval(
        risk, known, 24.0, censoring_of(known), np.random.default_rng(0)
    )


def test_tau_is_the_last_time_with_a_tenth_at_risk() -> None:
    months = np.arange(1, 41, dtype=np.float64)
    censoring = censoring_of(Outcome(months, np.ones(40, bool)))
    assert censoring.tau_months == 37.0
    assert np.mean(months >= 37.0) == 0.1
    assert censoring.longest_months == 40.0


@pytest.mark.parametrize(
    ("risk", "known", "rule", "message"),
    [
        ([1.0] * 20, outcome(range(20), [0] * 20), PairRule(), "0 deaths among 20"),
        ([1.0] * 20, outcome(range(20), [1] * 9 + [0] * 11), PairRule(), "9 deaths among 20"),
        ([1.0] * 19, outcome(range(20), [1] * 20), PairRule(), r"20 patients, not \(19,\)"),
        ([np.nan] + [1.0] * 19, outcome(range(20), [1] * 20), PairRule(), "a risk is nan"),
        ([1.0] * 20, outcome([7] * 20, [1] * 20), PairRule(), "no two patients"),
        ([1.0] * 20, outcome(range(20), [1] * 20), PairRule(tau_months=0.0), "0.0 months is not"),
        ([1.0] * 20, outcome(range(20), [1] * 20), PairRule(strata=["a"]), "20 .* but 1 groups"),
        ([1.0] * 20, outcome(range(20), [1] * 20), PairRule(strata=range(20)), "no two patients"),
    ],
)
def test_what_no_c_can_be_told_of_is_refused(
    risk: list[float], known: Outcome, rule: PairRule, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        concordance(risk, known, rule)


@pytest.mark.parametrize(
    ("months", "message"),
    [
        (0.0, "0.0 months is not possible"),
        (-12.0, "-12.0 months is not possible"),
        (float("nan"), "nan months"),
        (240.0, "240 months lies beyond the follow-up"),
        (2.0, "deaths by 2 months .* are too few"),
    ],
)
def test_a_horizon_without_patients_is_refused(months: float, message: str) -> None:
    risk, known = simulated(60)
    with pytest.raises(ValueError, match=message):
        dynamic_auc(risk, known, months, censoring_of(known))


def test_negative_time_is_refused() -> None:
    with pytest.raises(ValueError, match=r"survival of -3\.0 months"):
        outcome([4.0, -3.0], [1, 0])


def test_one_class_of_risks_is_worth_a_half() -> None:
    _, known = simulated()
    assert harrell_c(np.ones(len(known)), known) == 0.5
