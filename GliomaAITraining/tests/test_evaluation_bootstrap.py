"""Bootstrap intervals against theory, scipy and explicit resampling."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gliomaai_training.evaluation.bootstrap import (
    BootstrapConfig,
    Statistic,
    bootstrap,
    bootstrap_interval,
    intervals,
    paired_difference,
    patient_draws,
)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_interval_is_scipys(statistic: Statistic) -> None:
    values = generator(1).gamma(2.0, size=301)
    config = BootstrapConfig(statistic, resamples=20_000)
    ours = bootstrap_interval(values, generator(), config)
    function = np.mean if statistic == "mean" else np.median
    theirs = stats.bootstrap(
        (values,), function, n_resamples=20_000, method="percentile", rng=generator(5)
    ).confidence_interval
    assert ours.estimate == pytest.approx(function(values))
    tolerance = 0.1 * (theirs.high - theirs.low)
    assert ours.low == pytest.approx(theirs.low, abs=tolerance)
    assert ours.high == pytest.approx(theirs.high, abs=tolerance)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-5, 5), min_size=1, max_size=9), st.integers(0, 1000))
def test_weighted_median_is_the_median_of_the_resample(values: list[int], seed: int) -> None:
    config = BootstrapConfig("median", resamples=1)
    ours = bootstrap_interval(values, generator(seed), config)
    counts = generator(seed).multinomial(len(values), np.full(len(values), 1 / len(values)), 1)[0]
    assert ours.low == ours.high == np.median(np.repeat(values, counts))
    assert ours.estimate == np.median(values)


def test_a_patients_scans_are_drawn_together() -> None:
    values = generator(2).normal(size=40)
    twice, patients = np.repeat(values, 3), np.repeat(np.arange(40), 3).tolist()
    by_patient = bootstrap_interval(twice, generator(), patients=patients)
    once = bootstrap_interval(values, generator())
    assert (by_patient.low, by_patient.high) == pytest.approx((once.low, once.high))
    by_case = bootstrap_interval(twice, generator())
    assert by_case.high - by_case.low < 0.7 * (by_patient.high - by_patient.low)


def test_same_generator_state_gives_the_same_interval() -> None:
    values = generator(3).normal(size=30)
    assert bootstrap_interval(values, generator(7)) == bootstrap_interval(values, generator(7))


def test_coverage_is_near_the_level() -> None:
    source = generator(4)
    config = BootstrapConfig(resamples=400, level=0.9)
    hits = 0
    for _ in range(300):
        found = bootstrap_interval(source.normal(5.0, 2.0, size=50), source, config)
        hits += found.low <= 5.0 <= found.high
    assert 0.83 <= hits / 300 <= 0.95  # 0.9 less a little for n = 50; SD of the share is 0.017


def test_pairing_removes_what_cases_share() -> None:
    hard = generator(6).normal(0, 10, size=50)
    ours = hard + generator(8).normal(0.5, 0.1, size=50)
    difference = paired_difference(ours, hard, generator())
    assert 0.4 < difference.low < difference.estimate < difference.high < 0.6


def test_one_case_has_a_point_interval() -> None:
    found = bootstrap_interval([0.8], generator())
    assert (found.estimate, found.low, found.high) == (0.8, 0.8, 0.8)
    assert str(found) == "0.800 (0.800 to 0.800)"


@pytest.mark.parametrize(
    ("values", "patients", "message"),
    [
        ([], None, "at least one value"),
        ([[1.0]], None, r"\(1, 1\)"),
        ([1.0, float("nan")], None, "not finite"),
        ([1.0, 2.0], ["a"], "2 values but 1 patients"),
    ],
)
def test_wrong_values_are_refused(
    values: list[float], patients: list[str] | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(values, generator(), patients=patients)


def test_unpaired_lists_are_refused() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        paired_difference([1.0, 2.0], [1.0], generator())


@pytest.mark.parametrize("settings_", [{"statistic": "mode"}, {"resamples": 0}, {"level": 1.0}])
def test_wrong_settings_are_refused(settings_: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(settings_.values())))):
        BootstrapConfig(**settings_)  # type: ignore[arg-type]


def test_a_statistic_of_one_s_own_is_resampled_like_a_mean() -> None:
    values = generator(9).normal(size=30)
    patients = np.repeat(np.arange(10), 3).tolist()
    by_hand = bootstrap(
        lambda draws: draws @ values / draws.sum(axis=1), 30, generator(), patients=patients
    )
    found = bootstrap_interval(values, generator(), patients=patients)
    assert by_hand.estimate == pytest.approx(found.estimate)
    assert (by_hand.low, by_hand.high) == pytest.approx((found.low, found.high))


def test_several_statistics_come_from_the_same_draws() -> None:
    values = generator(9).normal(size=30)
    first, second = intervals(
        lambda draws: np.stack([draws @ values, draws @ values + 5.0], axis=1), 30, generator()
    )
    assert second.low == pytest.approx(first.low + 5.0)
    assert second.high == pytest.approx(first.high + 5.0)


def test_cases_of_a_patient_are_drawn_alike() -> None:
    draws = patient_draws(6, generator(), 50, ["a", "b", "a", "c", "b", "a"])
    assert (draws[:, 0] == draws[:, 2]).all()
    assert (draws[:, 1] == draws[:, 4]).all()
    assert (draws[:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_resamples_without_a_value_are_left_out() -> None:
    def first_only(
        draws: np.ndarray[tuple[int, int], np.dtype[np.int64]],
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return np.where(draws[:, 0] > 0, 1.0, np.nan)

    found = bootstrap(first_only, 5, generator())
    assert (found.estimate, found.low, found.high) == (1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="undefined in every resample"):
        bootstrap(lambda draws: np.full(len(draws), np.nan), 5, generator())


def test_a_bootstrap_of_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one case"):
        patient_draws(0, generator())
