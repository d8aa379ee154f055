"""How a student learns from a teacher's word: which pseudo-labels, how many, and how much of each.

Selection by confidence and uncertainty: UPS (Rizve et al., ICLR 2021), with the limits of GMMAS's
code; agreement of weak and strong augmentation: FixMatch (Sohn et al., NeurIPS 2020).
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

MOST_ROUNDS = 2
"""A teacher's errors grow with every round."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SelectionConfig(_Frozen):
    """Which of a teacher's answers become pseudo-labels."""

    confidence: float = Field(default=0.9, gt=0.5, lt=1)
    """Least mean probability over the looks."""
    deviation: float = Field(default=0.05, gt=0)
    """The standard deviation over the looks lies below it."""
    most_per_class: PositiveInt = 100
    """Of each class at most so many, and at most as many as the rarest class has candidates ..."""
    least_quota: PositiveInt = 25
    """... but a class may always have so many: one rare class does not stop all others."""
    balance: Literal["equal", "proportional"] = "equal"
    """`proportional` lessens the quota of a class by how much rarer it is than the most frequent
    one among the labelled training patients."""
    sets_of_states: bool = True
    """Where no single state is certain but a fact is, as a mutant IDH, all states that have it."""


PUBLISHED_LIMITS = (SelectionConfig(), SelectionConfig(confidence=0.99, deviation=0.01))
"""Of each round."""


class StudentConfig(_Frozen):
    """How a student learns."""

    ramp_share: float = Field(default=0.4, gt=0, le=1)
    """Of the student's steps, over which the weight of pseudo-labels grows from 0."""
    largest_weight: float = Field(default=0.5, ge=0, le=1)
    """Of a pseudo-label, where a true label counts 1."""
    consistency_threshold: float = Field(default=0.95, gt=0, le=1)
    """What a weakly changed image must be sure of for a strongly changed one to learn it."""
    round_number: int = Field(default=1, ge=1, le=MOST_ROUNDS)
    """The student of one round is the teacher of the next, which is a stage of its own."""
    selection: SelectionConfig | None = None
    """None takes the limits of the published system's round."""
    passes: int = Field(default=10, ge=2)
    """With dropout, for each view of the teacher."""
    flips: bool = False
    """Whether the teacher looks at every view from left to right as well."""

    @property
    def limits(self) -> SelectionConfig:
        """Which answers become pseudo-labels in this round."""
        return self.selection or PUBLISHED_LIMITS[self.round_number - 1]


def pseudo_label_weight(done: float, config: StudentConfig) -> float:
    """What a pseudo-label counts when so much of the training is done: a ramp, then the largest.

    Args:
        done: share of the student's steps, 0 to 1.
        config: how it learns.

    Raises:
        ValueError: `done` is no share.
    """
    if not 0 <= done <= 1:
        raise ValueError(f"what is done is a share, not {done}")
    return config.largest_weight * min(1.0, done / config.ramp_share)
