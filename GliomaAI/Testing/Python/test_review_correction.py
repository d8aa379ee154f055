"""Corrections in the review of a case: nothing that a user does loses an edit."""

from pathlib import Path

from review_desk import Desk
from review_fakes import (
    failed,
    jobs_of,
    labels,
    on_worker,
    settle,
)

from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.scene.port import SceneChange
from GliomaAILib.worker.protocol import (
    Analyze,
    FailureReason,
    Inspect,
    Reassess,
)


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
