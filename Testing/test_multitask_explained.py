"""An explanation by the command line and by the worker: given, refused, kept, cancelled."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from jsonschema import validate
from multitask_makers import UNIFIED, finds_oedema, settings_of, write_multitask_pack

from gliomaai_training.progress import Cancelled, Progress, silent
from gliomaai_training.vocabulary import Label
from GliomaAILib.assessment.explanation import NO_HEADS, NO_TUMOUR
from GliomaAILib.cli import ExitCode, main
from GliomaAILib.models import MODELS_VARIABLE
from GliomaAILib.output.document import schema
from GliomaAILib.raw_volume import RawVolume, read_raw, write_raw
from GliomaAILib.worker.jobs import Jobs
from GliomaAILib.worker.protocol import Analyze, Finished, Reassess

STRIPPED = {"preparation": {"brain_mask": "stripped"}}
STAGES = ("importance of sequences", "saliency", "sanity check")


def finds_nothing() -> dict[str, torch.Tensor]:
    """Weights with which the network draws background everywhere."""
    weights = finds_oedema()
    logits = weights["local.head.bias"].reshape(len(Label), -1)
    return {**weights, "local.head.bias": logits.roll(-int(Label.ED), 0).flatten()}


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Packs with a risk head on coarse voxels: one finds oedema everywhere, one finds nothing."""
    folder = tmp_path_factory.mktemp("packs")
    network = {**UNIFIED, "tasks": ["risk"]}
    settings = settings_of(network, voxel_mm=4.0, prior={"risk": 0.1})
    write_multitask_pack(folder / "segmentation", settings, finds_oedema())
    write_multitask_pack(folder / "healthy", settings, finds_nothing())
    return folder


@pytest.fixture(scope="module")
def flair(patient: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    study = tmp_path_factory.mktemp("study")
    shutil.copy(patient / "flair.nii.gz", study)
    return study


def document_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "assessment.json").read_text("utf-8"))
    validate(document, schema())
    return document


def analyze(study: Path, out: Path, model: Path) -> int:
    options = ["--brain-mask", "stripped", "--explain", "--model", str(model)]
    return main(["analyze", str(study), "--out", str(out), *options])


# The command line


def test_the_command_line_explains(
    flair: Path, packs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert analyze(flair, out, packs / "segmentation") == ExitCode.OK
    said = capsys.readouterr()
    assert "Explanation, risk log-risk" in said.out
    assert "explanation" in said.err  # in the table of times
    document = document_of(out)
    (answer,) = document["explanation"]["answers"]
    assert document["explanation"]["sequences"] == ["flair"]
    assert answer["output"] == pytest.approx(document["network"]["log_risk"], abs=2e-3)
    assert (out / answer["saliency"]["file"]).is_file()
    assert document["provenance"]["timings_s"]["explanation"] > 0
    assert "Saliency of “risk”" in (out / "report.html").read_text("utf-8")


def test_a_segmentation_pack_is_refused_before_the_work(
    flair: Path, oedema_packs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert analyze(flair, out, oedema_packs / "segmentation") == ExitCode.ERROR
    said = capsys.readouterr().err
    assert NO_HEADS in said
    assert "reading" not in said
    assert not out.exists()


def test_without_a_tumour_the_result_says_why(
    flair: Path, packs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert analyze(flair, out, packs / "healthy") == ExitCode.OK
    assert f"Explanation: {NO_TUMOUR}" in capsys.readouterr().out
    document = document_of(out)
    assert document["explanation"] is None
    assert document["not_estimated"]["explanation"] == NO_TUMOUR


# The worker


@pytest.fixture(scope="module")
def jobs(packs: Path) -> Iterator[Jobs]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MODELS_VARIABLE, str(packs))
        yield Jobs()


class Case:
    """A study that was analysed, and half of its mask."""

    def __init__(self, jobs: Jobs, study: Path, folder: Path) -> None:
        self.folder = folder
        self.job = Analyze("a1", str(study), str(folder / "first"), options=STRIPPED)
        self.mask = jobs(self.job, silent).files["labels"]
        drawn = read_raw(Path(self.mask))
        array = drawn.array.copy()
        array[: len(array) // 2] = 0
        self.half = str(folder / "half.nrrd")
        write_raw(RawVolume(array, drawn.ijk_to_ras), Path(self.half))

    def again(self, name: str, mask: str, explain: bool = False, **facts: object) -> Reassess:
        out = str(self.folder / name)
        return Reassess(name, self.job, self.mask, mask, out, facts, {}, explain)


@pytest.fixture(scope="module")
def case(jobs: Jobs, flair: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    return Case(jobs, flair, tmp_path_factory.mktemp("case"))


@pytest.fixture(scope="module")
def explained(jobs: Jobs, case: Case) -> Finished:
    return jobs(case.again("explained", case.mask, explain=True), silent)


def stages_of(jobs: Jobs, job: Reassess) -> set[str]:
    heard: set[str] = set()
    jobs(job, lambda stage, _: heard.add(stage))
    return heard


def test_the_worker_gives_maps_for_the_scene(explained: Finished, case: Case) -> None:
    file = Path(explained.files["saliency:risk"])
    assert file.parent == case.folder / "explained"
    volume, mask = read_raw(file), read_raw(Path(case.mask))
    assert volume.array.shape == mask.array.shape
    assert volume.array.dtype.name == "uint8"
    assert document_of(file.parent)["explanation"]["answers"][0]["answer"] == "risk"


def test_other_facts_leave_the_explanation_as_it_is(
    jobs: Jobs, case: Case, explained: Finished
) -> None:
    stages = stages_of(jobs, case.again("facts", case.mask, idh="mutant"))
    assert stages & set(STAGES) == set()
    before, after = (document_of(case.folder / name) for name in ("explained", "facts"))
    assert after["explanation"]["answers"] == before["explanation"]["answers"]
    assert "What tissue told plays no part" in after["explanation"]["notes"][-1]


def test_another_mask_is_explained_when_asked_only(
    jobs: Jobs, case: Case, explained: Finished
) -> None:
    assert stages_of(jobs, case.again("half", case.half)) & set(STAGES) == set()
    assert document_of(case.folder / "half")["explanation"] is None
    assert stages_of(jobs, case.again("half2", case.half, explain=True)) >= set(STAGES)
    before, after = (document_of(case.folder / name) for name in ("explained", "half2"))
    outputs = [one["explanation"]["answers"][0]["output"] for one in (before, after)]
    assert outputs[0] != outputs[1]
    assert outputs[1] == pytest.approx(after["network"]["log_risk"], abs=2e-3)


def test_a_forgetful_worker_explains_from_the_kept_features(
    packs: Path, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(packs))
    job = replace(case.again("later", case.mask, explain=True))
    Jobs()(replace(job, analysis=replace(case.job, job="forgotten")), silent)
    assert document_of(case.folder / "later")["explanation"]["answers"]


@pytest.mark.parametrize("stage", STAGES)
def test_cancel_leaves_nothing(jobs: Jobs, case: Case, stage: str) -> None:
    def stop(at: str) -> Progress:
        def progress(now: str, fraction: float) -> None:
            if now == at:
                raise Cancelled

        return progress

    drawn = read_raw(Path(case.mask))
    array = drawn.array.copy()
    array[:, : array.shape[1] // 3] = 0
    mask = case.folder / "other.nrrd"
    write_raw(RawVolume(array, drawn.ijk_to_ras), mask)
    with pytest.raises(Cancelled):
        jobs(case.again("cancelled", str(mask), explain=True), stop(stage))
    assert not (case.folder / "cancelled").exists()
