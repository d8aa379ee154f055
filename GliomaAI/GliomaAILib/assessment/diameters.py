"""Longest and perpendicular diameters of a lesion in the axial plane."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid

PointRas = tuple[float, float, float]
"""A point of the patient, RAS mm."""

MEASURABLE_MM = 10.0
"""RANO 2.0 calls a lesion measurable when both diameters reach this."""


@dataclass(frozen=True)
class Diameters:
    """The two diameters of one lesion on one axial slice, between its outer margins."""

    longest_mm: float
    perpendicular_mm: float
    """Longest chord exactly perpendicular to the longest diameter, margin to margin."""
    longest_ends_ras_mm: tuple[PointRas, PointRas]
    perpendicular_ends_ras_mm: tuple[PointRas, PointRas]

    @property
    def product_mm2(self) -> float:
        """The bidimensional product by which RANO follows a lesion."""
        return self.longest_mm * self.perpendicular_mm

    @property
    def measurable(self) -> bool:
        """Whether RANO 2.0 would measure this lesion."""
        return min(self.longest_mm, self.perpendicular_mm) >= MEASURABLE_MM


@dataclass(frozen=True)
class _Pair:
    """Two perpendicular chords of a planar outline; points are rows of x, y in mm."""

    longest: NDArray[np.float64]
    perpendicular: NDArray[np.float64]

    @property
    def product(self) -> float:
        lengths = [
            np.linalg.norm(chord[1] - chord[0]) for chord in (self.longest, self.perpendicular)
        ]
        return float(lengths[0] * lengths[1])


def diameters(
    region: NDArray[np.bool_], lesions: NDArray[np.bool_], grid: Grid
) -> Diameters | None:
    """The largest pair of perpendicular diameters over all axial slices.

    On every slice each lesion is measured by itself; the pair with the largest product is kept, as
    RANO 2.0 asks (Wen et al., J Clin Oncol 2023;41:5187). Diameters run between outer margins, so
    they cross a necrotic centre or a cleft. The margin runs half-way between the centres of voxels
    inside and outside.

    Args:
        region: what is measured, shaped (k, j, i); axial slices are those of constant k.
        lesions: what holds a lesion together on a slice: parts of `region` in one (8-connected)
            piece of this are one lesion, such as the fragments of a rim around one core.
        grid: the geometry of both arrays.

    Returns:
        None when the region is empty.
    """
    spacing = np.asarray(grid.spacing_mm[:2])
    best: _Pair | None = None
    best_slice = 0
    for bound, k, part, corner in sorted(_parts(region, lesions, spacing), key=lambda p: -p[0]):
        if best is not None and bound <= best.product:
            break
        pair = _diameters_of(_margin(part, spacing) + corner * spacing)
        if best is None or pair.product > best.product:
            best, best_slice = pair, k
    return None if best is None else _in_patient(best, best_slice, grid)


def _parts(
    region: NDArray[np.bool_], lesions: NDArray[np.bool_], spacing: NDArray[np.float64]
) -> Iterator[tuple[float, int, NDArray[np.bool_], NDArray[np.int64]]]:
    """Each lesion of each slice: a bound of its product, k, its pixels, their corner (i, j)."""
    from scipy import ndimage

    for k in np.flatnonzero(region.any(axis=(1, 2))):
        pieces, _ = ndimage.label(lesions[k], np.ones((3, 3)))
        inside = np.where(region[k], pieces, 0)
        for number, box in enumerate(ndimage.find_objects(inside), start=1):
            if box is None:
                continue
            part = inside[box] == number
            sides = np.asarray(part.shape[::-1]) * spacing
            corner = np.array([box[1].start, box[0].start])
            yield float(sides @ sides), int(k), part, corner


def _margin(part: NDArray[np.bool_], spacing: NDArray[np.float64]) -> NDArray[np.float64]:
    """The outlines of a planar mask as segments in mm, shaped (n, 2 ends, 2 coordinates)."""
    from contourpy import contour_generator

    padded = np.pad(part, 1).astype(np.float32)
    x = (np.arange(padded.shape[1]) - 1) * spacing[0]
    y = (np.arange(padded.shape[0]) - 1) * spacing[1]
    loops = [np.asarray(loop) for loop in contour_generator(x, y, padded).lines(0.5)]
    return np.concatenate([np.stack([loop[:-1], loop[1:]], axis=1) for loop in loops])


def _diameters_of(segments: NDArray[np.float64]) -> _Pair:
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import cdist

    points = segments[:, 0]
    hull = points[ConvexHull(points).vertices]
    distances = cdist(hull, hull)
    first, second = np.unravel_index(np.argmax(distances), distances.shape)
    start, end = hull[first], hull[second]
    along = (end - start) / distances[first, second]
    across = np.array([-along[1], along[0]])
    chord = _longest_chord(
        np.stack([(segments - start) @ along, (segments - start) @ across], axis=-1)
    )
    return _Pair(
        longest=np.stack([start, end]),
        perpendicular=start + chord[:, :1] * along + chord[:, 1:] * across,
    )


def _longest_chord(segments: NDArray[np.float64]) -> NDArray[np.float64]:
    """The longest chord of constant first coordinate; the margin bends only at segment ends, so
    the longest lies at one of them."""
    places = np.unique(segments[:, 0, 0])[:, None]
    low = segments[:, :, 0].min(axis=1)
    high = segments[:, :, 0].max(axis=1)
    spans = (places >= low) & (places <= high) & (high > low)
    run = np.where(high > low, segments[:, 1, 0] - segments[:, 0, 0], 1.0)
    share = (places - segments[:, 0, 0]) / run
    height = segments[:, 0, 1] + share * (segments[:, 1, 1] - segments[:, 0, 1])
    top = np.where(spans, height, -np.inf).max(axis=1)
    bottom = np.where(spans, height, np.inf).min(axis=1)
    best = int(np.argmax(top - bottom))
    place = places[best, 0]
    return np.array([[place, bottom[best]], [place, top[best]]])


def _in_patient(pair: _Pair, k: int, grid: Grid) -> Diameters:
    spacing = np.asarray(grid.spacing_mm[:2])

    def ends(chord: NDArray[np.float64]) -> tuple[PointRas, PointRas]:
        index = np.column_stack([chord / spacing, np.full(2, k), np.ones(2)])
        first, second = (index @ grid.ijk_to_ras.T)[:, :3].tolist()
        return tuple(first), tuple(second)

    return Diameters(
        longest_mm=float(np.linalg.norm(pair.longest[1] - pair.longest[0])),
        perpendicular_mm=float(np.linalg.norm(pair.perpendicular[1] - pair.perpendicular[0])),
        longest_ends_ras_mm=ends(pair.longest),
        perpendicular_ends_ras_mm=ends(pair.perpendicular),
    )
