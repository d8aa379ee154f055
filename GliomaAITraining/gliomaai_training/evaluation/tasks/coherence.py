"""Predictions that WHO 2021 does not know: co-deleted but IDH-wildtype, or of grade 4.

Heads that answer one question each may contradict each other. The likeliest of the WHO states
cannot. Nor can its sums be co-deleted and IDH-wildtype; but where no state is likely, the likeliest
grade may be another state's than the likeliest answer to 1p/19q.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.facts import fact_probabilities
from gliomaai_training.diagnosis.states import CODELETED, LABELS, WILD_TYPE
from gliomaai_training.evaluation.paired import wilson_interval
from gliomaai_training.evaluation.tasks.measures import (
    INDEPENDENT,
    Judged,
    Measure,
    Metric,
    has_head,
    mean_of,
    measured,
)
from gliomaai_training.evaluation.tasks.predictions import TaskRuns

Words = NDArray[np.object_]

GRADE_4, GLIOBLASTOMA = CLASSES["grade"][-1], CLASSES["histology"][-1]

KINDS = (
    "co-deleted but IDH-wildtype",
    "oligodendroglioma of grade 4",
    "either",
)

STATE, MARGINALS = "state", "state, question by question"
HEADS = {
    STATE: "likeliest WHO state",
    MARGINALS: "marginals of the WHO states, question by question",
    INDEPENDENT: "independent heads",
}
"""How calls are read from a network, in words."""


@dataclass(frozen=True, eq=False)
class Calls:
    """What is called of m patients, (m,) each."""

    idh: Words
    codeletion: Words
    grade_4: NDArray[np.bool_]
    """By the head for grade, or for histology where there is no other: glioblastoma is of grade 4.
    False where the network answers neither."""


def calls(runs: TaskRuns, head: str, run: int) -> tuple[NDArray[np.bool_], Calls]:
    """Who was predicted (n,), and what is called of these by one way of reading the heads.

    Args:
        runs: the predictions.
        head: of `HEADS`.
        run: its number.

    Raises:
        ValueError: the network lacks the heads.
    """
    if not has_head(runs, STATE if head == MARGINALS else head):
        raise ValueError(f"the network has no {HEADS[head]}")
    if head != INDEPENDENT:
        values = runs.probabilities["state"][run]
        rows = np.isfinite(values).all(axis=1)
        return rows, _of_states(values[rows], by_question=head == MARGINALS)
    tasks = [name for name in ("grade", "histology") if name in runs.probabilities][:1]
    named = {name: runs.probabilities[name][run] for name in ("idh", "codeletion_1p19q", *tasks)}
    rows = np.all([np.isfinite(values).all(axis=1) for values in named.values()], axis=0)
    words = {
        name: np.array(CLASSES[name], object)[values[rows].argmax(axis=1)]
        for name, values in named.items()
    }
    highest = np.zeros(int(rows.sum()), np.bool_)
    for name in tasks:
        highest = words[name] == (GRADE_4 if name == "grade" else GLIOBLASTOMA)
    return rows, Calls(words["idh"], words["codeletion_1p19q"], highest)


def incoherent(called: Calls) -> NDArray[np.bool_]:
    """(m, 3) which of `KINDS` each patient's calls are."""
    codeleted = called.codeletion == CODELETED
    wild_type = codeleted & (called.idh == WILD_TYPE)
    grade_4 = codeleted & called.grade_4
    return np.stack([wild_type, grade_4, wild_type | grade_4], axis=1)


def coherence_table(runs: TaskRuns) -> pd.DataFrame:
    """How often each run says what WHO 2021 does not know, by every way of reading its heads.

    Returns:
        Columns run, head, kind, patients, incoherent, share, low, high (Wilson's 95 % interval);
        without rows if the network has no such heads.
    """
    rows = []
    for number, run in enumerate(runs.runs):
        for head in HEADS:
            if not has_head(runs, STATE if head == MARGINALS else head):
                continue
            found = incoherent(calls(runs, head, number)[1])
            for kind, count in zip(KINDS, found.sum(axis=0), strict=True):
                rows.append(_row(run, head, kind, int(count), len(found)))
    names = ["run", "head", "kind", "patients", "incoherent", "share", "low", "high"]
    return pd.DataFrame(rows, columns=names)


def _row(run: str, head: str, kind: str, count: int, patients: int) -> dict[str, Any]:
    row: dict[str, Any] = {"run": run, "head": HEADS[head], "kind": kind}
    row |= {"patients": patients, "incoherent": count}
    if not patients:
        return row | dict.fromkeys(("share", "low", "high"), np.nan)
    share = np.array([count / patients])
    low, high = wilson_interval(share, np.array([patients]))
    return row | {"share": share[0], "low": low[0], "high": high[0]}


def _of_states(chances: NDArray[np.float64], by_question: bool) -> Calls:
    """From probabilities (m, 7) of the labels."""
    if not by_question and len(chances):
        chances = np.eye(len(LABELS))[chances.argmax(axis=1)]
    idh, codeletion, grade = (
        np.array(CLASSES[task], object)[values.argmax(axis=1)]
        for task, values in fact_probabilities(chances).items()
    )
    return Calls(idh, codeletion, np.asarray(grade == GRADE_4, np.bool_))


def _incoherent_share(one: Judged, head: str, run: int) -> Measure:
    """Of all the predicted, whatever is known of them."""
    rows, called = calls(one.runs, head, run)
    found = np.zeros(len(rows))
    found[rows] = incoherent(called)[:, -1]
    everyone = np.ones(len(rows), np.bool_)
    return measured(mean_of(found, rows), everyone, rows, found > 0)


COHERENCE_METRICS = {
    "incoherent": Metric(
        "share of incoherent calls",
        (STATE, INDEPENDENT),
        _incoherent_share,
        higher_is_better=False,
    ),
}
