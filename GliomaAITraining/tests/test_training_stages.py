"""The stages of the multi-task network's training, each in miniature."""

import csv
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from cohort_makers import write_clinical_cohort

from gliomaai_training.cli import main
from gliomaai_training.training.cases import dealt_cases, training_cases
from gliomaai_training.training.changes import changed
from gliomaai_training.training.checkpoint import load_checkpoint
from gliomaai_training.training.config import FitConfig, OptimiserConfig, read_recipe
from gliomaai_training.training.run_folder import read_run

NETWORK = {
    "architecture": "multitask",
    "segmentation": {
        "branch_width": 4,
        "widths": [8, 8, 8],
        "encoder_blocks": [0, 0, 1],
        "decoder_blocks": [0, 0],
        "transformer_layers": 1,
        "transformer_heads": 2,
    },
    "global_branch": True,
    "tasks": ["state", "risk"],
    "hidden_width": 8,
}
WHOLE = [{"steps": 2, "batch_size": 2}]
RECIPE: dict[str, Any] = {
    "name": "tiny",
    "network": NETWORK,
    "cohorts": [{"name": "tiny", "table": "cohort/cohort.csv", "clinical": "simulated"}],
    "voxel_mm": 1.5,
    "folds": 3,
    "validation_patients": 1,
    "checkpoint_every_steps": 1,
    "optimiser": {"warmup_steps": 1},
    "phases": WHOLE,
    "stages": [
        {"name": "segmentation", "phases": [{"steps": 2, "crop": [16, 16, 16]}]},
        {"name": "adaptation", "objective": {"kind": "adaptation"}},
        {"name": "contrastive", "objective": {"kind": "contrastive", "width": 8, "bottleneck": 4}},
        {
            "name": "multitask",
            "objective": {"kind": "multitask", "bank_patients": 4},
            "cutmix_probability": 0.5,
            "phases": [{"steps": 2, "batch_size": 2, "batches_per_step": 2}],
        },
        {"name": "survival", "objective": {"kind": "survival", "views": 2}},
    ],
}
PARALLEL = [*RECIPE["stages"][1:4], {"name": "student", "objective": {"kind": "student"}}]
STAGES = [stage["name"] for stage in RECIPE["stages"]]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_clinical_cohort(folder / "cohort", 9)
    return folder


def fit(data: Path, recipe: dict[str, Any], out: Path, *more: str) -> int:
    file = data / f"{out.name}.yaml"
    file.write_text(yaml.safe_dump(recipe))
    folders = ["--data", str(data), "--store", str(data / "store"), "--out", str(out)]
    return main(["fit", str(file), *folders, "--device", "cpu", *more])


@pytest.fixture(scope="module")
def trained(data: Path) -> Path:
    out = data / "trained"
    assert fit(data, RECIPE, out, "--fold", "0") == 0
    return out


def curve(folder: Path) -> list[dict[str, str]]:
    with (folder / "learning_curve.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_every_stage_begins_with_the_one_before(trained: Path) -> None:
    assert read_run(trained / "segmentation").record.started_from is None
    for stage in STAGES[1:]:
        assert "SHA-256" in (read_run(trained / stage).record.started_from or "")
    assert read_run(trained).folder == trained / "survival"


def test_every_stage_tells_of_its_losses(trained: Path) -> None:
    wanted = {
        "segmentation": {"segmentation"},
        "adaptation": {"all sequences", "some sequences", "distance"},
        "contrastive": {"segmentation", "simsiam", "spread"},
        "multitask": {"segmentation", "state", "risk", "ranking", "weight of state"},
        "survival": {"risk", "ranking"},
    }
    for stage, names in wanted.items():
        line = curve(trained / stage)[-1]
        assert names <= line.keys()
        assert all(np.isfinite(float(line[name])) for name in names)
    assert float(curve(trained / "contrastive")[-1]["spread"]) > 0


def test_a_finished_training_is_left_as_it_is(data: Path, trained: Path) -> None:
    before = {stage: (trained / stage / "checkpoint.pt").read_bytes() for stage in STAGES}
    assert fit(data, RECIPE, trained, "--fold", "0") == 0
    for stage, content in before.items():
        assert (trained / stage / "checkpoint.pt").read_bytes() == content


def test_a_stage_can_be_the_mean_of_others(data: Path) -> None:
    last = {"name": "mean", "phases": [], "objective": {"kind": "average", "of": STAGES[:2]}}
    recipe = {**RECIPE, "stages": [*RECIPE["stages"][:2], last]}
    assert fit(data, recipe, data / "averaged", "--fold", "0") == 0
    ends = [read_run(data / "averaged" / name) for name in STAGES[:2]]
    run = read_run(data / "averaged")
    for name, value in run.weights().items():
        mean = (ends[0].weights()[name] + ends[1].weights()[name]) / 2
        torch.testing.assert_close(value, mean)
    assert all(end.sha256[:12] in (run.record.started_from or "") for end in ends)
    checkpoint = run.folder / "checkpoint.pt"
    before = checkpoint.read_bytes()
    assert fit(data, recipe, data / "averaged", "--fold", "0") == 0
    assert checkpoint.read_bytes() == before


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ({"phases": WHOLE, "objective": {"kind": "average", "of": STAGES[:2]}}, "has 1 phases"),
        ({"phases": [], "objective": {"kind": "average", "of": STAGES[1:3]}}, "contrastive, no st"),
        ({"phases": [], "objective": {"kind": "average", "of": STAGES[:1]}}, "at least 2"),
        ({"phases": []}, "has 0 phases"),
    ],
)
def test_a_mean_that_cannot_be_taken(
    data: Path, capsys: pytest.CaptureFixture[str], last: dict[str, Any], words: str
) -> None:
    recipe = {**RECIPE, "stages": [*RECIPE["stages"][:2], {"name": "mean", **last}]}
    assert fit(data, recipe, data / "wrong") == 1
    assert words in capsys.readouterr().err


def test_survival_changes_the_risk_head_alone(trained: Path) -> None:
    before, after = (read_run(trained / stage).weights() for stage in STAGES[-2:])
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith("heads.risk.") for name in changed)


def test_an_interrupted_multitask_stage_ends_like_an_unbroken_one(data: Path) -> None:
    from gliomaai_training.training import trainer

    stage = RECIPE["stages"][3] | {"phases": [{"steps": 3, "batch_size": 2}]}
    recipe = {**RECIPE, "stages": [stage]}
    assert fit(data, recipe, data / "unbroken") == 0
    original = trainer.Trainer._train_step

    def stop(self: trainer.Trainer, samples: Any) -> dict[str, float]:
        if self._step == 2:
            raise KeyboardInterrupt
        return original(self, samples)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.Trainer, "_train_step", stop)
        assert fit(data, recipe, data / "broken") == 130
    assert fit(data, recipe, data / "broken") == 0
    ended = [load_checkpoint(data / name / "multitask") for name in ("unbroken", "broken")]
    a, b = (one for one in ended if one is not None)
    assert all(torch.allclose(a.network[k], b.network[k], atol=1e-6) for k in a.network)
    banks = [one.objective["_extra_state"]["bank"] for one in (a, b)]
    assert banks[0].keys() == banks[1].keys()
    assert 0 < len(banks[0]) <= 4


def student(data: Path, share: float, out: str) -> Path:
    """A teacher of some labelled patients and his student, who are sure of anything."""
    sure = {"confidence": 0.51, "deviation": 0.5, "sets_of_states": False}
    objective = {"bank_patients": 4, "kind": "student", "student": {"selection": sure}}
    stage = {"name": "student", "objective": objective, "begin_with": "first"}
    first = {"name": "first", "objective": {"kind": "multitask"}}
    stages = [first, {**first, "name": "teacher"}, stage]
    network = {**NETWORK, "tasks": ["idh", "risk"]}
    recipe = {**RECIPE, "network": network, "labelled_share": share, "stages": stages}
    assert fit(data, recipe, data / out, "--fold", "0") == 0
    return data / out


def test_a_student_learns_from_a_teachers_word(data: Path) -> None:
    out = student(data, 0.5, "students")
    teacher, taught = (read_run(out / name) for name in ("teacher", "student"))
    assert teacher.record.started_from == taught.record.started_from
    with (out / "student" / "pseudo_labels.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    dealt = dealt_cases(config().cohorts[0], config(), data, fold=0)
    held = {file.patient for file in (*dealt.validation, *dealt.test)}
    assert rows
    assert not held & {row["patient"] for row in rows}
    line = curve(out / "student")[-1]
    assert {"consistency", "pseudo weight"} <= line.keys()
    assert float(line["pseudo weight"]) > 0


def test_pseudo_labels_of_held_out_patients_are_refused(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = student(data, 0.5, "spoilt")
    dealt = dealt_cases(config().cohorts[0], config(), data, fold=0)
    file = out / "student" / "pseudo_labels.csv"
    test = dealt.test[0]
    with file.open("a") as stream:
        stream.write(f"{test.case},{test.patient},idh,mutant,0.99,0.01,1\n")
    (out / "student" / "checkpoint.pt").unlink()
    assert fit(data, yaml.safe_load((data / "spoilt.yaml").read_text()), out, "--fold", "0") == 1
    assert "held out" in capsys.readouterr().err


def test_where_everybody_is_labelled_the_teacher_goes_on(data: Path) -> None:
    out = student(data, 1.0, "labelled")
    before, after = (read_run(out / name).weights() for name in ("teacher", "student"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not (out / "student" / "pseudo_labels.csv").exists()


def config(**changes: Any) -> FitConfig:
    stage = {**RECIPE["stages"][3]}
    stage.pop("name")
    shared = {name: value for name, value in RECIPE.items() if name != "stages"}
    return FitConfig(**{**shared, **stage, **changes})


def test_hidden_labels_are_of_training_patients_alone(data: Path) -> None:
    found = training_cases(config(labelled_share=0.4), data, data / "store", fold=0)
    targets = found.training.targets
    assert targets is not None
    labelled = [one for one in targets.values() if one.possible["state"].sum() == 1]
    assert len(labelled) == 2  # of the 5 who are left of 9 without the fold and the validation
    assert all(one.months > 0 for one in targets.values())
    held = {case.case for case in found.validation}
    assert not held & set(targets)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"objective": {"kind": "contrastive"}, "phases": [{"steps": 1}]}, "two patients"),
        ({"network": {**NETWORK, "tasks": []}}, "needs a network with tasks"),
        ({"network": {**NETWORK, "tasks": ["state"]}, "objective": {"kind": "survival"}}, "risk"),
        ({"cohorts": [{"name": "tiny", "table": "cohort/cohort.csv"}]}, "clinical table"),
        ({"network": {"architecture": "segmentation"}}, "trains a multitask network"),
        ({"objective": {"kind": "magic"}}, "magic"),
        ({"name": "../outside"}, "small letters"),
    ],
)
def test_stages_that_cannot_be_are_refused(
    data: Path,
    tmp_path: Path,
    change: dict[str, Any],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    recipe = {**RECIPE, "stages": [{**RECIPE["stages"][3], **change}]}
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe))
    folders = ["--data", str(data), "--store", str(data / "store"), "--out", str(tmp_path / "run")]
    assert main(["fit", str(file), *folders, "--device", "cpu"]) == 1
    assert message in capsys.readouterr().err


def test_two_stages_need_two_names(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump({**RECIPE, "stages": [{"name": "one"}, {"name": "one"}]}))
    with pytest.raises(ValueError, match="different names"):
        read_recipe(file)


def test_a_recipe_changes_by_path() -> None:
    changes = {
        "network.segmentation.transformer_layers": 0,
        "stages.multitask.objective.ranking": None,
        "stages.contrastive": None,
        "seed": 5,
    }
    recipe = changed(RECIPE, changes)
    assert recipe["network"]["segmentation"]["transformer_layers"] == 0
    assert recipe["stages"][2]["objective"]["ranking"] is None
    assert [stage["name"] for stage in recipe["stages"]] == [STAGES[n] for n in (0, 1, 3, 4)]
    assert recipe["seed"] == 5
    assert RECIPE["network"]["segmentation"]["transformer_layers"] == 1


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("stages.magic.phases", [], "no stage 'magic'"),
        ("stages.multitask", 3, "can only be null"),
        ("name.first", "x", "no 'first' to change"),
    ],
)
def test_changes_that_cannot_be_are_refused(path: str, value: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed(RECIPE, {path: value})


def test_changes_come_from_the_command_line(data: Path, trained: Path) -> None:
    out = data / "changed"
    changes = [f"stages.{stage}=null" for stage in STAGES[1:]]
    assert fit(data, RECIPE, out, "--set", *changes, "stages.segmentation.seed=4") == 0
    assert read_run(out).record.config.seed == 4
    assert read_run(out).folder == out / "segmentation"


def test_two_processes_train_every_stage_together(data: Path) -> None:
    file, out = data / "parallel.yaml", data / "parallel"
    file.write_text(yaml.safe_dump({**RECIPE, "labelled_share": 0.5, "stages": PARALLEL}))
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    command += ["--master-port=29618", "-m", "gliomaai_training.cli", "fit", str(file)]
    command += ["--data", str(data), "--store", str(data / "store"), "--out", str(out)]
    subprocess.run([*command, "--device", "cpu"], check=True, timeout=300, capture_output=True)
    for stage in PARALLEL:
        checkpoint = load_checkpoint(out / str(stage["name"]))
        assert checkpoint is not None
        assert checkpoint.finished


def test_the_balance_of_losses_learns_faster_than_the_network(trained: Path) -> None:
    checkpoint = load_checkpoint(trained / "multitask")
    assert checkpoint is not None
    moved = [
        abs(float(value)) for name, value in checkpoint.objective.items() if "log_variance" in name
    ]
    rate = OptimiserConfig().learning_rate
    assert len(moved) == 4  # segmentation, state, risk, ranking
    assert all(rate < one <= 2 * 10 * rate * 1.01 for one in moved)  # two steps of Adam
