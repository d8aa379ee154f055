"""Grey level co-occurrence (IBSI 3.6): distance 1, symmetric, features averaged over directions."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array
from scipy.sparse.linalg import LinearOperator, eigsh

from gliomaai_training.radiomics.neighbourhood import Neighbourhood
from gliomaai_training.radiomics.sums import sums_by_key

NAMES = (
    "Autocorrelation",
    "ClusterProminence",
    "ClusterShade",
    "ClusterTendency",
    "Contrast",
    "Correlation",
    "DifferenceAverage",
    "DifferenceEntropy",
    "DifferenceVariance",
    "Id",
    "Idm",
    "Idmn",
    "Idn",
    "Imc1",
    "Imc2",
    "InverseVariance",
    "JointAverage",
    "JointEnergy",
    "JointEntropy",
    "MCC",
    "MaximumProbability",
    "SumAverage",
    "SumEntropy",
    "SumSquares",
)

FEW = 512
"""Up to so many grey levels all eigenvalues are computed; above it, the one that is needed."""

DENSE = 4096
"""Up to so many grey levels pairs are counted in a square table; above it, by sorting."""


@dataclass(frozen=True)
class CoOccurrence:
    """One direction's symmetric probabilities, only those above 0."""

    first: NDArray[np.int64]
    """(m,) index of the first level, from 0."""
    second: NDArray[np.int64]
    probability: NDArray[np.float64]
    values: NDArray[np.float64]
    """(g,) the grey levels."""


def glcm_features(around: Neighbourhood) -> dict[str, float]:
    """All of `NAMES`, the mean of the directions that have pairs; unknown where none has."""
    directions = [
        matrix_features(matrix)
        for ahead in around.ahead
        if (matrix := co_occurrence(around.inside, ahead, around.values)) is not None
    ]
    if not directions:
        return dict.fromkeys(NAMES, np.nan)
    return {name: float(np.mean([found[name] for found in directions])) for name in NAMES}


def co_occurrence(
    own: NDArray[np.int32], other: NDArray[np.int32], values: NDArray[np.float64]
) -> CoOccurrence | None:
    """How often two levels are neighbours.

    Args:
        own: (n,) numbers of levels, from 1.
        other: (n,) numbers of the neighbours' levels, 0 where there is none.
        values: (g,) the levels.
    """
    pairs = int(np.count_nonzero(other))
    if not pairs:
        return None
    size = values.size
    if size <= DENSE:
        # The outside is counted as a level of its own and dropped: cheaper than to leave it out.
        coded = own.astype(np.int64) * (size + 1) + other
        table = np.bincount(coded, minlength=(size + 1) ** 2).reshape(size + 1, size + 1)[1:, 1:]
        table = table + table.T
        code = np.flatnonzero(table)
        count = table.ravel()[code]
    else:
        first, second = (part[other > 0].astype(np.int64) - 1 for part in (own, other))
        both = np.concatenate([first * size + second, second * size + first])
        code, count = np.unique(both, return_counts=True)
    return CoOccurrence(code // size, code % size, count / (2.0 * pairs), values)


def matrix_features(matrix: CoOccurrence) -> dict[str, float]:
    """All of `NAMES` for one direction."""
    p, values = matrix.probability, matrix.values
    i, j = values[matrix.first], values[matrix.second]
    marginal = sums_by_key(matrix.first, p, values.size)
    marginal_present = marginal[marginal > 0]
    mean = float(marginal @ values)
    variance = float(marginal @ (values - mean) ** 2)
    centred = i + j - 2 * mean
    joint_entropy = _entropy(p)
    features = {
        "Autocorrelation": p @ (i * j),
        "ClusterProminence": p @ centred**4,
        "ClusterShade": p @ centred**3,
        "ClusterTendency": p @ centred**2,
        "Correlation": p @ ((i - mean) * (j - mean)) / variance if variance > 0 else 1.0,
        "JointAverage": mean,
        "JointEnergy": p @ p,
        "JointEntropy": joint_entropy,
        "MCC": _maximal_correlation(matrix, marginal),
        "MaximumProbability": p.max(),
        "SumAverage": 2 * mean,
        "SumEntropy": _entropy(sums_by_key((i + j).astype(np.int64), p)),
        "SumSquares": variance,
    }
    difference = sums_by_key(np.abs(i - j).astype(np.int64), p)
    features |= _difference_features(difference, float(values[-1]))
    features |= _information_correlation(joint_entropy, _entropy(marginal_present))
    return {name: float(value) for name, value in features.items()}


def _difference_features(p: NDArray[np.float64], levels: float) -> dict[str, float]:
    """Features of the distribution `p` of absolute differences 0, 1, 2, ..."""
    k = np.arange(p.size, dtype=np.float64)
    average = float(p @ k)
    return {
        "Contrast": float(p @ k**2),
        "DifferenceAverage": average,
        "DifferenceEntropy": _entropy(p),
        "DifferenceVariance": float(p @ (k - average) ** 2),
        "Id": float(p @ (1 / (1 + k))),
        "Idm": float(p @ (1 / (1 + k**2))),
        "Idmn": float(p @ (1 / (1 + k**2 / levels**2))),
        "Idn": float(p @ (1 / (1 + k / levels))),
        "InverseVariance": float(p[1:] @ (1 / k[1:] ** 2)),
    }


def _information_correlation(joint: float, marginal: float) -> dict[str, float]:
    """Both measures of information correlation.

    With a symmetric matrix the entropies that IBSI calls HXY1 and HXY2 are both twice the
    marginal's.
    """
    shared = max(2 * marginal - joint, 0.0)
    return {
        "Imc1": -shared / marginal if marginal > 0 else 0.0,
        "Imc2": np.sqrt(1 - np.exp(-2 * shared)),
    }


def _maximal_correlation(matrix: CoOccurrence, marginal: NDArray[np.float64]) -> float:
    """Square root of the second largest eigenvalue of Q (Haralick 1973).

    With a symmetric matrix Q is similar to the square of the symmetric matrix
    p(i, j) / sqrt(p(i) p(j)), whose eigenvalues are cheaper and real. The largest is 1, of the
    eigenvector sqrt(p(i)), and is taken out.
    """
    present = np.flatnonzero(marginal > 0)
    if present.size < 2:
        return 1.0
    place = np.zeros(marginal.size, np.int64)
    place[present] = np.arange(present.size)
    root = np.sqrt(marginal)
    scaled = coo_array(
        (
            matrix.probability / (root[matrix.first] * root[matrix.second]),
            (place[matrix.first], place[matrix.second]),
        ),
        (present.size, present.size),
    )
    first = root[present]
    if present.size > FEW:
        return _largest_eigenvalue(scaled.tocsr(), first)
    rest = scaled.toarray() - np.outer(first, first)
    return float(np.abs(np.linalg.eigvalsh(rest)).max())


def _largest_eigenvalue(matrix: csr_array, first: NDArray[np.float64]) -> float:
    """Of a symmetric matrix without its eigenvector `first`, by Lanczos' method."""
    without = LinearOperator(matrix.shape, lambda x: matrix @ x - first * (first @ x), dtype=float)
    # A start of its own makes the result the same each time; it must not be an eigenvector.
    start = np.cos(np.arange(first.size, dtype=np.float64))
    found = eigsh(without, k=1, which="LM", v0=start, return_eigenvectors=False)
    return float(abs(found[0]))


def _entropy(p: NDArray[np.float64]) -> float:
    """In bits."""
    present = p[p > 0]
    return float(-(present @ np.log2(present)))
