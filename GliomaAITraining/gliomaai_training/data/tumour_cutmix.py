"""Tumor-CutMix: a box of one patient's tumour in another's, with labels shared by volume (GMMAS).

The publication says what is mixed and that labels are proportions; box and alignment are ours.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST_SHARE, LARGEST_SHARE = 0.3, 0.7
"""Of the host's tumour that the box is meant to leave: less or more would be one patient's."""
BOXES_TRIED = 10


@dataclass(frozen=True, eq=False)
class MixedVolume:
    """Two patients in one."""

    images: NDArray[np.float32]
    """(4, z, y, x)."""
    labels: NDArray[np.uint8]
    """(z, y, x)."""
    share: float
    """Of all tumour voxels, how many are the host's: the weight of its labels."""


def tumour_cutmix(
    host: tuple[NDArray[np.float32], NDArray[np.uint8]],
    donor: tuple[NDArray[np.float32], NDArray[np.uint8]],
    generator: np.random.Generator,
) -> MixedVolume | None:
    """Sets a box of the donor's tumour into the host's, the tumours' centres on each other.

    The box lies inside the host's tumour and takes 30 to 70 % of it, as far as boxes can; where it
    would bring what is outside the donor's or the host's brain, the host stays as it is.

    Args:
        host: normalised images (4, z, y, x), 0 outside the brain, and labels (z, y, x).
        donor: the same of the other patient, whose sizes may differ.
        generator: source of randomness.

    Returns:
        The mixture, or None where there is none: a patient without tumour, or no box that leaves
        both patients their part.
    """
    if not host[1].any() or not donor[1].any():
        return None
    moved = _aligned(host, donor)
    taken = 1 - np.clip(generator.beta(1, 1), SMALLEST_SHARE, LARGEST_SHARE)
    tumour = np.argwhere(host[1] > 0)
    low, high = tumour.min(axis=0), tumour.max(axis=0) + 1
    size = np.maximum(1, np.rint((high - low) * taken ** (1 / 3)).astype(int))
    for _ in range(BOXES_TRIED):
        start = generator.integers(low, np.maximum(high - size, low) + 1)
        box = tuple(slice(int(s), int(s + n)) for s, n in zip(start, size, strict=True))
        mixed = _mixed(host, moved, box)
        if mixed is not None:
            return mixed
    return None


def _aligned(
    host: tuple[NDArray[np.float32], NDArray[np.uint8]],
    donor: tuple[NDArray[np.float32], NDArray[np.uint8]],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """The donor on the host's voxels, moved by whole ones."""
    centres = [np.argwhere(part[1] > 0).mean(axis=0) for part in (host, donor)]
    shift = np.rint(centres[0] - centres[1]).astype(int)
    images, labels = np.zeros_like(host[0]), np.zeros_like(host[1])
    here, there = [], []
    for step, mine, theirs in zip(shift, host[1].shape, donor[1].shape, strict=True):
        begin, end = max(0, int(step)), min(mine, theirs + int(step))
        here.append(slice(begin, max(begin, end)))
        there.append(slice(begin - int(step), max(begin, end) - int(step)))
    images[(slice(None), *here)] = donor[0][(slice(None), *there)]
    labels[tuple(here)] = donor[1][tuple(there)]
    return images, labels


def _mixed(
    host: tuple[NDArray[np.float32], NDArray[np.uint8]],
    donor: tuple[NDArray[np.float32], NDArray[np.uint8]],
    box: tuple[slice, ...],
) -> MixedVolume | None:
    inside = np.zeros(host[1].shape, np.bool_)
    inside[box] = True
    inside &= host[0].any(axis=0) & donor[0].any(axis=0)
    images = np.where(inside, donor[0], host[0])
    labels = np.where(inside, donor[1], host[1])
    total = int(np.count_nonzero(labels))
    theirs = int(np.count_nonzero(labels[inside]))
    if not 0 < theirs < total:
        return None
    return MixedVolume(images, labels, (total - theirs) / total)
