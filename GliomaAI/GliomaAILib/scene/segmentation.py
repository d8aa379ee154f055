"""The tumour's labels as a segmentation node: one layer, three segments that exclude each other."""

from collections.abc import Callable
from typing import Any

import numpy as np
import slicer

from gliomaai_training.vocabulary import Label
from GliomaAILib.output.colours import LABEL_COLOURS, LABEL_WORDS, rgb
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene.arrays import local_ijk_to_ras, matrix_of, to_world
from GliomaAILib.scene.label_maps import LABELS, LabelPart, label_map, part_of, placed_labels
from GliomaAILib.scene.port import SceneError

FILL_OPACITY = 0.4

SaveState = Callable[[], object]
"""Keeps the state of a segmentation for undo, as `saveStateForUndo` of the segment editor does."""

_CODES = {
    Label.NCR: "SCT^6574001^Necrosis",
    Label.ED: "SCT^79654002^Edema",
    Label.ET: "SCT^86049000^Neoplasm, Primary",
}
"""SNOMED CT has no code for enhancing tumour; the segment's name says it."""


def terminology(label: Label) -> str:
    """Slicer's terminology entry of a label: SNOMED CT terms from the DICOM master list."""
    return (
        "Segmentation category and type - DICOM master list"
        f"~SCT^49755003^Morphologically Altered Structure~{_CODES[label]}~^^"
        "~Anatomic codes - DICOM master list~SCT^12738006^Brain~^^"
    )


def add_segmentation(scene: Any, name: str, hidden: bool = False) -> Any:
    """Adds an empty segmentation; a hidden one is kept with the scene, but offered nowhere."""
    node = slicer.vtkMRMLSegmentationNode()
    node.SetName(scene.GenerateUniqueName(name))
    node.SetHideFromEditors(hidden)
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetOpacity2DFill(FILL_OPACITY)
    display.SetOpacity2DOutline(1.0)
    display.SetVisibility(not hidden)
    return node


def require_same_voxels(shape: tuple[int, ...], reference: Any) -> None:
    """Refuses labels of a shape (k, j, i) that cannot lie on a volume.

    Raises:
        SceneError: the numbers of voxels differ.
    """
    image = reference.GetImageData()
    there = () if image is None else tuple(image.GetDimensions()[::-1])
    if shape != there:
        raise SceneError(
            f"The labels have {shape} voxels and '{reference.GetName()}' has {there}: "
            "the volume was changed meanwhile; run the analysis again."
        )


def set_labels(node: Any, labels: LabelPart, reference: Any) -> None:
    """Replaces everything in a segmentation; it then lies on the voxels of the reference volume.

    Args:
        node: the segmentation.
        labels: `vocabulary.Label` values; they are copied.
        reference: a volume node with as many voxels.

    Raises:
        SceneError: the numbers of voxels differ.
    """
    require_same_voxels(labels.shape, reference)
    modifying = node.StartModify()
    node.SetAndObserveTransformNodeID(reference.GetTransformNodeID())
    node.SetReferenceImageGeometryParameterFromVolumeNode(reference)
    segmentation = node.GetSegmentation()
    for name in list(segmentation.GetSegmentIDs()):
        if name not in Label.__members__:
            segmentation.RemoveSegment(name)
    _put(segmentation, label_map(labels.array, labels.box, local_ijk_to_ras(reference)))
    node.EndModify(modifying)


def detached(labels: RawVolume, name: str) -> Any:
    """A segmentation outside any scene, in coordinates of the patient, for writing files."""
    node = slicer.vtkMRMLSegmentationNode()
    node.SetName(name)
    segmentation = node.GetSegmentation()
    extent = [value for count in reversed(labels.array.shape) for value in (0, count - 1)]
    converter = slicer.vtkSegmentationConverter
    segmentation.SetConversionParameter(
        converter.GetReferenceImageGeometryParameterName(),
        converter.SerializeImageGeometry(matrix_of(labels.ijk_to_ras), extent),
    )
    part = part_of(labels.array)
    _put(segmentation, label_map(part.array, part.box, labels.ijk_to_ras))
    return node


def copy_labels(source: Any, target: Any) -> None:
    """Makes the tumour's segments of one segmentation those of another; other segments stay."""
    placed = placed_labels(source)
    local = np.linalg.inv(to_world(source)) @ placed.ijk_to_ras
    modifying = target.StartModify()
    converter = slicer.vtkSegmentationConverter
    name = converter.GetReferenceImageGeometryParameterName()
    target.GetSegmentation().SetConversionParameter(
        name, source.GetSegmentation().GetConversionParameter(name)
    )
    _put(target.GetSegmentation(), label_map(placed.array, placed.box, local))
    target.EndModify(modifying)


def other_segments(node: Any) -> tuple[str, ...]:
    """Names of segments that are none of the tumour's three: the mask is without them."""
    segmentation = node.GetSegmentation()
    names = [name for name in segmentation.GetSegmentIDs() if name not in Label.__members__]
    return tuple(segmentation.GetSegment(name).GetName() or name for name in names)


def stamp(node: Any) -> tuple[Any, ...]:
    """Differs after every change of the tumour's voxels; names, colours and surfaces leave it."""
    segmentation = node.GetSegmentation()
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    found: list[Any] = [node.GetTransformNodeID()]
    for label in LABELS:
        segment = segmentation.GetSegment(label.name)
        image = None if segment is None else segment.GetRepresentation(name)
        found.append(None if image is None else (image.GetMTime(), segment.GetLabelValue()))
    return tuple(found)


def exclusive(editor_node: Any) -> None:
    """Has a segment editor take what it adds to one class away from the others."""
    editor_node.SetOverwriteMode(editor_node.OverwriteAllSegments)


def _put(segmentation: Any, image: Any) -> None:
    """Gives the three segments one shared label map; missing segments are added. A surface is made
    again where there was one."""
    surface = slicer.vtkSegmentationConverter.GetClosedSurfaceRepresentationName()
    had_surface = segmentation.ContainsRepresentation(surface)
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    for label in LABELS:
        segment = segmentation.GetSegment(label.name) or slicer.vtkSegment()
        segment.SetLabelValue(int(label))
        segment.AddRepresentation(name, image)
        if segmentation.GetSegment(label.name) is None:
            segment.SetName(LABEL_WORDS[label])
            segment.SetColor(*(value / 255.0 for value in rgb(LABEL_COLOURS[label])))
            segment.SetTerminology(terminology(label))
            segmentation.AddSegment(segment, label.name)
    segmentation.InvalidateNonSourceRepresentations()
    if had_surface:
        segmentation.CreateRepresentation(surface, True)
