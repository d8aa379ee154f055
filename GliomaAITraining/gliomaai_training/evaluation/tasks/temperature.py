"""The temperature of each task, fitted on validation patients (Guo et al., ICML 2017).

One for each task and network. Labels known in part count through the sum of what they leave
possible.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.evaluation.reliability import TEMPERATURE_RANGE
from gliomaai_training.evaluation.tasks.answers import Floats, Rows, answers, networks_of
from gliomaai_training.evaluation.tasks.predictions import COMPLETE, class_columns
from gliomaai_training.evaluation.tasks.truth import TaskTruth

SMALLEST = 1e-12
"""Probabilities are kept this far from 0 where their logarithm is needed."""
GRID = 121
"""Temperatures tried before the search is refined."""

Network = tuple[str, str]
"""Run and fold."""


@dataclass(frozen=True)
class TemperatureFit:
    """A temperature and what it was fitted to."""

    temperature: float
    """Above 1, the network is too sure of itself."""
    patients: int
    """Of whom something is known."""
    log_loss_before: float
    log_loss_after: float
    at_limit: bool = False
    """Whether the search ended at the edge of its range. At the lower one validation has no error,
    so that any certainty would seem right, and the temperature stays 1."""


def fit_task_temperature(probabilities: Floats, possible: Rows) -> TemperatureFit:
    """The temperature that maximises the likelihood of labels known in part.

    The loss is convex in the inverse temperature where labels are decided; a sum over several
    classes may give it a second valley, so that the best of a grid is refined.

    Args:
        probabilities: (n, k), summing to 1.
        possible: (n, k) which classes each patient can have; who can have all says nothing.

    Raises:
        ValueError: shapes do not fit, or nobody says anything.
    """
    if probabilities.ndim != 2 or probabilities.shape != possible.shape:
        raise ValueError(f"probabilities {probabilities.shape}, labels {possible.shape}")
    known = ~possible.all(axis=1)
    if not known.any():
        raise ValueError("a temperature needs patients of whom something is known")
    values = np.log(np.maximum(probabilities[known], SMALLEST))
    some = np.where(possible[known], values, -np.inf)

    def loss(log_temperature: float) -> float:
        scale = float(np.exp(-log_temperature))
        return float(np.mean(logsumexp(values * scale, axis=1) - logsumexp(some * scale, axis=1)))

    low, high = np.log(TEMPERATURE_RANGE)
    grid = np.linspace(low, high, GRID)
    best = int(np.argmin([loss(one) for one in grid]))
    bounds = grid[max(best - 1, 0)], grid[min(best + 1, GRID - 1)]
    found = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    patients, before = int(known.sum()), loss(0.0)
    if best == 0:
        return TemperatureFit(1.0, patients, before, before, at_limit=True)
    return TemperatureFit(
        float(np.exp(found.x)), patients, before, float(found.fun), at_limit=best == GRID - 1
    )


def heads_in(table: pd.DataFrame) -> list[str]:
    """The tasks of which a table has the probabilities themselves."""
    return [task for task in CLASSES if set(class_columns(task)) <= set(table.columns)]


def fit_temperatures(
    validation: pd.DataFrame, truth: TaskTruth, sequences: str = COMPLETE
) -> dict[Network, dict[str, TemperatureFit]]:
    """For every network of a table and each of its heads the temperature; facts that follow from
    the state have the state's. Where nothing is known of anybody, there is none.

    Raises:
        ValueError: as `answers.answers`.
    """
    found: dict[Network, dict[str, TemperatureFit]] = {}
    if validation.empty:
        return found
    for task in heads_in(validation):
        given = answers(validation, truth, task, sequences)
        for network in sorted(set(zip(given.run, given.fold, strict=True))):
            part = given.take((given.run == network[0]) & (given.fold == network[1]))
            fit = fit_task_temperature(part.probabilities, part.possible)
            found.setdefault(network, {})[task] = fit
    return found


def rescaled(
    table: pd.DataFrame, fits: Mapping[Network, Mapping[str, TemperatureFit]]
) -> pd.DataFrame:
    """A table of predictions with the probabilities divided by temperature; the rest as it is, and
    so are tasks for which no network has a temperature.

    Raises:
        ValueError: a network has no temperature for a task that others have.
    """
    changed = table.copy()
    networks = networks_of(table)
    for task in heads_in(table):
        lacking = sum(task not in fits.get(network, {}) for network in set(networks))
        if not any(task in one for one in fits.values()):
            continue
        if lacking:
            raise ValueError(f"{lacking} networks have no temperature for {task}")
        temperature = np.array([fits[network][task].temperature for network in networks])
        values = np.log(np.maximum(table[class_columns(task)].to_numpy(np.float64), SMALLEST))
        values /= temperature[:, None]
        changed[class_columns(task)] = np.exp(values - logsumexp(values, axis=1, keepdims=True))
    return changed
