"""Patients who are in several tables: one identity, and facts from wherever they are known."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from gliomaai_training.cohorts.clinical import (
    ClinicalCohort,
    clinical_table,
    possible_states,
    state_columns,
)

COMPLETED = ("age_years", "sex", "kps", "histology", "reported_grade", "mgmt")
"""Facts that a cohort may take from another one by themselves; survival is never mixed."""
TISSUE = ("idh", "codeletion_1p19q")


def completed(cohort: ClinicalCohort, source: ClinicalCohort) -> ClinicalCohort:
    """The cohort with facts that another table knows of the same patients.

    A known value is never replaced. States are narrowed to those that both tables allow.

    Raises:
        ValueError: the tables contradict each other on IDH, 1p/19q or the possible states.
    """
    table = cohort.patients
    other = source.patients.set_index("patient").reindex(table["patient"]).reset_index()
    for name in TISSUE:
        both = table[name].notna() & other[name].notna()
        if (table[name][both] != other[name][both]).any():
            raise ValueError(f"{cohort.name} and {source.name} contradict each other on {name}")
    columns: dict[str, object] = {name: table[name] for name in table.columns}
    for name in (*COMPLETED, *TISSUE):
        columns[name] = table[name].where(table[name].notna(), other[name])
    states = [
        _agreed(own, others)
        for own, others in zip(possible_states(table), possible_states(other), strict=True)
    ]
    return replace(cohort, patients=clinical_table(columns | state_columns(states)))


def _agreed(own: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    """The states that both allow; where one knows nothing, the other's."""
    if not own or not others:
        return own or others
    agreed = tuple(state for state in own if state in others)
    if not agreed:
        raise ValueError(f"one table says {' or '.join(own)}, the other {' or '.join(others)}")
    return agreed


def identities(cohorts: Sequence[ClinicalCohort]) -> dict[str, str]:
    """The identity of every patient: names joined by a row, in whatever table, are one person.

    Returns:
        For each `patient` the first, in the alphabet, of all names of that person.
    """
    known = _joined(
        (patient, case, *others)
        for cohort in cohorts
        for patient, case, others in zip(
            cohort.patients["patient"], cohort.patients["case"], _aliases(cohort), strict=True
        )
    )
    return {name: known[name] for cohort in cohorts for name in cohort.patients["patient"]}


def known_names(cohorts: Sequence[ClinicalCohort]) -> dict[str, str]:
    """The identity behind every `patient` and alias of some tables.

    Names of cases do not count: those of own tables are often numbers, as are its patients'.
    """
    return _joined(
        (patient, *others)
        for cohort in cohorts
        for patient, others in zip(cohort.patients["patient"], _aliases(cohort), strict=True)
    )


def _aliases(cohort: ClinicalCohort) -> list[list[str]]:
    return [(text or "").split() for text in cohort.patients["aliases"]]


def _joined(persons: Iterable[Sequence[str]]) -> dict[str, str]:
    """Of every name the first, in the alphabet, of all names of that person.

    Args:
        persons: names of one person each; who shares a name with another is the same one.
    """
    parent: dict[str, str] = {}

    def root(name: str) -> str:
        parent.setdefault(name, name)
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for own, *others in persons:
        root(own)
        for name in others:
            first, second = sorted((root(own), root(name)))
            parent[second] = first
    return {name: root(name) for name in tuple(parent)}


def without_shared(cohort: ClinicalCohort, others: Sequence[ClinicalCohort]) -> ClinicalCohort:
    """The cohort without the people who are in others too, under whatever name.

    What is fitted on it can then be judged on the others.
    """
    person_of = identities([cohort, *others])
    taken = {person_of[patient] for other in others for patient in other.patients["patient"]}
    kept = np.array([person_of[one] not in taken for one in cohort.patients["patient"]], np.bool_)
    return cohort.keep(kept, f"also in {', '.join(other.name for other in others)}")
