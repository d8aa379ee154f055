"""`gliomaai-train simulate`: makes a cohort of synthetic patients."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.simulation.config import USUAL_CLASS_MIX, SimulationConfig
from gliomaai_training.vocabulary import SEQUENCES

if TYPE_CHECKING:
    from tqdm import tqdm


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the subcommand."""
    add = parser.add_argument
    add("--patients", type=int, required=True, metavar="N", help="how many patients")
    add("--seed", type=int, default=0, metavar="S", help="seed of the first; the next has S + 1")
    add("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
    add("--workers", type=int, default=1, metavar="K", help="patients at a time (default 1)")
    add("--resume", action="store_true", help="keep patients that are complete in DIR")
    add("--spacing", type=float, default=1.0, metavar="MM", help="voxel size (default 1 mm)")
    classes = parser.add_mutually_exclusive_group()
    classes.add_argument(
        "--who-class", choices=WHO_STATES, help="all patients of this WHO 2021 class"
    )
    classes.add_argument(
        "--class-mix",
        nargs="+",
        type=_share,
        default=USUAL_CLASS_MIX,
        metavar="CLASS=SHARE",
        help="shares of the classes, e.g. GBM=0.5 A2=0.25 O2=0.25 (default: as operated)",
    )
    add("--tumour-free", action="store_true", help="healthy brains")
    add("--whole-head", action="store_true", help="with skull and scalp; default: stripped")
    add("--thick-slices", action="store_true", help="each sequence on its own thick slices")
    add("--separate-views", action="store_true", help="own field of view and motion for each")
    add("--dicom", action="store_true", help="DICOM as a PACS exports it instead of NIfTI")
    add(
        "--missing",
        nargs="+",
        default=(),
        choices=SEQUENCES,
        metavar="SEQUENCE",
        help=f"sequences to leave out, of {', '.join(SEQUENCES)}",
    )


def _share(word: str) -> tuple[str, float]:
    name, _, share = word.partition("=")
    return name, float(share)


def run(arguments: argparse.Namespace) -> int:
    """Makes the cohort; returns the process's exit code."""
    from tqdm import tqdm

    from gliomaai_training.simulation.cohort import CohortConfig, simulate_cohort

    try:
        config = CohortConfig(
            patients=arguments.patients,
            seed=arguments.seed,
            folder=arguments.out,
            workers=arguments.workers,
            dicom=arguments.dicom,
            resume=arguments.resume,
            patient=SimulationConfig(
                spacing_mm=arguments.spacing,
                who_class=arguments.who_class,
                class_mix=tuple(arguments.class_mix),
                tumour_free=arguments.tumour_free,
                whole_head=arguments.whole_head,
                thick_slices=arguments.thick_slices,
                separate_views=arguments.separate_views,
                missing=tuple(arguments.missing),
            ),
        )
        with tqdm(total=config.patients, unit="patient", disable=None) as bar:
            simulate_cohort(config, lambda _, done: _advance(bar, done))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"gliomaai-train simulate: {error}\n")
        return 2
    return 0


def _advance(bar: "tqdm[NoReturn]", fraction: float) -> None:
    bar.update(round(fraction * (bar.total or 0)) - bar.n)
