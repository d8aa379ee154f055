"""A case in a real MRML scene: shown, edited, saved, loaded, deleted, and what is told of it."""

import dataclasses
import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core: pip install slicer-core")

import scene_app
import scene_makers as makers
import slicer

from gliomaai_training.vocabulary import Label
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene import volumes
from GliomaAILib.scene.case_node import (
    DIAMETER,
    NETWORK_SEGMENTATION,
    SEGMENTATION,
    UNCERTAINTY,
    case_nodes,
    create_case,
    referenced,
    remove_case,
)
from GliomaAILib.scene.mrml_scene import MRMLCaseScene
from GliomaAILib.scene.port import (
    CaseRecord,
    CaseScene,
    Diameter,
    Result,
    SceneChange,
    SceneError,
)
from GliomaAILib.scene.segmentation import exclusive

LINES = (
    Diameter("Longest diameter 41 mm", ((0.0, 0.0, 5.0), (41.0, 0.0, 5.0))),
    Diameter("Perpendicular diameter 20 mm", ((20.0, -10.0, 5.0), (20.0, 10.0, 5.0))),
)
BRUSH = ((2, 3, 4), (1, 2, 0))


@pytest.fixture(scope="module")
def started() -> scene_app.HeadlessApp:
    return scene_app.start()


@pytest.fixture
def app(started: scene_app.HeadlessApp) -> Iterator[scene_app.HeadlessApp]:
    yield started
    started.scene.Clear(False)


@pytest.fixture
def scene(app: scene_app.HeadlessApp) -> Any:
    return app.scene


@pytest.fixture
def case(scene: Any) -> MRMLCaseScene:
    return MRMLCaseScene(create_case(scene))


@pytest.fixture
def told(case: MRMLCaseScene) -> list[SceneChange]:
    changes: list[SceneChange] = []
    case.listen(changes.append)
    return changes


def result(case: MRMLCaseScene, name: str = "T1Gd") -> Result:
    """A volume of the scene and a result that lies on it."""
    identity = makers.in_turns(case.add_volume(name, makers.image_volume()))
    uncertainty = RawVolume(np.full(makers.SHAPE, 60, np.uint8), makers.oblique())
    labels = RawVolume(makers.labels(), makers.oblique())
    return Result(identity, labels, uncertainty, LINES)


def paint(case: MRMLCaseScene, label: Label = Label.ET) -> Any:
    """A stroke of the segment editor; returns its logic."""
    logic = makers.editor(case.node.GetScene(), case.segmentation, case.reference)
    exclusive(logic.GetSegmentEditorNode())
    shape, first = BRUSH
    matrix = makers.oblique()
    makers.paint(logic, label, makers.modifier(np.ones(shape, np.uint8), first, matrix))
    return logic


def node_count(scene: Any) -> int:
    """Nodes beside those that a scene makes for itself when they are asked for."""
    volumes.hierarchy_of(scene)
    nodes = (scene.GetNthNode(number) for number in range(scene.GetNumberOfNodes()))
    return sum(not node.GetSingletonTag() for node in nodes)


def test_it_is_a_case_scene(case: MRMLCaseScene) -> None:
    port: CaseScene = case  # for the type checker
    names = [name for name in vars(CaseScene) if not name.startswith("_")]
    assert len(names) > 10
    assert all(hasattr(port, name) for name in names)


def test_without_a_result_there_is_nothing(case: MRMLCaseScene) -> None:
    assert case.name == "Glioma case"
    assert case.segmentation is None
    assert case.volumes_ml() == {}
    assert case.other_segments() == ()
    for ask in (case.mask, case.network_mask, case.restore_network_mask):
        with pytest.raises(SceneError, match="run the analysis first"):
            ask()


def test_a_result_is_shown(case: MRMLCaseScene, scene: Any) -> None:
    shown = result(case)
    makers.in_turns(case.show(shown))

    np.testing.assert_array_equal(case.mask().array, shown.labels.array)
    np.testing.assert_array_equal(case.network_mask().array, shown.labels.array)
    assert case.mask().same_grid(shown.labels)
    assert case.reference.GetID() == shown.reference
    assert [volume.name for volume in case.volumes()] == ["T1Gd"]
    (network,) = referenced(case.node, NETWORK_SEGMENTATION)
    assert network.GetHideFromEditors()
    assert not network.GetDisplayNode().GetVisibility()
    (overlay,) = referenced(case.node, UNCERTAINTY)
    taken = volumes.snapshot(overlay)
    np.testing.assert_array_equal(taken.array, shown.uncertainty.array)
    assert taken.same_grid(shown.uncertainty)


def test_diameters_are_locked_lines_and_do_not_pile_up(case: MRMLCaseScene, scene: Any) -> None:
    makers.in_turns(case.show(result(case)))
    lines = referenced(case.node, DIAMETER)
    assert [line.GetName() for line in lines] == [line.name for line in LINES]
    for line, expected in zip(lines, LINES, strict=True):
        assert line.GetLocked()
        ends = [line.GetNthControlPointPositionWorld(n) for n in range(2)]
        np.testing.assert_allclose(ends, expected.ends)
        assert line.GetNthControlPointLabel(1) == expected.name[-5:]
        assert line.GetDisplayNode().GetPointLabelsVisibility()

    case.show_diameters(LINES[1:])
    case.show_diameters(LINES[1:])
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 1
    (line,) = referenced(case.node, DIAMETER)
    assert line.GetName() == "Perpendicular diameter 20 mm"
    assert line.GetNumberOfControlPoints() == 2
    case.show_diameters(())
    assert scene.GetNumberOfNodesByClass("vtkMRMLMarkupsLineNode") == 0


def test_a_new_result_replaces_the_old_one_and_its_corrections(
    case: MRMLCaseScene, scene: Any
) -> None:
    first = result(case)
    makers.in_turns(case.show(first))
    edited = case.segmentation
    paint(case)
    fewer = RawVolume(np.where(first.labels.array == 1, 0, first.labels.array), makers.oblique())
    nodes = node_count(scene)
    makers.in_turns(case.show(Result(first.reference, fewer, first.uncertainty, ())))

    np.testing.assert_array_equal(case.mask().array, fewer.array)
    np.testing.assert_array_equal(case.network_mask().array, fewer.array)
    assert case.segmentation is edited  # an editor that holds it goes on
    assert referenced(case.node, DIAMETER) == ()
    assert node_count(scene) == nodes - 4  # two lines, each with its display


def test_ten_results_leave_no_more_nodes_than_one(case: MRMLCaseScene, scene: Any) -> None:
    shown = result(case)
    makers.in_turns(case.show(shown))
    nodes, watching = node_count(scene), makers.observers(scene)
    images = [weakref.ref(makers.layer_image(case.segmentation, Label.ET))]
    for _ in range(10):
        makers.in_turns(case.show(shown))
        images.append(weakref.ref(makers.layer_image(case.segmentation, Label.ET)))
    assert node_count(scene) == nodes
    assert makers.observers(scene) == watching
    gc.collect()
    assert makers.layer_image(case.segmentation, Label.ET).GetReferenceCount() < 20


def test_a_result_appears_all_at_once_or_not_at_all(case: MRMLCaseScene, scene: Any) -> None:
    shown = result(case)
    empty = node_count(scene)
    for ends_after in range(1, 7):  # the arrays, two masks, the overlay, two lines
        going = case.show(shown)
        for _ in range(ends_after):
            next(going)()
            assert case.segmentation is None
        going.close()
        assert node_count(scene) == empty
    makers.in_turns(case.show(shown))
    assert case.segmentation is not None


@pytest.mark.parametrize("deleted", ["vtkMRMLSegmentationNode", "vtkMRMLScalarVolumeNode"])
def test_what_is_deleted_before_a_result_appears_is_said(
    case: MRMLCaseScene, scene: Any, deleted: str
) -> None:
    going = case.show(result(case))
    part = next(going)()
    going.send(part)
    going.send(None)
    scene.RemoveNode(scene.GetFirstNodeByClass(deleted))
    with pytest.raises(SceneError):
        makers.in_turns(going)
    assert case.segmentation is None
    for kind in ("vtkMRMLSegmentationNode", "vtkMRMLMarkupsLineNode"):
        assert scene.GetNumberOfNodesByClass(kind) == 0


def test_a_result_that_cannot_be_shown_changes_nothing(case: MRMLCaseScene, scene: Any) -> None:
    shown = result(case)
    makers.in_turns(case.show(shown))
    nodes = node_count(scene)
    small = RawVolume(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    with pytest.raises(SceneError, match="changed meanwhile"):
        makers.in_turns(case.show(dataclasses.replace(shown, labels=small)))
    with pytest.raises(SceneError, match="not in the scene"):
        makers.in_turns(
            case.show(dataclasses.replace(shown, reference="vtkMRMLScalarVolumeNode77"))
        )
    assert node_count(scene) == nodes
    np.testing.assert_array_equal(case.mask().array, shown.labels.array)


def test_a_correction_is_in_the_mask_and_can_be_restored_and_undone(case: MRMLCaseScene) -> None:
    makers.in_turns(case.show(result(case)))
    logic = paint(case, Label.NCR)
    corrected = case.mask().array
    assert (corrected != case.network_mask().array).sum() == 24
    assert case.volumes_ml()["NCR"] > 24 * 0.00198

    case.save_state = logic.SaveStateForUndo
    case.restore_network_mask()
    np.testing.assert_array_equal(case.mask().array, makers.labels())
    logic.Undo()
    np.testing.assert_array_equal(case.mask().array, corrected)


def test_a_copy_of_the_mask_does_not_change_the_scene(case: MRMLCaseScene) -> None:
    makers.in_turns(case.show(result(case)))
    case.mask().array[:] = 0
    np.testing.assert_array_equal(case.mask().array, makers.labels())


def test_the_mask_is_read_after_its_reference_is_deleted(case: MRMLCaseScene, scene: Any) -> None:
    makers.in_turns(case.show(result(case)))
    scene.RemoveNode(case.reference)
    assert case.reference is None
    mask = case.mask()
    np.testing.assert_array_equal(mask.array, makers.labels())
    np.testing.assert_allclose(mask.ijk_to_ras, makers.oblique(), atol=1e-9)


def test_a_segmentation_under_a_warp_counts_nothing(case: MRMLCaseScene, scene: Any) -> None:
    makers.in_turns(case.show(result(case)))
    warp = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    case.segmentation.SetAndObserveTransformNodeID(warp.GetID())
    assert case.volumes_ml() == {}
    with pytest.raises(SceneError, match="not linear"):
        case.mask()


def test_results_lie_beside_their_volume_in_the_hierarchy(case: MRMLCaseScene, scene: Any) -> None:
    shown = result(case)
    hierarchy = volumes.hierarchy_of(scene)
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.CreateItem(study, scene.GetNodeByID(shown.reference))
    makers.in_turns(case.show(shown))
    item = hierarchy.GetItemByDataNode(case.segmentation)
    assert hierarchy.GetItemParent(item) == study


# What others do.


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


# Files.


def test_a_saved_scene_is_live_again(case: MRMLCaseScene, scene: Any, tmp_path: Path) -> None:
    shown = result(case)
    makers.in_turns(case.show(shown))
    paint(case, Label.NCR)
    corrected = case.mask()
    record = CaseRecord(sequences={"t1gd": shown.reference}, document='{"ö": 1}', out_of_date=True)
    case.keep(record)
    (file,) = case.export(tmp_path, ["mrb"])
    assert file == tmp_path / "scene.mrb"
    scene.Clear(False)
    assert scene.ReadFromMRB(str(file), True)

    (node,) = case_nodes(scene)
    loaded = MRMLCaseScene(node)
    told: list[SceneChange] = []
    loaded.listen(told.append)
    np.testing.assert_array_equal(loaded.mask().array, corrected.array)
    np.testing.assert_allclose(loaded.mask().ijk_to_ras, corrected.ijk_to_ras, atol=1e-6)
    np.testing.assert_array_equal(loaded.network_mask().array, makers.labels())
    assert loaded.record().document == record.document
    assert loaded.record().sequences == {"t1gd": loaded.reference.GetID()}
    assert [volume.name for volume in loaded.volumes()] == ["T1Gd"]
    assert len(referenced(node, DIAMETER)) == 2
    assert len(referenced(node, UNCERTAINTY)) == 1
    (network,) = referenced(node, NETWORK_SEGMENTATION)
    assert network.GetHideFromEditors()
    assert not network.GetDisplayNode().GetVisibility()
    assert told == []
    loaded.restore_network_mask()
    np.testing.assert_array_equal(loaded.mask().array, makers.labels())
    paint(loaded)
    assert set(told) == {SceneChange.MASK}
    nodes = node_count(scene)
    again = dataclasses.replace(shown, reference=loaded.reference.GetID())
    makers.in_turns(loaded.show(again))
    assert node_count(scene) == nodes


def test_saving_is_not_told_and_leaves_the_scene_as_it_was(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange], tmp_path: Path
) -> None:
    makers.in_turns(case.show(result(case)))
    url, root = scene.GetURL(), scene.GetRootDirectory()
    case.export(tmp_path, ["mrb", "stl", "seg.nrrd"])
    paint(case)
    assert set(told) == {SceneChange.MASK}
    assert (scene.GetURL(), scene.GetRootDirectory()) == (url, root)


def test_a_scene_that_somebody_saves_is_not_an_edit(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange], tmp_path: Path
) -> None:
    makers.in_turns(case.show(result(case)))
    assert scene.WriteToMRB(str(tmp_path / "scene.mrb"))
    case.segmentation.GetSegmentation().GetSegment("ET").SetName("rim")
    assert told == []


def test_exported_files_are_not_called_after_anybody(case: MRMLCaseScene, tmp_path: Path) -> None:
    case.node.SetName("Doe^Jane")
    makers.in_turns(case.show(result(case, "Doe^Jane T1")))
    files = case.export(tmp_path, ["seg.nrrd", "stl", "mrb"])
    names = ["tumour.seg.nrrd", "tumour_NCR.stl", "tumour_ED.stl", "tumour_ET.stl", "scene.mrb"]
    assert [file.name for file in files] == names
    assert sorted(file.name for file in tmp_path.iterdir()) == sorted(names)
    assert b"Doe" not in files[0].read_bytes()


def test_what_cannot_be_exported_is_refused(case: MRMLCaseScene, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="docx"):
        case.export(tmp_path, ["docx"])
    with pytest.raises(SceneError, match="no segmentation"):
        case.export(tmp_path, ["stl"])
    with pytest.raises(SceneError, match=r"scene\.mrb cannot be written"):
        case.export(tmp_path / "none", ["mrb"])


# More than one case.


def test_two_cases_do_not_touch_each_other(
    case: MRMLCaseScene, scene: Any, told: list[SceneChange]
) -> None:
    other = MRMLCaseScene(create_case(scene))
    told_other: list[SceneChange] = []
    other.listen(told_other.append)
    makers.in_turns(case.show(result(case)))
    makers.in_turns(other.show(result(other, "other")))
    told.clear()
    told_other.clear()

    paint(case, Label.NCR)
    assert (set(told), told_other) == ({SceneChange.MASK}, [])
    np.testing.assert_array_equal(other.mask().array, makers.labels())
    assert [volume.name for volume in other.volumes()] == ["T1Gd", "other"]
    scene.RemoveNode(other.node)
    assert told_other == [SceneChange.CASE_REMOVED]
    assert SceneChange.CASE_REMOVED not in told
    assert referenced(case.node, SEGMENTATION) == (case.segmentation,)
    assert slicer.mrmlScene is scene
