"""The review of a case: what it shows and allows, and that nothing a user does loses an edit."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from review_fakes import (
    Clock,
    FakeScene,
    FakeWorker,
    failed,
    found,
    jobs_of,
    labels,
    on_worker,
    settle,
)

from gliomaai_training.findings import Severity
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.review.export import ExportRequest
from GliomaAILib.review.message import Message
from GliomaAILib.review.review import Review
from GliomaAILib.review.settings import Settings
from GliomaAILib.review.state import ReviewState
from GliomaAILib.scene.port import LoadedVolume, SceneChange
from GliomaAILib.worker.protocol import (
    Analyze,
    FailureReason,
    Inspect,
    Reassess,
    SaveTrainingCase,
    Simulate,
)


class Desk:
    """A review with everything around it."""

    def __init__(self, tmp_path: Path, scene: FakeScene | None = None) -> None:
        self.scene = scene or FakeScene()
        self.worker = FakeWorker()
        self.clock = Clock()
        self.scratch = tmp_path / "scratch"
        self.review = self.open()

    def open(self, **settings: object) -> Review:
        return Review(self.scene, self.worker, Settings(self.scratch, **settings), self.clock)

    @property
    def state(self) -> ReviewState:
        return self.review.state

    def settle(self) -> None:
        settle(self.review, self.clock)

    def analysed(self) -> "Desk":
        self.settle()
        self.review.run()
        self.settle()
        assert self.state.has_result, self.state.outcome
        return self

    def why(self, command: str) -> str:
        assert not self.state.commands[command].enabled
        return str(self.state.commands[command].why)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.review.close()


def stage_of(state: ReviewState) -> str:
    return "" if state.work is None else state.work.stage


def taken(state: ReviewState) -> dict[str, str]:
    return {name: choice.volume for name, choice in state.sequences.items()}


# Recognition and choice.


def test_loaded_volumes_fill_the_selectors_with_their_confidence(desk: Desk) -> None:
    desk.settle()
    assert taken(desk.state) == {"t1": "v1", "t1gd": "v2", "t2": "v3", "flair": "v4"}
    choice = desk.state.sequences["flair"]
    assert (choice.confidence, choice.evidence, choice.by_hand) == (0.9, ("named so",), False)
    assert desk.state.facts == ClinicalFacts(61.0, "F")
    assert desk.state.commands["run"].enabled


def test_what_the_user_chose_is_left_alone_by_recognition(desk: Desk) -> None:
    desk.settle()
    desk.review.choose("t1", "v4")
    desk.settle()
    assert taken(desk.state) == {"t1": "v4", "t1gd": "v2", "t2": "v3", "flair": ""}
    assert desk.state.sequences["t1"].by_hand
    desk.review.recognise()
    desk.settle()
    assert taken(desk.state)["t1"] == "v1"


def test_none_is_a_choice_too(desk: Desk) -> None:
    desk.settle()
    desk.review.choose("t2", "")
    desk.settle()
    assert taken(desk.state)["t2"] == ""
    desk.review.run()
    desk.settle()
    (job,) = jobs_of(desk.worker, Analyze)
    assert set(job.choices) == {"t1", "t1gd", "flair"}


def test_a_new_volume_is_looked_at(tmp_path: Path) -> None:
    desk = Desk(tmp_path, FakeScene({}))
    desk.settle()
    assert desk.worker.jobs == []
    assert "No volume is loaded" in desk.why("run")
    desk.scene.loaded["v1"] = LoadedVolume("v1", "T1")
    desk.worker.found = found(t1="1")
    desk.scene.change(SceneChange.VOLUMES)
    desk.settle()
    assert taken(desk.state)["t1"] == "v1"


def test_an_unclear_study_asks_the_user(desk: Desk) -> None:
    desk.worker.found = found(question="Two volumes could be T1.", t1="1", t1gd="2")
    desk.settle()
    (question,) = desk.state.notices
    assert "Two volumes could be T1." in str(question.message)
    assert question.action is not None
    assert "No volume is chosen" in desk.why("run")


def test_volumes_of_two_examinations_are_never_mixed(tmp_path: Path) -> None:
    scene = FakeScene({})
    for key, mark in (("a1", "A"), ("a2", "A"), ("b1", "B")):
        scene.loaded[key] = LoadedVolume(key, key, examination=mark)
    desk = Desk(tmp_path, scene)
    desk.settle()
    assert jobs_of(desk.worker, Inspect) == []
    assert "2 examinations" in str(desk.state.notices[0].message)
    desk.worker.found = found(t1="1", t2="2")
    desk.review.choose("t1", "a1")
    desk.settle()
    assert taken(desk.state)["t2"] == "a2"
    desk.review.choose("t2", "b1")
    desk.settle()
    assert "different examinations" in desk.why("run")


def test_a_crowded_scene_is_left_to_the_user(tmp_path: Path) -> None:
    desk = Desk(tmp_path, FakeScene({f"v{n}": f"volume {n}" for n in range(30)}))
    desk.settle()
    assert jobs_of(desk.worker, Inspect) == []
    assert "too many volumes" in str(desk.state.notices[0].message)
    desk.review.choose("t1gd", "v3")
    desk.settle()
    assert desk.state.commands["run"].enabled


def test_one_volume_is_not_two_sequences(desk: Desk) -> None:
    desk.settle()
    desk.review.choose("t1", "v3")
    desk.review.choose("t2", "v3")
    desk.settle()
    assert "T1 and T2 are the same volume" in desk.why("run")


def test_an_unknown_sequence_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="pd"):
        desk.review.choose("pd", "v1")


def test_a_study_folder_is_loaded_and_recognised(tmp_path: Path) -> None:
    desk = Desk(tmp_path, FakeScene({}))
    desk.worker.found = found(t1gd="1", flair="2")
    desk.review.open_study(tmp_path)
    desk.settle()
    assert taken(desk.state)["t1gd"] == "added volume 1"
    assert taken(desk.state)["flair"] == "added volume 2"
    assert list(desk.scratch.rglob("*.nrrd")) == []


def test_loaded_files_lose_their_endings_and_series_keep_their_names(tmp_path: Path) -> None:
    desk = Desk(tmp_path, FakeScene({}))
    both = found(t1gd="1", flair="2")
    for candidate, name in zip(both["candidates"], ("sub/t1gd.nii.gz", "T2/FLAIR"), strict=True):
        candidate["name"] = name
    desk.worker.found = both
    desk.review.open_study(tmp_path)
    desk.settle()
    assert [volume.name for volume in desk.scene.volumes()] == ["t1gd", "T2/FLAIR"]


def test_a_synthetic_patient_is_made_and_loaded(tmp_path: Path) -> None:
    desk = Desk(tmp_path, FakeScene({}))
    desk.worker.found = found(t1gd="1")
    desk.review.open_sample(seed=3)
    desk.settle()
    (job,) = jobs_of(desk.worker, Simulate)
    (inspect,) = jobs_of(desk.worker, Inspect)
    assert (job.seed, job.out) == (3, inspect.study)
    assert taken(desk.state)["t1gd"] == "added volume 1"


# Running.


def test_a_run_shows_segmentation_measures_and_findings(desk: Desk) -> None:
    desk.analysed()
    shown = desk.scene.shown
    assert shown is not None
    assert shown.reference == "v2"
    assert next(line.ends for line in desk.scene.lines) == ((0, 0, 0), (12, 0, 0))
    rows = {str(row.name): row for row in desk.state.measures}
    assert rows["Enhancing tumour (ET)"].value == "0.0"
    assert rows["Diameters of the enhancing tumour"].value == "12 x 9"
    assert [str(n.message) for n in desk.state.notices] == ["The mask is unsure."]
    assert not desk.state.out_of_date
    assert desk.state.report is not None
    assert desk.state.report.is_file()


def test_a_run_without_tumour_is_a_result(desk: Desk) -> None:
    desk.worker.labels = labels(0, 0, 0)
    desk.analysed()
    assert desk.scene.lines == []
    assert desk.state.measures[0].value == "0.0"


def test_progress_is_told_and_a_second_run_is_not_started(desk: Desk) -> None:
    desk.settle()
    desk.worker.waits = True
    desk.review.run()
    settle(desk.review, desk.clock, on_worker)
    work = desk.state.work
    assert work is not None
    assert (work.stage, work.fraction) == ("segmentation", 0.5)
    assert work.left_s is not None
    assert work.left_s > 0
    assert str(desk.state.commands["run"].why) == "Analysing"
    desk.review.run()
    assert len(jobs_of(desk.worker, Analyze)) == 1


def test_cancel_leaves_scene_and_disk_clean(desk: Desk) -> None:
    desk.settle()
    desk.worker.waits = True
    desk.review.run()
    settle(desk.review, desk.clock, on_worker)
    desk.review.cancel()
    desk.settle()
    assert desk.scene.shown is None
    assert desk.scene.kept.document == ""
    assert [p for p in desk.scratch.rglob("*") if p.is_file()] == []
    assert "Stopped" in str(desk.state.outcome and desk.state.outcome.message)
    desk.worker.waits = False
    desk.analysed()


@pytest.mark.parametrize("reason", list(FailureReason))
def test_a_failure_is_a_message_and_the_scene_is_as_before(
    desk: Desk, reason: FailureReason
) -> None:
    desk.settle()
    before = desk.scene.kept
    desk.worker.failure = failed(reason, "The worker was killed {by} the system.")
    desk.review.run()
    desk.settle()
    assert desk.state.outcome is not None
    assert str(desk.state.outcome.message) == "The worker was killed {by} the system."
    assert desk.state.outcome.severity is Severity.BLOCKING
    assert desk.scene.kept == before
    assert [p for p in desk.scratch.rglob("*") if p.is_file()] == []
    assert desk.state.commands["run"].enabled


def test_a_volume_deleted_during_a_run_is_said(desk: Desk) -> None:
    desk.settle()
    desk.worker.waits = True
    desk.review.run()
    settle(desk.review, desk.clock, on_worker)
    del desk.scene.loaded["v2"]
    desk.worker.waits = False
    desk.settle()
    assert desk.scene.shown is None
    assert "reference volume is gone" in str(desk.state.outcome and desk.state.outcome.message)


def test_a_scene_closed_during_a_run_ends_it(desk: Desk) -> None:
    desk.settle()
    desk.worker.waits = True
    desk.review.run()
    settle(desk.review, desk.clock, on_worker)
    desk.scene.change(SceneChange.CASE_REMOVED)
    assert desk.worker.closed
    assert desk.scene.listener is None
    assert list(desk.scratch.iterdir()) == []


def test_a_scene_closed_while_files_are_written_leaves_none(desk: Desk) -> None:
    desk.settle()
    desk.review.run()
    desk.scene.change(SceneChange.CASE_REMOVED)
    assert list(desk.scratch.iterdir()) == []


def test_a_full_disk_is_a_message(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.settle()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("GliomaAILib.review.study_files.write_raw", full)
    desk.review.run()
    desk.settle()
    message = str(desk.state.outcome and desk.state.outcome.message)
    assert "No space left on device" in message
    assert "Make room" in message
    assert desk.state.commands["run"].enabled


def test_a_mistake_of_ours_does_not_leave_the_review_busy(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.settle()
    monkeypatch.setattr(desk.scene, "show", lambda _: 1 / 0)
    desk.review.run()
    with pytest.raises(ZeroDivisionError):
        desk.settle()
    desk.settle()
    assert desk.state.work is None
    assert desk.state.commands["run"].enabled


def test_what_is_not_installed_is_why_nothing_runs(desk: Desk) -> None:
    desk.settle()
    desk.review.missing = Message("PyTorch is not installed.")
    desk.settle()
    assert desk.why("run") == "PyTorch is not installed."


# Correction.


def test_an_edit_is_out_of_date_at_once_and_volumes_follow(desk: Desk) -> None:
    desk.analysed()
    assert "up to date" in desk.why("reassess")
    assert "network's own" in desk.why("restore")
    desk.scene.paint(labels(et=100))
    assert desk.state.out_of_date
    desk.settle()
    rows = {str(row.name): row for row in desk.state.measures}
    volume = rows["Enhancing tumour (ET)"]
    assert (volume.value, volume.before, volume.current) == ("0.2", "0.0", True)
    assert not rows["Diameters of the enhancing tumour"].current
    assert desk.state.commands["reassess"].enabled


def test_reassess_takes_the_corrected_mask_and_says_what_changed(desk: Desk) -> None:
    desk.analysed()
    desk.scene.paint(labels(et=100))
    desk.review.reassess()
    desk.settle()
    (job,) = jobs_of(desk.worker, Reassess)
    (run,) = jobs_of(desk.worker, Analyze)
    assert job.analysis == run
    state = desk.state
    assert (state.out_of_date, state.corrected) == (False, True)
    assert "ET: 4 voxels added, 0 removed." in [str(line) for line in state.audit]
    assert "TC 0.800" in str(state.audit[-1])
    assert len(jobs_of(desk.worker, Analyze)) == 1


def test_painting_on_during_a_reassessment_stays_out_of_date(desk: Desk) -> None:
    desk.analysed()
    desk.scene.paint(labels(et=50))
    desk.worker.waits = True
    desk.review.reassess()
    settle(desk.review, desk.clock, on_worker)
    desk.scene.paint(labels(et=60))
    desk.worker.waits = False
    desk.settle()
    assert desk.state.corrected
    assert desk.state.out_of_date
    assert desk.scene.current is not None
    assert int((desk.scene.current.array == 3).sum()) == 60


def test_a_failed_reassessment_keeps_the_edit(desk: Desk) -> None:
    desk.analysed()
    painted = labels(et=50)
    desk.scene.paint(painted)
    desk.worker.failure = failed(FailureReason.CRASH, "It crashed.")
    desk.review.reassess()
    desk.settle()
    assert desk.scene.current is painted
    assert desk.state.out_of_date
    assert desk.state.commands["reassess"].enabled


def test_the_network_s_mask_comes_back(desk: Desk) -> None:
    desk.analysed()
    own = desk.scene.current
    desk.scene.paint(labels(et=50))
    desk.review.reassess()
    desk.settle()
    desk.review.restore_network_mask()
    desk.settle()
    assert desk.scene.current is own
    assert (desk.state.corrected, desk.state.out_of_date) == (False, False)
    assert desk.state.audit == ()


def test_new_facts_make_the_result_out_of_date(desk: Desk) -> None:
    desk.analysed()
    desk.review.set_facts(ClinicalFacts(70.0, "F", kps=80))
    assert desk.state.out_of_date
    desk.review.reassess()
    desk.settle()
    assert jobs_of(desk.worker, Reassess)[0].facts == {"age_years": 70.0, "sex": "F", "kps": 80}
    assert not desk.state.out_of_date


def test_it_reassesses_by_itself_where_that_is_wished(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.review.close()
    desk.review = desk.open(reassess_after_s=2.0)
    desk.analysed()
    desk.scene.paint(labels(et=9))
    settle(desk.review, desk.clock)
    assert jobs_of(desk.worker, Reassess) == []
    desk.clock.now_s += 2.0
    desk.settle()
    assert len(jobs_of(desk.worker, Reassess)) == 1


def test_a_deleted_segmentation_is_said(desk: Desk) -> None:
    desk.analysed()
    desk.scene.current = None
    desk.scene.change(SceneChange.MASK_REMOVED)
    desk.settle()
    assert "deleted" in str(desk.state.outcome and desk.state.outcome.message)


# A scene that is opened again.


def test_a_reopened_case_can_be_corrected_without_the_network(desk: Desk) -> None:
    desk.analysed()
    desk.scene.paint(labels(et=9))
    desk.review.close()
    review = desk.review = desk.open()
    desk.settle()
    assert review.state.has_result
    assert review.state.out_of_date
    assert jobs_of(desk.worker, Inspect) == jobs_of(desk.worker, Inspect)[:1]
    review.reassess()
    desk.settle()
    (run,) = jobs_of(desk.worker, Analyze)
    (job,) = jobs_of(desk.worker, Reassess)
    assert job.analysis.job == run.job
    assert job.analysis.study != run.study
    assert Path(job.analysis.study).is_dir()
    assert review.state.corrected


def test_a_reopened_case_without_its_images_says_so(desk: Desk) -> None:
    desk.analysed()
    desk.scene.paint(labels(et=9))
    desk.review.close()
    desk.scene.loaded.clear()
    desk.review = desk.open()
    desk.settle()
    desk.review.reassess()
    desk.settle()
    assert "is gone" in str(desk.state.outcome and desk.state.outcome.message)
    assert desk.state.out_of_date


# Output.

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
