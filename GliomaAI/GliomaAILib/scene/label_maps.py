"""Label maps of a segmentation on the grid of its image: reading and making them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from gliomaai_training.vocabulary import REGIONS, Label
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene.arrays import array_of, fill_image, matrix_of, to_world, voxels
from GliomaAILib.scene.port import SceneError

LABELS = tuple(label for label in Label if label is not Label.BACKGROUND)

STRENGTH = (Label.ED, Label.NCR, Label.ET)
"""Where segments overlap, a later one wins."""

GRID_TOLERANCE_MM = 1e-3

Box = tuple[slice, slice, slice]


@dataclass(frozen=True, eq=False)
class PlacedLabels:
    """Labels of a part of the reference grid; the rest is background."""

    box: Box
    """Where in the reference grid, as (k, j, i)."""
    array: NDArray[np.uint8]
    shape: tuple[int, int, int]
    """Of the reference grid, as (k, j, i)."""
    ijk_to_ras: NDArray[np.float64]
    """(4, 4), of the whole reference grid, in coordinates of the scene, mm."""

    def whole(self) -> RawVolume:
        """The labels on the whole reference grid."""
        array = np.zeros(self.shape, np.uint8)
        array[self.box] = self.array
        return RawVolume(array, self.ijk_to_ras)

    def volumes_ml(self) -> dict[str, float]:
        """Volume by label and region."""
        voxel_ml = abs(float(np.linalg.det(self.ijk_to_ras[:3, :3]))) / 1000.0
        counts = np.bincount(self.array.ravel(), minlength=len(Label))
        labels = {label.name: float(counts[label]) * voxel_ml for label in LABELS}
        sums = {name: sum(labels[one.name] for one in parts) for name, parts in REGIONS.items()}
        return labels | sums


def placed_labels(node: Any) -> PlacedLabels:
    """The labels as they are now.

    Overlapping segments are settled by `STRENGTH`; a missing segment is empty, and segments other
    than the tumour's three are passed over.

    Raises:
        SceneError: there is no reference geometry, or the segmentation cannot be brought to it.
    """
    matrix, first, shape = _reference_grid(node)
    layers = {
        label: layer
        for label in STRENGTH
        if (layer := _layer(node, label, matrix, first, shape)) is not None
    }
    box = _union([layer.box for layer in layers.values()])
    array = np.zeros([part.stop - part.start for part in box], np.uint8)
    for label, layer in layers.items():
        inside = tuple(
            slice(part.start - whole.start, part.stop - whole.start)
            for part, whole in zip(layer.box, box, strict=True)
        )
        array[inside][layer.array == layer.value] = label
    return PlacedLabels(box, array, shape, to_world(node) @ matrix)


@dataclass(frozen=True, eq=False)
class _Layer:
    """A label map on a part of the reference grid, and the value that counts in it."""

    box: Box
    array: NDArray[Any]
    value: int


def _reference_grid(
    node: Any,
) -> tuple[NDArray[np.float64], NDArray[np.int_], tuple[int, int, int]]:
    """Local matrix of the grid's first voxel, that voxel's index (i, j, k), and the shape."""
    converter = slicer.vtkSegmentationConverter
    text = node.GetSegmentation().GetConversionParameter(
        converter.GetReferenceImageGeometryParameterName()
    )
    image = slicer.vtkOrientedImageData()
    if not (text and converter.DeserializeImageGeometry(text, image, False)):
        raise SceneError(
            f"'{node.GetName()}' has lost the geometry of its image: run the analysis again."
        )
    extent = np.reshape(image.GetExtent(), (3, 2))
    counts = (extent[:, 1] - extent[:, 0] + 1).tolist()
    shift = np.eye(4)
    shift[:3, 3] = extent[:, 0]
    return _image_matrix(image) @ shift, extent[:, 0], (counts[2], counts[1], counts[0])


def _layer(
    node: Any,
    label: Label,
    matrix: NDArray[np.float64],
    first: NDArray[np.int_],
    shape: tuple[int, int, int],
) -> _Layer | None:
    """The label map of a segment on the reference grid; None where it has no voxel there."""
    segment = node.GetSegmentation().GetSegment(label.name)
    if segment is None:
        return None
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    image = segment.GetRepresentation(name)
    if image is None:
        raise SceneError(
            f"'{segment.GetName()}' is no label map: make the binary labelmap the source "
            "representation (Segmentations module)."
        )
    if image.GetNumberOfPoints() == 0 or image.GetPointData().GetScalars() is None:
        return None
    if not _same_lattice(_image_matrix(image), matrix, first, shape):
        image = _resampled(image, matrix, shape)
        first = np.zeros(3, int)
    extent = np.reshape(image.GetExtent(), (3, 2)) - first[:, None]
    low = np.maximum(extent[:, 0], 0)
    high = np.minimum(extent[:, 1] + 1, shape[::-1])
    if (low >= high).any():
        return None
    box = [slice(int(a), int(b)) for a, b in zip(low, high, strict=True)]
    own = [slice(s.start - int(e), s.stop - int(e)) for s, e in zip(box, extent[:, 0], strict=True)]
    array = voxels(image)[own[2], own[1], own[0]]
    return _Layer((box[2], box[1], box[0]), array, segment.GetLabelValue())


def _same_lattice(
    image: NDArray[np.float64],
    grid: NDArray[np.float64],
    first: NDArray[np.int_],
    shape: tuple[int, int, int],
) -> bool:
    """Whether voxels of an image are voxels of the grid, up to `GRID_TOLERANCE_MM`."""
    ends = [(0, count - 1) for count in reversed(shape)]
    corners = np.array(np.meshgrid(*ends, [1])).reshape(4, -1)
    shift = np.eye(4)
    shift[:3, 3] = first
    return bool(np.abs((image @ shift - grid) @ corners).max() <= GRID_TOLERANCE_MM)


def _resampled(image: Any, matrix: NDArray[np.float64], shape: tuple[int, int, int]) -> Any:
    """A label map brought to the grid by nearest neighbours; its first voxel is (0, 0, 0)."""
    grid = slicer.vtkOrientedImageData()
    grid.SetExtent(*[value for count in reversed(shape) for value in (0, count - 1)])
    grid.SetImageToWorldMatrix(matrix_of(matrix))
    done = slicer.vtkOrientedImageData()
    resample = slicer.vtkOrientedImageDataResample
    if not resample.ResampleOrientedImageToReferenceOrientedImage(image, grid, done):
        raise SceneError("The segmentation cannot be brought to the grid of its image.")
    return done


def _image_matrix(image: Any) -> NDArray[np.float64]:
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return array_of(matrix)


def _union(boxes: list[Box]) -> Box:
    """The smallest box around boxes; without any, one of no voxel."""
    if not boxes:
        return (slice(0, 0), slice(0, 0), slice(0, 0))
    k, j, i = (
        slice(min(b[axis].start for b in boxes), max(b[axis].stop for b in boxes))
        for axis in range(3)
    )
    return k, j, i


@dataclass(frozen=True, eq=False)
class LabelPart:
    """The part of a grid that holds a label: editing and drawing cost by its size."""

    box: Box
    """Where in the grid, as (k, j, i)."""
    array: NDArray[np.uint8]
    shape: tuple[int, ...]
    """Of the grid, as (k, j, i)."""


def part_of(labels: NDArray[Any]) -> LabelPart:
    """Crops labels; nothing of the scene is touched."""
    box: list[slice] = []
    part = labels
    for axis in range(3):
        others = tuple(one for one in range(3) if one != axis)
        found = np.flatnonzero(part.any(axis=others))
        kept = slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, 0)
        box.append(kept)
        part = part[(slice(None),) * axis + (kept,)]
    array = np.array(part, np.uint8, order="C")
    return LabelPart((box[0], box[1], box[2]), array, labels.shape)


def label_map(array: NDArray[Any], box: Box, matrix: NDArray[np.float64]) -> Any:
    """An oriented label map whose indices are those of the grid that `matrix` belongs to."""
    image = slicer.vtkOrientedImageData()
    image.SetImageToWorldMatrix(matrix_of(matrix))
    image.SetExtent(*[value for part in reversed(box) for value in (part.start, part.stop - 1)])
    if array.size:
        fill_image(image, array)
    else:
        image.SetExtent(0, -1, 0, -1, 0, -1)
        image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 1)
    return image
