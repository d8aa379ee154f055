"""What a training run is: one frozen configuration for each stage, read from a YAML recipe."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, model_validator

from gliomaai_training.data.augmentation import AugmentationConfig
from gliomaai_training.training.changes import STAGES, changed
from gliomaai_training.training.objectives.config import (
    AverageConfig,
    ObjectiveConfig,
    SegmentationObjectiveConfig,
)

EXTENDS, CHANGES = "extends", "changes"
"""Of a recipe that is another one with changes."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CohortConfig(_Frozen):
    """One cohort to train on."""

    name: str
    table: Path
    """CSV with `id` and `patient`, relative to the data folder given on the command line."""
    weight: float = Field(1.0, gt=0)
    """Share of the samples, relative to the other cohorts' (not to their sizes)."""
    evaluated: bool = True
    """Whether its patients are dealt into folds; synthetic patients only ever train."""
    clinical: Literal["simulated", "table"] | None = None
    """How the table tells of diagnosis and survival: as `simulate` writes it, or in the columns of
    `cohorts.own_table`; null where it does not."""


class PhaseConfig(_Frozen):
    """A stretch of training with one field of view and one voxel size."""

    steps: PositiveInt
    batch_size: PositiveInt = 1
    """On each process."""
    batches_per_step: PositiveInt = 1
    """Batches whose gradients are averaged before the weights change."""
    crop: tuple[int, int, int] | None = None
    """Voxels along z, y, x; null is the whole brain, as at inference."""
    voxel_mm: PositiveFloat | None = None
    """Cases are coarsened to voxels of this size; null is the network's own, as at inference."""
    keep_all: float = Field(0.5, ge=0, le=1)
    """Probability that a sample shows every sequence; else all proper subsets are as likely."""


class OptimiserConfig(_Frozen):
    """AdamW with linear warm-up and cosine decay to 1 % over all phases."""

    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 50
    clip_norm: float = 5.0
    balance_factor: float = Field(default=10.0, gt=0)
    """How much faster the balance of losses learns than the network: one number for each task,
    which a short training would else leave where it began."""
    average_decay: float = 0.995
    """Decay of the exponential moving average of the weights, which is what is evaluated."""


class FitConfig(_Frozen):
    """A stage of training."""

    name: str
    network: dict[str, Any]
    objective: ObjectiveConfig = SegmentationObjectiveConfig()
    voxel_mm: float = Field(1.0, ge=1.0)
    """Edge of the voxels that the network reads at inference. Coarser ones cost by the cube less,
    so that a CPU sees many more patients in the same time; borders grow softer."""
    cohorts: tuple[CohortConfig, ...]
    phases: tuple[PhaseConfig, ...] = ()
    """None where nothing is learned by steps (`AverageConfig`)."""
    folds: int = 5
    fold_seed: int = 1
    """Of who falls into which fold, who is watched and whose labels are hidden: trainings of
    several seeds are judged on the same patients."""
    seed: int = 1
    """Of weights, samples and chance."""
    labelled_share: float = Field(1.0, gt=0, le=1)
    """Of each cohort's training patients, whose diagnosis is known; that of the others is hidden,
    to learn what it costs."""
    tumour_centred: float = 0.6
    cutmix_probability: float = Field(0.0, ge=0, le=1)
    """How often part of another patient's tumour is set into a patient's (Tumor-CutMix)."""
    deep_supervision: float = 0.4
    """Weight of the coarse output's loss."""
    optimiser: OptimiserConfig = OptimiserConfig()
    augmentation: AugmentationConfig = AugmentationConfig()
    validation_patients: int = 0
    """Taken out of the training patients, for the learning curve and early stop."""
    validate_every_steps: PositiveInt = 200
    patience: int | None = None
    """Validations without a better mean Dice before training stops; null never stops early."""
    checkpoint_every_steps: PositiveInt = 50
    loader_workers: int = 0

    @model_validator(mode="after")
    def _check_phases(self) -> Self:
        if bool(self.phases) == isinstance(self.objective, AverageConfig):
            raise ValueError(
                f"a stage of kind {self.objective.kind} has {len(self.phases)} phases: all kinds "
                "but average need some, and that one none"
            )
        return self

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)


@dataclass(frozen=True)
class Stage:
    """One stage of a recipe."""

    name: str
    config: FitConfig
    begin_with: str | None = None
    """The stage whose weights it begins with; None takes the one before."""


@dataclass(frozen=True)
class Recipe:
    """A training from first to last."""

    name: str
    stages: tuple[Stage, ...]
    """A recipe without stages is one stage, named ""."""


def read_recipe(file: Path, changes: Mapping[str, Any] | None = None) -> Recipe:
    """Reads a recipe: the fields of `FitConfig`, and under `stages` what is special to each one.

    It may be another file's with changes: `extends` names that file, beside it, and `changes` are
    as in `changes.changed`.

    Args:
        file: YAML.
        changes: by path; see `changes.changed`.

    Raises:
        ValueError: the file is no YAML mapping, two stages have one name, a change is impossible,
            or a field is unknown or out of range (pydantic's message names it).
    """
    content = changed(_content(file), changes or {})
    parts = content.pop(STAGES, None)
    if parts is None:
        config = FitConfig(**content)
        return Recipe(config.name, (Stage("", config),))
    stages = [_stage(content, dict(part)) for part in parts]
    names = [stage.name for stage in stages]
    if len(set(names)) < len(names) or not names:
        raise ValueError(f"{file} needs stages of different names, not {names}")
    for number, stage in enumerate(stages):
        if stage.begin_with not in (None, *names[:number]):
            raise ValueError(f"{stage.name} begins with {stage.begin_with!r}, no stage before it")
        objective = stage.config.objective
        averaged = objective.of if isinstance(objective, AverageConfig) else ()
        if unknown := sorted(set(averaged) - set(names[:number])):
            raise ValueError(f"{stage.name} averages {', '.join(unknown)}, no stages before it")
    return Recipe(content["name"], tuple(stages))


def _content(file: Path, below: tuple[Path, ...] = ()) -> dict[str, Any]:
    content = yaml.safe_load(file.read_text("utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file} is no YAML mapping")
    if EXTENDS not in content:
        return content
    if set(content) - {EXTENDS, CHANGES} or file in below:
        raise ValueError(f"{file} extends another recipe: it has {CHANGES} and nothing else")
    base = _content(file.parent / str(content[EXTENDS]), (*below, file))
    return changed(base, content.get(CHANGES) or {})


def _stage(shared: dict[str, Any], part: dict[str, Any]) -> Stage:
    name, begin_with = part.pop("name", ""), part.pop("begin_with", None)
    if not re.fullmatch(r"[a-z][a-z0-9-]*", name):
        raise ValueError(f"a stage's name is of small letters, digits and hyphens, not {name!r}")
    fields = {**shared, **part, "name": f"{shared.get('name', '')} {name}"}
    return Stage(name, FitConfig(**fields), begin_with)
