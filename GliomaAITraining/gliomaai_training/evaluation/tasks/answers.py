"""Predictions of one task beside the truth, row by row: for calibration and abstention."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.facts import FACTS, fact_probabilities
from gliomaai_training.evaluation.tasks.predictions import COMPLETE, FOLD, class_columns
from gliomaai_training.evaluation.tasks.truth import TaskTruth
from gliomaai_training.evaluation.tasks.uncertainty import MEASURES
from gliomaai_training.interpretation.explanations import STATE

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]
Names = NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Predictions of patients whom a model was not trained on.

    Raises:
        ValueError: a network was asked the same case in both: what is chosen on a patient cannot be
            judged on the same one.
    """

    validation: pd.DataFrame
    """On whom temperatures and thresholds are chosen: a table as in `predictions`, in which
    several networks (by `fold`) may have been asked the same case."""
    test: pd.DataFrame
    """On whom they are judged."""

    def __post_init__(self) -> None:
        asked = [set(zip(networks_of(one), one["patient"], strict=True)) for one in self._both()]
        if shared := len(asked[0] & asked[1]):
            raise ValueError(f"{shared} validation patients are among the same network's test ones")

    def _both(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        return self.validation, self.test


@dataclass(frozen=True, eq=False)
class Answers:
    """What networks answered to one task, m rows, of patients of whom something is known."""

    task: str
    case: Names
    """(m,)"""
    run: Names
    """(m,)"""
    fold: Names
    """(m,) which of a run's networks was asked; "" where there is one."""
    probabilities: Floats
    """(m, k); of a grade that follows from the state they may sum to less than 1."""
    possible: Rows
    """(m, k) which classes the patient can have, never all."""
    spread: dict[str, Floats] = field(default_factory=dict)
    """Of `uncertainty.MEASURES` those that the table has, (m,)."""

    @property
    def decided(self) -> Rows:
        """(m,) of whom the class is known."""
        return np.asarray(self.possible.sum(axis=1) == 1)

    @property
    def confidence(self) -> Floats:
        """(m,) probability of the most likely class."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def correct(self) -> Rows:
        """(m,) whether the most likely class is the patient's; of use where that is decided."""
        chosen = self.probabilities.argmax(axis=1)
        return np.asarray(self.possible[np.arange(len(chosen)), chosen])

    def take(self, rows: Rows) -> Self:
        """Some of the rows (m,)."""
        spread = {name: values[rows] for name, values in self.spread.items()}
        others = {
            one.name: getattr(self, one.name)[rows]
            for one in fields(self)
            if one.name not in ("task", "spread")
        }
        return type(self)(task=self.task, spread=spread, **others)


def tasks_in(table: pd.DataFrame) -> tuple[str, ...]:
    """The tasks that a table answers, by a head of their own or through the state."""
    own = [task for task in CLASSES if set(class_columns(task)) <= set(table.columns)]
    through_state = [task for task in FACTS if STATE in own and task not in own]
    return tuple(task for task in CLASSES if task in own or task in through_state)


def answers(table: pd.DataFrame, truth: TaskTruth, task: str, sequences: str = COMPLETE) -> Answers:
    """A task's predictions from one subset of sequences, of those of whom something is known.

    Args:
        table: as in `predictions`.
        truth: of the cases.
        task: one of `tasks_in`.
        sequences: as `tables.subset_name` writes them.

    Raises:
        ValueError: the table does not answer the task, nothing was predicted from these sequences,
            or a case is not in the truth.
    """
    if task not in tasks_in(table):
        raise ValueError(
            f"the predictions do not answer {task!r}, but {', '.join(tasks_in(table))}"
        )
    part = table[table["sequences"] == sequences]
    if part.empty:
        raise ValueError(f"nothing was predicted from {sequences}")
    case = part["case"].to_numpy(object)
    run, fold = (np.array(names, object) for names in zip(*networks_of(part), strict=True))
    found = Answers(
        task=task,
        case=case,
        run=run,
        fold=fold,
        probabilities=_probabilities(part, task),
        possible=truth.take(tuple(case)).possible[task],
        spread={
            name: part[f"{task}_{name}"].to_numpy(np.float64)
            for name in MEASURES
            if f"{task}_{name}" in part.columns
        },
    )
    known = ~found.possible.all(axis=1) & np.isfinite(found.probabilities).all(axis=1)
    return found.take(np.asarray(known))


def networks_of(table: pd.DataFrame) -> list[tuple[str, str]]:
    """For each row the run, and which of its networks was asked."""
    folds = table[FOLD].astype(str).tolist() if FOLD in table.columns else [""] * len(table)
    return list(zip(table["run"].astype(str), folds, strict=True))


def draws_of_rows(
    draws: NDArray[np.int64], case: Names, cases: Collection[str]
) -> NDArray[np.int64]:
    """(resamples, m) how often each row is drawn where its patient is.

    Args:
        draws: (resamples, n) of the patients.
        case: (m,) of each row.
        cases: (n,) in the order of the draws.
    """
    place = {name: number for number, name in enumerate(cases)}
    return draws[:, [place[name] for name in case]]


def _probabilities(part: pd.DataFrame, task: str) -> Floats:
    if set(class_columns(task)) <= set(part.columns):
        return part[class_columns(task)].to_numpy(np.float64)
    return fact_probabilities(part[class_columns(STATE)].to_numpy(np.float64))[task]
