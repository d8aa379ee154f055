"""What a stage learns, as its recipe gives it; `kind` names the objective."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from gliomaai_training.losses.survival import Ranking, Ties
from gliomaai_training.losses.uncertainty import Balance
from gliomaai_training.training.student_config import StudentConfig


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SegmentationObjectiveConfig(_Frozen):
    """Region Dice and nested cross-entropy alone."""

    kind: Literal["segmentation"] = "segmentation"


class AdaptationObjectiveConfig(_Frozen):
    """Self-distillation: features of a subset of the sequences against those of all (GMMAS)."""

    kind: Literal["adaptation"] = "adaptation"
    least_weight: float = Field(0.1, ge=0)
    largest_weight: float = Field(1.0, ge=0)
    ramp_share: float = Field(0.2, gt=0, le=1)
    """Of the stage's steps, over which the distillation's weight grows."""


class ContrastiveObjectiveConfig(_Frozen):
    """Two subsets of a patient's sequences shall tell the same of the tumour (GMMAS)."""

    kind: Literal["contrastive"] = "contrastive"
    form: Literal["simsiam", "infonce"] = "simsiam"
    width: PositiveInt = 512
    """Of the projected vectors; 2048 in SimSiam."""
    bottleneck: PositiveInt = 128
    """Of SimSiam's predictor."""
    temperature: PositiveFloat = 0.1
    """Of InfoNCE."""


class MultiTaskObjectiveConfig(_Frozen):
    """Segmentation, diagnosis and survival at once."""

    kind: Literal["multitask"] = "multitask"
    segmentation: bool = True
    """False leaves its loss out: what does it teach the other tasks?"""
    balance: Balance = "kendall"
    ties: Ties = "efron"
    ranking: Ranking | None = "logistic"
    """None leaves the pairwise ranking loss out."""
    bank_patients: PositiveInt = 128
    """Patients seen before whom a batch's risks are compared with."""
    true_masks: float = Field(0.5, ge=0, le=1)
    """How often features are pooled inside the true mask instead of the network's own: a corrected
    mask must mean something to the heads."""


class StudentObjectiveConfig(MultiTaskObjectiveConfig):
    """As multitask, with pseudo-labels of the network before it as the teacher."""

    kind: Literal["student"] = "student"  # type: ignore[assignment]
    student: StudentConfig = StudentConfig()


class SurvivalObjectiveConfig(_Frozen):
    """The log-risk head alone, over all patients at once (`survival_stage`)."""

    kind: Literal["survival"] = "survival"
    ties: Ties = "efron"
    ranking: Ranking | None = "logistic"
    views: PositiveInt = 4
    """Subsets of the sequences that each patient is seen through; the first shows all."""


class AverageConfig(_Frozen):
    """Nothing is learned: the mean of the weights that earlier stages ended with."""

    kind: Literal["average"] = "average"
    of: tuple[str, ...] = Field(min_length=2)
    """Names of stages before."""


ObjectiveConfig = Annotated[
    SegmentationObjectiveConfig
    | AdaptationObjectiveConfig
    | ContrastiveObjectiveConfig
    | MultiTaskObjectiveConfig
    | StudentObjectiveConfig
    | SurvivalObjectiveConfig
    | AverageConfig,
    Field(discriminator="kind"),
]
