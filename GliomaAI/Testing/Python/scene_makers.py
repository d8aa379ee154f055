"""Volumes, labels and edits for tests of the scene."""

from collections.abc import Generator
from typing import Any, TypeVar

import numpy as np
import slicer
from numpy.typing import NDArray

from gliomaai_training.vocabulary import Label
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene import volumes
from GliomaAILib.scene.arrays import array_of, fill_image, matrix_of
from GliomaAILib.scene.port import Work

T = TypeVar("T")

SHAPE = (10, 14, 12)
"""(k, j, i)"""


def oblique(angle_rad: float = 0.3) -> NDArray[np.float64]:
    """IJK to RAS of a turned grid with voxels of 0.9 x 1.1 x 2 mm, i and j running left and back"""
    c, s = np.cos(angle_rad), np.sin(angle_rad)
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_x @ np.diag([-0.9, -1.1, 2.0])
    matrix[:3, 3] = (31.5, -12.25, 7.0)
    return matrix


def labels(shape: tuple[int, int, int] = SHAPE) -> NDArray[np.uint8]:
    """Oedema around a rim around a core, away from the middle."""
    array = np.zeros(shape, np.uint8)
    array[2:9, 3:12, 2:9] = Label.ED
    array[3:7, 4:9, 3:8] = Label.ET
    array[4:6, 5:7, 4:6] = Label.NCR
    return array


def image_volume(matrix: NDArray[np.float64] | None = None) -> RawVolume:
    """A volume of int16 noise."""
    rng = np.random.default_rng(1)
    array = rng.normal(300, 80, SHAPE).astype(np.int16)
    return RawVolume(array, oblique() if matrix is None else matrix)


def add_transform(scene: Any, matrix: NDArray[np.float64]) -> Any:
    """A linear transform node."""
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    node.SetMatrixTransformToParent(matrix_of(matrix))
    return node


def modifier(array: NDArray[Any], first_ijk: tuple[int, int, int], matrix: Any) -> Any:
    """A label map of a part of a grid, as the effects of the segment editor make them."""
    image = slicer.vtkOrientedImageData()
    image.SetImageToWorldMatrix(matrix_of(matrix))
    counts = reversed(array.shape)
    ends = [(first, first + n - 1) for first, n in zip(first_ijk, counts, strict=True)]
    image.SetExtent(*[value for pair in ends for value in pair])
    fill_image(image, array)
    return image


def editor(scene: Any, segmentation: Any, volume: Any) -> Any:
    """The segment editor's logic, ready to edit with undo."""
    node = scene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    logic = slicer.vtkSlicerSegmentEditorLogic()
    logic.SetMRMLScene(scene)
    logic.SetSegmentEditorNode(node)
    logic.SetSegmentationNode(segmentation)
    logic.SetSourceVolumeNode(volume)
    return logic


def in_turns(turns: Generator[Work, Any, T]) -> T:
    """Runs through what a scene does in turns; returns what comes of it."""
    value = None
    while True:
        try:
            value = turns.send(value)()
        except StopIteration as end:
            done: T = end.value
            return done


def add_volume(scene: Any, name: str, volume: RawVolume) -> Any:
    """The node of a new volume."""
    return volumes.add_volume(scene, name, volumes.copied(volume)())


def set_volume(node: Any, volume: RawVolume) -> None:
    """Gives a volume node other voxels and another place."""
    copy = volumes.copied(volume)()
    volumes.set_image(node, copy.image, copy.ijk_to_ras)


def paint(logic: Any, label: Label, brush: Any, undoable: bool = True) -> None:
    """One stroke that adds to a class."""
    if undoable:
        logic.SaveStateForUndo()
    node = logic.GetSegmentationNode()
    logic.SetCurrentSegmentID(label.name)
    logic.ModifySegmentByLabelmap(node, label.name, brush, logic.ModificationModeAdd, False, False)


def layer_image(segmentation: Any, label: Label) -> Any:
    """The label map that a segment lies on."""
    name = slicer.vtkSegmentationConverter.GetBinaryLabelmapRepresentationName()
    return segmentation.GetSegmentation().GetSegment(label.name).GetRepresentation(name)


def observers(thing: Any) -> int:
    """How many observers a VTK object has; only its printed form tells."""
    return str(thing).count("vtkObserver (")


def matrix_text(matrix: Any) -> str:
    """A vtkMatrix4x4 to compare."""
    return str(np.round(array_of(matrix), 6).tolist())
