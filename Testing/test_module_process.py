"""The module as users meet it: panel on the bench, real scene, real worker process."""

import csv
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

if find_spec("PySide6") is None or find_spec("slicer") is None:
    pytest.skip("the bench needs the extra [slicer]", allow_module_level=True)

from module_front import Front, look

from gliomaai_training.cohorts.manifest import read_manifest
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.vocabulary import SEQUENCES, Label
from GliomaAILib.models import MODELS_VARIABLE

CANCEL_S = 2.0
STUDIED = ("t1gd", "flair")
BOX = (slice(20, 30), slice(25, 35), slice(22, 32))
"""Voxels (k, j, i) inside the brain of the patient."""

EXPORTED = ("html", "pdf", "seg.nrrd", "nifti", "stl", "json", "csv", "mrb")


NETWORK_GUARD = """
import socket, sys

def refuse(event, arguments):
    outside = event == "socket.getaddrinfo"
    if event == "socket.connect":
        outside = arguments[0].family != getattr(socket, "AF_UNIX", None)
    if outside:
        with open({log!r}, "a") as log:
            print(event, arguments[1:], file=log)
        raise OSError("there is no network")

with open({log!r}, "a") as log:
    print("watched", file=log)
sys.addaudithook(refuse)
"""
"""What Python runs at its start: who asks for the network is written down and refused."""


@pytest.fixture(scope="module")
def network_log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What Slicer and its workers ask of the network from here on."""
    guard = tmp_path_factory.mktemp("guard")
    log = guard / "network.log"
    (guard / "sitecustomize.py").write_text(NETWORK_GUARD.format(log=str(log)), "utf-8")

    def refuse(*asked: object) -> None:
        with log.open("a") as file:
            print(*asked, file=file)
        raise OSError("there is no network")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(guard))
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        yield log


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where everything lies: with blanks and other letters than ASCII."""
    return tmp_path_factory.mktemp("Prüfung im Gerät Ω")


@pytest.fixture(scope="module")
def study(patient: Path, folder: Path) -> Path:
    """Two sequences: those that a run needs for everything that it does."""
    (target := folder / "Étude n° 1").mkdir()
    for name in STUDIED:
        shutil.copy(patient / f"{name}.nii.gz", target)
    return target


@pytest.fixture(scope="module")
def small(patient: Path, folder: Path) -> Path:
    """One sequence, which takes a moment only."""
    (target := folder / "kurz und schnell").mkdir()
    shutil.copy(patient / "flair.nii.gz", target / "flair.nii.gz")
    return target


@pytest.fixture(scope="module")
def desktop(oedema_packs: Path, folder: Path, network_log: Path) -> Iterator[Front]:
    """One Slicer for all tests; its network finds oedema everywhere in the brain."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MODELS_VARIABLE, str(oedema_packs))
        front = Front()
        settings = front.panel._settings
        settings._scratch.currentPath = str(folder / "kurz beiseite ü")
        settings._offline.checked = True
        yield front
        settings._offline.checked = False
        settings._scratch.currentPath = settings._model.currentPath = ""
        front.close()


@pytest.fixture
def front(desktop: Front) -> Iterator[Front]:
    """An empty scene."""
    desktop.panel._settings._model.currentPath = ""
    desktop.clear()
    yield desktop
    desktop.panel._settings._model.currentPath = ""
    assert look.slot_errors == []


@pytest.fixture
def result(desktop: Front, study: Path) -> Iterator[Front]:
    """The patient with the network's own mask, analysed anew only where that is needed."""
    desktop.wait()
    names = [node.GetName() for node in desktop.slicer.util.getNodesByClass("vtkMRMLVolumeNode")]
    if not desktop.state.has_result or len(names) < len(STUDIED):
        desktop.clear()
        desktop.open(study)
        desktop.run()
    if desktop.state.commands["restore"].enabled:
        desktop.done("restoreButton")
    yield desktop
    assert look.slot_errors == []


def scratch_files(front: Front) -> list[Path]:
    return [file for file in front.panel._settings.settings().scratch.rglob("*") if file.is_file()]


def nodes(front: Front) -> list[str]:
    """Every node of the scene, by its id."""
    return [front.scene.GetNthNode(n).GetID() for n in range(front.scene.GetNumberOfNodes())]


def read(file: Path) -> Any:
    """Voxels (k, j, i) and RAS matrix of an image file."""
    image = sitk.ReadImage(str(file))
    return sitk.GetArrayFromImage(image), Grid.of(image).ijk_to_ras


def exported_labels(front: Front) -> Any:
    """Voxels and RAS matrix of the segmentation, as Slicer's own logic exports it."""
    from GliomaAILib.scene.arrays import local_ijk_to_ras, voxels

    slicer, segmentation = front.slicer, front.desk.scene.segmentation
    node = front.scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode")
    logic = slicer.vtkSlicerSegmentationsModuleLogic
    extent = slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY
    assert logic.ExportAllSegmentsToLabelmapNode(segmentation, node, extent)
    found = voxels(node.GetImageData()).copy(), local_ijk_to_ras(node)
    front.scene.RemoveNode(node)
    return found


def value(front: Front, name: str, column: int = 1) -> str:
    """A cell of the table of measures, by the start of the measure's name."""
    table = front.widget("measuresTable")
    rows = {table.item(row, 0).text(): row for row in range(table.rowCount)}
    row = next(row for text, row in rows.items() if text.startswith(name))
    return str(table.item(row, column).text())


# From a study to a result.


def test_a_study_folder_becomes_a_result(result: Front) -> None:
    assert result.desk.scene.reference is result.widget("t1gdSelector").currentNode()
    assert float(value(result, "Whole tumour").removesuffix(" mL")) > 500
    assert value(result, "Oedema") == value(result, "Whole tumour")
    assert "implausibly large" in result.notices("resultNotices")
    assert result.widget("diametersBox").checked
    assert result.state.report.is_file()
    assert result.widget("runReason").text == ""


def test_the_segmentation_lies_on_the_reference(result: Front, study: Path) -> None:
    image, geometry = read(study / "t1gd.nii.gz")
    labels, matrix = exported_labels(result)
    assert labels.shape == image.shape
    assert np.allclose(matrix, geometry, atol=1e-3)
    ed = list(result.desk.scene.segmentation.GetSegmentation().GetSegmentIDs()).index("ED") + 1
    assert set(np.unique(labels)) == {0, ed}
    assert (image[labels == ed] > 0).mean() > 0.9


# Correction.


def test_an_edit_is_reassessed_without_the_network_and_taken_back(result: Front) -> None:
    before = value(result, "Oedema")
    result.paint(BOX, "ET")
    assert "Out of date" in result.widget("outOfDateText").text
    assert "(out of date)" in value(result, "Side")
    added = 10**3 * 27 / 1000
    assert value(result, "Enhancing tumour") == f"{added:.1f} mL"
    result.done("reassessButton")
    assert "segmentation" not in result.worker.stages
    assert "measures" in result.worker.stages
    assert not result.state.out_of_date
    assert value(result, "Enhancing tumour", 2) == "0.0 mL"
    assert value(result, "Oedema", 2) == before != value(result, "Oedema")
    assert "ET: 1000 voxels added" in result.widget("auditText").text
    report = result.state.report.read_text("utf-8")
    assert "corrected by hand" in report
    assert "voxels added" in report
    assert ">1000<" in report
    result.done("restoreButton")
    assert value(result, "Oedema") == before
    assert value(result, "Oedema", 2) == ""
    assert not result.state.out_of_date
    assert not result.state.corrected


def test_changed_facts_come_into_the_report(result: Front) -> None:
    kps = result.widget("kpsComboBox")
    kps.currentIndex = next(i for i in range(kps.count) if kps.itemData(i) == 70)
    assert "Out of date" in result.widget("outOfDateText").text
    result.done("reassessButton")
    assert "segmentation" not in result.worker.stages
    assert "70 of 100" in result.state.report.read_text("utf-8")
    assert result.state.document["facts"]["kps"] == 70


# Export.


def export(front: Front, folder: Path, name: str) -> None:
    panel = front.section("ExportPanel")
    panel._folder.currentPath = str(folder)
    for kind in EXPORTED:
        front.widget(f"{kind}Box").checked = True
    front.widget("exportName").text = name
    front.done("exportButton")


def test_everything_is_exported_as_it_is_shown(result: Front, tmp_path: Path) -> None:
    result.paint(BOX, "NCR")
    export(result, tmp_path / "Ausfuhr ß", "Fall 1")
    case = tmp_path / "Ausfuhr ß" / "Fall 1"
    assert {file.name for file in case.iterdir()} == {
        "report.html",
        "report.pdf",
        "assessment.json",
        "segmentation.nii.gz",
        "tumour.seg.nrrd",
        "tumour_NCR.stl",
        "tumour_ED.stl",
        "scene.mrb",
    }
    shown = result.desk.scene.mask()
    labels, matrix = read(case / "segmentation.nii.gz")
    assert np.array_equal(labels, shown.array)
    assert np.allclose(matrix, shown.ijk_to_ras, atol=1e-3)
    assert (shown.array[BOX] == Label.NCR).all()
    document = json.loads((case / "assessment.json").read_text("utf-8"))
    assert document["correction"]["added_voxels"]["NCR"] == 1000
    (row,) = csv.DictReader((case.parent / "cohort.csv").read_text("utf-8").splitlines())
    assert row["case"] == "Fall 1"
    assert float(row["NCR_ml"]) == pytest.approx(27.0, rel=0.01)
    assert "Exported to" in result.notices("outcomeNotices")


def test_an_export_that_cannot_be_written_leaves_nothing(result: Front, tmp_path: Path) -> None:
    (occupied := tmp_path / "results").write_text("a file, no folder")
    export(result, occupied, "case")
    assert result.state.outcome.severity.name == "BLOCKING"
    assert "results" in result.notices("outcomeNotices")
    (tmp_path / "cohort.csv").write_text("no table of ours\n")
    for name in ("case", "=1+1"):  # a table that is not ours, a name that no table takes
        export(result, tmp_path, name)
        assert result.state.outcome.severity.name == "BLOCKING"
    assert {file.name for file in tmp_path.iterdir()} == {"results", "cohort.csv"}


def test_a_corrected_case_is_kept_to_train_on(result: Front, tmp_path: Path) -> None:
    result.paint(BOX, "ET")
    result.section("ExportPanel")._cohort.currentPath = str(tmp_path / "cohort")
    result.widget("exportName").text = "case 1"
    result.done("saveCaseButton")
    (saved,) = read_manifest(tmp_path / "cohort" / "patients.csv", "own")
    assert set(saved.sequences) == set(STUDIED)
    assert saved.segmentation is not None
    labels, _matrix = read(saved.segmentation)
    assert {Label.ED, Label.ET} <= set(np.unique(labels))


def test_a_saved_scene_is_reassessed_without_the_network(result: Front, tmp_path: Path) -> None:
    result.paint(BOX, "ET")
    mask = result.desk.scene.mask().array
    file = tmp_path / "Szene 1 é.mrb"
    assert result.scene.WriteToMRB(str(file))
    result.clear()
    result.worker.close()  # Slicer ends, and its worker forgets
    assert result.scene.ReadFromMRB(str(file), False)
    look.settle()
    result.wait(lambda: result.state.has_result)
    result.wait()
    assert result.state.out_of_date
    assert value(result, "Enhancing tumour") == "27.0 mL"
    result.done("reassessButton")
    assert result.state.corrected, result.state.outcome
    assert {"reading", "measures"} <= set(result.worker.stages)
    assert "segmentation" not in result.worker.stages
    assert np.array_equal(result.desk.scene.mask().array, mask)
    result.clear()


# Other studies.


def test_a_study_folder_fills_the_selectors(front: Front, patient: Path) -> None:
    front.open(patient)
    for name in SEQUENCES:
        assert front.widget(f"{name}Selector").currentNode().GetName() == name
        assert "% sure" in front.section("CasePanel")._confidences[name].text
    assert "'seg.nii.gz' is not used" in front.notices("caseNotices")
    assert front.widget("runButton").enabled


def test_no_tumour_is_a_result_and_said_to_be_one(front: Front, small: Path, packs: Path) -> None:
    front.panel._settings._model.currentPath = str(packs / "segmentation")
    front.open(small)
    front.run()
    assert front.state.outcome is None
    assert "No tumour was found." in front.notices("resultNotices")
    assert value(front, "Whole tumour") == "0.0 mL"
    assert front.desk.scene.segmentation is not None
    assert front.state.report.is_file()
    assert front.widget("exportButton").enabled


def test_an_ambiguous_study_is_a_question(front: Front, small: Path, tmp_path: Path) -> None:
    image = sitk.ReadImage(str(small / "flair.nii.gz"))
    for name in ("flair", "flair 2"):
        sitk.WriteImage(image + len(name), str(tmp_path / f"{name}.nii.gz"))
    front.open(tmp_path)
    assert "flair" in front.notices("caseNotices").lower()
    assert "Choose the volume" in front.notices("caseNotices")
    assert not front.widget("runButton").enabled
    assert "No volume is chosen" in front.widget("runReason").text
    selector = front.widget("flairSelector")
    selector.setCurrentNodeIndex(0)
    selector.nodeActivated.emit(selector.currentNode())
    front.wait()
    assert front.widget("runButton").enabled


# What goes wrong during a run.


def test_cancel_is_quick_and_leaves_nothing(front: Front, small: Path) -> None:
    front.open(small)
    before = nodes(front), scratch_files(front)
    front.click("runButton")
    front.until_stage("reading")
    begin_s = time.monotonic()
    front.widget("cancelButton").click()
    front.wait(lambda: front.state.work is None)
    assert time.monotonic() - begin_s < CANCEL_S
    assert "Stopped" in front.notices("outcomeNotices")
    assert (nodes(front), scratch_files(front)) == before
    assert not front.state.has_result


def test_a_killed_worker_is_a_message_and_the_next_run_works(front: Front, small: Path) -> None:
    front.open(small)
    front.wait()
    before = nodes(front), scratch_files(front)
    for stage in ("reading", "segmentation", "write results"):
        front.worker.kill_at = stage
        front.done("runButton")
        assert front.worker.kill_at == ""
        assert "stopped unexpectedly" in front.notices("outcomeNotices"), stage
        assert "run it again" in front.notices("outcomeNotices")
        assert (nodes(front), scratch_files(front)) == before
        assert not front.state.has_result
    front.run()
    result = front.desk.scene.mask().array
    os.killpg(front.worker.process_id, signal.SIGKILL)
    front.paint(BOX, "ET")
    front.worker.kill_at = "reading"  # what was forgotten is read again
    front.done("reassessButton")
    assert "stopped unexpectedly" in front.notices("outcomeNotices")
    assert front.state.out_of_date
    assert (front.desk.scene.mask().array != result).sum() == 1000
    front.done("reassessButton")
    assert front.state.corrected


def test_a_volume_deleted_during_a_run(front: Front, small: Path) -> None:
    front.open(small)
    front.click("runButton")
    front.until_stage("reading")
    front.scene.RemoveNode(front.widget("flairSelector").currentNode())
    before = nodes(front)
    front.wait()
    assert not front.state.has_result
    assert "not in the scene any more" in front.notices("outcomeNotices")
    assert nodes(front) == before
    assert scratch_files(front) == []
    assert "No volume is loaded" in front.widget("runReason").text


def test_a_scene_closed_during_a_run(front: Front, small: Path) -> None:
    front.open(small)
    front.click("runButton")
    front.until_stage("reading")
    front.clear()
    assert not front.worker.busy
    assert front.state.work is None
    assert not front.state.has_result
    assert scratch_files(front) == []
    front.open(small)
    front.run()


def test_two_cases_one_after_the_other(front: Front, small: Path, study: Path) -> None:
    front.open(small)
    front.run()
    first = front.desk.scene.node
    whole = value(front, "Whole tumour")
    front.click("newCaseButton")
    front.wait()
    (other := small.parent / "andere Studie").mkdir(exist_ok=True)
    shutil.copy(study / "t1gd.nii.gz", other)
    front.open(other)
    assert front.widget("t1gdSelector").currentNode() is not None
    assert front.widget("flairSelector").currentNode() is None
    assert not front.state.has_result
    front.run()
    front.paint(BOX, "ET")
    assert front.state.out_of_date
    front.widget("caseSelector").setCurrentNode(first)
    front.wait(lambda: front.state.has_result)
    front.wait()
    assert not front.state.out_of_date
    assert value(front, "Whole tumour") == whole
    front.paint(BOX, "NCR")
    front.done("reassessButton")
    assert "segmentation" not in front.worker.stages
    assert "NCR: 1000 voxels added" in front.widget("auditText").text


def test_nothing_was_asked_of_the_network(result: Front, network_log: Path) -> None:
    """By whatever the tests above have done."""
    assert result.state.has_result
    assert set(network_log.read_text().splitlines()) == {"watched"}
