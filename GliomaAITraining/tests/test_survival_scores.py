"""Brier scores, decision curves, D-calibration, product limit against other implementations."""

import numpy as np
import pytest
import survival_oracle as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import KaplanMeierFitter
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import BootstrapConfig, Interval, paired_difference
from gliomaai_training.survival.brier import (
    brier_by_patient,
    brier_score,
    integrated_brier_by_patient,
)
from gliomaai_training.survival.censoring import censoring_of
from gliomaai_training.survival.d_calibration import d_calibration
from gliomaai_training.survival.decision_curve import TREAT_ALL, decision_curves, net_benefit
from gliomaai_training.survival.outcome import Outcome, outcome
from gliomaai_training.survival.product_limit import (
    censoring_curve,
    product_limit,
    resampled_survival,
)

TIMES = tuple(oracle.BRIER)
FEW = BootstrapConfig(resamples=100)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def simulated(n: int = 400, seed: int = 0) -> tuple[NDArray[np.float64], Outcome]:
    random = generator(seed)
    risk = random.normal(size=n)
    death, lost = random.exponential(30 * np.exp(-risk)), random.uniform(0, 120, n)
    return risk, Outcome(np.minimum(death, lost), death <= lost)


@settings(max_examples=12)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=1, max_size=20),
    st.integers(0, 99),
)
def test_the_product_limit_is_lifelines_in_every_resample(
    rows: list[tuple[int, bool]], seed: int
) -> None:
    known = outcome([months for months, _ in rows], [died for _, died in rows])
    fitted = KaplanMeierFitter().fit(known.months, known.event)
    times = [0.0, 2.5, 4.0, 8.0]
    assert product_limit(known).at(times) == pytest.approx(fitted.predict(times).to_numpy())
    draws = generator(seed).multinomial(len(known), np.full(len(known), 1 / len(known)), 3)
    for counts, found in zip(draws, resampled_survival(known, 4.0, draws), strict=True):
        repeated = known.take(np.repeat(np.arange(len(known)), counts))
        curve = KaplanMeierFitter().fit(repeated.months, repeated.event)
        if repeated.months.max() >= 4.0 or curve.predict(4.0) == 0:
            assert found == pytest.approx(float(curve.predict(4.0)))
        else:
            assert np.isnan(found)


def test_of_the_censoring_the_dead_of_the_same_time_have_left() -> None:
    """Four patients at 5 months: one died before the other was lost; so one of three, not four."""
    curve = censoring_curve(outcome([5, 5, 9, 9], [1, 0, 1, 1]))
    assert curve.before(5.0) == 1.0
    assert curve.at(5.0) == pytest.approx(2 / 3)


def test_brier_scores_are_scikit_survivals() -> None:
    censoring = censoring_of(oracle.training_patients())
    survival = oracle.predicted(TIMES)
    scores = brier_by_patient(survival, oracle.patients(), TIMES, censoring).mean(axis=0)
    assert scores == pytest.approx(list(oracle.BRIER.values()), abs=1e-12)
    integrated = integrated_brier_by_patient(survival, oracle.patients(), TIMES, censoring)
    assert integrated.mean() == pytest.approx(oracle.INTEGRATED_BRIER, abs=1e-12)


def test_the_null_model_gains_nothing_on_its_own_patients() -> None:
    _, known = simulated()
    times = [12.0, 24.0, 60.0]
    null = np.tile(product_limit(known).at(times), (len(known), 1))
    found = brier_score(null, known, times, known, generator(), FEW)
    assert found.score == found.null
    assert found.scaled == Interval(0.0, 0.0, 0.0)


def test_the_truth_scores_better_than_the_null_and_a_shift_scores_worse() -> None:
    risk, known = simulated()
    survival = np.exp(-24.0 / 30 * np.exp(risk))[:, None]
    truth = brier_score(survival, known, 24.0, known, generator(), FEW)
    assert truth.score.high < truth.null.low
    assert truth.scaled.low > 0.1
    wrong = brier_score(survival**4, known, 24.0, known, generator(), FEW)
    assert wrong.score.estimate > truth.score.estimate


def test_brier_scores_are_compared_patient_by_patient() -> None:
    risk, known = simulated()
    survival = np.exp(-24.0 / 30 * np.exp(risk))[:, None]
    noisy = np.exp(-24.0 / 30 * np.exp(risk + generator(3).normal(size=risk.size)))[:, None]
    ours, theirs = (
        brier_by_patient(values, known, 24.0, censoring_of(known))[:, 0]
        for values in (survival, noisy)
    )
    assert paired_difference(ours, theirs, generator(), FEW).high < 0


def test_the_brier_score_survives_censoring() -> None:
    """The weights bring back what is lost: censored and complete follow-up agree on average."""
    random = generator(1)
    risk = random.normal(size=20_000)
    death = random.exponential(30 * np.exp(-risk))
    survival = np.exp(-24.0 / 30 * np.exp(risk))[:, None]
    complete = np.mean((survival[:, 0] - (death > 24)) ** 2)
    lost = random.uniform(0, 60, death.size)
    known = Outcome(np.minimum(death, lost), death <= lost)
    scores = brier_by_patient(survival, known, 24.0, censoring_of(known))
    assert scores.mean() == pytest.approx(complete, abs=0.006)


def test_d_calibration_is_haiders() -> None:
    found = d_calibration(oracle.predicted(oracle.MONTHS), oracle.patients())
    assert found.counts == pytest.approx(oracle.D_CALIBRATION_COUNTS, abs=1e-9)
    assert (found.statistic, found.p) == pytest.approx(oracle.D_CALIBRATION)


def test_d_calibration_tells_a_true_model_from_a_false() -> None:
    calibrated = 0
    for seed in range(40):
        risk, known = simulated(seed=seed)
        own = np.exp(-known.months / 30 * np.exp(risk))
        calibrated += d_calibration(own, known).p > 0.05
        assert d_calibration(own**2, known).p < 1e-4
    assert calibrated >= 34  # 38 expected; with censoring the test is conservative


def test_d_calibration_counts_everybody_once() -> None:
    found = d_calibration(
        [0.0, 1.0, 0.0, 1.0, *[0.5] * 20], outcome([3] * 24, [0, 0, 1, 1] + [1] * 20)
    )
    assert found.counts.sum() == pytest.approx(24)
    assert found.counts[0] == pytest.approx(2.1)  # both with none left; a tenth of one with all
    assert found.counts[4] == pytest.approx(20.1)  # a bin holds its upper end
    assert found.counts[9] == pytest.approx(1.1)
    tiny = d_calibration([5e-324] * 20, outcome([3] * 20, [0] * 10 + [1] * 10))
    assert tiny.counts[0] == pytest.approx(20)


@pytest.mark.parametrize(("name", "at"), list(oracle.NET_BENEFIT))
def test_net_benefit_is_that_of_dcurves(name: str, at: float) -> None:
    survival = oracle.predicted(24.0) if name == "model" else np.zeros(60)
    found = net_benefit(survival, oracle.patients(), 24.0, at)
    assert found == pytest.approx(oracle.NET_BENEFIT[name, at], abs=1e-12)


def test_decision_curves_share_their_resamples() -> None:
    risk, known = simulated()
    survival = np.exp(-24.0 / 30 * np.exp(risk))
    thresholds = (0.2, 0.5, 0.8)
    model, same, everyone = decision_curves(
        {"model": survival, "same": survival}, known, 24.0, generator(), thresholds, FEW
    )
    assert (everyone.name, model.thresholds) == (TREAT_ALL, thresholds)
    assert model.benefit == same.benefit
    assert model.benefit[1].estimate == net_benefit(survival, known, 24.0, 0.5)
    assert model.over_defaults[1].low > 0
    # Above the prevalence, treating all does harm: treating none is the better default.
    assert everyone.benefit[2].high < 0
    assert everyone.over_defaults[2].estimate == everyone.benefit[2].estimate


def test_nobody_above_the_threshold_is_worth_nothing() -> None:
    _, known = simulated()
    assert net_benefit(np.full(400, 0.9), known, 24.0, 0.5) == 0.0


def test_a_perfect_model_gains_the_prevalence() -> None:
    death = np.linspace(1, 60, 200)
    known = Outcome(death, np.ones(200, bool))
    found = net_benefit((death > 24).astype(float), known, 24.0, 0.3)
    assert found == pytest.approx(np.mean(death <= 24))


def test_those_above_the_threshold_may_not_be_followed_to_the_horizon() -> None:
    months = [*range(1, 21), *[80] * 20]
    known = outcome(months, [1, 0] * 10 + [1] * 10 + [0] * 10)
    survival = [0.1] * 20 + [0.9] * 20
    (model, _) = decision_curves({"model": survival}, known, 60.0, generator(), (0.5,), FEW)
    assert np.isnan(model.benefit[0].estimate)


@pytest.mark.parametrize(
    ("survival", "months", "message"),
    [
        (np.full((60, 1), 1.2), [12.0], "1.2 is not possible"),
        (np.full((60, 1), np.nan), [12.0], "nan is not possible"),
        (np.full((59, 1), 0.5), [12.0], r"\(60, 1\), not \(59, 1\)"),
        (np.full((60, 2), 0.5), [24.0, 12.0], "ascending"),
        (np.full((60, 0), 0.5), [], "ascending"),
        (np.full((60, 1), 0.5), [600.0], "beyond the follow-up"),
        (np.full((60, 1), 0.5), [0.0], "0.0 months is not possible"),
    ],
)
def test_impossible_predictions_are_refused(
    survival: NDArray[np.float64], months: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        brier_by_patient(survival, oracle.patients(), months, censoring_of(oracle.patients()))


def test_an_integral_needs_two_times() -> None:
    with pytest.raises(ValueError, match="at least two times, not 1"):
        integrated_brier_by_patient(
            np.full((60, 1), 0.5), oracle.patients(), 12.0, censoring_of(oracle.patients())
        )


@pytest.mark.parametrize(
    ("thresholds", "names", "months", "message"),
    [
        ((0.0,), ("a",), 24.0, r"between 0 and 1, not \[0\.0\]"),
        ((1.0,), ("a",), 24.0, r"between 0 and 1, not \[1\.0\]"),
        ((0.5,), (), 24.0, "needs models"),
        ((0.5,), ("a",), 600.0, "beyond the follow-up"),
        ((0.5,), ("a",), 0.5, "deaths among 60 patients are too few"),
    ],
)
def test_impossible_decisions_are_refused(
    thresholds: tuple[float, ...], names: tuple[str, ...], months: float, message: str
) -> None:
    models = dict.fromkeys(names, np.full(60, 0.5))
    with pytest.raises(ValueError, match=message):
        decision_curves(models, oracle.patients(), months, generator(), thresholds, FEW)


def test_too_few_deaths_or_bins_are_refused() -> None:
    known = outcome(range(1, 21), [1] * 9 + [0] * 11)
    with pytest.raises(ValueError, match="9 deaths among 20"):
        d_calibration([0.5] * 20, known)
    with pytest.raises(ValueError, match="1 bins"):
        d_calibration(np.full(60, 0.5), oracle.patients(), 1)
    with pytest.raises(ValueError, match="9 deaths among 20"):
        brier_by_patient(np.full((20, 1), 0.5), known, 5.0, censoring_of(known))


def test_nobody_has_no_curve() -> None:
    with pytest.raises(ValueError, match="at least one patient"):
        product_limit(outcome([], []))
