"""Features that the run length, size zone and dependence matrices share (IBSI 3.7, 3.8, 3.11)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.radiomics.sums import sums_by_key


@dataclass(frozen=True)
class SizeMatrix:
    """How often something of a size occurs with a grey level; only what does occur."""

    level: NDArray[np.float64]
    """(m,) grey level, from 1."""
    size: NDArray[np.float64]
    """(m,) length of a run, voxels of a zone, or dependent neighbours; from 1."""
    count: NDArray[np.float64]
    """(m,)"""


@dataclass(frozen=True)
class Terms:
    """The words from which the features' names are put together."""

    small: str
    large: str
    size: str
    """What non-uniformity is named after."""
    thing: str
    """What is counted: it ends the names of the emphases of grey levels."""
    spread: str
    """What variance and entropy are named after."""


def size_features(matrix: SizeMatrix, terms: Terms) -> dict[str, float]:
    """The fifteen shared features.

    Args:
        matrix: not empty.
        terms: how they are named.
    """
    total = matrix.count.sum()
    p = matrix.count / total
    level2, size2 = matrix.level**2, matrix.size**2
    small, large, thing = terms.small, terms.large, terms.thing
    by_level = _sums(matrix.level, p)
    by_size = _sums(matrix.size, p)
    features = {
        f"{small}Emphasis": p @ (1 / size2),
        f"{large}Emphasis": p @ size2,
        f"LowGrayLevel{thing}Emphasis": p @ (1 / level2),
        f"HighGrayLevel{thing}Emphasis": p @ level2,
        f"{small}LowGrayLevelEmphasis": p @ (1 / (size2 * level2)),
        f"{small}HighGrayLevelEmphasis": p @ (level2 / size2),
        f"{large}LowGrayLevelEmphasis": p @ (size2 / level2),
        f"{large}HighGrayLevelEmphasis": p @ (size2 * level2),
        "GrayLevelNonUniformity": total * (by_level @ by_level),
        "GrayLevelNonUniformityNormalized": by_level @ by_level,
        f"{terms.size}NonUniformity": total * (by_size @ by_size),
        f"{terms.size}NonUniformityNormalized": by_size @ by_size,
        "GrayLevelVariance": _variance(matrix.level, p),
        f"{terms.spread}Variance": _variance(matrix.size, p),
        f"{terms.spread}Entropy": -(p @ np.log2(p)),
    }
    return {name: float(value) for name, value in features.items()}


def _sums(keys: NDArray[np.float64], p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probability of each different key."""
    _, number = np.unique(keys, return_inverse=True)
    return sums_by_key(number, p)


def _variance(values: NDArray[np.float64], p: NDArray[np.float64]) -> float:
    mean = p @ values
    return float(p @ (values - mean) ** 2)


def counted(
    level: NDArray[np.int64], size: NDArray[np.int64], values: NDArray[np.float64]
) -> SizeMatrix:
    """A matrix from one level and size for each thing.

    Args:
        level: (k,) numbers of levels, from 1.
        size: (k,) from 1.
        values: (g,) the grey levels.
    """
    width = int(size.max()) + 1
    code, count = np.unique(level * width + size, return_counts=True)
    return SizeMatrix(
        values[code // width - 1], (code % width).astype(np.float64), count.astype(np.float64)
    )
