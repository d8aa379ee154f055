"""A case and its volumes in a real MRML scene, saved and loaded again."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("slicer", reason="needs slicer-core: pip install slicer-core")

import scene_app
import slicer
import vtk
from scene_makers import add_transform, add_volume, image_volume, oblique

from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.raw_volume import RawVolume, read_raw, write_raw
from GliomaAILib.scene import case_node, dicom_header, volumes
from GliomaAILib.scene.arrays import plain
from GliomaAILib.scene.port import CaseRecord, SceneError

RECORD = CaseRecord(
    by_hand=("flair",),
    facts=ClinicalFacts(age_years=54.5, sex="F", kps=80, idh="wild-type", grade=4),
    analysis='{"kind": "Analyze",\n\t"study": "Müller & Söhne <中文>"}',
    document=json.dumps({"findings": ["Ödem 'links' \"ü\"; 100 %"] * 5000}, ensure_ascii=False),
    network_document="{}",
    out_of_date=True,
)


def record_for(scene: Any) -> CaseRecord:
    ids = [add_volume(scene, name, image_volume()).GetID() for name in ("T1", "FLAIR ü")]
    return dataclasses.replace(RECORD, sequences=dict(zip(("t1", "flair"), ids, strict=True)))


def test_a_new_case_is_listed_and_empty(app: scene_app.HeadlessApp) -> None:
    first, second = case_node.create_case(app.scene), case_node.create_case(app.scene)
    other = slicer.vtkMRMLScriptedModuleNode()
    other.SetModuleName("Another")
    app.scene.AddNode(other)

    assert case_node.case_nodes(app.scene) == (first, second)
    assert first.GetName() != second.GetName()
    assert not first.GetHideFromEditors()
    assert first.GetAttribute("ModuleName") == "GliomaAI"
    assert case_node.read_record(first) == CaseRecord()


def test_a_record_is_kept_as_it_is(app: scene_app.HeadlessApp) -> None:
    node, record = case_node.create_case(app.scene), record_for(app.scene)
    case_node.write_record(node, record)
    assert case_node.read_record(node) == record
    case_node.write_record(node, CaseRecord())
    assert case_node.read_record(node) == CaseRecord()


@pytest.mark.parametrize("ending", ["mrb", "mrml"])
def test_a_record_survives_saving_and_loading(
    app: scene_app.HeadlessApp, tmp_path: Path, ending: str
) -> None:
    node, record = case_node.create_case(app.scene, "Fäll «1»"), record_for(app.scene)
    case_node.write_record(node, record)
    save_and_reload(app.scene, tmp_path / f"scene.{ending}")

    (loaded,) = case_node.case_nodes(app.scene)
    read = case_node.read_record(loaded)
    assert loaded.GetName() == "Fäll «1»"
    assert read == dataclasses.replace(record, sequences=read.sequences)
    names = {key: app.scene.GetNodeByID(one).GetName() for key, one in read.sequences.items()}
    assert names == {"t1": "T1", "flair": "FLAIR ü"}


def test_references_follow_when_a_scene_is_imported_twice(
    app: scene_app.HeadlessApp, tmp_path: Path
) -> None:
    node, record = case_node.create_case(app.scene), record_for(app.scene)
    case_node.write_record(node, record)
    file = tmp_path / "scene.mrb"
    assert app.scene.WriteToMRB(str(file))
    assert app.scene.ReadFromMRB(str(file), False)

    first, second = case_node.case_nodes(app.scene)
    mine, imported = (case_node.read_record(one).sequences for one in (first, second))
    assert mine == record.sequences
    assert not set(mine.values()) & set(imported.values())
    assert app.scene.GetNodeByID(imported["t1"]).GetName().startswith("T1")


def test_a_deleted_volume_is_left_out(app: scene_app.HeadlessApp) -> None:
    node, record = case_node.create_case(app.scene), record_for(app.scene)
    case_node.write_record(node, record)
    app.scene.RemoveNode(app.scene.GetNodeByID(record.sequences["t1"]))
    assert set(case_node.read_record(node).sequences) == {"flair"}


@pytest.mark.parametrize(
    "content",
    ["no JSON", "[1]", '{"facts": {"kps": 81}, "by_hand": 3, "document": 5}', '{"facts": 7}'],
)
def test_what_cannot_be_read_is_left_out(app: scene_app.HeadlessApp, content: str) -> None:
    node = case_node.create_case(app.scene)
    node.SetParameter("case", content)
    assert case_node.read_record(node) == CaseRecord()


def test_an_unknown_sequence_is_refused(app: scene_app.HeadlessApp) -> None:
    node = case_node.create_case(app.scene)
    with pytest.raises(ValueError, match="dwi"):
        case_node.write_record(node, CaseRecord(by_hand=("dwi",)))


# Volumes.


def loaded(app: scene_app.HeadlessApp) -> tuple[Any, ...]:
    return volumes.loaded_volumes(app.scene, volumes.HeaderCache())


def test_only_scalar_images_are_listed(app: scene_app.HeadlessApp) -> None:
    t1 = add_volume(app.scene, "T1", image_volume())
    overlay = add_volume(app.scene, "uncertainty", image_volume())
    overlay.SetAttribute(volumes.OVERLAY, "uncertainty")
    for kind in ("vtkMRMLLabelMapVolumeNode", "vtkMRMLVectorVolumeNode"):
        node = app.scene.AddNewNodeByClass(kind)
        node.SetAndObserveImageData(t1.GetImageData())
    app.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")

    (found,) = loaded(app)
    assert (found.id, found.name, found.header, found.examination) == (t1.GetID(), "T1", {}, "")


def test_volumes_of_one_study_in_the_hierarchy_have_one_mark(app: scene_app.HeadlessApp) -> None:
    hierarchy = volumes.hierarchy_of(app.scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Jane Doe")
    nodes = [add_volume(app.scene, str(n), image_volume()) for n in range(5)]
    for name, mine in (("first", nodes[:2]), ("second", nodes[2:3])):
        study = hierarchy.CreateStudyItem(patient, name)
        for node in mine:
            hierarchy.CreateItem(study, node)
    hierarchy.CreateItem(patient, nodes[3])

    marks = [volume.examination for volume in loaded(app)]
    assert marks[0] == marks[1]
    assert len({*marks[:4]}) == 3
    assert marks[4] == ""
    assert [len(mark) for mark in marks[:4]] == [16] * 4


VALUES = {
    "0018,0081": "92",
    "0018,0080": "9000.5",
    "0018,0082": "2500\\2600",
    "0008,103E": "AX FLAIR DOE",
    "0018,1030": "Brain",
    "0018,0024": "",
    "0008,0008": "ORIGINAL\\PRIMARY\\M",
    "0018,0020": "SE\\IR",
    "0018,0010": "Gadovist",
    "0010,1010": "054Y",
    "0010,0040": "F",
    "0010,0010": "Doe^Jane",
    "0010,0020": "12345",
    "0010,0030": "19700101",
    "0020,000D": "1.2.3",
}


class Database:
    """Names of ctkDICOMDatabase that are used, with a file for one instance."""

    def __init__(self, **values: str) -> None:
        self.values, self.asked = {**VALUES, **values}, 0

    def fileForInstance(self, uid: str) -> str:  # noqa: N802
        self.asked += 1
        return "file.dcm" if uid == "1.2.3.4" else ""

    def fileValue(self, path: str, tag: str) -> str:  # noqa: N802
        assert path == "file.dcm"
        return self.values[tag]


def test_dicom_headers_are_told_without_the_patient(
    app: scene_app.HeadlessApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database()
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node = add_volume(app.scene, "2: FLAIR", image_volume())
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3.4 1.2.3.5")
    cache = volumes.HeaderCache()

    (found,) = volumes.loaded_volumes(app.scene, cache)
    assert found.header == {
        "EchoTime": 0.092,
        "RepetitionTime": 9.0005,
        "InversionTime": 2.5,
        "SeriesDescription": "AX FLAIR ***",
        "ProtocolName": "Brain",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "ScanningSequence": ["SE", "IR"],
        "ContrastBolusAgent": "Gadovist",
    }
    assert found.facts == ClinicalFacts(age_years=54.0, sex="F")
    assert len(found.examination) == 16
    assert volumes.loaded_volumes(app.scene, cache) == (found,)
    assert database.asked == 1


def test_studies_differ_by_patient_and_study(
    app: scene_app.HeadlessApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = add_volume(app.scene, "FLAIR", image_volume())
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3.4")
    marks = []
    for values in ({}, {"0010,0020": "999"}, {"0020,000D": "1.2.4"}, {"0020,000D": ""}):
        monkeypatch.setattr(slicer, "dicomDatabase", Database(**values), raising=False)
        marks.append(loaded(app)[0].examination)
    assert len(set(marks)) == 4
    assert marks[3] == ""


@pytest.mark.parametrize("values", [{"0010,1010": "abc", "0010,0040": "O", "0018,0081": "-"}])
def test_odd_header_values_are_left_out(
    app: scene_app.HeadlessApp, monkeypatch: pytest.MonkeyPatch, values: dict[str, str]
) -> None:
    monkeypatch.setattr(slicer, "dicomDatabase", Database(**values), raising=False)
    node = add_volume(app.scene, "FLAIR", image_volume())
    node.SetAttribute("DICOM.instanceUIDs", "1.2.3.4")
    (found,) = loaded(app)
    assert found.facts == ClinicalFacts()
    assert "EchoTime" not in found.header


def test_an_instance_that_the_database_lacks_says_nothing(
    app: scene_app.HeadlessApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = add_volume(app.scene, "FLAIR", image_volume())
    node.SetAttribute("DICOM.instanceUIDs", "9.9")
    assert dicom_header.header_of(node) is None
    monkeypatch.setattr(slicer, "dicomDatabase", Database(), raising=False)
    assert loaded(app)[0].header == {}


# Voxels.


def test_a_snapshot_is_a_copy_in_patient_coordinates(
    app: scene_app.HeadlessApp, tmp_path: Path
) -> None:
    image = image_volume()
    node = add_volume(app.scene, "T1", image)
    shift = oblique(0.7)
    outer = add_transform(app.scene, np.diag([1.0, 1.0, 1.0, 1.0]) + np.eye(4, k=3) * 5)
    inner = add_transform(app.scene, shift)
    inner.SetAndObserveTransformNodeID(outer.GetID())
    node.SetAndObserveTransformNodeID(inner.GetID())

    taken = volumes.snapshot(node)
    world = (np.eye(4) + np.eye(4, k=3) * 5) @ shift @ image.ijk_to_ras
    np.testing.assert_allclose(taken.ijk_to_ras, world, atol=1e-9)
    np.testing.assert_array_equal(taken.array, image.array)
    node.GetImageData().GetPointData().GetScalars().Fill(0)
    np.testing.assert_array_equal(taken.array, image.array)
    write_raw(taken, tmp_path / "t1.nrrd")
    again = add_volume(app.scene, "again", read_raw(tmp_path / "t1.nrrd"))
    assert volumes.snapshot(again).same_grid(taken)
    np.testing.assert_array_equal(volumes.snapshot(again).array, image.array)


def test_a_volume_that_cannot_be_used_is_refused(app: scene_app.HeadlessApp) -> None:
    empty = app.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    with pytest.raises(SceneError, match="'empty' cannot be used"):
        volumes.snapshot(empty)
    warped = add_volume(app.scene, "warped", image_volume())
    grid = app.scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    warped.SetAndObserveTransformNodeID(grid.GetID())
    with pytest.raises(SceneError, match="not linear: harden"):
        volumes.snapshot(warped)
    with pytest.raises(SceneError, match="not in the scene any more"):
        volumes.volume_node(app.scene, "vtkMRMLScalarVolumeNode99")
    colours = app.scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "colours")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 4)
    image.AllocateScalars(vtk.VTK_UNSIGNED_CHAR, 3)
    colours.SetAndObserveImageData(image)
    with pytest.raises(SceneError, match="colour"):
        volumes.snapshot(colours)


@pytest.mark.parametrize(
    ("dtype", "values", "kind"),
    [
        (np.float16, [0.5, 2, 3], "float32"),
        (np.int64, [-5, 0, 32767], "int16"),
        (np.int64, [-5, 0, 40000], "int32"),
        (np.uint64, [0, 1, 2**32 - 1], "uint32"),
        (np.int64, [-1, 0, 2**40], "float64"),
        (np.bool_, [0, 1, 1], "int16"),
        (">i2", [-5, 0, 7], "int16"),
        (np.float32, [0.5, 1, 2], "float32"),
    ],
)
def test_voxel_types_become_some_that_can_be_written(
    tmp_path: Path, dtype: Any, values: list[float], kind: str
) -> None:
    array = np.array(values, dtype).reshape(1, 1, 3)
    written = plain(array)
    assert written.dtype.name == kind
    np.testing.assert_array_equal(written, array.astype(np.float64))
    write_raw(RawVolume(written, np.eye(4)), tmp_path / "volume.nrrd")


@pytest.mark.parametrize("kind", [vtk.VTK_LONG, vtk.VTK_CHAR, vtk.VTK_UNSIGNED_LONG_LONG])
def test_types_of_vtk_can_be_snapped(app: scene_app.HeadlessApp, tmp_path: Path, kind: int) -> None:
    node = app.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    image = vtk.vtkImageData()
    image.SetDimensions(3, 4, 5)
    image.AllocateScalars(kind, 1)
    image.GetPointData().GetScalars().Fill(7)
    node.SetAndObserveImageData(image)
    taken = volumes.snapshot(node)
    assert taken.array.shape == (5, 4, 3)
    assert (taken.array == 7).all()
    write_raw(taken, tmp_path / "volume.nrrd")


def test_a_new_volume_is_shown_in_grey(app: scene_app.HeadlessApp) -> None:
    display = add_volume(app.scene, "T1", image_volume()).GetDisplayNode()
    assert display.GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
    assert 100 < display.GetWindow() < 700
    assert 200 < display.GetLevel() < 400


def save_and_reload(scene: Any, file: Path) -> None:
    if file.suffix == ".mrb":
        assert scene.WriteToMRB(str(file))
        scene.Clear(False)
        assert scene.ReadFromMRB(str(file), True)
        return
    for node in case_node.nodes_of(scene, "vtkMRMLScalarVolumeNode"):
        node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(str(file.parent / f"{node.GetID()}.nrrd"))
        assert node.GetStorageNode().WriteData(node)
    scene.SetURL(str(file))
    scene.SetRootDirectory(str(file.parent))
    assert scene.Commit()
    scene.Clear(False)
    scene.SetURL(str(file))
    assert scene.Connect()
