"""The diagnosis of WHO 2021 without a network: one softmax over the states. Only numpy is needed.

A multinomial logistic model over `WHO_STATES`. IDH, 1p/19q and grade are its marginals, so that
no answer contradicts itself. A question is answered only where the model is sure enough for a
stated accuracy; else the answer is "indeterminate".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.diagnosis.states import (
    INTACT,
    STATE_FACTS,
    WHO_STATES,
    WILD_TYPE,
    Marginals,
    marginals,
)
from gliomaai_training.documents import (
    check_format,
    model_head,
    read_document,
    told_in_head,
    write_document,
)
from gliomaai_training.survival.terms import (
    Columns,
    MissingCovariateError,
    NumericTerm,
    OfTerms,
    Term,
    Value,
    is_missing,
    term_document,
    term_from_document,
)

Floats = NDArray[np.float64]
Patient = Mapping[str, Value]

FORMAT = "gliomaai joint diagnosis"
VERSION = 1
"""Of the file; a reader refuses what it does not know."""

INDETERMINATE = "indeterminate"

QUESTIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "state": WHO_STATES,
        "idh": tuple(facts.idh for facts in STATE_FACTS.values()),
        "codeletion_1p19q": tuple(facts.codeletion_1p19q for facts in STATE_FACTS.values()),
        "grade": tuple(str(facts.grade) for facts in STATE_FACTS.values()),
    }
)
"""What can be asked, and what each state, in the order of `WHO_STATES`, answers."""

_NO_ANSWER = {"state": "", "idh": WILD_TYPE, "codeletion_1p19q": INTACT, "grade": ""}

ANSWERS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {question: (*answers, _NO_ANSWER[question]) for question, answers in QUESTIONS.items()}
)
"""The true answers for each of `LABELS`; empty where a tumour that is not elsewhere classified has
none."""


@dataclass(frozen=True)
class CertaintyRule:
    """When a question is answered.

    Each answer has a threshold of its own: of a rare state and a frequent one, the frequent alone
    could make up for every error that is made in the rare one.
    """

    question: str
    accuracy: float
    """Share of the patients given an answer of whom it shall be true, for each answer."""
    thresholds: Mapping[str, float | None]
    """By answer, the lowest probability from which on it is given; None where it never is."""

    def __post_init__(self) -> None:
        if self.question not in QUESTIONS:
            raise ValueError(f"{self.question!r} is none of {', '.join(QUESTIONS)}")
        if set(self.thresholds) != set(QUESTIONS[self.question]):
            raise ValueError(f"{self.question}: needs a threshold for each of its answers")
        for number in (self.accuracy, *self.thresholds.values()):
            if number is not None and not 0 <= number <= 1:
                raise ValueError(f"{self.question}: {number} is no probability")

    def is_sure(self, value: str, probability: float) -> bool:
        """Whether an answer of this probability is given."""
        threshold = self.thresholds[value]
        return threshold is not None and probability >= threshold


@dataclass(frozen=True)
class Restriction:
    """Whose patients a model is for, where its numbers mean the same nowhere else."""

    patients: str
    """The cohort or hospital, in a word."""
    reason: str
    """Why no others, in words that follow "only for PATIENTS: "."""
    most_beyond: float
    """The largest share of the numbers that may lie beyond those of the patients the model was
    fitted on; with more of them they were measured otherwise."""

    def __post_init__(self) -> None:
        if not self.patients or not 0 < self.most_beyond < 1:
            raise ValueError(f"{self.patients!r} and {self.most_beyond} are no restriction")


class NotForThisPatientError(ValueError):
    """A model is for others, as its restriction says."""


@dataclass(frozen=True)
class Answer:
    """What the model says to one question about one patient."""

    value: str
    """`INDETERMINATE` unless it is sure enough."""
    likeliest: str
    probability: float
    """Of the likeliest."""


@dataclass(frozen=True)
class Diagnosis:
    """What a model says of one patient."""

    model: str
    probabilities: Mapping[str, float]
    """By state; they sum to 1."""
    idh_mutant: float
    codeleted: float
    grade: Mapping[int, float]
    answers: Mapping[str, Answer]
    """By question."""
    extrapolated: tuple[str, ...]
    """Labels of the values beyond those of the patients that the model was fitted on."""


@dataclass(frozen=True, eq=False)
class JointModel(OfTerms):
    """Log odds of the states are intercepts + columns x coefficients, divided by a temperature."""

    name: str
    cohort: str
    """Which patients it was fitted on, in words."""
    patients: int
    states: Mapping[str, int]
    """Patients whose state was known, by state; of the others only a part was."""
    case_mix: str
    """The cohort whose mix of diagnoses the intercepts stand for."""
    terms: tuple[Term, ...]
    intercepts: Floats
    """(6,)"""
    coefficients: Floats
    """(p, 6)"""
    temperature: float
    rules: tuple[CertaintyRule, ...]
    limits: tuple[str, ...] = ()
    """What every answer has to say about it."""
    only_for: Restriction | None = None
    """None for a model that may be asked about anybody."""

    def __post_init__(self) -> None:
        p = len(self.columns)
        self.check_terms()
        if self.intercepts.shape != (len(WHO_STATES),):
            raise ValueError(f"{self.name}: needs {len(WHO_STATES)} intercepts")
        if self.coefficients.shape != (p, len(WHO_STATES)):
            raise ValueError(
                f"{self.name}: coefficients {self.coefficients.shape} do not fit {p} columns"
            )
        if not (np.isfinite(self.coefficients).all() and np.isfinite(self.intercepts).all()):
            raise ValueError(f"{self.name}: a coefficient is not finite")
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise ValueError(f"{self.name}: a temperature of {self.temperature} is not possible")

    def probabilities(self, table: Columns) -> Floats:
        """Calibrated probabilities (n, 6) of the states, in the order of `WHO_STATES`.

        Args:
            table: n patients by columns; further columns are ignored.

        Raises:
            MissingCovariateError: a covariate is absent or unknown for some patient.
            ValueError: an impossible value, or a category never seen.
        """
        logits = self.intercepts + design(self.terms, table, self.name) @ self.coefficients
        return softmax(logits / self.temperature)

    def marginals(self, table: Columns) -> Marginals:
        """IDH, 1p/19q and grade, coherent with each other.

        Raises:
            as `probabilities`.
        """
        return marginals(self.probabilities(table))

    def diagnose(self, patient: Patient) -> Diagnosis:
        """Everything that the model says of one patient.

        Raises:
            NotForThisPatientError: too many numbers are beyond what a restricted model has seen.
            as `probabilities`.
        """
        table = {name: [patient.get(name)] for name in self.covariates}
        chances = self.probabilities(table)
        self._check_units(patient)
        told = marginals(chances)
        return Diagnosis(
            model=self.name,
            probabilities=dict(zip(WHO_STATES, chances[0].tolist(), strict=True)),
            idh_mutant=float(told.idh_mutant[0]),
            codeleted=float(told.codeleted[0]),
            grade={
                grade: float(chance) for grade, chance in zip((2, 3, 4), told.grade[0], strict=True)
            },
            answers={rule.question: _answer(rule, chances[0]) for rule in self.rules},
            extrapolated=self.extrapolated(patient),
        )

    def extrapolated(self, patient: Patient) -> tuple[str, ...]:
        """Labels of the numbers that lie beyond those of the patients it was fitted on."""
        return tuple(
            term.label
            for term in self.terms
            if isinstance(term, NumericTerm)
            and isinstance(value := patient.get(term.name), int | float | np.number)
            and not is_missing(value)
            and term.is_extrapolated(float(value))
        )

    def _check_units(self, patient: Patient) -> None:
        if self.only_for is None:
            return
        beyond = len(self.extrapolated(patient)) / len(self.terms)
        if beyond > self.only_for.most_beyond:
            raise NotForThisPatientError(
                f"{100 * beyond:.0f} % of the numbers lie beyond all that {self.name} was fitted "
                f"on; it is only for {self.only_for.patients}: {self.only_for.reason}"
            )

    def document(self) -> dict[str, Any]:
        """The model as JSON holds it; every number comes back exactly."""
        return {
            **model_head(FORMAT, VERSION, self),
            "states": dict(self.states),
            "case_mix": self.case_mix,
            "limits": list(self.limits),
            "only_for": None if self.only_for is None else dict(vars(self.only_for)),
            "order": list(WHO_STATES),
            "terms": [term_document(term) for term in self.terms],
            "columns": list(self.columns),
            "intercepts": self.intercepts.tolist(),
            "coefficients": self.coefficients.tolist(),
            "temperature": self.temperature,
            "rules": [{**vars(rule), "thresholds": dict(rule.thresholds)} for rule in self.rules],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The model from JSON.

        Raises:
            ValueError: it is no such file, of another version, or incomplete.
        """
        check_format(document, FORMAT, VERSION)
        if document.get("order") != list(WHO_STATES):
            raise ValueError(f"the states are {', '.join(WHO_STATES)}, not {document.get('order')}")
        try:
            return cls(
                **told_in_head(document),
                states={str(state): int(n) for state, n in document["states"].items()},
                case_mix=str(document["case_mix"]),
                terms=tuple(term_from_document(term) for term in document["terms"]),
                intercepts=np.asarray(document["intercepts"], np.float64),
                coefficients=np.asarray(document["coefficients"], np.float64),
                temperature=float(document["temperature"]),
                rules=tuple(CertaintyRule(**rule) for rule in document["rules"]),
                limits=tuple(document["limits"]),
                only_for=_restriction(document.get("only_for")),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the diagnosis model cannot be read: {error!r}") from error


@dataclass(frozen=True)
class JointModels:
    """Models that need more or less to be known."""

    models: tuple[JointModel, ...]
    """In order of preference: the richest first."""

    def __post_init__(self) -> None:
        if not self.models:
            raise ValueError("there is no diagnosis model to choose from")

    def document(self) -> list[dict[str, Any]]:
        """The models as JSON holds them."""
        return [model.document() for model in self.models]


def read_joint_models(file: Path) -> JointModels:
    """Models from their file.

    Raises:
        ValueError: the file holds no such models.
    """
    documents = read_document(file)
    if not isinstance(documents, list):
        raise ValueError(f"{file} holds no list of diagnosis models")
    return JointModels(tuple(JointModel.from_document(document) for document in documents))


def write_joint_models(models: JointModels, file: Path) -> None:
    """Writes models as JSON."""
    write_document(models.document(), file)


def _restriction(content: Mapping[str, Any] | None) -> Restriction | None:
    return None if content is None else Restriction(**content)


def design(terms: Sequence[Term], table: Columns, model: str) -> Floats:
    """n patients as columns (n, p) of the terms.

    Raises:
        MissingCovariateError: a covariate is absent or unknown for some patient.
        ValueError: an impossible value, or a category never seen.
    """
    columns = {term.name: list(table[term.name]) for term in terms if term.name in table}
    missing = [
        term.label
        for term in terms
        if term.name not in columns or any(is_missing(value) for value in columns[term.name])
    ]
    if missing:
        raise MissingCovariateError(model, missing)
    return np.hstack([term.encode(columns[term.name]) for term in terms])


def softmax(logits: Floats) -> Floats:
    """Probabilities (n, k) of log odds (n, k)."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def likeliest(question: str, chances: Floats) -> tuple[list[str], Floats]:
    """The likeliest answer to a question and its probability (n,), from (n, 6) of the states."""
    values = list(dict.fromkeys(QUESTIONS[question]))
    share = np.stack(
        [chances[:, np.array(QUESTIONS[question]) == value].sum(axis=1) for value in values], axis=1
    )
    return [values[index] for index in share.argmax(axis=1)], share.max(axis=1)


def _answer(rule: CertaintyRule, chances: Floats) -> Answer:
    (value,), (probability,) = likeliest(rule.question, chances[None, :])
    sure = rule.is_sure(value, float(probability))
    return Answer(value if sure else INDETERMINATE, value, float(probability))
