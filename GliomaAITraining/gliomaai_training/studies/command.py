"""`gliomaai-train study`: a named analysis of real cohorts."""

import argparse
import sys
from pathlib import Path

from gliomaai_training.studies.registry import STUDIES

TAKE_FEATURES = ("grading", "lgg", "network-real")
"""Studies into which features of another source plug in."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train study`."""
    add = parser.add_argument
    add("name", nargs="?", metavar="NAME", help=f"one of {', '.join(STUDIES)}")
    add("--list", action="store_true", help="say what there is, and stop")
    add("--data", type=Path, help="root of the data")
    add("--out", type=Path, metavar="DIR", help="folder that the study writes")
    add("--results", type=Path, metavar="DIR", help="also write NAME.md and a few figures here")
    add(
        "--masks", type=Path, metavar="DIR", help="held-out masks of `evaluate --masks` (stability)"
    )
    add(
        "--features",
        type=Path,
        metavar="TABLE",
        help="CSV of a network's out-of-fold features, as `features` writes it (grading, lgg), or "
        "a folder of them (network-real)",
    )
    add(
        "--networks",
        type=Path,
        metavar="YAML",
        help="networks to train and compare (networks); see GliomaAITraining/configs",
    )
    add("--seed", type=int, default=1, help="of folds, bootstrap and permutations (default 1)")
    add("--resamples", type=int, default=1000, metavar="N", help="bootstrap (default 1000)")


def run(arguments: argparse.Namespace) -> int:
    """Runs one study and writes its folder."""
    if arguments.list:
        for name, (_, question) in STUDIES.items():
            sys.stdout.write(f"{name:16s} {question}\n")
        return 0
    if arguments.name is None or arguments.data is None or arguments.out is None:
        raise ValueError("a study needs its NAME, --data and --out; --list says what there is")
    return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from gliomaai_training.studies.folder import check_folder, write_study, write_summary
    from gliomaai_training.studies.registry import find_study
    from gliomaai_training.studies.study import StudySettings

    study = find_study(arguments.name)
    if arguments.features is not None and arguments.name not in TAKE_FEATURES:
        raise ValueError(
            f"the study {arguments.name} takes no --features; {', '.join(TAKE_FEATURES)} do"
        )
    check_folder(arguments.name, arguments.out)
    if not arguments.data.is_dir():
        raise ValueError(f"there is no folder {arguments.data}: --data is the root of the data")
    cache = arguments.out / "cache"
    settings = StudySettings(
        arguments.data,
        arguments.seed,
        arguments.resamples,
        cache,
        arguments.masks,
        arguments.features,
        arguments.networks,
    )
    with tqdm(total=100, unit="%", disable=None) as bar:

        def advance(stage: str, done: float) -> None:
            bar.set_description(stage)
            bar.update(round(100 * done) - bar.n)

        result = study(settings, advance)
    write_study(arguments.name, result, settings, arguments.out)
    if arguments.results is not None:
        write_summary(arguments.name, result, settings, arguments.results)
    sys.stdout.write(f"{arguments.out / 'summary.md'}\n")
    return 0
