"""The real worker on a real study: analysis, correction, cancelling, and what it leaves behind."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from estimate_makers import write_packs
from jsonschema import validate
from worker_helpers import heard, outcome

from gliomaai_training.cohorts.manifest import read_manifest
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.vocabulary import Label
from GliomaAILib.models import MODELS_VARIABLE
from GliomaAILib.output.document import schema
from GliomaAILib.raw_volume import RawVolume, read_raw, write_raw
from GliomaAILib.worker.client import Worker
from GliomaAILib.worker.protocol import (
    Analyze,
    Cancelled,
    Event,
    Failed,
    FailureReason,
    Finished,
    Inspect,
    Reassess,
    SaveTrainingCase,
    StageProgress,
)

STRIPPED = {"preparation": {"brain_mask": "stripped"}}


@pytest.fixture(scope="module")
def worker(oedema_packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker whose network finds oedema everywhere, with models of made-up patients."""
    folder = tmp_path_factory.mktemp("packs") / "packs"
    shutil.copytree(oedema_packs, folder)
    write_packs(folder)
    packs = {MODELS_VARIABLE: str(folder)}
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
    worker.submit(analysis(job, study, out))
    return outcome(worker, seconds=300)


def analysis(job: str, study: Path, out: Path) -> Analyze:
    return Analyze(job, str(study), str(out), options=STRIPPED, facts={"kps": 90})


def read(folder: Path) -> dict[str, Any]:
    """The document of a result, which must follow its schema."""
    document: dict[str, Any] = json.loads((folder / "assessment.json").read_text("utf-8"))
    validate(document, schema())
    return document


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
    labels, uncertainty = (read_raw(Path(finished.files[n])) for n in ("labels", "uncertainty"))
    assert np.array_equal(labels.array, sitk.GetArrayFromImage(mask))
    assert labels.same_grid(uncertainty)
    assert np.allclose(labels.ijk_to_ras, Grid.of(mask).ijk_to_ras)
    assert uncertainty.array.dtype == np.uint8
    assert 0 < uncertainty.array.max() <= 200
    write_raw(RawVolume(array, labels.ijk_to_ras), file := tmp_path / "corrigé.nrrd")

    asked = analysis("a1", flair, tmp_path / "first")
    network, out = finished.files["labels"], str(tmp_path / "second")
    facts = {"kps": 70, "sex": "F", "age_years": 50.0}
    worker.submit(Reassess("r1", asked, network, str(file), out, facts))
    finished = outcome(worker)[-1]
    assert isinstance(finished, Finished)
    again = sitk.GetArrayFromImage(sitk.ReadImage(finished.files["segmentation"]))
    assert np.array_equal(again, array)
    before, after = (read(tmp_path / name) for name in ("first", "second"))
    assert (before["facts"]["kps"], after["facts"]["kps"]) == (90, 70)
    assert (before["facts"]["sex"], after["facts"]["sex"]) == (None, "F")
    assert before["correction"] is None
    assert after["correction"]["removed_voxels"]["ED"] > 0
    assert after["measures"]["volumes_ml"]["ED"] < before["measures"]["volumes_ml"]["ED"]
    assert "corrected by hand" in (tmp_path / "second" / "report.html").read_text("utf-8")
    assert before["prognosis"] is None
    assert "Without age and sex" in before["not_estimated"]["prognosis"]
    clinical, imaging = after["prognosis"]["estimates"]
    assert clinical["model"]["name"] == "Before surgery with performance"
    volume = next(one for one in imaging["moved"] if one["name"] == "wt_ml")
    assert float(volume["value"].split()[0]) == pytest.approx(
        after["measures"]["volumes_ml"]["WT"], rel=1e-3
    )
    assert after["diagnosis"]["model"]["pack"] == "diagnosis"
    assert {"diagnosis", "prognosis"} <= {one["name"] for one in after["provenance"]["model_packs"]}


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
    asked, network = analysis("a4", flair, tmp_path / "out"), str(tmp_path / "out" / "labels.nrrd")
    for file, words in ((other, "belongs to this study"), (flair, "cannot be read")):
        worker.submit(Reassess("r4", asked, network, str(file), str(tmp_path / "again")))
        failed = outcome(worker)[-1]
        assert isinstance(failed, Failed)
        assert failed.reason is FailureReason.INPUT
        assert words in failed.message
    worker.submit(Reassess("r5", asked, network, network, str(tmp_path / "again")))
    assert isinstance(outcome(worker)[-1], Finished)


@dataclass(frozen=True)
class Earlier:
    """What a scene keeps of an analysis, and a correction of its mask."""

    asked: Analyze
    document: dict[str, Any]
    network: str
    drawn: RawVolume
    corrected: RawVolume
    mask: str


@pytest.fixture
def earlier(worker: Worker, flair: Path, tmp_path: Path) -> Earlier:
    finished = analysed(worker, "a6", flair, tmp_path / "first")[-1]
    assert isinstance(finished, Finished)
    network = finished.files["labels"]
    drawn = read_raw(Path(network))
    array = drawn.array.copy()
    array[: len(array) // 2] = 0
    corrected = RawVolume(array, drawn.ijk_to_ras)
    write_raw(corrected, mask := tmp_path / "mask.nrrd")
    asked = analysis("a6", flair, tmp_path / "first")
    return Earlier(asked, read(tmp_path / "first"), network, drawn, corrected, str(mask))


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[Worker]:
    """A worker that did not analyse the study, and has no segmentation pack to do so."""
    empty = tmp_path / "no packs"
    empty.mkdir()
    worker = Worker([sys.executable, "-m", "GliomaAILib.worker"], {MODELS_VARIABLE: str(empty)})
    yield worker
    worker.close()


def test_a_forgotten_study_is_restored_without_a_network(
    forgetful: Worker, earlier: Earlier, tmp_path: Path
) -> None:
    origin = earlier.document["provenance"]
    for name, file in (("same", earlier.network), ("less", earlier.mask)):
        out = str(tmp_path / name)
        job = Reassess(name, earlier.asked, earlier.network, file, out, {}, origin)
        forgetful.submit(job)
        events = outcome(forgetful, seconds=300)
        assert isinstance(events[-1], Finished), events[-1]
        stages = {event.stage for event in events if isinstance(event, StageProgress)}
        assert "segmentation" not in stages
        assert ("reading" in stages) == (name == "same")  # the second time it is remembered
    same, less = read(tmp_path / "same"), read(tmp_path / "less")
    assert same["segmentation"] == earlier.document["segmentation"]
    assert same["provenance"]["model_packs"] == origin["model_packs"]
    assert origin["engine"] in same["provenance"]["engine"]
    assert "restored" in same["provenance"]["engine"]
    removed = int((earlier.drawn.array > 0).sum() - (earlier.corrected.array > 0).sum())
    assert less["correction"]["removed_voxels"]["ED"] == removed > 0
    assert less["facts"]["kps"] is None


def test_a_restored_study_can_teach(forgetful: Worker, earlier: Earlier, tmp_path: Path) -> None:
    reassessment = Reassess("t1", earlier.asked, earlier.network, earlier.mask, "")
    case = SaveTrainingCase("t1", reassessment, str(tmp_path / "cohort"), "case 1")
    forgetful.submit(case)
    assert isinstance(outcome(forgetful, seconds=300)[-1], Finished)
    (saved,) = read_manifest(tmp_path / "cohort" / "patients.csv", "own")
    assert set(saved.sequences) == {"flair"}
    assert saved.segmentation is not None
    forgetful.submit(case)
    refused = outcome(forgetful)[-1]
    assert isinstance(refused, Failed)
    assert refused.reason is FailureReason.INPUT
    assert "already" in refused.message


def test_a_mask_of_another_study_restores_nothing(
    forgetful: Worker, earlier: Earlier, tmp_path: Path
) -> None:
    wrong = tmp_path / "wrong.nrrd"
    write_raw(RawVolume(earlier.drawn.array[1:], earlier.drawn.ijk_to_ras), wrong)
    out = tmp_path / "none"
    forgetful.submit(Reassess("r7", earlier.asked, str(wrong), earlier.mask, str(out)))
    refused = outcome(forgetful, seconds=300)[-1]
    assert isinstance(refused, Failed)
    assert "belongs to this study" in refused.message
    assert not out.exists()


def test_an_inspection_through_the_worker(worker: Worker, flair: Path, tmp_path: Path) -> None:
    worker.submit(Inspect("i1", str(flair), str(tmp_path / "volumes")))
    finished = outcome(worker)[-1]
    assert isinstance(finished, Finished)
    assert finished.found["taken"] == {"flair": 1}
    image = sitk.ReadImage(str(flair / "flair.nii.gz"))
    raw = read_raw(Path(finished.files["1"]))
    assert np.array_equal(raw.array, sitk.GetArrayFromImage(image))
    assert np.allclose(raw.ijk_to_ras, Grid.of(image).ijk_to_ras, atol=1e-4)


def test_impossible_facts_are_told_before_anything_is_read(worker: Worker, tmp_path: Path) -> None:
    worker.submit(Analyze("a8", str(tmp_path), str(tmp_path / "out"), facts={"kps": 33}))
    failed = outcome(worker)[-1]
    assert isinstance(failed, Failed)
    assert failed.reason is FailureReason.INPUT
    assert "kps is 33" in failed.message
