"""A case in a real MRML scene: saved, loaded, exported, and beside another."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core: pip install slicer-core")

import scene_makers as makers
import slicer
from mrml_makers import node_count, paint, result

from gliomaai_training.vocabulary import Label
from GliomaAILib.scene.case_node import (
    DIAMETER,
    NETWORK_SEGMENTATION,
    SEGMENTATION,
    UNCERTAINTY,
    case_nodes,
    create_case,
    referenced,
)
from GliomaAILib.scene.mrml_scene import MRMLCaseScene
from GliomaAILib.scene.port import (
    CaseRecord,
    SceneChange,
    SceneError,
)


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
