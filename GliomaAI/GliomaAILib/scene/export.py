"""Files of a case: its mask for other programs, and the whole scene."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import slicer
import vtk

from gliomaai_training.vocabulary import Label
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene.label_maps import LABELS
from GliomaAILib.scene.port import SceneError
from GliomaAILib.scene.segmentation import detached

NAME = "tumour"
"""How files are called: nodes may be called after the patient."""

SCENE_FILE = "scene.mrb"


def write_segmentation(mask: RawVolume, folder: Path) -> Path:
    """Writes a `.seg.nrrd` file with names, colours and terminology, in patient coordinates.

    Raises:
        SceneError: it cannot be written.
    """
    file = folder / f"{NAME}.seg.nrrd"
    storage = slicer.vtkMRMLSegmentationStorageNode()
    storage.SetFileName(str(file))
    storage.SetUseCompression(True)
    if not (storage.WriteData(detached(mask, NAME)) and file.is_file()):
        raise _not_written(file)
    return file


def write_surfaces(mask: RawVolume, folder: Path) -> tuple[Path, ...]:
    """Writes an STL file (LPS mm) for each label that is there.

    Raises:
        SceneError: they cannot be written.
    """
    node = detached(mask, NAME)
    segmentation = node.GetSegmentation()
    present = [label for label in LABELS if (mask.array == label).any()]
    if not present:
        return ()
    for label in LABELS:
        if label in present:
            segmentation.GetSegment(label.name).SetName(label.name)
        else:
            segmentation.RemoveSegment(label.name)
    node.CreateClosedSurfaceRepresentation()
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    logic.ExportSegmentsClosedSurfaceRepresentationToFiles(str(folder), node, _names(present))
    files = tuple(folder / f"{NAME}_{label.name}.stl" for label in present)
    for file in files:
        if not file.is_file():
            raise _not_written(file)
    return files


def write_scene(scene: Any, folder: Path) -> Path:
    """Writes the whole scene as an .mrb file; the scene itself keeps its name and place.

    Raises:
        SceneError: it cannot be written.
    """
    file = folder / SCENE_FILE
    if not (scene.WriteToMRB(str(file)) and file.is_file()):
        raise _not_written(file)
    return file


def _names(labels: Sequence[Label]) -> Any:
    names = vtk.vtkStringArray()
    for label in labels:
        names.InsertNextValue(label.name)
    return names


def _not_written(file: Path) -> SceneError:
    return SceneError(
        f"{file.name} cannot be written: check that the folder exists and the disk has room."
    )
