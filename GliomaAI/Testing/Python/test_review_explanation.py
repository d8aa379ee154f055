"""Explain in a review: asked for, shown, out of date, taken away; what is missing is said."""

import json
from pathlib import Path
from typing import Any

import pytest
from review_desk import Desk
from review_fakes import ANSWERS, NETWORK, failed, jobs_of, labels, settle

from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.review.export import ExportRequest
from GliomaAILib.review.risk import risk_view
from GliomaAILib.worker.protocol import FailureReason, Reassess, decode, encode


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An analysed case whose pack has heads."""
    desk = Desk(tmp_path)
    desk.worker.more = {"network": NETWORK, "not_estimated": {}}
    return desk.analysed()


def explained(desk: Desk) -> Desk:
    desk.review.explain()
    desk.settle()
    assert desk.state.document["explanation"], desk.state.outcome
    return desk


def explanation_of(desk: Desk) -> Any:
    return risk_view(desk.state).explanation


def test_explain_goes_to_the_worker_and_into_the_scene(desk: Desk) -> None:
    assert desk.state.commands["explain"].enabled
    assert "each sequence" in str(desk.state.commands["explain"].why)
    explained(desk)
    (job,) = jobs_of(desk.worker, Reassess)
    assert job.explain
    assert decode(encode(job)) == job
    assert tuple(one.answer for one in desk.scene.saliency) == ANSWERS
    assert desk.scene.saliency[0].words == "IDH mutant"
    view = explanation_of(desk)
    assert [str(one.title) for one in view.answers] == [
        "IDH mutant: 60 %, 40 % without images",
        "Log-risk +0.40, +0.40 without images",
    ]
    assert [bar.share for bar in view.answers[0].bars] == [1.0, pytest.approx(-1 / 3)]
    assert desk.why("explain") == "The answers are explained already."
    assert not desk.state.out_of_date


def test_an_edit_makes_it_out_of_date_and_reassess_takes_it_away(desk: Desk) -> None:
    explained(desk)
    desk.scene.paint(labels(et=9))
    desk.settle()
    assert "Out of date" in str(explanation_of(desk).lines[0])
    assert desk.state.commands["explain"].enabled
    desk.review.reassess()
    desk.settle()
    assert not jobs_of(desk.worker, Reassess)[-1].explain
    assert explanation_of(desk) is None
    assert desk.scene.saliency == ()
    assert desk.state.commands["explain"].enabled


def test_explain_assesses_the_corrected_mask_first(desk: Desk) -> None:
    desk.scene.paint(labels(et=9))
    desk.settle()
    explained(desk)
    assert desk.state.corrected
    assert not desk.state.out_of_date
    assert desk.scene.saliency


def test_restoring_the_mask_takes_it_away(desk: Desk) -> None:
    desk.scene.paint(labels(et=9))
    desk.settle()
    explained(desk)
    desk.review.restore_network_mask()
    desk.settle()
    assert explanation_of(desk) is None
    assert desk.scene.saliency == ()


def test_cancel_and_failure_change_nothing(desk: Desk) -> None:
    before = desk.scene.kept
    desk.worker.waits = True
    desk.review.explain()
    settle(desk.review, desk.clock, lambda state: bool(state.work and state.work.fraction))
    assert "Explaining" in str(desk.state.work and desk.state.work.title)
    assert desk.why("explain") == str(desk.state.work and desk.state.work.title)
    desk.review.cancel()
    desk.settle()
    assert desk.scene.kept == before
    assert desk.scene.saliency == ()
    desk.worker.waits = False
    desk.worker.failure = failed(FailureReason.MEMORY, "not enough memory to explain")
    desk.review.explain()
    desk.settle()
    assert "not enough memory" in str(desk.state.outcome and desk.state.outcome.message)
    assert desk.scene.kept == before
    assert desk.state.commands["explain"].enabled


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({}, "choose a multi-task pack in the settings"),
        ({"network": None, "not_estimated": {}}, "choose a multi-task pack in the settings"),
        (
            {"network": None, "not_estimated": {"network": "No tumour was found."}},
            "Nothing to explain: No tumour was found.",
        ),
    ],
)
def test_what_is_missing_is_said(tmp_path: Path, more: dict[str, Any], why: str) -> None:
    desk = Desk(tmp_path)
    assert "run the analysis first" in desk.why("explain")
    desk.worker.more = more
    desk.analysed()
    assert why in desk.why("explain")
    desk.review.explain()
    desk.settle()
    assert jobs_of(desk.worker, Reassess) == []


def test_a_map_that_was_left_out_is_not_in_the_scene(desk: Desk) -> None:
    from review_fakes import answer

    explained(desk)
    explanation = {"answers": [answer("risk", "risk", None, has_map=False)], "notes": ["No map."]}
    view = risk_view(
        type(desk.state)(has_result=True, document={"explanation": explanation})
    ).explanation
    assert view is not None
    assert view.maps == ()
    assert len(view.answers[0].bars) == 2


def test_an_export_has_the_maps_and_a_scene_that_was_opened_is_explained_again(
    desk: Desk, tmp_path: Path
) -> None:
    explained(desk)
    desk.review.export(ExportRequest(tmp_path / "out", "one", ("json", "nifti")))
    desk.settle()
    names = {file.name for file in (tmp_path / "out" / "one").iterdir()}
    assert {"saliency_idh_mutant.nii.gz", "saliency_risk.nii.gz"} <= names
    desk.review.close()
    desk.review = desk.open()
    desk.settle()
    desk.review.export(ExportRequest(tmp_path / "out", "two", ("json",)))
    desk.settle()
    assert jobs_of(desk.worker, Reassess)[-1].explain
    written = json.loads((tmp_path / "out" / "two" / "assessment.json").read_text("utf-8"))
    assert written["explanation"]
    names = {file.name for file in (tmp_path / "out" / "two").iterdir()}
    assert not any(name.startswith("saliency") for name in names)


def test_what_is_out_of_date_is_not_explained_again_by_an_export(
    desk: Desk, tmp_path: Path
) -> None:
    explained(desk)
    desk.review.set_facts(ClinicalFacts(50.0))
    desk.review.export(ExportRequest(tmp_path / "out", "one", ("json",)))
    desk.settle()
    assert not jobs_of(desk.worker, Reassess)[-1].explain
