"""Survival of a patient by the models of a pack, clinical-only beside clinical + imaging."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gliomaai_training.inference.statistical_packs import (
    Inputs,
    PrognosisPack,
    Role,
    SurvivalMember,
)
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.cox_prediction import (
    SurvivalPrediction,
    describe,
    predict,
    survival_curve,
)
from gliomaai_training.survival.nomogram import make_nomogram
from gliomaai_training.survival.terms import Value
from GliomaAILib.assessment.estimates import (
    HORIZONS_MONTHS,
    INPUT_NAMES,
    ROLE_NAMES,
    Group,
    ModelUse,
    Moved,
    NomogramReading,
    PointAxis,
    Prognosis,
    StateShare,
    Survival,
    SurvivalEstimate,
    Unused,
    none_usable,
)
from GliomaAILib.assessment.imaging_gain import imaging_gain

Patient = Mapping[str, Value]

LONGEST_MONTHS = max(HORIZONS_MONTHS)
"""Curves end here at the latest: what comes later rests on few patients, and the last of them to
die would bring the whole curve down."""


@dataclass(frozen=True)
class PatientKnowledge:
    """What is known of a patient, by the names of `gliomaai_training.covariates`."""

    by_facts: Patient
    """With the WHO state that tissue and the clinical facts tell."""
    by_images: Patient
    """With the WHO state that images tell too, certain or as probabilities."""
    tissue: bool
    """Whether pathology told anything."""


def estimate_prognosis(known: PatientKnowledge, pack: PrognosisPack) -> Prognosis | str:
    """What the pack's models say of a patient, or why none can be used.

    With tissue the post-operative models go first, without it the pre-operative ones; the others
    follow where none of these can be used. A state that was predicted from images is no clinical
    fact: a clinical model that takes it counts as one with imaging.
    """
    order = (Role.POSTOPERATIVE, Role.PREOPERATIVE)
    unused: list[Unused] = []
    for role in order if known.tissue else order[::-1]:
        found = [
            _of_kind(_candidates(pack, role, inputs, known), inputs, pack) for inputs in Inputs
        ]
        estimates = [one for one in found if isinstance(one, _Used)]
        for inputs, one in zip(Inputs, found, strict=True):
            if not isinstance(one, _Used):
                words = f"Survival {ROLE_NAMES[role]} by {INPUT_NAMES[inputs].lower()}"
                unused += one or [Unused(words, "the pack has no such model")]
        if estimates:
            said = tuple(one.estimate for one in estimates)
            groups = _groups([one.member for one in estimates])
            return Prognosis(role, said, groups, tuple(unused), imaging_gain(said))
    return none_usable(unused)


@dataclass(frozen=True)
class _Candidate:
    """A model with what it may know of the patient."""

    member: SurvivalMember
    patient: Patient


def _candidates(
    pack: PrognosisPack, role: Role, inputs: Inputs, known: PatientKnowledge
) -> Iterator[_Candidate]:
    """The models of one kind, the preferred first."""
    if inputs is Inputs.CLINICAL:
        yield from (_Candidate(member, known.by_facts) for member in pack.of(role, inputs))
        return
    for member in pack.members:
        names = member.model.covariates
        by_images = member.inputs is Inputs.IMAGING or any(
            known.by_facts.get(name) != known.by_images.get(name) for name in names
        )
        if member.role is role and by_images:
            yield _Candidate(member, known.by_images)


@dataclass(frozen=True)
class _Used:
    member: SurvivalMember
    estimate: SurvivalEstimate


def _of_kind(
    candidates: Iterable[_Candidate], inputs: Inputs, pack: PrognosisPack
) -> _Used | list[Unused]:
    """The first model that can be used; else why none can."""
    unused: list[Unused] = []
    for candidate in candidates:
        model = candidate.member.model
        try:
            said = predict(model, candidate.patient)
        except ValueError as error:
            unused.append(Unused.of(model.name, error))
        else:
            use = _use(model, inputs, pack)
            return _Used(candidate.member, _estimate(candidate, said, use, unused))
    return unused


def survival_of(model: CoxModel, patient: Patient, use: ModelUse) -> SurvivalEstimate:
    """What one model that belongs to no role says of a patient; it has no scale of points.

    Raises:
        ValueError: a covariate is unknown or impossible.
    """
    candidate = _Candidate(SurvivalMember(model, Role.PREOPERATIVE, None), patient)
    found = _estimate(candidate, predict(model, patient), use, ())
    return dataclasses.replace(found, nomogram=None)


def _use(model: CoxModel, inputs: Inputs, pack: PrognosisPack) -> ModelUse:
    return ModelUse(
        model.name,
        inputs,
        pack.pack.name,
        pack.pack.version,
        model.cohort,
        model.patients,
        model.events,
        model.history,
    )


def _estimate(
    candidate: _Candidate, said: SurvivalPrediction, use: ModelUse, unused: Sequence[Unused]
) -> SurvivalEstimate:
    model, patient = candidate.member.model, candidate.patient
    encoded = model.encode({name: [patient[name]] for name in model.covariates})
    last = min(LONGEST_MONTHS, int(model.baseline().follow_up_months))
    curve = survival_curve(model, encoded, np.arange(last + 1.0))
    groups = candidate.member.groups
    group = None if groups is None else groups.of_risk(said.risk)
    return SurvivalEstimate(
        model=use,
        months=tuple(curve.months.tolist()),
        survival=tuple(curve.survival.tolist()),
        low=tuple(curve.low.tolist()),
        high=tuple(curve.high.tolist()),
        at_months={
            int(months): None if numbers is None else Survival(*numbers)
            for months, numbers in said.landmarks.items()
        },
        median_months=said.curve.median_months(),
        moved=tuple(
            Moved(c.name, c.label, c.value, c.reference, c.hazard_ratio, c.share)
            for c in said.contributions
        ),
        nomogram=_points(model, patient),
        group=None if group is None else group.name,
        richer=tuple(unused),
        extrapolated=said.extrapolated,
        made_of=tuple(
            StateShare(
                one.state,
                one.probability,
                {int(months): alive for months, alive in one.landmarks.items()},
            )
            for one in said.shares
        ),
        evidence=candidate.member.evidence if use.inputs == Inputs.IMAGING else None,
    )


def _points(model: CoxModel, patient: Patient) -> NomogramReading | None:
    try:
        nomogram = make_nomogram(model)
    except ValueError:  # nothing moves its risk, or it tells no horizon
        return None
    score = nomogram.score(patient)
    axes = tuple(
        PointAxis(
            axis.term.name,
            axis.term.label,
            describe(axis.term, patient[axis.term.name]),
            score.points[axis.term.name],
            axis.ticks,
        )
        for axis in nomogram.axes
    )
    least, most = nomogram.total_ends
    return NomogramReading(axes, score.total, least, most)


def _groups(members: Sequence[SurvivalMember]) -> tuple[Group, ...]:
    """Of the model that knows most and has some."""
    found = next((member.groups for member in members[::-1] if member.groups), None)
    if found is None:
        return ()
    return tuple(
        Group(
            one.name,
            found.cohort,
            one.patients,
            one.events,
            *_until(LONGEST_MONTHS, one.months, one.survival),
        )
        for one in found.groups
    )


def _until(
    last: float, months: Sequence[float], survival: Sequence[float]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    kept = [(x, y) for x, y in zip(months, survival, strict=True) if x <= last]
    return tuple(x for x, _ in kept), tuple(y for _, y in kept)
