"""A multi-task pack through the command line and the worker: answers, corrections, what is lost."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from estimate_makers import write_packs
from jsonschema import validate
from multitask_makers import UNIFIED, finds_oedema, settings_of, write_multitask_pack

from gliomaai_training.progress import Cancelled, silent
from GliomaAILib.analysis import NEEDS_RUN, OTHER_PACK
from GliomaAILib.assessment.estimates import SIMULATED_ONLY
from GliomaAILib.cli import ExitCode, main
from GliomaAILib.models import MODELS_VARIABLE
from GliomaAILib.output.document import schema
from GliomaAILib.raw_volume import RawVolume, read_raw, write_raw
from GliomaAILib.worker.jobs import Jobs
from GliomaAILib.worker.protocol import Analyze, Reassess
from GliomaAILib.worker.scene_files import FEATURES

STRIPPED = {"preparation": {"brain_mask": "stripped"}}


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packs whose segmentation pack has heads."""
    folder = tmp_path_factory.mktemp("packs")
    settings = settings_of(voxel_mm=1.5, calibration={"tasks": {"state": 1.5}})
    write_multitask_pack(folder / "segmentation", settings, finds_oedema())
    write_packs(folder)
    return folder


@pytest.fixture
def flair(patient: Path, tmp_path: Path) -> Path:
    study = tmp_path / "study"
    study.mkdir()
    (study / "flair.nii.gz").write_bytes((patient / "flair.nii.gz").read_bytes())
    return study


def document_of(folder: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / "assessment.json").read_text("utf-8"))
    validate(document, schema())
    return document


def analyze(study: Path, out: Path, *options: str) -> int:
    return main(["analyze", str(study), "--out", str(out), "--brain-mask", "stripped", *options])


# The command line


def test_the_command_line_gives_diagnosis_and_risk(
    patient: Path,
    packs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(packs))  # models of made-up patients
    out = tmp_path / "out"
    options = ("--model", str(packs / "segmentation"), "--age", "61", "--sex", "F")
    assert analyze(patient, out, *options) == ExitCode.OK
    said = capsys.readouterr().out
    assert "Network alone, diagnosis (model)" in said
    assert "Network alone, log-risk" in said
    assert SIMULATED_ONLY in said
    document = document_of(out)
    network = document["network"]
    assert sum(network["diagnosis"]["states"].values()) == pytest.approx(1, abs=1e-3)
    assert network["survival"]["model"]["inputs"] == "network"
    assert document["diagnosis"]["model"]["pack"] == "diagnosis"
    assert document["prognosis"]["estimates"][0]["model"]["pack"] == "prognosis"
    assert "network.simulated" in [finding["code"] for finding in document["findings"]]
    assert SIMULATED_ONLY in (out / "report.html").read_text("utf-8")
    assert not (out / FEATURES).exists()


def test_tissue_goes_before_the_network(flair: Path, packs: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    options = ("--model", str(packs / "segmentation"), "--idh", "mutant", "--1p19q", "co-deleted")
    assert analyze(flair, out, *options) == ExitCode.OK
    diagnosis = document_of(out)["network"]["diagnosis"]
    assert diagnosis["basis"] == "model and tissue"
    assert {state for state, chance in diagnosis["states"].items() if chance > 0} == {"O2", "O3"}


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"calibration": {"tasks": {"grade": 2.0}}}, "calibration.tasks names grade"),
        ({"cohort": {"words": "somebody"}}, "patients"),
        ({"network": {**UNIFIED, "tasks": ["state", "mgmt"]}}, "tasks.1"),
    ],
)
def test_a_pack_with_wrong_settings_is_refused_before_the_work(
    flair: Path,
    packs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, Any],
    words: str,
) -> None:
    from gliomaai_training.inference.model_pack import load_model_pack, write_model_pack

    good = load_model_pack(packs / "segmentation")
    metadata = {"name": "wrong", "version": "0", "gliomaai": {**good.settings, **settings}}
    write_model_pack(tmp_path / "wrong", metadata, good.weights(), {"docs/README.md": b"#\n"})
    out = tmp_path / "out"
    assert analyze(flair, out, "--model", str(tmp_path / "wrong")) == ExitCode.ERROR
    error = capsys.readouterr().err
    assert "settings of model pack wrong are wrong" in error
    assert words in error
    assert "reading" not in error
    assert not out.exists()


def test_the_packs_are_listed_with_what_their_heads_learnt_from(
    packs: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(packs))
    main(["models"])
    said = capsys.readouterr().out
    assert "heads: state, risk; learnt from 300 made-up patients, n = 300" in said
    assert SIMULATED_ONLY in said


# The worker


@pytest.fixture(scope="module")
def jobs(packs: Path) -> Iterator[Jobs]:
    """What a worker does, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MODELS_VARIABLE, str(packs))
        yield Jobs()


class Case:
    """A study that was analysed, its mask, and half of it."""

    def __init__(self, jobs: Jobs, study: Path, folder: Path) -> None:
        self.folder = folder
        self.job = Analyze("a1", str(study), str(folder / "first"), options=STRIPPED)
        self.network = jobs(self.job, silent).files["labels"]
        self.first = document_of(folder / "first")
        drawn = read_raw(Path(self.network))
        array = drawn.array.copy()
        array[: len(array) // 2] = 0
        write_raw(RawVolume(array, drawn.ijk_to_ras), self.half)

    @property
    def half(self) -> Path:
        return self.folder / "half.nrrd"

    def reassessed(
        self, jobs: Jobs, name: str, mask: Path | str, job: Analyze | None = None
    ) -> dict[str, Any]:
        origin, out = self.first["provenance"], self.folder / name
        asked = self.job if job is None else job
        jobs(Reassess(name, asked, self.network, str(mask), str(out), {}, origin), silent)
        return document_of(out)

    def forgotten(self, **changes: str) -> Analyze:
        """The analysis under a name by which no worker remembers it."""
        return replace(self.job, **{"job": "forgotten", **changes})


@pytest.fixture(scope="module")
def case(jobs: Jobs, patient: Path, tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder = tmp_path_factory.mktemp("case")
    (folder / "study").mkdir()
    shutil.copy(patient / "flair.nii.gz", folder / "study")
    return Case(jobs, folder / "study", folder)


def test_an_unedited_mask_is_answered_alike_and_a_corrected_one_otherwise(
    jobs: Jobs, case: Case
) -> None:
    network = case.first["network"]
    assert 0 < (case.folder / "first" / FEATURES).stat().st_size < 3e6
    assert case.reassessed(jobs, "same", case.network)["network"] == network
    half = case.reassessed(jobs, "half", case.half)
    assert half["correction"] is not None
    assert half["network"]["log_risk"] != network["log_risk"]
    assert half["network"]["diagnosis"]["states"] != network["diagnosis"]["states"]


def test_a_forgetful_worker_has_the_features_from_beside_the_result(jobs: Jobs, case: Case) -> None:
    later = case.reassessed(jobs, "later", case.network, case.forgotten())
    assert later["network"] == case.first["network"]


def test_a_scene_of_which_only_the_mask_is_left_needs_a_run(jobs: Jobs, case: Case) -> None:
    gone = case.forgotten(job="gone", out=str(case.folder / "gone"))
    restored = case.reassessed(jobs, "restored", case.half, gone)
    assert restored["network"] is None
    assert restored["not_estimated"]["network"] == NEEDS_RUN
    assert restored["correction"] is not None


@pytest.mark.parametrize("has_heads", [True, False])
def test_features_of_a_pack_that_is_gone_are_not_read(
    packs: Path,
    oedema_packs: Path,
    case: Case,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    has_heads: bool,
) -> None:
    if has_heads:
        settings = settings_of(voxel_mm=2.0)
        write_multitask_pack(tmp_path / "segmentation", settings, finds_oedema())
    else:
        shutil.copytree(oedema_packs / "segmentation", tmp_path / "segmentation")
    for name in ("diagnosis", "prognosis"):
        shutil.copytree(packs / name, tmp_path / name)
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    name = f"other-{has_heads}"
    restored = case.reassessed(Jobs(), name, case.half, case.forgotten())
    assert restored["network"] is None
    assert restored["not_estimated"]["network"] == OTHER_PACK


def test_a_cancelled_analysis_leaves_nothing(jobs: Jobs, case: Case, tmp_path: Path) -> None:
    def stop(stage: str, fraction: float) -> None:
        if stage == "segmentation":
            raise Cancelled

    out = tmp_path / "results" / "out"
    with pytest.raises(Cancelled):
        jobs(replace(case.job, job="a9", out=str(out)), stop)
    assert not list(tmp_path.glob("results/**/*"))
