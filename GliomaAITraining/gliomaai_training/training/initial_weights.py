"""Where a run starts: at random, or from the weights of another run or of a model pack."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from gliomaai_training.inference.model_pack import load_model_pack
from gliomaai_training.training.config import FitConfig
from gliomaai_training.training.run_folder import RECORD, FinishedRun, read_run


@dataclass(frozen=True)
class InitialWeights:
    """Weights to start from."""

    state: Mapping[str, Tensor]
    source: str
    """What they are, for the run's record and the model card."""


def initial_weights(folder: Path, config: FitConfig, fold: int | None) -> InitialWeights:
    """Reads the averaged weights of a run, or those of a model pack.

    A run must have left out the same patients, so that cross-validation stays honest. A pack tells
    of its patients in its card alone: whether they are others than yours is yours to know.

    Raises:
        ValueError: the folder holds neither, the network is another, or the run learnt from
            patients whom this one leaves out.
    """
    if (folder / RECORD).is_file():
        run = read_run(folder)
        _check_network(folder, run.record.config.network, config)
        _check_patients(run, config, fold)
        source = f"a run of {run.checkpoint.step} steps, SHA-256 {run.sha256[:12]}"
        return InitialWeights(run.weights(), source)
    pack = load_model_pack(folder)
    _check_network(folder, pack.settings["network"], config)
    source = f"model pack {pack.name} {pack.version}, SHA-256 {pack.sha256[:12]}"
    return InitialWeights(pack.weights(), source)


def _check_network(folder: Path, network: Mapping[str, object], config: FitConfig) -> None:
    if dict(network) != dict(config.network):
        raise ValueError(f"{folder} holds weights of another network, {dict(network)}")


def _check_patients(run: FinishedRun, config: FitConfig, fold: int | None) -> None:
    if fold is None:
        return
    theirs = run.record
    if (theirs.fold, _dealing(theirs.config)) != (fold, _dealing(config)):
        raise ValueError(
            f"{run.folder} learnt from patients whom fold {fold} leaves out: it left out "
            f"{'nobody' if theirs.fold is None else f'fold {theirs.fold}'}, with cohorts, folds "
            "and seed of its own; start from a run of the same fold"
        )


def _dealing(config: FitConfig) -> tuple[object, ...]:
    """What decides who is left out."""
    evaluated = tuple(cohort.table for cohort in config.cohorts if cohort.evaluated)
    return config.folds, config.fold_seed, evaluated
