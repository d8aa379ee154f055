"""The diagnoses that WHO 2021 knows for adult-type diffuse gliomas, and what follows from them.

One softmax over these states gives IDH, 1p/19q and grade as marginals, so that no prediction can be
co-deleted and IDH wild-type at once, or an oligodendroglioma of grade 4 (Louis et al., Neuro-Oncol
2021;23:1231). Labels known in part train it through the states that they leave possible.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.vocabulary import CLINICAL_WORDS, WHO_GRADES

WHO_STATES = ("GBM", "A2", "A3", "A4", "O2", "O3")
"""WHO 2021 adult-type diffuse gliomas with their grades: glioblastoma (IDH-wildtype, grade 4),
astrocytoma (IDH-mutant), oligodendroglioma (IDH-mutant, 1p/19q-codeleted)."""

STATE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "GBM": "Glioblastoma, IDH-wildtype",
        "A2": "Astrocytoma, IDH-mutant, grade 2",
        "A3": "Astrocytoma, IDH-mutant, grade 3",
        "A4": "Astrocytoma, IDH-mutant, grade 4",
        "O2": "Oligodendroglioma, grade 2",
        "O3": "Oligodendroglioma, grade 3",
    }
)
"""The states as readers know them."""

NOT_ELSEWHERE = "NEC"
"""IDH-wildtype of lower grade without a molecular marker of glioblastoma: "not elsewhere
classified", a tumour that a patient may have and none of the states that a model answers with."""

LABELS = (*WHO_STATES, NOT_ELSEWHERE)
"""What a patient may have."""

MUTANT, WILD_TYPE = CLINICAL_WORDS["idh"]
CODELETED, INTACT = CLINICAL_WORDS["codeletion_1p19q"]


@dataclass(frozen=True)
class StateFacts:
    """What a state says of the tissue."""

    idh: str
    codeletion_1p19q: str
    """Glioblastoma is not defined by 1p/19q; it is never called co-deleted."""
    grade: int


STATE_FACTS: Mapping[str, StateFacts] = MappingProxyType(
    {
        "GBM": StateFacts(WILD_TYPE, INTACT, 4),
        "A2": StateFacts(MUTANT, INTACT, 2),
        "A3": StateFacts(MUTANT, INTACT, 3),
        "A4": StateFacts(MUTANT, INTACT, 4),
        "O2": StateFacts(MUTANT, CODELETED, 2),
        "O3": StateFacts(MUTANT, CODELETED, 3),
    }
)


@dataclass(frozen=True)
class TissueFacts:
    """What pathology knows of one tumour; None where nobody looked or nobody says."""

    idh: str | None = None
    codeletion_1p19q: str | None = None
    histological_grade: int | None = None
    """Under the microscope, as reports before 2021 give it."""
    homozygous_cdkn2a_deletion: bool | None = None
    glioblastoma_marker: bool | None = None
    """Whether any of TERT promoter mutation, EGFR amplification, +7/-10 was found; False only if
    all three were looked for."""

    def __post_init__(self) -> None:
        _check("idh", self.idh, CLINICAL_WORDS["idh"])
        _check("1p/19q", self.codeletion_1p19q, CLINICAL_WORDS["codeletion_1p19q"])
        _check("histological grade", self.histological_grade, WHO_GRADES)
        if self.idh == WILD_TYPE and self.codeletion_1p19q == CODELETED:
            raise ValueError(_NO_SUCH_STATE)


_NO_SUCH_STATE = "IDH wild-type with 1p/19q co-deletion is no WHO 2021 state: one of them is wrong"


def consistent_states(
    idh: str | None = None, codeletion_1p19q: str | None = None, grade: int | None = None
) -> tuple[str, ...]:
    """The states that agree with partial labels of WHO 2021; all of them if nothing is known.

    Args:
        idh: `mutant` or `wild-type`.
        codeletion_1p19q: `co-deleted` or `intact`.
        grade: of WHO 2021, not of a report before it: see `classify`.

    Raises:
        ValueError: a word or grade that is none, or labels that no state has together.
    """
    _check("idh", idh, CLINICAL_WORDS["idh"])
    _check("1p/19q", codeletion_1p19q, CLINICAL_WORDS["codeletion_1p19q"])
    _check("grade", grade, WHO_GRADES)
    found = tuple(
        state
        for state, facts in STATE_FACTS.items()
        if idh in (None, facts.idh)
        and codeletion_1p19q in (None, facts.codeletion_1p19q)
        and grade in (None, facts.grade)
    )
    if not found:
        raise ValueError(
            f"no WHO 2021 state is IDH {idh or 'unknown'}, 1p/19q {codeletion_1p19q or 'unknown'} "
            f"and of grade {grade or 'unknown'}: one of them is wrong"
        )
    return found


def classify(tissue: TissueFacts) -> tuple[str, ...]:
    """The states that a tumour can be in, by the rules of WHO 2021, from whatever was measured.

    - IDH-mutant and co-deleted is oligodendroglioma, grade 2 or 3 only: a "grade 4" is 3.
    - IDH-mutant and intact is astrocytoma; histological grade 4 or homozygous CDKN2A/B deletion
      makes it 4, so that without a look at CDKN2A grade 2 stays "2 or 4".
    - IDH-wildtype is glioblastoma if it looks so or has a molecular marker of it.
    - Any other IDH-wildtype tumour is `NOT_ELSEWHERE`, if all the markers were looked for; if not,
      it is one of the two.
    - A histological grade 4 counts as co-deleted only if co-deletion was measured.

    Returns:
        One of `LABELS` when the facts decide, several, in that order, when they leave a choice.
    """
    if tissue.idh == WILD_TYPE:
        return _wild_type(tissue)
    mutant = _mutant(tissue)
    if tissue.idh == MUTANT or tissue.codeletion_1p19q == CODELETED:
        return mutant
    found = {*mutant, *_wild_type(tissue)}
    return tuple(label for label in LABELS if label in found)


def label_rows(possible: Sequence[Sequence[str]]) -> NDArray[np.bool_]:
    """What each patient may have, (n, 7) in the order of `LABELS`.

    Raises:
        ValueError: an unknown label, or a patient with none.
    """
    rows = np.zeros((len(possible), len(LABELS)), np.bool_)
    for row, labels in zip(rows, possible, strict=True):
        if not labels or set(labels) - set(LABELS):
            raise ValueError(f"states are some of {', '.join(LABELS)}, not {list(labels)}")
        row[[LABELS.index(label) for label in labels]] = True
    return rows


def modelled(rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The states (n, 6) that a likelihood sums over, of labels (n, 7).

    Whoever has glioblastoma or is `NOT_ELSEWHERE` counts as IDH-wildtype, which among the states
    glioblastoma alone stands for.

    Raises:
        ValueError: a patient can be in none of the states.
    """
    states = rows[:, : len(WHO_STATES)]
    if not states.any(axis=1).all():
        raise ValueError(f"a patient who can only be {NOT_ELSEWHERE} is in none of the states")
    return states


@dataclass(frozen=True)
class Marginals:
    """Probabilities of single facts, each (n,), coherent with each other by construction."""

    idh_mutant: NDArray[np.float64]
    codeleted: NDArray[np.float64]
    """Never above `idh_mutant`."""
    grade: NDArray[np.float64]
    """(n, 3) of the grades 2, 3 and 4."""


def marginals(probabilities: NDArray[np.float64]) -> Marginals:
    """What probabilities of the states say of IDH, 1p/19q and grade.

    Args:
        probabilities: (n, 6) in the order of `WHO_STATES`, each row summing to 1.

    Raises:
        ValueError: another shape, or rows that are no probabilities.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] != len(WHO_STATES):
        raise ValueError(
            f"probabilities are (n, {len(WHO_STATES)}), one column for each state, "
            f"not {probabilities.shape}"
        )
    sums = probabilities.sum(axis=1)
    wrong = ~((probabilities >= 0).all(axis=1) & np.isclose(sums, 1.0, rtol=0.0, atol=1e-6))
    if wrong.any():
        raise ValueError(f"probabilities of a patient sum to {sums[wrong][0]} or are negative")
    facts = [STATE_FACTS[state] for state in WHO_STATES]
    mutant = np.array([one.idh == MUTANT for one in facts])
    codeleted = np.array([one.codeletion_1p19q == CODELETED for one in facts])
    grades = np.array([[one.grade == grade for one in facts] for grade in WHO_GRADES])
    return Marginals(
        idh_mutant=probabilities[:, mutant].sum(axis=1),
        codeleted=probabilities[:, codeleted].sum(axis=1),
        grade=np.stack([probabilities[:, of].sum(axis=1) for of in grades], axis=1),
    )


def of_states(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Probabilities of the states a model answers with, from those of all labels.

    Without `NOT_ELSEWHERE`, which glioblastoma alone stands for where nothing else is left.

    Args:
        probabilities: (n, 7) in the order of `LABELS`, each row summing to 1.

    Returns:
        (n, 6) in the order of `WHO_STATES`, each row summing to 1: for `marginals`.

    Raises:
        ValueError: another shape, or a negative or unknown probability.
    """
    values = np.asarray(probabilities, np.float64)
    if values.ndim != 2 or values.shape[1] != len(LABELS):
        raise ValueError(
            f"probabilities are (n, {len(LABELS)}), one column for each label, not {values.shape}"
        )
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError("a probability is negative or unknown")
    states = values[:, : len(WHO_STATES)].copy()
    nothing = states.sum(axis=1) <= 0
    states[nothing, WHO_STATES.index("GBM")] = 1.0
    return np.asarray(states / states.sum(axis=1, keepdims=True))


def _wild_type(tissue: TissueFacts) -> tuple[str, ...]:
    if tissue.histological_grade == 4 or tissue.glioblastoma_marker:
        return ("GBM",)
    return (NOT_ELSEWHERE,) if tissue.glioblastoma_marker is False else ("GBM", NOT_ELSEWHERE)


def _mutant(tissue: TissueFacts) -> tuple[str, ...]:
    """The states of a tumour that is IDH-mutant, or may be."""
    if tissue.codeletion_1p19q == CODELETED:
        return _oligodendroglioma(tissue.histological_grade)
    astrocytoma = _astrocytoma(tissue.histological_grade, tissue.homozygous_cdkn2a_deletion)
    if tissue.codeletion_1p19q == INTACT or tissue.histological_grade == 4:
        return astrocytoma
    return astrocytoma + _oligodendroglioma(tissue.histological_grade)


def _astrocytoma(grade: int | None, cdkn2a_deleted: bool | None) -> tuple[str, ...]:
    if cdkn2a_deleted or grade == 4:
        return ("A4",)
    if grade is None:
        return ("A2", "A3", "A4")
    return (f"A{grade}",) if cdkn2a_deleted is False else (f"A{grade}", "A4")


def _oligodendroglioma(grade: int | None) -> tuple[str, ...]:
    return ("O2", "O3") if grade is None else (f"O{min(grade, 3)}",)


def _check(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value is not None and value not in allowed:
        raise ValueError(f"{name} is {value!r}; it can be {', '.join(map(str, allowed))}")
