"""`gliomaai-train score`: a pack of statistical models is asked about the patients of a table."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gliomaai_training.inference.scoring import Score

ROLES = ("preoperative", "postoperative")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train score`."""
    add = parser.add_argument
    add("pack", type=Path, metavar="PACK", help="folder of a pack of statistical models")
    add(
        "tables",
        type=Path,
        nargs="+",
        metavar="TABLE",
        help="CSV of patients; several are joined by their column `patient`",
    )
    add("--out", type=Path, required=True, metavar="FILE", help="CSV of scores")
    add("--role", choices=ROLES, help="of survival models (default: by what is known)")


def run(arguments: argparse.Namespace) -> int:
    """Writes the scores and says which models gave them; returns 0.

    Raises:
        ValueError: the pack or a table cannot be used, or nobody could be scored.
    """
    import pandas as pd

    from gliomaai_training.inference.patient_table import read_patients
    from gliomaai_training.inference.scoring import open_pack, score_patients
    from gliomaai_training.inference.statistical_packs import Role
    from gliomaai_training.vocabulary import NOTICE

    if arguments.out.resolve() in [table.resolve() for table in arguments.tables]:
        raise ValueError(f"--out {arguments.out} is a table of patients; name another file")
    pack = open_pack(arguments.pack)
    patients = read_patients(arguments.tables)
    role = None if arguments.role is None else Role(arguments.role)
    scores = score_patients(pack, patients, role)
    if not any(score.model for score in scores):
        raise ValueError(f"nobody could be scored: {_problems(scores)}")
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame([score.row() for score in scores])[_columns(scores)].to_csv(
        arguments.out, index=False
    )
    for line in (*_told(scores), str(arguments.out), NOTICE):
        sys.stdout.write(f"{line}\n")
    return 0


def _columns(scores: Sequence["Score"]) -> list[str]:
    """Those of a row with a result, for the first row may have none."""
    return list(next(score for score in scores if score.model).row())


def _told(scores: Sequence["Score"]) -> Iterator[str]:
    for model, rows in Counter(score.model for score in scores if score.model).items():
        yield f"{rows} by {model}"
    others = {str(score.said["only_for"]) for score in scores if score.said.get("only_for")}
    for name in sorted(others):
        yield f"Only for patients of {name}: another hospital's numbers mean something else."
    if failed := [score for score in scores if not score.model]:
        yield f"{len(failed)} without a result: {_problems(failed)}"


def _problems(scores: Sequence["Score"]) -> str:
    """Each reason once, the most frequent first."""
    found = Counter(score.problem for score in scores if score.problem).most_common()
    return "; ".join(f"{problem} ({rows})" for problem, rows in found[:MOST])


MOST = 5
"""Reasons that are told; the table has all."""
