"""Dice of several runs of the same cases, from the results table of `tables`.

As written by `evaluate`, with a column `run` beside where there are several seeds.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd

from gliomaai_training.evaluation.tables import RESULT_COLUMNS
from gliomaai_training.evaluation.tasks.measures import Floats
from gliomaai_training.evaluation.tasks.predictions import COMPLETE
from gliomaai_training.vocabulary import REGIONS

RUN = "run"


@dataclass(frozen=True, eq=False)
class DiceRuns:
    """Dice of r runs for the same n cases, through the same sequences."""

    cases: tuple[str, ...]
    patients: tuple[str, ...]
    """(n,)"""
    runs: tuple[str, ...]
    dice: Mapping[str, Floats]
    """By region (r, n)."""

    def take(self, cases: Sequence[str]) -> Self:
        """Some of the cases, in this order; all of them must be there."""
        place = {case: number for number, case in enumerate(self.cases)}
        rows = [place[case] for case in cases]
        return type(self)(
            tuple(cases),
            tuple(self.patients[row] for row in rows),
            self.runs,
            {region: values[:, rows] for region, values in self.dice.items()},
        )


def check_results(results: pd.DataFrame) -> pd.DataFrame:
    """The columns needed of a results table, with a run for each row.

    Raises:
        ValueError: a column is missing, there are no rows, a Dice is none, or two rows are of the
            same case, sequences, region and run.
    """
    missing = [name for name in RESULT_COLUMNS if name not in results.columns]
    if missing:
        raise ValueError(f"the results lack the columns {', '.join(missing)}")
    if results.empty:
        raise ValueError("the results are empty")
    dice = results["dice"].to_numpy(np.float64)
    wrong = dice[~((dice >= 0) & (dice <= 1))]
    if wrong.size:
        raise ValueError(f"a Dice is {wrong[0]}; leave out that case")
    run = results[RUN] if RUN in results.columns else pd.Series("", results.index)
    table = results.assign(case=results["case"].astype(str), run=run.astype(str))
    twice = int(table.duplicated(["case", "sequences", "region", RUN]).sum())
    if twice:
        raise ValueError(
            f"{twice} rows repeat the case, sequences and region of another: name the runs of "
            f"several seeds in a column {RUN}"
        )
    return table


def dice_runs(results: pd.DataFrame, sequences: str = COMPLETE) -> DiceRuns:
    """The runs of a results table, side by side, for one subset of sequences.

    Raises:
        ValueError: as `check_results`, no results of these sequences, or not every run has every
            case and region.
    """
    return dice_side_by_side(check_results(results), sequences)


def dice_side_by_side(table: pd.DataFrame, sequences: str) -> DiceRuns:
    """As `dice_runs`, of what `check_results` gave.

    Raises:
        ValueError: no results of these sequences, or not every run has every case and region.
    """
    part = table[table["sequences"] == sequences]
    if part.empty:
        raise ValueError(f"there are no segmentation results of {sequences}")
    runs, cases = sorted(part[RUN].unique()), sorted(part["case"].unique())
    owner = part.drop_duplicates("case").set_index("case")["patient"].astype(str)
    dice = {}
    for region in REGIONS:
        of_region = part[part["region"] == region].sort_values([RUN, "case"], kind="stable")
        if len(of_region) != len(runs) * len(cases):
            raise ValueError(
                f"{len(runs)} runs have {len(cases)} cases, but not each of them all in {region}: "
                f"{len(of_region)} rows; the folds of one seed are one run"
            )
        values = of_region["dice"].to_numpy(np.float64)
        dice[region] = values.reshape(len(runs), len(cases))
    return DiceRuns(tuple(cases), tuple(owner[case] for case in cases), tuple(runs), dice)


def common_dice(tables: Iterable[DiceRuns]) -> list[DiceRuns]:
    """The same, each with the cases that all of them have.

    Raises:
        ValueError: they have no case in common.
    """
    given = list(tables)
    if not given:
        return []
    shared = sorted(set.intersection(*(set(one.cases) for one in given)))
    if not shared:
        raise ValueError("the segmentation results have no case in common")
    return [one.take(shared) for one in given]
