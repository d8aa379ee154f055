"""What a metric of a task is: a statistic of resampled patients, or the reason why there is none.

Every interval and every paired difference then comes from the same draws of patients, and what
cannot be told of some patients is said in the table instead of ending the evaluation.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import (
    BOOTSTRAP,
    BootstrapConfig,
    Interval,
    patient_draws,
    percentile_interval,
)
from gliomaai_training.evaluation.probability_scores import resampled_calibration_error
from gliomaai_training.evaluation.tasks.predictions import RISK, TaskRuns
from gliomaai_training.evaluation.tasks.truth import Rows, TaskTruth
from gliomaai_training.survival.outcome import Outcome

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

Statistic = Callable[[Counts], Floats]
"""From (resamples, n) counts of how often each case was drawn to (resamples,) values; NaN where a
resample has none."""

FEWEST = 2
"""Patients of each kind, for an AUC; patients, for a mean."""

INDEPENDENT = "independent"
"""Stands for the heads of single facts, each alone, where several of them are read together."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Predictions beside the truth of the same n cases."""

    runs: TaskRuns
    truth: TaskTruth
    training: Outcome | None = None
    """Of the patients that the networks learned from: their follow-up gives Uno's weights. None:
    the judged patients' own."""


def judged(runs: TaskRuns, truth: TaskTruth, training: Outcome | None = None) -> Judged:
    """Predictions beside what is known of the same cases.

    Raises:
        ValueError: a predicted case is not in the cohort.
    """
    return Judged(runs, truth.take(runs.cases), training)


@dataclass(frozen=True, eq=False)
class Measure:
    """One metric of one run."""

    patients: int
    """Of whom the truth is known and who were predicted."""
    positives: int | None
    """Of these, with the fact asked for; of a concordance, deaths; None where it has no meaning."""
    statistic: Statistic | None
    """None where it cannot be told of these patients."""
    note: str = ""
    """Why it cannot be told, or how many were left out."""


@dataclass(frozen=True)
class Metric:
    """What is measured of a run."""

    title: str
    heads: tuple[str, ...]
    """That it can be read from, the preferred one first."""
    measure: Callable[[Judged, str, int], Measure]
    """By one of the heads, of the run of this number."""
    higher_is_better: bool = True

    def heads_of(self, runs: TaskRuns) -> tuple[str, ...]:
        """Those of its heads that the network has."""
        return tuple(head for head in self.heads if has_head(runs, head))


def has_head(runs: TaskRuns, head: str) -> bool:
    """Whether a network has a head, or all those that `INDEPENDENT` stands for."""
    if head == RISK:
        return runs.risk is not None
    if head == INDEPENDENT:
        return {"idh", "codeletion_1p19q"} <= set(runs.probabilities)
    return head in runs.probabilities


def measured(statistic: Statistic, known: Rows, rows: Rows, yes: Rows | None = None) -> Measure:
    """A measure of `rows`, those of the `known` who were predicted; (n,) each."""
    patients, left_out = int(rows.sum()), int((known & ~rows).sum())
    positives = None if yes is None else int(yes[rows].sum())
    if patients < FEWEST:
        return cannot(patients, positives, f"{patients} patients are too few")
    note = f"{left_out} without a prediction left out" if left_out else ""
    return Measure(patients, positives, statistic, note)


def cannot(patients: int, positives: int | None, reason: str) -> Measure:
    """What cannot be told of these patients."""
    return Measure(patients, positives, None, f"not estimable: {reason}")


def mean_of(values: Floats, rows: Rows) -> Statistic:
    """The mean of (n,) values over some rows."""
    kept = values[rows]

    def statistic(draws: Counts) -> Floats:
        of_rows = draws[:, rows]
        drawn = of_rows.sum(axis=1)
        found: Floats = np.full(len(draws), np.nan)
        np.divide(of_rows @ kept, drawn, out=found, where=drawn > 0)
        return found

    return statistic


def calibration_error_of(
    chance: Floats, right: Rows, rows: Rows, equal_mass: bool = True
) -> Statistic:
    """The calibration error of (n,) probabilities over some rows."""
    return lambda draws: resampled_calibration_error(
        chance[rows], right[rows], draws[:, rows], equal_mass
    )


@dataclass(frozen=True)
class TaskScoreConfig:
    """How intervals are made."""

    bootstrap: BootstrapConfig = BOOTSTRAP
    seed: int = 1
    """Of the draws, which are the same for every metric, run and configuration."""


SCORE_CONFIG = TaskScoreConfig()
"""What is used where nothing else is asked for."""


@dataclass(frozen=True, eq=False)
class Draws:
    """Resamples of n cases by patient, after the cases as they are."""

    counts: Counts
    """(1 + resamples, n), the first row ones."""
    level: float

    def values(self, statistics: Sequence[Statistic]) -> Floats:
        """(1 + resamples,) mean of several statistics, the first of the cases as they are."""
        return np.asarray(np.mean([one(self.counts) for one in statistics], axis=0))

    def interval(self, values: Floats) -> Interval:
        """Of `values`.

        Raises:
            ValueError: no resample has a value.
        """
        return percentile_interval(float(values[0]), values[1:], self.level)


def draws_of(cases: int, config: TaskScoreConfig, patients: Sequence[str] | None = None) -> Draws:
    """The draws of so many cases; `patients` as in `bootstrap.patient_draws`."""
    generator = np.random.default_rng(config.seed)
    drawn = patient_draws(cases, generator, config.bootstrap.resamples, patients)
    counts = np.concatenate([np.ones((1, cases), np.int64), drawn])
    return Draws(counts, config.bootstrap.level)


def check_metrics(asked: Sequence[str], known: Collection[str]) -> None:
    """
    Raises:
        ValueError: a metric is unknown, or none is asked for.
    """
    unknown = [name for name in asked if name not in known]
    if unknown or not asked:
        raise ValueError(f"metrics are some of {', '.join(known)}, not {unknown or 'none'}")
