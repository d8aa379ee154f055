"""From a recipe to an answer in the clinic: fit, evaluate, pack, analyse."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from cohort_makers import write_clinical_cohort
from jsonschema import validate
from multitask_makers import UNIFIED, finds_oedema, settings_of, write_multitask_pack

from gliomaai_training.cli import main as train
from gliomaai_training.cohorts.simulated import LIMITS
from GliomaAILib.cli import ExitCode, main
from GliomaAILib.models import MODELS_VARIABLE
from GliomaAILib.output.document import schema

NETWORK = {**UNIFIED, "global_branch": False}
STILL = {"learning_rate": 1e-12, "warmup_steps": 1}
"""So that the network goes on drawing what it drew."""
RECIPE: dict[str, Any] = {
    "name": "tiny",
    "network": NETWORK,
    "voxel_mm": 1.5,
    "cohorts": [{"name": "tiny", "table": "cohort/cohort.csv", "clinical": "simulated"}],
    "folds": 2,
    "validation_patients": 2,
    "validate_every_steps": 100,
    "optimiser": STILL,
    "phases": [{"steps": 1, "batch_size": 2}],
    "stages": [
        {"name": "multitask", "objective": {"kind": "multitask"}},
        {"name": "survival", "objective": {"kind": "survival", "views": 1}},
    ],
}
NOTES = {"summary": "Tiny.", "data": "None.", "licence": "Apache-2.0", "limits": "Useless."}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packs with what a recipe became."""
    folder = tmp_path_factory.mktemp("made")
    write_clinical_cohort(folder / "cohort", 12)
    write_multitask_pack(folder / "start", settings_of(NETWORK), finds_oedema())
    (folder / "recipe.yaml").write_text(yaml.safe_dump(RECIPE))
    (folder / "notes.yaml").write_text(yaml.safe_dump(NOTES))
    data = ["--data", folder, "--store", folder / "store"]
    notes = ["--notes", folder / "notes.yaml", "--licence", folder / "notes.yaml"]
    start = ["--fold", "0", "--start-from", folder / "start"]
    run, report, pack = folder / "run", folder / "report", folder / "packs" / "segmentation"
    for words in (
        ["fit", folder / "recipe.yaml", *data, "--out", run, *start, "--device", "cpu"],
        ["evaluate", run, *data, "--out", report, "--device", "cpu"],
        ["pack", run, "--evaluation", report, *notes, "--out", pack, "--version", "0.0.1"],
    ):
        assert train([str(word) for word in words]) == 0
    return folder / "packs"


def test_a_recipe_answers_in_the_clinic(
    made: Path, patient: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(made))
    out = tmp_path / "out"
    options = ["--out", str(out), "--brain-mask", "stripped", "--model", str(made / "segmentation")]
    assert main(["analyze", str(patient), *options]) == ExitCode.OK
    document = json.loads((out / "assessment.json").read_text("utf-8"))
    validate(document, schema())
    network = document["network"]
    assert sum(network["diagnosis"]["states"].values()) == pytest.approx(1, abs=1e-3)
    assert network["log_risk"] is not None
    assert network["simulated_only"]
    assert network["cohort"] == "simulated patients"
    said = json.loads((made / "segmentation" / "configs" / "metadata.json").read_text("utf-8"))
    evidence = said["gliomaai"]["evidence"]
    assert evidence
    assert set(evidence) <= set(network["notes"])
    assert LIMITS[0].capitalize() in (made / "segmentation" / "docs" / "README.md").read_text()
