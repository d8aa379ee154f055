"""A recipe from first to last: every stage in a folder of its own, from the weights of another."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from gliomaai_training.training.average_stage import average_weights
from gliomaai_training.training.cases import TrainingCases, training_cases
from gliomaai_training.training.checkpoint import load_checkpoint, save_finished
from gliomaai_training.training.config import FitConfig, Recipe, Stage
from gliomaai_training.training.distributed import Processes, first_process_first
from gliomaai_training.training.initial_weights import InitialWeights, initial_weights
from gliomaai_training.training.objectives.config import (
    AverageConfig,
    StudentObjectiveConfig,
    SurvivalObjectiveConfig,
)
from gliomaai_training.training.run_folder import RunRecord, write_record, write_stages
from gliomaai_training.training.student_stage import student_patients
from gliomaai_training.training.survival_stage import fit_survival
from gliomaai_training.training.trainer import Trainer

logger = logging.getLogger(__name__)

State = Mapping[str, Tensor]


@dataclass(frozen=True)
class Training:
    """Whom a recipe is trained on, and where."""

    data: Path
    """Folder of the cohort tables."""
    out: Path
    """Folder of the run; what is there is gone on with."""
    store: Path
    """Folder of converted cases."""
    fold: int | None = None
    """Left out; None trains on everyone."""
    start_from: Path | None = None
    """A run or a model pack whose weights to begin with; None begins at random."""


def fit_recipe(recipe: Recipe, training: Training, processes: Processes) -> None:
    """Trains every stage that is not finished.

    Raises:
        ValueError: a stage cannot be trained on these patients or from these weights, or a folder
            holds another run.
    """
    names = [stage.name for stage in recipe.stages]
    if processes.is_first and any(names):
        write_stages(names, training.out)
    before = training.start_from
    for stage in recipe.stages:
        logger.info("%s", stage.config.name)
        _fit_stage(stage, training, before, processes)
        before = training.out / stage.name


def _fit_stage(stage: Stage, training: Training, before: Path | None, processes: Processes) -> None:
    config, folder = stage.config, training.out / stage.name
    initial = _beginning(stage, training, before)
    if processes.is_first:
        source = initial.source if initial else None
        write_record(RunRecord(config=config, fold=training.fold, started_from=source), folder)
    with first_process_first(processes):
        cases = training_cases(config, training.data, training.store, training.fold)
    state = initial.state if initial else None
    if isinstance(config.objective, AverageConfig):
        if processes.is_first and state is not None and load_checkpoint(folder) is None:
            save_finished(state, config.network, config.steps, folder)
    elif isinstance(config.objective, SurvivalObjectiveConfig):
        fit_survival(config, cases.training, folder, processes, state)
    elif isinstance(config.objective, StudentObjectiveConfig):
        teacher = initial_weights(before, config, training.fold).state if before else None
        _fit_student(config, cases, folder, processes, (teacher, state))
    else:
        Trainer(config, cases, folder, processes, state).fit()
    processes.wait_for_all()


def _beginning(stage: Stage, training: Training, before: Path | None) -> InitialWeights | None:
    """The weights that a stage begins with; for a mean of stages, that mean."""
    config, fold = stage.config, training.fold
    if isinstance(config.objective, AverageConfig):
        ends = [training.out / name for name in config.objective.of]
        return average_weights([initial_weights(end, config, fold) for end in ends])
    beginning = training.out / stage.begin_with if stage.begin_with else before
    return initial_weights(beginning, config, fold) if beginning else None


def _fit_student(
    config: FitConfig,
    cases: TrainingCases,
    folder: Path,
    processes: Processes,
    states: tuple[State | None, State | None],
) -> None:
    """Trains a student, or passes the teacher on where nobody is unlabelled.

    Args:
        config: of the stage.
        cases: what is known of whom.
        folder: of the stage.
        processes: this process among those that train together.
        states: of the teacher, and those that the student begins with.
    """
    teacher, beginning = states
    if teacher is None:
        raise ValueError("a student needs a stage before it, its teacher")
    with first_process_first(processes):
        patients = student_patients(config, cases, folder, processes.device, teacher)
    if patients is not None:
        Trainer(config, replace(cases, training=patients), folder, processes, beginning).fit()
    elif processes.is_first:
        logger.info("nobody is unlabelled: the network stays as it is")
        save_finished(teacher, config.network, config.steps, folder)
