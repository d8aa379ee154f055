"""Grey level size zones (IBSI 3.8): voxels of one level that touch, at corners too."""

from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gliomaai_training.radiomics.neighbourhood import Direction, Neighbourhood
from gliomaai_training.radiomics.size_matrix import SizeMatrix, Terms, counted, size_features

TERMS = Terms("SmallArea", "LargeArea", "SizeZone", "Zone", "Zone")

NAMES = (
    "GrayLevelNonUniformity",
    "GrayLevelNonUniformityNormalized",
    "GrayLevelVariance",
    "HighGrayLevelZoneEmphasis",
    "LargeAreaEmphasis",
    "LargeAreaHighGrayLevelEmphasis",
    "LargeAreaLowGrayLevelEmphasis",
    "LowGrayLevelZoneEmphasis",
    "SizeZoneNonUniformity",
    "SizeZoneNonUniformityNormalized",
    "SmallAreaEmphasis",
    "SmallAreaHighGrayLevelEmphasis",
    "SmallAreaLowGrayLevelEmphasis",
    "ZoneEntropy",
    "ZonePercentage",
    "ZoneVariance",
)


def glszm_features(around: Neighbourhood) -> dict[str, float]:
    """All of `NAMES`."""
    matrix = size_zones(around)
    features = size_features(matrix, TERMS)
    features["ZonePercentage"] = float(matrix.count.sum() / around.inside.size)
    return {name: features[name] for name in NAMES}


def size_zones(around: Neighbourhood) -> SizeMatrix:
    """Zones as the connected parts of the graph of voxels and equal neighbours."""
    voxels = around.inside.size
    links = _links(around)
    here = np.nonzero(links)[1]
    there = around.adjacency.ahead[links]
    graph = coo_array((np.ones(here.size, np.int8), (here, there)), (voxels, voxels))
    zones, zone = connected_components(graph, directed=False)
    size = np.bincount(zone, minlength=zones)
    level = np.zeros(zones, np.int64)
    level[zone] = around.inside
    return counted(level, size, around.values)


def _links(around: Neighbourhood) -> NDArray[np.bool_]:
    """(d, n) which voxels to link with their equal neighbours ahead.

    A diagonal neighbour that is reached by way of an equal voxel between needs no link of its
    own: what is left is a fraction, and the zones are the same.
    """
    directions = around.adjacency.directions
    links = np.asarray(around.ahead == around.inside)
    backwards = around.behind == around.inside
    equal = {direction: links[row].copy() for row, direction in enumerate(directions)}
    equal |= {(-z, -y, -x): backwards[row] for row, (z, y, x) in enumerate(directions)}
    for row, direction in enumerate(directions):
        for between in _between(direction):
            links[row] &= ~equal[between]
    return links


def _between(direction: Direction) -> list[Direction]:
    """The steps that go part of the way."""
    z, y, x = direction
    parts = product({0, z}, {0, y}, {0, x})
    return [part for part in parts if any(part) and part != direction]
