"""WHO 2021 states, and what follows from them."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gliomaai_training.diagnosis.facts import labels_answering, likeliest_answers
from gliomaai_training.diagnosis.states import (
    LABELS,
    NOT_ELSEWHERE,
    STATE_FACTS,
    WHO_STATES,
    TissueFacts,
    classify,
    consistent_states,
    label_rows,
    marginals,
    modelled,
)

IDH = (None, "mutant", "wild-type")
CODELETION = (None, "co-deleted", "intact")
GRADES = (None, 2, 3, 4)


@pytest.mark.parametrize(
    ("labels", "states"),
    [
        ((None, None, None), WHO_STATES),
        (("wild-type", None, None), ("GBM",)),
        (("mutant", None, None), ("A2", "A3", "A4", "O2", "O3")),
        ((None, "co-deleted", None), ("O2", "O3")),
        ((None, None, 4), ("GBM", "A4")),
        (("mutant", "intact", 3), ("A3",)),
        (("mutant", None, 2), ("A2", "O2")),
        ((None, "intact", 4), ("GBM", "A4")),
    ],
)
def test_states_of_partial_labels(
    labels: tuple[str | None, str | None, int | None], states: tuple[str, ...]
) -> None:
    assert consistent_states(*labels) == states


@pytest.mark.parametrize(
    "labels",
    [("wild-type", "co-deleted", None), (None, "co-deleted", 4), ("wild-type", None, 2)],
)
def test_labels_that_no_state_has(labels: tuple[str | None, str | None, int | None]) -> None:
    with pytest.raises(ValueError, match="no WHO 2021 state"):
        consistent_states(*labels)


def test_words_that_are_none() -> None:
    with pytest.raises(ValueError, match="idh is 'WT'"):
        consistent_states("WT")
    with pytest.raises(ValueError, match="grade is 1"):
        consistent_states(grade=1)


@pytest.mark.parametrize(("idh", "codeletion", "grade"), list(product(IDH, CODELETION, GRADES)))
def test_labels_of_a_state_agree_with_it(
    idh: str | None, codeletion: str | None, grade: int | None
) -> None:
    """By listing the six states anew."""
    expected = [
        state
        for state, facts in STATE_FACTS.items()
        if (idh is None or facts.idh == idh)
        and (codeletion is None or facts.codeletion_1p19q == codeletion)
        and (grade is None or facts.grade == grade)
    ]
    if expected:
        assert list(consistent_states(idh, codeletion, grade)) == expected
    else:
        with pytest.raises(ValueError, match="no WHO 2021 state"):
            consistent_states(idh, codeletion, grade)


@pytest.mark.parametrize(
    ("tissue", "states"),
    [
        (TissueFacts("mutant", "co-deleted", 2), ("O2",)),
        (TissueFacts("mutant", "co-deleted", 4), ("O3",)),
        (TissueFacts("mutant", "co-deleted"), ("O2", "O3")),
        (TissueFacts(None, "co-deleted", 3), ("O3",)),
        (TissueFacts("mutant", "intact", 4), ("A4",)),
        (TissueFacts("mutant", "intact", 2), ("A2", "A4")),
        (TissueFacts("mutant", "intact", 2, False), ("A2",)),
        (TissueFacts("mutant", "intact", 3, True), ("A4",)),
        (TissueFacts("mutant", "intact"), ("A2", "A3", "A4")),
        (TissueFacts("mutant", None, 3, False), ("A3", "O3")),
        (TissueFacts("mutant", None, 4), ("A4",)),
        (TissueFacts("wild-type", None, 4), ("GBM",)),
        (TissueFacts("wild-type", "intact", 2, None, True), ("GBM",)),
        (TissueFacts("wild-type", "intact", 3, None, False), ("NEC",)),
        (TissueFacts("wild-type", "intact", 3), ("GBM", "NEC")),
        (TissueFacts("wild-type"), ("GBM", "NEC")),
        (TissueFacts(None, "intact", 2, None, True), ("GBM", "A2", "A4")),
        (TissueFacts(None, "intact", 2, None, False), ("A2", "A4", "NEC")),
        (TissueFacts(None, None, 4), ("GBM", "A4")),
        (TissueFacts(), ("GBM", "A2", "A3", "A4", "O2", "O3", "NEC")),
    ],
)
def test_reports_before_2021(tissue: TissueFacts, states: tuple[str, ...]) -> None:
    assert classify(tissue) == states


def test_tissue_that_contradicts_itself() -> None:
    with pytest.raises(ValueError, match="wild-type with 1p/19q co-deletion"):
        TissueFacts("wild-type", "co-deleted")


TISSUES = st.builds(
    TissueFacts,
    st.sampled_from(IDH[:2]),
    st.sampled_from(CODELETION),
    st.sampled_from(GRADES),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, True, False]),
)


@given(TISSUES)
def test_knowing_more_never_adds_a_state(tissue: TissueFacts) -> None:
    facts = (tissue.idh, tissue.codeletion_1p19q, tissue.histological_grade)
    if facts[1] == "co-deleted":
        # The one thing that overrules the microscope: a "grade 4" of 1p/19q co-deletion.
        return
    less = TissueFacts(*facts)
    more = classify(tissue)
    assert set(more) <= set(classify(less))
    assert list(more) == [label for label in LABELS if label in more]
    for state in set(more) - {NOT_ELSEWHERE}:
        assert tissue.idh in (None, STATE_FACTS[state].idh)


PROBABILITIES = arrays(
    np.float64, st.tuples(st.integers(1, 8), st.just(6)), elements=st.floats(0.0, 50.0)
)


@given(PROBABILITIES)
def test_marginals_are_coherent(scores: np.ndarray) -> None:
    probabilities = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    found = marginals(probabilities)
    assert (found.codeleted <= found.idh_mutant + 1e-12).all()
    np.testing.assert_allclose(found.grade.sum(axis=1), 1.0)
    np.testing.assert_allclose(found.idh_mutant, 1.0 - probabilities[:, 0], atol=1e-12)
    # There is no oligodendroglioma of grade 4.
    assert (found.grade[:, 2] + found.codeleted <= 1.0 + 1e-12).all()


def test_marginals_of_known_states() -> None:
    found = marginals(np.eye(6))
    assert found.idh_mutant.tolist() == [0, 1, 1, 1, 1, 1]
    assert found.codeleted.tolist() == [0, 0, 0, 0, 1, 1]
    assert found.grade.argmax(axis=1).tolist() == [2, 0, 1, 2, 0, 1]


@pytest.mark.parametrize(
    ("probabilities", "message"),
    [
        (np.full((2, 5), 0.2), "one column for each state"),
        (np.full((1, 6), 0.2), "sum to 1.2"),
        (np.array([[1.5, -0.5, 0, 0, 0, 0]]), "negative"),
        (np.full((1, 6), np.nan), "sum to nan"),
    ],
)
def test_what_is_no_probability(probabilities: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        marginals(probabilities)


def test_rows_of_labels() -> None:
    rows = label_rows([("GBM",), ("A2", "A4"), ("GBM", "NEC")])
    assert rows.shape == (3, 7)
    assert [np.flatnonzero(row).tolist() for row in rows] == [[0], [1, 3], [0, 6]]
    assert modelled(rows).tolist() == rows[:, :6].tolist()
    with pytest.raises(ValueError, match="states are some of"):
        label_rows([()])
    with pytest.raises(ValueError, match="O4"):
        label_rows([("O4",)])
    with pytest.raises(ValueError, match="who can only be NEC"):
        modelled(label_rows([("NEC",)]))


@given(st.sampled_from(LABELS), st.floats(0.51, 1.0))
def test_a_likely_state_is_what_the_single_answers_say(label: str, chance: float) -> None:
    states = dict.fromkeys(LABELS, (1 - chance) / (len(LABELS) - 1)) | {label: chance}
    assert labels_answering(likeliest_answers(states)) == (label,)


def test_without_a_likely_state_the_single_answers_may_fit_no_tumour() -> None:
    states = {"GBM": 0.44, "O2": 0.26, "O3": 0.25, "A2": 0.05}
    answers = likeliest_answers(states)
    assert answers == {"idh": "mutant", "codeletion_1p19q": "co-deleted", "grade": "4"}
    assert labels_answering(answers) == ()
    assert labels_answering({"idh": "wild-type"}) == ("GBM", "NEC")
    assert labels_answering({"grade": ""}) == ("NEC",)
