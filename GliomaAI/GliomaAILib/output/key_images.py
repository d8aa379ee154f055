"""Slices of a study with the tumour's outlines, as inline pictures and vector paths."""

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.vocabulary import Label
from GliomaAILib.assessment.foci import bounding_box
from GliomaAILib.output.colours import LABEL_COLOURS

PLANES = ("axial", "coronal", "sagittal")

EDGE_MARKS: Mapping[str, tuple[str, str]] = {
    "axial": ("R", "L"),
    "coronal": ("R", "L"),
    "sagittal": ("A", "P"),
}
"""What of the patient lies at the left and right edge: radiological convention."""

SCALE_BAR_MM = 50

ENTROPY_SCALE_BITS = 1.0
"""The uncertainty picture's strongest colour: two labels equally likely."""

_MARGIN_VOXELS = 6
_ENLARGEMENT = 2
_JPEG_QUALITY = 88
_OUTLINE_SIGMA_VOXELS = 0.5
_ENTROPY_STOPS = np.array(
    [[0.0, 255, 237, 160], [0.35, 254, 178, 76], [0.7, 240, 59, 32], [1.0, 128, 0, 38]]
)


@dataclass(frozen=True)
class Outline:
    """One label on one slice, in mm from the upper left corner of the slice's picture."""

    label: Label
    colour: str
    rings: tuple[tuple[tuple[float, float], ...], ...]
    """Closed lines; a line inside another one is a hole."""

    @property
    def path(self) -> str:
        """The outline as an SVG path."""
        return "".join(
            "M" + " ".join(f"{x:.1f},{y:.1f}" for x, y in ring) + "Z" for ring in self.rings
        )


@dataclass(frozen=True)
class Slice:
    """One plane through the study: what all its pictures share."""

    plane: str
    index: int
    """Of the common grid, along the axis across the plane."""
    width: float
    height: float
    """In millimetres, which are also the units of the paths."""
    left_mark: str
    right_mark: str
    outlines: tuple[Outline, ...]


@dataclass(frozen=True)
class KeyImages:
    """Cuts through the largest extent of the tumour and how to picture anything on them."""

    slices: tuple[Slice, ...]
    box: tuple[slice, slice, slice]
    """The brain with a margin, as (k, j, i)."""

    def picture(self, array: NDArray[Any], cut: Slice) -> NDArray[Any]:
        """One slice of an array on the common grid, as rows and columns seen by the reader."""
        return _cut(array[self.box], cut.plane, cut.index - self.box[_axis(cut.plane)].start)


def key_images(prepared: Prepared, labels: sitk.Image) -> KeyImages:
    """Chooses, for each plane, the slice with the most tumour; without tumour, the middle."""
    array = sitk.GetArrayViewFromImage(labels)
    grid = Grid.of(labels)
    box = _padded(sitk.GetArrayViewFromImage(prepared.brain_mask) > 0, array > 0)
    slices = []
    for plane in PLANES:
        others = tuple(axis for axis in range(3) if axis != _axis(plane))
        extent = np.count_nonzero(array[box], axis=others)
        inside = int(extent.argmax()) if extent.any() else len(extent) // 2
        slices.append(_slice(array, box, grid, plane, inside + box[_axis(plane)].start))
    return KeyImages(tuple(slices), box)


def axial_slice(labels: sitk.Image, images: KeyImages, index: int) -> Slice:
    """The axial slice with a given k, framed like the key images."""
    return _slice(sitk.GetArrayViewFromImage(labels), images.box, Grid.of(labels), "axial", index)


def _slice(
    labels: NDArray[np.uint8],
    box: tuple[slice, slice, slice],
    grid: Grid,
    plane: str,
    index: int,
) -> Slice:
    picture = _cut(labels[box], plane, index - box[_axis(plane)].start)
    across = grid.spacing_mm[1 if plane == "sagittal" else 0]
    down = grid.spacing_mm[1 if plane == "axial" else 2]
    return Slice(
        plane=plane,
        index=index,
        width=picture.shape[1] * across,
        height=picture.shape[0] * down,
        left_mark=EDGE_MARKS[plane][0],
        right_mark=EDGE_MARKS[plane][1],
        outlines=_outlines(picture, across, down),
    )


def window(image: sitk.Image, brain_mask: sitk.Image) -> tuple[float, float]:
    """Intensities to show black and white: the brain's own range, without its few extremes."""
    inside = sitk.GetArrayViewFromImage(brain_mask) > 0
    values = sitk.GetArrayViewFromImage(image)[inside]
    if values.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(values[:: max(1, values.size // 200_000)], [0.5, 99.7])
    return float(low), float(max(high, low + 1e-6))


def grey(picture: NDArray[np.generic], limits: tuple[float, float]) -> NDArray[np.uint8]:
    """Bytes for the screen from intensities."""
    low, high = limits
    unit = np.clip((picture.astype(np.float32) - low) / (high - low), 0.0, 1.0)
    return np.asarray((unit * 255.0).round(), dtype=np.uint8)


def with_entropy(
    background: NDArray[np.uint8], entropy_bits: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """A grey picture with uncertainty laid over it in colour, shaped (rows, columns, 3)."""
    unit = np.clip(entropy_bits / ENTROPY_SCALE_BITS, 0.0, 1.0)
    stops = _ENTROPY_STOPS
    colour = np.stack([np.interp(unit, stops[:, 0], stops[:, c]) for c in (1, 2, 3)], axis=-1)
    opacity = np.clip(unit / 0.3, 0.0, 1.0)[..., None] * 0.85
    mixed = background[..., None] * (1.0 - opacity) + colour * opacity
    return np.asarray(mixed.round(), dtype=np.uint8)


def entropy_stops() -> list[tuple[float, tuple[int, int, int]]]:
    """The colours of `with_entropy` between 0 and `ENTROPY_SCALE_BITS`, by share of the way."""
    return [(float(at), (int(r), int(g), int(b))) for at, r, g, b in _ENTROPY_STOPS]


@dataclass(frozen=True)
class Picture:
    """A picture that stands in a page by itself."""

    jpeg: bytes
    width: int
    height: int

    @property
    def uri(self) -> str:
        """For a web page."""
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode("ascii")


def picture(pixels: NDArray[np.uint8], enlarge: bool = True) -> Picture:
    """A picture of pixels; slices are enlarged for print.

    Slices go as JPEG of high quality: a report shows, the study's files are what is measured.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    if enlarge:
        size = (image.width * _ENLARGEMENT, image.height * _ENLARGEMENT)
        image = image.resize(size, Image.Resampling.BICUBIC)
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return Picture(stream.getvalue(), image.width, image.height)


def _axis(plane: str) -> int:
    """The array axis across a plane of an array shaped (k, j, i)."""
    return PLANES.index(plane)


def _cut(array: NDArray[Any], plane: str, index: int) -> NDArray[Any]:
    """Rows and columns of a slice as readers see it: superior or anterior up."""
    picture: NDArray[Any] = np.take(array, index, _axis(plane))
    return picture if plane == "axial" else picture[::-1]


def _padded(brain: NDArray[np.bool_], tumour: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    box = bounding_box(brain | tumour)
    if box is None:
        k, j, i = (slice(0, n) for n in brain.shape)
        return k, j, i
    k, j, i = (
        slice(max(0, side.start - _MARGIN_VOXELS), min(n, side.stop + _MARGIN_VOXELS))
        for side, n in zip(box, brain.shape, strict=True)
    )
    return k, j, i


def _outlines(picture: NDArray[np.generic], across: float, down: float) -> tuple[Outline, ...]:
    from scipy import ndimage

    found = []
    for label in (Label.ED, Label.NCR, Label.ET):
        region = np.pad((picture == label).astype(np.float32), 1)
        if not region.any():
            continue
        rings = _rings(ndimage.gaussian_filter(region, _OUTLINE_SIGMA_VOXELS), across, down)
        found.append(Outline(label, LABEL_COLOURS[label], rings))
    return tuple(found)


def _rings(
    region: NDArray[np.float32], across: float, down: float
) -> tuple[tuple[tuple[float, float], ...], ...]:
    from contourpy import contour_generator

    # Voxel n of the picture, padded by one, covers n - 1 to n.
    x = (np.arange(region.shape[1]) - 0.5) * across
    y = (np.arange(region.shape[0]) - 0.5) * down
    lines = contour_generator(x, y, region).lines(0.5)
    return tuple(
        tuple((float(px), float(py)) for px, py in np.asarray(line)[:-1]) for line in lines
    )
