"""Splits by patient, the same for the same seed whatever the order of the rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.linking import identities
from gliomaai_training.cohorts.manifest import CaseFiles


def patient_folds(patients: Sequence[str], folds: int, seed: int) -> dict[str, int]:
    """Deals patients into folds of nearly equal size.

    Returns:
        The fold (0 to folds - 1) of every patient.

    Raises:
        ValueError: fewer patients than folds, or fewer than two folds.
    """
    unique = sorted(set(patients))
    _check_folds(len(unique), folds)
    order = np.random.default_rng(seed).permutation(len(unique))
    return {unique[patient]: position % folds for position, patient in enumerate(order)}


def split_fold(
    cases: Sequence[CaseFiles], folds: int, fold: int, seed: int
) -> tuple[list[CaseFiles], list[CaseFiles]]:
    """Training and test cases of one fold.

    Raises:
        ValueError: no such fold.
    """
    if not 0 <= fold < folds:
        raise ValueError(f"fold {fold} of {folds}: folds count from 0 to {folds - 1}")
    dealt = patient_folds([case.patient for case in cases], folds, seed)
    train = [case for case in cases if dealt[case.patient] != fold]
    test = [case for case in cases if dealt[case.patient] == fold]
    return train, test


def linked_folds(
    cohorts: Sequence[ClinicalCohort], folds: int, seed: int, by: str = "event"
) -> dict[str, int]:
    """Deals the patients of several cohorts into folds that hold across all their tables.

    Rows of one person, under whatever names, fall into one fold. Within each set of cohorts that
    share people, and overall, the values of a column are spread evenly: folds differ by one.

    Args:
        cohorts: all that will be used together.
        folds: how many.
        seed: of the order in which people are dealt.
        by: the column to stratify by; people of whom it is unknown are a stratum of their own.

    Returns:
        The fold (0 to folds - 1) of every `patient`.

    Raises:
        ValueError: fewer people, or by `event` fewer deaths, than folds; fewer than two folds; or a
            column that a clinical table does not have.
    """
    person_of = identities(cohorts)
    _check_folds(len(set(person_of.values())), folds)
    strata = _strata(cohorts, person_of, by)
    deaths = sum(len(people) for (value, _), people in strata.items() if value == "1.0")
    if by == "event" and deaths < folds:
        raise ValueError(f"{deaths} deaths cannot be dealt into {folds} folds")
    generator = np.random.default_rng(seed)
    # Strata with the same value lie side by side, so that dealing on without a break spreads the
    # value evenly over the folds, and not only each stratum.
    queue = [
        people[index]
        for people in (sorted(strata[key]) for key in sorted(strata))
        for index in generator.permutation(len(people))
    ]
    fold_of = {person: position % folds for position, person in enumerate(queue)}
    return {patient: fold_of[person] for patient, person in person_of.items()}


def fold_column(cohort: ClinicalCohort, fold_of: Mapping[str, int]) -> NDArray[np.int_]:
    """The fold of each row of a cohort, (n,), from what `linked_folds` answered.

    Raises:
        ValueError: a patient was not dealt.
    """
    missing = sum(patient not in fold_of for patient in cohort.patients["patient"])
    if missing:
        raise ValueError(f"{missing} patients of {cohort.name} are in no fold")
    return np.array([fold_of[patient] for patient in cohort.patients["patient"]], np.int_)


def _strata(
    cohorts: Sequence[ClinicalCohort], person_of: Mapping[str, str], by: str
) -> dict[tuple[str, str], list[str]]:
    """People by the value of the column ("" for unknown) and the cohorts they are in."""
    values: dict[str, str] = defaultdict(str)
    member_of: dict[str, set[str]] = defaultdict(set)
    for cohort in cohorts:
        if by not in cohort.patients:
            raise ValueError(f"a clinical table has no column {by!r} to stratify by")
        column = cohort.patients[by]
        texts = column.astype(str).where(column.notna(), "")
        for patient, value in zip(cohort.patients["patient"], texts, strict=True):
            person = person_of[patient]
            values[person] = max(values[person], value)
            member_of[person].add(cohort.name)
    strata: dict[tuple[str, str], list[str]] = defaultdict(list)
    for person, names in member_of.items():
        strata[values[person], "+".join(sorted(names))].append(person)
    return strata


def _check_folds(people: int, folds: int) -> None:
    if folds < 2 or people < folds:
        raise ValueError(f"{people} patients cannot be dealt into {folds} folds")
