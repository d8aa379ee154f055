"""A case in a real MRML scene: what a result shows, and how it is corrected."""

import dataclasses
import gc
import weakref
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core: pip install slicer-core")

import scene_makers as makers
from mrml_makers import LINES, node_count, paint, result

from gliomaai_training.vocabulary import Label
from GliomaAILib.raw_volume import RawVolume
from GliomaAILib.scene import volumes
from GliomaAILib.scene.case_node import (
    DIAMETER,
    NETWORK_SEGMENTATION,
    UNCERTAINTY,
    referenced,
)
from GliomaAILib.scene.mrml_scene import MRMLCaseScene
from GliomaAILib.scene.port import (
    CaseScene,
    Result,
    SceneError,
)


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
