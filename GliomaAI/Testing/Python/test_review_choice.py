"""The review of a case before a run: what is loaded is recognised, and the user decides."""

from pathlib import Path

import pytest
from review_desk import Desk, taken
from review_fakes import (
    FakeScene,
    found,
    jobs_of,
)

from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.scene.port import LoadedVolume, SceneChange
from GliomaAILib.worker.protocol import (
    Analyze,
    Inspect,
    Simulate,
)


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
