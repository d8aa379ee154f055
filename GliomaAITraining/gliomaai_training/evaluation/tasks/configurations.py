"""Configurations of the network with the values that their metrics take in resampled patients."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from gliomaai_training.evaluation.bootstrap import Interval
from gliomaai_training.evaluation.tasks.measures import (
    Draws,
    Floats,
    Judged,
    TaskScoreConfig,
    draws_of,
    judged,
    mean_of,
)
from gliomaai_training.evaluation.tasks.predictions import TaskRuns, check_predictions, side_by_side
from gliomaai_training.evaluation.tasks.scores import METRICS
from gliomaai_training.evaluation.tasks.segmentation import (
    DiceRuns,
    check_results,
    common_dice,
    dice_side_by_side,
)
from gliomaai_training.evaluation.tasks.truth import TaskTruth
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.vocabulary import REGIONS

DICE = {f"dice_{region.lower()}": region for region in REGIONS}
"""The segmentation metrics by name, with their regions."""

TITLES = {name: f"Dice {region}" for name, region in DICE.items()} | {
    name: metric.title for name, metric in METRICS.items()
}
"""Of every metric that configurations can be compared by."""

HIGHER_IS_BETTER = dict.fromkeys(DICE, True) | {
    name: metric.higher_is_better for name, metric in METRICS.items()
}


@dataclass(frozen=True, eq=False)
class Configuration:
    """What was predicted by the runs of one configuration, for patients that they never saw."""

    name: str
    predictions: pd.DataFrame | None = None
    """Of the tasks (`predictions`); None if the network segments only."""
    segmentation: pd.DataFrame | None = None
    """Results table of `tables`, with a column `run` if there are several seeds; None if the
    network does not segment."""

    def __post_init__(self) -> None:
        if self.predictions is None and self.segmentation is None:
            raise ValueError(f"{self.name} has neither predictions nor segmentation results")

    def checked(self) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
        """Its tables, as `side_by_side` and `dice_side_by_side` take them.

        Raises:
            ValueError: as `check_predictions` and `check_results`.
        """
        if self.predictions is not None:
            check_predictions(self.predictions)
        return (
            self.predictions,
            None if self.segmentation is None else check_results(self.segmentation),
        )


@dataclass(frozen=True)
class ReferenceStandard:
    """What configurations are judged by."""

    truth: TaskTruth
    training: Outcome | None = None
    """As `measures.Judged.training`."""


@dataclass(frozen=True, eq=False)
class Values:
    """A metric of the r runs of one configuration."""

    values: Floats | None
    """(r, 1 + resamples), the first of the patients as they are; None where it cannot be told."""
    head: str = ""
    patients: int = 0
    positives: int | None = None
    note: str = ""

    @property
    def mean(self) -> Floats:
        """(1 + resamples,) over the runs.

        Raises:
            ValueError: it cannot be told.
        """
        if self.values is None:
            raise ValueError(self.note)
        return np.asarray(self.values.mean(axis=0))


@dataclass(frozen=True, eq=False)
class Views:
    """k tables of predictions, of configurations or of subsets, for the same patients."""

    tasks: tuple[Judged | None, ...]
    """(k,)"""
    dice: tuple[DiceRuns | None, ...]
    """(k,)"""
    task_draws: Draws | None
    dice_draws: Draws | None
    tasks_left_out: int
    """Cases that not all of the tables predict."""
    dice_left_out: int

    def draws(self, name: str) -> Draws | None:
        """Of the cases that a metric is of; None if no table has it."""
        return self.dice_draws if name in DICE else self.task_draws

    def left_out(self, name: str) -> int:
        """How many cases a metric leaves out, since not all of the tables have them."""
        return self.dice_left_out if name in DICE else self.tasks_left_out

    def values(self, number: int, name: str) -> Values:
        """One metric of one table.

        Raises:
            ValueError: the metric is unknown.
        """
        if name not in TITLES:
            raise ValueError(f"metrics are some of {', '.join(TITLES)}, not {name!r}")
        if name in DICE:
            one, draws = self.dice[number], self.dice_draws
            return Values(None) if one is None or draws is None else _dice(one, name, draws)
        tasks = self.tasks[number]
        if tasks is None or self.task_draws is None:
            return Values(None)
        return _task(tasks, name, self.task_draws)


def views_of(
    given: Sequence[tuple[Configuration, str]],
    judge: ReferenceStandard,
    config: TaskScoreConfig,
) -> Views:
    """Tables of predictions cut down to the patients whom all of them predict in full.

    Args:
        given: configurations, each with the sequences that it was given.
        judge: what is known of the patients.
        config: of the draws, which are the same for all tables.

    Raises:
        ValueError: as `predictions.runs_of` and `segmentation.dice_runs`, no patient is
            in all tables, or one is not in the cohort.
    """
    checked: dict[str, tuple[pd.DataFrame | None, pd.DataFrame | None]] = {}
    for one, _ in given:
        if one.name not in checked:
            checked[one.name] = one.checked()
    runs, dice = _side_by_side([(*checked[one.name], sequences) for one, sequences in given])
    shared, of_tasks = _common(runs)
    cut = iter(common_dice(one for one in dice if one is not None))
    kept = [None if one is None else next(cut) for one in dice]
    of_dice = {case for one in dice if one is not None for case in one.cases}
    first = next((one for one in kept if one is not None), None)
    return Views(
        tasks=tuple(
            None if one is None else judged(one.take(shared), judge.truth, judge.training)
            for one in runs
        ),
        dice=tuple(kept),
        task_draws=draws_of(len(shared), config) if shared else None,
        dice_draws=None if first is None else draws_of(len(first.cases), config, first.patients),
        tasks_left_out=of_tasks - len(shared),
        dice_left_out=len(of_dice) - len(first.cases) if first else 0,
    )


def _side_by_side(
    given: Sequence[tuple[pd.DataFrame | None, pd.DataFrame | None, str]],
) -> tuple[list[TaskRuns | None], list[DiceRuns | None]]:
    """Tables of tasks and of segmentation, each through one subset of sequences."""
    runs = [None if tasks is None else side_by_side(tasks, name) for tasks, _, name in given]
    dice = [None if dice is None else dice_side_by_side(dice, name) for _, dice, name in given]
    return runs, dice


def _common(tables: Sequence[TaskRuns | None]) -> tuple[list[str], int]:
    """The cases that all tables predict in full, and how many any of them names."""
    given = [one for one in tables if one is not None]
    if not given:
        return [], 0
    full = [set(np.array(one.cases, object)[one.predicted()]) for one in given]
    shared = sorted(set.intersection(*full))
    if not shared:
        raise ValueError("there is no case that all the tables predict in full")
    return shared, len({case for one in given for case in one.cases})


def _dice(one: DiceRuns, name: str, draws: Draws) -> Values:
    everyone = np.ones(len(one.cases), np.bool_)
    found = [mean_of(values, everyone)(draws.counts) for values in one.dice[DICE[name]]]
    return Values(np.stack(found), "segmentation", len(set(one.patients)))


def _task(one: Judged, name: str, draws: Draws) -> Values:
    metric = METRICS[name]
    heads = metric.heads_of(one.runs)
    if not heads:
        return Values(None)
    measures = [metric.measure(one, heads[0], number) for number in range(len(one.runs.runs))]
    first = measures[0]
    statistics = [measure.statistic for measure in measures if measure.statistic is not None]
    told = np.stack([one(draws.counts) for one in statistics]) if statistics else None
    if told is None or len(told) < len(measures) or not np.isfinite(told).any(axis=1).all():
        note = next((m.note for m in measures if m.statistic is None), "not estimable")
        return Values(None, heads[0], first.patients, first.positives, note)
    return Values(told, heads[0], first.patients, first.positives, first.note)


def interval_of(spread: Floats, draws: Draws | None) -> Interval | None:
    """Of (1 + resamples,) values; None where no resample has one."""
    if draws is None or not np.isfinite(spread[1:]).any():
        return None
    return draws.interval(spread)
