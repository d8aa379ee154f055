"""Facts and outcomes: class mixes, medians and the known concordance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.simulation.config import SimulationConfig, stream
from gliomaai_training.simulation.facts import Facts, TumourPlan, draw_facts, draw_plan
from gliomaai_training.simulation.outcome import (
    LOG_HAZARD,
    WEIBULL,
    Outcome,
    draw_outcome,
    oracle_concordance,
)


def population(who_class: str, count: int) -> list[tuple[Facts, TumourPlan, Outcome]]:
    config = SimulationConfig(who_class=who_class)
    people = []
    for seed in range(count):
        facts = draw_facts(config, stream(seed, "facts"))
        plan = draw_plan(who_class, stream(seed, "plan"))
        people.append((facts, plan, draw_outcome(facts, plan, stream(seed, "outcome"))))
    return people


@pytest.mark.parametrize("who_class", WHO_STATES)
def test_median_survival_of_a_class_is_the_published_one(who_class: str) -> None:
    deaths = [outcome.death_months for _, _, outcome in population(who_class, 900)]
    assert np.median(deaths) == pytest.approx(WEIBULL[who_class][0], rel=0.25)


def test_class_mix_follows_the_cohorts() -> None:
    config = SimulationConfig()
    classes = [draw_facts(config, stream(s, "facts")).who_class for s in range(1500)]
    share = {c: classes.count(c) / len(classes) for c in WHO_STATES}
    assert share["GBM"] == pytest.approx(0.82, abs=0.03)
    assert share["A2"] + share["A3"] + share["A4"] == pytest.approx(0.11, abs=0.025)


def test_seven_percent_of_glioblastomas_do_not_enhance() -> None:
    plans = [draw_plan("GBM", stream(s, "plan")) for s in range(1500)]
    assert np.mean([not p.enhancing for p in plans]) == pytest.approx(0.074, abs=0.02)


def test_mismatch_is_for_astrocytoma_only() -> None:
    for who_class in ("GBM", "O2", "O3", "A4"):
        assert all(draw_plan(who_class, stream(s, "plan")).mismatch == 0 for s in range(200))
    marked = [draw_plan("A2", stream(s, "plan")).mismatch > 0 for s in range(400)]
    assert 0.3 < np.mean(marked) < 0.6


def test_oracle_concordance_is_what_a_sample_shows() -> None:
    people = population("GBM", 1200)
    hazard = np.array([outcome.log_hazard for _, _, outcome in people])
    death = np.array([outcome.death_months for _, _, outcome in people])
    first, second = np.triu_indices(len(people), 1)
    right = (hazard[first] > hazard[second]) == (death[first] < death[second])
    oracle = oracle_concordance(hazard)
    assert right.mean() == pytest.approx(oracle, abs=0.015)
    assert 0.64 < oracle < 0.74


def test_glioblastoma_concordance_from_clinical_facts_is_plausible() -> None:
    people = population("GBM", 800)
    hazard = np.array(
        [o.log_hazard - p.infiltration * LOG_HAZARD["infiltration_per_unit"] for _, p, o in people]
    )
    assert 0.63 < oracle_concordance(hazard) < 0.72


def test_risk_grows_with_age_and_falls_with_fitness() -> None:
    plan = draw_plan("GBM", stream(1, "plan"))
    young = Facts("GBM", 40.0, "F", 100, True, True)
    old = Facts("GBM", 80.0, "F", 60, False, False)
    risks = [draw_outcome(facts, plan, stream(1, "outcome")).log_hazard for facts in (young, old)]
    assert risks[1] - risks[0] > 1.5


def test_survival_never_passes_the_follow_up_and_events_are_deaths() -> None:
    for _, _, outcome in population("A2", 200):
        assert 0 < outcome.survival_months <= 72
        if outcome.event:
            assert outcome.survival_months == pytest.approx(
                max(outcome.death_months, 0.1), abs=0.01
            )
        else:
            assert outcome.survival_months <= outcome.death_months + 0.01


def test_no_outcome_without_a_tumour() -> None:
    healthy = Facts(None, 50.0, "M", 100, False, False)
    with pytest.raises(ValueError, match="tumour-free"):
        draw_outcome(healthy, draw_plan("GBM", stream(1, "plan")), stream(1, "outcome"))


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=40), st.floats(-3, 3))
def test_oracle_concordance_ignores_a_shift_and_the_order(
    hazards: list[float], shift: float
) -> None:
    value = oracle_concordance(hazards)
    assert 0.5 <= value <= 1.0
    assert oracle_concordance([h + shift for h in hazards]) == pytest.approx(value, abs=1e-9)
    assert oracle_concordance(hazards[::-1]) == pytest.approx(value, abs=1e-9)


def test_oracle_concordance_needs_two_patients() -> None:
    with pytest.raises(ValueError, match="two patients"):
        oracle_concordance([0.3])


def test_another_class_mix_is_drawn_as_asked() -> None:
    config = SimulationConfig(class_mix=(("A2", 1.0), ("O3", 3.0)))
    drawn = [draw_facts(config, np.random.default_rng(seed)).who_class for seed in range(400)]
    assert set(drawn) == {"A2", "O3"}
    assert 0.68 < drawn.count("O3") / 400 < 0.82


@pytest.mark.parametrize("mix", [(), (("GBM", 0.0),), (("XYZ", 1.0),)])
def test_a_class_mix_that_is_none_is_refused(mix: tuple[tuple[str, float], ...]) -> None:
    with pytest.raises(ValueError, match="class mix"):
        SimulationConfig(class_mix=mix)
