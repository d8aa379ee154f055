"""The tasks through each of the 15 subsets of sequences, and what must be seen there.

Without T1Gd the enhancing tumour cannot be told, with it it can; and a network that was adapted to
missing sequences is better on the mean over the subsets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gliomaai_training.evaluation.multiplicity import holm
from gliomaai_training.evaluation.paired import bootstrap_p
from gliomaai_training.evaluation.tables import all_subsets, sequence_cells, subset_name
from gliomaai_training.evaluation.tasks.comparison import Row, records, seed_error, spread_of
from gliomaai_training.evaluation.tasks.configurations import (
    DICE,
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
    draws_of,
    mean_of,
)
from gliomaai_training.evaluation.tasks.predictions import COMPLETE
from gliomaai_training.evaluation.tasks.segmentation import (
    check_results,
    common_dice,
    dice_side_by_side,
)
from gliomaai_training.vocabulary import REGIONS

SUBSET_METRICS = (
    *DICE,
    "idh_auc",
    "codeletion_auc",
    "grade_4_auc",
    "state_balanced_accuracy",
    "harrell_c",
)
"""The columns of the table of subsets, unless others are asked for."""

MEAN = "mean over the subsets"

OVER: Mapping[str, str] = {
    "all": "all subsets",
    "incomplete": "subsets that lack a sequence",
    "complete": "all four sequences",
}
"""What a gain is the mean over."""


@dataclass(frozen=True)
class SubsetConfig:
    """Which metrics, and how intervals are made."""

    metrics: tuple[str, ...] = SUBSET_METRICS
    scores: TaskScoreConfig = SCORE_CONFIG

    def __post_init__(self) -> None:
        check_metrics(self.metrics, TITLES)


SUBSET_CONFIG = SubsetConfig()

SUBSET_COLUMNS = [
    "sequences",
    "metric",
    "title",
    "seeds",
    "patients",
    "positives",
    "estimate",
    "low",
    "high",
    "seed_sd",
    "note",
]


def subset_scores(
    configuration: Configuration, judge: ReferenceStandard, config: SubsetConfig = SUBSET_CONFIG
) -> pd.DataFrame:
    """Every metric through every subset that was predicted from, and the mean over the subsets.

    Judged on the patients who were predicted through all of these subsets, so that the rows are of
    the same patients.

    Returns:
        Columns as `SUBSET_COLUMNS`; rows of the mean have `MEAN` for sequences, and are left out
        for a metric that cannot be told of every subset.

    Raises:
        ValueError: as `configurations.views_of`.
    """
    subsets = subsets_of(configuration)
    views = views_of([(configuration, one) for one in subsets], judge, config.scores)
    rows = []
    for metric in config.metrics:
        draws, left_out = views.draws(metric), views.left_out(metric)
        found = [views.values(number, metric) for number in range(len(subsets))]
        for sequences, values in zip(subsets, found, strict=True):
            rows.append(_row(sequences, metric, values, draws) | _note(values, left_out))
        mean = _mean(found)
        if mean.values is not None:
            rows.append(_row(MEAN, metric, mean, draws) | _note(mean, left_out))
    return pd.DataFrame(rows, columns=SUBSET_COLUMNS)


def subsets_of(configuration: Configuration) -> list[str]:
    """The subsets that a configuration was given, the complete one first, then by size.

    Raises:
        ValueError: predictions and segmentation results are of different subsets.
    """
    tables = (configuration.predictions, configuration.segmentation)
    named = [set(table["sequences"]) for table in tables if table is not None]
    if len({frozenset(one) for one in named}) != 1:
        raise ValueError(
            f"{configuration.name} has predictions of {len(named[0])} subsets of sequences and "
            f"segmentation results of {len(named[1])}, not of the same ones"
        )
    return [name for name in map(subset_name, all_subsets()) if name in named[0]]


def task_subset_table(scores: pd.DataFrame) -> pd.DataFrame:
    """The table of `subset_scores` as it is to be read: a row for each subset, then the mean."""
    rows = []
    for sequences in (*map(subset_name, all_subsets()), MEAN):
        part = scores[(scores["sequences"] == sequences) & scores["estimate"].notna()]
        if part.empty:
            continue
        given = () if sequences == MEAN else sequences.split("+")
        row: Row = {**sequence_cells(given)}
        if sequences == MEAN:
            row["t1"] = "mean"
        row |= {one["title"]: f"{one['estimate']:.3f}" for one in records(part)}
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def subset_gain(
    adapted: Configuration,
    plain: Configuration,
    judge: ReferenceStandard,
    config: SubsetConfig = SUBSET_CONFIG,
) -> pd.DataFrame:
    """What one configuration gains over another on the mean over the subsets.

    Returns:
        A row for each metric and each of `OVER`: adapted, plain (means over subsets and seeds),
        difference with low and high (paired bootstrap by patient), seed_error, p and p_holm, over
        the metrics of the same mean.

    Raises:
        ValueError: the two were given different subsets, or as `configurations.views_of`.
    """
    subsets = subsets_of(adapted)
    if subsets != subsets_of(plain):
        raise ValueError(
            f"{adapted.name} was given {len(subsets)} subsets of sequences, {plain.name} "
            f"{len(subsets_of(plain))}: not the same ones"
        )
    pairs = [(one, subset) for one in (adapted, plain) for subset in subsets]
    views = views_of(pairs, judge, config.scores)
    values = {
        metric: [views.values(number, metric) for number in range(len(pairs))]
        for metric in config.metrics
    }
    rows: list[Row] = []
    for over, words in OVER.items():
        chosen = [k for k, name in enumerate(subsets) if _is_over(over, name)]
        if not chosen:
            continue
        found = [
            _gain(
                metric,
                _mean([of_both[number] for number in chosen]),
                _mean([of_both[len(subsets) + number] for number in chosen]),
                views.draws(metric),
            )
            for metric, of_both in values.items()
        ]
        told = [row for row in found if row]
        for row, p in zip(told, holm([row["p"] for row in told]), strict=True):
            rows.append({"over": words, "subsets": len(chosen), **row, "p_holm": float(p)})
    return pd.DataFrame(rows)


def _is_over(over: str, sequences: str) -> bool:
    return over == "all" or (sequences == COMPLETE) == (over == "complete")


def _gain(metric: str, ours: Values, theirs: Values, draws: Draws | None) -> Row:
    """One metric's row; empty where it cannot be told of all the subsets."""
    if ours.values is None or theirs.values is None:
        return {}
    spread = ours.mean - theirs.mean
    interval = interval_of(spread, draws)
    if interval is None:
        return {}
    return {
        "metric": metric,
        "title": TITLES[metric],
        "patients": ours.patients,
        "adapted": float(ours.mean[0]),
        "plain": float(theirs.mean[0]),
        "difference": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "seed_error": seed_error(ours.values[:, 0], theirs.values[:, 0]),
        "p": bootstrap_p(spread[1:]),
    }


def _mean(found: Sequence[Values]) -> Values:
    """Over subsets, seed by seed; nothing where one of them has no value."""
    told = [one.values for one in found if one.values is not None]
    if len(told) < len(found):
        return Values(None)
    first = found[0]
    return Values(
        np.mean(np.stack(told), axis=0), first.head, first.patients, first.positives, first.note
    )


def _row(sequences: str, metric: str, found: Values, draws: Draws | None) -> Row:
    row: Row = {"sequences": sequences, "metric": metric, "title": TITLES[metric]}
    row |= {"patients": found.patients, "positives": found.positives}
    interval = None if found.values is None else interval_of(found.mean, draws)
    if found.values is None or interval is None:
        return row | {"seeds": 0}
    return row | {
        "seeds": len(found.values),
        "estimate": interval.estimate,
        "low": interval.low,
        "high": interval.high,
        "seed_sd": spread_of(found.values[:, 0]),
    }


def _note(found: Values, left_out: int) -> Row:
    if found.values is None:
        return {"note": found.note or "no such head"}
    words = f"{left_out} cases not predicted through all subsets left out"
    return {"note": words if left_out else ""}


def t1gd_law(results: pd.DataFrame, config: TaskScoreConfig = SCORE_CONFIG) -> pd.DataFrame:
    """Whether a segmentation obeys the law: without T1Gd, ET collapses; with it, it holds.

    Each case's mean Dice over the subsets without T1Gd against that over those with it.

    Args:
        results: as in `tables`, of several subsets; with a column `run` if there are several seeds.
        config: of the intervals.

    Returns:
        A row for each region and for all patients, and for those with enhancing tumour if there is
        a column `truth_ml`: without_t1gd, with_t1gd, drop (with less without, paired) and beyond_wt
        (that drop less the drop of WT, which any missing sequence makes), each with _low and _high;
        kept (without over with); and for ET whether the law holds: "holds" where the intervals of
        drop and beyond_wt both lie above 0, else "does not show". Where no tumour enhances, Dice is
        1 for finding none, which hides the collapse: hence the second rows.

    Raises:
        ValueError: as `segmentation.check_results`, or no subset with or none without T1Gd.
    """
    table = check_results(results)
    groups = {"all": table}
    if "truth_ml" in table.columns:
        enhancing = table.loc[(table["region"] == "ET") & (table["truth_ml"] > 0), "case"]
        groups["with enhancing tumour"] = table[table["case"].isin(enhancing)]
    rows = []
    for words, part in groups.items():
        rows += _law_rows(words, part, config) if len(part) else []
    return pd.DataFrame(rows)


def _law_rows(words: str, table: pd.DataFrame, config: TaskScoreConfig) -> list[Row]:
    subsets = [one for one in map(subset_name, all_subsets()) if one in set(table["sequences"])]
    with_it = np.array(["t1gd" in one.split("+") for one in subsets], np.bool_)
    if with_it.all() or not with_it.any():
        raise ValueError("the law needs results of subsets with T1Gd and of others without it")
    dice = common_dice(dice_side_by_side(table, one) for one in subsets)
    cases, patients = dice[0].cases, dice[0].patients
    draws = draws_of(len(cases), config, patients)
    means = {
        region: np.stack([one.dice[region].mean(axis=0) for one in dice]) for region in REGIONS
    }
    drops = {
        region: by_subset[with_it].mean(axis=0) - by_subset[~with_it].mean(axis=0)
        for region, by_subset in means.items()
    }
    rows: list[Row] = []
    for region, by_subset in means.items():
        row: Row = {"region": region, "patients_are": words}
        row |= {"cases": len(cases), "patients": len(set(patients))}
        row |= _with_interval("without_t1gd", by_subset[~with_it].mean(axis=0), draws)
        row |= _with_interval("with_t1gd", by_subset[with_it].mean(axis=0), draws)
        row |= _with_interval("drop", drops[region], draws)
        row |= _with_interval("beyond_wt", drops[region] - drops["WT"], draws)
        row["kept"] = row["without_t1gd"] / row["with_t1gd"] if row["with_t1gd"] else np.nan
        shown = row["drop_low"] > 0 and row["beyond_wt_low"] > 0
        row["law"] = ("holds" if shown else "does not show") if region == "ET" else ""
        rows.append(row)
    return rows


def _with_interval(name: str, by_case: Floats, draws: Draws) -> Row:
    everyone = np.ones(by_case.size, np.bool_)
    found = draws.interval(draws.values([mean_of(by_case, everyone)]))
    return {name: found.estimate, f"{name}_low": found.low, f"{name}_high": found.high}
