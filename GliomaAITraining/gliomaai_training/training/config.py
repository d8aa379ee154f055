"""What a training run is: one frozen configuration, read from a YAML file."""

from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from gliomaai_training.data.augmentation import AugmentationConfig


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


class PhaseConfig(_Frozen):
    """A stretch of training with one field of view and one voxel size."""

    steps: PositiveInt
    batch_size: PositiveInt = 1
    """On each process."""
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
    average_decay: float = 0.995
    """Decay of the exponential moving average of the weights, which is what is evaluated."""


class FitConfig(_Frozen):
    """A training run."""

    name: str
    network: dict[str, Any]
    voxel_mm: float = Field(1.0, ge=1.0)
    """Edge of the voxels that the network reads at inference. Coarser ones cost by the cube less,
    so that a CPU sees many more patients in the same time; borders grow softer."""
    cohorts: tuple[CohortConfig, ...]
    phases: tuple[PhaseConfig, ...]
    folds: int = 5
    seed: int = 1
    tumour_centred: float = 0.6
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

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)


def read_fit_config(file: Path) -> FitConfig:
    """Reads a configuration file.

    Raises:
        ValueError: the file is no YAML mapping, or a field is unknown or out of range (pydantic's
            message names it).
    """
    content = yaml.safe_load(file.read_text("utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file} is no YAML mapping")
    return FitConfig(**content)
