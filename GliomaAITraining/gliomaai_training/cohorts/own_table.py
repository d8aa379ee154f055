"""A researcher's own cohort: what its table tells of diagnosis and survival beside the images.

The table is the manifest (`id` and `patient`) with further columns, all of which may be absent and
any of whose cells may be empty. What can be meant is read by name (`spellings`); what cannot be
true of one tumour together is refused. Messages name row, column and value, never the patient.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table, state_columns
from gliomaai_training.cohorts.dictionary import MGMT
from gliomaai_training.cohorts.spellings import ALIASES, SPELLINGS, UNKNOWN
from gliomaai_training.cohorts.values import ages, months, read_text_table, translate
from gliomaai_training.covariates import WHO_STATE
from gliomaai_training.diagnosis.joint_model import ANSWERS
from gliomaai_training.diagnosis.states import (
    LABELS,
    STATE_NAMES,
    WILD_TYPE,
    TissueFacts,
    classify,
    consistent_states,
)
from gliomaai_training.vocabulary import CLINICAL_WORDS, KPS_STEP, WHO_GRADES

WHO = {"id": "folder of the images", "patient": "person"}
MANIFEST = tuple(WHO)
FACTS = ("idh", "codeletion_1p19q")
GRADES: Mapping[str, int | None] = {
    spelling: grade for grade in WHO_GRADES for spelling in (str(grade), f"{grade}.0", f"G{grade}")
}
EVENTS: Mapping[str, float | None] = {
    "1": 1.0, "1.0": 1.0, "dead": 1.0, "0": 0.0, "0.0": 0.0, "alive": 0.0,
}  # fmt: skip
KPS: Mapping[str, float | None] = {
    spelling: float(score)
    for score in range(KPS_STEP, 101, KPS_STEP)
    for spelling in (str(score), f"{score}.0")
}
TEXTS = ("site", "aliases")
WORDS: Mapping[str, tuple[str, ...]] = {**CLINICAL_WORDS, "mgmt": MGMT}
TUMOUR = (WHO_STATE, *FACTS, "grade", "reported_grade")
COLUMNS = (
    *MANIFEST, *TUMOUR, "months", "event", "age_years", "sex", "kps", "resection", "mgmt", *TEXTS,
)  # fmt: skip
"""What is read, by the names of the data dictionary; `spellings.ALIASES` has others for some."""


def read_own_table(table: Path, name: str) -> ClinicalCohort:
    """Reads a cohort's own table, columns as in docs/cohorts.md, without rows that tell nothing.

    Args:
        table: the CSV that `manifest.read_manifest` reads too.
        name: of the cohort.

    Raises:
        ValueError: no such table, a column is there twice or `id` or `patient` is missing, two rows
            tell of one patient, a value is unknown to `spellings` or impossible, the facts of a row
            fit no tumour of WHO 2021, a time without an event, or nothing is told of anybody.
    """
    rows = _rows(table)
    told = _told(rows)
    states = [_possible(facts) for facts in _facts(rows, told)]
    if not any(states) and np.isnan(told["months"]).all():
        raise ValueError(
            f"{table.name} tells of nobody's diagnosis or survival: fill {', '.join(TUMOUR)}, or "
            "months and event, where they are known; or leave `clinical` out of the recipe"
        )
    shared = {fact: _shared(fact, states, told[fact]) for fact in FACTS}
    whole = clinical_table({**told, **shared, "cohort": name, **state_columns(states)})
    return ClinicalCohort(name, whole[_tell(rows, table)].reset_index(drop=True))


def _rows(table: Path) -> pd.DataFrame:
    """The table's texts by `COLUMNS`, unknown as ""; columns of other names are left alone."""
    rows = read_text_table(table, MANIFEST).rename(columns=lambda one: str(one).strip())
    rows = rows.rename(columns=dict(ALIASES))
    if twice := sorted({str(one) for one in rows.columns[rows.columns.duplicated()]}):
        raise ValueError(f"{table.name} has {', '.join(twice)} twice, perhaps under two names")
    rows = rows.reindex(columns=list(COLUMNS), fill_value="")
    cells = pd.DataFrame({one: rows[one].str.strip() for one in COLUMNS})
    cells = cells.replace(list(UNKNOWN), "")
    for one in MANIFEST:
        if empty := int((cells[one] == "").sum()):
            raise ValueError(
                f"{table.name}: {one} is missing in {empty} rows; it names the {WHO[one]}"
            )
    return cells


def _tell(rows: pd.DataFrame, table: Path) -> "pd.Series[bool]":
    """Which rows tell anything beside the images; of each patient one at most."""
    tell = (rows[list(COLUMNS[len(MANIFEST) :])] != "").any(axis=1)
    if many := int(rows["patient"][tell].duplicated().sum()):
        raise ValueError(
            f"{table.name} tells of {many} patients in more than one row: fill the row of the scan "
            "that diagnosis and survival belong to, and empty those of other scans"
        )
    return tell


def _told(rows: pd.DataFrame) -> dict[str, list[Any]]:
    """What is known beside the state, by the names of the data dictionary; None for unknown."""
    survival, event = months(rows["months"]), translate(rows["event"], EVENTS)
    for number, (time, ended) in enumerate(zip(survival, event, strict=True), start=1):
        if not np.isnan(time) and ended is None:
            raise ValueError(
                f"row {number}: {time:g} months without an event: say 1 for death, 0 for alive at "
                "last contact"
            )
    return {
        "patient": list(rows["patient"]),
        "case": list(rows["id"]),
        **{one: translate(rows[one], _words(one)) for one in WORDS},
        **{one: [text or None for text in rows[one]] for one in TEXTS},
        "reported_grade": translate(rows["reported_grade"], GRADES),
        "age_years": ages(rows["age_years"]),
        "kps": translate(rows["kps"], KPS),
        "months": survival,
        "event": [
            None if np.isnan(time) else ended for time, ended in zip(survival, event, strict=True)
        ],
    }


def _words(column: str) -> dict[str, str | None]:
    return {**{word: word for word in WORDS[column]}, **SPELLINGS.get(column, {})}


@dataclass(frozen=True)
class _Facts:
    """What one row says of the tumour."""

    row: int
    """From 1."""
    states: tuple[str, ...]
    """Of `LABELS`; () for unknown."""
    idh: str | None
    codeletion: str | None
    grade: int | None
    """Of WHO 2021."""
    reported_grade: int | None

    @property
    def words(self) -> str:
        """What is known, for a message."""
        named = {
            "state": " ".join(self.states),
            "IDH": self.idh,
            "1p/19q": self.codeletion,
            "grade": self.grade,
            "reported grade": self.reported_grade,
        }
        return ", ".join(f"{name} {value}" for name, value in named.items() if value)


def _facts(rows: pd.DataFrame, told: Mapping[str, list[Any]]) -> list[_Facts]:
    states = [_states(text, number) for number, text in enumerate(rows[WHO_STATE], start=1)]
    grades = translate(rows["grade"], GRADES)
    columns = (states, *(told[fact] for fact in FACTS), grades, told["reported_grade"])
    return [_Facts(number, *row) for number, row in enumerate(zip(*columns, strict=True), start=1)]


def _states(text: str, row: int) -> tuple[str, ...]:
    """The states that a cell names, by `LABELS` or, of one, by its name in words."""
    by_name = {words: state for state, words in STATE_NAMES.items()}
    named = {by_name[text]} if text in by_name else set(text.split())
    if wrong := sorted(named - set(LABELS)):
        raise ValueError(
            f"column state, row {row}: {wrong[0]!r} is none of {', '.join(LABELS)}; several that "
            "a patient may have are separated by spaces"
        )
    return tuple(label for label in LABELS if label in named)


def _possible(facts: _Facts) -> tuple[str, ...]:
    """The labels that everything in a row leaves; () where nothing is known.

    `grade` is of WHO 2021, so that it tells astrocytoma 2 from 4 by itself; `reported_grade` is
    read by the rules for older reports (`diagnosis.states.classify`).
    """
    if not facts.words:
        return ()
    left = set(facts.states or LABELS)
    try:
        tissue = TissueFacts(facts.idh, facts.codeletion, facts.reported_grade)
        left &= set(classify(tissue))
        if facts.grade is not None:
            left &= set(consistent_states(facts.idh, facts.codeletion, facts.grade))
    except ValueError as error:
        raise ValueError(f"row {facts.row}: {error}{_advice(facts)}") from None
    if not left:
        raise ValueError(
            f"row {facts.row}: {facts.words}: no tumour of WHO 2021 is all of this{_advice(facts)}"
        )
    return tuple(label for label in LABELS if label in left)


def _advice(facts: _Facts) -> str:
    if facts.grade is None:
        return ""
    return "; a grade of a report before WHO 2021 belongs into the column reported_grade"


def _shared(
    fact: str, states: Sequence[tuple[str, ...]], given: Sequence[str | None]
) -> list[str | None]:
    """A fact as it was measured, or as all states that are left have it.

    1p/19q is left open in IDH-wildtype tumours, which are not defined by it.
    """
    found: list[str | None] = []
    for left, value in zip(states, given, strict=True):
        answers = {ANSWERS[fact][LABELS.index(label)] for label in left}
        mutant = WILD_TYPE not in {ANSWERS["idh"][LABELS.index(label)] for label in left}
        decided = len(answers) == 1 and (fact == "idh" or mutant)
        found.append(answers.pop() if value is None and decided else value)
    return found
