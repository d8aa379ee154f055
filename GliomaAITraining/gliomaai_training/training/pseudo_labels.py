"""A teacher's word on unlabelled training patients, and the guard that keeps it to those.

The published system named a file of pseudo-labels after its test set. Here every table is checked
when it is made, written and read: whoever is held out or labelled has none.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.values import numbers, read_text_table
from gliomaai_training.data.targets import CLASSES, PatientTargets
from gliomaai_training.training.student_config import MOST_ROUNDS

COLUMNS = ("case", "patient", "task", "possible", "confidence", "std", "round")
"""Of the table; `possible` names the classes."""
SEPARATOR = ";"


@dataclass(frozen=True)
class PseudoLabel:
    """What a teacher says of one case."""

    case: str
    patient: str
    task: str
    possible: tuple[str, ...]
    """Classes of the task, in their order: one, or several states of which it is some one."""
    confidence: float
    """Probability of `possible`, mean over the teacher's looks."""
    deviation: float
    """Its standard deviation over the looks."""
    round_number: int
    """From 1."""

    def __post_init__(self) -> None:
        classes = CLASSES.get(self.task, ())
        in_order = tuple(name for name in classes if name in self.possible)
        if in_order != self.possible or not 0 < len(in_order) < len(classes):
            raise ValueError(f"{self.task} cannot be labelled {self.possible}")
        if not (0 <= self.confidence <= 1 + 1e-6 and self.deviation >= 0):
            raise ValueError(f"confidence {self.confidence} with deviation {self.deviation}")
        if not 1 <= self.round_number <= MOST_ROUNDS:
            raise ValueError(f"rounds count from 1 to {MOST_ROUNDS}, not {self.round_number}")

    @property
    def rows(self) -> NDArray[np.bool_]:
        """(classes,) which of them are possible."""
        return np.array([name in self.possible for name in CLASSES[self.task]])


@dataclass(frozen=True)
class PseudoLabels:
    """What a teacher says of all cases that it is sure of.

    Raises:
        ValueError: two labels of the same case and task.
    """

    labels: tuple[PseudoLabel, ...]

    def __post_init__(self) -> None:
        twice = [n for n in Counter((one.case, one.task) for one in self.labels).values() if n > 1]
        if twice:
            raise ValueError(f"{len(twice)} cases have two pseudo-labels for one task")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def patients(self) -> frozenset[str]:
        """Whoever has one."""
        return frozenset(one.patient for one in self.labels)


@dataclass(frozen=True)
class PseudoLabelScope:
    """Who may have pseudo-labels.

    Raises:
        ValueError: somebody is both a training patient and held out, by whatever scan.
    """

    training: Mapping[str, str]
    """The patient of each training case."""
    held_out: frozenset[str]
    """Patients of validation and test."""
    labelled: Mapping[str, frozenset[str]]
    """By task, the training patients of whom something is known."""
    counts: Mapping[str, tuple[int, ...]]
    """By task, how many training patients are known to have each class."""
    person_of: Mapping[str, str] = field(default_factory=dict)
    """Who a patient is where several names are one person's (`cohorts.linking.identities`)."""

    def __post_init__(self) -> None:
        both = len(self.persons(self.training.values()) & self.persons(self.held_out))
        if both:
            raise ValueError(f"{both} patients are in training and held out at once")

    def persons(self, patients: Iterable[str]) -> frozenset[str]:
        """Who these patients are."""
        return frozenset(self.person_of.get(name, name) for name in patients)


def pseudo_label_scope(
    training: Mapping[str, str],
    held_out: Iterable[str],
    targets: Mapping[str, PatientTargets],
    person_of: Mapping[str, str] | None = None,
) -> PseudoLabelScope:
    """Who may have pseudo-labels, from what is known.

    Args:
        training: the patient of each training case.
        held_out: patients of validation and test.
        targets: by case, of all training cases.
        person_of: see `PseudoLabelScope`.

    Raises:
        ValueError: a training case has no targets, or somebody is on both sides.
    """
    if lacking := sum(case not in targets for case in training):
        raise ValueError(f"{lacking} training cases have no targets, not even unknown ones")
    labelled: dict[str, frozenset[str]] = {}
    counts: dict[str, tuple[int, ...]] = {}
    for task in CLASSES:
        known = {
            patient: targets[case].possible[task]
            for case, patient in training.items()
            if not targets[case].possible[task].all()
        }
        labelled[task] = frozenset(known)
        decided = [rows for rows in known.values() if rows.sum() == 1]
        total = np.sum([np.zeros(len(CLASSES[task]), np.int_), *decided], axis=0)
        counts[task] = tuple(int(count) for count in total)
    return PseudoLabelScope(
        dict(training), frozenset(held_out), labelled, counts, dict(person_of or {})
    )


def check_pseudo_labels(labels: PseudoLabels, scope: PseudoLabelScope) -> None:
    """The guard: pseudo-labels are for unlabelled training patients alone.

    Raises:
        ValueError: a patient with a pseudo-label is held out, whatever the case; a case is no
            training case, or another patient's; or a patient is labelled in that task already.
    """
    held_out = scope.persons(scope.held_out)
    guilty = len(scope.persons(labels.patients) & held_out)
    if guilty:
        raise ValueError(f"{guilty} pseudo-labelled patients are held out for validation or test")
    strangers = sum(scope.training.get(one.case) != one.patient for one in labels.labels)
    if strangers:
        raise ValueError(f"{strangers} pseudo-labels are not of these training cases and patients")
    known = {
        (task, person) for task, some in scope.labelled.items() for person in scope.persons(some)
    }
    twice = sum(
        (one.task, scope.person_of.get(one.patient, one.patient)) in known for one in labels.labels
    )
    if twice:
        raise ValueError(f"{twice} pseudo-labels are of patients whose label is known")


def write_pseudo_labels(labels: PseudoLabels, file: Path, scope: PseudoLabelScope) -> None:
    """Writes the labels as CSV with `COLUMNS`, complete or not at all.

    Raises:
        ValueError: as `check_pseudo_labels`.
    """
    check_pseudo_labels(labels, scope)
    rows = [
        (
            one.case,
            one.patient,
            one.task,
            SEPARATOR.join(one.possible),
            one.confidence,
            one.deviation,
            one.round_number,
        )
        for one in labels.labels
    ]
    file.parent.mkdir(parents=True, exist_ok=True)
    partial = file.with_name(f".{file.name}.partial")
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(partial, index=False, lineterminator="\n")
    partial.replace(file)


def read_pseudo_labels(file: Path, scope: PseudoLabelScope) -> PseudoLabels:
    """Reads what `write_pseudo_labels` wrote, for the patients who may have it now.

    Raises:
        ValueError: as `check_pseudo_labels`; or no such file, a column is missing, or a value that
            is no label.
    """
    if not file.is_file():
        raise ValueError(f"there is no table of pseudo-labels {file}")
    if len(file.read_text("utf-8").splitlines()) == 1:  # a teacher who is sure of nobody
        return PseudoLabels(())
    table = read_text_table(file, COLUMNS)
    confidence, deviation = numbers(table["confidence"], 0, 1 + 1e-6), numbers(table["std"], 0, 1)
    rounds = [_whole(one) for one in numbers(table["round"], 1, MOST_ROUNDS)]
    texts = zip(table["case"], table["patient"], table["task"], table["possible"], strict=True)
    values = zip(confidence, deviation, rounds, strict=True)
    labels = PseudoLabels(
        tuple(
            PseudoLabel(case, patient, task, tuple(possible.split(SEPARATOR)), *numbers_of)
            for (case, patient, task, possible), numbers_of in zip(texts, values, strict=True)
        )
    )
    check_pseudo_labels(labels, scope)
    return labels


def taught(
    targets: Mapping[str, PatientTargets], labels: PseudoLabels
) -> dict[str, PatientTargets]:
    """The targets with the pseudo-labels among them.

    Args:
        targets: by case.
        labels: checked ones.

    Raises:
        ValueError: a case has no targets, or is labelled already.
    """
    found = dict(targets)
    for one in labels.labels:
        if one.case not in targets:
            raise ValueError("a pseudo-label is of a case without targets")
        if not targets[one.case].possible[one.task].all():
            raise ValueError(f"a pseudo-label is of a case whose {one.task} is known")
        before = found[one.case]
        possible = {**before.possible, one.task: one.rows}
        pseudo = before.pseudo | {one.task}
        found[one.case] = replace(before, possible=possible, pseudo=pseudo)
    return found


def pseudo_label_table(
    labels: PseudoLabels, truth: Mapping[str, PatientTargets] | None = None
) -> pd.DataFrame:
    """How many labels there are of each kind, and how many are true where that is known.

    Args:
        labels: of a teacher.
        truth: by case, for example of simulated patients whose labels were hidden.

    Returns:
        A row for each task, round and set of classes: labels, patients, mean confidence and
        deviation; with the truth also of how many it is `known`, `true` and the `accuracy`.
    """
    groups: dict[tuple[str, int, str], list[PseudoLabel]] = {}
    for one in labels.labels:
        key = (one.task, one.round_number, " or ".join(one.possible))
        groups.setdefault(key, []).append(one)
    rows = []
    for (task, number, classes), some in sorted(groups.items()):
        row: dict[str, object] = {
            "task": task,
            "round": number,
            "label": classes,
            "labels": len(some),
            "patients": len({one.patient for one in some}),
            "confidence": f"{np.mean([one.confidence for one in some]):.3f}",
            "std": f"{np.mean([one.deviation for one in some]):.3f}",
        }
        rows.append(row if truth is None else row | _truth_cells(some, truth))
    return pd.DataFrame(rows)


def _whole(number: float) -> int:
    if not number.is_integer():
        raise ValueError(f"round {number} is no number to count by")
    return int(number)


def _truth_cells(
    some: Sequence[PseudoLabel], truth: Mapping[str, PatientTargets]
) -> dict[str, object]:
    """A label is true if it leaves all that the patient can have, false if none of it."""
    known = right = 0
    for one in some:
        if one.case not in truth:
            continue
        possible = truth[one.case].possible[one.task]
        inside = bool((possible & one.rows).any())
        outside = bool((possible & ~one.rows).any())
        known += inside != outside
        right += inside and not outside
    share = f"{right / known:.3f}" if known else ""
    return {"known": known, "true": right, "accuracy": share}
