"""Packs of statistical models: the survival models of one purpose, or the diagnosis models.

The metadata's section `gliomaai` of such a pack:

    task        `prognosis` or `diagnosis`
    format      version of this section; a reader refuses what it does not know
    models      entries in order of preference: `file`, and for prognosis `role` and perhaps
                `groups`, the file of the reference groups beside which the model is shown, and
                `evidence`, the file of what imaging was measured to add
    radiomics   how the models' radiomics features are measured, where they need any
                (`radiomics.config.RadiomicsConfig.to_json`)
    only_for    whose patients some of the models are for, where they are for nobody else's; the
                clinic refuses such a pack

Models are read with numpy alone.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path, PurePosixPath
from typing import Any, Self, TypeVar

from gliomaai_training.covariates import is_clinical
from gliomaai_training.diagnosis.joint_model import JointModel
from gliomaai_training.inference.model_pack import (
    MODELS,
    ModelPack,
    ModelPackError,
    load_model_pack,
)
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.evidence import Evidence
from gliomaai_training.survival.reference_groups import ReferenceGroups

FORMAT = 1

Built = TypeVar("Built")


class Task(StrEnum):
    """What a pack of statistical models is for."""

    PROGNOSIS = "prognosis"
    DIAGNOSIS = "diagnosis"


class Role(StrEnum):
    """When a survival model is used."""

    PREOPERATIVE = "preoperative"
    """Before tissue is known; a molecular state may be predicted."""
    POSTOPERATIVE = "postoperative"
    """With the diagnosis from tissue."""


class Inputs(StrEnum):
    """What a model asks for; both kinds are shown beside each other."""

    CLINICAL = "clinical"
    IMAGING = "clinical+imaging"

    @classmethod
    def of(cls, covariates: Iterable[str]) -> Self:
        """Of a model with these covariates."""
        return cls("clinical" if all(map(is_clinical, covariates)) else "clinical+imaging")


@dataclass(frozen=True)
class PackedModel:
    """One entry of a pack's list of models."""

    file: str
    """In the pack."""
    role: Role | None = None
    """Of a survival model; None in a pack of diagnosis models."""
    groups: str | None = None
    """File of reference groups."""
    evidence: str | None = None
    """File of what its images were measured to add."""

    @classmethod
    def of(cls, entry: Mapping[str, Any], task: Task) -> Self:
        """From the metadata.

        Raises:
            ValueError: a field is missing, unknown or wrong.
        """
        optional = ("groups", "evidence")
        allowed = ("file", "role", *optional) if task is Task.PROGNOSIS else ("file",)
        if unknown := sorted(set(entry) - set(allowed)):
            raise ValueError(f"a model of {task} has no {', '.join(unknown)}")
        if lacking := sorted({*allowed} - {*entry, *optional}):
            raise ValueError(f"a model of {task} needs {', '.join(lacking)}")
        role = Role(entry["role"]) if task is Task.PROGNOSIS else None
        return cls(str(entry["file"]), role, entry.get("groups"), entry.get("evidence"))


@dataclass(frozen=True)
class SurvivalMember:
    """A survival model of a pack."""

    model: CoxModel
    role: Role
    groups: ReferenceGroups | None
    evidence: Evidence | None = None
    """What its images were measured to add; None where nobody measured it."""

    @property
    def inputs(self) -> Inputs:
        """What it asks for."""
        return Inputs.of(self.model.covariates)


@dataclass(frozen=True)
class PrognosisPack:
    """Survival models, of each role and kind the preferred first."""

    pack: ModelPack
    members: tuple[SurvivalMember, ...]
    radiomics: Mapping[str, Any]

    def of(self, role: Role, inputs: Inputs) -> tuple[SurvivalMember, ...]:
        """The models of one role and kind."""
        return tuple(m for m in self.members if m.role is role and m.inputs is inputs)

    @property
    def covariates(self) -> frozenset[str]:
        """Everything that any of the models asks for."""
        return frozenset(name for member in self.members for name in member.model.covariates)


@dataclass(frozen=True)
class DiagnosisPack:
    """Diagnosis models, the preferred first."""

    pack: ModelPack
    models: tuple[JointModel, ...]
    radiomics: Mapping[str, Any]

    @property
    def covariates(self) -> frozenset[str]:
        """Everything that any of the models asks for."""
        return frozenset(name for model in self.models for name in model.covariates)


def load_prognosis_pack(folder: Path) -> PrognosisPack:
    """Verifies a pack and reads its survival models; a file may hold several.

    Raises:
        ModelPackError: it is damaged, for another task, of a later GliomaAI, or a model cannot be
            read.
    """
    pack, entries = _opened(folder, Task.PROGNOSIS)
    members = []
    for entry in entries:
        if entry.role is None:
            raise ModelPackError(f"{entry.file} of model pack {pack.name} has no role")
        groups = (
            _read(pack, entry.groups, ReferenceGroups.from_document)[0] if entry.groups else None
        )
        evidence = (
            _read(pack, entry.evidence, Evidence.from_document)[0] if entry.evidence else None
        )
        for model in _read(pack, entry.file, CoxModel.from_document):
            members.append(SurvivalMember(model, entry.role, groups, evidence))
    return PrognosisPack(pack, tuple(members), _radiomics(pack))


def load_diagnosis_pack(folder: Path, restricted: bool = False) -> DiagnosisPack:
    """Verifies a pack and reads its diagnosis models, as `load_prognosis_pack` does.

    Args:
        folder: the pack.
        restricted: whether models may be among them that are for one hospital's patients only;
            the caller then knows whose patients it asks about.

    Raises:
        ModelPackError: as `load_prognosis_pack`, or a model is restricted.
    """
    pack, entries = _opened(folder, Task.DIAGNOSIS)
    models = [
        model for entry in entries for model in _read(pack, entry.file, JointModel.from_document)
    ]
    for model in models:
        if model.only_for is not None and not restricted:
            raise ModelPackError(
                f"{model.name} of model pack {pack.name} is only for {model.only_for.patients}: "
                f"{model.only_for.reason}; it cannot be used for just any patient"
            )
    return DiagnosisPack(pack, tuple(models), _radiomics(pack))


def task_of(pack: ModelPack) -> Task | None:
    """What a pack of statistical models is for; None for the pack of a network."""
    task = pack.settings.get("task")
    return Task(task) if task in tuple(Task) else None


def _opened(folder: Path, task: Task) -> tuple[ModelPack, Sequence[PackedModel]]:
    pack = load_model_pack(folder)
    settings = pack.settings
    if settings.get("task") != task:
        raise ModelPackError(f"model pack {pack.name} is for {settings.get('task')!r}, not {task}")
    if settings.get("format") != FORMAT:
        raise ModelPackError(
            f"model pack {pack.name} {pack.version} has format {settings.get('format')!r}, this "
            f"GliomaAI reads {FORMAT}: install the GliomaAI that the pack belongs to"
        )
    try:
        entries = [PackedModel.of(entry, task) for entry in settings["models"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ModelPackError(f"the models of pack {pack.name} cannot be read: {error}") from error
    if not entries:
        raise ModelPackError(f"model pack {pack.name} holds no model")
    return pack, entries


def _read(
    pack: ModelPack, file: str, build: Callable[[Mapping[str, Any]], Built]
) -> tuple[Built, ...]:
    """What a file holds: one JSON object, or a list of them."""
    parts = PurePosixPath(file).parts
    if parts[:1] != (MODELS,) or ".." in parts:
        raise ModelPackError(f"{file!r} of model pack {pack.name} does not lie in {MODELS}")
    try:
        content = json.loads((pack.folder / file).read_text("utf-8"))
        documents = content if isinstance(content, list) else [content]
        if not documents or not all(isinstance(one, dict) for one in documents):
            raise ValueError("it holds no model")
        return tuple(build(one) for one in documents)
    except (OSError, ValueError) as error:
        raise ModelPackError(f"{file} of model pack {pack.name} cannot be read: {error}") from error


def _radiomics(pack: ModelPack) -> Mapping[str, Any]:
    recipe = pack.settings.get("radiomics") or {}
    if not isinstance(recipe, dict):
        raise ModelPackError(f"the radiomics recipe of model pack {pack.name} cannot be read")
    return recipe
