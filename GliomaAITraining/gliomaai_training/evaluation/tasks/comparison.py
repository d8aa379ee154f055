"""Configurations of the network side by side, each trained with several seeds.

Three spreads are kept apart. The interval of a value is of the patients, for these trained
networks. The seeds' own spread is their standard deviation, never called an interval. The paired
difference to the reference is the mean over the seeds' values less that of the reference's, from
the same resamples of the patients: it says what one training may be expected to gain. Averaging
the seeds' predictions first would answer for an ensemble, which is better than its members and is
not what is shipped.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gliomaai_training.evaluation.multiplicity import holm
from gliomaai_training.evaluation.paired import bootstrap_p
from gliomaai_training.evaluation.tables import write_table
from gliomaai_training.evaluation.tasks.configurations import (
    DICE,
    HIGHER_IS_BETTER,
    TITLES,
    Configuration,
    ReferenceStandard,
    Values,
    interval_of,
    views_of,
)
from gliomaai_training.evaluation.tasks.measures import (
    SCORE_CONFIG,
    Draws,
    Floats,
    TaskScoreConfig,
    check_metrics,
)
from gliomaai_training.evaluation.tasks.predictions import COMPLETE

Row = dict[str, Any]

COMPARED = (
    *DICE,
    "idh_auc",
    "codeletion_auc",
    "codeletion_in_mutant_auc",
    "grade_4_auc",
    "state_balanced_accuracy",
    "harrell_c",
    "harrell_c_gbm",
    "harrell_c_mutant",
    "incoherent",
)
"""The metrics of the comparison, unless others are asked for."""


@dataclass(frozen=True)
class ComparisonConfig:
    """What is compared, and how intervals are made."""

    reference: str
    """Name of the configuration that the others' differences are to."""
    metrics: tuple[str, ...] = COMPARED
    sequences: str = COMPLETE
    scores: TaskScoreConfig = SCORE_CONFIG

    def __post_init__(self) -> None:
        check_metrics(self.metrics, TITLES)


COMPARISON_COLUMNS = [
    "configuration",
    "metric",
    "title",
    "head",
    "seeds",
    "patients",
    "positives",
    "estimate",
    "low",
    "high",
    "seed_sd",
    "seed_lowest",
    "seed_highest",
    "reference",
    "difference",
    "difference_low",
    "difference_high",
    "seed_error",
    "p",
    "p_holm",
    "verdict",
    "note",
]

SIGNIFICANT = 0.05
"""Of Holm's p."""

BETTER, WORSE, NOT_SHOWN = "better", "worse", "no difference shown"


def compare_configurations(
    configurations: Sequence[Configuration], judge: ReferenceStandard, config: ComparisonConfig
) -> pd.DataFrame:
    """All metrics of all configurations, with their differences to the reference.

    Judged on the patients whom all configurations predict in full, so that all numbers of a metric
    are of the same patients.

    Args:
        configurations: each with the predictions of its runs; one of them is the reference.
        judge: what is known of the patients.
        config: metrics, sequences and intervals.

    Returns:
        A row for each configuration and metric: estimate (mean over seeds) with its interval by
        patient; seed_sd, seed_lowest, seed_highest; difference to the reference with its paired
        interval by patient, and `seed_error`; p of the paired bootstrap and p_holm, adjusted for
        all configurations compared by that metric; verdict: better or worse than the reference
        where p_holm is below `SIGNIFICANT` and the difference exceeds twice its seed error, else
        that none is shown. NaN where a network has no such head, or where the note says why it
        cannot be told.

    Raises:
        ValueError: two configurations share a name, the reference is not among them, or as
            `configurations.views_of`.
    """
    names = [one.name for one in configurations]
    if len(set(names)) != len(names):
        raise ValueError(f"two configurations share a name: {', '.join(names)}")
    if config.reference not in names:
        raise ValueError(f"the reference {config.reference!r} is none of {', '.join(names)}")
    views = views_of([(one, config.sequences) for one in configurations], judge, config.scores)
    rows = []
    for metric in config.metrics:
        draws = views.draws(metric)
        found = {name: views.values(number, metric) for number, name in enumerate(names)}
        of_metric = [
            _row(name, metric, found[name], draws)
            | _difference(found[name], found[config.reference], draws)
            | {"reference": config.reference, "note": _note(found[name], views.left_out(metric))}
            for name in names
        ]
        _adjust(of_metric)
        rows += of_metric
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def _row(name: str, metric: str, found: Values, draws: Draws | None) -> Row:
    row: Row = {
        "configuration": name,
        "metric": metric,
        "title": TITLES[metric],
        "head": found.head,
        "patients": found.patients,
        "positives": found.positives,
    }
    interval = None if found.values is None else interval_of(found.mean, draws)
    if found.values is None or interval is None:
        return row | {"seeds": 0}
    seeds = found.values[:, 0]
    return row | {
        "seeds": len(seeds),
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "seed_sd": spread_of(seeds),
        "seed_lowest": float(seeds.min()),
        "seed_highest": float(seeds.max()),
    }


def _difference(ours: Values, theirs: Values, draws: Draws | None) -> Row:
    """To the reference; nothing of the reference itself."""
    first, second = ours.values, theirs.values
    if ours is theirs or first is None or second is None:
        return {}
    spread = ours.mean - theirs.mean
    interval = interval_of(spread, draws)
    if interval is None:
        return {}
    return {
        "difference": interval.estimate,
        "difference_low": interval.low,
        "difference_high": interval.high,
        "seed_error": seed_error(first[:, 0], second[:, 0]),
        "p": bootstrap_p(spread[1:]),
    }


def seed_error(ours: Floats, theirs: Floats) -> float:
    """The standard error that few seeds leave in the difference of two configurations' means.

    Where one of them has a single seed, it is taken to spread as the other does; NaN where both
    have one, for then nobody knows.

    Args:
        ours: (seeds,) values of one configuration.
        theirs: (seeds,) of the other, not paired with these.
    """
    spreads = [spread_of(one) for one in (ours, theirs)]
    known = [one for one in spreads if np.isfinite(one)]
    if not known:
        return float("nan")
    first, second = (one if np.isfinite(one) else known[0] for one in spreads)
    return float(np.sqrt(first**2 / len(ours) + second**2 / len(theirs)))


def _adjust(rows: list[Row]) -> None:
    """Adds Holm's p, over the configurations that one metric compares with the reference."""
    compared = [row for row in rows if "p" in row]
    for row, p in zip(compared, holm([row["p"] for row in compared]), strict=True):
        row["p_holm"] = float(p)
        row["verdict"] = _verdict(row)


def _verdict(row: Row) -> str:
    """What may be said of a configuration beside the reference."""
    difference, error = row["difference"], row["seed_error"]
    # Where both have one seed, only the spread of the patients is known.
    if row["p_holm"] >= SIGNIFICANT or abs(difference) <= 2 * np.nan_to_num(error):
        return NOT_SHOWN
    return BETTER if (difference > 0) == HIGHER_IS_BETTER[row["metric"]] else WORSE


def _note(found: Values, left_out: int) -> str:
    if found.values is None:
        return found.note or "no such head"
    return f"{left_out} cases not predicted by all left out" if left_out else ""


def spread_of(seeds: Floats) -> float:
    """Standard deviation of the seeds' values; NaN of one seed."""
    return float(np.std(seeds, ddof=1)) if len(seeds) > 1 else float("nan")


def comparison_table(compared: pd.DataFrame) -> pd.DataFrame:
    """A row for each configuration, a column for each metric, as it is to be read.

    A cell is the mean over seeds, its 95 % interval by patient, and the seeds' standard deviation
    where there are several; a title ends with the positives (of a concordance the deaths) and the
    patients.
    """
    return _wide(compared, _value_cell)


def difference_table(compared: pd.DataFrame) -> pd.DataFrame:
    """As `comparison_table`, with the paired differences to the reference.

    A cell is the difference, its paired 95 % interval by patient, Holm's p, the seeds' standard
    error, and the verdict where a difference is shown.
    """
    return _wide(compared, _difference_cell)


def write_comparison(compared: pd.DataFrame, folder: Path) -> list[Path]:
    """Writes `comparison`, `differences` and, in numbers, `comparison_numbers`, CSV and Markdown.

    Returns:
        The files.
    """
    tables = {
        "comparison": comparison_table(compared),
        "differences": difference_table(compared),
        "comparison_numbers": rounded(compared),
    }
    return [file for stem, table in tables.items() for file in write_table(table, folder / stem)]


def rounded(table: pd.DataFrame) -> pd.DataFrame:
    """Numbers to five digits, counts as whole numbers, nothing where there is none."""

    def cell(value: Any) -> Any:
        if isinstance(value, float):
            return "" if np.isnan(value) else f"{value:.5f}".rstrip("0").rstrip(".")
        return "" if value is None else value

    return table.astype(object).map(cell)


def _wide(compared: pd.DataFrame, cell: Callable[[Row], str]) -> pd.DataFrame:
    columns: dict[str, list[str]] = {
        "configuration": list(dict.fromkeys(compared["configuration"])),
    }
    for metric, part in compared.groupby("metric", sort=False):
        told = part[part["estimate"].notna()]
        if told.empty:
            continue
        counts = told.iloc[0]
        patients = f"{int(counts['patients'])}"
        if pd.notna(counts["positives"]) and metric != "incoherent":
            patients = f"{int(counts['positives'])} of {patients}"
        columns[f"{counts['title']}, {patients}"] = [cell(row) for row in records(part)]
    return pd.DataFrame(columns)


def records(table: pd.DataFrame) -> list[Row]:
    """The rows of a table, each by column."""
    return [dict(zip(table.columns, row, strict=True)) for row in table.itertuples(index=False)]


def _value_cell(row: Row) -> str:
    if np.isnan(row["estimate"]):
        return ""
    seeds = "" if np.isnan(row["seed_sd"]) else f"; seeds ±{row['seed_sd']:.3f}"
    return f"{row['estimate']:.3f} ({row['low']:.3f} to {row['high']:.3f}{seeds})"


def _difference_cell(row: Row) -> str:
    if row["configuration"] == row["reference"] and not np.isnan(row["estimate"]):
        return "reference"
    if np.isnan(row["difference"]):
        return ""
    p = "< 0.001" if row["p_holm"] < 0.001 else f"{row['p_holm']:.3f}"
    interval = f"{row['difference_low']:+.3f} to {row['difference_high']:+.3f}"
    seeds = "" if np.isnan(row["seed_error"]) else f"; seeds ±{row['seed_error']:.3f}"
    verdict = "" if row["verdict"] == NOT_SHOWN else f", {row['verdict']}"
    return f"{row['difference']:+.3f} ({interval}; p {p}{seeds}){verdict}"
