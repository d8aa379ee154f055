"""Configurations side by side: seeds apart from patients, paired differences, and the figures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from task_makers import QUICK, made_up_truth, predictions_of, results_of

from gliomaai_training.evaluation.bootstrap import paired_difference
from gliomaai_training.evaluation.multiplicity import holm
from gliomaai_training.evaluation.tasks.comparison import (
    NOT_SHOWN,
    WORSE,
    ComparisonConfig,
    compare_configurations,
    comparison_table,
    difference_table,
    seed_error,
    write_comparison,
)
from gliomaai_training.evaluation.tasks.configurations import Configuration, ReferenceStandard
from gliomaai_training.evaluation.tasks.figures import (
    comparison_figure,
    difference_figure,
    reliability_curves,
    task_reliability_figure,
)
from gliomaai_training.evaluation.tasks.measures import judged
from gliomaai_training.evaluation.tasks.predictions import runs_of
from gliomaai_training.evaluation.tasks.scores import task_scores
from gliomaai_training.evaluation.tasks.segmentation import check_results, dice_runs

TRUTH = made_up_truth(80)
JUDGE = ReferenceStandard(TRUTH)
CONFIG = ComparisonConfig(
    "unified", ("dice_wt", "dice_et", "idh_auc", "harrell_c", "incoherent"), scores=QUICK
)
HEADS = ("idh", "codeletion_1p19q", "grade", "risk")


def seeds(tasks: tuple[str, ...], noise: float, count: int = 3) -> pd.DataFrame:
    runs = [predictions_of(TRUTH, tasks, noise, str(number)) for number in range(count)]
    return pd.concat(runs, ignore_index=True)


def dice(level: float, count: int = 3) -> pd.DataFrame:
    generator = np.random.default_rng(int(1000 * level))
    easy = np.random.default_rng(0).normal(0, 0.08, (40, 1))
    parts = [np.clip(level + easy + generator.normal(0, 0.01, (40, 3)), 0, 1) for _ in range(count)]
    return pd.concat([results_of(part, str(run)) for run, part in enumerate(parts)])


UNIFIED = Configuration("unified", seeds(("state", "risk"), 1.0), dice(0.8))
SEPARATE = Configuration("separate heads", seeds(HEADS, 2.0), dice(0.75))
SEGMENTS = Configuration("segmentation only", None, dice(0.79, 1))


def compared() -> pd.DataFrame:
    return compare_configurations([SEPARATE, UNIFIED, SEGMENTS], JUDGE, CONFIG)


def row(table: pd.DataFrame, name: str, metric: str) -> pd.Series:
    chosen = table[(table["configuration"] == name) & (table["metric"] == metric)]
    assert len(chosen) == 1
    return chosen.iloc[0]


def test_a_value_is_the_mean_over_seeds_and_their_spread_stands_apart() -> None:
    found = row(compared(), "separate heads", "idh_auc")
    by_seed = task_scores(judged(runs_of(SEPARATE.predictions), TRUTH), QUICK, ("idh_auc",))[
        "estimate"
    ]
    assert found["estimate"] == pytest.approx(by_seed.mean())
    assert found["seed_sd"] == pytest.approx(by_seed.std(ddof=1))
    assert (found["seed_lowest"], found["seed_highest"]) == (by_seed.min(), by_seed.max())
    assert found["seeds"] == 3
    assert found["low"] < found["estimate"] < found["high"]
    assert found["positives"] == TRUTH.possible["idh"][:, 1].sum()


def test_differences_are_paired_by_patient() -> None:
    found = row(compared(), "separate heads", "dice_wt")
    ours, theirs = dice_runs(SEPARATE.segmentation), dice_runs(UNIFIED.segmentation)
    expected = paired_difference(
        ours.dice["WT"].mean(axis=0),
        theirs.dice["WT"].mean(axis=0),
        np.random.default_rng(QUICK.seed),
        QUICK.bootstrap,
        ours.patients,
    )
    assert found["difference"] == pytest.approx(expected.estimate)
    assert found["difference_low"] == pytest.approx(expected.low)
    assert found["difference_high"] == pytest.approx(expected.high)
    # Patients differ by far more than the configurations do in one patient.
    assert found["high"] - found["low"] > 4 * (found["difference_high"] - found["difference_low"])
    assert found["patients"] == 20


def test_the_difference_is_that_of_the_values_shown() -> None:
    table = compared()
    for metric in CONFIG.metrics:
        ours, theirs = row(table, "separate heads", metric), row(table, "unified", metric)
        assert ours["difference"] == pytest.approx(ours["estimate"] - theirs["estimate"])
        errors = [one["seed_sd"] ** 2 / 3 for one in (ours, theirs)]
        assert ours["seed_error"] == pytest.approx(np.sqrt(sum(errors)))
        assert np.isnan(theirs["difference"])


def test_p_values_are_adjusted_by_metric() -> None:
    table = compared()
    others = table[(table["metric"] == "dice_wt") & (table["configuration"] != "unified")]
    assert others["p_holm"].tolist() == pytest.approx(holm(others["p"]).tolist())
    alone = row(table, "separate heads", "idh_auc")
    assert alone["p_holm"] == alone["p"]


def test_a_difference_must_exceed_patients_and_seeds() -> None:
    table = compared()
    assert row(table, "separate heads", "dice_wt")["verdict"] == WORSE
    assert row(table, "separate heads", "incoherent")["verdict"] == WORSE
    parts = [dice(0.80, 1), dice(0.82, 1), dice(0.90, 1)]
    wide = pd.concat([part.assign(run=str(run)) for run, part in enumerate(parts)])
    plans = [Configuration("unified", None, dice(0.8)), Configuration("uneven", None, wide)]
    found = row(compare_configurations(plans, JUDGE, CONFIG), "uneven", "dice_wt")
    assert found["difference_low"] > 0
    assert found["p_holm"] < 0.05
    assert found["difference"] < 2 * found["seed_error"]
    assert found["verdict"] == NOT_SHOWN
    assert np.isnan(seed_error(np.ones(1), np.ones(1)))


def test_an_equal_configuration_does_not_differ() -> None:
    twin = replace(UNIFIED, name="twin")
    table = compare_configurations([UNIFIED, twin], JUDGE, CONFIG)
    found = table[table["configuration"] == "twin"]
    assert (found["difference"] == 0).all()
    assert (found["p"] == 1).all()


def test_heads_that_are_absent_are_stated() -> None:
    table = compared()
    found = row(table, "segmentation only", "idh_auc")
    assert np.isnan(found["estimate"])
    assert found["note"] == "no such head"
    assert row(table, "unified", "idh_auc")["head"] == "state"
    assert row(table, "separate heads", "idh_auc")["head"] == "idh"
    single = row(table, "segmentation only", "dice_wt")
    assert single["seeds"] == 1
    assert np.isnan(single["seed_sd"])
    assert np.isfinite(single["difference"])
    # One seed is taken to spread as those of the reference do.
    spread = row(table, "unified", "dice_wt")["seed_sd"]
    assert single["seed_error"] == pytest.approx(spread * np.sqrt(1 / 3 + 1))


def test_all_are_judged_on_the_patients_that_all_predict() -> None:
    shorter = UNIFIED.predictions[UNIFIED.predictions["case"] != "c003"].copy()
    blind = SEPARATE.predictions.copy()
    blind.loc[(blind["case"] == "c010") & (blind["run"] == "1"), "risk"] = np.nan
    table = compare_configurations(
        [replace(UNIFIED, predictions=shorter), replace(SEPARATE, predictions=blind)],
        JUDGE,
        CONFIG,
    )
    tasks = table[table["metric"].isin(["idh_auc", "harrell_c"])]
    assert (tasks["patients"] == 78).all()
    assert tasks["note"].str.startswith("2 cases not predicted by all").all()
    of_dice = table[table["metric"] == "dice_wt"]
    assert (of_dice["note"] == "").all()
    elsewhere = UNIFIED.predictions.iloc[:0]
    with pytest.raises(ValueError, match="is empty"):
        compare_configurations([replace(UNIFIED, predictions=elsewhere)], JUDGE, CONFIG)


def test_nobody_in_common_is_refused() -> None:
    first = UNIFIED.predictions[UNIFIED.predictions["case"] < "c040"]
    second = UNIFIED.predictions[UNIFIED.predictions["case"] >= "c040"]
    parts = [Configuration("unified", first), Configuration("other", second)]
    with pytest.raises(ValueError, match="no case that all the tables predict"):
        compare_configurations(parts, JUDGE, CONFIG)


def test_one_class_only_is_stated() -> None:
    wild = np.flatnonzero(TRUTH.states()[1] == 0)
    cases = [TRUTH.cases[k] for k in wild]
    part = UNIFIED.predictions[UNIFIED.predictions["case"].isin(cases)]
    table = compare_configurations([Configuration("unified", part)], JUDGE, CONFIG)
    found = row(table, "unified", "idh_auc")
    assert np.isnan(found["estimate"])
    assert found["note"] == f"not estimable: 0 of {len(cases)} patients have it"


def test_wrong_comparisons_are_refused() -> None:
    with pytest.raises(ValueError, match="share a name"):
        compare_configurations([UNIFIED, UNIFIED], JUDGE, CONFIG)
    with pytest.raises(ValueError, match="the reference 'unified' is none of"):
        compare_configurations([SEPARATE], JUDGE, CONFIG)
    with pytest.raises(ValueError, match="not \\['dice'\\]"):
        ComparisonConfig("unified", ("dice",))
    with pytest.raises(ValueError, match="neither predictions nor segmentation"):
        Configuration("nothing")


def test_wrong_results_are_refused() -> None:
    results = results_of(np.full((4, 3), 0.5))
    check_results(results)
    with pytest.raises(ValueError, match="lack the columns dice"):
        check_results(results.drop(columns="dice"))
    with pytest.raises(ValueError, match="are empty"):
        check_results(results.iloc[:0])
    with pytest.raises(ValueError, match=r"12 rows repeat .* in a column run"):
        check_results(pd.concat([results, results]))
    with pytest.raises(ValueError, match="a Dice is nan"):
        check_results(results.assign(dice=np.nan))
    with pytest.raises(ValueError, match="not each of them all in ET"):
        dice_runs(results.iloc[:-1])
    with pytest.raises(ValueError, match="no segmentation results of t1gd"):
        dice_runs(results, "t1gd")


def test_the_tables_are_written(tmp_path: Path) -> None:
    table = compared()
    files = write_comparison(table, tmp_path)
    assert {file.name for file in files} == {
        f"{stem}.{end}"
        for stem in ("comparison", "differences", "comparison_numbers")
        for end in ("csv", "md")
    }
    readable = comparison_table(table)
    assert list(readable["configuration"]) == ["separate heads", "unified", "segmentation only"]
    assert "Dice WT, 20" in readable.columns
    positives = TRUTH.possible["idh"][:, 1].sum()
    cell = readable[f"AUC, IDH mutation, {positives} of 80"]
    found = row(table, "separate heads", "idh_auc")
    assert cell[0].startswith(f"{found['estimate']:.3f} ({found['low']:.3f} to")
    assert cell[0].endswith(f"seeds ±{found['seed_sd']:.3f})")
    assert cell[2] == ""
    differences = difference_table(table)["Dice WT, 20"]
    assert differences[1] == "reference"
    assert differences[0].startswith("-0.0")
    assert differences[0].endswith(", worse")
    numbers = pd.read_csv(tmp_path / "comparison_numbers.csv")
    assert numbers["estimate"].notna().sum() == table["estimate"].notna().sum()
    assert "nan" not in (tmp_path / "comparison_numbers.md").read_text("utf-8")


def test_the_comparison_repeats() -> None:
    pd.testing.assert_frame_equal(compared(), compared())


def test_the_figure_repeats(tmp_path: Path) -> None:
    table = compared()
    files = [tmp_path / name for name in ("one.svg", "two.svg")]
    for file in files:
        comparison_figure(table, ["dice_wt", "idh_auc", "harrell_c"], file)
    difference_figure(table, ["dice_wt", "idh_auc"], tmp_path / "differences.png")
    assert (tmp_path / "differences.png").stat().st_size > 10_000
    assert files[0].read_bytes() == files[1].read_bytes()
    with pytest.raises(ValueError, match="no values of histology_auc"):
        comparison_figure(table, ["histology_auc"], tmp_path / "three.svg")
    with pytest.raises(ValueError, match="draws 1 to 8 metrics, not 0"):
        comparison_figure(table, [], tmp_path / "three.svg")


def test_reliability_of_the_tasks(tmp_path: Path) -> None:
    one = judged(runs_of(UNIFIED.predictions), TRUTH)
    curves = reliability_curves(one)
    assert set(curves) == {
        "IDH mutation",
        "1p/19q co-deletion",
        "grade 4",
        "likeliest WHO state",
    }
    assert all(sum(part.patients for part in bins) == 80 for bins in curves.values())
    task_reliability_figure(one, tmp_path / "reliability.png")
    assert (tmp_path / "reliability.png").stat().st_size > 10_000
    risk_only = judged(runs_of(predictions_of(TRUTH, ("risk",))), TRUTH)
    with pytest.raises(ValueError, match="no task has 6 patients"):
        task_reliability_figure(risk_only, tmp_path / "none.png")
