"""Several networks as one (Lakshminarayanan et al., NeurIPS 2017): they differ where unsure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from gliomaai_training.inference.uncertainty import Floats, TaskSamples

if TYPE_CHECKING:
    from gliomaai_training.networks.multitask import MultiTaskNetwork, View


@dataclass(frozen=True)
class RiskScale:
    """Where one network's log-risks lie. Cox models fix neither: each network has its own, and
    only standardised risks have a mean."""

    mean: float
    deviation: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and self.deviation > 0):
            raise ValueError(f"risks with mean {self.mean}, deviation {self.deviation} rank nobody")

    def standardised(self, risks: ArrayLike) -> Floats:
        """Risks of the same network in deviations from the mean."""
        return np.asarray((np.asarray(risks, np.float64) - self.mean) / self.deviation)


def risk_scale(risks: ArrayLike) -> RiskScale:
    """The scale of one network's log-risks of a set of patients, best training or validation ones.

    Raises:
        ValueError: fewer than two risks, all the same, or one that is not finite.
    """
    values = np.asarray(risks, np.float64)
    if values.size < 2:
        raise ValueError(f"a scale needs at least two risks, not {values.size}")
    return RiskScale(float(values.mean()), float(values.std(ddof=1)))


def ensemble(
    networks: Sequence["MultiTaskNetwork"],
    view: "View",
    scales: Sequence[RiskScale] | None = None,
) -> TaskSamples:
    """What each network answers about the same B patients, without dropout.

    Args:
        networks: with the same tasks.
        view: the patients.
        scales: of each network's risks; needed where there are any.

    Raises:
        ValueError: networks of other tasks, or risks without one scale for each network.
    """
    import torch

    from gliomaai_training.inference.monte_carlo import evaluating, task_samples

    parts = []
    for network in networks:
        with torch.inference_mode(), evaluating(network):
            outputs = network(view).tasks
        parts.append(task_samples({task: part[None] for task, part in outputs.items()}))
    return standardised(TaskSamples.of_all_looks(parts), scales)


def standardised(samples: TaskSamples, scales: Sequence[RiskScale] | None) -> TaskSamples:
    """Samples of which each look is another network's, with risks on one scale.

    Raises:
        ValueError: there are risks, but not one scale for each network.
    """
    if samples.risk is None:
        return samples
    if scales is None or len(scales) != samples.looks:
        raise ValueError(
            f"risks of {samples.looks} networks need as many scales, not {len(scales or ())}"
        )
    pairs = zip(scales, samples.risk, strict=True)
    return TaskSamples(
        samples.probabilities, np.stack([scale.standardised(risks) for scale, risks in pairs])
    )
