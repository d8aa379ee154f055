"""Tables and figures from per-case results."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk

from gliomaai_training.evaluation.figures import learning_curve, region_boxes, reliability_plot
from gliomaai_training.evaluation.reliability import Reliability
from gliomaai_training.evaluation.segmentation_metrics import HD95_ONE_EMPTY_MM, RegionScores
from gliomaai_training.evaluation.tables import (
    all_subsets,
    region_table,
    result_rows,
    subset_name,
    subset_table,
    to_markdown,
    write_table,
)
from gliomaai_training.vocabulary import SEQUENCES

WHOLE = subset_name(SEQUENCES)


def make_results(
    cases: int = 12, subsets: tuple[tuple[str, ...], ...] = (SEQUENCES,)
) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    rows = []
    for subset in subsets:
        for case in range(cases):
            scores = [
                RegionScores(
                    region, generator.uniform(0.5, 1), generator.uniform(1, 20), 0.7, 9, 10
                )
                for region in ("WT", "TC", "ET")
            ]
            rows += result_rows(f"patient-{case // 2}", f"case-{case}", subset, scores)
    return pd.DataFrame(rows)


def test_there_are_fifteen_subsets_each_with_its_own_name() -> None:
    names = [subset_name(subset) for subset in all_subsets()]
    assert len(set(names)) == 15
    assert names[0] == "t1+t1gd+t2+flair"
    assert subset_name(["flair", "t1"]) == "t1+flair"


@pytest.mark.parametrize("subset", [[], ["t1", "dwi"]])
def test_wrong_subsets_are_refused(subset: list[str]) -> None:
    with pytest.raises(ValueError, match="no subset of"):
        subset_name(subset)


def test_region_table_holds_the_statistics() -> None:
    results = make_results()
    table = region_table(results, np.random.default_rng(1))
    assert list(table["region"]) == ["WT"] * 3 + ["TC"] * 3 + ["ET"] * 3
    row = table[(table["region"] == "TC") & (table["metric"] == "Dice")].iloc[0]
    values = results.loc[results["region"] == "TC", "dice"]
    assert row["cases"] == 12
    assert row["patients"] == 6
    assert row["mean"] == f"{values.mean():.3f}"
    assert row["median"] == f"{values.median():.3f}"
    low, high = (float(part) for part in row["95 % of the mean"].split(" to "))
    assert low < values.mean() < high


def test_region_table_is_repeatable() -> None:
    first = region_table(make_results(), np.random.default_rng(1))
    second = region_table(make_results(), np.random.default_rng(1))
    pd.testing.assert_frame_equal(first, second)


def test_subset_table_has_a_row_for_each_subset() -> None:
    results = make_results(3, all_subsets())
    table = subset_table(results)
    assert len(table) == 15
    flair = table[(table["flair"] == "yes") & (table[["t1", "t1gd", "t2"]] == "").all(axis=1)]
    part = results[(results["sequences"] == "flair") & (results["region"] == "WT")]
    assert flair["WT"].item() == f"{part['dice'].mean():.3f}"
    assert flair["cases"].item() == 3


def test_wrong_results_are_refused() -> None:
    generator = np.random.default_rng(0)
    results = make_results()
    with pytest.raises(ValueError, match="lack the columns patient"):
        region_table(results.drop(columns="patient"), generator)
    with pytest.raises(ValueError, match="are empty"):
        region_table(results[:0], generator)
    with pytest.raises(ValueError, match="several subsets"):
        region_table(make_results(2, (("t1",), ("t2",))), generator)
    with pytest.raises(ValueError, match="no rows for the region ET"):
        subset_table(results[results["region"] != "ET"])
    with pytest.raises(ValueError, match="unknown metric 'iou'"):
        subset_table(results, "iou")


def test_tables_are_written_as_csv_and_markdown(tmp_path: Path) -> None:
    table = pd.DataFrame({"region": ["WT", "a|b"], "Dice": ["0.900", "0.800"]})
    csv_file, markdown_file = write_table(table, tmp_path / "deep" / "dice")
    assert pd.read_csv(csv_file, dtype=str).equals(table)
    text = markdown_file.read_text("utf-8")
    assert text == to_markdown(table)
    assert text.splitlines() == [
        "| region | Dice |",
        "|-|-|",
        "| WT | 0.900 |",
        "| a\\|b | 0.800 |",
    ]


def is_drawn(file: Path) -> bool:
    """Whether a PNG holds more than its background."""
    pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(file)))
    return len(np.unique(pixels.reshape(-1, pixels.shape[-1]), axis=0)) > 50


def test_figures_are_drawn(tmp_path: Path) -> None:
    steps = np.arange(0, 400, 4)
    history = pd.DataFrame({"step": steps, "loss": 1 / (1 + steps / 50)})
    history.loc[history["step"] % 80 == 0, "WT"] = 0.8
    learning_curve(history, tmp_path / "curve.png")
    learning_curve(history[["step", "loss"]], tmp_path / "loss.png")
    results = make_results()
    results.loc[5, "hd95_mm"] = HD95_ONE_EMPTY_MM
    for metric in ("dice", "hd95_mm", "lesion_dice"):
        region_boxes(results, metric, tmp_path / f"{metric}.png")
    bins = np.arange(10)
    curve = Reliability(bins * 10, (bins * (bins + 0.5)).astype(np.float64), bins * bins)
    reliability_plot({"before": curve, "after": curve + curve}, tmp_path / "deep" / "curves.png")
    files = list(tmp_path.rglob("*.png"))
    assert len(files) == 6
    assert all(is_drawn(file) for file in files)


def test_figures_of_nothing_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs step"):
        learning_curve(pd.DataFrame({"step": [1], "speed": [2]}), tmp_path / "a.png")
    with pytest.raises(ValueError, match="'iou'"):
        region_boxes(make_results(), "iou", tmp_path / "a.png")
    with pytest.raises(ValueError, match="no reliability curves"):
        reliability_plot({}, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
