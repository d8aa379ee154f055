"""Exact Shapley values of sequences: what each one adds, over all orders in which they can come.

Shapley 1953: the value of a sequence is its mean gain over all orders, which is a sum over the
subsets S of the others, weighted by |S|! (n - |S| - 1)! / n!.
"""

from collections.abc import Mapping
from itertools import combinations
from math import factorial

import numpy as np
import pandas as pd

from gliomaai_training.evaluation.bootstrap import BOOTSTRAP, BootstrapConfig, bootstrap_interval
from gliomaai_training.evaluation.tables import RESULT_COLUMNS, all_subsets, subset_name
from gliomaai_training.vocabulary import REGIONS, SEQUENCES

Subset = frozenset[str]


def shapley_values(values: Mapping[Subset, float]) -> dict[str, float]:
    """What each player adds.

    Args:
        values: of every subset of the players, the empty one among them.

    Returns:
        One value for each player, in the order of `SEQUENCES` as far as they are sequences, summing
        to the value of all players less that of none.

    Raises:
        ValueError: the value of a subset is missing.
    """
    players = sorted(frozenset().union(*values), key=_place)
    n = len(players)
    subsets = [frozenset(one) for size in range(n + 1) for one in combinations(players, size)]
    missing = [sorted(one, key=_place) for one in subsets if one not in values]
    if missing or not values:
        raise ValueError(f"the value of {'+'.join(missing[0]) if missing else ''!r} is missing")
    weights = [factorial(size) * factorial(n - size - 1) / factorial(n) for size in range(n)]
    return {
        player: sum(
            weights[len(one)] * (values[one | {player}] - values[one])
            for one in subsets
            if player not in one
        )
        for player in players
    }


def metric_importance(by_subset: Mapping[str, float], empty: float) -> dict[str, float]:
    """What each sequence adds to a metric of a cohort, for example to an AUC.

    Args:
        by_subset: the metric with each of the 15 subsets, named by `tables.subset_name`.
        empty: the metric of who has no images: 0.5 for an AUC or a concordance.

    Raises:
        ValueError: a subset is missing or unknown.
    """
    names = {subset_name(one): frozenset(one) for one in all_subsets()}
    unknown = sorted(set(by_subset) - set(names))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no subset of {', '.join(SEQUENCES)}")
    return shapley_values(
        {frozenset(): empty, **{names[name]: value for name, value in by_subset.items()}}
    )


def dice_importance(
    results: pd.DataFrame,
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
) -> pd.DataFrame:
    """What each sequence adds to Dice, mean over cases with 95 % bootstrap interval by patient.

    Without any image nothing is drawn: Dice is then 0, or 1 where the region is not there. Cases
    that were not scored with all 15 subsets are left out.

    Args:
        results: as in `evaluation.tables`, with `truth_ml`, of all subsets.
        generator: of the bootstrap.
        config: the statistic is the mean.

    Returns:
        A row for each region and sequence: region, sequence, dice, low, high, cases; the values of
        a region sum to its mean Dice with all sequences, less that without any.

    Raises:
        ValueError: a column is missing, or no case has all subsets.
    """
    missing = sorted({*RESULT_COLUMNS, "truth_ml"} - set(results.columns))
    if missing:
        raise ValueError(f"the results lack the columns {', '.join(missing)}")
    rows = []
    for region in REGIONS:
        found = _by_case(results[results["region"] == region])
        for name in SEQUENCES:
            interval = bootstrap_interval(
                found[name].to_numpy(), generator, config, found["patient"].tolist()
            )
            rows.append(
                {
                    "region": region,
                    "sequence": name,
                    "dice": interval.estimate,
                    "low": interval.low,
                    "high": interval.high,
                    "cases": len(found),
                }
            )
    return pd.DataFrame(rows)


def _by_case(results: pd.DataFrame) -> pd.DataFrame:
    """Each complete case's patient and values."""
    rows = []
    for _, part in results.groupby("case", sort=True):
        by_subset = dict(zip(part["sequences"], part["dice"].astype(float), strict=True))
        if len(by_subset) == len(all_subsets()):
            empty = float(part["truth_ml"].iloc[0] == 0)
            patient = part["patient"].iloc[0]
            rows.append({"patient": patient, **metric_importance(by_subset, empty)})
    if not rows:
        raise ValueError(f"no case was scored with all {len(all_subsets())} subsets of sequences")
    return pd.DataFrame(rows)


def _place(player: str) -> tuple[int, str]:
    return (SEQUENCES.index(player) if player in SEQUENCES else len(SEQUENCES), player)
