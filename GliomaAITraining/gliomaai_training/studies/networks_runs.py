"""Trains and judges every configuration of a comparison; what is there is not made again."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from gliomaai_training.data.case_store import load_case, store_cases
from gliomaai_training.evaluation.tables import all_subsets
from gliomaai_training.evaluation.tasks.network_predictions import NetworkPredictions, predict_cases
from gliomaai_training.progress import Progress
from gliomaai_training.studies.networks_config import NetworkRow, NetworksConfig
from gliomaai_training.training.cases import dealt_run
from gliomaai_training.training.distributed import training_processes
from gliomaai_training.training.objectives.config import MultiTaskObjectiveConfig
from gliomaai_training.training.run_folder import FinishedRun, read_run
from gliomaai_training.training.stages import Training, fit_recipe

TEST, VALIDATION = "test", "validation"


@dataclass(frozen=True)
class Places:
    """Where a comparison reads and writes."""

    data: Path
    """The root of the data."""
    runs: Path
    """A folder for each configuration, and in it for each training."""

    def run(self, row: NetworkRow, seed: int, fold: int) -> Path:
        """The folder of one training."""
        slug = re.sub(r"[^a-z0-9]+", "-", row.name.lower()).strip("-")
        return self.runs / slug / f"seed{seed}-fold{fold}"


@dataclass(frozen=True, eq=False)
class RowPredictions:
    """What the trainings of one configuration say of patients that they never saw."""

    row: NetworkRow
    dice: pd.DataFrame | None
    """Results of `evaluation.tables` with `run` and `fold`; None if it does not segment."""
    test: pd.DataFrame | None
    """Predictions of `task_predictions`; None if the network has no tasks."""
    validation: pd.DataFrame | None
    """The same of the patients whom temperatures are fitted on."""


def all_predictions(
    config: NetworksConfig, places: Places, progress: Progress
) -> Iterator[RowPredictions]:
    """Trains and judges what is not there yet, row by row.

    Raises:
        ValueError: as `stages.fit_recipe`.
        Cancelled: from `progress`; what is finished stays, and a training goes on where it was.
    """
    total = len(config.folds) * sum(len(row.seeds) for row in config.rows)
    done = 0
    for row in config.rows:
        parts: dict[str, list[NetworkPredictions]] = {TEST: [], VALIDATION: []}
        for seed in row.seeds:
            for fold in config.folds:
                progress(f"{row.name}, seed {seed}", done / total)
                _train(config, places, row, (seed, fold))
                for name, found in _judged(config, places, row, (seed, fold)).items():
                    parts[name].append(found)
                done += 1
        yield RowPredictions(
            row,
            dice=_joined([one.dice for one in parts[TEST]]) if _segments(config, row) else None,
            test=_joined([one.tasks for one in parts[TEST]]),
            validation=_joined([one.tasks for one in parts[VALIDATION]]),
        )


def _train(config: NetworksConfig, places: Places, row: NetworkRow, which: tuple[int, int]) -> None:
    seed, fold = which
    folder = places.run(row, seed, fold)
    training = Training(places.data, folder, places.runs / "store", fold)
    with training_processes() as processes:
        fit_recipe(config.recipe(row, seed), training, processes)


def _judged(
    config: NetworksConfig, places: Places, row: NetworkRow, which: tuple[int, int]
) -> dict[str, NetworkPredictions]:
    """Of test and validation patients, with the columns `run` and `fold`."""
    seed, fold = which
    folder = places.run(row, seed, fold)
    found = {}
    for part in (TEST, VALIDATION):
        told = NetworkPredictions.read(folder / part)
        if told is None:
            subsets = all_subsets() if row.subsets and part == TEST else all_subsets()[:1]
            told = _predicted(read_run(folder), part, places, subsets)
            told.write(folder / part)
        tables = [table.assign(run=f"seed {seed}", fold=fold) for table in (told.dice, told.tasks)]
        found[part] = NetworkPredictions(tables[0], tables[1])
    return found


def _predicted(
    run: FinishedRun, part: str, places: Places, subsets: Sequence[tuple[str, ...]]
) -> NetworkPredictions:
    dealt = dealt_run(run.record.config, places.data, run.record.fold)
    files = dealt.test if part == TEST else dealt.validation
    cases = [load_case(file) for file in store_cases(files, places.runs / "store")]
    return NetworkPredictions.of(predict_cases(run, cases, subsets))


def _segments(config: NetworksConfig, row: NetworkRow) -> bool:
    """Whether a row's network has learned to segment at any stage."""
    objectives = [stage.config.objective for stage in config.recipe(row, row.seeds[0]).stages]
    return not all(
        isinstance(one, MultiTaskObjectiveConfig) and not one.segmentation
        for one in objectives
        if one.kind != "survival"
    )


def _joined(parts: Sequence[pd.DataFrame]) -> pd.DataFrame | None:
    """One table; None if there is nothing in it."""
    table = pd.concat(parts, ignore_index=True)
    return table if len(table) else None
