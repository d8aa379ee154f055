"""Kang's test of two C: against its definition, resampling, and its own error rate."""

from itertools import permutations

import numpy as np
import pytest
import survival_oracle as oracle
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.survival.comparison import compare_c, concordance_difference
from gliomaai_training.survival.concordance import harrell_c
from gliomaai_training.survival.outcome import Outcome, outcome

Floats = NDArray[np.float64]


def drawn(
    generator: np.random.Generator, n: int, strength: float
) -> tuple[Floats, Floats, Outcome]:
    """Two risks that know equally much if `strength` is 1, with a third of the times censored."""
    truth = generator.normal(size=n)
    ours, theirs = truth + generator.normal(size=n), truth * strength + generator.normal(size=n)
    death, lost = generator.exponential(np.exp(-truth)), generator.uniform(0, 3.5, n)
    return ours, theirs, Outcome(np.minimum(death, lost), death <= lost)


def order_known(known: Outcome) -> Floats:
    """1 where the patient of the row died before that of the column, -1 where after, 0 unknown."""
    months, died = known.months, known.event
    later, sooner = months[:, None] >= months, months[:, None] <= months
    return (sooner & died[:, None]) * 1.0 - (later & died) * 1.0


def defined_covariance(first: Floats, second: Floats) -> float:
    """Product of the means less the mean over pairs that share nobody, one quadruple at a time."""
    n = len(first)
    apart = [first[i, j] * second[k, m] for i, j, k, m in permutations(range(n), 4)]
    pairs = n * (n - 1)
    return float(first.sum() / pairs * second.sum() / pairs - np.mean(apart))


def test_the_variance_is_kangs_by_definition() -> None:
    generator = np.random.default_rng(4)
    n = 13
    ours, theirs = np.round(generator.normal(size=(2, n)), 1)
    known = outcome(generator.integers(1, 8, n), [1] * 10 + [0] * 3)
    order = order_known(known)
    kernels = [np.abs(order)] + [order * np.sign(r[:, None] - r) for r in (ours, theirs)]
    known_share, first, second = (k.sum() / (n * (n - 1)) for k in kernels)
    covariance = np.array([[defined_covariance(a, b) for b in kernels] for a in kernels])
    gradient = np.array([-(first - second) / known_share, 1.0, -1.0]) / (2 * known_share)
    variance = float(gradient @ covariance @ gradient)
    found = compare_c(ours, theirs, known)
    assert found.difference.estimate == pytest.approx((first - second) / (2 * known_share))
    assert variance > 0
    assert found.difference.high - found.difference.low == pytest.approx(
        2 * 1.959964 * np.sqrt(variance), rel=1e-5
    )


def test_each_c_is_harrells() -> None:
    found = compare_c(oracle.RISK, oracle.OTHER, oracle.patients())
    assert found.ours.estimate == pytest.approx(oracle.HARRELL)
    assert found.theirs.estimate == pytest.approx(oracle.HARRELL_OTHER)
    assert found.difference.estimate == pytest.approx(oracle.HARRELL - oracle.HARRELL_OTHER)


def test_kang_and_the_bootstrap_agree() -> None:
    ours, theirs, known = drawn(np.random.default_rng(1), 400, 0.6)
    by_formula = compare_c(ours, theirs, known)
    resampled = concordance_difference(
        ours, theirs, known, np.random.default_rng(2), config=BootstrapConfig(resamples=1000)
    )
    for name in ("ours", "theirs", "difference"):
        first, second = getattr(by_formula, name), getattr(resampled, name)
        assert first.estimate == pytest.approx(second.estimate, abs=1e-12)
        assert first.high - first.low == pytest.approx(second.high - second.low, rel=0.12)


def test_equal_risks_are_refuted_in_one_of_twenty() -> None:
    generator = np.random.default_rng(7)
    refuted = sum(compare_c(*drawn(generator, 100, 1.0)).p < 0.05 for _ in range(500))
    assert 12 <= refuted <= 40  # 25 expected, SD 4.9


def test_a_better_risk_is_found() -> None:
    generator = np.random.default_rng(9)
    found = [compare_c(*drawn(generator, 300, 0.0)) for _ in range(20)]
    assert sum(one.p < 0.05 for one in found) >= 19
    assert min(one.difference.estimate for one in found) > 0


def test_the_same_risk_is_no_better() -> None:
    found = compare_c(oracle.RISK, oracle.RISK, oracle.patients())
    assert (found.difference.estimate, found.p) == (0.0, 1.0)
    scaled = compare_c(oracle.RISK, np.exp(oracle.RISK), oracle.patients())
    assert (scaled.difference.estimate, scaled.p) == (0.0, 1.0)


def test_swapping_the_risks_turns_the_sign() -> None:
    there = compare_c(oracle.RISK, oracle.OTHER, oracle.patients())
    back = compare_c(oracle.OTHER, oracle.RISK, oracle.patients())
    assert back.difference.estimate == pytest.approx(-there.difference.estimate)
    assert back.p == pytest.approx(there.p)


def test_uncorrelated_nonsense_has_a_large_p_for_both_methods() -> None:
    generator = np.random.default_rng(11)
    _, _, known = drawn(generator, 200, 1.0)
    ours, theirs = generator.normal(size=(2, 200))
    assert harrell_c(ours, known) == pytest.approx(0.5, abs=0.1)
    by_formula = compare_c(ours, theirs, known)
    resampled = concordance_difference(ours, theirs, known, generator)
    assert by_formula.p == pytest.approx(resampled.p, abs=0.06)


def test_few_deaths_are_refused() -> None:
    with pytest.raises(ValueError, match="3 deaths among 20"):
        compare_c(np.arange(20), np.arange(20), outcome(range(20), [1] * 3 + [0] * 17))
    with pytest.raises(ValueError, match="20 patients"):
        compare_c(np.arange(20), np.arange(19), outcome(range(20), [1] * 20))
