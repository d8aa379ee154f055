"""`gliomaai-train fit`: trains a network from a configuration file."""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gliomaai_training.cohorts.manifest import CaseFiles, read_manifest
from gliomaai_training.cohorts.splits import patient_folds, split_fold
from gliomaai_training.data.case_store import StoredCase, load_case, store_cases
from gliomaai_training.training.config import FitConfig, read_fit_config

if TYPE_CHECKING:
    from gliomaai_training.training.trainer import TrainingCases


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train fit`."""
    parser.add_argument("config", type=Path, help="YAML file; see GliomaAITraining/configs")
    parser.add_argument("--data", type=Path, required=True, help="folder of the cohort tables")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; it can resume")
    parser.add_argument(
        "--store", type=Path, help="folder of converted cases (default: OUT/../store)"
    )
    parser.add_argument("--fold", type=int, help="leave this fold out; default: train on everyone")
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="FOLDER",
        help="a run or a model pack whose weights to begin with (default: random ones)",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(arguments: argparse.Namespace) -> int:
    """Trains, or goes on training, in the folder OUT."""
    from gliomaai_training.training.distributed import first_process_first, training_processes
    from gliomaai_training.training.initial_weights import initial_weights
    from gliomaai_training.training.run_folder import RunRecord, write_record
    from gliomaai_training.training.trainer import Trainer

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = read_fit_config(arguments.config)
    store = arguments.store or arguments.out.parent / "store"
    initial = None
    if arguments.start_from:
        initial = initial_weights(arguments.start_from, config, arguments.fold)
    source = initial.source if initial else None
    record = RunRecord(config=config, fold=arguments.fold, started_from=source)
    with training_processes(arguments.device) as processes:
        if processes.is_first:
            write_record(record, arguments.out)
        with first_process_first(processes):
            cases = training_cases(config, arguments.data, store, arguments.fold)
        state = initial.state if initial else None
        Trainer(config, cases, arguments.out, processes, state).fit()
    return 0


def training_cases(config: FitConfig, data: Path, store: Path, fold: int | None) -> "TrainingCases":
    """The cases of one fold's training part, converted, with their sampling weights."""
    from gliomaai_training.training.trainer import TrainingCases

    training: list[StoredCase] = []
    weights: list[float] = []
    validation: list[StoredCase] = []
    for cohort in config.cohorts:
        files = read_manifest(data / cohort.table, cohort.name)
        watched: Sequence[CaseFiles] = []
        if cohort.evaluated:
            if fold is not None:
                files, _ = split_fold(files, config.folds, fold, config.seed)
            files, watched = _hold_out(files, config.validation_patients, config.seed)
        training += [load_case(file) for file in store_cases(files, store)]
        weights += [cohort.weight / len(files)] * len(files)
        validation += [load_case(file) for file in store_cases(watched, store)]
    return TrainingCases(training, weights, validation)


def _hold_out(
    files: Sequence[CaseFiles], patients: int, seed: int
) -> tuple[list[CaseFiles], list[CaseFiles]]:
    """Takes whole patients out of the training part, to watch the learning."""
    if patients == 0:
        return list(files), []
    everyone = sorted({file.patient for file in files})
    if patients >= len(everyone):
        raise ValueError(f"validation_patients is {patients}, but there are {len(everyone)}")
    # One fold for each patient, in random order: the first few are held out.
    order = patient_folds(everyone, len(everyone), seed)
    held = {patient for patient, place in order.items() if place < patients}
    return (
        [file for file in files if file.patient not in held],
        [file for file in files if file.patient in held],
    )
