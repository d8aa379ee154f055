"""Volumes of the scene: which there are, their voxels, and new ones."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.intake.privacy import fingerprint
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene.arrays import (
    copy_voxels,
    empty_image,
    local_ijk_to_ras,
    matrix_of,
    plain,
    to_world,
    voxels,
)
from GliomaAILib.scene.case_node import nodes_of
from GliomaAILib.scene.dicom_header import Header, header_of
from GliomaAILib.scene.port import LoadedVolume, SceneError

OVERLAY = "GliomaAI.overlay"
"""Attribute of volumes that show a result and are no sequence."""


class HeaderCache:
    """Headers of DICOM volumes, read once: a database opens a file for each."""

    def __init__(self) -> None:
        self._headers: dict[str, Header] = {}

    def header(self, volume: Any) -> Header | None:
        """The header of a volume node; None where the DICOM database lacks it."""
        uids = volume.GetAttribute("DICOM.instanceUIDs")
        if not uids:
            return None
        if uids not in self._headers:
            found = header_of(volume)
            if found is None:
                return None
            self._headers[uids] = found
        return self._headers[uids]


def is_sequence_like(node: Any) -> bool:
    """Whether a node is a scalar volume with voxels, neither a label map nor an overlay."""
    return bool(
        node.GetClassName() == "vtkMRMLScalarVolumeNode"  # vector and tensor volumes derive from it
        and not node.GetAttribute(OVERLAY)
        and node.GetImageData() is not None
        and node.GetImageData().GetNumberOfPoints() > 0
    )


def loaded_volumes(scene: Any, headers: HeaderCache) -> tuple[LoadedVolume, ...]:
    """The volumes of a scene that could be sequences."""
    nodes = [n for n in nodes_of(scene, "vtkMRMLScalarVolumeNode") if is_sequence_like(n)]
    return tuple(_loaded(scene, node, headers.header(node)) for node in nodes)


def volume_node(scene: Any, volume: str) -> Any:
    """The node of a volume.

    Raises:
        SceneError: it is gone.
    """
    node = scene.GetNodeByID(volume) if volume else None
    if node is None or not node.IsA("vtkMRMLScalarVolumeNode"):
        raise SceneError("The volume is not in the scene any more: choose another, or load it.")
    return node


def snapshot(node: Any) -> RawVolume:
    """A copy of a volume's voxels, with their place in the patient.

    Raises:
        SceneError: it is empty, of colours, or under a transform that is not linear.
    """
    try:
        array = voxels(node.GetImageData())
    except SceneError as error:
        raise SceneError(f"'{node.GetName()}' cannot be used: {error}.") from error
    return RawVolume(plain(array), to_world(node) @ local_ijk_to_ras(node))


SAMPLED = 4
"""Every so many voxels along each axis tell how bright a volume is."""


@dataclass(frozen=True, eq=False)
class Voxels:
    """The voxels of a volume that is not in the scene yet."""

    image: Any
    """vtkImageData."""
    ijk_to_ras: NDArray[np.float64]
    window: tuple[float, float]
    """The intensities between which they are shown."""


def copied(volume: RawVolume) -> Callable[[], Voxels]:
    """The work of copying a volume, for a thread; memory is taken already."""
    image = empty_image(volume.array)

    def work() -> Voxels:
        copy_voxels(volume.array, image)
        return Voxels(image, volume.ijk_to_ras, _window(volume.array))

    return work


def add_volume(scene: Any, name: str, copy: Voxels) -> Any:
    """Adds a volume with a display that suits its values; the voxels are its own from now on."""
    node = slicer.vtkMRMLScalarVolumeNode()
    node.SetName(scene.GenerateUniqueName(name))
    scene.AddNode(node)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if display is not None:
        display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeGrey")
        # Slicer's own choice reads every voxel, and the window would stand still meanwhile.
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(*copy.window)
    set_image(node, copy.image, copy.ijk_to_ras)
    return node


def _window(array: NDArray[Any]) -> tuple[float, float]:
    """The intensities between which a volume is shown: its tissue, without the rare extremes."""
    sample = array[::SAMPLED, ::SAMPLED, ::SAMPLED]
    tissue = sample[sample > sample.min()]
    if tissue.size == 0:
        return float(sample.min()), float(sample.min()) + 1.0
    low, high = np.percentile(tissue, (1.0, 99.5))
    return float(low), max(float(high), float(low) + 1e-6)


def set_image(node: Any, image: Any, ijk_to_ras: NDArray[np.float64]) -> None:
    """Gives a volume node voxels, which are its own from now on, and their place."""
    node.SetIJKToRASMatrix(matrix_of(np.asarray(ijk_to_ras, dtype=np.float64)))
    node.SetAndObserveImageData(image)


def _loaded(scene: Any, node: Any, header: Header | None) -> LoadedVolume:
    return LoadedVolume(
        id=node.GetID(),
        name=node.GetName() or "",
        header={} if header is None else header.parameters,
        facts=ClinicalFacts() if header is None else header.facts,
        examination=(header.examination if header else "") or _study_of(scene, node),
    )


def _study_of(scene: Any, node: Any) -> str:
    """A mark of the study, else the patient, under which a node lies in the hierarchy."""
    hierarchy = hierarchy_of(scene)
    item = hierarchy.GetItemByDataNode(node)
    if not item:
        return ""
    levels = slicer.vtkMRMLSubjectHierarchyConstants
    for level in (levels.GetDICOMLevelStudy(), levels.GetDICOMLevelPatient()):
        ancestor = hierarchy.GetItemAncestorAtLevel(item, level)
        if ancestor:
            return fingerprint(level, str(ancestor))
    return ""


def hierarchy_of(scene: Any) -> Any:
    """The scene's subject hierarchy."""
    return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def place_beside(node: Any, other: Any) -> None:
    """Puts a node where another is in the subject hierarchy."""
    hierarchy = hierarchy_of(other.GetScene())
    beside = hierarchy.GetItemByDataNode(other)
    if not beside:
        return
    item = hierarchy.GetItemByDataNode(node)
    parent = hierarchy.GetItemParent(beside)
    if item:
        hierarchy.SetItemParent(item, parent)
    else:
        hierarchy.CreateItem(parent, node)
