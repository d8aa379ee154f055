"""Grey level run lengths (IBSI 3.7), features averaged over directions."""

import numpy as np

from gliomaai_training.radiomics.neighbourhood import Neighbourhood
from gliomaai_training.radiomics.size_matrix import SizeMatrix, Terms, size_features

TERMS = Terms("ShortRun", "LongRun", "RunLength", "Run", "Run")

NAMES = (
    "GrayLevelNonUniformity",
    "GrayLevelNonUniformityNormalized",
    "GrayLevelVariance",
    "HighGrayLevelRunEmphasis",
    "LongRunEmphasis",
    "LongRunHighGrayLevelEmphasis",
    "LongRunLowGrayLevelEmphasis",
    "LowGrayLevelRunEmphasis",
    "RunEntropy",
    "RunLengthNonUniformity",
    "RunLengthNonUniformityNormalized",
    "RunPercentage",
    "RunVariance",
    "ShortRunEmphasis",
    "ShortRunHighGrayLevelEmphasis",
    "ShortRunLowGrayLevelEmphasis",
)


def glrlm_features(around: Neighbourhood) -> dict[str, float]:
    """All of `NAMES`; unknown for a single voxel."""
    found = []
    for direction in range(len(around.ahead)):
        matrix = run_lengths(around, direction)
        percentage = matrix.count.sum() / around.inside.size
        found.append({**size_features(matrix, TERMS), "RunPercentage": percentage})
    if not found:
        return dict.fromkeys(NAMES, np.nan)
    return {name: float(np.mean([features[name] for features in found])) for name in NAMES}


def run_lengths(around: Neighbourhood, direction: int) -> SizeMatrix:
    """Runs of one level in one direction.

    All runs are followed at once from their first voxels, one voxel at a time: the work is that
    of looking at each voxel once.
    """
    following, size = around.adjacency.ahead[direction], around.levels + 1
    place = np.flatnonzero(around.inside != around.behind[direction])
    level = around.own[place]
    counts = []
    while place.size:
        place = following[place]
        goes_on = around.own[place] == level
        counts.append(np.bincount(level[~goes_on], minlength=size))
        place, level = place[goes_on], level[goes_on]
    table = np.array(counts)
    length, number = np.nonzero(table)
    return SizeMatrix(
        around.values[number - 1],
        (length + 1).astype(np.float64),
        table[length, number].astype(np.float64),
    )
