"""The real worker on a real study: analysis, correction, cancelling, and what it leaves behind."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from jsonschema import validate
from worker_helpers import heard, outcome

from gliomaai_training.vocabulary import Label
from GliomaAILib.models import MODELS_VARIABLE
from GliomaAILib.output.document import schema
from GliomaAILib.worker.client import Worker
from GliomaAILib.worker.protocol import (
    Analyze,
    Cancelled,
    Event,
    Failed,
    FailureReason,
    Finished,
    Reassess,
    StageProgress,
)

STRIPPED = {"preparation": {"brain_mask": "stripped"}}


@pytest.fixture(scope="module")
def worker(oedema_packs: Path) -> Iterator[Worker]:
    """A worker whose network finds oedema everywhere."""
    packs = {MODELS_VARIABLE: str(oedema_packs)}
    worker = Worker([sys.executable, "-m", "GliomaAILib.worker"], packs)
    yield worker
    worker.close()


@pytest.fixture
def flair(patient: Path, tmp_path: Path) -> Path:
    """A study of one sequence, in a folder with blanks and other letters than ASCII."""
    study = tmp_path / "Étude n° 1"
    study.mkdir()
    (study / "flair.nii.gz").write_bytes((patient / "flair.nii.gz").read_bytes())
    return study


def analysed(worker: Worker, job: str, study: Path, out: Path) -> list[Event]:
    worker.submit(Analyze(job, str(study), str(out), options=STRIPPED))
    return outcome(worker, seconds=300)


def test_analysis_correction_and_both_results(worker: Worker, flair: Path, tmp_path: Path) -> None:
    events = analysed(worker, "a1", flair, tmp_path / "first")
    finished = events[-1]
    assert isinstance(finished, Finished)
    stages = [e.stage for e in events if isinstance(e, StageProgress)]
    assert {"reading", "segmentation", "measures", "write results"} <= set(stages)

    mask = sitk.ReadImage(finished.files["segmentation"])
    array = sitk.GetArrayFromImage(mask)
    assert (array == Label.ED).any()
    array[: len(array) // 2] = 0
    corrected = sitk.GetImageFromArray(array)
    corrected.CopyInformation(mask)
    file = tmp_path / "corrigé.nrrd"
    sitk.WriteImage(corrected, str(file))
    worker.submit(Reassess("r1", "a1", str(file), str(tmp_path / "second")))
    finished = outcome(worker)[-1]
    assert isinstance(finished, Finished)
    again = sitk.GetArrayFromImage(sitk.ReadImage(finished.files["segmentation"]))
    assert np.array_equal(again, array)
    before, after = (
        json.loads((tmp_path / name / "assessment.json").read_text("utf-8"))
        for name in ("first", "second")
    )
    validate(after, schema())
    assert before["correction"] is None
    assert after["correction"]["removed_voxels"]["ED"] > 0
    assert after["measures"]["volumes_ml"]["ED"] < before["measures"]["volumes_ml"]["ED"]
    assert "corrected by hand" in (tmp_path / "second" / "report.html").read_text("utf-8")


def test_a_cancelled_analysis_leaves_nothing(worker: Worker, flair: Path, tmp_path: Path) -> None:
    out = tmp_path / "results" / "out"
    worker.submit(Analyze("a2", str(flair), str(out), options=STRIPPED))
    heard(worker)
    worker.cancel()
    assert outcome(worker)[-1] == Cancelled("a2")
    assert not list(tmp_path.glob("results/**/*"))


def test_a_choice_is_asked_for(worker: Worker, flair: Path, tmp_path: Path) -> None:
    image = sitk.ReadImage(str(flair / "flair.nii.gz")) + 1.0
    sitk.WriteImage(image, str(flair / "flair 2.nii.gz"))
    failed = analysed(worker, "a3", flair, tmp_path / "out")[-1]
    assert isinstance(failed, Failed)
    assert failed.reason is FailureReason.CHOICE
    assert "flair 2.nii.gz" in failed.message
    assert not (tmp_path / "out").exists()


def test_a_wrong_mask_is_refused_and_the_study_stays(
    worker: Worker, flair: Path, tmp_path: Path
) -> None:
    assert isinstance(analysed(worker, "a4", flair, tmp_path / "out")[-1], Finished)
    other = tmp_path / "other.nrrd"
    sitk.WriteImage(sitk.Image(5, 5, 5, sitk.sitkUInt8), str(other))
    for file, words in ((other, "belongs to this study"), (flair, "cannot be read")):
        worker.submit(Reassess("r4", "a4", str(file), str(tmp_path / "again")))
        failed = outcome(worker)[-1]
        assert isinstance(failed, Failed)
        assert failed.reason is FailureReason.INPUT
        assert words in failed.message
    worker.submit(Reassess("r5", "a4", str(tmp_path / "out/segmentation.nii.gz"), str(tmp_path)))
    assert isinstance(outcome(worker)[-1], Finished)
