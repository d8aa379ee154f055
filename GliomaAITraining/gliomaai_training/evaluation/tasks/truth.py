"""What is known of patients, for judging the tasks: facts, survival, a simulation's true risk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.cohorts.clinical import ClinicalCohort, possible_states
from gliomaai_training.cohorts.values import read_text_table
from gliomaai_training.data.targets import CLASSES, patient_targets
from gliomaai_training.diagnosis.joint_model import ANSWERS
from gliomaai_training.diagnosis.states import LABELS, WHO_STATES, label_rows

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]

TRUE_RISK = "true_log_risk"
"""Column of a simulation's `patients.csv`: log cumulative hazard at 24 months, across classes."""


@dataclass(frozen=True, eq=False)
class TaskTruth:
    """What is known of n cases, each of another patient."""

    name: str
    """Of the cohort."""
    cases: tuple[str, ...]
    possible: Mapping[str, Rows]
    """By task (n, classes): which of them a patient can have; all where nothing is known."""
    months: Floats
    """(n,) NaN where unknown."""
    event: Rows
    true_log_risk: Floats | None = None
    """(n,) of simulated patients; NaN where unknown."""

    def take(self, cases: Sequence[str]) -> Self:
        """Some of the cases, in this order.

        Raises:
            ValueError: one of them is not in the cohort.
        """
        place = {case: number for number, case in enumerate(self.cases)}
        absent = sum(case not in place for case in cases)
        if absent:
            raise ValueError(
                f"{absent} of the {len(cases)} predicted cases are not in the cohort {self.name}: "
                "leave them out, or give the cohort that they are of"
            )
        rows = [place[case] for case in cases]
        return replace(
            self,
            cases=tuple(cases),
            possible={task: known[rows] for task, known in self.possible.items()},
            months=self.months[rows],
            event=self.event[rows],
            true_log_risk=None if self.true_log_risk is None else self.true_log_risk[rows],
        )

    def fact(self, task: str, classes: Sequence[str]) -> tuple[Rows, Rows]:
        """Of whom it is known whether they have one of these classes (n,), and who has (n,)."""
        among = np.isin(CLASSES[task], classes)
        yes: Rows = np.logical_not((self.possible[task] & ~among).any(axis=1))
        no: Rows = np.logical_not((self.possible[task] & among).any(axis=1))
        return yes | no, yes

    def states(self) -> tuple[Rows, NDArray[np.int_]]:
        """Whose state is known to be one of `WHO_STATES` (n,), and its number (n,)."""
        rows = self.possible["state"]
        known = (rows.sum(axis=1) == 1) & rows[:, : len(WHO_STATES)].any(axis=1)
        return known, rows.argmax(axis=1)


def truth_of(cohort: ClinicalCohort, true_log_risk: Mapping[str, float] | None = None) -> TaskTruth:
    """What is known of a cohort's patients.

    IDH and 1p/19q are known where they were measured, or where all possible WHO states share them:
    glioblastoma counts as wild-type and not co-deleted, as in training (`data.targets`).

    Args:
        cohort: the patients.
        true_log_risk: of simulated patients by case; see `read_true_risk`.

    Raises:
        ValueError: two patients share the name of their case, or a true risk is not finite.
    """
    targets = patient_targets(cohort)
    if len(targets) != len(cohort):
        raise ValueError(f"{len(cohort) - len(targets)} cases of {cohort.name} share their name")
    possible = {
        task: np.stack([one.possible[task] for one in targets.values()]) for task in CLASSES
    }
    states = label_rows([some or LABELS for some in possible_states(cohort.patients)])
    for task in ("idh", "codeletion_1p19q"):
        possible[task] = _both(possible[task], _implied(task, states))
    risks = None
    if true_log_risk is not None:
        risks = np.array([float(true_log_risk.get(case, np.nan)) for case in targets])
        if np.isinf(risks).any():
            raise ValueError("a true log-risk is infinite")
    return TaskTruth(
        name=cohort.name,
        cases=tuple(targets),
        possible=possible,
        months=np.array([one.months for one in targets.values()]),
        event=np.array([one.event for one in targets.values()], np.bool_),
        true_log_risk=risks,
    )


def joined(truths: Sequence[TaskTruth]) -> TaskTruth:
    """The cases of several cohorts, one after the other.

    Raises:
        ValueError: two of them share the name of a case.
    """
    cases = tuple(case for one in truths for case in one.cases)
    if len(set(cases)) < len(cases):
        raise ValueError("two cohorts name cases alike: rename those of one")
    risks = [
        np.full(len(one.cases), np.nan) if one.true_log_risk is None else one.true_log_risk
        for one in truths
    ]
    some_risk = any(one.true_log_risk is not None for one in truths)
    return TaskTruth(
        name=" and ".join(one.name for one in truths),
        cases=cases,
        possible={task: np.concatenate([one.possible[task] for one in truths]) for task in CLASSES},
        months=np.concatenate([one.months for one in truths]),
        event=np.concatenate([one.event for one in truths]),
        true_log_risk=np.concatenate(risks) if some_risk else None,
    )


def read_true_risk(table: Path) -> dict[str, float]:
    """The true log-risk by case from a simulation's `patients.csv`; without the tumour-free.

    Raises:
        ValueError: no such table, a column is missing, or a value that is no number.
    """
    rows = read_text_table(table, ("id", TRUE_RISK))
    told = rows[rows[TRUE_RISK] != ""]
    return dict(zip(told["id"], told[TRUE_RISK].astype(float), strict=True))


def _implied(task: str, states: Rows) -> Rows:
    """The classes (n, classes) that the possible states (n, 7) leave."""
    answers = np.array(ANSWERS[task])
    return np.stack([states[:, answers == name].any(axis=1) for name in CLASSES[task]], axis=1)


def _both(measured: Rows, implied: Rows) -> Rows:
    """What both allow; where they contradict each other, nothing is known."""
    found = measured & implied
    return np.where(found.any(axis=1, keepdims=True), found, True)
