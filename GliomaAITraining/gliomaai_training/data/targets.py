"""What the tasks of the multi-task network learn from: labels known in part, and survival."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.clinical import ClinicalCohort, possible_states
from gliomaai_training.diagnosis.states import (
    CODELETED,
    INTACT,
    LABELS,
    MUTANT,
    NOT_ELSEWHERE,
    STATE_FACTS,
    WILD_TYPE,
)
from gliomaai_training.vocabulary import WHO_GRADES

CLASSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "state": LABELS,
        "idh": (WILD_TYPE, MUTANT),
        "codeletion_1p19q": (INTACT, CODELETED),
        "grade": tuple(str(grade) for grade in WHO_GRADES),
        "histology": ("lower-grade glioma", "glioblastoma"),
    }
)
"""What each task that chooses between classes chooses from, in the order of its outputs."""


@dataclass(frozen=True, eq=False)
class PatientTargets:
    """What is known of one patient."""

    possible: Mapping[str, NDArray[np.bool_]]
    """For each of `CLASSES`, which of them the patient can have: all where nothing is known."""
    months: float
    """To death or last contact; NaN where unknown."""
    event: bool
    """Whether `months` ended in death."""
    pseudo: frozenset[str] = frozenset()
    """The tasks of which `possible` is another network's word."""

    @property
    def anything(self) -> bool:
        """Whether anything is known of the patient."""
        followed = not np.isnan(self.months)
        return followed or not all(bool(one.all()) for one in self.possible.values())


def patient_targets(cohort: ClinicalCohort) -> dict[str, PatientTargets]:
    """The targets of every patient of a cohort, by the name of the case."""
    rows = cohort.patients
    states = possible_states(rows)
    found = {}
    for (_, row), possible in zip(rows.iterrows(), states, strict=True):
        allowed = possible or LABELS
        months = float(row["months"])
        found[str(row["case"])] = PatientTargets(
            possible={
                "state": np.array([label in allowed for label in LABELS]),
                "idh": _one_of("idh", _text(row["idh"])),
                "codeletion_1p19q": _one_of("codeletion_1p19q", _codeletion(row)),
                "grade": _some("grade", allowed, lambda state: str(STATE_FACTS[state].grade)),
                "histology": _histology(float(row["reported_grade"])),
            },
            months=months,
            event=bool(row["event"] == 1),
        )
    return found


def unknown_targets() -> PatientTargets:
    """Those of a patient of whom nothing is known but the images."""
    everything = {task: np.ones(len(classes), np.bool_) for task, classes in CLASSES.items()}
    return PatientTargets(everything, float("nan"), event=False)


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _codeletion(row: "pd.Series[Any]") -> str | None:
    """As measured; an IDH-wildtype tumour is not tested as a rule, and never called co-deleted."""
    measured = _text(row["codeletion_1p19q"])
    return INTACT if measured is None and row["idh"] == WILD_TYPE else measured


def _one_of(task: str, value: str | None) -> NDArray[np.bool_]:
    return np.array([value in (None, one) for one in CLASSES[task]])


def _some(task: str, states: tuple[str, ...], of_state: Callable[[str], str]) -> NDArray[np.bool_]:
    """The classes that some possible state has; any at all where a tumour is in none of them."""
    if NOT_ELSEWHERE in states:
        return np.ones(len(CLASSES[task]), np.bool_)
    found = {of_state(state) for state in states}
    return np.array([one in found for one in CLASSES[task]])


def _histology(reported_grade: float) -> NDArray[np.bool_]:
    """Under the microscope, as the published system has it: grade 4 was glioblastoma."""
    if np.isnan(reported_grade):
        return np.ones(2, np.bool_)
    return np.array([reported_grade < max(WHO_GRADES), reported_grade == max(WHO_GRADES)])
