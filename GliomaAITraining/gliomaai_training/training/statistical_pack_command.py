"""`gliomaai-train pack-models`: fitted statistical models become a model pack."""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train pack-models`."""
    add = parser.add_argument
    add("plan", type=Path, help="YAML: task, models, sections of the card, notes")
    add("--studies", type=Path, required=True, help="folder below which the plan's files lie")
    add("--out", type=Path, required=True, help="folder of the pack; its name is the pack's")
    add("--version", required=True)
    add("--licence", type=Path, required=True, help="the licence's full text")


def run(arguments: argparse.Namespace) -> int:
    """Writes the pack; returns 0."""
    from gliomaai_training.training.statistical_pack import PackPlan, write_statistical_pack

    plan = PackPlan.read(arguments.plan)
    licence = arguments.licence.read_bytes()
    pack = write_statistical_pack(
        arguments.out, arguments.version, plan, arguments.studies, licence
    )
    sys.stdout.write(f"{pack.name} {pack.version} {pack.sha256}\n")
    return 0
