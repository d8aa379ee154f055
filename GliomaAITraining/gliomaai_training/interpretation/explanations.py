"""What an explanation of an answer is, free of torch: for reports, panels and figures."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.vocabulary import SEQUENCES

RISK = "risk"
"""The task that is a number by itself and chooses between no classes."""

LOG_ODDS, PROBABILITY, LOG_RISK = "log-odds", "probability", "log-risk"
"""The scales of an answer."""

_TASK_WORDS: Mapping[str, str] = MappingProxyType(
    {"state": "", "idh": "IDH", "codeletion_1p19q": "1p/19q", "grade": "grade", "histology": ""}
)


@dataclass(frozen=True)
class Target:
    """The answer that is explained.

    Raises:
        ValueError: a task that chooses between classes without a class, or a risk with one.
    """

    task: str
    """One of `networks.multitask.TASK_OUTPUTS`."""
    answer: str | None = None
    """One of `data.targets.CLASSES[task]`; None for the log-risk."""

    def __post_init__(self) -> None:
        if (self.answer is None) != (self.task == RISK):
            raise ValueError(
                f"a target is {RISK!r} alone or a task with its answer, not "
                f"{self.task!r} with {self.answer!r}"
            )

    @property
    def name(self) -> str:
        """As columns of predictions are called, for example `idh:mutant`."""
        return self.task if self.answer is None else f"{self.task}:{self.answer}"

    @property
    def words(self) -> str:
        """As readers know it, for example "IDH mutant"."""
        if self.answer is None:
            return "risk"
        return f"{_TASK_WORDS.get(self.task, self.task)} {self.answer}".strip()


@dataclass(frozen=True, eq=False)
class Saliency:
    """Where in the images an answer comes from.

    What belongs to the target's answer is positive, what speaks against it negative. The tumour's
    outline is given, not explained: the features are pooled inside it whatever the voxels say.
    """

    target: Target
    method: str
    """`integrated gradients` or `smoothgrad`."""
    sequences: tuple[str, ...]
    """Those that the network was shown."""
    map: NDArray[np.float32]
    """(4, z, y, x) on the grid of the images, in `vocabulary.SEQUENCES` order; exactly 0 for an
    absent sequence. Log-odds (risk: log-risk) for integrated gradients, the same for each unit of
    normalised intensity for smoothgrad."""
    whole: NDArray[np.float32] | None
    """(4, z, y, x) the same of the low-resolution whole brain, where the network was given one
    beside the images."""
    output: float
    """The target's log-odds, or the log-risk."""
    baseline: float | None
    """The same for images without any contrast; None for smoothgrad."""

    @property
    def gap(self) -> float | None:
        """What the attributions' sum lacks of `output - baseline`: the quadrature's error."""
        if self.baseline is None:
            return None
        total = float(self.map.sum(dtype=np.float64))
        if self.whole is not None:
            total += float(self.whole.sum(dtype=np.float64))
        return self.output - self.baseline - total

    def shares(self) -> dict[str, float]:
        """Each present sequence's share of the map's magnitude; zeros for a map of zeros."""
        parts = [self.map] if self.whole is None else [self.map, self.whole]
        found = {
            name: sum(float(np.abs(one[index]).sum(dtype=np.float64)) for one in parts)
            for index, name in enumerate(SEQUENCES)
            if name in self.sequences
        }
        total = sum(found.values())
        return {name: value / total if total else 0.0 for name, value in found.items()}


@dataclass(frozen=True)
class SequenceImportance:
    """How far each sequence moved an answer: exact Shapley values.

    They sum to `full - empty`.
    """

    target: Target
    scale: str
    """`LOG_ODDS`, `PROBABILITY` or `LOG_RISK`."""
    values: Mapping[str, float]
    """By sequence, of those that are present."""
    empty: float
    """What is said of a patient without any images: the prior."""
    full: float
    """What the network says with all present sequences."""
