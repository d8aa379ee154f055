"""`gliomaai-train evaluate`: held-out accuracy of the runs of a cross-validation."""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from gliomaai_training.cohorts.manifest import CaseFiles
from gliomaai_training.data.case_store import StoredCase, load_case, store_cases
from gliomaai_training.evaluation.cross_validation import (
    Calibration,
    CalibrationSample,
    calibrate,
    calibration_sample,
)
from gliomaai_training.evaluation.figures import learning_curve, region_boxes, reliability_plot
from gliomaai_training.evaluation.predicted_masks import write_list, write_mask
from gliomaai_training.evaluation.run_pack import PackSettings, run_predictor, voxel_of
from gliomaai_training.evaluation.tables import (
    all_subsets,
    region_table,
    subset_name,
    subset_table,
    to_markdown,
    write_table,
)
from gliomaai_training.evaluation.tasks.network_predictions import (
    NetworkPredictions,
    Rows,
    predict_cases,
)
from gliomaai_training.evaluation.tasks.runs import PredictedRun, has_tasks, judge_runs
from gliomaai_training.evaluation.tumour_free import (
    false_tumour_table,
    false_tumours,
    tumour_free_cases,
)
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.postprocessing import PostprocessingConfig
from gliomaai_training.vocabulary import SEQUENCES

if TYPE_CHECKING:
    from gliomaai_training.evaluation.tasks.summary import TaskSummary
    from gliomaai_training.training.run_folder import FinishedRun

RESULTS = "results.csv"
SUMMARY = "summary.json"
TASKS = "tasks"
"""Section of the summary: what a pack needs for the heads of its network."""
LEARNING_CURVE = "learning_curve"
"""Stem of the figure; of a stage, with its name behind a hyphen."""
TUMOUR_FREE = "tumour_free"
"""Stem of the table of what was drawn in brains without tumour."""
BOOTSTRAP_SEED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train evaluate`."""
    parser.add_argument(
        "runs",
        type=Path,
        nargs="+",
        help="folders of runs or of trainings in stages, one for each fold",
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the cohort tables")
    parser.add_argument("--store", type=Path, required=True, help="folder of converted cases")
    parser.add_argument("--out", type=Path, required=True, help="folder of tables and figures")
    parser.add_argument("--all-subsets", action="store_true", help="all 15 subsets of sequences")
    parser.add_argument(
        "--tumour-free",
        type=Path,
        metavar="TABLE",
        help="cohort of brains without tumour, in DATA: tells what is drawn there and in ICBM152",
    )
    parser.add_argument(
        "--masks", type=Path, metavar="DIR", help="also write the held-out masks here (NIfTI)"
    )
    parser.add_argument("--flips", action="store_true", help="average over left-right mirrors")
    parser.add_argument("--minimum-et-ml", type=float, default=0.0)
    parser.add_argument("--minimum-focus-ml", type=float, default=0.0)
    parser.add_argument("--minimum-peak-probability", type=float, default=0.0)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


@dataclass(frozen=True, eq=False)
class _Evaluated:
    """What one run says of patients whom it has not seen."""

    test: NetworkPredictions
    validation: NetworkPredictions
    """Of its tasks' validation patients; empty without tasks."""
    drawn: Rows
    """In tumour-free brains."""


def run(arguments: argparse.Namespace) -> int:
    """Evaluates every run on the patients that it never saw, and writes tables and figures.

    The temperature that a run's masks are judged with comes from the patients of the other runs
    (its own where there is no other); the summary holds the one of all, for a pack. Those of the
    tasks come from validation patients where there are any.
    """
    from gliomaai_training.training.run_folder import read_run

    arguments.out.mkdir(parents=True, exist_ok=True)
    runs = [read_run(folder) for folder in arguments.runs]
    with_tasks = has_tasks(runs)
    healthy: list[StoredCase] = []
    if arguments.tumour_free:
        healthy = tumour_free_cases(arguments.data / arguments.tumour_free, arguments.store)
    samples = [_samples(run, arguments) for run in runs]
    evaluated = []
    for index, run in enumerate(runs):
        others = list(chain(*samples[:index], *samples[index + 1 :]))
        settings = _pack_settings(calibrate(others or samples[index]), arguments)
        evaluated.append(_evaluate_run(run, arguments, settings, healthy))
    results = pd.concat([one.test.dice for one in evaluated], ignore_index=True)
    results.to_csv(arguments.out / RESULTS, index=False)
    _write_tables(results, arguments.out)
    if arguments.masks:
        write_list(_folds(runs, arguments.data), arguments.masks)
    if healthy:
        drawn = pd.DataFrame([row for one in evaluated for row in one.drawn])
        write_table(false_tumour_table(drawn), arguments.out / TUMOUR_FREE)
    calibration = calibrate(list(chain(*samples)))
    settings = _pack_settings(calibration, arguments)
    tasks = _judge_tasks(runs, evaluated, arguments) if with_tasks else None
    _write_summary(results, calibration, settings, tasks, arguments.out)
    _draw(results, calibration, runs, arguments.out)
    return 0


def _judge_tasks(
    runs: "Sequence[FinishedRun]", evaluated: Sequence[_Evaluated], arguments: argparse.Namespace
) -> "TaskSummary":
    predicted = [
        PredictedRun(run, one.test.tasks, one.validation.tasks)
        for run, one in zip(runs, evaluated, strict=True)
    ]
    return judge_runs(predicted, arguments.data, arguments.out)


def _samples(run: "FinishedRun", arguments: argparse.Namespace) -> list[CalibrationSample]:
    """Voxels of one run's held-out cases, for the temperature."""
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    cases = _held_out(run, arguments)
    with run_predictor(run, _engine(arguments), given_mm=voxel_of(cases)) as predictor:
        return [
            calibration_sample(predictor, case, generator)
            for case in tqdm(cases, desc="calibration", unit="case")
        ]


def _pack_settings(calibration: Calibration, arguments: argparse.Namespace) -> PackSettings:
    """What a pack of these runs needs beside the network: it is judged as it will be shipped."""
    postprocessing = PostprocessingConfig(
        minimum_focus_ml=arguments.minimum_focus_ml,
        minimum_peak_probability=arguments.minimum_peak_probability,
        minimum_et_ml=arguments.minimum_et_ml,
    )
    return {
        "calibration": {
            "temperature": round(calibration.temperature, 4),
            "usual_entropy_bits": calibration.usual_entropy_bits,
        },
        "postprocessing": asdict(postprocessing),
        "inference": {"flips": arguments.flips},
    }


def _evaluate_run(
    run: "FinishedRun",
    arguments: argparse.Namespace,
    settings: PackSettings,
    healthy: Sequence[StoredCase],
) -> _Evaluated:
    """One run through the same pack and predictor as the clinic's."""
    from gliomaai_training.training.cases import dealt_run

    record, engine, name = run.record, _engine(arguments), run.folder.name
    dealt = dealt_run(record.config, arguments.data, record.fold)
    files = {one.case: one for one in dealt.test}

    def keep(case: str, labels: NDArray[np.uint8]) -> None:
        if arguments.masks:
            write_mask(files[case], labels, arguments.masks)

    subsets = all_subsets() if arguments.all_subsets else all_subsets()[:1]
    cases = _loaded(dealt.test, arguments)
    told = predict_cases(run, cases, subsets, engine, settings, keep)
    test = NetworkPredictions.of(tqdm(told, name, len(cases), unit="case"))
    watched = _loaded(dealt.validation, arguments) if record.config.network.get("tasks") else []
    told = predict_cases(run, watched, all_subsets()[:1], engine, settings)
    validation = NetworkPredictions.of(tqdm(told, "validation", len(watched), unit="case"))
    with run_predictor(run, engine, settings, voxel_of(cases)) as predictor:
        drawn = [
            row
            for case in tqdm(healthy, desc="tumour-free", unit="case")
            for row in false_tumours(predictor, case, all_subsets())
        ]
    return _Evaluated(test, validation, drawn)


def _folds(runs: "Sequence[FinishedRun]", data: Path) -> Iterator[tuple[CaseFiles, int]]:
    """The held-out cases with the fold that their run left out."""
    for run in runs:
        for files in held_out_files(run, data):
            if run.record.fold is not None:
                yield files, run.record.fold


def _engine(arguments: argparse.Namespace) -> EngineConfig:
    return EngineConfig(device=arguments.device, flips=arguments.flips)


def _held_out(run: "FinishedRun", arguments: argparse.Namespace) -> list[StoredCase]:
    return _loaded(held_out_files(run, arguments.data), arguments)


def _loaded(files: Sequence[CaseFiles], arguments: argparse.Namespace) -> list[StoredCase]:
    return [load_case(file) for file in store_cases(files, arguments.store)]


def held_out_files(run: "FinishedRun", data: Path) -> list[CaseFiles]:
    """The cases of the fold that a run left out.

    Raises:
        ValueError: the run was trained on everyone.
    """
    from gliomaai_training.training.cases import dealt_run

    if run.record.fold is None:
        raise ValueError(f"{run.folder} was trained on everyone: nothing is held out")
    return list(dealt_run(run.record.config, data, run.record.fold).test)


def _write_tables(results: pd.DataFrame, out: Path) -> None:
    complete = results[results["sequences"] == subset_name(SEQUENCES)]
    write_table(region_table(complete, np.random.default_rng(BOOTSTRAP_SEED)), out / "regions")
    write_table(subset_table(results), out / "subsets")


def _write_summary(
    results: pd.DataFrame,
    calibration: Calibration,
    settings: PackSettings,
    tasks: "TaskSummary | None",
    out: Path,
) -> None:
    told = {
        "cases": int(results["case"].nunique()),
        "patients": int(results["patient"].nunique()),
        "ece_before": round(calibration.before.expected_calibration_error, 5),
        "ece_after": round(calibration.after.expected_calibration_error, 5),
        **settings["calibration"],
        **settings["postprocessing"],
        **settings["inference"],
    }
    of_tasks = {} if tasks is None else {TASKS: tasks.model_dump(mode="json")}
    document = {**told, **settings, **of_tasks}
    (out / SUMMARY).write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    table = pd.DataFrame(
        [(name, str(value)) for name, value in told.items()], columns=["what", "value"]
    )
    (out / "summary.md").write_text(to_markdown(table), "utf-8")


def _draw(
    results: pd.DataFrame, calibration: Calibration, runs: "list[FinishedRun]", out: Path
) -> None:
    from gliomaai_training.training.learning_curve import LOG

    complete = results[results["sequences"] == subset_name(SEQUENCES)]
    region_boxes(complete, "dice", out / "dice.png")
    region_boxes(complete, "hd95_mm", out / "hd95.png")
    curves = {"as trained": calibration.before, "calibrated": calibration.after}
    reliability_plot(curves, out / "reliability.png")
    for stage in runs[0].stages:
        name = f"{LEARNING_CURVE}-{stage.folder.name}" if runs[0].earlier else LEARNING_CURVE
        if (stage.folder / LOG).is_file():
            history = pd.read_csv(stage.folder / LOG)
            learning_curve(history.dropna(axis="columns", how="all"), out / f"{name}.png")
