"""Whether probabilities mean what they say: reliability by voxel, and temperature scaling."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

BINS = 10
"""Equal-width confidence bins over 0 to 1."""

TEMPERATURE_RANGE = (0.05, 20.0)


@dataclass(frozen=True)
class Reliability:
    """Counts by confidence bin; those of several cases are added with `+`."""

    voxels: NDArray[np.int64]
    """(bins,)"""
    confidence_sum: NDArray[np.float64]
    """(bins,), sum of the most likely label's probability."""
    correct: NDArray[np.int64]
    """(bins,), voxels whose most likely label is the true one."""

    def __add__(self, other: "Reliability") -> "Reliability":
        return Reliability(
            self.voxels + other.voxels,
            self.confidence_sum + other.confidence_sum,
            self.correct + other.correct,
        )

    @property
    def confidence(self) -> NDArray[np.float64]:
        """Mean confidence by bin; NaN where a bin is empty."""
        return _ratio(self.confidence_sum, self.voxels)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """Share of correct voxels by bin; NaN where a bin is empty."""
        return _ratio(self.correct, self.voxels)

    @property
    def expected_calibration_error(self) -> float:
        """Mean gap between confidence and accuracy, weighted by voxels (Naeini 2015, Guo 2017)."""
        gap = np.abs(self.confidence_sum - self.correct)
        return float(gap.sum() / self.voxels.sum())


def voxel_reliability(
    probabilities: NDArray[np.float32],
    truth: NDArray[np.integer],
    brain: NDArray[np.bool_],
    bins: int = BINS,
) -> Reliability:
    """Counts of one case, over the voxels of its brain.

    Args:
        probabilities: (labels, k, j, i), summing to 1.
        truth: labels (k, j, i).
        brain: (k, j, i); background outside it would flatter any network.
        bins: number of equal-width bins of confidence.

    Raises:
        ValueError: shapes do not fit, or the brain is empty.
    """
    if probabilities.shape[1:] != truth.shape or truth.shape != brain.shape:
        raise ValueError(
            f"shapes do not fit: {probabilities.shape}, truth {truth.shape}, brain {brain.shape}"
        )
    if not brain.any():
        raise ValueError("the brain mask is empty")
    inside = probabilities[:, brain]
    confidence = inside.max(axis=0).astype(np.float64)
    correct = inside.argmax(axis=0) == truth[brain]
    index = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    return Reliability(
        voxels=np.bincount(index, minlength=bins),
        confidence_sum=np.bincount(index, confidence, minlength=bins).astype(np.float64),
        correct=np.bincount(index[correct], minlength=bins),
    )


def pooled(cases: Sequence[Reliability]) -> Reliability:
    """All cases' voxels together.

    Raises:
        ValueError: there are no cases.
    """
    if not cases:
        raise ValueError("no cases to pool")
    return reduce(Reliability.__add__, cases)


def fit_temperature(logits: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """The temperature that minimises the negative log-likelihood of held-out voxels.

    Guo et al., On calibration of modern neural networks, ICML 2017. The likelihood is convex in
    the inverse temperature, so a search in one dimension finds the only minimum.

    Args:
        logits: (voxels, labels); log-probabilities serve as well.
        labels: the true label of each voxel.

    Returns:
        Temperature within `TEMPERATURE_RANGE`: above 1, the network is too sure of itself.

    Raises:
        ValueError: shapes do not fit, there are no voxels, or logits are not finite.
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1] or not labels.size:
        raise ValueError(f"needs (voxels, labels) logits, not {logits.shape} for {labels.shape}")
    if not np.isfinite(logits).all():
        raise ValueError("logits hold values that are not finite")
    values = logits.astype(np.float64)
    true = np.take_along_axis(values, labels[:, None].astype(np.int64), axis=1)[:, 0]

    def loss(log_temperature: float) -> float:
        scale = float(np.exp(-log_temperature))
        return float(np.mean(logsumexp(values * scale, axis=1) - true * scale))

    low, high = np.log(TEMPERATURE_RANGE)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-5})
    return float(np.exp(found.x))


def sample_voxels(
    probabilities: NDArray[np.float32],
    truth: NDArray[np.integer],
    brain: NDArray[np.bool_],
    count: int,
    generator: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Log-probabilities (voxels, labels) and labels of random brain voxels, for `fit_temperature`.

    Every case gives up to `count` voxels, drawn without replacement.

    Raises:
        ValueError: the brain is empty.
    """
    inside = np.flatnonzero(brain)
    if not inside.size:
        raise ValueError("the brain mask is empty")
    chosen = generator.choice(inside, min(count, inside.size), replace=False)
    values = probabilities.reshape(len(probabilities), -1)[:, chosen].T
    smallest = np.finfo(np.float32).tiny
    return np.log(np.maximum(values, smallest)), truth.ravel()[chosen].astype(np.int64)


def _ratio(total: NDArray[np.number], count: NDArray[np.int64]) -> NDArray[np.float64]:
    result = np.full(count.shape, np.nan)
    np.divide(total, count, out=result, where=count > 0)
    return result
