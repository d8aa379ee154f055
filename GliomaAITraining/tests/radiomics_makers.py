"""Volumes for the tests of radiomics, made by formula: nothing here is anybody's data."""

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

SPACING_MM = (1.2, 0.9, 2.0)
"""Along i, j, k: all different, so that no axis can be mistaken for another."""

ORACLE_REGIONS = {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,), "NCR": (1,)}

ORACLE_RUNS: dict[str, dict[str, object]] = {
    "width": {"binWidth": 25},
    "number": {"binCount": 16},
}
ORACLE_SIGMAS_MM = (2.0, 3.0)
ORACLE_WAVELET = "coif1"

PHANTOM_SPACING_MM = 2.0


def formula_volume() -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """A textured image and nested, ragged labels, (26, 30, 22) each."""
    shape = (26, 30, 22)
    z, y, x = np.indices(shape).astype(float)
    image = 200 + 90 * np.sin(0.31 * z + 0.17 * y) * np.cos(0.23 * x - 0.11 * z)
    image += 40 * np.sin(1.7 * x + 2.3 * y + 1.1 * z)
    image += 25 * np.sin(12.9898 * x + 78.233 * y + 37.719 * z)
    centre = (np.array(shape) - 1) / 2
    distance = ((z - centre[0]) / (0.42 * shape[0])) ** 2
    distance += ((y - centre[1]) / (0.40 * shape[1])) ** 2
    distance += ((x - centre[2]) / (0.43 * shape[2])) ** 2
    distance += 0.25 * np.sin(1.3 * z) * np.cos(1.1 * y) * np.sin(0.9 * x + 1)
    labels = np.zeros(shape, np.uint8)
    for label, limit in ((2, 1.0), (3, 0.45), (1, 0.16)):
        labels[distance < limit] = label
    return image.astype(np.float32), labels


def as_image(
    array: NDArray[np.generic], spacing_mm: tuple[float, float, float] = SPACING_MM
) -> sitk.Image:
    """An image of this spacing along i, j, k."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing_mm)
    return image


def digital_phantom() -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """The 5 x 4 x 4 phantom of the IBSI reference manual, section 5.1, and its region."""
    out = 9  # outside of the region
    levels = np.array(
        [
            [[1, 4, 4, 1, 1], [1, 4, 6, 1, 1], [4, 1, 6, 4, 1], [4, 4, 6, 4, 1]],
            [[1, 4, 4, 1, 1], [1, 1, 6, 1, 1], [out, 1, 3, 1, 1], [4, 4, 6, 1, 1]],
            [[1, 4, 4, out, out], [1, 1, 1, 1, 1], [1, 1, out, 1, 1], [1, 1, 6, 1, 1]],
            [[1, 4, 4, out, out], [1, 1, 1, 1, 1], [1, 1, 1, 1, 1], [1, 1, 6, 1, 1]],
        ],
        np.float32,
    )
    return levels, levels != out
