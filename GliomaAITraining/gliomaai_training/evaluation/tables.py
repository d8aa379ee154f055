"""Tables from per-case results: by region, and by the sequences that were given to the network.

Results are a data frame with one row for each case, region and subset of sequences, and at least
the columns of `RESULT_COLUMNS`; `sequences` is written by `subset_name`.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from gliomaai_training.evaluation.bootstrap import BootstrapConfig, bootstrap_interval
from gliomaai_training.evaluation.segmentation_metrics import RegionScores
from gliomaai_training.vocabulary import REGIONS, SEQUENCES

METRICS = ("dice", "hd95_mm", "lesion_dice")
RESULT_COLUMNS = ("patient", "case", "sequences", "region", *METRICS)

METRIC_TITLES = {"dice": "Dice", "hd95_mm": "HD95 (mm)", "lesion_dice": "lesion-wise Dice"}
METRIC_DIGITS = {"dice": 3, "hd95_mm": 1, "lesion_dice": 3}


def subset_name(present: Iterable[str]) -> str:
    """A subset of the four sequences as one word in their usual order, for example `t1+flair`.

    Raises:
        ValueError: the subset is empty or holds an unknown sequence.
    """
    given = set(present)
    if not given or given - set(SEQUENCES):
        raise ValueError(f"{sorted(given)} is no subset of {', '.join(SEQUENCES)}")
    return "+".join(name for name in SEQUENCES if name in given)


def all_subsets() -> tuple[tuple[str, ...], ...]:
    """The 15 non-empty subsets of the sequences, the complete one first, then by size."""
    sizes = range(len(SEQUENCES), 0, -1)
    return tuple(subset for size in sizes for subset in combinations(SEQUENCES, size))


def result_rows(
    patient: str, case: str, present: Iterable[str], scores: Iterable[RegionScores]
) -> list[dict[str, object]]:
    """One case's scores as rows of the results frame."""
    sequences = subset_name(present)
    return [
        {
            "patient": patient,
            "case": case,
            "sequences": sequences,
            "region": score.region,
            "dice": score.dice,
            "hd95_mm": score.hd95_mm,
            "lesion_dice": score.lesion_dice,
            "predicted_ml": score.predicted_ml,
            "truth_ml": score.truth_ml,
        }
        for score in scores
    ]


def region_table(results: pd.DataFrame, generator: np.random.Generator) -> pd.DataFrame:
    """Mean and median of every metric by region, each with its 95 % bootstrap interval by patient.

    Args:
        results: for one subset of sequences.
        generator: of the bootstrap.

    Raises:
        ValueError: a column is missing, the frame is empty or holds several subsets.
    """
    _check(results)
    subsets = results["sequences"].unique()
    if len(subsets) != 1:
        raise ValueError(f"results of several subsets of sequences: {', '.join(subsets)}")
    rows = []
    for region in REGIONS:
        part = results[results["region"] == region]
        for metric in METRICS:
            row: dict[str, object] = {
                "region": region,
                "metric": METRIC_TITLES[metric],
                "cases": len(part),
                "patients": part["patient"].nunique(),
            }
            row |= _statistics(part, metric, generator)
            rows.append(row)
    return pd.DataFrame(rows)


def subset_table(results: pd.DataFrame, metric: str = "dice") -> pd.DataFrame:
    """The mean of a metric by region for each subset of sequences that the results hold.

    Raises:
        ValueError: a column is missing, the frame is empty or the metric is unknown.
    """
    _check(results)
    if metric not in METRICS:
        raise ValueError(f"unknown metric {metric!r}; known: {', '.join(METRICS)}")
    means = {
        key: float(part[metric].mean()) for key, part in results.groupby(["sequences", "region"])
    }
    cases = results.groupby("sequences")["case"].nunique()
    digits = METRIC_DIGITS[metric]
    rows = []
    for subset in all_subsets():
        name = subset_name(subset)
        if name in cases.index:
            row: dict[str, object] = {**sequence_cells(subset), "cases": int(cases[name])}
            row |= {region: f"{means[name, region]:.{digits}f}" for region in REGIONS}
            rows.append(row)
    return pd.DataFrame(rows)


def sequence_cells(subset: Sequence[str]) -> dict[str, str]:
    """A table row's four cells that say which sequences were given."""
    return {name: "yes" if name in subset else "" for name in SEQUENCES}


def to_markdown(table: pd.DataFrame) -> str:
    """The table in GitHub's Markdown, without its index."""
    header = [str(name) for name in table.columns]
    lines = ["| " + " | ".join(header) + " |", "|" + "-|" * len(header)]
    for row in table.itertuples(index=False):
        cells = [str(cell).replace("|", "\\|") for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def write_table(table: pd.DataFrame, stem: Path) -> Sequence[Path]:
    """Writes `STEM.csv` and `STEM.md`; returns both."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    csv_file, markdown_file = stem.with_suffix(".csv"), stem.with_suffix(".md")
    table.to_csv(csv_file, index=False)
    markdown_file.write_text(to_markdown(table), encoding="utf-8")
    return csv_file, markdown_file


def _statistics(
    part: pd.DataFrame, metric: str, generator: np.random.Generator
) -> dict[str, object]:
    digits = METRIC_DIGITS[metric]
    cells: dict[str, object] = {}
    for config in (BootstrapConfig("mean"), BootstrapConfig("median")):
        found = bootstrap_interval(
            part[metric].to_numpy(), generator, config, part["patient"].tolist()
        )
        cells[config.statistic] = f"{found.estimate:.{digits}f}"
        cells[f"95 % of the {config.statistic}"] = (
            f"{found.low:.{digits}f} to {found.high:.{digits}f}"
        )
    return cells


def _check(results: pd.DataFrame) -> None:
    missing = [name for name in RESULT_COLUMNS if name not in results.columns]
    if missing:
        raise ValueError(f"the results lack the columns {', '.join(missing)}")
    if results.empty:
        raise ValueError("the results are empty")
    for region in REGIONS:
        if region not in set(results["region"]):
            raise ValueError(f"the results have no rows for the region {region}")
