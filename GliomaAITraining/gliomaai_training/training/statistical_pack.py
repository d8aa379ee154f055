"""Fitted statistical models become a model pack with its card."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gliomaai_training.covariates import is_known, radiomics_name
from gliomaai_training.diagnosis.joint_model import JointModel, Restriction
from gliomaai_training.documents import read_document
from gliomaai_training.inference.model_pack import CARD, MODELS, ModelPack, write_pack
from gliomaai_training.inference.statistical_packs import (
    FORMAT,
    Inputs,
    Role,
    Task,
    load_diagnosis_pack,
    load_prognosis_pack,
)
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.training.model_card import PackNotes
from gliomaai_training.vocabulary import NOTICE

TITLES: Mapping[Task, str] = {
    Task.PROGNOSIS: "Survival of patients with diffuse glioma",
    Task.DIAGNOSIS: "WHO 2021 state of a diffuse glioma",
}


@dataclass(frozen=True)
class PlannedModel:
    """A model that goes into the pack."""

    file: Path
    role: Role | None = None
    """Of a survival model."""
    groups: Path | None = None
    """Reference groups beside which the model is shown."""
    evidence: Path | None = None
    """What its images were measured to add (`survival.evidence`)."""


@dataclass(frozen=True)
class Section:
    """A part of the card that a study wrote."""

    title: str
    file: Path
    """A table in Markdown, or a picture in PNG."""


@dataclass(frozen=True)
class PackPlan:
    """What a pack is made of; files lie below the folder of studies."""

    task: Task
    notes: PackNotes
    models: tuple[PlannedModel, ...]
    """In order of preference: of each role and kind, the first whose needs are met is used."""
    sections: tuple[Section, ...] = ()
    radiomics: Path | None = None
    """How the radiomics features were measured, where a model needs any."""
    only_for: str | None = None
    """Whose patients restricted models are for; None if the pack holds none."""

    @classmethod
    def read(cls, file: Path) -> "PackPlan":
        """Reads a plan from YAML.

        Raises:
            ValueError: a field is missing, unknown or wrong.
        """
        content = yaml.safe_load(file.read_text("utf-8"))
        try:
            task = Task(content.pop("task"))
            models = tuple(_planned(one) for one in content.pop("models"))
            sections = tuple(
                Section(str(one["title"]), Path(one["file"])) for one in content.pop("sections", ())
            )
            recipe = content.pop("radiomics", None)
            only_for = content.pop("only_for", None)
            notes = PackNotes(**content)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{file} is no plan of a pack: {error}") from error
        radiomics = None if recipe is None else Path(recipe)
        return cls(task, notes, models, sections, radiomics, only_for)


def _planned(entry: Mapping[str, Any]) -> PlannedModel:
    groups, evidence = (
        None if entry.get(name) is None else Path(entry[name]) for name in ("groups", "evidence")
    )
    role = Role(entry["role"]) if "role" in entry else None
    return PlannedModel(Path(entry["file"]), role, groups, evidence)


def write_statistical_pack(
    folder: Path, version: str, plan: PackPlan, studies: Path, licence: bytes
) -> ModelPack:
    """Writes the pack and reads it back.

    Args:
        folder: where it goes; its name is the pack's.
        version: of the pack.
        plan: what it is made of.
        studies: the folder below which the plan's files lie.
        licence: the licence's full text.

    Raises:
        ValueError: a file is missing or no such model, a survival model has no role, two models
            have one name, one asks for what the clinic never knows, or one is for others than the
            plan says.
    """
    found = [(one, _models(studies / one.file, plan.task)) for one in plan.models]
    models = [(one, model) for one, several in found for model in several]
    _check(plan, [model for _, model in models])
    files: dict[str, bytes] = {"LICENSE": licence}
    entries = [_entry(one, studies, files) for one in plan.models]
    settings: dict[str, Any] = {"task": plan.task.value, "format": FORMAT, "models": entries}
    if plan.radiomics is not None:
        settings["radiomics"] = read_document(studies / plan.radiomics)
    if plan.only_for is not None:
        settings["only_for"] = plan.only_for
    metadata = {
        "name": folder.name,
        "version": version,
        "task": TITLES[plan.task],
        "intended_use": "Research only; not for clinical decisions.",
        "copyright": "GliomaAI contributors",
        "gliomaai": settings,
    }
    files[CARD] = card(plan, models, studies, files).encode()
    pack = write_pack(folder, metadata, files)
    if plan.task is Task.PROGNOSIS:
        load_prognosis_pack(folder)
    else:
        load_diagnosis_pack(folder, restricted=plan.only_for is not None)
    return pack


StatisticalModel = CoxModel | JointModel


def _models(file: Path, task: Task) -> list[StatisticalModel]:
    content = read_document(file)
    build = CoxModel.from_document if task is Task.PROGNOSIS else JointModel.from_document
    documents = content if isinstance(content, list) else [content]
    return [build(document) for document in documents]


def _check(plan: PackPlan, models: Sequence[StatisticalModel]) -> None:
    if not models:
        raise ValueError("the plan names no model")
    names = [model.name for model in models]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"several models are called {', '.join(sorted(twice))}")
    for one in plan.models:
        if (one.role is None) == (plan.task is Task.PROGNOSIS):
            words = "needs a role" if one.role is None else "has a role but is no survival model"
            raise ValueError(f"{one.file} {words}")
    _check_restrictions(plan, models)
    for model in models:
        if _restriction(model) is not None:
            continue  # the clinic never asks it
        if unknown := [name for name in model.covariates if not is_known(name)]:
            raise ValueError(
                f"{model.name} needs {', '.join(unknown)}, which the clinic never knows"
            )
        needs_recipe = any(
            (parts := radiomics_name(name)) is not None and parts.sequence is not None
            for name in model.covariates
        )
        if needs_recipe and plan.radiomics is None:
            raise ValueError(
                f"{model.name} needs radiomics: name the recipe of their study under `radiomics`"
            )


def _restriction(model: StatisticalModel) -> Restriction | None:
    return model.only_for if isinstance(model, JointModel) else None


def _check_restrictions(plan: PackPlan, models: Sequence[StatisticalModel]) -> None:
    """A restricted model is not packed by mistake."""
    found = {model.name: one for model in models if (one := _restriction(model)) is not None}
    for name, one in found.items():
        if plan.only_for != one.patients:
            raise ValueError(
                f"{name} is only for {one.patients}: say `only_for: {one.patients}` in the plan of "
                "a pack of its own, which the clinic does not read"
            )
    if plan.only_for is not None and not found:
        raise ValueError(f"no model of the plan is only for {plan.only_for}")


def _entry(one: PlannedModel, studies: Path, files: dict[str, bytes]) -> dict[str, str]:
    entry = {"file": _taken(one.file, studies, files)}
    if one.role is not None:
        entry["role"] = one.role.value
    if one.groups is not None:
        entry["groups"] = _taken(one.groups, studies, files)
    if one.evidence is not None:
        entry["evidence"] = _taken(one.evidence, studies, files)
    return entry


def _taken(file: Path, studies: Path, files: dict[str, bytes]) -> str:
    """A study's file goes into the pack under the study's name: `postoperative-cox.json`."""
    study = file.parts[0] if len(file.parts) > 1 else ""
    stem = file.name if not study or file.name.startswith(study) else f"{study}-{file.name}"
    name = f"{MODELS}/{stem}"
    content = (studies / file).read_bytes()
    if files.get(name, content) != content:
        raise ValueError(f"two files would be called {name} in the pack")
    files[name] = content
    return name


def card(
    plan: PackPlan,
    models: Sequence[tuple[PlannedModel, StatisticalModel]],
    studies: Path,
    files: dict[str, bytes],
) -> str:
    """The model card in Markdown; pictures that it shows are put beside it into `files`."""
    parts = [
        f"# {TITLES[plan.task]}",
        f"**{NOTICE}**",
        plan.notes.summary,
        "## Models",
        "Of each use and kind, the first model is taken whose needs are met; which one it was, and "
        "what a richer one lacked, is said beside every result.",
        _model_table(models),
        *_remarks([model for _, model in models]),
        "## Data",
        plan.notes.data,
    ]
    for section in plan.sections:
        parts.append(f"## {section.title}")
        source = studies / section.file
        if source.suffix == ".png":
            name = "-".join(section.file.parts[:1] + section.file.parts[-1:])
            files[f"docs/{name}"] = source.read_bytes()
            parts.append(f"![{section.title}]({name})")
        else:
            parts.append(source.read_text("utf-8"))
    parts += ["## Limits", plan.notes.limits, "## Licence", plan.notes.licence]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _remarks(models: Sequence[StatisticalModel]) -> Iterator[str]:
    """What was done to the models after their fit, and what their answers have to say."""
    by_text: dict[str, list[str]] = {}
    for model in models:
        said = (
            model.history
            if isinstance(model, CoxModel)
            else (f"for the mix of diagnoses of {model.case_mix}", *_only_for(model), *model.limits)
        )
        text = " ".join(f"{one[:1].upper()}{one[1:].rstrip('.')}." for one in said)
        by_text.setdefault(text, []).append(f"`{model.name}`")
    yield from (f"{', '.join(names)}: {text}" for text, names in by_text.items() if text)


def _only_for(model: JointModel) -> Iterator[str]:
    if model.only_for is not None:
        yield (
            f"only for {model.only_for.patients}: {model.only_for.reason}. With more than "
            f"{100 * model.only_for.most_beyond:.0f} % of a patient's numbers beyond all that it "
            "was fitted on, it refuses"
        )


def _model_table(models: Sequence[tuple[PlannedModel, StatisticalModel]]) -> str:
    lines = ["| model | use | kind | fitted on | n | events | needs |", "|-|-|-|-|-|-|-|"]
    for one, model in models:
        cells = (
            model.name,
            one.role.value if one.role else "diagnosis",
            Inputs.of(model.covariates).value,
            model.cohort,
            str(model.patients),
            str(model.events) if isinstance(model, CoxModel) else "",
            _needs(model),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


MANY = 12


def _needs(model: StatisticalModel) -> str:
    """What a model asks for, in words; a hundred features are counted."""
    labels = [term.label for term in model.terms]
    if len(labels) <= MANY:
        return ", ".join(labels)
    return f"{labels[0]} and {len(labels) - 1} features, {labels[1]} to {labels[-1]}"
