"""What was measured of a network's tasks, in sentences that go with its pack."""

from collections.abc import Iterator, Sequence

import pandas as pd

from gliomaai_training.evaluation.tasks.calibration import SCALED
from gliomaai_training.evaluation.tasks.coherence import HEADS, KINDS, MARGINALS
from gliomaai_training.evaluation.tasks.comparison import Row, records
from gliomaai_training.evaluation.tasks.evaluation import TaskResults
from gliomaai_training.evaluation.tasks.scores import LEAK
from gliomaai_training.evaluation.tasks.temperature import heads_in

CHANCE = 0.5
"""Of an AUC and of a concordance."""

TOLD = (
    "idh_auc",
    "codeletion_auc",
    "codeletion_in_mutant_auc",
    "grade_4_auc",
    "histology_auc",
    "harrell_c",
    "harrell_c_within_states",
)

TASK_WORDS = {
    "state": "the WHO state",
    "idh": "IDH",
    "codeletion_1p19q": "1p/19q",
    "grade": "the grade",
    "histology": "the histology",
}


def evidence_sentences(results: TaskResults, patients: str) -> tuple[str, ...]:
    """One sentence for each figure, each to be read alone.

    Args:
        results: what was measured.
        patients: who they are, in words: `simulated patients`.
    """
    return (
        _source(results, patients),
        *_discrimination(results.scores),
        *_calibration(results.calibration, heads_in(results.held.test)),
        *_coherence(results.coherence),
        *_leaks(results.oracle),
    )


def _source(results: TaskResults, patients: str) -> str:
    count = results.networks
    networks = "the network" if count == 1 else f"{count} networks trained alike"
    return (
        f"Measured on {len(results.judged.runs.cases)} {patients} whom {networks} had not seen, "
        "through all four sequences; intervals are 95 % by patient."
    )


def _discrimination(scores: pd.DataFrame) -> Iterator[str]:
    told = scores[scores["metric"].isin(TOLD)]
    several = told["run"].nunique() > 1
    for row in records(told.drop_duplicates(["run", "metric"])):
        run = f" ({row['run']})" if several else ""
        yield f"{row['title']}{run}: {_value(row)}."


def _value(row: Row) -> str:
    if pd.isna(row["estimate"]):
        return str(row["note"])
    counts = f"{row['patients']} patients"
    if pd.notna(row["positives"]):
        kind = "deaths" if " C, " in row["title"] else "with it"
        counts += f", {int(row['positives'])} {kind}"
    value = f"{row['estimate']:.2f} ({row['low']:.2f} to {row['high']:.2f}) in {counts}"
    return f"{value}{_beside_chance(row['low'], row['high'])}"


def _beside_chance(low: float, high: float) -> str:
    if high < CHANCE:
        return "; that is worse than chance"
    if low <= CHANCE:
        return "; the interval covers chance (0.5), so that nothing was shown"
    return ""


def _calibration(table: pd.DataFrame, heads: Sequence[str]) -> Iterator[str]:
    """Of each head after its temperature, if it has one."""
    if table.empty:
        return
    for task, part in table[table["task"].isin(heads)].groupby("task", sort=False):
        scaled = part[part["probabilities"] == SCALED]
        row = records(scaled if len(scaled) else part)[0]
        how = (
            f"with temperature {row['temperature']}"
            if len(scaled)
            else "as predicted, since nobody was left to fit a temperature on"
        )
        yield (
            f"Calibration error of {TASK_WORDS[str(task)]}: {row['ECE, equal mass']} {how}; "
            f"calibrated answers would show {row['ECE by chance']} by chance."
        )


def _coherence(table: pd.DataFrame) -> Iterator[str]:
    either = table[(table["kind"] == KINDS[-1]) & (table["head"] != HEADS[MARGINALS])]
    for head, part in either.groupby("head", sort=False):
        yield (
            f"Answers that WHO 2021 does not know ({head}): {part['incoherent'].sum()} of "
            f"{part['patients'].sum()}."
        )


def _leaks(oracle: pd.DataFrame | None) -> Iterator[str]:
    if oracle is not None and (oracle["finding"] == LEAK).any():
        yield "The risk orders patients better than their true risk does: it has seen too much."
