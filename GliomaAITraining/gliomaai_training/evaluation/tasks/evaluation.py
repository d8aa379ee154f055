"""How well the runs of one network do its tasks: calibrated on some held-out patients, judged on
others, with everything that a report and a model pack tell of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from gliomaai_training.evaluation.tables import write_table
from gliomaai_training.evaluation.tasks.answers import HeldOut, networks_of
from gliomaai_training.evaluation.tasks.calibration import calibration_table
from gliomaai_training.evaluation.tasks.coherence import coherence_table
from gliomaai_training.evaluation.tasks.comparison import rounded
from gliomaai_training.evaluation.tasks.figures import reliability_curves, task_reliability_figure
from gliomaai_training.evaluation.tasks.measures import (
    SCORE_CONFIG,
    Judged,
    TaskScoreConfig,
    judged,
)
from gliomaai_training.evaluation.tasks.predictions import FOLD, runs_of
from gliomaai_training.evaluation.tasks.scores import oracle_table, readable_scores, task_scores
from gliomaai_training.evaluation.tasks.temperature import (
    TemperatureFit,
    fit_temperatures,
    rescaled,
)
from gliomaai_training.evaluation.tasks.truth import TaskTruth

PREDICTIONS = "task_predictions.csv"
"""As the networks answered the judged patients, before temperatures."""
NUMBERS = "task_numbers.csv"
"""Of `scores.task_scores`."""
SCORES, CALIBRATION, COHERENCE, ORACLE = "tasks", "task_calibration", "coherence", "oracle"
"""Stems of tables."""
RELIABILITY = "task_reliability.png"

Temperatures = Mapping[str, TemperatureFit]
"""By task."""


@dataclass(frozen=True, eq=False)
class TaskResults:
    """What was measured; probabilities are judged after their temperatures."""

    held: HeldOut
    """As predicted."""
    judged: Judged
    """The same test patients after temperature scaling, beside the truth."""
    temperatures: Temperatures
    """Of a pack: fitted on everybody whom temperatures were fitted on. Empty where nobody was."""
    scores: pd.DataFrame
    """Of `scores.task_scores`."""
    calibration: pd.DataFrame
    """Of `calibration.calibration_table`."""
    coherence: pd.DataFrame
    """Of `coherence.coherence_table`."""
    oracle: pd.DataFrame | None
    """Of `scores.oracle_table`; None where no true risk is known or no risk is predicted."""

    @property
    def networks(self) -> int:
        """How many were judged."""
        return len(set(networks_of(self.held.test)))

    def write(self, folder: Path) -> None:
        """Writes tables and figures."""
        folder.mkdir(parents=True, exist_ok=True)
        self.held.test.to_csv(folder / PREDICTIONS, index=False)
        rounded(self.scores).to_csv(folder / NUMBERS, index=False)
        tables = {
            SCORES: readable_scores(self.scores),
            CALIBRATION: self.calibration,
            COHERENCE: rounded(self.coherence),
            ORACLE: pd.DataFrame() if self.oracle is None else rounded(self.oracle),
        }
        for stem, table in tables.items():
            if len(table):
                write_table(table, folder / stem)
        if reliability_curves(self.judged):
            task_reliability_figure(self.judged, folder / RELIABILITY)


def calibrating(test: pd.DataFrame, validation: pd.DataFrame) -> pd.DataFrame:
    """Predictions to fit each network's temperatures on.

    Those of its own validation patients; without any, those that the other networks of the same run
    (its other folds) made of the patients whom they had not seen, as if this network had made them.

    Args:
        test: as in `predictions`, with the column `fold`.
        validation: the same of validation patients; may have no rows.

    Returns:
        A table in the same form, without rows where one network stands alone.
    """
    if len(validation):
        return validation
    lent = [
        test[(test["run"] == run) & (test[FOLD].astype(str) != fold)].assign(**{FOLD: fold})
        for run, fold in sorted(set(networks_of(test)))
    ]
    return pd.concat(lent, ignore_index=True)


def evaluate_tasks(
    test: pd.DataFrame,
    validation: pd.DataFrame,
    truth: TaskTruth,
    config: TaskScoreConfig = SCORE_CONFIG,
) -> TaskResults:
    """Fits the temperatures and judges the tasks.

    Args:
        test: predictions of patients whom the networks had not seen, as in `predictions`; with the
            column `fold`. Those that the truth does not know are left out.
        validation: the same of validation patients, on whom temperatures are fitted; may be empty:
            see `calibrating`.
        truth: of the cases.
        config: of the intervals.

    Raises:
        ValueError: nothing is known of any test patient, or as `predictions.check_predictions`.
    """
    tables = [one[one["case"].isin(truth.cases)] for one in (test, validation) if len(one)]
    if tables[0].empty:
        raise ValueError(f"nothing is known of the {len(test)} predicted cases")
    fitted_on = calibrating(tables[0], tables[1] if len(tables) > 1 else tables[0].iloc[:0])
    held = HeldOut(fitted_on, tables[0])
    scaled = rescaled(held.test, fit_temperatures(fitted_on, truth))
    one = judged(runs_of(scaled), truth)
    knows_risk = truth.true_log_risk is not None and one.runs.risk is not None
    return TaskResults(
        held=held,
        judged=one,
        temperatures=_of_all(fitted_on, truth),
        scores=task_scores(one, config),
        calibration=calibration_table(
            {"": held}, truth, np.random.default_rng(config.seed), config=config.bootstrap
        ).drop(columns="model", errors="ignore"),
        coherence=coherence_table(one.runs),
        oracle=oracle_table(one, config) if knows_risk else None,
    )


def _of_all(fitted_on: pd.DataFrame, truth: TaskTruth) -> Temperatures:
    """One temperature for each task, of all networks together."""
    found = fit_temperatures(fitted_on.assign(run="", **{FOLD: ""}), truth)
    return next(iter(found.values()), {})
