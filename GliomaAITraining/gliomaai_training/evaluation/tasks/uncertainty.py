"""Uncertainty in tables of predictions: of dropout's samples, and of ensembles made from tables."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.evaluation.tasks.predictions import KEYS, RISK, class_columns
from gliomaai_training.inference.ensemble import RiskScale, risk_scale, standardised
from gliomaai_training.inference.uncertainty import TaskSamples

MEASURES = ("std", "entropy", "information", "disagreement")
"""Of a task: the columns `TASK_MEASURE` beside the probabilities."""
RISK_STD = f"{RISK}_std"
ENSEMBLE = "ensemble"
"""The run of an ensemble's rows."""

_MATCHED = ["case", "patient", "sequences"]


def uncertainty_table(samples: TaskSamples, rows: pd.DataFrame) -> pd.DataFrame:
    """Mean predictions with their uncertainty, in the form of `predictions`.

    Args:
        samples: of n patients.
        rows: (n,) with the columns `KEYS`.

    Returns:
        `KEYS`, `TASK:CLASS`, `risk` and `risk_std` if there is a risk, and for each task
        `TASK_std` (of the most likely class), `TASK_entropy` and `TASK_information` (bits) and
        `TASK_disagreement`, also for the facts that follow from the state.

    Raises:
        ValueError: a column is missing, or there are not as many rows as patients.
    """
    if missing := set(KEYS) - set(rows.columns):
        raise ValueError(f"the rows lack the columns {', '.join(sorted(missing))}")
    if len(rows) != samples.patients:
        raise ValueError(f"{len(rows)} rows for {samples.patients} patients")
    found = samples.summary()
    columns: dict[str, object] = {name: rows[name].to_numpy() for name in KEYS}
    for task in samples.probabilities:
        means = found.choices[task].probabilities.T
        columns |= dict(zip(class_columns(task), means, strict=True))
    if found.risk is not None:
        columns |= {RISK: found.risk.mean, RISK_STD: found.risk.deviation}
    for task, one in found.choices.items():
        spreads = (one.chosen_deviation, one.entropy_bits, one.information_bits, one.disagreement)
        columns |= {f"{task}_{name}": part for name, part in zip(MEASURES, spreads, strict=True)}
    return pd.DataFrame(columns)


def ensemble_of_tables(
    tables: Sequence[pd.DataFrame], scales: Sequence[RiskScale] | None = None
) -> tuple[pd.DataFrame, TaskSamples]:
    """Several networks' predictions as one ensemble's, of the rows that all of them have.

    Args:
        tables: one for each network, as in `predictions`; rows are matched by case and subset
            of sequences.
        scales: of each network's risks; None takes each table's own risks, all rows of it.

    Returns:
        Rows for `uncertainty_table`, and the samples of these rows.

    Raises:
        ValueError: fewer than two tables, a case twice in one, no case in all, or other tasks.
    """
    if len(tables) < 2:
        raise ValueError(f"an ensemble needs at least two members, not {len(tables)}")
    indexed = [table.set_index(_MATCHED) for table in tables]
    if any(one.index.has_duplicates for one in indexed):
        raise ValueError("a member has two rows for a case with the same sequences")
    shared = indexed[0].index
    for one in indexed[1:]:
        shared = shared[shared.isin(one.index)]
    if shared.empty:
        raise ValueError("no case with the same sequences is in all tables")
    samples = TaskSamples.of_all_looks([_look(one.loc[shared]) for one in indexed])
    if scales is None and samples.risk is not None:
        scales = [risk_scale(one[RISK]) for one in indexed]
    rows = shared.to_frame(index=False).assign(run=ENSEMBLE)[list(KEYS)]
    return rows, standardised(samples, scales)


def _look(table: pd.DataFrame) -> TaskSamples:
    """One network's answers."""
    probabilities = {
        task: table[class_columns(task)].to_numpy(np.float64)[None]
        for task in CLASSES
        if set(class_columns(task)) <= set(table.columns)
    }
    has_risk = RISK in table.columns and bool(table[RISK].notna().all())
    return TaskSamples(probabilities, table[RISK].to_numpy(np.float64)[None] if has_risk else None)
