"""A multi-task recipe in miniature from `fit` over `evaluate` to `pack`, and what is told of it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from cohort_makers import write_clinical_cohort
from task_makers import QUICK, made_up_patients, made_up_truth, predictions_of

from gliomaai_training.cli import main
from gliomaai_training.data.case_store import load_case, store_cases
from gliomaai_training.data.targets import patient_targets, unknown_targets
from gliomaai_training.evaluation.tasks.evaluation import calibrating, evaluate_tasks
from gliomaai_training.evaluation.tasks.evidence import evidence_sentences
from gliomaai_training.evaluation.tasks.runs import PredictedRun, judge_runs, known_truth
from gliomaai_training.evaluation.tasks.summary import (
    PackedHeads,
    TaskSummary,
    everyone_summary,
    held_out_curve,
    prior_shares,
    run_summary,
)
from gliomaai_training.evaluation.tasks.truth import TaskTruth, joined, truth_of
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.model_pack import load_model_pack
from gliomaai_training.inference.multitask_pack import LearntFrom, MultiTaskSettings
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.inference.task_heads import TaskReader
from gliomaai_training.survival.log_risk import LOG_RISK
from gliomaai_training.training.cases import Lesson, dealt_run
from gliomaai_training.training.checkpoint import CHECKPOINT, Checkpoint
from gliomaai_training.training.config import FitConfig
from gliomaai_training.training.run_folder import FinishedRun, RunRecord, read_run

NETWORK = {
    "architecture": "multitask",
    "segmentation": {
        "branch_width": 2,
        "widths": [4, 8, 8],
        "encoder_blocks": [0, 0, 0],
        "decoder_blocks": [0, 0],
        "transformer_layers": 0,
    },
    "tasks": ["state", "risk"],
    "hidden_width": 4,
}
RECIPE: dict[str, Any] = {
    "name": "tiny",
    "network": NETWORK,
    "cohorts": [{"name": "tiny", "table": "cohort/cohort.csv", "clinical": "simulated"}],
    "folds": 2,
    "validation_patients": 6,
    "validate_every_steps": 100,
    "optimiser": {"warmup_steps": 1},
    "phases": [{"steps": 2, "batch_size": 2}],
    "stages": [
        {"name": "multitask", "objective": {"kind": "multitask"}},
        {"name": "survival", "objective": {"kind": "survival", "views": 2}},
    ],
}
NOTES = {"summary": "Tiny.", "data": "None.", "licence": "Apache-2.0", "limits": "Useless."}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_clinical_cohort(folder / "cohort", 40)
    (folder / "notes.yaml").write_text(yaml.safe_dump(NOTES))
    return folder


def fit(data: Path, out: str, *more: str, **changes: Any) -> Path:
    recipe = data / f"{out}.yaml"
    recipe.write_text(yaml.safe_dump({**RECIPE, **changes}))
    places = ["--data", data, "--store", data / "store", "--out", data / out]
    assert main(["fit", *map(str, [recipe, *places]), "--device", "cpu", *more]) == 0
    return data / out


def evaluate(data: Path, out: str, *runs: Path) -> int:
    places = ["--data", data, "--store", data / "store", "--out", data / out]
    return main(["evaluate", *map(str, [*runs, *places]), "--device", "cpu"])


def pack(data: Path, run: Path, report: str, out: str) -> int:
    notes = data / "notes.yaml"
    words = ["--evaluation", data / report, "--notes", notes, "--licence", notes]
    options = [*words, "--out", data / out, "--version", "0.0.1"]
    return main(["pack", *map(str, [run, *options])])


@pytest.fixture(scope="module")
def trained(data: Path) -> Path:
    return fit(data, "trained", "--fold", "0")


@pytest.fixture(scope="module")
def everyone(data: Path) -> Path:
    return fit(data, "everyone")


@pytest.fixture(scope="module")
def report(data: Path, trained: Path) -> Path:
    assert evaluate(data, "report", trained) == 0
    return data / "report"


# From the recipe to the pack


def test_the_report_tells_of_every_task(report: Path) -> None:
    scores = pd.read_csv(report / "tasks.csv")
    assert {"AUC, IDH mutation", "ECE, WHO state", "Harrell C, all patients"} <= set(
        scores["metric"]
    )
    predictions = pd.read_csv(report / "task_predictions.csv")
    assert len(predictions) == 20
    assert predictions["fold"].eq(0).all()
    for stem in ("tasks", "task_calibration", "coherence", "oracle"):
        assert (report / f"{stem}.md").read_text().startswith("| ")
    names = ("task_reliability", "dice", "learning_curve-multitask", "learning_curve-survival")
    for name in names:
        assert (report / f"{name}.png").stat().st_size > 1000


def test_the_pack_tells_what_was_measured(data: Path, trained: Path, report: Path) -> None:
    assert pack(data, trained, "report", "unified") == 0
    loaded = load_model_pack(data / "unified")
    settings = MultiTaskSettings.of(loaded)
    told = json.loads((report / "summary.json").read_text())
    assert settings.temperatures == told["tasks"]["temperatures"]
    assert loaded.settings["calibration"]["temperature"] == told["calibration"]["temperature"]
    assert settings.cohort == LearntFrom(
        words="simulated patients", patients=14, simulated_only=True
    )
    assert settings.evidence[0].startswith("Measured on 20 simulated patients")
    curve = settings.survival is not None
    assert curve != any("has no curve" in line for line in settings.evidence)
    card = (data / "unified" / "docs" / "README.md").read_text()
    assert card.startswith("# tiny\n")
    assert all(line in card for line in settings.evidence)
    for words in ("learnt from simulated patients (n = 14)", "- multitask: began with random"):
        assert words.lower() in card.lower()
    assert "nothing about patients" in card


def test_the_pack_answers_as_the_report_has_it(data: Path, trained: Path, report: Path) -> None:
    """What is judged is what ships: the same answers to the precision of stored weights."""
    assert pack(data, trained, "report", "shipped") == 0
    shipped = load_model_pack(data / "shipped")
    run = read_run(trained)
    files = dealt_run(run.record.config, data, 0).test[:1]
    case = load_case(store_cases(files, data / "store")[0])
    predictor = Predictor(shipped, EngineConfig(device="cpu", engine="torch", precision="fp32"))
    seen = predictor.segment(case.normalised(), case.present, case.brain, case.voxel_ml)
    assert seen.features is not None
    said = TaskReader(shipped).read(seen.features, seen.labels)
    table = pd.read_csv(report / "task_predictions.csv", dtype={"case": str})
    row = table[table["case"] == case.case].iloc[0]
    assert said.log_risk == pytest.approx(row["risk"], abs=1e-5)
    temperature = shipped.settings["calibration"]["tasks"]["state"]
    raised = {
        state: row[f"state:{state}"] ** (1 / temperature) for state in said.probabilities["state"]
    }
    for state, chance in said.probabilities["state"].items():
        assert chance == pytest.approx(raised[state] / sum(raised.values()), abs=1e-4)


def test_a_run_of_everyone_ships_without_a_curve(data: Path, everyone: Path, report: Path) -> None:
    assert pack(data, everyone, "report", "of-everyone") == 0
    settings = MultiTaskSettings.of(load_model_pack(data / "of-everyone"))
    assert settings.survival is None
    assert settings.cohort.patients == 34
    assert any("this one learnt from all of them" in line for line in settings.evidence)
    assert any("has no curve" in line for line in settings.evidence)


# What cannot be


def test_a_training_that_has_not_ended_is_neither_judged_nor_packed(
    data: Path, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from gliomaai_training.training import survival_stage

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    out = data / "unfinished"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(survival_stage, "_vectors", stop)
        recipe = data / "unfinished.yaml"
        recipe.write_text(yaml.safe_dump(RECIPE))
        places = ["--data", data, "--store", data / "store", "--out", out, "--fold", "0"]
        assert main(["fit", *map(str, [recipe, *places]), "--device", "cpu"]) == 130
    assert evaluate(data, "nowhere", out) == 1
    assert "has not finished its last stage, survival" in capsys.readouterr().err
    assert pack(data, out, "report", "nowhere") == 1
    assert "has not finished its last stage, survival" in capsys.readouterr().err
    assert pack(data, out / "multitask", "report", "nowhere") == 1
    assert "leaves out fold 0, but the evaluation is of other runs" in capsys.readouterr().err


def test_what_was_trained_on_everyone_cannot_be_judged(
    data: Path, everyone: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert evaluate(data, "nowhere", everyone) == 1
    assert "nothing is held out" in capsys.readouterr().err


def test_runs_of_several_networks_are_not_judged_together(
    data: Path, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = {**NETWORK, "tasks": ["idh"]}
    first = RECIPE["stages"][:1]
    other = fit(data, "other", "--fold", "1", network=heads, stages=first)
    assert evaluate(data, "nowhere", trained, other) == 1
    assert "different networks" in capsys.readouterr().err


def test_an_older_evaluation_is_refused(
    data: Path, trained: Path, report: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = json.loads((report / "summary.json").read_text())
    del summary["tasks"]
    (data / "older").mkdir()
    (data / "older" / "summary.json").write_text(json.dumps(summary))
    assert pack(data, trained, "older", "nowhere") == 1
    assert "evaluate the run anew" in capsys.readouterr().err


# Temperatures


def folds_of(truth: TaskTruth, **more: Any) -> pd.DataFrame:
    """Predictions of which every second patient is another network's."""
    table = predictions_of(truth, **more)
    return table.assign(fold=[str(number % 2) for number in range(len(table))])


def test_without_validation_a_network_is_calibrated_on_the_others_patients() -> None:
    test = folds_of(made_up_truth(40))
    lent = calibrating(test, test.iloc[:0])
    for fold, part in lent.groupby("fold"):
        theirs = test.loc[test["fold"] != fold]
        assert part["case"].tolist() == theirs["case"].tolist()
        assert np.array_equal(part["state:GBM"], theirs["state:GBM"])
    assert calibrating(test, test.iloc[:3]).equals(test.iloc[:3])
    alone = test.assign(fold="0")
    assert calibrating(alone, test.iloc[:0]).empty


def test_a_network_that_is_too_sure_is_cooled() -> None:
    truth = made_up_truth(120)
    test = folds_of(truth, noise=2.5)
    found = evaluate_tasks(test, test.iloc[:0], truth, QUICK)
    assert found.temperatures["state"].temperature > 1.3
    error = found.scores.set_index("metric")["estimate"]["state_ece"]
    raw = evaluate_tasks(test.assign(fold="0"), test.iloc[:0], truth, QUICK)
    assert raw.temperatures == {}
    assert error < raw.scores.set_index("metric")["estimate"]["state_ece"]
    sentences = "\n".join(evidence_sentences(raw, "made-up patients"))
    assert "nobody was left to fit a temperature on" in sentences


def run_of(folder: Path, config: FitConfig, fold: int) -> FinishedRun:
    """A run of which there is a checkpoint, whatever is in it."""
    folder.mkdir()
    (folder / CHECKPOINT).write_bytes(f"fold {fold}".encode())
    checkpoint = Checkpoint(1, {}, {}, {}, 0.0, 0, dict(config.network), finished=True)
    return FinishedRun(folder, RunRecord(config=config, fold=fold), checkpoint)


def test_folds_calibrate_each_other_where_nobody_is_left_for_validation(
    data: Path, tmp_path: Path
) -> None:
    shared = {name: value for name, value in RECIPE.items() if name != "stages"}
    config = FitConfig(**{**shared, "validation_patients": 0})
    truth = known_truth(config, data)
    assert truth is not None
    said = predictions_of(truth, noise=2.5).drop(columns="run")
    predicted = []
    for fold in range(2):
        run = run_of(tmp_path / f"fold{fold}", config, fold)
        cases = [file.case for file in dealt_run(config, data, fold).test]
        test = said[said["case"].isin(cases)]
        predicted.append(PredictedRun(run, test, pd.DataFrame()))
    told = judge_runs(predicted, data, tmp_path / "report", QUICK)
    assert told.evidence[0].startswith("Measured on 40 simulated patients whom 2 networks")
    assert told.temperatures["state"] != 1
    assert told.runs.keys() == {one.run.sha256 for one in predicted}
    assert {one.cohort.patients for one in told.runs.values()} == {20}
    assert told.everyone.cohort.patients == 40
    assert len(pd.read_csv(tmp_path / "report" / "task_predictions.csv")) == 40


# Evidence


def test_what_is_no_better_than_chance_is_said_to_be_so() -> None:
    truth = made_up_truth(120)
    blind = predictions_of(truth, noise=0.3).assign(fold="0")
    shuffled = blind.sample(frac=1, random_state=1)
    of_state = [name for name in blind.columns if ":" in name]
    blind[of_state] = shuffled[of_state].to_numpy()
    found = evaluate_tasks(blind, blind.iloc[:0], truth, QUICK)
    lines = evidence_sentences(found, "made-up patients")
    idh = next(line for line in lines if line.startswith("AUC, IDH mutation"))
    assert "covers chance (0.5), so that nothing was shown" in idh
    risk = next(line for line in lines if line.startswith("Harrell C, all patients"))
    assert "chance" not in risk
    assert "deaths" in risk
    assert "Answers that WHO 2021 does not know (likeliest WHO state): 0 of 120." in lines


def test_a_risk_the_wrong_way_round_is_worse_than_chance() -> None:
    truth = made_up_truth(120)
    wrong = predictions_of(truth, noise=0.3).assign(fold="0")
    wrong["risk"] *= -1
    found = evaluate_tasks(wrong, wrong.iloc[:0], truth, QUICK)
    lines = evidence_sentences(found, "made-up patients")
    assert any("worse than chance" in line for line in lines if line.startswith("Harrell"))


# The curve


def test_the_curve_is_of_those_who_were_followed() -> None:
    truth = made_up_truth(120)
    table = predictions_of(truth, noise=0.3)
    unknown = TaskTruth(
        **{**vars(truth), "months": np.where(np.arange(120) < 20, np.nan, truth.months)}
    )
    model = held_out_curve(table, unknown, "made-up patients")
    assert model.patients == 100
    assert model.covariates == (LOG_RISK,)
    assert model.coefficients[0] > 0


@pytest.mark.parametrize(
    ("sign", "patients", "message"),
    [(-1, 120, "does not rise with the risk"), (1, 8, "deaths are fewer than 10")],
)
def test_where_no_curve_can_be_fitted_the_reason_is_told(
    sign: int, patients: int, message: str
) -> None:
    truth = made_up_truth(120)
    table = predictions_of(truth, noise=0.3).head(patients)
    table["risk"] *= sign
    told = run_summary(LESSON, table, truth, "made-up patients")
    assert told.survival is None
    assert told.prior["risk"] == pytest.approx(table["risk"].mean())
    assert message in told.no_survival


COHORT = LearntFrom(words="made-up patients", patients=80, simulated_only=True)
TARGETS = tuple(patient_targets(made_up_patients(40)[0]).values())
LESSON = Lesson(COHORT, TARGETS, ("state", "risk"))


def test_a_network_without_risk_needs_no_curve() -> None:
    truth = made_up_truth(40)
    of_idh = Lesson(COHORT, TARGETS, ("idh",))
    told = run_summary(of_idh, predictions_of(truth, ["idh"]), truth, "made-up patients")
    assert told.survival is None
    assert told.no_survival == ""
    assert set(told.prior) == {"idh:mutant"}
    assert everyone_summary(of_idh) == told


def test_the_prior_is_of_those_of_whom_it_is_known() -> None:
    cohort, _ = made_up_patients(40)
    states = cohort.patients["who_state"]
    shares = prior_shares(Lesson(COHORT, (*TARGETS, *[unknown_targets()] * 7), ("state",)))
    assert shares["idh:mutant"] == pytest.approx((states != "GBM").mean())
    assert shares["grade:4"] == pytest.approx(states.isin(["GBM", "A4"]).mean())
    mutant = tuple(np.array(TARGETS, object)[(states != "GBM").to_numpy()])
    assert "idh:mutant" not in prior_shares(Lesson(COHORT, mutant, ("state",)))


def test_the_summary_survives_its_file() -> None:
    truth = made_up_truth(120)
    own = run_summary(LESSON, predictions_of(truth, noise=0.3), truth, "made-up patients")
    summary = TaskSummary(
        network=NETWORK,
        temperatures={"state": 1.5},
        evidence=("One.",),
        runs={"a" * 64: own},
        everyone=everyone_summary(LESSON),
    )
    again = TaskSummary.model_validate(json.loads(json.dumps(summary.model_dump(mode="json"))))
    assert again == summary


# Several cohorts


def test_cohorts_are_joined_case_by_case() -> None:
    cohort, risk = made_up_patients(20)
    first = truth_of(cohort, risk)
    others = cohort.patients.assign(case=[f"d{n}" for n in range(20)])
    second = truth_of(type(cohort)("others", others))
    both = joined([first, second])
    assert len(both.cases) == 40
    assert both.true_log_risk is not None
    assert np.isnan(both.true_log_risk[20:]).all()
    assert np.array_equal(both.possible["state"][:20], both.possible["state"][20:])
    with pytest.raises(ValueError, match="name cases alike"):
        joined([first, first])


def test_packed_heads_without_a_curve_have_no_such_section() -> None:
    sections = PackedHeads({"state": 1.0}, COHORT, {}, ("One.",), None).sections()
    assert sections == {"cohort": COHORT.model_dump(), "prior": {}, "evidence": ["One."]}
