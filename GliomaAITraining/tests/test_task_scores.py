"""Scores of the tasks against known answers, the oracle, and incoherent calls."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score
from task_makers import (
    QUICK,
    STATES,
    certain,
    heads,
    made_up_cohort,
    made_up_patients,
    made_up_truth,
    predictions_of,
)

from gliomaai_training.diagnosis.states import LABELS, of_states
from gliomaai_training.evaluation.auc import auc, resampled_auc
from gliomaai_training.evaluation.probability_scores import (
    calibration_error,
    resampled_calibration_error,
)
from gliomaai_training.evaluation.tasks.coherence import HEADS, KINDS, coherence_table
from gliomaai_training.evaluation.tasks.measures import Judged, judged
from gliomaai_training.evaluation.tasks.predictions import COMPLETE, class_columns, runs_of
from gliomaai_training.evaluation.tasks.scores import (
    LEAK,
    METRICS,
    oracle_table,
    readable_scores,
    task_scores,
)
from gliomaai_training.evaluation.tasks.truth import TaskTruth, truth_of
from gliomaai_training.survival.concordance import harrell_c
from gliomaai_training.survival.outcome import outcome

TRUTH = made_up_truth()
ALL_TASKS = ("state", "idh", "codeletion_1p19q", "grade", "histology", "risk")


def judged_of(table: pd.DataFrame, truth: TaskTruth = TRUTH) -> Judged:
    return judged(runs_of(table), truth)


def score(scores: pd.DataFrame, metric: str, head: str | None = None) -> pd.Series:
    chosen = scores[(scores["metric"] == metric) & (scores["head"] == (head or scores["head"]))]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_resampled_auc_is_the_auc_of_the_resampled_patients() -> None:
    generator = np.random.default_rng(0)
    truth = generator.random(40) < 0.4
    values = np.round(truth + generator.normal(0, 1, 40), 1)
    draws = generator.multinomial(40, np.full(40, 1 / 40), 5)
    found = resampled_auc(values, truth, draws)
    for one, drawn in zip(found, draws, strict=True):
        assert one == pytest.approx(auc(np.repeat(values, drawn), np.repeat(truth, drawn)))
    without = np.where(truth, 0, 1)[None, :]
    assert np.isnan(resampled_auc(values, truth, without)).all()


@pytest.mark.parametrize("equal_mass", [True, False])
def test_resampled_calibration_error_begins_with_that_of_the_patients(equal_mass: bool) -> None:
    generator = np.random.default_rng(1)
    chance = generator.random(57)
    truth = generator.random(57) < chance**2
    draws = np.stack([np.ones(57, int), np.zeros(57, int), np.full(57, 3)])
    once, none, thrice = resampled_calibration_error(chance, truth, draws, equal_mass)
    assert once == pytest.approx(calibration_error(chance, truth, equal_mass))
    assert thrice == pytest.approx(once)
    assert np.isnan(none)


def test_states_without_nec_sum_to_one() -> None:
    given = np.array([[0.2, 0.1, 0, 0, 0.1, 0, 0.6], [0, 0, 0, 0, 0, 0, 1.0]])
    found = of_states(given)
    np.testing.assert_allclose(found[0], [0.5, 0.25, 0, 0, 0.25, 0])
    np.testing.assert_allclose(found[1], [1, 0, 0, 0, 0, 0])
    with pytest.raises(ValueError, match=r"\(n, 7\)"):
        of_states(np.ones((2, 6)))
    with pytest.raises(ValueError, match="negative or unknown"):
        of_states(np.full((1, 7), np.nan))


def test_who_knows_everything_scores_everything() -> None:
    cases, states = list(TRUTH.cases), [LABELS[k] for k in TRUTH.states()[1]]
    scores = task_scores(judged_of(certain(states, cases)), QUICK)
    for name in ("idh_auc", "codeletion_auc", "grade_4_auc", "state_balanced_accuracy"):
        found = score(scores, name)
        assert (found["estimate"], found["low"], found["high"]) == (1, 1, 1)
    for name in ("state_brier", "state_ece", "idh_brier", "incoherent"):
        assert score(scores, name)["estimate"] == 0
    assert score(scores, "idh_auc")["positives"] == sum(state != "GBM" for state in states)
    mutant = score(scores, "codeletion_in_mutant_auc")
    assert mutant["patients"] == sum(state != "GBM" for state in states)


def test_estimates_are_those_of_the_libraries() -> None:
    table = predictions_of(TRUTH, ALL_TASKS, noise=2.0)
    one = judged_of(table)
    scores = task_scores(one, QUICK)
    mutant = TRUTH.possible["idh"][:, 1]
    by_head = auc(table["idh:mutant"], mutant)
    of_mutants = [f"state:{state}" for state in STATES if state != "GBM"]
    assert score(scores, "idh_auc", "idh")["estimate"] == pytest.approx(by_head)
    by_state = auc(table[of_mutants].sum(axis=1), mutant)
    assert score(scores, "idh_auc", "state")["estimate"] == pytest.approx(by_state)
    four = auc(table["grade:4"], TRUTH.possible["grade"][:, 2])
    assert score(scores, "grade_4_auc", "grade")["estimate"] == pytest.approx(four)
    upper = auc(1 - table["grade:2"], ~TRUTH.possible["grade"][:, 0])
    assert score(scores, "grade_3_4_auc", "grade")["estimate"] == pytest.approx(upper)
    columns = class_columns("state")[:-1]
    balanced = balanced_accuracy_score(TRUTH.states()[1], table[columns].to_numpy().argmax(axis=1))
    assert score(scores, "state_balanced_accuracy")["estimate"] == pytest.approx(balanced)
    followed = outcome(TRUTH.months, TRUTH.event)
    assert score(scores, "harrell_c")["estimate"] == pytest.approx(
        harrell_c(table["risk"], followed)
    )
    inside = score(scores, "harrell_c_gbm")
    gbm = TRUTH.states()[1] == 0
    assert inside["estimate"] == pytest.approx(harrell_c(table["risk"][gbm], followed.take(gbm)))
    assert inside["positives"] == followed.take(gbm).events
    assert ((scores["low"] <= scores["high"]) | scores["low"].isna()).all()
    assert set(scores["metric"]) == set(METRICS)


def test_nec_counts_as_wild_type() -> None:
    cohort = made_up_cohort(["GBM"] * 3 + ["A2"] * 3, [9.0] * 6, [1.0] * 6)
    cases = list(cohort.patients["case"])
    table = certain(["NEC", "GBM", "GBM", "A2", "A2", "A2"], cases)
    scores = task_scores(judged_of(table, truth_of(cohort)), QUICK, ("idh_auc", "idh_brier"))
    assert scores["estimate"].tolist() == [1, 0]


def test_one_class_only_is_stated() -> None:
    cohort = made_up_cohort(["GBM"] * 30, np.linspace(1, 40, 30).tolist(), [1.0] * 30)
    truth = truth_of(cohort)
    scores = task_scores(judged_of(predictions_of(truth), truth), QUICK)
    found = score(scores, "idh_auc")
    assert np.isnan(found["estimate"])
    assert found["note"] == "not estimable: 0 of 30 patients have it"
    assert "1 WHO states" in score(scores, "state_balanced_accuracy")["note"]
    assert score(scores, "harrell_c_mutant")["note"].startswith("not estimable")
    assert np.isfinite(score(scores, "harrell_c_gbm")["estimate"])
    assert "0.0" not in str(readable_scores(scores).set_index("metric").loc["AUC, IDH mutation"])


def test_too_few_deaths_are_stated() -> None:
    truth = replace(TRUTH, event=np.arange(len(TRUTH.cases)) < 9)
    found = score(task_scores(judged_of(predictions_of(truth), truth), QUICK), "harrell_c")
    assert np.isnan(found["estimate"])
    assert "9 deaths among 120 patients are too few" in found["note"]


def test_unknown_survival_and_missing_predictions_are_left_out_and_stated() -> None:
    truth = replace(TRUTH, months=np.where(np.arange(120) < 20, np.nan, TRUTH.months))
    table = predictions_of(truth)
    table.loc[100:104, "risk"] = np.nan
    table.loc[110:111, class_columns("state")] = np.nan
    scores = task_scores(judged_of(table, truth), QUICK)
    found = score(scores, "harrell_c")
    assert found["patients"] == 95
    assert found["note"] == "5 without a prediction left out"
    assert score(scores, "idh_auc")["patients"] == 118
    assert score(scores, "incoherent")["patients"] == 118


def test_a_network_without_survival_or_state_has_no_such_rows() -> None:
    scores = task_scores(judged_of(predictions_of(TRUTH, ("idh",))), QUICK)
    assert set(scores["metric"]) == {"idh_auc", "idh_brier", "idh_ece"}


def test_risks_of_different_folds_are_not_compared() -> None:
    table = predictions_of(TRUTH, ("risk",), noise=0.0)
    fold = np.arange(len(table)) % 2
    shifted = table.assign(risk=table["risk"] + 100 * fold)
    together = task_scores(judged_of(shifted), QUICK, ("harrell_c",))["estimate"][0]
    apart = task_scores(judged_of(shifted.assign(fold=fold)), QUICK, ("harrell_c",))
    unshifted = task_scores(judged_of(table.assign(fold=fold)), QUICK, ("harrell_c",))
    assert apart["estimate"][0] == unshifted["estimate"][0]
    assert apart["estimate"][0] > together + 0.05


def test_unknown_metrics_are_refused() -> None:
    one = judged_of(predictions_of(TRUTH))
    with pytest.raises(ValueError, match="not \\['mgmt_auc'\\]"):
        task_scores(one, QUICK, ("mgmt_auc",))
    with pytest.raises(ValueError, match="not none"):
        task_scores(one, QUICK, ())


def test_scores_repeat() -> None:
    one = judged_of(predictions_of(TRUTH))
    pd.testing.assert_frame_equal(task_scores(one, QUICK), task_scores(one, QUICK))


def test_no_model_beats_the_oracle() -> None:
    found = oracle_table(judged_of(predictions_of(TRUTH, ("risk",), noise=0.8)), QUICK)
    told = found[found["model"].notna()]
    assert len(told) >= 6
    assert not (found["finding"] == LEAK).any()
    pooled = found[(found["c"] == "Harrell") & (found["patients_are"] == "all patients")].iloc[0]
    assert pooled["difference"] == pytest.approx(pooled["model"] - pooled["oracle"])
    assert pooled["difference_high"] < 0
    assert pooled["deaths"] == TRUTH.event.sum()
    itself = oracle_table(judged_of(predictions_of(TRUTH, ("risk",), noise=0.0)), QUICK)
    assert (itself["difference"].dropna() == 0).all()
    assert not (itself["finding"] == LEAK).any()


def test_a_model_that_has_seen_the_outcome_raises_the_alarm() -> None:
    table = predictions_of(TRUTH, ("risk",)).assign(risk=-TRUTH.months)
    found = oracle_table(judged_of(table), QUICK)
    leaking = found[found["finding"] == LEAK]
    assert {"Harrell", "Uno"} == set(leaking[leaking["patients_are"] == "all patients"]["c"])
    assert (leaking["difference_low"] > 0).all()


def test_the_oracle_is_judged_on_the_same_patients() -> None:
    cohort, risks = made_up_patients()
    known = {case: risk for case, risk in risks.items() if case >= "c030"}
    truth = truth_of(cohort, known)
    found = oracle_table(judged_of(predictions_of(TRUTH, ("risk",)), truth), QUICK)
    assert found["patients"].max() == 90
    with pytest.raises(ValueError, match="simulated patients only"):
        oracle_table(judged_of(predictions_of(TRUTH), truth_of(cohort)), QUICK)
    with pytest.raises(ValueError, match="no risk head"):
        oracle_table(judged_of(predictions_of(TRUTH, ("state",))), QUICK)


def test_independent_heads_contradict_themselves_and_the_state_cannot() -> None:
    called = heads(
        ["a", "b", "c", "d"],
        idh=["wild-type", "mutant", "mutant", "wild-type"],
        codeletion_1p19q=["co-deleted", "co-deleted", "co-deleted", "intact"],
        grade=["2", "4", "3", "4"],
    )
    table = coherence_table(runs_of(called)).set_index("kind")
    assert table["incoherent"].to_dict() == dict(zip(KINDS, (1, 1, 2), strict=True))
    assert table.loc["either", "share"] == 0.5
    assert 0 < table.loc["either", "low"] < 0.5 < table.loc["either", "high"] < 1
    by_histology = heads(
        ["a", "b"],
        idh=["mutant", "mutant"],
        codeletion_1p19q=["co-deleted", "co-deleted"],
        histology=["glioblastoma", "lower-grade glioma"],
    )
    assert coherence_table(runs_of(by_histology))["incoherent"].tolist() == [0, 1, 1]


def test_the_state_is_coherent_whatever_its_probabilities() -> None:
    generator = np.random.default_rng(5)
    chances = generator.dirichlet(np.full(7, 0.7), 2000)
    # Co-deleted with 54 %, and of the grades 4 is the likeliest with 46 %.
    chances[0] = [0.46, 0, 0, 0, 0.27, 0.27, 0]
    table = pd.DataFrame({"case": [f"{k:04d}" for k in range(2000)]})
    table = table.assign(patient=table["case"], run="1", sequences=COMPLETE)
    table[class_columns("state")] = chances
    found = coherence_table(runs_of(table)).set_index(["head", "kind"])["incoherent"]
    assert (found[HEADS["state"]] == 0).all()
    by_question = found[HEADS["state, question by question"]]
    assert by_question[KINDS[0]] == 0
    assert by_question[KINDS[1]] > 0


def test_without_the_heads_there_is_no_table_of_coherence() -> None:
    found = coherence_table(runs_of(predictions_of(TRUTH, ("idh", "risk"))))
    assert found.empty
    assert "incoherent" in found.columns
