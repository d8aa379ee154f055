"""Neighbourhood grey tone difference (IBSI 3.10; Amadasun and King 1989), distance 1."""

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.radiomics.neighbourhood import Neighbourhood
from gliomaai_training.radiomics.sums import sums_by_key

NAMES = ("Busyness", "Coarseness", "Complexity", "Contrast", "Strength")

COARSEST = 1e6
"""Coarseness of a region without any difference (as PyRadiomics)."""


def ngtdm_features(around: Neighbourhood) -> dict[str, float]:
    """All of `NAMES`.

    A voxel without neighbours counts, with a difference of 0: so does PyRadiomics, while IBSI
    leaves it out.
    """
    p, s = tone_differences(around)
    i, levels, voxels = around.values, around.levels, around.inside.size
    weighted, total = float(p @ s), float(s.sum())
    gap = np.abs(i[:, None] - i[None, :])
    pair = p[:, None] + p[None, :]
    busy = float(np.abs((i * p)[:, None] - (i * p)[None, :]).sum())
    spread = float(p @ gap**2 @ p) / (levels * (levels - 1)) if levels > 1 else 0.0
    return {
        "Busyness": weighted / busy if busy > 0 else 0.0,
        "Coarseness": 1 / weighted if weighted > 0 else COARSEST,
        "Complexity": float((gap * ((p * s)[:, None] + (p * s)[None, :]) / pair).sum() / voxels),
        "Contrast": spread * total / voxels,
        "Strength": float((pair * gap**2).sum() / total) if total > 0 else 0.0,
    }


def tone_differences(around: Neighbourhood) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The matrix.

    Returns:
        (g,) share of each grey level; (g,) sum of the differences between its voxels and the
        means of their neighbours.
    """
    tone = np.append(0, around.values.astype(np.int64))
    total = np.zeros(around.inside.size, np.int64)
    count = np.zeros(around.inside.size, np.int64)
    for neighbours in (around.ahead, around.behind):
        for levels in neighbours:
            total += tone.take(levels)
            count += levels > 0
    level = around.inside - 1
    difference = np.abs(around.values[level] - total / np.maximum(count, 1))
    difference[count == 0] = 0.0
    share = np.bincount(level) / level.size
    return share, sums_by_key(level, difference)
