"""The table of what networks say of patients beside the segmentation: its form, and its runs.

One row for each case, subset of sequences and run, with the columns of `KEYS`, for each task that
chooses between classes `TASK:CLASS` with the probability of each of `data.targets.CLASSES[TASK]`,
and `risk` (log-risk, higher is worse). A run is one training, named after its seed: the folds of
a cross-validation are one run together, and a column `fold` says which network a case was asked of,
since log-risks of two networks have different zeros and are never compared.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.evaluation.tables import all_subsets, subset_name
from gliomaai_training.vocabulary import SEQUENCES

Floats = NDArray[np.float64]

KEYS = ("case", "patient", "run", "sequences")
RISK = "risk"
FOLD = "fold"

COMPLETE = subset_name(SEQUENCES)
"""All four sequences."""

TOLERANCE = 1e-3
"""How far from 1 the sum of a task's probabilities may lie, as rounding leaves it."""


def class_columns(task: str) -> list[str]:
    """The columns of a task's probabilities, in the order of its classes."""
    return [f"{task}:{name}" for name in CLASSES[task]]


@dataclass(frozen=True, eq=False)
class TaskRuns:
    """What r runs say of the same n cases, through the same sequences."""

    cases: tuple[str, ...]
    runs: tuple[str, ...]
    probabilities: Mapping[str, Floats]
    """By task (r, n, classes), summing to 1; NaN for a case without a prediction."""
    risk: Floats | None
    """(r, n), NaN for a case without; None if the network has no such head."""
    folds: NDArray[np.object_]
    """(r, n) which network of a run each case was asked of; the same everywhere if there is one."""

    def take(self, cases: Sequence[str]) -> Self:
        """Some of the cases, in this order.

        Raises:
            ValueError: one of them is not there.
        """
        place = {case: number for number, case in enumerate(self.cases)}
        absent = sum(case not in place for case in cases)
        if absent:
            raise ValueError(f"{absent} of {len(cases)} cases were not predicted")
        rows = [place[case] for case in cases]
        return replace(
            self,
            cases=tuple(cases),
            probabilities={task: p[:, rows] for task, p in self.probabilities.items()},
            risk=None if self.risk is None else self.risk[:, rows],
            folds=self.folds[:, rows],
        )

    def predicted(self) -> NDArray[np.bool_]:
        """(n,) of whom every head says something in every run."""
        found = np.ones(len(self.cases), np.bool_)
        for values in self.probabilities.values():
            found &= np.isfinite(values).all(axis=(0, 2))
        return found if self.risk is None else found & np.isfinite(self.risk).all(axis=0)


def read_predictions(file: Path) -> pd.DataFrame:
    """A table of predictions from CSV; names that look like numbers stay as they are.

    Raises:
        ValueError: as `check_predictions`, or there is no such file.
    """
    if not file.is_file():
        raise ValueError(f"there is no table of predictions {file}")
    table = pd.read_csv(file, dtype=dict.fromkeys((*KEYS, FOLD), str))
    check_predictions(table)
    return table


def check_predictions(table: pd.DataFrame) -> None:
    """
    Raises:
        ValueError: a column is missing or unknown, there are no rows, two rows are of the same
            case, run and sequences, a subset of sequences is unknown, or a value is no probability
            or no risk.
    """
    missing = [name for name in KEYS if name not in table.columns]
    if missing:
        raise ValueError(f"the predictions lack the columns {', '.join(missing)}")
    if table.empty:
        raise ValueError("the table of predictions is empty")
    if table[list(KEYS)].isna().to_numpy().any():
        raise ValueError(f"a cell of {', '.join(KEYS)} is empty")
    subsets = {subset_name(subset) for subset in all_subsets()}
    unknown = sorted(set(table["sequences"].astype(str)) - subsets)
    if unknown:
        raise ValueError(f"sequences {unknown[0]!r} are not written as {COMPLETE!r} is")
    twice = int(table.duplicated(["case", "run", "sequences"]).sum())
    if twice:
        raise ValueError(f"{twice} rows repeat the case, run and sequences of another")
    tasks = _tasks(table)
    if not tasks and RISK not in table.columns:
        raise ValueError(f"the predictions have neither TASK:CLASS columns nor {RISK}")
    for task in tasks:
        _check_probabilities(task, table[class_columns(task)].to_numpy(np.float64))
    if RISK in table.columns and np.isinf(table[RISK].to_numpy(np.float64)).any():
        raise ValueError("a risk is infinite")


def runs_of(table: pd.DataFrame, sequences: str = COMPLETE) -> TaskRuns:
    """The runs of a table, side by side, for one subset of sequences.

    Raises:
        ValueError: as `check_predictions`, nothing was predicted from these sequences, or not every
            run predicts every case.
    """
    check_predictions(table)
    return side_by_side(table, sequences)


def side_by_side(table: pd.DataFrame, sequences: str) -> TaskRuns:
    """As `runs_of`, of a table that has been checked.

    Raises:
        ValueError: nothing was predicted from these sequences, or not every run predicts every
            case.
    """
    part = table[table["sequences"].astype(str) == sequences]
    if part.empty:
        raise ValueError(f"nothing was predicted from {sequences}")
    part = part.assign(case=part["case"].astype(str), run=part["run"].astype(str))
    runs, cases = sorted(part["run"].unique()), sorted(part["case"].unique())
    if len(part) != len(runs) * len(cases):
        raise ValueError(
            f"{len(runs)} runs predict {len(cases)} cases, but not each of them all: {len(part)} "
            "rows; the folds of one seed are one run, told apart by a column fold"
        )
    part = part.sort_values(["run", "case"], kind="stable")
    shape = (len(runs), len(cases))
    found = {}
    for task in _tasks(table):
        values = part[class_columns(task)].to_numpy(np.float64).reshape(*shape, -1)
        if np.isfinite(values).any():
            found[task] = values / values.sum(axis=2, keepdims=True)
    risk = part[RISK].to_numpy(np.float64).reshape(shape) if RISK in part.columns else None
    folds = part[FOLD].astype(str) if FOLD in part.columns else pd.Series("", part.index)
    return TaskRuns(
        cases=tuple(cases),
        runs=tuple(runs),
        probabilities=found,
        risk=risk if risk is not None and np.isfinite(risk).any() else None,
        folds=folds.to_numpy(object).reshape(shape),
    )


def _tasks(table: pd.DataFrame) -> list[str]:
    """The tasks whose probabilities a table holds.

    Raises:
        ValueError: a column names an unknown task or class, or a class of a task is missing.
    """
    named = [str(name) for name in table.columns if ":" in str(name)]
    tasks = [task for task in CLASSES if any(name.startswith(f"{task}:") for name in named)]
    known = {column for task in tasks for column in class_columns(task)}
    unknown = [name for name in named if name not in known]
    if unknown:
        raise ValueError(
            f"column {unknown[0]!r} is no TASK:CLASS of {', '.join(CLASSES)}, as {_EXAMPLE!r} is"
        )
    missing = sorted(known - set(named))
    if missing:
        raise ValueError(f"the predictions lack the columns {', '.join(missing)}")
    return tasks


_EXAMPLE = class_columns("idh")[1]


def _check_probabilities(task: str, values: Floats) -> None:
    known = np.isfinite(values)
    half = known.any(axis=1) & ~known.all(axis=1)
    if half.any():
        raise ValueError(f"{int(half.sum())} rows have some probabilities of {task}, but not all")
    rows = values[known.all(axis=1)]
    wrong = rows[(rows < 0) | (rows > 1)]
    if wrong.size:
        raise ValueError(f"{wrong[0]} is no probability of {task}")
    sums = rows.sum(axis=1)
    off = sums[np.abs(sums - 1.0) > TOLERANCE]
    if off.size:
        raise ValueError(f"probabilities of {task} sum to {off[0]:g}, not to 1")
