"""What the worker tells of a study before anybody analyses it."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from intake_makers import SeriesRecipe, head, write_head, write_series, write_study

from gliomaai_training.progress import Cancelled, silent
from GliomaAILib.intake.errors import StudyError
from GliomaAILib.intake.study import read_study
from GliomaAILib.raw_volume import read_raw
from GliomaAILib.worker.inspection import inspected
from GliomaAILib.worker.protocol import Inspect, decode, encode

TWO_FILES = {"t1.nii.gz": "t1", "flair.nii.gz": "flair"}


def test_files_are_told_with_what_would_be_taken(tmp_path: Path) -> None:
    write_study(tmp_path, TWO_FILES)
    (tmp_path / "flair.json").write_text('{"PatientAge": 54, "PatientSex": "F"}')
    finished = inspected(Inspect("i1", str(tmp_path)), silent)
    found = finished.found
    assert finished.files == {}
    assert {one["file"]: one["sequence"] for one in found["candidates"]} == TWO_FILES
    assert found["question"] is None
    numbers = {one["sequence"]: one["number"] for one in found["candidates"]}
    assert found["taken"] == numbers
    assert found["facts"] == {"age_years": 54, "sex": "F"}
    assert {f["code"] for f in found["findings"]} == {"intake.missing_sequence"}
    assert found["findings"][0]["severity"] == "warning"
    for one in found["candidates"]:
        assert 0.7 < one["confidence"] <= 1
        assert one["evidence"]
        assert one["series_uid"] is None
    assert decode(encode(finished)) == finished


def test_an_inspection_agrees_with_reading(tmp_path: Path) -> None:
    write_study(tmp_path, TWO_FILES)
    found = inspected(Inspect("i1", str(tmp_path)), silent).found
    case = read_study(tmp_path)
    assert set(found["taken"]) == set(case.sequences)
    assert [f["message"] for f in found["findings"]] == [f.message for f in case.findings]
    names = {one["number"]: one["name"] for one in found["candidates"]}
    for sequence, number in found["taken"].items():
        assert names[number] == case.sources[sequence].description
        chosen = read_study(tmp_path, {sequence: str(number)})
        assert chosen.sources[sequence].sha256 == case.sources[sequence].sha256


def test_a_question_does_not_fail_an_inspection(tmp_path: Path) -> None:
    write_study(tmp_path, {"flair_1.nii.gz": "flair", "flair_2.nii.gz": "flair"})
    found = inspected(Inspect("i1", str(tmp_path)), silent).found
    assert "could be flair" in found["question"]
    assert "--" not in found["question"]
    assert found["taken"] == {}
    assert [one["sequence"] for one in found["candidates"]] == ["flair", "flair"]


def test_usable_volumes_are_written_as_they_lie(tmp_path: Path) -> None:
    study = write_study(tmp_path / "étude", TWO_FILES)
    sitk.WriteImage(sitk.Image(9, 9, 9, sitk.sitkUInt8), str(study / "mask.nii.gz"))
    out = tmp_path / "out"
    finished = inspected(Inspect("i1", str(study), str(out)), silent)
    assert set(finished.files) == {"1", "2"}
    assert {path.name for path in out.iterdir()} == {"1.nrrd", "2.nrrd"}
    for one in finished.found["candidates"]:
        raw = read_raw(Path(finished.files[str(one["number"])]))
        image = sitk.ReadImage(str(study / one["file"]))
        assert np.array_equal(raw.array, sitk.GetArrayFromImage(image))
        again = sitk.ReadImage(finished.files[str(one["number"])])
        assert again.GetOrigin() == pytest.approx(image.GetOrigin(), abs=1e-4)
        assert again.GetDirection() == pytest.approx(image.GetDirection())


def test_dicom_series_are_told_without_identifiers(tmp_path: Path) -> None:
    patient = {"PatientName": "Doe^Jane", "PatientID": "4711x"}
    recipe = SeriesRecipe("AX FLAIR Doe", patient=patient, tags={"PatientAge": "061Y"})
    write_series(tmp_path / "Doe", head("flair"), recipe)
    found = inspected(Inspect("i1", str(tmp_path)), silent).found
    text = json.dumps(found)
    assert "Doe" not in text
    assert "4711" not in text
    assert found["candidates"][0]["series_uid"]
    assert found["facts"]["age_years"] == 61


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no image"):
        inspected(Inspect("i1", str(tmp_path)), silent)


@pytest.mark.parametrize("stage", ["reading", "volumes"])
def test_a_cancelled_inspection_leaves_nothing(tmp_path: Path, stage: str) -> None:
    write_head(tmp_path / "study" / "flair.nii.gz", "flair")

    def cancel(name: str, share: float) -> None:
        if name == stage and share >= 1:
            raise Cancelled

    job = Inspect("i1", str(tmp_path / "study"), str(tmp_path / "out"))
    with pytest.raises(Cancelled):
        inspected(job, cancel)
    assert [path.name for path in tmp_path.iterdir()] == ["study"]
