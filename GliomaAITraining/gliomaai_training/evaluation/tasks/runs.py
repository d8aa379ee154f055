"""The runs of a cross-validation, their tasks judged and summed up for a pack."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gliomaai_training.evaluation.tasks.evaluation import TaskResults, evaluate_tasks
from gliomaai_training.evaluation.tasks.evidence import evidence_sentences
from gliomaai_training.evaluation.tasks.measures import SCORE_CONFIG, TaskScoreConfig
from gliomaai_training.evaluation.tasks.predictions import COMPLETE, FOLD
from gliomaai_training.evaluation.tasks.summary import (
    RunSummary,
    TaskSummary,
    everyone_summary,
    run_summary,
)
from gliomaai_training.evaluation.tasks.truth import TaskTruth, joined, read_true_risk, truth_of

if TYPE_CHECKING:
    from gliomaai_training.training.config import FitConfig
    from gliomaai_training.training.run_folder import FinishedRun


@dataclass(frozen=True, eq=False)
class PredictedRun:
    """What a run says of patients whom it has not learnt from; tables as in `predictions`, without
    `run`."""

    run: "FinishedRun"
    test: pd.DataFrame
    validation: pd.DataFrame
    """No rows if there are no such patients."""

    def named(self, table: pd.DataFrame) -> pd.DataFrame:
        """One of the tables with `run` and `fold`."""
        record = self.run.record
        names = {"run": f"seed {record.config.seed}", FOLD: str(record.fold)}
        return table.assign(**names) if len(table) else table

    @property
    def seen_through_all(self) -> pd.DataFrame:
        """Everybody, through all sequences."""
        everybody = pd.concat([self.test, self.validation], ignore_index=True)
        return everybody[everybody["sequences"] == COMPLETE]


def has_tasks(runs: "Sequence[FinishedRun]") -> bool:
    """Whether the runs' network has heads.

    Raises:
        ValueError: it has, and another run has another network.
    """
    networks = [run.record.config.network for run in runs]
    if not any(network.get("tasks") for network in networks):
        return False
    if any(network != networks[0] for network in networks):
        raise ValueError("the runs have different networks: evaluate those of one recipe together")
    return True


def known_truth(config: "FitConfig", data: Path) -> TaskTruth | None:
    """What the tables tell of the patients that a run of this configuration can be judged on; None
    where they tell nothing."""
    from gliomaai_training.cohorts.simulated import NAME as SIMULATED
    from gliomaai_training.training.cases import clinical_cohort

    found = []
    for cohort in config.cohorts:
        clinical = clinical_cohort(cohort, data) if cohort.evaluated else None
        if clinical is not None:
            table = data / cohort.table
            risk = read_true_risk(table) if cohort.clinical == SIMULATED else None
            found.append(truth_of(clinical, risk))
    return joined(found) if found else None


def judge_runs(
    predicted: Sequence[PredictedRun],
    data: Path,
    out: Path,
    config: TaskScoreConfig = SCORE_CONFIG,
) -> TaskSummary:
    """Judges the tasks of runs, writes tables and figures, and sums up what a pack needs.

    Args:
        predicted: of one network's runs; those of one seed are folds of one cross-validation.
        data: folder of the cohort tables.
        out: folder of tables and figures.
        config: of the intervals.

    Raises:
        ValueError: as `evaluation.evaluate_tasks`, or a table cannot be read.
    """
    from gliomaai_training.training.cases import cohort_words, lesson

    recipe = predicted[0].run.record.config
    truth = known_truth(recipe, data)
    patients = cohort_words([one for one in recipe.cohorts if one.clinical and one.evaluated])
    results = _results(predicted, truth, config)
    if results is not None:
        results.write(out)
    temperatures = {} if results is None else results.temperatures
    return TaskSummary(
        network=recipe.network,
        temperatures={task: round(one.temperature, 4) for task, one in temperatures.items()},
        evidence=() if results is None else evidence_sentences(results, patients),
        runs={one.run.sha256: _of_run(one, data, truth, patients) for one in predicted},
        everyone=everyone_summary(lesson(recipe, data, None)),
    )


def _results(
    predicted: Sequence[PredictedRun], truth: TaskTruth | None, config: TaskScoreConfig
) -> TaskResults | None:
    if truth is None:
        return None
    test = pd.concat([one.named(one.test) for one in predicted], ignore_index=True)
    validation = pd.concat([one.named(one.validation) for one in predicted], ignore_index=True)
    return evaluate_tasks(test, validation, truth, config)


def _of_run(one: PredictedRun, data: Path, truth: TaskTruth | None, patients: str) -> RunSummary:
    from gliomaai_training.training.cases import lesson

    record = one.run.record
    asked = one.seen_through_all
    if truth is not None:
        asked = asked[asked["case"].isin(truth.cases)]
    return run_summary(lesson(record.config, data, record.fold), asked, truth, patients)
