"""What the heads of a multi-task network say of a patient, restricted by what tissue told."""

from collections.abc import Iterator, Mapping

import SimpleITK as sitk

from gliomaai_training.diagnosis.facts import labels_answering, likeliest_answers
from gliomaai_training.diagnosis.joint_model import QUESTIONS
from gliomaai_training.diagnosis.states import (
    CODELETED,
    INTACT,
    LABELS,
    MUTANT,
    NOT_ELSEWHERE,
    WHO_STATES,
    WILD_TYPE,
)
from gliomaai_training.findings import Finding, Severity
from gliomaai_training.inference.task_heads import TaskPrediction, TaskReader, state_marginals
from gliomaai_training.interpretation.explanations import STATE
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.log_risk import LOG_RISK
from gliomaai_training.survival.readable import short_number
from gliomaai_training.survival.terms import NumericTerm
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.diagnosis import (
    IMPOSSIBLE,
    NoSuchStateError,
    possible_states,
    tissue_known,
)
from GliomaAILib.assessment.estimates import (
    LABEL_STATE_NAMES,
    NETWORK_INPUTS,
    SIMULATED_ONLY,
    Basis,
    ModelUse,
    NetworkDiagnosis,
    NetworkEstimate,
    SurvivalEstimate,
)
from GliomaAILib.assessment.prognosis import survival_of
from GliomaAILib.intake.facts import ClinicalFacts

NO_READER = (
    "The model pack that read the images is not at hand: the network's diagnosis and risk need a "
    "new run of the analysis."
)
NOT_MEASURED = "How well the network's heads do was not measured."
NO_CURVE = "The pack does not tell how its log-risk becomes a survival curve."
BLIND = "The network's risk is read from images and mask alone; what tissue told does not move it."
CURVE_NOTE = (
    "The interval of the network's curve tells how well the step from log-risk to curve is known; "
    "it leaves out how unsure the network is of the log-risk."
)
ANSWERS_ALONE = "Each of these heads answers alone, so that their answers may contradict each other"
NEC_NOTE = (
    "NEC: not elsewhere classified, of lower grade and without a molecular marker of glioblastoma. "
    "The statistical models do not tell it from glioblastoma."
)
NO_ONE_TUMOUR = (
    "Question by question, the likeliest answers on IDH, 1p/19q and grade fit no tumour: take the "
    "states, not the single facts."
)
UNLIKELY = 0.05
"""Tissue that leaves the network's states only so much is said to speak against it."""

GLIOBLASTOMA_HISTOLOGY = "glioblastoma"


def estimate_network(assessment: Assessment, reader: TaskReader | None) -> NetworkEstimate | str:
    """What the heads say of the study with the mask as it is now, or why nothing.

    Args:
        assessment: its features come from the run, its labels are the network's or corrected.
        reader: the heads of the pack that gave the features.

    Returns:
        The estimate; else a reason, empty for a network without heads.
    """
    if assessment.features is None:
        return assessment.no_features
    if reader is None:
        return NO_READER
    try:
        said = reader.read(assessment.features, sitk.GetArrayViewFromImage(assessment.labels))
    except ValueError as error:  # features that do not fit, or numbers that are none
        return f"The network's heads could not be read: {error}."
    return _estimate(said, reader, assessment.facts)


def _estimate(said: TaskPrediction, reader: TaskReader, facts: ClinicalFacts) -> NetworkEstimate:
    settings, pack = reader.settings, reader.pack
    problem, diagnosis, alone = "", None, {}
    try:
        possible = possible_states(facts)
    except NoSuchStateError as error:
        problem = f"{error}: the network's diagnosis is left out."
    else:
        alone = _alone(said.probabilities, possible, facts)
        if STATE in said.probabilities:
            found = _diagnosis(said.probabilities[STATE], possible, facts)
            if isinstance(found, str):
                problem = found
            else:
                diagnosis = found
    survival = _survival(said.log_risk, reader)
    notes = (
        *((SIMULATED_ONLY,) if settings.cohort.simulated_only else ()),
        *((problem,) if problem else ()),
        *(settings.evidence or (NOT_MEASURED,)),
        *_on_diagnosis(diagnosis, alone),
        *_on_risk(said.log_risk, settings.survival, facts),
    )
    return NetworkEstimate(
        pack=pack.name,
        pack_version=pack.version,
        cohort=settings.cohort.words,
        patients=settings.cohort.patients,
        simulated_only=settings.cohort.simulated_only,
        evidence=settings.evidence,
        diagnosis=diagnosis,
        alone=alone,
        log_risk=said.log_risk,
        survival=survival,
        notes=notes,
    )


def _diagnosis(
    states: Mapping[str, float], possible: tuple[str, ...], facts: ClinicalFacts
) -> NetworkDiagnosis | str:
    if len(possible) == 1:
        told = {label: float(label == possible[0]) for label in LABELS}
        return NetworkDiagnosis(Basis.TISSUE, told, state_marginals(told))
    allowed = {*possible, *((NOT_ELSEWHERE,) if _may_be_not_elsewhere(facts) else ())}
    share = sum(p for state, p in states.items() if state in allowed)
    if share < IMPOSSIBLE:
        return "The network holds every state that the tissue leaves for impossible."
    left = {state: (p / share if state in allowed else 0.0) for state, p in states.items()}
    whole = len(allowed) == len(LABELS)
    return NetworkDiagnosis(
        Basis.MODEL if whole else Basis.BOTH, left, state_marginals(left), min(share, 1.0)
    )


def _may_be_not_elsewhere(facts: ClinicalFacts) -> bool:
    """Whether tissue leaves room for an IDH-wildtype tumour of lower grade."""
    return facts.idh != MUTANT and facts.codeletion_1p19q != CODELETED and facts.grade != 4


def _alone(
    probabilities: Mapping[str, Mapping[str, float]],
    possible: tuple[str, ...],
    facts: ClinicalFacts,
) -> dict[str, float]:
    """Answers of the heads beside the state's, of the classes that tissue leaves."""
    found: dict[str, float] = {}
    for task, name, value in (
        ("idh", "idh_mutant", MUTANT),
        ("codeletion_1p19q", "codeleted_1p19q", CODELETED),
        *(("grade", f"grade_{grade}", str(grade)) for grade in (2, 3, 4)),
    ):
        if task in probabilities:
            answers = {QUESTIONS[task][WHO_STATES.index(state)] for state in possible}
            left = {one: p for one, p in probabilities[task].items() if one in answers}
            found[name] = _share(left, value)
    if "histology" in probabilities:
        told = facts.grade is not None and facts.grade < 4
        chance = probabilities["histology"][GLIOBLASTOMA_HISTOLOGY]
        found["histology_glioblastoma"] = 0.0 if told else chance
    return found


def _share(left: Mapping[str, float], value: str) -> float:
    """Where tissue leaves only what the head holds for impossible, it still leaves one of it."""
    total = sum(left.values())
    if total < IMPOSSIBLE:
        return float(value in left) / len(left)
    return left.get(value, 0.0) / total


def _survival(log_risk: float | None, reader: TaskReader) -> SurvivalEstimate | None:
    model = reader.settings.survival
    if log_risk is None or model is None:
        return None
    use = ModelUse(
        model.name,
        NETWORK_INPUTS,
        reader.pack.name,
        reader.pack.version,
        model.cohort,
        model.patients,
        model.events,
        model.history,
    )
    return survival_of(model, {LOG_RISK: log_risk}, use)


def _on_diagnosis(diagnosis: NetworkDiagnosis | None, alone: Mapping[str, float]) -> Iterator[str]:
    if diagnosis is not None and diagnosis.basis is Basis.TISSUE:
        yield "The state is as tissue tells; the network was not asked."
    elif diagnosis is not None:
        yield _call(diagnosis)
        if diagnosis.basis is Basis.BOTH:
            yield "The states are those that tissue leaves possible, weighed by the network."
    if diagnosis is not None and diagnosis.states[NOT_ELSEWHERE] > 0:
        yield NEC_NOTE
    if alone:
        yield f"{ANSWERS_ALONE}{': here they do' if _contradicts(alone) else ''}."


def _call(diagnosis: NetworkDiagnosis) -> str:
    """The diagnosis in words. It is a state, which cannot contradict itself; the likeliest answers
    to single questions can, where no state is likely."""
    call = diagnosis.likeliest
    said = f"Likeliest state: {LABEL_STATE_NAMES[call]} ({100 * diagnosis.states[call]:.0f} %)."
    others = labels_answering(likeliest_answers(diagnosis.states))
    if call in others:
        return said
    if not others:
        return f"{said} {NO_ONE_TUMOUR}"
    name = LABEL_STATE_NAMES[others[0]]
    return f"{said} No state stands out: question by question, the answers are those of {name}."


def _on_risk(log_risk: float | None, model: CoxModel | None, facts: ClinicalFacts) -> Iterator[str]:
    if log_risk is None:
        return
    if model is None:
        yield f"Log-risk {_signed(log_risk)}. {NO_CURVE}"
        return
    term = model.terms[0]
    if isinstance(term, NumericTerm):
        low, first, _, third, high = (_signed(value) for value in term.observed)
        yield (
            f"Log-risk {_signed(log_risk)}; in {model.cohort} it goes from {low} to {high}, "
            f"in half of them from {first} to {third}."
        )
    yield CURVE_NOTE
    if tissue_known(facts):
        yield BLIND


def _signed(value: float) -> str:
    return short_number(value).replace("-", "\N{MINUS SIGN}")


def _contradicts(alone: Mapping[str, float]) -> bool:
    """Whether no tumour has the likeliest answers, or co-deletion is held for likelier than the
    mutation that it needs."""
    mutant, codeleted = alone.get("idh_mutant", 1.0), alone.get("codeleted_1p19q", 0.0)
    grades = {name: alone[name] for name in alone if name.startswith("grade_")}
    answers = {
        "idh": MUTANT if mutant > 0.5 else WILD_TYPE,
        "codeletion_1p19q": CODELETED if codeleted > 0.5 else INTACT,
    }
    if grades:
        answers["grade"] = max(grades, key=lambda name: grades[name]).removeprefix("grade_")
    return codeleted > mutant or not labels_answering(answers)


def network_findings(network: NetworkEstimate | None) -> Iterator[Finding]:
    """What a reader must know of the network's answers."""
    if network is None:
        return
    if network.simulated_only:
        yield Finding(
            "network.simulated",
            Severity.WARNING,
            f"The network's diagnosis and risk ({network.pack} {network.pack_version}) are of no "
            f"use for patients. {SIMULATED_ONLY}",
            "Do not read anything about this patient from them.",
        )
    diagnosis = network.diagnosis
    if diagnosis is not None and diagnosis.left_by_tissue < UNLIKELY:
        yield Finding(
            "network.against_tissue",
            Severity.WARNING,
            "The network speaks against the tissue: to the states that it leaves, it gives "
            f"{100 * diagnosis.left_by_tissue:.1f} %.",
            "Check the tissue facts and the segmentation.",
        )
    if network.survival is not None:
        for what in network.survival.extrapolated:
            yield Finding(
                "network.extrapolated",
                Severity.WARNING,
                f"The network's survival goes beyond the patients it rests on ({what}).",
                "Take it for a guess.",
            )
