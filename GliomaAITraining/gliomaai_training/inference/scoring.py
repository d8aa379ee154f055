"""What a pack of statistical models says of the patients of a table; nothing is fitted.

For each patient the first model is asked of which everything is known; it is named, and so is what
a richer one lacked. A value that is impossible is a mistake in the table: that patient is not
scored, and the row says why.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from gliomaai_training.covariates import WHO_STATE
from gliomaai_training.diagnosis.joint_model import JointModel
from gliomaai_training.inference.model_pack import ModelPackError, load_model_pack
from gliomaai_training.inference.patient_table import (
    PROBABILITY,
    Patient,
    TablePatients,
    patient_of,
)
from gliomaai_training.inference.statistical_packs import (
    DiagnosisPack,
    Inputs,
    PrognosisPack,
    Role,
    SurvivalMember,
    Task,
    load_diagnosis_pack,
    load_prognosis_pack,
    task_of,
)
from gliomaai_training.survival.cox_prediction import LANDMARKS_MONTHS, predict
from gliomaai_training.survival.terms import Term, is_missing

NO_MODEL = "the pack has no model for this use"
FEW = 3
"""Names that a message lists before it counts."""

Cells = Mapping[str, str | float | None]


@dataclass(frozen=True)
class Score:
    """What one model says of one patient, or why none says anything."""

    patient: str
    model: str = ""
    said: Cells = field(default_factory=dict)
    """By column."""
    not_used: tuple[str, ...] = ()
    """Richer models, each with the reason."""
    beyond: tuple[str, ...] = ()
    """What lies outside that which the model's cohort held."""
    problem: str = ""
    """Why there is no result."""

    def row(self) -> dict[str, str | float | None]:
        """As a line of the table of scores."""
        return {
            "patient": self.patient,
            "model": self.model,
            **self.said,
            "beyond_cohort": "; ".join(self.beyond),
            "not_used": "; ".join(self.not_used),
            "problem": self.problem,
        }


def open_pack(folder: Path) -> DiagnosisPack | PrognosisPack:
    """A pack of statistical models, verified; one for a single hospital's patients is opened too.

    Raises:
        ModelPackError: it is damaged, or the pack of a network.
    """
    task = task_of(load_model_pack(folder))
    if task is Task.PROGNOSIS:
        return load_prognosis_pack(folder)
    if task is Task.DIAGNOSIS:
        return load_diagnosis_pack(folder, restricted=True)
    raise ModelPackError(f"{folder} holds a network, which scores images and no tables")


def score_patients(
    pack: DiagnosisPack | PrognosisPack, patients: TablePatients, role: Role | None = None
) -> list[Score]:
    """Scores every patient, in the order of the table.

    Args:
        pack: the models.
        patients: the table.
        role: when the survival models are used; None for after surgery where the WHO state is
            known, else before.

    Returns:
        One for each patient of a diagnosis pack; of a prognosis pack one by clinical facts and one
        with imaging, as far as there are models whose needs are met.
    """
    terms = _terms(pack)
    scores: list[Score] = []
    rows = patients.cells.to_dict("records")
    for name, cells in zip(patients.names, rows, strict=True):
        try:
            known = patient_of({str(k): str(v) for k, v in cells.items()}, terms)
        except ValueError as error:
            scores.append(Score(name, problem=str(error)))
            continue
        if isinstance(pack, DiagnosisPack):
            found = [_diagnosed(pack.models, known)]
        else:
            found = _survival(pack, known, role)
        scores += [replace(one, patient=name) for one in found]
    return scores


def _terms(pack: DiagnosisPack | PrognosisPack) -> tuple[Term, ...]:
    if isinstance(pack, DiagnosisPack):
        return tuple(term for model in pack.models for term in model.terms)
    return tuple(term for member in pack.members for term in member.model.terms)


@dataclass(frozen=True)
class _Candidate:
    """A model that may be asked about a patient."""

    name: str
    covariates: tuple[str, ...]
    ask: Callable[[], Score]


def _first(candidates: Iterable[_Candidate], known: Patient) -> Score:
    """What the first says that can be asked; else why none can."""
    not_used: list[str] = []
    lacking: list[tuple[str, ...]] = []
    for one in candidates:
        missing = tuple(name for name in one.covariates if is_missing(known.get(name)))
        if missing:
            lacking.append(missing)
            not_used.append(f"{one.name}: needs {_listed(missing)}")
            continue
        try:
            return replace(one.ask(), not_used=tuple(not_used))
        except ValueError as error:
            not_used.append(f"{one.name}: {error}")
    if not not_used:
        return Score("", problem=NO_MODEL)
    if len(lacking) < len(not_used):
        return Score("", problem="; ".join(not_used))
    least = min(lacking, key=len)
    return Score("", problem=f"without {_listed(least)} no model can be used")


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:FEW])
    return shown if len(names) <= FEW else f"{shown} and {len(names) - FEW} more columns"


def _diagnosed(models: Sequence[JointModel], known: Patient) -> Score:
    return _first(
        (_Candidate(one.name, one.covariates, partial(_state, one, known)) for one in models), known
    )


def _state(model: JointModel, known: Patient) -> Score:
    said = model.diagnose(known)
    cells: dict[str, str | float | None] = {
        PROBABILITY + state: chance for state, chance in said.probabilities.items()
    }
    cells |= {
        "probability_idh_mutant": said.idh_mutant,
        "probability_codeleted_1p19q": said.codeleted,
        **{f"probability_grade_{grade}": chance for grade, chance in said.grade.items()},
        **{f"answer_{question}": one.value for question, one in said.answers.items()},
        "only_for": "" if model.only_for is None else model.only_for.patients,
    }
    return Score("", model.name, cells, beyond=said.extrapolated)


def _survival(pack: PrognosisPack, known: Patient, role: Role | None) -> list[Score]:
    """Of the first role in which any model can be used, by clinical facts and with imaging."""
    order = [Role.POSTOPERATIVE, Role.PREOPERATIVE]
    if not isinstance(known.get(WHO_STATE), str):
        order.reverse()
    refused: list[Score] = []
    for one in order if role is None else [role]:
        found = [_first(_of(pack, one, inputs, known), known) for inputs in Inputs]
        if usable := [score for score in found if score.model]:
            others = tuple(
                f"{inputs}: {score.problem}"
                for inputs, score in zip(Inputs, found, strict=True)
                if score.problem not in ("", NO_MODEL)
            )
            return [replace(score, not_used=(*score.not_used, *others)) for score in usable]
        refused += [score for score in found if score.problem != NO_MODEL]
    return refused[:1] or [Score("", problem=NO_MODEL)]


def _of(pack: PrognosisPack, role: Role, inputs: Inputs, known: Patient) -> Iterator[_Candidate]:
    for one in pack.of(role, inputs):
        yield _Candidate(one.model.name, one.model.covariates, partial(_alive, one, known))


def _alive(member: SurvivalMember, known: Patient) -> Score:
    said = predict(member.model, {name: known[name] for name in member.model.covariates})
    cells: dict[str, str | float | None] = {
        "role": member.role.value,
        "inputs": member.inputs.value,
        "linear_predictor": said.risk,
    }
    for months in LANDMARKS_MONTHS:
        numbers = said.landmarks[months] or (None, None, None)
        names = (f"survival_{months:g}_months{end}" for end in ("", "_low", "_high"))
        cells |= dict(zip(names, numbers, strict=True))
    cells["median_months"] = said.curve.median_months()
    return Score("", member.model.name, cells, beyond=said.extrapolated)
