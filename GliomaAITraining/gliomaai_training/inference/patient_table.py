"""Patients of a table, as statistical models ask for them.

Columns are called as in cohorts and clinic (`gliomaai_training.covariates`), or as
`spellings.ALIASES` has them; features are called as in the table that a model was fitted on. Empty
cells are unknown.
Messages name column and value, never the patient.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gliomaai_training.cohorts.spellings import ALIASES, SPELLINGS, UNKNOWN
from gliomaai_training.cohorts.values import read_text_table
from gliomaai_training.covariates import WHO_STATE, age_in_groups
from gliomaai_training.diagnosis.covariates import WHOLE_TUMOUR, whole_tumour_covariates
from gliomaai_training.diagnosis.states import WHO_STATES, consistent_states
from gliomaai_training.survival.terms import CategoricalTerm, NumericTerm, Term, Value
from gliomaai_training.vocabulary import CLINICAL_WORDS, WHO_GRADES

PATIENT = "patient"
TISSUE = ("idh", "codeletion_1p19q", "grade")
"""What the WHO state follows from where it is not given itself."""
SHAPE = "original_shape_"
"""PyRadiomics' features of form; volume and axes of the tumour follow from them."""
PROBABILITY = "probability_"
"""Of a WHO state, as the scores of a diagnosis pack have it."""

Patient = dict[str, Value]


@dataclass(frozen=True)
class TablePatients:
    """The patients of one or several tables."""

    names: tuple[str, ...]
    """The column `patient`; the numbers of the rows, from 1, where there is none."""
    cells: pd.DataFrame
    """Texts, with the columns called as covariates."""


def read_patients(files: Sequence[Path]) -> TablePatients:
    """Reads one table, or several that are joined by the column `patient`.

    Raises:
        ValueError: a table is not there or empty, names a patient twice or a column that another
            has too, or has no column `patient` to be joined by.
    """
    tables = [_table(file) for file in files]
    if len(tables) > 1:
        for file, table in zip(files, tables, strict=True):
            if PATIENT not in table:
                raise ValueError(f"{file.name} has no column {PATIENT!r} to be joined by")
    joined = tables[0]
    for file, table in zip(files[1:], tables[1:], strict=True):
        if both := sorted({str(one) for one in set(joined) & set(table)} - {PATIENT}):
            raise ValueError(f"{file.name} and another table both have {', '.join(both)}")
        joined = joined.merge(table, on=PATIENT, how="left").fillna("")
    if PATIENT not in joined:
        return TablePatients(tuple(str(n) for n in range(1, len(joined) + 1)), joined)
    return TablePatients(tuple(joined[PATIENT]), joined)


def _table(file: Path) -> pd.DataFrame:
    table = read_text_table(file, ()).rename(columns=lambda name: str(name).strip())
    table = table.rename(columns={k: v for k, v in ALIASES.items() if k in table})
    if twice := sorted({str(one) for one in table.columns[table.columns.duplicated()]}):
        raise ValueError(f"{file.name} has {', '.join(twice)} twice, perhaps under two names")
    if PATIENT in table and table[PATIENT].duplicated().any():
        raise ValueError(f"{file.name} lists patients more than once")
    return table


def patient_of(cells: Mapping[str, str], terms: Iterable[Term]) -> Patient:
    """One row's values of everything that the terms ask for, as far as they are known.

    Args:
        cells: texts by column.
        terms: of all models; a column that none asks for is not looked at.

    Raises:
        ValueError: a cell that is no number, impossible, or a word that nobody knows.
    """
    by_name: dict[str, list[Term]] = {}
    for term in terms:
        by_name.setdefault(term.name, []).append(term)
    known = {name: _value(_cell(cells, name), of_name) for name, of_name in by_name.items()}
    if set(by_name) & set(WHOLE_TUMOUR):
        known |= {k: v for k, v in _form(cells).items() if known.get(k, 0) is None}
    if asked := set(by_name) & {WHO_STATE, *_AGES}:
        known |= _state(cells, known)
        known |= _ages(cells, known) if asked & set(_AGES) else {}
    return known


_AGES = tuple(age_in_groups(50.0, "GBM"))


def _cell(cells: Mapping[str, str], name: str) -> str:
    """A cell's text, "" if it is unknown or there is no such column."""
    text = cells.get(name, "").strip()
    return "" if text in UNKNOWN else text


def _value(text: str, terms: Sequence[Term]) -> Value:
    term = terms[0]
    if not text:
        return None
    if isinstance(term, NumericTerm):
        number = _number(term.label, text)
        term.encode([number])
        return number
    levels = [level for one in terms if isinstance(one, CategoricalTerm) for level in one.levels]
    return _word(term.name, term.label, text, levels)


def _word(name: str, label: str, text: str, levels: Sequence[str] = ()) -> str | None:
    """A word of the project, which these models need not have seen, or one of their levels."""
    other = SPELLINGS.get(name, {})
    word = other.get(text, text)
    known = dict.fromkeys((*CLINICAL_WORDS.get(name, ()), *levels))
    if word is not None and word not in known:
        raise ValueError(f"{label} {text!r} was never seen; known are {', '.join(known)}")
    return word


def _number(label: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{label} must be a number, not {text!r}") from None


def _form(cells: Mapping[str, str]) -> Patient:
    """Volume and axes of the whole tumour from PyRadiomics' features, where they are there."""
    shape = {
        name.removeprefix(SHAPE): _number(name, _cell(cells, name))
        for name in cells
        if name.startswith(SHAPE) and _cell(cells, name)
    }
    try:
        return dict(whole_tumour_covariates(shape))
    except ValueError:
        return {}


def _state(cells: Mapping[str, str], known: Mapping[str, Value]) -> Patient:
    """The WHO state that is given, follows from tissue, or is known by its probabilities."""
    if known.get(WHO_STATE) is not None:
        return {}
    states = _states_left(cells)
    if len(states) == 1:
        return {WHO_STATE: states[0]}
    chances = {state: _cell(cells, PROBABILITY + state) for state in WHO_STATES}
    if not all(chances.values()):
        return {}
    return {WHO_STATE: {k: _number(PROBABILITY + k, text) for k, text in chances.items()}}


def _states_left(cells: Mapping[str, str]) -> tuple[str, ...]:
    """The states that agree with the tissue; none where its facts contradict each other."""
    idh, codeletion = (
        _word(name, name, text) if (text := _cell(cells, name)) else None for name in TISSUE[:2]
    )
    grade = _cell(cells, "grade")
    if grade and grade not in map(str, WHO_GRADES):
        raise ValueError(f"grade {grade!r} is none of WHO 2021: {', '.join(map(str, WHO_GRADES))}")
    try:
        return consistent_states(idh, codeletion, int(grade) if grade else None)
    except ValueError:
        return ()


def _ages(cells: Mapping[str, str], known: Mapping[str, Value]) -> Patient:
    age, state = _cell(cells, "age_years"), known.get(WHO_STATE)
    if not age or not isinstance(state, str):
        return {}
    return dict(age_in_groups(_number("age", age), state))
