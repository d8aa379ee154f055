"""`gliomaai-train brain-mask`: trains, evaluates and packs the brain mask network."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gliomaai_training.progress import Progress

if TYPE_CHECKING:
    from gliomaai_training.training.brain_mask_pack import BrainMaskRun

EVALUATION = "evaluation"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the options."""
    parser.add_argument("--out", type=Path, required=True, help="folder of the run; resumed if any")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=int, help="train until this many steps are done")
    length.add_argument("--minutes", type=float, help="train until this many minutes are spent")
    parser.add_argument("--seed", type=int, default=1, help="of weights and heads (default 1)")
    parser.add_argument("--evaluate", action="store_true", help="measure the run's network")
    parser.add_argument(
        "--outwards-mm",
        type=float,
        default=0.0,
        help="move the mask's surface outwards, for --evaluate and --pack (default 0)",
    )
    parser.add_argument("--heads", type=int, default=100, help="held-out heads (default 100)")
    parser.add_argument("--data", type=Path, help="development data: lgg_slices, dicom, volumes")
    parser.add_argument("--pack", type=Path, help="export the measured network as a model pack")
    parser.add_argument("--version", help="the pack's version")
    parser.add_argument("--licence", type=Path, help="the pack's licence text")


def run(arguments: argparse.Namespace) -> int:
    """Trains, evaluates and packs, whichever the options name; returns the exit code."""
    from tqdm import tqdm

    trains = arguments.steps is not None or arguments.minutes is not None
    if not (trains or arguments.evaluate or arguments.pack):
        sys.stderr.write("nothing to do: give --steps, --minutes, --evaluate or --pack\n")
        return 2
    with tqdm(total=100, unit="%", mininterval=5, file=sys.stderr) as bar:

        def progress(stage: str, fraction: float) -> None:
            bar.set_description(stage, refresh=False)
            bar.update(round(100 * fraction) - bar.n)

        try:
            if trains:
                _train(arguments, progress)
            if arguments.evaluate:
                _evaluate(arguments, progress)
            if arguments.pack:
                _pack(arguments)
        except (OSError, ValueError) as error:
            sys.stderr.write(f"\n{error}\n")
            return 1
    return 0


def _train(arguments: argparse.Namespace, progress: Progress) -> None:
    from gliomaai_training.training.brain_mask import BrainMaskTraining, train_brain_mask

    config = BrainMaskTraining(arguments.steps, arguments.minutes, arguments.seed)
    train_brain_mask(config, arguments.out, progress)


def _evaluate(arguments: argparse.Namespace, progress: Progress) -> None:
    from gliomaai_training.evaluation import brain_mask_report as report
    from gliomaai_training.training.brain_mask import LOG

    network = _finished(arguments).network
    config = report.EvaluationConfig(arguments.data, arguments.heads)
    figures = report.evaluate_brain_mask(network, config, progress)
    folder = arguments.out / EVALUATION
    report.write_figures(figures, folder)
    report.draw_picture(network, figures, arguments.out / LOG, folder)
    sys.stdout.write(json.dumps(figures, indent=2) + "\n")


def _pack(arguments: argparse.Namespace) -> None:
    from gliomaai_training.evaluation.brain_mask_report import FIGURES, PICTURE
    from gliomaai_training.training.brain_mask_pack import write_brain_mask_pack

    if arguments.licence is None or arguments.version is None:
        raise ValueError("a pack needs its licence text and version: give --licence and --version")
    folder = arguments.out / EVALUATION
    if not (folder / FIGURES).is_file():
        raise ValueError(f"{folder} holds no figures: give --evaluate first")
    figures = json.loads((folder / FIGURES).read_text("utf-8"))
    files = {
        "LICENSE": arguments.licence.read_bytes(),
        f"docs/{PICTURE}": (folder / PICTURE).read_bytes(),
    }
    write_brain_mask_pack(arguments.pack, arguments.version, _finished(arguments), figures, files)


def _finished(arguments: argparse.Namespace) -> "BrainMaskRun":
    from gliomaai_training.training.brain_mask import CHECKPOINT, load_finished

    file: Path = arguments.out / CHECKPOINT
    if not file.is_file():
        raise ValueError(f"{arguments.out} holds no {CHECKPOINT}: train first")
    return load_finished(file, arguments.outwards_mm)
