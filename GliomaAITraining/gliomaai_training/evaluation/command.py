"""`gliomaai-train evaluate`: held-out accuracy of the runs of a cross-validation."""

import argparse
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from tqdm import tqdm

from gliomaai_training.cohorts.manifest import CaseFiles, read_manifest
from gliomaai_training.cohorts.splits import split_fold
from gliomaai_training.data.case_store import StoredCase, load_case, store_cases
from gliomaai_training.evaluation.cross_validation import (
    Calibration,
    HeldOut,
    calibrate,
    evaluate_case,
)
from gliomaai_training.evaluation.figures import learning_curve, region_boxes, reliability_plot
from gliomaai_training.evaluation.tables import (
    all_subsets,
    region_table,
    subset_name,
    subset_table,
    to_markdown,
    write_table,
)
from gliomaai_training.evaluation.tumour_free import (
    false_tumour_table,
    false_tumours,
    icbm152_case,
)
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.model_pack import CARD, write_model_pack
from gliomaai_training.inference.postprocessing import PostprocessingConfig
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.vocabulary import SEQUENCES

if TYPE_CHECKING:
    from gliomaai_training.training.run_folder import FinishedRun

RESULTS = "results.csv"
TUMOUR_FREE = "tumour_free"
"""Stem of the table of what was drawn in brains without tumour."""
BOOTSTRAP_SEED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train evaluate`."""
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs, one for each fold")
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
    parser.add_argument("--flips", action="store_true", help="average over left-right mirrors")
    parser.add_argument("--minimum-et-ml", type=float, default=0.0)
    parser.add_argument("--minimum-focus-ml", type=float, default=0.0)
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(arguments: argparse.Namespace) -> int:
    """Evaluates every run on the patients that it never saw, and writes tables and figures."""
    from gliomaai_training.training.run_folder import read_run

    arguments.out.mkdir(parents=True, exist_ok=True)
    runs = [read_run(folder) for folder in arguments.runs]
    postprocessing = PostprocessingConfig(arguments.minimum_focus_ml, arguments.minimum_et_ml)
    evaluated = [_evaluate_run(run, arguments, postprocessing) for run in runs]
    held_out = [case for cases, _ in evaluated for case in cases]
    results = pd.DataFrame([row for case in held_out for row in case.rows])
    results.to_csv(arguments.out / RESULTS, index=False)
    calibration = calibrate(held_out)
    _write_tables(results, arguments.out)
    if arguments.tumour_free:
        drawn = pd.DataFrame([row for _, rows in evaluated for row in rows])
        write_table(false_tumour_table(drawn), arguments.out / TUMOUR_FREE)
    _write_summary(results, calibration, postprocessing, arguments.out)
    _draw(results, calibration, runs, arguments.out)
    return 0


def _evaluate_run(
    run: "FinishedRun", arguments: argparse.Namespace, postprocessing: PostprocessingConfig
) -> tuple[list[HeldOut], list[dict[str, object]]]:
    """One run through the same pack and predictor as the clinic's.

    Returns:
        Its held-out cases, and what it draws in tumour-free brains.
    """
    stored = store_cases(held_out_files(run, arguments.data), arguments.store)
    subsets = all_subsets() if arguments.all_subsets else all_subsets()[:1]
    generator = np.random.default_rng(BOOTSTRAP_SEED)
    config = EngineConfig(device=arguments.device, flips=arguments.flips)
    with run_predictor(run, config) as predictor:
        held_out = [
            evaluate_case(predictor, load_case(file), subsets, postprocessing, generator)
            for file in tqdm(stored, desc=run.folder.name, unit="case")
        ]
        drawn = [
            row
            for case in tqdm(_tumour_free_cases(arguments), desc="tumour-free", unit="case")
            for row in false_tumours(predictor, case, all_subsets(), postprocessing)
        ]
    return held_out, drawn


def _tumour_free_cases(arguments: argparse.Namespace) -> list[StoredCase]:
    if arguments.tumour_free is None:
        return []
    table: Path = arguments.data / arguments.tumour_free
    files = read_manifest(table, table.parent.name)
    stored = store_cases(files, arguments.store)
    return [*map(load_case, stored), icbm152_case()]


@contextmanager
def run_predictor(run: "FinishedRun", config: EngineConfig) -> Iterator[Predictor]:
    """A predictor of a run's averaged weights, uncalibrated, as if they were packed."""
    trained = run.record.config
    settings = {
        "task": "segmentation",
        "network": trained.network,
        "voxel_mm": trained.voxel_mm,
    }
    metadata = {"name": "evaluated", "version": "0", "gliomaai": settings}
    with tempfile.TemporaryDirectory() as scratch:
        pack = write_model_pack(Path(scratch) / "pack", metadata, run.weights(), {CARD: b""})
        yield Predictor(pack, config)


def held_out_files(run: "FinishedRun", data: Path) -> list[CaseFiles]:
    """The cases of the fold that a run left out.

    Raises:
        ValueError: the run was trained on everyone.
    """
    config, fold = run.record.config, run.record.fold
    if fold is None:
        raise ValueError(f"{run.folder} was trained on everyone: nothing is held out")
    files: list[CaseFiles] = []
    for cohort in config.cohorts:
        if cohort.evaluated:
            manifest = read_manifest(data / cohort.table, cohort.name)
            files += split_fold(manifest, config.folds, fold, config.seed)[1]
    return files


def _write_tables(results: pd.DataFrame, out: Path) -> None:
    complete = results[results["sequences"] == subset_name(SEQUENCES)]
    write_table(region_table(complete, np.random.default_rng(BOOTSTRAP_SEED)), out / "regions")
    write_table(subset_table(results), out / "subsets")


def _write_summary(
    results: pd.DataFrame, calibration: Calibration, post: PostprocessingConfig, out: Path
) -> None:
    summary = {
        "cases": int(results["case"].nunique()),
        "patients": int(results["patient"].nunique()),
        "temperature": round(calibration.temperature, 4),
        "ece_before": round(calibration.before.expected_calibration_error, 5),
        "ece_after": round(calibration.after.expected_calibration_error, 5),
        "usual_entropy_bits": calibration.usual_entropy_bits,
        "postprocessing": {
            "minimum_focus_ml": post.minimum_focus_ml,
            "minimum_et_ml": post.minimum_et_ml,
        },
    }
    (out / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", "utf-8")
    table = pd.DataFrame(
        [(name, str(value)) for name, value in summary.items() if name != "postprocessing"],
        columns=["what", "value"],
    )
    (out / "summary.md").write_text(to_markdown(table), "utf-8")


def _draw(
    results: pd.DataFrame, calibration: Calibration, runs: "list[FinishedRun]", out: Path
) -> None:
    from gliomaai_training.training.trainer import LOG

    complete = results[results["sequences"] == subset_name(SEQUENCES)]
    region_boxes(complete, "dice", out / "dice.png")
    region_boxes(complete, "hd95_mm", out / "hd95.png")
    curves = {"as trained": calibration.before, "calibrated": calibration.after}
    reliability_plot(curves, out / "reliability.png")
    history = pd.read_csv(runs[0].folder / LOG)
    learning_curve(history.dropna(axis="columns", how="all"), out / "learning_curve.png")
