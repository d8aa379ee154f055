"""The tasks through the subsets of sequences: the law of T1Gd, and what adaptation gains."""

import numpy as np
import pandas as pd
import pytest
from task_makers import QUICK, made_up_truth, predictions_of, results_of

from gliomaai_training.evaluation.tables import all_subsets, subset_name
from gliomaai_training.evaluation.tasks.configurations import Configuration, ReferenceStandard
from gliomaai_training.evaluation.tasks.measures import judged
from gliomaai_training.evaluation.tasks.predictions import runs_of
from gliomaai_training.evaluation.tasks.scores import task_scores
from gliomaai_training.evaluation.tasks.subsets import (
    MEAN,
    OVER,
    SubsetConfig,
    subset_gain,
    subset_scores,
    t1gd_law,
    task_subset_table,
)

SUBSETS = [subset_name(subset) for subset in all_subsets()]
TRUTH = made_up_truth(60)
JUDGE = ReferenceStandard(TRUTH)
CONFIG = SubsetConfig(("dice_wt", "dice_et", "idh_auc", "harrell_c"), QUICK)
CASES = 16


def segmentation(
    without_t1gd: float = 0.4, gain: float = 0.0, seed: int = 0, runs: int = 1
) -> pd.DataFrame:
    """ET of 0.8 with T1Gd and of another Dice without; `gain` on every incomplete subset."""
    generator = np.random.default_rng(seed)
    parts = []
    for run in range(runs):
        for sequences in SUBSETS:
            et = 0.8 if "t1gd" in sequences.split("+") else without_t1gd
            level = np.array([0.85, 0.7, et]) + (gain if sequences != SUBSETS[0] else 0)
            dice = np.clip(level + generator.normal(0, 0.03, (CASES, 3)), 0, 1)
            parts.append(results_of(dice, str(run), sequences))
    return pd.concat(parts, ignore_index=True)


def tasks(noise: float, runs: int = 2) -> pd.DataFrame:
    parts = [
        predictions_of(TRUTH, ("state", "risk"), noise * (1 + 0.3 * (4 - one.count("+"))), run, one)
        for run in map(str, range(runs))
        for one in SUBSETS
    ]
    return pd.concat(parts, ignore_index=True)


def test_the_law_holds_where_et_needs_t1gd() -> None:
    results = segmentation(runs=2)
    found = t1gd_law(results, QUICK).set_index(["region", "patients_are"])
    et = found.loc[("ET", "all")]
    assert et["law"] == "holds"
    assert et["without_t1gd"] == pytest.approx(0.4, abs=0.02)
    assert et["with_t1gd"] == pytest.approx(0.8, abs=0.02)
    assert et["drop"] == pytest.approx(et["with_t1gd"] - et["without_t1gd"])
    assert et["drop_low"] > 0.35
    assert et["kept"] == pytest.approx(0.5, abs=0.03)
    assert et["beyond_wt"] == pytest.approx(et["drop"] - found.loc[("WT", "all"), "drop"])
    assert (et["cases"], et["patients"]) == (CASES, CASES // 2)
    # The mean over subsets as anybody would take it.
    part = results[results["region"] == "ET"]
    has = part["sequences"].str.split("+").map(lambda names: "t1gd" in names)
    assert et["without_t1gd"] == pytest.approx(part[~has]["dice"].mean())
    assert et["with_t1gd"] == pytest.approx(part[has]["dice"].mean())
    assert abs(found.loc[("WT", "all"), "drop"]) < 0.02
    assert found.loc[("WT", "all"), "law"] == ""


def test_the_law_is_missed_where_nothing_falls() -> None:
    found = t1gd_law(segmentation(without_t1gd=0.8), QUICK).set_index(["region", "patients_are"])
    assert found.loc[("ET", "all"), "law"] == "does not show"


def test_a_network_that_needs_t1gd_for_everything_is_not_the_law() -> None:
    results = segmentation(without_t1gd=0.6)
    lacking = ~results["sequences"].str.split("+").map(lambda names: "t1gd" in names)
    results.loc[lacking & (results["region"] == "WT"), "dice"] -= 0.3
    found = t1gd_law(results, QUICK).set_index(["region", "patients_are"])
    assert found.loc[("ET", "all"), "drop_low"] > 0
    assert found.loc[("ET", "all"), "law"] == "does not show"


def test_tumours_that_do_not_enhance_do_not_hide_the_law() -> None:
    results = segmentation()
    silent = results["case"] >= "c008"
    results.loc[silent & (results["region"] == "ET"), ["dice", "truth_ml"]] = [1.0, 0.0]
    found = t1gd_law(results, QUICK).set_index(["region", "patients_are"])
    assert found.loc[("ET", "all"), "drop"] < 0.25
    enhancing = found.loc[("ET", "with enhancing tumour")]
    assert enhancing["cases"] == 8
    assert enhancing["drop"] > 0.35
    without_volumes = t1gd_law(results.drop(columns="truth_ml"), QUICK)
    assert set(without_volumes["patients_are"]) == {"all"}


def test_the_law_needs_subsets_with_and_without() -> None:
    complete = segmentation()
    with pytest.raises(ValueError, match="subsets with T1Gd and of others without"):
        t1gd_law(complete[complete["sequences"] == SUBSETS[0]], QUICK)


def test_every_subset_has_its_row_and_the_mean_is_over_all() -> None:
    predictions = tasks(1.0)
    scores = subset_scores(Configuration("unified", predictions, segmentation()), JUDGE, CONFIG)
    assert len(scores) == 4 * 16
    of_auc = scores[scores["metric"] == "idh_auc"].set_index("sequences")
    alone = task_scores(judged(runs_of(predictions, "t2+flair"), TRUTH), QUICK, ("idh_auc",))
    assert of_auc.loc["t2+flair", "estimate"] == pytest.approx(alone["estimate"].mean())
    assert of_auc.loc["t2+flair", "seed_sd"] == pytest.approx(alone["estimate"].std(ddof=1))
    assert of_auc.loc[MEAN, "estimate"] == pytest.approx(of_auc["estimate"].drop(MEAN).mean())
    assert of_auc.loc[MEAN, "low"] < of_auc.loc[MEAN, "estimate"] < of_auc.loc[MEAN, "high"]
    table = task_subset_table(scores)
    assert len(table) == 16
    assert table.iloc[0][["t1", "t1gd", "t2", "flair"]].tolist() == ["yes"] * 4
    assert table.iloc[-1]["t1"] == "mean"
    assert table.iloc[-1]["AUC, IDH mutation"] == f"{of_auc.loc[MEAN, 'estimate']:.3f}"
    assert list(table.columns)[4:] == ["Dice WT", "Dice ET", "AUC, IDH mutation", HARRELL]


HARRELL = "Harrell C, all patients"


def test_the_rows_are_of_the_same_patients() -> None:
    predictions = tasks(1.0)
    absent = (predictions["sequences"] == "t1") & (predictions["case"] == "c007")
    scores = subset_scores(Configuration("unified", predictions[~absent]), JUDGE, CONFIG)
    of_auc = scores[scores["metric"] == "idh_auc"]
    assert (of_auc["patients"] == 59).all()
    assert of_auc["note"].str.startswith("1 cases not predicted through all").all()
    assert set(scores[scores["metric"] == "dice_wt"]["note"]) == {"no such head"}
    assert "Dice WT" not in task_subset_table(scores).columns


def test_predictions_and_segmentation_are_of_the_same_subsets() -> None:
    predictions = tasks(1.0)
    fewer = predictions[predictions["sequences"] != "t1"]
    with pytest.raises(ValueError, match=r"predictions of 14 subsets .* results of 15"):
        subset_scores(Configuration("unified", fewer, segmentation()), JUDGE, CONFIG)


def test_adaptation_that_helps_is_seen_and_one_that_does_not_is_not() -> None:
    plain = Configuration("plain", tasks(2.5), segmentation())
    adapted = Configuration("adapted", tasks(0.8), segmentation(gain=0.05, seed=1))
    gain = subset_gain(adapted, plain, JUDGE, CONFIG).set_index(["over", "metric"])
    dice = gain.loc[(OVER["all"], "dice_wt")]
    assert dice["difference"] == pytest.approx(0.05 * 14 / 15, abs=0.01)
    assert dice["low"] > 0.02
    assert dice["p_holm"] < 0.05
    assert gain.loc[(OVER["incomplete"], "dice_wt"), "subsets"] == 14
    complete = gain.loc[(OVER["complete"], "dice_wt")]
    assert complete["low"] < 0 < complete["high"]
    assert gain.loc[(OVER["all"], "idh_auc"), "low"] > 0
    assert dice["difference"] == pytest.approx(dice["adapted"] - dice["plain"])
    same = subset_gain(plain, Configuration("twin", tasks(2.5), segmentation()), JUDGE, CONFIG)
    assert (same["difference"] == 0).all()


def test_a_gain_is_of_the_same_subsets() -> None:
    plain = Configuration("plain", tasks(1.0))
    one = Configuration("adapted", predictions_of(TRUTH, ("state",)))
    with pytest.raises(ValueError, match="adapted was given 1 subsets of sequences, plain 15"):
        subset_gain(one, plain, JUDGE, CONFIG)


def test_unknown_metrics_are_refused() -> None:
    with pytest.raises(ValueError, match="not \\['dice_tumour'\\]"):
        SubsetConfig(("dice_tumour",))
