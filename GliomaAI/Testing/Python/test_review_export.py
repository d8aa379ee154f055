"""The review of a case writes results and training cases."""

import json
from pathlib import Path

import pytest
from review_desk import Desk, stage_of
from review_fakes import (
    jobs_of,
    labels,
    settle,
)

from GliomaAILib.review.export import ExportRequest
from GliomaAILib.worker.protocol import (
    SaveTrainingCase,
)

ALL_KINDS = ("html", "pdf", "nifti", "json", "seg.nrrd", "stl", "mrb", "csv")


def test_export_writes_one_folder(desk: Desk, tmp_path: Path) -> None:
    desk.analysed()
    desk.review.export(ExportRequest(tmp_path / "out", "case 1", ALL_KINDS))
    desk.settle()
    names = {file.name for file in (tmp_path / "out" / "case 1").iterdir()}
    assert {"report.html", "report.pdf", "segmentation.nii.gz", "assessment.json"} <= names
    assert desk.scene.exported == ["seg.nrrd", "stl", "mrb"]
    assert "case 1" in (tmp_path / "out" / "cohort.csv").read_text()
    assert "Exported" in str(desk.state.outcome and desk.state.outcome.message)


def test_what_makes_the_window_stand_still_is_said_before_and_cannot_be_stopped(
    desk: Desk, tmp_path: Path
) -> None:
    desk.analysed()
    desk.review.export(ExportRequest(tmp_path / "out", "case 1", ("seg.nrrd", "mrb")))
    settle(desk.review, desk.clock, lambda state: "stands still" in stage_of(state))
    assert "mrb" not in desk.scene.exported
    assert "stopped any more" in desk.why("cancel")
    desk.review.cancel()
    desk.settle()
    assert desk.scene.exported == ["seg.nrrd", "mrb"]
    assert (tmp_path / "out" / "case 1" / "scene.mrb").is_file()
    assert "Exported to" in str(desk.state.outcome.message)


def test_a_cancelled_export_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.analysed()
    desk.review.export(ExportRequest(tmp_path / "out", "case 1", ("json", "seg.nrrd")))
    assert desk.state.commands["cancel"].enabled
    desk.review.cancel()
    desk.settle()
    assert list((tmp_path / "out").iterdir()) == []
    assert "Stopped" in str(desk.state.outcome.message)


def test_export_assesses_an_edited_mask_first(desk: Desk, tmp_path: Path) -> None:
    desk.analysed()
    desk.scene.paint(labels(et=50))
    desk.review.export(ExportRequest(tmp_path / "out", "case", ["json"]))
    desk.settle()
    text = (tmp_path / "out" / "case" / "assessment.json").read_text()
    assert json.loads(text)["correction"] is not None


@pytest.mark.parametrize("name", ["", "  ", "../up", "a/b", ".hidden", "a:b"])
def test_an_export_stays_in_its_folder(desk: Desk, tmp_path: Path, name: str) -> None:
    desk.analysed()
    desk.review.export(ExportRequest(tmp_path / "out", name, ["json"]))
    desk.settle()
    assert "cannot be the name" in str(desk.state.outcome and desk.state.outcome.message)


def test_an_export_replaces_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.analysed()
    for _ in range(2):
        desk.review.export(ExportRequest(tmp_path / "out", "case", ["json"]))
        desk.settle()
    assert "already" in str(desk.state.outcome and desk.state.outcome.message)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["case"]


def test_a_corrected_case_is_kept_for_training(desk: Desk, tmp_path: Path) -> None:
    desk.analysed()
    desk.scene.paint(labels(et=50))
    desk.review.save_training_case(tmp_path / "cohort", "case-1")
    desk.settle()
    (job,) = jobs_of(desk.worker, SaveTrainingCase)
    assert (job.folder, job.case) == (str(tmp_path / "cohort"), "case-1")
    assert "case-1 is kept" in str(desk.state.outcome and desk.state.outcome.message)


def test_every_command_says_what_it_waits_for(desk: Desk) -> None:
    for command in ("reassess", "restore", "export", "save_case"):
        assert "no result yet" in desk.why(command)
    desk.review.export(ExportRequest(Path("nowhere"), "x", ["json"]))
    desk.settle()
    assert not Path("nowhere").exists()
