"""From logits to probabilities, labels and uncertainty. Arrays only: no geometry, no torch."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from gliomaai_training.vocabulary import Label


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


def nested_labels(probabilities: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Labels (z, y, x) from probabilities (labels, z, y, x), decided from the outside inwards.

    A voxel is tumour when that is likelier than background; a tumour voxel is core (NCR or ET) when
    that is likelier than ED; a core voxel is ET when that is likelier than NCR. The one likeliest
    label would be another rule: it calls a voxel background as soon as tumour's probability, though
    the larger, is divided between labels, and so draws regions too small. Ties go outwards.
    """
    necrosis, oedema, enhancing = probabilities[1:]
    labels = np.zeros(probabilities.shape[1:], np.uint8)
    tumour = np.nonzero(necrosis + oedema + enhancing > probabilities[0])
    necrosis, oedema, enhancing = (part[tumour] for part in (necrosis, oedema, enhancing))
    core = np.where(enhancing > necrosis, np.uint8(Label.ET), np.uint8(Label.NCR))
    labels[tumour] = np.where(necrosis + enhancing > oedema, core, np.uint8(Label.ED))
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
