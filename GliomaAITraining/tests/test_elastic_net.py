"""The elastic net against scikit-survival's values, the optimality conditions, and lifelines."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from elastic_net_oracle import FEATURES, FOLLOWED, PATHS
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import CoxPHFitter
from lifelines.datasets import load_rossi

from gliomaai_training.survival.elastic_net import ElasticNetConfig, elastic_net_path
from gliomaai_training.survival.elastic_net_model import (
    ElasticNetModel,
    deal_folds,
    fit_elastic_net,
    read_elastic_net,
    write_elastic_net,
)
from gliomaai_training.survival.outcome import Outcome, outcome
from gliomaai_training.survival.partial_likelihood import PartialLikelihood

EXACT = ElasticNetConfig(lambdas=4, smallest=0.05, tolerance=1e-9)


@pytest.mark.parametrize("l1_ratio", PATHS)
def test_the_path_is_scikit_survival_s(l1_ratio: float) -> None:
    lambdas, coefficients = PATHS[l1_ratio]
    path = elastic_net_path(FEATURES, FOLLOWED, replace(EXACT, l1_ratio=l1_ratio))
    assert path.lambdas == pytest.approx(lambdas)
    scaled = path.coefficients * FEATURES.std(axis=0)[:, None]
    assert np.abs(scaled - coefficients).max() < 2e-6


def test_without_a_penalty_it_is_lifelines_fit() -> None:
    """On times without ties, where all kinds of ties are one."""
    rossi = load_rossi()
    names = ["fin", "age", "prio"]
    week = rossi["week"] + np.random.default_rng(0).uniform(0, 0.5, len(rossi))
    theirs = CoxPHFitter().fit(rossi[[*names, "arrest"]].assign(week=week), "week", "arrest")
    path = elastic_net_path(
        rossi[names].to_numpy(float),
        outcome(week, rossi["arrest"]),
        replace(EXACT, lambdas=30, smallest=1e-7),
    )
    assert path.coefficients[:, -1] == pytest.approx(theirs.params_.to_numpy(), abs=1e-5)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), l1_ratio=st.sampled_from([0.2, 0.5, 1.0]))
def test_the_path_is_optimal_with_more_features_than_patients(seed: int, l1_ratio: float) -> None:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(40, 60)) + generator.normal(size=(40, 1))
    months = np.ceil(generator.exponential(np.exp(-x[:, 0])) * 10)
    followed = outcome(months, generator.random(40) < 0.8)
    strata = generator.integers(0, 2, 40)
    path = elastic_net_path(
        x, followed, replace(EXACT, l1_ratio=l1_ratio, lambdas=6, smallest=0.2), strata=strata
    )
    scaled = (x - x.mean(0)) / x.std(0)
    likelihood = PartialLikelihood(followed, strata)
    for penalty, beta in zip(path.lambdas, (path.coefficients * x.std(0)[:, None]).T, strict=True):
        slope = scaled.T @ likelihood.derivatives(scaled @ beta)[0] / 40
        slope -= penalty * (1 - l1_ratio) * beta
        chosen = beta != 0
        assert slope[chosen] == pytest.approx(penalty * l1_ratio * np.sign(beta[chosen]), abs=1e-5)
        assert np.abs(slope[~chosen]).max() <= penalty * l1_ratio * (1 + 1e-5) + 1e-8


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_likelihood_has_its_derivatives_and_knows_no_level(seed: int) -> None:
    generator = np.random.default_rng(seed)
    followed = outcome(np.ceil(generator.exponential(10, 25)), generator.random(25) < 0.7)
    if followed.events == 0:
        return
    strata = generator.integers(0, 3, 25)
    likelihood = PartialLikelihood(followed, strata)
    risk = generator.normal(size=25)
    step = 1e-5
    moved = risk[:, None] + np.eye(25) * step, risk[:, None] - np.eye(25) * step
    up, down = likelihood.value(moved[0]), likelihood.value(moved[1])
    gradient, curvature = likelihood.derivatives(risk)
    assert gradient == pytest.approx((up - down) / (2 * step), abs=1e-6)
    second = (up - 2 * likelihood.value(risk) + down) / step**2
    assert curvature == pytest.approx(-second, abs=1e-3)
    # A level of its own in each stratum says nothing.
    assert likelihood.value(risk + 100.0 * strata) == pytest.approx(likelihood.value(risk))
    order = generator.permutation(25)
    shuffled = PartialLikelihood(followed.take(order), strata[order])
    assert shuffled.value(risk[order]) == pytest.approx(likelihood.value(risk))


def test_large_risks_do_not_overflow() -> None:
    likelihood = PartialLikelihood(outcome([1, 1, 2, 3], [1, 1, 1, 1]))
    shifted = np.array([95.0, 90.0, 0.0, 3.0])
    by_hand = 185 - 2 * np.log(np.exp(shifted).sum()) + 0 - np.log(1 + np.exp(3)) + 3 - 3
    assert likelihood.value(shifted) == pytest.approx(by_hand)
    assert np.isfinite(likelihood.value(shifted * 100))


def many_features(seed: int = 0, n: int = 250, p: int = 40) -> tuple[pd.DataFrame, Outcome]:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(n, p))
    death = 20 * generator.exponential(np.exp(-x[:, 0] + 0.7 * x[:, 1]))
    leaving = generator.uniform(5, 80, n)
    table = pd.DataFrame(x * 3 + 7, columns=[f"f{k}" for k in range(p)])
    return table, outcome(np.ceil(np.minimum(death, leaving)), death <= leaving)


def test_cross_validation_finds_what_matters() -> None:
    table, followed = many_features()
    config = ElasticNetConfig(rule="1se", folds=5)
    fit = fit_elastic_net(table, followed, ("s", "c"), np.random.default_rng(1), config)
    assert {"f0", "f1"} <= set(fit.model.features)
    assert len(fit.model.features) < 12
    best, sparse = fit.curve.index("min"), fit.curve.index("1se")
    assert fit.curve.lambdas[sparse] > fit.curve.lambdas[best]
    assert fit.curve.deviance[sparse] <= fit.curve.deviance[best] + fit.curve.error[best]
    assert fit.curve.deviance[0] > fit.curve.deviance[best]
    score = fit.model.score(table)
    assert score == pytest.approx(fit.path.risk(table.to_numpy())[:, sparse])
    assert score.mean() == pytest.approx(0, abs=1e-9)
    wider = fit_elastic_net(
        table, followed, ("s", "c"), np.random.default_rng(1), replace(config, rule="min")
    )
    assert len(wider.model.features) > len(fit.model.features)
    assert wider.model.candidates == 40


def test_noise_keeps_nothing() -> None:
    table, followed = many_features()
    shuffled = followed.take(np.random.default_rng(3).permutation(len(followed)))
    config = ElasticNetConfig(rule="1se", folds=5)
    fit = fit_elastic_net(table, shuffled, ("s", "c"), np.random.default_rng(1), config)
    assert fit.model.features == ()
    assert fit.model.score(table).tolist() == [0.0] * len(table)


def test_the_same_seed_gives_the_same_score_and_a_changed_patient_another() -> None:
    table, followed = many_features(2, 120, 15)
    config = ElasticNetConfig(folds=4, lambdas=20)
    first, again, moved = (
        fit_elastic_net(t, followed, ("s", "c"), np.random.default_rng(7), config).model
        for t in (table, table, table + np.eye(120, 15) * 5)
    )
    assert first.document() == again.document()
    assert first.document() != moved.document()


def test_scale_and_shift_of_features_do_not_matter() -> None:
    table, followed = many_features(4, 120, 10)
    config = ElasticNetConfig(lambdas=10, tolerance=1e-8)
    one = elastic_net_path(table.to_numpy(), followed, config)
    other = elastic_net_path(table.to_numpy() * 1000 - 5, followed, config)
    assert other.coefficients * 1000 == pytest.approx(one.coefficients, abs=1e-6)


def test_a_constant_feature_is_left_out() -> None:
    table, followed = many_features(5, 100, 6)
    values = table.to_numpy().copy()
    values[:, 3] = 1e6 + 0.1
    path = elastic_net_path(values, followed, ElasticNetConfig(lambdas=8))
    assert not path.coefficients[3].any()
    assert path.coefficients[0, -1] != 0


def test_folds_share_the_dead_evenly() -> None:
    _, followed = many_features()
    folds = deal_folds(followed, 7, np.random.default_rng(0))
    assert np.ptp(np.bincount(folds)) <= 1
    assert np.ptp(np.bincount(folds[followed.event])) <= 1


def test_the_score_s_file_brings_it_back_exactly(tmp_path: Path) -> None:
    table, followed = many_features(2, 120, 15)
    config = ElasticNetConfig(folds=4, lambdas=20)
    model = fit_elastic_net(table, followed, ("s", "c"), np.random.default_rng(7), config).model
    file = tmp_path / "score.json"
    write_elastic_net(model, file)
    again = read_elastic_net(file)
    assert again.document() == model.document()
    assert np.array_equal(again.score(table), model.score(table))
    with pytest.raises(ValueError, match="s needs f0"):
        again.score(table.drop(columns="f0"))
    with pytest.raises(ValueError, match="s needs f0 of every patient"):
        again.score(table.assign(f0=np.nan))
    file.write_text("{")
    with pytest.raises(ValueError, match="cannot be read"):
        read_elastic_net(file)
    document = json.loads(json.dumps(model.document()))
    with pytest.raises(ValueError, match="version 3"):
        ElasticNetModel.from_document(document | {"version": 3})
    del document["centre"]
    with pytest.raises(ValueError, match=r"cannot be read.*centre"):
        ElasticNetModel.from_document(document)


def test_what_cannot_be_fitted_is_refused() -> None:
    table, followed = many_features(0, 60, 5)
    few = Outcome(followed.months, followed.event & (np.cumsum(followed.event) <= 9))
    generator = np.random.default_rng(0)
    with pytest.raises(ValueError, match="9 deaths are too few for an elastic net"):
        fit_elastic_net(table, few, ("s", "c"), generator, ElasticNetConfig())
    nobody = Outcome(followed.months, np.zeros(60, bool))
    with pytest.raises(ValueError, match="nobody died"):
        elastic_net_path(table.to_numpy(), nobody, EXACT)
    gap = table.to_numpy().copy()
    gap[2, 2] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        elastic_net_path(gap, followed, EXACT)
    with pytest.raises(ValueError, match=r"for 60, not \(59, 5\)"):
        elastic_net_path(table.to_numpy()[1:], followed, EXACT)
    with pytest.raises(ValueError, match="every one is constant"):
        elastic_net_path(np.ones((60, 2)), followed, EXACT)
    with pytest.raises(ValueError, match="does not converge at lambda"):
        elastic_net_path(table.to_numpy(), followed, replace(EXACT, max_steps=1))
    with pytest.raises(ValueError, match="one stratum for each of 60"):
        PartialLikelihood(followed, np.zeros(3, int))


@pytest.mark.parametrize(
    "change",
    [{"l1_ratio": 0.0}, {"lambdas": 0}, {"folds": 1}, {"smallest": 0.0}, {"rule": "best"}],
)
def test_a_wrong_configuration_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(change.values())))):
        ElasticNetConfig(**change)  # type: ignore[arg-type]
