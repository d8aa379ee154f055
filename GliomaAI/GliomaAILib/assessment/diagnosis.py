"""The WHO 2021 state of a tumour: what tissue leaves possible, weighed by a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.diagnosis.joint_model import (
    INDETERMINATE,
    QUESTIONS,
    CertaintyRule,
    JointModel,
    likeliest,
)
from gliomaai_training.diagnosis.joint_model import Diagnosis as Said
from gliomaai_training.diagnosis.states import (
    STATE_NAMES,
    WHO_STATES,
    consistent_states,
    marginals,
)
from gliomaai_training.inference.statistical_packs import DiagnosisPack, Inputs
from gliomaai_training.survival.cox_prediction import beyond
from gliomaai_training.survival.terms import NumericTerm, Value
from gliomaai_training.vocabulary import WHO_GRADES
from GliomaAILib.assessment.estimates import Basis, Diagnosis, ModelUse, Unused, none_usable
from GliomaAILib.intake.facts import ClinicalFacts

Patient = Mapping[str, Value]

IMPOSSIBLE = 1e-9
"""Of a probability: nothing can be told from the rest."""

QUESTION_WORDS: Mapping[str, str] = {
    "state": "WHO state",
    "idh": "IDH",
    "codeletion_1p19q": "1p/19q",
    "grade": "Grade",
}


class NoSuchStateError(ValueError):
    """What tissue told fits none of the WHO states."""


def tissue_known(facts: ClinicalFacts) -> bool:
    """Whether pathology told anything."""
    return any(one is not None for one in (facts.idh, facts.codeletion_1p19q, facts.grade))


def possible_states(facts: ClinicalFacts) -> tuple[str, ...]:
    """The states that tissue leaves.

    Raises:
        NoSuchStateError: it leaves none.
    """
    try:
        return consistent_states(facts.idh, facts.codeletion_1p19q, facts.grade)
    except ValueError as error:
        raise NoSuchStateError(str(error)) from error


def estimate_diagnosis(
    patient: Patient, facts: ClinicalFacts, pack: DiagnosisPack | None
) -> Diagnosis | str:
    """The probabilities of the states, or why there are none: empty without a pack.

    Args:
        patient: what is known, by the names of `gliomaai_training.covariates`.
        facts: what tissue told leaves only some of the states.
        pack: the models.

    Raises:
        NoSuchStateError: tissue leaves no state.
    """
    possible = possible_states(facts)
    if len(possible) == 1:
        return _told_by_tissue(possible[0])
    if pack is None:
        return ""
    unused: list[Unused] = []
    for model in pack.models:
        try:
            said = model.diagnose(patient)
        except ValueError as error:
            unused.append(Unused.of(model.name, error))
        else:
            beyond = tuple(_beyond(model, label, patient) for label in said.extrapolated)
            return _by_model(_Told(model, said, beyond), possible, pack, unused)
    return none_usable(unused)


def _told_by_tissue(state: str) -> Diagnosis:
    chances = np.array([float(one == state) for one in WHO_STATES])
    return Diagnosis(
        basis=Basis.TISSUE,
        states=_by_state(chances),
        marginals=_marginals(chances),
        answers={
            question: values[WHO_STATES.index(state)] for question, values in QUESTIONS.items()
        },
    )


@dataclass(frozen=True)
class _Told:
    """What a model says."""

    model: JointModel
    said: Said
    beyond: tuple[str, ...]
    """What lies outside its cohort."""


def _by_model(
    told: _Told,
    possible: tuple[str, ...],
    pack: DiagnosisPack,
    unused: Sequence[Unused],
) -> Diagnosis | str:
    model = told.model
    left = np.array([state in possible for state in WHO_STATES])
    chances = np.array([told.said.probabilities[state] for state in WHO_STATES]) * left
    share = float(chances.sum())
    if share < IMPOSSIBLE:
        return f"{model.name} holds every state that the tissue leaves for impossible."
    chances /= share
    answers = {rule.question: _answer(rule, chances) for rule in model.rules}
    use = ModelUse(
        model.name,
        Inputs.of(model.covariates),
        pack.pack.name,
        pack.pack.version,
        model.cohort,
        model.patients,
        None,
    )
    return Diagnosis(
        basis=Basis.MODEL if left.all() else Basis.BOTH,
        states=_by_state(chances),
        marginals=_marginals(chances),
        answers={question: answer for question, (answer, _) in answers.items()},
        reasons=tuple(why for _, why in answers.values() if why),
        model=use,
        left_by_tissue=share,
        richer=tuple(unused),
        extrapolated=told.beyond,
        limits=(
            f"The probabilities are for the mix of diagnoses of {model.case_mix}.",
            *model.limits,
        ),
    )


def _answer(rule: CertaintyRule, chances: NDArray[np.float64]) -> tuple[str, str]:
    """The answer, and the reason where there is none."""
    (value,), (probability,) = likeliest(rule.question, chances[None, :])
    if rule.is_sure(value, float(probability)):
        return value, ""
    question = QUESTION_WORDS[rule.question]
    words = f"grade {value}" if rule.question == "grade" else STATE_NAMES.get(value, value)
    why = f"{question}: {words} is likeliest with {100 * probability:.0f} %, but the model is "
    threshold = rule.thresholds[value]
    if threshold is None:
        return INDETERMINATE, f"{why}never sure enough of it to say so."
    right = f"{100 * rule.accuracy:.0f} % of such answers are right"
    return INDETERMINATE, f"{why}sure enough only from {100 * threshold:.0f} % on, where {right}."


def _beyond(model: JointModel, label: str, patient: Patient) -> str:
    term = next(term for term in model.terms if term.label == label)
    if not isinstance(term, NumericTerm):
        return label
    return beyond(term, patient[term.name])


def _by_state(chances: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(WHO_STATES, chances.tolist(), strict=True))


def _marginals(chances: NDArray[np.float64]) -> dict[str, float]:
    told = marginals(chances[None, :])
    return {
        "idh_mutant": float(told.idh_mutant[0]),
        "codeleted_1p19q": float(told.codeleted[0]),
        **{
            f"grade_{grade}": float(chance)
            for grade, chance in zip(WHO_GRADES, told.grade[0], strict=True)
        },
    }
