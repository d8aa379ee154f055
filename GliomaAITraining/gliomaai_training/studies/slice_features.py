"""Radiomics of axial slices without geometry: only what does not depend on the size of a pixel.

Texture and first order are measured slice by slice and averaged over the slices of the tumour (IBSI
3.6: by slice, without merging). No feature that grows with the number of pixels is kept, for a
pixel has another size in every patient; the tumour's size is a share of the head's instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes
from scipy.spatial import ConvexHull

from gliomaai_training.cohorts import lgg_slices
from gliomaai_training.radiomics.config import Discretisation, FeatureClass
from gliomaai_training.radiomics.neighbourhood import adjacency
from gliomaai_training.radiomics.region import NAMES, intensity_features

SEQUENCES = lgg_slices.SEQUENCES
CLASSES: tuple[FeatureClass, ...] = ("firstorder", "glcm", "glrlm", "glszm", "gldm", "ngtdm")
SIZE_BOUND = frozenset(
    {
        "firstorder_Energy",
        "firstorder_TotalEnergy",
        "glrlm_GrayLevelNonUniformity",
        "glrlm_RunLengthNonUniformity",
        "glszm_GrayLevelNonUniformity",
        "glszm_SizeZoneNonUniformity",
        "gldm_GrayLevelNonUniformity",
        "gldm_DependenceNonUniformity",
        "ngtdm_Busyness",
        "ngtdm_Coarseness",
    }
)
"""They grow or fall with the number of pixels."""
KINDS = tuple(
    name
    for group in CLASSES
    for one in NAMES[group]
    if (name := f"{group}_{one}") not in SIZE_BOUND
)
"""Of each sequence."""
FORM = ("share_of_head", "largest_share", "elongation", "solidity", "off_centre", "below_middle")
"""Tumour by head in all slices; in the slice where it is largest: tumour by head, minor by major
axis, area by that of its convex hull, distance of its centre from the head's and how far it lies
below that, both by the radius of a disc of the head's area."""
LEAST_PIXELS = 27
"""A slice with fewer tells no texture."""
HEAD_SHARE = 0.12
"""Of the 99th percentile: what is brighter is head, not air."""
SCALE = 100.0
BINS = Discretisation(25.0)
"""As in `radiomics.config`: a quarter of a standard deviation."""

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Slices:
    """One patient's slices."""

    images: Mapping[str, Floats]
    """By sequence, (k, j, i)."""
    tumour: Mask
    """(k, j, i)."""

    def __post_init__(self) -> None:
        shapes = {image.shape for image in self.images.values()} | {self.tumour.shape}
        if len(shapes) != 1 or self.tumour.ndim != 3:
            raise ValueError(f"slices and mask must be alike and three-dimensional, not {shapes}")


def read_slices(file: Path) -> Slices:
    """A patient's file of `lgg_slices`.

    Raises:
        ValueError: the file is absent, or holds other arrays.
    """
    try:
        with np.load(file) as stored:
            images = {name: stored[name].astype(np.float64) for name in SEQUENCES}
            return Slices(images, stored[lgg_slices.MASK] > 0)
    except (OSError, KeyError) as error:
        raise ValueError(f"a file of {file.parent.name} holds no slices: {error!r}") from error


def slice_features(slices: Slices) -> dict[str, float] | None:
    """`FORM`, and `KINDS` of each sequence as `t1gd_glcm_Contrast`; None for a tumour that is
    smaller than `LEAST_PIXELS` in every slice.

    Raises:
        ValueError: a sequence without contrast.
    """
    pixels = slices.tumour.sum(axis=(1, 2))
    used = np.flatnonzero(pixels >= LEAST_PIXELS)
    if not used.size:
        return None
    head = head_of(slices)
    values = form_features(slices.tumour, head)
    around = {k: adjacency(np.pad(slices.tumour[k][None], 1)) for k in used}
    for sequence, image in slices.images.items():
        scaled = normalised(image, head & ~slices.tumour)
        found = [
            intensity_features(scaled[k][slices.tumour[k]], around[k], 1.0, BINS, CLASSES)
            for k in used
        ]
        values |= {
            f"{sequence}_{kind}": float(np.mean([one[kind] for one in found])) for kind in KINDS
        }
    return values


def head_of(slices: Slices) -> Mask:
    """What is head, (k, j, i), slice by slice without holes: brighter than air in most sequences.

    Most, for in a few patients the air of one sequence is not dark.

    Raises:
        ValueError: a sequence is empty.
    """
    bright = []
    for name, image in slices.images.items():
        level = HEAD_SHARE * np.percentile(image, 99)
        if not level > 0:
            raise ValueError(f"{name} is empty and cannot be measured")
        bright.append(image > level)
    most = 2 * np.sum(bright, axis=0) > len(bright)
    return np.stack([binary_fill_holes(one) for one in most]) | slices.tumour


def normalised(image: Floats, normal: Mask) -> Floats:
    """Intensities in standard deviations of normal tissue from its median, times `SCALE`.

    Raises:
        ValueError: it has one brightness, or there is none.
    """
    values = image[normal]
    if not (values.size and values.std() > 0):
        raise ValueError("a sequence without any contrast cannot be normalised")
    return np.asarray((image - np.median(values)) / values.std() * SCALE)


def form_features(tumour: Mask, head: Mask) -> dict[str, float]:
    """`FORM`, of a tumour (k, j, i) that is there, in its head."""
    largest = int(tumour.sum(axis=(1, 2)).argmax())
    points = np.argwhere(tumour[largest]).astype(np.float64)
    around = np.argwhere(head[largest])
    offset = (points.mean(axis=0) - around.mean(axis=0)) / np.sqrt(len(around) / np.pi)
    # A pixel is a square, not a point.
    spread = np.linalg.eigvalsh(np.cov(points.T, bias=True) + np.eye(2) / 12)
    half = np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, -0.5), (0.5, 0.5)])
    corners = (points[:, None] + half).reshape(-1, 2)
    values = (
        tumour.sum() / head.sum(),
        len(points) / len(around),
        np.sqrt(spread[0] / spread[1]),
        len(points) / ConvexHull(corners).volume,
        np.hypot(*offset),
        offset[0],
    )
    return dict(zip(FORM, map(float, values), strict=True))


def columns_of(sequence: str) -> list[str]:
    """The columns that one sequence and the mask give."""
    return [*FORM, *(f"{sequence}_{kind}" for kind in KINDS)]
