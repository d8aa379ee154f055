"""From logits to probabilities, labels and uncertainty. Arrays only: no geometry, no torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gliomaai_training.vocabulary import Label

PROBABILITY_LEVELS = 256
"""Steps in which probabilities are weighed against each other; below one step, tumour is no
possibility."""

LEAST_THRESHOLD = 0.2
"""A mask of which four voxels in five are expected to be wrong is no help to anyone."""


@dataclass(frozen=True)
class PostprocessingConfig:
    """Clean-up of a label map; a model pack's section `postprocessing` has these names."""

    minimum_focus_ml: float = 0.0
    """Connected tumour (all labels, 26 neighbours) smaller than this becomes background."""
    minimum_peak_probability: float = 0.0
    """Connected tumour in which the probability of tumour nowhere reaches this becomes background:
    what the network is unsure of everywhere is hardly ever a tumour."""
    minimum_et_ml: float = 0.0
    """If a study's whole ET is smaller than this, it becomes NCR: a few scattered enhancing voxels
    are mostly vessels (Isensee et al. 2021, nnU-Net for BraTS 2020)."""

    def __post_init__(self) -> None:
        for name in ("minimum_focus_ml", "minimum_peak_probability", "minimum_et_ml"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, but is {getattr(self, name)}")
        if self.minimum_peak_probability >= 1:
            raise ValueError(
                f"minimum_peak_probability must be below 1, but is {self.minimum_peak_probability}"
            )


def softmax(logits: NDArray[np.float32], temperature: float = 1.0) -> NDArray[np.float32]:
    """Probabilities (labels, z, y, x) from logits of that shape, divided by `temperature` first.

    Temperature scaling: Guo et al., On calibration of modern neural networks, ICML 2017.

    Raises:
        ValueError: the temperature is not positive.
    """
    if not temperature > 0:
        raise ValueError(f"the temperature must be positive, not {temperature}")
    probabilities = np.empty(logits.shape, np.float32)
    scale = np.float32(1.0 / temperature)
    for z in range(logits.shape[1]):  # slice by slice: stays in the cache
        part = logits[:, z] * scale
        part -= part.max(axis=0)
        np.exp(part, out=part)
        np.divide(part, part.sum(axis=0), out=probabilities[:, z])
    return probabilities


def entropy_bits(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Shannon entropy over axis 0 in bits: 0 where certain, log2(labels) where uniform."""
    entropy = np.empty(probabilities.shape[1:], np.float32)
    tiny = np.finfo(np.float32).tiny
    for z in range(len(entropy)):
        part = probabilities[:, z]
        entropy[z] = -(part * np.log2(np.maximum(part, tiny))).sum(axis=0)
    return np.maximum(entropy, 0)


def overlap_threshold(probability: NDArray[np.float32]) -> float:
    """The threshold that draws the region of the largest expected Dice.

    Where probabilities are calibrated, the voxels from threshold t upwards overlap the true region
    by 2 sum(p, p >= t) / (count(p >= t) + sum(p)). The best t is half of that Dice (Lipton et al.
    2014, Optimal thresholding of classifiers to maximize F1 measure, ECML-PKDD): near one half for
    a tumour that the network is sure of, lower for a faint one.

    Args:
        probability: of a region, any shape, in [0, 1].

    Returns:
        A multiple of 1 / `PROBABILITY_LEVELS`, at least `LEAST_THRESHOLD`.
    """
    level = np.minimum(probability.ravel(), 1) * PROBABILITY_LEVELS
    counts = np.bincount(level.astype(np.intp), minlength=PROBABILITY_LEVELS + 1)
    sums = counts * np.arange(PROBABILITY_LEVELS + 1) / PROBABILITY_LEVELS
    drawn, right = (part[::-1].cumsum()[::-1] for part in (counts, sums))
    dice = 2 * right / np.maximum(drawn + right[0], 1)
    least = round(LEAST_THRESHOLD * PROBABILITY_LEVELS)
    return float(least + dice[least:].argmax()) / PROBABILITY_LEVELS


def nested_labels(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Labels (z, y, x) from calibrated probabilities (labels, z, y, x), decided by nested region.

    A voxel is tumour when the sum of the tumour labels' probabilities reaches the threshold of the
    whole tumour, core when also that of NCR and ET reaches the core's, and ET when also its own
    reaches ET's; each is the region's `overlap_threshold`. The one likeliest label would be another
    rule: it calls a voxel background as soon as tumour's probability, though the larger, is divided
    between labels, and so draws regions too small.
    """
    labels = np.zeros(probabilities.shape[1:], np.uint8)
    possible = np.nonzero(1 - probabilities[Label.BACKGROUND] >= 1 / PROBABILITY_LEVELS)
    necrosis, oedema, enhancing = (part[possible] for part in probabilities[1:])
    core = necrosis + enhancing
    whole = core + oedema
    chosen = np.zeros(whole.shape, np.uint8)
    inside = np.ones(whole.shape, bool)
    for region, label in ((whole, Label.ED), (core, Label.NCR), (enhancing, Label.ET)):
        inside &= region >= overlap_threshold(region)
        chosen[inside] = label
    labels[possible] = chosen
    return labels


def clean_labels(
    labels: NDArray[np.uint8],
    tumour_probability: NDArray[np.float32],
    voxel_ml: float,
    config: PostprocessingConfig,
) -> NDArray[np.uint8]:
    """Removes what is too small or too faint to be believed; the input is left as it is.

    Args:
        labels: (z, y, x) `vocabulary.Label` values.
        tumour_probability: (z, y, x), of any tumour label.
        voxel_ml: volume of a voxel.
        config: what is too small or too faint.
    """
    cleaned = labels.copy()
    foci, count = ndimage.label(cleaned != Label.BACKGROUND, np.ones((3, 3, 3), bool))
    if count:
        focus_ml = np.bincount(foci.ravel(), minlength=count + 1) * voxel_ml
        peaks = ndimage.maximum(tumour_probability, foci, np.arange(count + 1))
        unbelieved = focus_ml < config.minimum_focus_ml
        unbelieved |= np.asarray(peaks) < config.minimum_peak_probability
        cleaned[unbelieved[foci]] = Label.BACKGROUND
    enhancing = cleaned == Label.ET
    if 0 < np.count_nonzero(enhancing) * voxel_ml < config.minimum_et_ml:
        cleaned[enhancing] = Label.NCR
    return cleaned
