"""Whether the probabilities of diagnoses mean what they say, before and after temperature scaling.

One temperature for each task and network, fitted on validation patients (Guo et al., ICML 2017) and
judged on test patients. Labels known in part count through the sum of what they leave possible;
calibration errors count only those of whom the class is decided.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import BOOTSTRAP, BootstrapConfig, Interval, intervals
from gliomaai_training.evaluation.probability_scores import (
    Bin,
    calibration_bins,
    calibration_error,
    resampled_calibration_error,
)
from gliomaai_training.evaluation.tasks.answers import (
    Answers,
    Floats,
    HeldOut,
    answers,
    draws_of_rows,
    tasks_in,
)
from gliomaai_training.evaluation.tasks.predictions import COMPLETE
from gliomaai_training.evaluation.tasks.temperature import (
    SMALLEST,
    Network,
    TemperatureFit,
    fit_temperatures,
    heads_in,
    rescaled,
)
from gliomaai_training.evaluation.tasks.truth import TaskTruth
from gliomaai_training.interpretation.explanations import STATE

BY_CHANCE = 200
"""Draws of what calibrated probabilities would show."""

AS_PREDICTED, SCALED = "as predicted", "temperature-scaled"
SCORES = ("log loss", "Brier", "ECE, equal mass", "ECE, equal width")


@dataclass(frozen=True, eq=False)
class CalibrationScores:
    """How one model's answers to one task score; runs are averaged, patients resampled."""

    given: Answers
    cases: tuple[str, ...]
    """Those of whom something is known, in the order of the draws."""

    @classmethod
    def of(cls, given: Answers) -> "CalibrationScores":
        """The scores of all cases.

        Raises:
            ValueError: of nobody is the class decided.
        """
        if not given.decided.any():
            raise ValueError(f"of nobody is {given.task} decided")
        return cls(given, tuple(sorted(set(given.case))))

    def statistics(self, draws: NDArray[np.int64]) -> Floats:
        """(resamples, 4) of `SCORES`: mean over runs; NaN where a resample has nobody decided."""
        found = np.zeros((len(draws), len(SCORES)))
        runs = sorted(set(self.given.run))
        for run in runs:
            part = self.given.take(self.given.run == run)
            weights = draws_of_rows(draws, part.case, self.cases)
            decided = part.take(part.decided)
            of_decided = weights[:, part.decided]
            right = decided.correct.astype(np.float64)
            errors = [
                resampled_calibration_error(_unit(decided), right, of_decided, equal_mass)
                for equal_mass in (True, False)
            ]
            found += np.stack(
                [_mean(log_losses(part), weights), _mean(_brier(decided), of_decided), *errors],
                axis=1,
            )
        return found / len(runs)

    def by_chance(self, generator: np.random.Generator) -> float:
        """The ECE (equal mass) that calibrated probabilities would show of so many patients: what
        is above it is miscalibration (consistency resampling, Bröcker and Smith 2007)."""
        found = []
        for run in sorted(set(self.given.run)):
            part = self.given.take((self.given.run == run) & self.given.decided)
            confidence = _unit(part)
            for _ in range(BY_CHANCE):
                drawn = (generator.random(confidence.size) < confidence).astype(np.float64)
                found.append(calibration_error(confidence, drawn))
        return float(np.mean(found))

    def bins(self, equal_mass: bool = True) -> tuple[Bin, ...]:
        """Confidence and accuracy for `figures.probability_plot`, all runs together."""
        part = self.given.take(self.given.decided)
        return calibration_bins(_unit(part), part.correct.astype(np.float64), equal_mass)


def calibration_table(
    named: Mapping[str, HeldOut],
    truth: TaskTruth,
    generator: np.random.Generator,
    sequences: str = COMPLETE,
    config: BootstrapConfig = BOOTSTRAP,
) -> pd.DataFrame:
    """How well each model is calibrated on test patients, for example with and without CutMix.

    Args:
        named: models by name.
        truth: of all cases.
        generator: of the bootstrap and of what chance would show.
        sequences: as `tables.subset_name` writes them.
        config: of the bootstrap.

    Returns:
        A row for each model, task and form (as predicted, temperature-scaled), with the median
        temperature over networks, scores with intervals by patient, the ECE that chance alone would
        give, and how far confidence is above accuracy. A task of which nobody's class is decided
        has no row, and one of which validation knows nothing none scaled.

    Raises:
        ValueError: as `fit_temperatures` and `answers.answers`.
    """
    rows = []
    for name, held in named.items():
        fits = fit_temperatures(held.validation, truth, sequences)
        for form, table in _forms(held, fits).items():
            for task in tasks_in(table):
                given = answers(table, truth, task, sequences)
                temperature = _temperature(fits, task, table)
                if not given.decided.any() or (form == SCALED and not temperature):
                    continue
                scores = CalibrationScores.of(given)
                rows.append(
                    {
                        "model": name,
                        "task": task,
                        "probabilities": form,
                        "patients": len(scores.cases),
                        "temperature": temperature if form == SCALED else "",
                        **_cells(scores, generator, config),
                    }
                )
    return pd.DataFrame(rows)


def calibration_differences(
    named: Mapping[str, HeldOut],
    truth: TaskTruth,
    generator: np.random.Generator,
    sequences: str = COMPLETE,
    config: BootstrapConfig = BOOTSTRAP,
) -> pd.DataFrame:
    """Paired differences of the scores: of scaling within each model, and between models.

    Both sides are resampled together, so that what resampling adds to an ECE falls out.

    Args:
        named, truth, generator, sequences, config: see `calibration_table`.

    Returns:
        A row for each task and pair, with the scores of the first less those of the second.

    Raises:
        ValueError: as `calibration_table`, or two models did not answer the same cases.
    """
    forms = {
        name: _forms(held, fit_temperatures(held.validation, truth, sequences))
        for name, held in named.items()
    }
    pairs = [((name, SCALED), (name, AS_PREDICTED)) for name in named]
    for second, first in combinations(named, 2):
        pairs += [((first, form), (second, form)) for form in (AS_PREDICTED, SCALED)]
    rows = []
    for ours, theirs in pairs:
        tables = forms[ours[0]][ours[1]], forms[theirs[0]][theirs[1]]
        for task in tasks_in(tables[0]):
            if task not in tasks_in(tables[1]):
                continue
            given = [answers(table, truth, task, sequences) for table in tables]
            if not all(one.decided.any() for one in given):
                continue
            one, two = (CalibrationScores.of(part) for part in given)
            rows.append(
                {
                    "task": task,
                    "first": ", ".join(ours),
                    "second": ", ".join(theirs),
                    "patients": len(one.cases),
                    **_difference(one, two, generator, config),
                }
            )
    return pd.DataFrame(rows)


def log_losses(given: Answers) -> Floats:
    """(m,) -log of the summed probability of what is possible."""
    some = np.where(given.possible, given.probabilities, 0.0).sum(axis=1)
    return np.asarray(-np.log(np.clip(some, SMALLEST, 1.0)))


def _brier(decided: Answers) -> Floats:
    """(m,) squared distance of the probabilities to the class, from 0 to 2 (Brier 1950)."""
    return np.asarray(((decided.probabilities - decided.possible) ** 2).sum(axis=1))


def _unit(given: Answers) -> Floats:
    """The confidence, which rounding may leave above 1."""
    return np.clip(given.confidence, 0.0, 1.0)


def _mean(values: Floats, weights: NDArray[np.int64]) -> Floats:
    total = weights.sum(axis=1)
    found: Floats = np.full(len(weights), np.nan)
    np.divide(weights @ values, total, out=found, where=total > 0)
    return found


def _forms(
    held: HeldOut, fits: Mapping[Network, Mapping[str, TemperatureFit]]
) -> dict[str, pd.DataFrame]:
    return {AS_PREDICTED: held.test, SCALED: rescaled(held.test, fits)}


def _temperature(
    fits: Mapping[Network, Mapping[str, TemperatureFit]], task: str, table: pd.DataFrame
) -> str:
    """The median over networks, with a mark where a search ended at its limit; "" for none."""
    head = task if task in heads_in(table) else STATE
    found = [fit[head] for fit in fits.values() if head in fit]
    if not found:
        return ""
    limit = " (at the limit)" if any(one.at_limit for one in found) else ""
    return f"{np.median([one.temperature for one in found]):.2f}{limit}"


def _cells(
    scores: CalibrationScores, generator: np.random.Generator, config: BootstrapConfig
) -> dict[str, str]:
    found = intervals(scores.statistics, len(scores.cases), generator, config)
    decided = scores.given.take(scores.given.decided)
    above = float(decided.confidence.mean() - decided.correct.mean())
    cells = {name: str(_holding(one)) for name, one in zip(SCORES, found, strict=True)}
    return cells | {
        "ECE by chance": f"{scores.by_chance(generator):.3f}",
        "confidence less accuracy": f"{above:+.3f}",
    }


def _difference(
    one: CalibrationScores,
    two: CalibrationScores,
    generator: np.random.Generator,
    config: BootstrapConfig,
) -> dict[str, str]:
    if one.cases != two.cases:
        raise ValueError(f"two models answered {one.given.task} of different cases")
    found = intervals(
        lambda draws: one.statistics(draws) - two.statistics(draws),
        len(one.cases),
        generator,
        config,
    )
    return {name: str(part) for name, part in zip(SCORES, found, strict=True)}


def _holding(found: Interval) -> Interval:
    """The interval with its estimate inside: resampling widens a calibration error's gaps, so that
    a small one lies below all its resamples."""
    return Interval(found.estimate, min(found.low, found.estimate), max(found.high, found.estimate))
