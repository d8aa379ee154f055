"""`gliomaai-train fit`: trains a network from a recipe, stage by stage."""

import argparse
import logging
from pathlib import Path
from typing import Any

import yaml

from gliomaai_training.training.config import read_recipe

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train fit`."""
    parser.add_argument("recipe", type=Path, help="YAML file; see GliomaAITraining/configs")
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
    parser.add_argument(
        "--set",
        nargs="+",
        default=(),
        metavar="PATH=VALUE",
        help="changes to the recipe, e.g. network.segmentation=large stages.contrastive=null",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def run(arguments: argparse.Namespace) -> int:
    """Trains, or goes on training, in the folder OUT; a stage has a folder of its own there."""
    from gliomaai_training.training.distributed import training_processes
    from gliomaai_training.training.stages import Training, fit_recipe

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("gliomaai_training.inference").setLevel(logging.WARNING)  # of every brain
    recipe = read_recipe(arguments.recipe, dict(map(_change, arguments.set)))
    training = Training(
        data=arguments.data,
        out=arguments.out,
        store=arguments.store or arguments.out.parent / "store",
        fold=arguments.fold,
        start_from=arguments.start_from,
    )
    with training_processes(arguments.device) as processes:
        fit_recipe(recipe, training, processes)
    return 0


def _change(word: str) -> tuple[str, Any]:
    path, equals, value = word.partition("=")
    if not equals:
        raise ValueError(f"a change is PATH=VALUE, not {word!r}")
    return path, yaml.safe_load(value)
