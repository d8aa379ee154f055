"""`gliomaai-train`: one subcommand for each job; heavy imports happen inside the job."""

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from gliomaai_training import __version__
from gliomaai_training.progress import Cancelled

COMMANDS = {
    "simulate": ("gliomaai_training.simulation.command", "make synthetic patients"),
    "brain-mask": ("gliomaai_training.training.brain_mask_command", "train the brain mask network"),
    "fit": ("gliomaai_training.training.command", "train a network from a configuration file"),
    "evaluate": ("gliomaai_training.evaluation.command", "cross-validation tables and figures"),
    "features": (
        "gliomaai_training.evaluation.features.command",
        "deep features of a cohort, by networks that never saw its patients",
    ),
    "radiomics": ("gliomaai_training.radiomics.command", "measure the tumours of a cohort"),
    "study": ("gliomaai_training.studies.command", "analyse real cohorts by a named study"),
    "pack": ("gliomaai_training.training.pack_command", "export a trained network as a model pack"),
    "pack-models": (
        "gliomaai_training.training.statistical_pack_command",
        "export statistical models as a model pack",
    ),
    "score": (
        "gliomaai_training.inference.score_command",
        "ask a pack of statistical models about the patients of a table",
    ),
    "reference-groups": (
        "gliomaai_training.survival.reference_groups_command",
        "observed survival of groups, for a pack of survival models",
    ),
}
"""Subcommand: the module with `add_arguments(parser)` and `run(arguments) -> int`, and its help."""

CANCELLED = 130

OF_STUDIES = ("lifelines", "pywt", "sklearn")
"""What comes with the extra `studies` only: the clinic does without."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one subcommand; returns the process's exit code: 1 for an error, 2 for wrong usage."""
    argv = list(sys.argv[1:] if argv is None else argv)
    arguments = build_parser(argv).parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except (KeyboardInterrupt, Cancelled):
        sys.stderr.write("Cancelled.\n")
        return CANCELLED
    except ModuleNotFoundError as error:
        if arguments.debug or error.name not in OF_STUDIES:
            raise
        sys.stderr.write(
            f"Error: {error.name} is not installed: pip install 'gliomaai-training[studies]'\n"
        )
        return 1
    except (OSError, ValueError) as error:
        if arguments.debug:
            raise
        sys.stderr.write(f"Error: {error}\n")
        return 1


def build_parser(argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line's grammar; only the job that `argv` names is imported and filled in."""
    parser = argparse.ArgumentParser(prog="gliomaai-train", description=__doc__)
    parser.add_argument("--version", action="version", version=f"gliomaai-train {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = next((word for word in argv if not word.startswith("-")), None)
    for name, (module, summary) in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=summary, description=summary)
        subparser.add_argument("--debug", action="store_true", help="show where an error came from")
        if name == chosen:
            job = import_module(module)
            job.add_arguments(subparser)
            subparser.set_defaults(run=job.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())
