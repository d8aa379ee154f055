"""A coarse map of the brain's lobes in ICBM152 space, by rule: approximate, and our own.

Borders are planes and ellipses laid by eye along the landmarks of the ICBM152 2009a template:
central sulcus, Sylvian fissure, parieto-occipital sulcus with the preoccipital notch, tentorium.
Individual anatomy and a tumour's own mass effect move the true borders by a centimetre and more.
"""

import numpy as np
from numpy.typing import NDArray

LOBES = (
    "frontal",
    "parietal",
    "temporal",
    "occipital",
    "insula",
    "deep grey matter",
    "corpus callosum",
    "cerebellum",
    "brainstem",
)
"""What a point can be in; the deep grey matter comes with the white matter between and around."""


def lobe_numbers(points_icbm152_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    """The place in `LOBES` of each point.

    Args:
        points_icbm152_mm: ICBM152 coordinates, RAS mm, shaped (n, 3).

    Returns:
        Shaped (n,). Every point gets the lobe whose rule comes first, those of the depth before
        those of the surface; points outside the brain get that of the surface nearby.
    """
    x = np.abs(points_icbm152_mm[:, 0])
    y, z = points_icbm152_mm[:, 1], points_icbm152_mm[:, 2]
    rules = (
        ("brainstem", _brainstem(x, y, z)),
        ("cerebellum", _cerebellum(x, y, z)),
        ("corpus callosum", _corpus_callosum(x, y, z)),
        ("deep grey matter", _deep(x, y, z)),
        ("insula", (x > 27) & (x < 43) & (np.hypot((y - 2) / 24, (z - 1) / 16) < 1)),
        ("temporal", _temporal(x, y, z)),
        ("occipital", y < -62 - 0.4 * np.maximum(z, 0)),
        ("frontal", y > -16 + 0.25 * x - 0.28 * z),  # in front of the central sulcus
    )
    numbers = [LOBES.index(name) for name, _ in rules]
    chosen: NDArray[np.int64] = np.select(
        [inside for _, inside in rules], numbers, LOBES.index("parietal")
    )
    return chosen


_Axis = NDArray[np.float64]
_Mask = NDArray[np.bool_]


def _brainstem(x: _Axis, y: _Axis, z: _Axis) -> _Mask:
    """Midbrain, pons and medulla; the fourth ventricle parts them from the cerebellum."""
    back = -38 + 0.12 * (z + 20)
    return (x < 17) & (y < -10) & (y > back) & (z < -7)


def _cerebellum(x: _Axis, y: _Axis, z: _Axis) -> _Mask:
    """Below the tentorium, a tent that falls to the sides and to the back."""
    tent = -1 - 0.45 * x + 0.3 * np.minimum(y + 50, 0)
    return (y < -33) & (z < tent)


def _corpus_callosum(x: _Axis, y: _Axis, z: _Axis) -> _Mask:
    """An arch over the lateral ventricles: the upper part of an elliptic ring."""
    outer = np.hypot((y + 5) / 40, (z - 3) / 28)
    inner = np.hypot((y + 5) / 30, (z - 3) / 18)
    return (x < 16) & (outer < 1) & (inner > 1) & (z > -2)


def _deep(x: _Axis, y: _Axis, z: _Axis) -> _Mask:
    """Basal ganglia and thalamus with the capsules and the ventricles between them."""
    return (x <= 29) & (np.hypot((y + 5) / 30, (z - 5) / 19) < 1)


def _temporal(x: _Axis, y: _Axis, z: _Axis) -> _Mask:
    """Below the Sylvian fissure, which climbs to the back; behind it, below the angular gyrus."""
    fissure = np.minimum(-3 - 0.6 * y, 16)
    pole = (y < 24) & ((y < 2) | (z < -20) | (x > 36))
    return (x > 17) & (z < fissure) & pole & (y > -62 - 0.2 * z)
