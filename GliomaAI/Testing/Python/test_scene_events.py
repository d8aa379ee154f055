"""A case in a real MRML scene: what is told of what others do, and what it lets go."""

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core: pip install slicer-core")

import scene_makers as makers
import slicer
from mrml_makers import LINES, node_count, paint, result

from gliomaai_training.vocabulary import Label
from GliomaAILib.scene.case_node import (
    case_nodes,
    remove_case,
)
from GliomaAILib.scene.mrml_scene import MRMLCaseScene
from GliomaAILib.scene.port import (
    CaseRecord,
    SceneChange,
    SceneError,
)


def test_our_own_changes_are_not_told(case: MRMLCaseScene, told: list[SceneChange]) -> None:
    shown = result(case)
    makers.in_turns(case.show(shown))
    case.keep(CaseRecord(sequences={"t1gd": shown.reference}))
    case.show_diameters(LINES)
    case.restore_network_mask()
    makers.in_turns(case.show(shown))
    assert told == []


def test_an_edit_is_told(case: MRMLCaseScene, told: list[SceneChange]) -> None:
    makers.in_turns(case.show(result(case)))
    logic = paint(case)
    assert set(told) == {SceneChange.MASK}
    told.clear()
    logic.Undo()
    assert set(told) == {SceneChange.MASK}


def test_an_edit_within_a_batch_is_told_at_its_end(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange]
) -> None:
    makers.in_turns(case.show(result(case)))
    scene.StartState(scene.BatchProcessState)
    paint(case)
    assert told == []
    scene.EndState(scene.BatchProcessState)
    assert told == [SceneChange.MASK]


def test_a_listener_may_stop_listening_when_it_is_told(case: MRMLCaseScene, scene: Any) -> None:
    told: list[SceneChange] = []

    def listener(change: SceneChange) -> None:
        told.append(change)
        case.listen(None)

    makers.in_turns(case.show(result(case)))
    before = makers.observers(scene)
    case.listen(listener)
    scene.StartState(scene.BatchProcessState)
    paint(case)
    makers.add_volume(scene, "T2", makers.image_volume())
    scene.EndState(scene.BatchProcessState)
    assert told == [SceneChange.MASK]
    assert makers.observers(scene) <= before + 1  # the editor's own


@pytest.mark.parametrize("change", ["voxels", "segment removed", "segment added"])
def test_other_edits_are_told(case: MRMLCaseScene, told: list[SceneChange], change: str) -> None:
    makers.in_turns(case.show(result(case)))
    inside = case.segmentation.GetSegmentation()
    if change == "voxels":
        image = makers.layer_image(case.segmentation, Label.ET)
        image.GetPointData().GetScalars().Fill(0)
        image.Modified()
    elif change == "segment removed":
        inside.RemoveSegment("ET")
    else:
        inside.RemoveSegment("ET")
        told.clear()
        inside.AddEmptySegment("ET")
    assert set(told) == {SceneChange.MASK}


def test_looks_are_not_told(case: MRMLCaseScene, told: list[SceneChange]) -> None:
    makers.in_turns(case.show(result(case)))
    segment = case.segmentation.GetSegmentation().GetSegment("ET")
    segment.SetName("rim")
    segment.SetColor(0, 0, 1)
    case.segmentation.CreateClosedSurfaceRepresentation()
    case.segmentation.GetDisplayNode().SetOpacity2DFill(0.9)
    case.reference.GetDisplayNode().SetWindowLevel(10, 20)
    assert told == []


def test_volumes_that_come_go_and_change_are_told(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange]
) -> None:
    def new() -> list[SceneChange]:
        found = list(told)
        told.clear()
        return found

    node = makers.add_volume(scene, "T2", makers.image_volume())
    assert new() == [SceneChange.VOLUMES]
    node.SetName("T2 FLAIR")
    assert new() == [SceneChange.VOLUMES]
    makers.set_volume(node, makers.image_volume(makers.oblique(0.5)))
    assert set(new()) == {SceneChange.VOLUMES}
    node.GetImageData().GetPointData().GetScalars().Fill(0)
    node.GetImageData().Modified()
    assert set(new()) == {SceneChange.VOLUMES}
    transform = makers.add_transform(scene, np.eye(4))
    node.SetAndObserveTransformNodeID(transform.GetID())
    assert set(new()) == {SceneChange.VOLUMES}
    scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    assert new() == []
    scene.RemoveNode(node)
    assert new() == [SceneChange.VOLUMES]


def test_a_volume_without_voxels_is_told_when_it_gets_them(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange]
) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T2")
    assert told == []
    makers.set_volume(node, makers.image_volume())
    assert set(told) == {SceneChange.VOLUMES}


def test_a_deleted_segmentation_is_told_and_can_be_shown_again(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange]
) -> None:
    shown = result(case)
    makers.in_turns(case.show(shown))
    scene.RemoveNode(case.segmentation)
    assert told == [SceneChange.MASK_REMOVED]
    assert case.volumes_ml() == {}
    with pytest.raises(SceneError, match="no segmentation"):
        case.mask()
    makers.in_turns(case.show(shown))
    np.testing.assert_array_equal(case.mask().array, makers.labels())
    told.clear()
    paint(case)
    assert set(told) == {SceneChange.MASK}


def test_a_deleted_case_is_told_once_and_lets_go(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange]
) -> None:
    shown = result(case)
    makers.in_turns(case.show(shown))
    scene.RemoveNode(case.node)
    assert told == [SceneChange.CASE_REMOVED]
    makers.add_volume(scene, "later", makers.image_volume())
    assert told == [SceneChange.CASE_REMOVED]
    with pytest.raises(SceneError, match="make a new one"):
        makers.in_turns(case.show(shown))
    assert case.record() == CaseRecord()


def test_a_case_is_removed_with_its_results(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange]
) -> None:
    shown = result(case)
    nodes = node_count(scene)
    makers.in_turns(case.show(shown))
    remove_case(case.node)
    assert told == [SceneChange.CASE_REMOVED]
    assert case_nodes(scene) == ()
    assert scene.GetNodeByID(shown.reference) is not None
    assert node_count(scene) == nodes - 1


@pytest.mark.parametrize("removing", ["close", "new scene file"])
def test_closing_the_scene_is_told_once_and_lets_go(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange], removing: str, tmp_path: Path
) -> None:
    before = makers.observers(scene)
    makers.in_turns(case.show(result(case)))
    if removing == "close":
        scene.Clear(False)
    else:
        assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
        assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), True)
    assert told == [SceneChange.CASE_REMOVED]
    assert makers.observers(scene) < before


def test_an_imported_scene_is_told_once_as_volumes(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange], tmp_path: Path
) -> None:
    makers.in_turns(case.show(result(case)))
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    told.clear()
    assert scene.ReadFromMRB(str(tmp_path / "scene.mrb"), False)
    assert told == [SceneChange.VOLUMES]
    assert len(case.volumes()) == 2
    assert len(case_nodes(scene)) == 2


def test_every_observer_is_removed(case: MRMLCaseScene, scene: Any) -> None:
    makers.in_turns(case.show(result(case)))
    mask, volume = case.segmentation, case.reference
    mask_events = ("SourceRepresentationModified", "SegmentAdded", "SegmentRemoved")
    watched = [
        *((mask, getattr(slicer.vtkSegmentation, name)) for name in mask_events),
        (volume, slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent),
    ]
    assert not any(thing.HasObserver(event) for thing, event in watched)
    on_scene = makers.observers(scene)
    for _ in range(3):
        case.listen(lambda change: None)
        assert all(thing.HasObserver(event) for thing, event in watched)
        assert makers.observers(scene) == on_scene + 5
        makers.in_turns(case.show(result(case)))
    case.listen(None)
    assert not any(thing.HasObserver(event) for thing, event in watched)
    scene.RemoveNode(volume)
    case.listen(None)


def test_a_segmentation_that_was_replaced_is_let_go(case: MRMLCaseScene, scene: Any) -> None:
    makers.in_turns(case.show(result(case)))
    old = case.segmentation
    case.listen(lambda change: None)
    scene.RemoveNode(old)
    assert not old.HasObserver(slicer.vtkSegmentation.SourceRepresentationModified)


def test_nothing_holds_a_case_that_stopped_listening(case: MRMLCaseScene, scene: Any) -> None:
    other = MRMLCaseScene(case.node)
    seen = weakref.ref(other)
    other.listen(lambda change: None)
    other.listen(None)
    del other
    gc.collect()
    assert seen() is None
