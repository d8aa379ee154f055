"""What an explanation of an answer is, free of torch: for reports, panels and figures."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import special

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.facts import FACTS
from gliomaai_training.diagnosis.states import CODELETED, MUTANT
from gliomaai_training.vocabulary import SEQUENCES

STATE = "state"
"""The task whose classes have IDH, 1p/19q and grade as sums."""

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


def usual_targets(tasks: tuple[str, ...]) -> tuple[Target, ...]:
    """What is explained of a network with these tasks: IDH mutant, 1p/19q co-deleted, grade 4,
    glioblastoma by histology, and the risk, as far as the network answers it."""
    wanted = (
        Target("idh", MUTANT),
        Target("codeletion_1p19q", CODELETED),
        Target("grade", CLASSES["grade"][-1]),
        Target("histology", CLASSES["histology"][-1]),
        Target(RISK),
    )
    return tuple(
        target
        for target in wanted
        if target.task in tasks or (STATE in tasks and target.task in FACTS)
    )


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


@dataclass(frozen=True)
class SanityLimits:
    """Above which a map is too much like that of a network without any learnt weight."""

    values: float = 0.25
    """Rank correlation of the maps, either sign."""
    magnitudes: float = 0.7
    """Of their magnitudes: at most half of the ranks' variance is the images' and the outline's."""


@dataclass(frozen=True)
class MapCheck:
    """How much of one map is left when the network loses everything it learnt."""

    values: float
    """Spearman's correlation over the brain's voxels with the map of the untrained network."""
    magnitudes: float
    """The same of the absolute values."""
    limits: SanityLimits = field(default_factory=SanityLimits)

    @property
    def passes(self) -> bool:
        """Whether the map is gone when everything that was learnt is."""
        return abs(self.values) <= self.limits.values and self.magnitudes <= self.limits.magnitudes


@dataclass(frozen=True, eq=False)
class SaliencyVolume:
    """A map that passed its check, in the patient, all sequences together."""

    image: sitk.Image
    """Float32 on the common grid: log-odds (risk: log-risk) per mL of brain. What speaks for the
    answer, or for a higher risk, is positive."""
    inside_tumour: float
    """Share of the map's magnitude that lies inside the outline, 0 to 1."""
    step: float
    """From images without any contrast to these: log-odds, or log-risk."""
    gap: float
    """What the map's sum lacks of `step`; see `Saliency.gap`."""


@dataclass(frozen=True, eq=False)
class ExplainedAnswer:
    """One of the network's answers about a patient, and why it is given."""

    target: Target
    output: float
    """Calibrated log-odds, or the log-risk, with the outline as it is given."""
    importances: tuple[SequenceImportance, ...]
    """In log-odds and in probability, or in log-risk; empty where the pack lacks the prior."""
    check: MapCheck | None
    """None of a map that is the same everywhere."""
    saliency: SaliencyVolume | None
    """None where the map did not pass its check."""

    @property
    def probability(self) -> float | None:
        """Of the answer; None of the risk."""
        return None if self.target.task == RISK else float(special.expit(self.output))


@dataclass(frozen=True, eq=False)
class StudyExplanation:
    """Why a network answers about a study as it does, given the tumour's outline."""

    pack: str
    pack_version: str
    pack_sha256: str
    simulated_only: bool
    """Learnt from simulated patients alone: nothing is told about patients."""
    sequences: tuple[str, ...]
    """Those that the network was shown."""
    method: str
    """Of the maps."""
    steps: int
    """Passes forward and back for each map."""
    smoothing_mm: float
    """Standard deviation: single voxels of a gradient alternate with the network's strides."""
    seed: int
    """Of the untrained network that the maps are checked with."""
    device: str
    answers: tuple[ExplainedAnswer, ...]
