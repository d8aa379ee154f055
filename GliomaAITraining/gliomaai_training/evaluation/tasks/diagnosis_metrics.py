"""How well IDH, 1p/19q, grade, histology and the WHO state are told, as statistics of resamples."""

from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.facts import fact_probabilities
from gliomaai_training.diagnosis.states import CODELETED, LABELS, MUTANT, WHO_STATES, of_states
from gliomaai_training.evaluation.auc import resampled_auc
from gliomaai_training.evaluation.tasks.measures import (
    FEWEST,
    Counts,
    Floats,
    Judged,
    Measure,
    Metric,
    calibration_error_of,
    cannot,
    mean_of,
    measured,
)
from gliomaai_training.evaluation.tasks.predictions import TaskRuns
from gliomaai_training.evaluation.tasks.truth import Rows, TaskTruth

GRADES = CLASSES["grade"]


@dataclass(frozen=True)
class Question:
    """A fact that a patient has or has not."""

    name: str
    title: str
    task: str
    classes: tuple[str, ...]
    """That count as yes."""
    in_mutant: bool = False
    """Asked of patients with an IDH mutation only."""

    @property
    def heads(self) -> tuple[str, ...]:
        """What answers it; histology under the microscope is no marginal of the WHO states."""
        return (self.task,) if self.task == "histology" else ("state", self.task)


QUESTIONS = (
    Question("idh", "IDH mutation", "idh", (MUTANT,)),
    Question("codeletion", "1p/19q co-deletion", "codeletion_1p19q", (CODELETED,)),
    Question(
        "codeletion_in_mutant",
        "1p/19q co-deletion among IDH-mutant",
        "codeletion_1p19q",
        (CODELETED,),
        in_mutant=True,
    ),
    Question("grade_4", "grade 4", "grade", GRADES[-1:]),
    Question("grade_3_4", "grade 3 or 4", "grade", GRADES[1:]),
    Question("histology", "glioblastoma by histology", "histology", CLASSES["histology"][1:]),
)
"""Of everyone, 1p/19q is answered in part by IDH: hence it is asked of the mutant alone, too."""


def probability(runs: TaskRuns, question: Question, head: str, run: int) -> Floats:
    """Of yes (n,), by the question's own head or as a sum over the WHO states; NaN unknown.

    What is not elsewhere classified counts as IDH-wildtype and not co-deleted, and has no grade, as
    the clinic shows it (`diagnosis.facts`).
    """
    values = runs.probabilities[head][run]
    if head == "state":
        values = fact_probabilities(values)[question.task]
    among = np.isin(CLASSES[question.task], question.classes)
    # Sums of shares may leave 0 to 1 by a rounding.
    return np.asarray(np.clip(values[:, among].sum(axis=1), 0.0, 1.0))


def known_answers(truth: TaskTruth, question: Question) -> tuple[Rows, Rows]:
    """Of whom the answer is known (n,), and whether it is yes (n,)."""
    known, yes = truth.fact(question.task, question.classes)
    if question.in_mutant:
        of_idh, mutant = truth.fact("idh", (MUTANT,))
        known = known & of_idh & mutant
    return known, yes


@dataclass(frozen=True, eq=False)
class Answered:
    """A question's answers beside the truth, (n,) each."""

    chance: Floats
    yes: Rows
    known: Rows
    rows: Rows
    """Known and predicted."""


def answered(one: Judged, question: Question, head: str, run: int) -> Answered:
    """A run's answers to a question, by one of its heads."""
    known, yes = known_answers(one.truth, question)
    chance = probability(one.runs, question, head, run)
    return Answered(chance, yes, known, known & np.isfinite(chance))


def _auc(question: Question, one: Judged, head: str, run: int) -> Measure:
    found = answered(one, question, head, run)
    chance, yes = found.chance[found.rows], found.yes[found.rows]
    positives, patients = int(yes.sum()), int(yes.size)
    if min(positives, patients - positives) < FEWEST:
        return cannot(patients, positives, f"{positives} of {patients} patients have it")
    return measured(
        lambda draws: resampled_auc(chance, yes, draws[:, found.rows]),
        found.known,
        found.rows,
        found.yes,
    )


def _brier(question: Question, one: Judged, head: str, run: int) -> Measure:
    found = answered(one, question, head, run)
    statistic = mean_of((found.chance - found.yes) ** 2, found.rows)
    return measured(statistic, found.known, found.rows, found.yes)


def _ece(question: Question, one: Judged, head: str, run: int) -> Measure:
    found = answered(one, question, head, run)
    statistic = calibration_error_of(found.chance, found.yes, found.rows)
    return measured(statistic, found.known, found.rows, found.yes)


@dataclass(frozen=True, eq=False)
class StateCalls:
    """The likeliest WHO state of each patient whose state is known, without NEC, which is none."""

    rows: Rows
    """(n,) known and predicted."""
    known: Rows
    chances: Floats
    """(n, 6); zero without a prediction."""
    truth: NDArray[np.int_]
    """(n,) number of the true state; of `known` only."""

    @property
    def right(self) -> Rows:
        """(n,) whether the likeliest is the true one; of `rows` only."""
        return np.asarray(self.chances.argmax(axis=1) == self.truth)


def state_calls(one: Judged, run: int) -> StateCalls:
    """What a run's state head makes of the patients whose state is known."""
    values = one.runs.probabilities["state"][run]
    predicted = np.isfinite(values).all(axis=1)
    chances = np.zeros((len(values), len(WHO_STATES)))
    chances[predicted] = of_states(values[predicted])
    known, truth = one.truth.states()
    return StateCalls(known & predicted, known, chances, truth)


def _balanced_accuracy(one: Judged, _: str, run: int) -> Measure:
    """Mean over the states that have patients of the share called right."""
    found = state_calls(one, run)
    of_state = [found.rows & (found.truth == number) for number in range(len(WHO_STATES))]
    present = [rows for rows in of_state if rows.any()]
    if len(present) < FEWEST:
        return cannot(int(found.rows.sum()), None, f"{len(present)} WHO states are there")
    states = np.stack(present, axis=1).astype(np.float64)
    right = states * found.right[:, None]

    def statistic(draws: Counts) -> Floats:
        drawn = draws @ states
        recall: Floats = np.zeros(drawn.shape)
        np.divide(draws @ right, drawn, out=recall, where=drawn > 0)
        # A rare state may be missing from a resample; all of them from none but a tiny one.
        return np.asarray(recall.sum(axis=1) / np.maximum(1, (drawn > 0).sum(axis=1)))

    return measured(statistic, found.known, found.rows)


def _state_brier(one: Judged, _: str, run: int) -> Measure:
    """Sum over the states of squared errors, from 0 to 2 (Brier 1950)."""
    found = state_calls(one, run)
    truth = np.eye(len(LABELS))[found.truth][:, : len(WHO_STATES)]
    squares = ((found.chances - truth) ** 2).sum(axis=1)
    return measured(mean_of(squares, found.rows), found.known, found.rows)


def _state_ece(equal_mass: bool, one: Judged, _: str, run: int) -> Measure:
    """Of the likeliest state: its probability against the share that is right."""
    found = state_calls(one, run)
    sureness = np.clip(found.chances.max(axis=1), 0.0, 1.0)
    statistic = calibration_error_of(sureness, found.right, found.rows, equal_mass)
    return measured(statistic, found.known, found.rows)


def _question_metrics(question: Question) -> dict[str, Metric]:
    name, title, heads = question.name, question.title, question.heads
    return {
        f"{name}_auc": Metric(f"AUC, {title}", heads, partial(_auc, question)),
        f"{name}_brier": Metric(f"Brier, {title}", heads, partial(_brier, question), False),
        f"{name}_ece": Metric(f"ECE, {title}", heads, partial(_ece, question), False),
    }


DIAGNOSIS_METRICS = MappingProxyType(
    {name: one for question in QUESTIONS for name, one in _question_metrics(question).items()}
    | {
        "state_balanced_accuracy": Metric(
            "balanced accuracy, WHO state", ("state",), _balanced_accuracy
        ),
        "state_brier": Metric("Brier, WHO state", ("state",), _state_brier, False),
        "state_ece": Metric("ECE, WHO state", ("state",), partial(_state_ece, True), False),
        "state_ece_width": Metric(
            "ECE, WHO state (equal width)", ("state",), partial(_state_ece, False), False
        ),
    }
)
"""By name. ECE is of ten bins of equally many patients unless it says otherwise."""
