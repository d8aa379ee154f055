"""A run in the review of a case: progress, cancel, failures, and what is left afterwards."""

import pytest
from review_desk import Desk
from review_fakes import (
    failed,
    jobs_of,
    labels,
    on_worker,
    settle,
)

from gliomaai_training.findings import Severity
from GliomaAILib.review.message import Message
from GliomaAILib.scene.port import SceneChange
from GliomaAILib.worker.protocol import (
    Analyze,
    FailureReason,
)


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
