"""A whole training run in miniature: fit, resume, evaluate, pack, predict; one process and two."""

import csv
import json
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
import yaml
from cohort_makers import write_cohort

from gliomaai_training.cli import main
from gliomaai_training.evaluation.predicted_masks import read_list
from gliomaai_training.inference.model_pack import CARD, load_model_pack, write_model_pack
from gliomaai_training.networks.build import build_network
from gliomaai_training.training.checkpoint import load_checkpoint
from gliomaai_training.training.config import OptimiserConfig, read_recipe
from gliomaai_training.training.run_folder import RunRecord, read_run, write_record
from gliomaai_training.training.schedule import learning_rate

CONFIG = {
    "name": "tiny",
    "network": {
        "architecture": "segmentation",
        "branch_width": 4,
        "widths": [8, 8, 8],
        "encoder_blocks": [0, 0, 1],
        "decoder_blocks": [0, 0],
        "transformer_layers": 1,
        "transformer_heads": 2,
    },
    "cohorts": [{"name": "tiny", "table": "cohort/cohort.csv"}],
    "voxel_mm": 1.25,
    "phases": [
        {"steps": 3, "batch_size": 2, "voxel_mm": 1.5, "keep_all": 1.0},
        {"steps": 2, "crop": [16, 16, 16]},
    ],
    "folds": 2,
    "validation_patients": 1,
    "validate_every_steps": 2,
    "checkpoint_every_steps": 1,
    "optimiser": {"warmup_steps": 1},
}


@pytest.fixture
def config(tiny_cohort: Path, tmp_path: Path) -> Path:
    file = tmp_path / "config.yaml"
    file.write_text(yaml.safe_dump(CONFIG))
    return file


def fit(config: Path, out: Path, *more: str) -> int:
    folders = ["--data", str(config.parent), "--store", str(config.parent / "store")]
    return main(["fit", str(config), *folders, "--out", str(out), "--device", "cpu", *more])


def check_masks(folder: Path, rows: list[dict[str, str]]) -> None:
    """The masks that were written are those that were judged."""
    masks = {one.case: one for one in read_list(folder)}
    assert {one.fold for one in masks.values()} == {0, 1}
    whole = [r for r in rows if r["sequences"] == "t1+t1gd+t2+flair" and r["region"] == "WT"]
    for row in whole:
        voxels = np.count_nonzero(sitk.GetArrayFromImage(sitk.ReadImage(masks[row["case"]].file)))
        assert voxels / 1000 == pytest.approx(float(row["predicted_ml"]))


def test_fit_evaluate_pack(config: Path, tmp_path: Path) -> None:
    runs = [tmp_path / "runs" / f"fold{fold}" for fold in range(2)]
    for fold, run in enumerate(runs):
        assert fit(config, run, "--fold", str(fold)) == 0
    with (runs[0] / "learning_curve.csv").open() as stream:
        curve = list(csv.DictReader(stream))
    assert curve[-1]["step"] == "5"
    assert 0 <= float(curve[-1]["WT"]) <= 1

    report = tmp_path / "report"
    places = {"data": ".", "store": "store", "out": "report", "masks": "masks"}
    folders = [
        word for name, place in places.items() for word in (f"--{name}", str(tmp_path / place))
    ]
    write_cohort(tmp_path / "healthy", ["H", "I"], seed=1, tumour=False)
    options = ["--all-subsets", "--device", "cpu", "--tumour-free", "healthy/cohort.csv"]
    assert main(["evaluate", *map(str, runs), *folders, *options]) == 0
    with (report / "results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert {row["case"] for row in rows} == {f"case-{n:02d}" for n in range(6)}
    assert len(rows) == 6 * 15 * 3
    check_masks(tmp_path / "masks", rows)
    assert json.loads((report / "summary.json").read_text())["patients"] == 5
    assert "ET" in (report / "regions.md").read_text()
    with (report / "tumour_free.csv").open() as stream:
        drawn = list(csv.DictReader(stream))
    assert [row["cohort"] for row in drawn] == ["healthy"] * 15 + ["icbm152"]
    assert [row["brains"] for row in drawn] == ["4"] * 15 + ["2"]
    for figure in ("dice.png", "hd95.png", "reliability.png", "learning_curve.png"):
        assert (report / figure).stat().st_size > 1000

    notes = tmp_path / "notes.yaml"
    words = {"summary": "Tiny.", "data": "None.", "licence": "Apache-2.0", "limits": "Useless."}
    notes.write_text(yaml.safe_dump(words))
    pack = tmp_path / "packs" / "tiny"
    options = ["--evaluation", str(report), "--notes", str(notes), "--licence", str(notes)]
    assert main(["pack", str(runs[0]), *options, "--version", "0.0.1", "--out", str(pack)]) == 0
    loaded = load_model_pack(pack)
    assert loaded.settings["calibration"]["temperature"] > 0
    assert 0 <= loaded.settings["calibration"]["usual_entropy_bits"] <= 2
    trained = read_run(runs[0]).weights()
    assert loaded.weights().keys() == trained.keys()
    assert all(torch.allclose(loaded.weights()[k], v, atol=1e-2) for k, v in trained.items())
    card = (pack / "docs" / "README.md").read_text()
    assert "Research use only" in card
    assert "fold 0 of 2" in card
    assert "Tumour-free brains" in card


def test_a_cohort_with_tumours_is_not_taken_for_tumour_free(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert fit(config, run, "--fold", "0") == 0
    folders = ["--data", str(tmp_path), "--store", str(tmp_path / "store"), "--out", str(tmp_path)]
    options = ["--device", "cpu", "--tumour-free", "cohort/cohort.csv"]
    assert main(["evaluate", str(run), *folders, *options]) == 1
    assert "is not tumour-free: case-00, case-01" in capsys.readouterr().err


def test_a_resumed_run_ends_like_an_unbroken_one(config: Path, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    fit(config, whole)

    class StopError(Exception):
        pass

    from gliomaai_training.training import trainer

    original = trainer.Trainer._train_step
    calls = 0

    def stop_after_two(self: trainer.Trainer, sample: object) -> float:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise StopError
        return original(self, sample)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.Trainer, "_train_step", stop_after_two)
        with pytest.raises(StopError):
            fit(config, broken)
    interrupted = load_checkpoint(broken)
    assert interrupted is not None
    assert interrupted.step == 2
    fit(config, broken)
    a, b = load_checkpoint(whole), load_checkpoint(broken)
    assert a is not None
    assert b is not None
    assert a.step == b.step == 5
    assert all(torch.allclose(a.network[k], b.network[k], atol=1e-6) for k in a.network)


def test_another_run_in_the_same_folder_is_refused(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_record(RunRecord(config=read_recipe(config).stages[0].config, fold=0), tmp_path / "run")
    assert fit(config, tmp_path / "run", "--fold", "1") == 1
    assert "holds another run" in capsys.readouterr().err


def test_a_run_starts_from_anothers_weights_or_a_packs(config: Path, tmp_path: Path) -> None:
    fit(config, tmp_path / "first", "--fold", "0")
    first = read_run(tmp_path / "first")
    content = yaml.safe_load(config.read_text())
    content |= {"phases": [{"steps": 1}], "validation_patients": 0}
    content["optimiser"] = {"learning_rate": 1e-12, "warmup_steps": 1}
    config.write_text(yaml.safe_dump(content))
    pack = tmp_path / "pack"
    metadata = {"name": "p", "version": "1", "gliomaai": {"network": CONFIG["network"]}}
    write_model_pack(pack, metadata, first.weights(), {CARD: b"card"})
    for source, tolerance in ((tmp_path / "first", 1e-6), (pack, 1e-2)):
        out = tmp_path / f"from-{source.name}"
        assert fit(config, out, "--fold", "0", "--start-from", str(source)) == 0
        second = read_run(out)
        assert "SHA-256" in (second.record.started_from or "")
        began, ended = first.weights(), second.weights()
        assert all(torch.allclose(began[k], ended[k], atol=tolerance) for k in began)


@pytest.mark.parametrize(
    ("fold", "change", "message"),
    [
        ("1", {}, "learnt from patients whom fold 1 leaves out"),
        ("0", {"fold_seed": 2}, "learnt from patients whom fold 0 leaves out"),
        ("0", {"network": {"architecture": "segmentation"}}, "another network"),
    ],
)
def test_a_start_that_would_spoil_the_run_is_refused(
    config: Path,
    tmp_path: Path,
    fold: str,
    change: dict[str, object],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = tmp_path / "first"
    fit(config, first, "--fold", "0")
    config.write_text(yaml.safe_dump({**CONFIG, **change}))
    assert fit(config, tmp_path / "second", "--fold", fold, "--start-from", str(first)) == 1
    assert message in capsys.readouterr().err


def test_two_processes_train_together(config: Path, tmp_path: Path) -> None:
    out = tmp_path / "parallel"
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--master-port=29617", "-m", "gliomaai_training.cli", "fit", str(config)]
    command += ["--data", str(tmp_path), "--store", str(tmp_path / "store")]
    command += ["--out", str(out), "--device", "cpu"]
    subprocess.run(command, check=True, timeout=240, capture_output=True)
    checkpoint = load_checkpoint(out)
    assert checkpoint is not None
    assert checkpoint.step == 5


def test_early_stop(config: Path, tmp_path: Path) -> None:
    content = yaml.safe_load(config.read_text())
    content |= {"patience": 1, "validate_every_steps": 1, "phases": [{"steps": 40}]}
    content["optimiser"] = {"learning_rate": 1e-12, "warmup_steps": 1}
    config.write_text(yaml.safe_dump(content))
    fit(config, tmp_path / "run")
    checkpoint = load_checkpoint(tmp_path / "run")
    assert checkpoint is not None
    assert checkpoint.step < 40


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learning_speed": 1}, "learning_speed"),
        ({"phases": [{"steps": 0}]}, "greater than 0"),
        ({"validation_patients": 9}, "validation_patients is 9"),
    ],
)
def test_wrong_configurations_are_refused(
    config: Path,
    tmp_path: Path,
    change: dict[str, object],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config.write_text(yaml.safe_dump({**CONFIG, **change}))
    assert fit(config, tmp_path / "run") == 1
    assert message in capsys.readouterr().err


CONFIGS = Path(__file__).parents[1] / "configs"
RECIPES = sorted([*CONFIGS.glob("segmentation*.yaml"), *(CONFIGS / "multitask").glob("*.yaml")])


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_shipped_recipes_can_be_read(file: Path) -> None:
    for stage in read_recipe(file).stages:
        assert build_network(stage.config.network)


def test_learning_rate_warms_up_and_decays() -> None:
    config = OptimiserConfig(learning_rate=1.0, warmup_steps=10)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[9]
    assert all(later < earlier for earlier, later in pairwise(rates[9:]))
    assert rates[-1] == pytest.approx(0.01, abs=2e-3)
