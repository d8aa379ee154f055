"""How well one network does its tasks, run by run, and whether it knows more than it can.

Takes the table of predictions (`predictions`) and what is known of its patients
(`task_truth`); intervals are percentile bootstraps by patient.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from gliomaai_training.evaluation.bootstrap import Interval
from gliomaai_training.evaluation.paired import PairedDifference
from gliomaai_training.evaluation.tasks.coherence import COHERENCE_METRICS
from gliomaai_training.evaluation.tasks.diagnosis_metrics import DIAGNOSIS_METRICS
from gliomaai_training.evaluation.tasks.measures import (
    SCORE_CONFIG,
    Draws,
    Judged,
    Measure,
    Metric,
    TaskScoreConfig,
    check_metrics,
    draws_of,
)
from gliomaai_training.evaluation.tasks.risk_metrics import GROUPS, RISK_METRICS, followed
from gliomaai_training.survival.comparison import share_difference
from gliomaai_training.survival.concordance import comparable_pairs

METRICS: Mapping[str, Metric] = MappingProxyType(
    {**DIAGNOSIS_METRICS, **RISK_METRICS, **COHERENCE_METRICS}
)
"""Everything that can be measured, by name."""

LEAK = "above the oracle: look for a leak"
"""The finding of a model that orders patients better than the truth itself does."""

SCORE_COLUMNS = [
    "run",
    "head",
    "metric",
    "title",
    "patients",
    "positives",
    "estimate",
    "low",
    "high",
    "note",
]

_PARTS = ("model", "oracle", "difference")
ORACLE_CELLS = (
    "patients",
    "deaths",
    *(f"{part}{end}" for part in _PARTS for end in ("", "_low", "_high")),
    "finding",
)


def task_scores(
    one: Judged, config: TaskScoreConfig = SCORE_CONFIG, metrics: Sequence[str] = tuple(METRICS)
) -> pd.DataFrame:
    """Every metric of every run, by every head that it can be read from.

    Args:
        one: predictions with the truth, as `measures.judged` gives them.
        config: of the intervals.
        metrics: names of `METRICS`; those without a head in the network are passed over.

    Returns:
        Columns run, head, metric, title, patients, positives (deaths of a concordance), estimate,
        low, high, note; NaN, with the reason in the note, where these patients cannot tell.

    Raises:
        ValueError: an unknown metric.
    """
    check_metrics(metrics, METRICS)
    draws = draws_of(len(one.runs.cases), config)
    rows = []
    for number, run in enumerate(one.runs.runs):
        for name in metrics:
            metric = METRICS[name]
            for head in metric.heads_of(one.runs):
                key = {"run": run, "head": head, "metric": name, "title": metric.title}
                rows.append(key | _cells(metric.measure(one, head, number), draws))
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def _cells(measure: Measure, draws: Draws) -> dict[str, Any]:
    cells: dict[str, Any] = {"patients": measure.patients, "positives": measure.positives}
    nothing = dict.fromkeys(("estimate", "low", "high"), np.nan)
    if measure.statistic is None:
        return cells | nothing | {"note": measure.note}
    try:
        found = draws.interval(draws.values([measure.statistic]))
    except ValueError as error:
        return cells | nothing | {"note": f"not estimable: {error}"}
    told = {"estimate": found.estimate, "low": found.low, "high": found.high}
    return cells | told | {"note": measure.note}


def readable_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """The table of `task_scores` as it is to be read."""
    values = [
        "" if np.isnan(estimate) else str(Interval(estimate, low, high))
        for estimate, low, high in scores[["estimate", "low", "high"]].to_numpy(np.float64)
    ]
    return pd.DataFrame(
        {
            "run": scores["run"],
            "head": scores["head"],
            "metric": scores["title"],
            "n": scores["patients"],
            "positives or deaths": ["" if pd.isna(n) else int(n) for n in scores["positives"]],
            "value (95 % by patient)": values,
            "note": scores["note"],
        }
    )


def oracle_table(one: Judged, config: TaskScoreConfig = SCORE_CONFIG) -> pd.DataFrame:
    """Each run's concordance beside the oracle's, who ranks the same patients by their true risk.

    The oracle knows all that can be known beforehand; against the outcomes that chance then drew, a
    model may come out above it, but not by more than chance. Across classes, whose hazards are not
    proportional, the true risk is that of dying within 24 months, which is the best order for no
    other horizon; within a class it is the best for all.

    Args:
        one: predictions with the truth of simulated patients.
        config: of the intervals.

    Returns:
        Columns run, patients_are (the group), c (Harrell or Uno), patients, deaths, the columns
        NAME, NAME_low, NAME_high for model, oracle and difference (model less oracle, same
        resamples), and finding: `LEAK` where that difference's interval lies above 0 entirely, or
        why there is none.

    Raises:
        ValueError: the network has no risk head, or no true risk is known.
    """
    if one.runs.risk is None:
        raise ValueError("the network has no risk head to set beside the oracle")
    if one.truth.true_log_risk is None or not np.isfinite(one.truth.true_log_risk).any():
        raise ValueError("no true risk is known: the oracle is for simulated patients only")
    rows = [
        {"run": run, "patients_are": GROUPS[group], "c": kind}
        | _oracle_cells(one, group, number, kind == "Uno", config)
        for number, run in enumerate(one.runs.runs)
        for group in GROUPS
        for kind in ("Harrell", "Uno")
    ]
    return pd.DataFrame(rows, columns=["run", "patients_are", "c", *ORACLE_CELLS])


def _oracle_cells(
    one: Judged, group: str, run: int, uno: bool, config: TaskScoreConfig
) -> dict[str, Any]:
    cells: dict[str, Any] = dict.fromkeys(ORACLE_CELLS, np.nan) | {"patients": 0, "deaths": 0}
    try:
        found = followed(_with_true_risk(one), group, run, uno)
        cells |= {"patients": len(found.outcome), "deaths": found.outcome.events}
        pairs = comparable_pairs(found.outcome, found.rule)
    except ValueError as error:
        return cells | {"finding": f"not estimable: {error}"}
    risks = one.truth.true_log_risk
    oracle = np.array([]) if risks is None else risks[found.rows]
    generator = np.random.default_rng(config.seed)
    compared = share_difference(found.risk, oracle, pairs, generator, config.bootstrap)
    return cells | _difference_cells(compared)


def _with_true_risk(one: Judged) -> Judged:
    """The same, without the survival of those whose true risk is unknown: they are left out."""
    truth = one.truth
    if truth.true_log_risk is None:
        return one
    months = np.where(np.isfinite(truth.true_log_risk), truth.months, np.nan)
    return replace(one, truth=replace(truth, months=months))


def _difference_cells(found: PairedDifference) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    for part, interval in zip(_PARTS, (found.ours, found.theirs, found.difference), strict=True):
        cells |= {
            part: interval.estimate,
            f"{part}_low": interval.low,
            f"{part}_high": interval.high,
        }
    return cells | {"finding": LEAK if found.difference.low > 0 else ""}
