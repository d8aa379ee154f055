"""Patients of one cohort with what is known of them, in one form whatever table they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.dictionary import COLUMNS, VARIABLES, Variable
from gliomaai_training.diagnosis.states import LABELS, STATE_FACTS
from gliomaai_training.survival.outcome import Outcome, outcome


@dataclass(frozen=True)
class Exclusion:
    """One step that left patients out."""

    reason: str
    patients: int


@dataclass(frozen=True)
class ClinicalCohort:
    """The patients of one cohort.

    Raises:
        ValueError: a column is missing, a value is not possible, a patient appears twice, or a
            WHO state contradicts the molecular facts beside it.
    """

    name: str
    patients: pd.DataFrame
    """One row for each patient with exactly the columns of `dictionary.VARIABLES`. Texts are
    `str`, None for unknown; numbers are float64, NaN for unknown. Not to be changed."""
    limits: tuple[str, ...] = ()
    """What every result on this cohort has to say about it."""
    exclusions: tuple[Exclusion, ...] = ()
    """The steps that left patients out so far, in their order."""

    def __post_init__(self) -> None:
        if tuple(self.patients.columns) != COLUMNS:
            raise ValueError(
                f"a clinical table has the columns {', '.join(COLUMNS)}, "
                f"not {', '.join(map(str, self.patients.columns))}"
            )
        for variable in VARIABLES:
            _check_column(self.patients[variable.name], variable)
        if self.patients["patient"].duplicated().any():
            twice = int(self.patients["patient"].duplicated().sum())
            raise ValueError(f"{self.name} lists {twice} patients more than once")
        if (self.patients["months"].isna() != self.patients["event"].isna()).any():
            raise ValueError(f"{self.name} has times without events, or events without times")
        _check_states(self.patients)

    def __len__(self) -> int:
        return len(self.patients)

    @property
    def events(self) -> int:
        """How many are known to have died."""
        return int((self.patients["event"] == 1).sum())

    def outcome(self) -> Outcome:
        """Survival of all patients.

        Raises:
            ValueError: survival of some is unknown; leave them out first (`flow.with_survival`).
        """
        unknown = int(self.patients["months"].isna().sum())
        if unknown:
            raise ValueError(f"survival of {unknown} patients of {self.name} is unknown")
        return outcome(self.patients["months"], self.patients["event"])

    def keep(self, kept: NDArray[np.bool_], reason: str) -> Self:
        """The cohort without some of its patients, and with that on record.

        Args:
            kept: (n,) which patients stay.
            reason: why the others are left out, in a few words.
        """
        left_out = Exclusion(reason, int((~kept).sum()))
        rows = self.patients[kept].reset_index(drop=True)
        return replace(self, patients=rows, exclusions=(*self.exclusions, left_out))


def clinical_table(columns: Mapping[str, object]) -> pd.DataFrame:
    """A table in the form of `ClinicalCohort.patients` from the columns that a source has.

    Args:
        columns: by name, each one value for all patients or a sequence of values; columns that are
            not given are unknown for all.

    Raises:
        ValueError: an unknown column.
    """
    if unknown := sorted(set(columns) - set(COLUMNS)):
        raise ValueError(f"a clinical table has no columns {', '.join(unknown)}")
    table = pd.DataFrame(dict(columns))
    return pd.DataFrame({one.name: _typed(table, one) for one in VARIABLES}, index=table.index)


def state_columns(possible: Sequence[tuple[str, ...]]) -> dict[str, list[object]]:
    """The columns that follow from the states that each patient can be in.

    Args:
        possible: for each patient, as `diagnosis.states.classify` answers.
    """
    decided: list[object] = [
        states[0] if len(states) == 1 and states[0] in STATE_FACTS else None for states in possible
    ]
    return {
        "who_state": decided,
        "possible_states": [" ".join(states) or None for states in possible],
        "grade": [_grade(states) for states in possible],
    }


def _grade(states: tuple[str, ...]) -> float:
    """What all of them share; a tumour that is not elsewhere classified has no grade."""
    if not set(states) <= set(STATE_FACTS):
        return np.nan
    grades = {STATE_FACTS[state].grade for state in states}
    return float(min(grades)) if len(grades) == 1 else np.nan


def possible_states(patients: pd.DataFrame) -> list[tuple[str, ...]]:
    """For each patient the labels that the column `possible_states` names; () for unknown."""
    return [
        tuple(text.split()) if isinstance(text, str) else () for text in patients["possible_states"]
    ]


def _typed(table: pd.DataFrame, variable: Variable) -> "pd.Series[Any]":
    column = table[variable.name] if variable.name in table else [None] * len(table)
    if variable.numeric:
        return pd.Series(column, table.index, np.float64)
    texts = [value if isinstance(value, str) or pd.notna(value) else None for value in column]
    return pd.Series(texts, table.index, object)


def _check_column(column: "pd.Series[Any]", variable: Variable) -> None:
    known = column[column.notna()]
    if variable.required and len(known) < len(column):
        raise ValueError(f"{variable.name} is unknown for {len(column) - len(known)} patients")
    if variable.numeric:
        values = known.to_numpy(np.float64)
        wrong = ~np.isfinite(values)
        if variable.numbers:
            wrong |= ~np.isin(values, variable.numbers)
        if variable.low is not None:
            wrong |= values < variable.low
        if variable.high is not None:
            wrong |= values > variable.high
        bad = list(values[wrong])
    else:
        bad = [
            value
            for value in known.unique()
            if not isinstance(value, str) or (variable.words and value not in variable.words)
        ]
    if bad:
        raise ValueError(f"{variable.name} cannot be {bad[0]!r}: it is {variable.values}")


def _check_states(patients: pd.DataFrame) -> None:
    facts = zip(
        patients["who_state"],
        possible_states(patients),
        patients["idh"],
        patients["codeletion_1p19q"],
        strict=True,
    )
    for state, possible, idh, codeletion in facts:
        if set(possible) - set(LABELS):
            raise ValueError(f"possible_states names {' '.join(possible)!r}, unknown to WHO 2021")
        if state is None:
            continue
        stated = STATE_FACTS[state]
        if idh not in (None, stated.idh) or codeletion not in (None, stated.codeletion_1p19q):
            raise ValueError(
                f"{state} contradicts IDH {idh or 'unknown'}, 1p/19q {codeletion or 'unknown'}"
            )
        if possible != (state,):
            raise ValueError(f"who_state is {state} but possible_states {' '.join(possible)!r}")
