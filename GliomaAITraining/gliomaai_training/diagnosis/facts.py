"""What the state of a tumour says of single facts: IDH, 1p/19q and grade as sums over states."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.diagnosis.joint_model import ANSWERS
from gliomaai_training.diagnosis.states import CODELETED, INTACT, LABELS, MUTANT, WILD_TYPE
from gliomaai_training.vocabulary import WHO_GRADES

_VALUES: Mapping[str, tuple[str, ...]] = {
    "idh": (WILD_TYPE, MUTANT),
    "codeletion_1p19q": (INTACT, CODELETED),
    "grade": tuple(str(grade) for grade in WHO_GRADES),
}

FACTS: Mapping[str, Mapping[str, NDArray[np.bool_]]] = MappingProxyType(
    {
        task: MappingProxyType(
            {value: np.array([answer == value for answer in ANSWERS[task]]) for value in values}
        )
        for task, values in _VALUES.items()
    }
)
"""For each fact and each of its values, in the order of `data.targets.CLASSES`, which of `LABELS`
have it (7,). What is not elsewhere classified is wild-type and intact, and has no grade."""


def fact_probabilities(states: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Probabilities of single facts, coherent with each other by construction.

    Args:
        states: (..., 7) in the order of `LABELS`.

    Returns:
        For each of `FACTS` (..., values). Those of IDH and 1p/19q sum to 1; the grades' to what is
        not `NOT_ELSEWHERE`.

    Raises:
        ValueError: another number of states.
    """
    if states.ndim < 1 or states.shape[-1] != len(LABELS):
        raise ValueError(f"probabilities are (..., {len(LABELS)}), not {states.shape}")
    return {
        task: states @ np.stack(list(values.values()), axis=1).astype(np.float64)
        for task, values in FACTS.items()
    }


def likeliest_answers(states: Mapping[str, float]) -> dict[str, str]:
    """The likeliest answer to each of `FACTS`, each question by itself; "" is no grade.

    They need not be of one tumour: where no state is likely, the likeliest grade may be another
    state's than the likeliest answer to 1p/19q (`labels_answering`).

    Args:
        states: probabilities by `LABELS`, or some of them.
    """
    found = {}
    for question in FACTS:
        shares: dict[str, float] = {}
        for label, answer in zip(LABELS, ANSWERS[question], strict=True):
            shares[answer] = shares.get(answer, 0.0) + states.get(label, 0.0)
        found[question] = max(shares, key=lambda answer: shares[answer])
    return found


def labels_answering(answers: Mapping[str, str]) -> tuple[str, ...]:
    """Those of `LABELS` that have all of these facts; none where the answers contradict each other.

    Args:
        answers: to some of `FACTS`.
    """
    return tuple(
        label
        for number, label in enumerate(LABELS)
        if all(ANSWERS[question][number] == answer for question, answer in answers.items())
    )
