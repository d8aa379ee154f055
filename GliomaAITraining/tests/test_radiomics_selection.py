"""Selection steps and the classifiers built on them, on made-up features."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression

from gliomaai_training.evaluation.auc import auc
from gliomaai_training.radiomics.logistic_net import LogisticNet
from gliomaai_training.radiomics.selection import (
    SVM_C,
    SVM_GAMMA,
    ForestSelector,
    SelectionConfig,
    SparseSelector,
    Tamed,
    TwoGroupFilter,
    kept_names,
    selection_pipeline,
)
from gliomaai_training.studies.stacked_classifier import (
    StackedClassifier,
    held_out_probability,
    lasso,
    ridge,
)

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

SMALL = SelectionConfig(features=3, svm_c=(1.0, 8.0), svm_gamma=(0.01, 0.1))
SELECTORS = [
    TwoGroupFilter("levene"),
    TwoGroupFilter("mann-whitney"),
    SparseSelector(),
    SparseSelector(ridge_share=0.5),
    ForestSelector(3, trees=20),
]


def made_up(count: int, seed: int) -> tuple[Floats, Truth]:
    """Ten features: 0 shifts with the group, 1 spreads, the others are noise."""
    generator = np.random.default_rng(seed)
    truth = np.arange(count) % 3 == 0
    columns = generator.normal(size=(count, 10))
    columns[:, 0] += 1.5 * truth
    columns[:, 1] *= np.where(truth, 3.0, 1.0)
    return columns, truth


def test_levene_sees_spread_and_mann_whitney_location() -> None:
    columns, truth = made_up(240, 1)
    levene = TwoGroupFilter("levene").fit(columns, truth)
    location = TwoGroupFilter("mann-whitney").fit(columns, truth)
    assert levene.p_values_[1] < 1e-6
    assert location.p_values_[0] < 1e-6
    assert levene.p_values_[0] > 0.01
    assert location.p_values_[1] > 0.01


def test_levene_is_scipys() -> None:
    from scipy.stats import levene

    columns, truth = made_up(60, 2)
    own = TwoGroupFilter().fit(columns, truth).p_values_
    theirs = [levene(one[truth], one[~truth], center="median").pvalue for one in columns.T]
    np.testing.assert_allclose(own, theirs)


def test_a_filter_that_finds_nothing_keeps_the_best() -> None:
    columns, truth = made_up(60, 3)
    kept = TwoGroupFilter("levene", significance=0.0).fit(columns[:, 2:], truth)
    assert kept.get_support().sum() == 1
    assert kept.get_support()[np.argmin(kept.p_values_)]


def test_a_constant_feature_is_dropped() -> None:
    columns, truth = made_up(60, 3)
    columns[:, 4] = 7.0
    for test in ("levene", "mann-whitney"):
        assert not TwoGroupFilter(test).fit(columns, truth).get_support()[4]  # type: ignore[arg-type]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_the_lasso_keeps_what_matters_and_little_else(share: float) -> None:
    columns, truth = made_up(240, 1)
    kept = SparseSelector(share).fit(columns, truth).get_support()
    assert kept[0]
    assert kept.sum() <= 6


def test_the_lasso_keeps_something_of_noise() -> None:
    columns, truth = made_up(60, 5)
    assert SparseSelector().fit(columns[:, 2:], truth).get_support().any()


def test_the_forest_keeps_so_many() -> None:
    columns, truth = made_up(240, 1)
    kept = ForestSelector(2, trees=50).fit(columns, truth).get_support()
    assert kept.sum() == 2
    assert kept[0]
    assert ForestSelector(99, trees=5).fit(columns, truth).get_support().all()


def test_the_published_chain_has_its_steps_and_grid() -> None:
    pipeline = selection_pipeline()
    assert [name for name, _ in pipeline.steps] == ["scale", "filter", "lasso", "forest", "svm"]
    assert pipeline.named_steps["filter"].test == "levene"
    assert pipeline.named_steps["forest"].features == 8
    assert pipeline.named_steps["forest"].trees == 100
    assert (SVM_C[0], SVM_C[-1], len(SVM_C)) == (2.0**-3, 2.0**8, 12)
    assert (SVM_GAMMA[0], SVM_GAMMA[-1], len(SVM_GAMMA)) == (2.0**-10, 2.0, 12)
    assert pipeline.named_steps["svm"].param_grid == {"C": list(SVM_C), "gamma": list(SVM_GAMMA)}


def test_steps_can_be_left_out() -> None:
    names = [name for name, _ in selection_pipeline(SelectionConfig(None, lasso=False)).steps]
    assert names == ["scale", "forest", "svm"]


def test_the_elastic_net_is_scikit_learns() -> None:
    columns, truth = made_up(200, 2)
    for c, share in ((0.05, 0.9), (0.3, 0.5), (2.0, 0.1)):
        own = LogisticNet(c, share).fit(columns, truth)
        theirs = LogisticRegression(
            C=c, l1_ratio=share, solver="saga", tol=1e-8, max_iter=20000
        ).fit(columns, truth)
        np.testing.assert_allclose(own.coef_, theirs.coef_, atol=2e-3)
        np.testing.assert_allclose(
            own.decision_function(columns), theirs.decision_function(columns), atol=5e-3
        )
    with pytest.raises(ValueError, match="one group"):
        LogisticNet().fit(columns, np.ones(200, bool))


def test_an_elastic_net_can_classify() -> None:
    columns, truth = made_up(240, 1)
    config = SelectionConfig(None, lasso=False, features=4, classifier="elastic net", svm_folds=3)
    fitted = selection_pipeline(config).fit(columns[:160], truth[:160])
    assert [name for name, _ in fitted.steps] == ["scale", "forest", "elastic net"]
    assert set(fitted.named_steps["elastic net"].best_params_) == {"C", "l1_ratio"}
    assert auc(fitted.decision_function(columns[160:]), truth[160:]) > 0.75


def test_the_chain_names_what_reaches_the_classifier() -> None:
    columns, truth = made_up(120, 1)
    fitted = selection_pipeline(SMALL).fit(columns, truth)
    names = kept_names(fitted, [f"feature {k}" for k in range(10)])
    assert 1 <= len(names) <= 3
    assert "feature 1" in names or "feature 0" in names


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_a_selector_refits_when_a_training_row_changes_and_never_for_a_test_row(
    selector: Any,
) -> None:
    """What is learned is a function of the training rows alone."""
    columns, truth = made_up(90, 4)
    train = np.arange(90) < 60

    def learned(table: Floats, labels: Truth) -> tuple[Truth, Floats]:
        found = clone(selector).fit(table[train], labels[train])
        scores = getattr(found, "p_values_", getattr(found, "importances_", None))
        return found.get_support(), np.array([0.0]) if scores is None else scores

    kept, scores = learned(columns, truth)
    other = columns.copy()
    other[~train] = 1e3
    again, same_scores = learned(other, truth)
    np.testing.assert_array_equal(again, kept)
    np.testing.assert_array_equal(same_scores, scores)
    # A noise feature that gives the group away: the selection follows.
    other = columns.copy()
    other[train, 7] = np.where(truth[train], 5.0, -1.0) * np.abs(columns[train, 7])
    changed, _ = learned(other, truth)
    assert changed[7]
    assert not np.array_equal(changed, kept)


def test_held_out_scores_do_not_depend_on_the_truth_of_their_own_fold() -> None:
    columns, truth = made_up(60, 6)
    fold = np.arange(60) // 3 % 3
    own = held_out_probability(lasso(0.3), columns, truth, fold)
    lied = truth.copy()
    lied[fold == 0] = ~lied[fold == 0]
    other = held_out_probability(lasso(0.3), columns, lied, fold)
    np.testing.assert_allclose(own[fold == 0], other[fold == 0])
    assert not np.allclose(own[fold != 0], other[fold != 0])


@pytest.mark.parametrize("kind", ["chain", "stack"])
def test_permuted_labels_give_one_half(kind: str) -> None:
    generator = np.random.default_rng(1)
    columns, truth = made_up(90, 7)
    areas = []
    for _ in range(8):
        shuffled = generator.permutation(truth)
        train = generator.permutation(90) < 60
        if kind == "chain":
            chain = selection_pipeline(SMALL).fit(columns[train], shuffled[train])
            score = chain.decision_function(columns[~train])
        else:
            stack = StackedClassifier({"ridge": (ridge(0.1), ridge(1.0))})
            score = stack.fit(columns[train], shuffled[train]).probability(columns[~train])
        areas.append(auc(score, shuffled[~train]))
    assert np.mean(areas) == pytest.approx(0.5, abs=0.12)


def test_selection_outside_the_folds_finds_what_is_not_there() -> None:
    """The control must be able to fail: noise selected on all patients looks like a signal."""
    generator = np.random.default_rng(3)
    columns, truth = generator.normal(size=(60, 400)), np.arange(60) % 2 == 0
    fold = np.arange(60) // 2 % 5
    kept = TwoGroupFilter("mann-whitney").fit(columns, truth).get_support()
    leaky = held_out_probability(ridge(0.1), columns[:, kept], truth, fold)
    assert auc(leaky, truth) > 0.8


def test_the_stack_finds_a_signal_and_is_calibrated() -> None:
    columns, truth = made_up(300, 8)
    stack = StackedClassifier({"ridge": (ridge(0.1), ridge(1.0)), "LASSO": (lasso(0.3),)})
    fold = np.arange(300) // 3 % 3
    probability = held_out_probability(stack, columns, truth, fold)
    assert auc(probability, truth) > 0.75
    assert probability.mean() == pytest.approx(truth.mean(), abs=0.05)
    assert stack.chosen == {}, "the one given stays as it was"


def test_a_family_without_members_is_refused() -> None:
    columns, truth = made_up(60, 1)
    with pytest.raises(ValueError, match="'empty' has no member"):
        StackedClassifier({"empty": ()}).fit(columns, truth)


def test_long_tails_are_pulled_in_and_order_is_kept() -> None:
    columns = np.exp(np.random.default_rng(1).normal(0, 4, (200, 1)))
    tamed = Tamed().fit(columns).transform(columns)
    np.testing.assert_array_equal(np.argsort(tamed[:, 0]), np.argsort(columns[:, 0]))
    assert np.ptp(tamed) < 40
    constant = np.full((5, 1), 3.0)
    np.testing.assert_array_equal(Tamed().fit(constant).transform(constant), 0.0)


@pytest.mark.parametrize("selector", SELECTORS, ids=repr)
def test_what_cannot_be_selected_from_is_refused(selector: Any) -> None:
    columns, truth = made_up(30, 1)
    with pytest.raises(ValueError, match="one group"):
        clone(selector).fit(columns, np.ones(30, bool))
    with pytest.raises(ValueError, match="do not fit"):
        clone(selector).fit(columns, truth[:5])
    columns[3, 3] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        clone(selector).fit(columns, truth)


def test_an_unknown_test_is_refused() -> None:
    columns, truth = made_up(30, 1)
    with pytest.raises(ValueError, match="'t' is none of levene, mann-whitney"):
        TwoGroupFilter("t").fit(columns, truth)  # type: ignore[arg-type]
