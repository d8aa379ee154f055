"""A case's images and masks as they are measured: normalised, resampled and cut out, once."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.data.case_store import LEGACY_ET
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.preprocessing.resampling import NATIVE_SPACING_TOLERANCE_MM
from gliomaai_training.radiomics.config import FEATURE_REGIONS, RadiomicsConfig
from gliomaai_training.vocabulary import Label

Box = tuple[slice, slice, slice]

HALF = 0.5
"""An interpolated mask holds the voxels that are at least half inside (IBSI 2.4)."""

ROUNDING = 1e-6
"""What interpolating a mask may lose: 0.4999999 is a half."""


@dataclass(frozen=True)
class FeatureCase:
    """What is measured: images of one grid, and a tumour's labels in it."""

    case: str
    images: Mapping[str, sitk.Image]
    """By sequence; may be empty: a mask alone has a shape."""
    labels: sitk.Image
    """`vocabulary.Label` values; 4 is read as ET."""
    brain: sitk.Image | None = None
    """1 inside the brain; None takes what is not 0 in any of the images."""

    def __post_init__(self) -> None:
        grid = Grid.of(self.labels)
        others = {**self.images, **({"brain mask": self.brain} if self.brain else {})}
        for name, image in others.items():
            if not Grid.of(image).matches(grid):
                raise ValueError(
                    f"{name} of case {self.case} and its labels are on different grids; bring "
                    "them on one first"
                )

    @classmethod
    def of(cls, case: str, prepared: Prepared, labels: sitk.Image) -> "FeatureCase":
        """A prepared study with a mask, predicted or corrected, on its common grid."""
        return cls(case, prepared.sequences, labels, prepared.brain_mask)


@dataclass(frozen=True)
class Region:
    """One region, cut out."""

    mask: NDArray[np.bool_]
    """(z, y, x), one voxel of nothing around it; of no size if the region is empty."""
    box: Box
    """Where the mask lies, without what is around, in the cut-out images."""

    @property
    def voxels(self) -> int:
        """How many there are."""
        return int(np.count_nonzero(self.mask))


@dataclass(frozen=True)
class Masks:
    """The regions of a case and the part of the grid that is looked at."""

    regions: Mapping[str, Region]
    grid: Grid
    """Of the whole image, as measured."""
    box: Box
    """The tumour with its margin, in that grid's (k, j, i)."""
    brain: NDArray[np.bool_] | None
    """(k, j, i) of the images, where intensities are normalised by it."""

    @property
    def voxel_mm(self) -> tuple[float, float, float]:
        """Voxel size along z, y, x."""
        x, y, z = self.grid.spacing_mm
        return (z, y, x)


def measured_masks(case: FeatureCase, config: RadiomicsConfig) -> Masks:
    """Cuts all regions out of the labels."""
    own = Grid.of(case.labels)
    grid = measured_grid(own, config.voxel_mm)
    labels = sitk.GetArrayFromImage(case.labels)
    labels[labels == LEGACY_ET] = Label.ET
    tumour = _on_grid(labels > 0, own, grid)
    margins = [int(np.ceil(config.margin_mm / mm)) for mm in grid.spacing_mm[::-1]]
    wide = _widened(_box(tumour), margins, tumour.shape)
    if grid.matches(own):
        masks = {name: _mask(labels[wide], name) for name in config.regions}
    else:
        masks = {name: _on_grid(_mask(labels, name), own, grid)[wide] for name in config.regions}
    regions = {name: _region(mask) for name, mask in masks.items()}
    return Masks(regions, grid, wide, _brain(case) if config.normalisation == "brain" else None)


def measured_image(
    case: FeatureCase, sequence: str, masks: Masks, config: RadiomicsConfig
) -> sitk.Image:
    """One sequence, normalised, resampled and cut to the tumour and its margin; float32."""
    image = case.images[sequence]
    native = Grid.of(image).matches(masks.grid)
    part: sitk.Image = sitk.Cast(_cut(image, masks.box) if native else image, sitk.sitkFloat32)
    if masks.brain is not None:
        part = _normalised(part, sitk.GetArrayViewFromImage(image)[masks.brain], config)
    if native:
        return part
    kind = sitk.sitkLinear if config.interpolation == "linear" else sitk.sitkBSpline
    return _cut(_resampled(part, masks.grid, kind), masks.box)


def measured_grid(grid: Grid, voxel_mm: float | None) -> Grid:
    """A grid of cubic voxels with the same centre, covering the whole image (IBSI 2.4)."""
    if voxel_mm is None or np.allclose(
        grid.spacing_mm, voxel_mm, rtol=0, atol=NATIVE_SPACING_TOLERANCE_MM
    ):
        return grid
    size = np.ceil(np.round(np.multiply(grid.size, grid.spacing_mm) / voxel_mm, 6)).astype(int)
    corner_mm = ((np.array(grid.size) - 1) * grid.spacing_mm - (size - 1) * voxel_mm) / 2
    origin_mm = np.asarray(grid.origin_mm) + np.reshape(grid.direction, (3, 3)) @ corner_mm
    return Grid(
        (int(size[0]), int(size[1]), int(size[2])),
        (voxel_mm,) * 3,
        (float(origin_mm[0]), float(origin_mm[1]), float(origin_mm[2])),
        grid.direction,
    )


def _mask(labels: NDArray[np.generic], region: str) -> NDArray[np.bool_]:
    return np.asarray(np.isin(labels, FEATURE_REGIONS[region]))


def _cut(image: sitk.Image, box: Box) -> sitk.Image:
    size, start = zip(*((edge.stop - edge.start, edge.start) for edge in box[::-1]), strict=True)
    part: sitk.Image = sitk.RegionOfInterest(image, size, start)
    return part


def _on_grid(mask: NDArray[np.bool_], grid: Grid, target: Grid) -> NDArray[np.bool_]:
    if grid is target or grid.matches(target):
        return mask
    part = _resampled(grid.image(mask.astype(np.float32)), target, sitk.sitkLinear)
    return np.asarray(sitk.GetArrayViewFromImage(part) >= HALF - ROUNDING)


def _resampled(image: sitk.Image, grid: Grid, interpolator: int) -> sitk.Image:
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize(grid.size)
    resampler.SetOutputSpacing(grid.spacing_mm)
    resampler.SetOutputOrigin(grid.origin_mm)
    resampler.SetOutputDirection(grid.direction)
    resampler.SetInterpolator(interpolator)
    # The new grid may reach half a voxel beyond the old one's centres.
    resampler.UseNearestNeighborExtrapolatorOn()
    resampled: sitk.Image = resampler.Execute(image)
    return resampled


def _brain(case: FeatureCase) -> NDArray[np.bool_]:
    if case.brain is not None:
        return np.asarray(sitk.GetArrayViewFromImage(case.brain) != 0)
    signal = np.zeros(case.labels.GetSize()[::-1], bool)
    for image in case.images.values():
        signal |= sitk.GetArrayViewFromImage(image) != 0
    return signal


def _normalised(
    image: sitk.Image, brain: NDArray[np.generic], config: RadiomicsConfig
) -> sitk.Image:
    """The image in units of the brain's standard deviation from its mean, times the scale."""
    values = brain.astype(np.float64)
    deviation = float(values.std()) if values.size else 0.0
    if not deviation > 0:
        raise ValueError("an image without any contrast in the brain cannot be normalised")
    scaled = (image - float(values.mean())) * (1.0 / deviation)
    if config.outlier_sd is not None:
        scaled = sitk.Clamp(scaled, sitk.sitkFloat32, -config.outlier_sd, config.outlier_sd)
    normalised: sitk.Image = scaled * config.scale
    return normalised


def _region(mask: NDArray[np.bool_]) -> Region:
    box = _box(mask)
    return Region(np.pad(mask[box], 1), box)


def _box(mask: NDArray[np.bool_]) -> Box:
    """The smallest box around what is inside; of no size if nothing is."""
    edges = []
    for axis in range(3):
        present = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        edges.append(slice(int(present[0]), int(present[-1]) + 1) if present.size else slice(0, 0))
    return (edges[0], edges[1], edges[2])


def _widened(box: Box, margins: list[int], shape: tuple[int, ...]) -> Box:
    """The box with a margin, within the grid; all of the grid if the box has no size."""
    if box[0].stop == box[0].start:
        return (slice(0, shape[0]), slice(0, shape[1]), slice(0, shape[2]))
    wide = [
        slice(max(edge.start - margin, 0), min(edge.stop + margin, length))
        for edge, margin, length in zip(box, margins, shape, strict=True)
    ]
    return (wide[0], wide[1], wide[2])
