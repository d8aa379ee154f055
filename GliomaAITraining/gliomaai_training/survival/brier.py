"""Brier score of predicted survival with censoring, at a horizon and integrated over time.

Graf et al., Stat Med 1999;18:2529. A patient's score at t is S(t)^2/G(T-) after death, and
(1 - S(t))^2/G(t) while observed alive; one lost before t scores 0, and the others' weights stand
for that. Scores are means over patients, so `bootstrap_interval` and `paired_difference` of
`evaluation.bootstrap` give their intervals.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import trapezoid

from gliomaai_training.evaluation.bootstrap import BOOTSTRAP, BootstrapConfig, Interval, intervals
from gliomaai_training.survival.censoring import Censoring, censoring_of, check_events
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.product_limit import product_limit


@dataclass(frozen=True)
class BrierScore:
    """How far predicted survival lies from what happened, beside the Kaplan-Meier null model."""

    score: Interval
    """0 is perfect; .25 is what S = .5 for everyone scores."""
    null: Interval
    """Of predicting everyone the Kaplan-Meier survival of the null cohort."""
    scaled: Interval
    """1 - score/null, the index of prediction accuracy: 0 is no better than the null model."""


def brier_by_patient(
    survival: ArrayLike, outcome: Outcome, months: ArrayLike, censoring: Censoring
) -> NDArray[np.float64]:
    """(n, k) each patient's weighted squared error at each time.

    Args:
        survival: (n, k) predicted probabilities of living longer than each time.
        outcome: of the same patients.
        months: (k,) times, ascending.
        censoring: of the training patients, or of these; see `censoring`.

    Raises:
        ValueError: shapes do not fit, a probability lies outside 0 to 1, times do not ascend or
            lie beyond the follow-up, or there are fewer than ten deaths.
    """
    times = _times(months, censoring)
    predicted = check_survival(survival, (len(outcome), times.size))
    check_events(outcome)
    dead = outcome.event[:, None] & (outcome.months[:, None] <= times)
    alive = outcome.months[:, None] > times
    of_dead = censoring.event_weights(outcome)[:, None]
    of_alive = np.array([censoring.weight_at(float(time)) for time in times])
    return np.where(dead, predicted**2 * of_dead, 0.0) + np.where(
        alive, (1.0 - predicted) ** 2 * of_alive, 0.0
    )


def integrated_brier_by_patient(
    survival: ArrayLike, outcome: Outcome, months: ArrayLike, censoring: Censoring
) -> NDArray[np.float64]:
    """(n,) each patient's mean over time of `brier_by_patient`, by the trapezoid rule.

    Raises:
        ValueError: as `brier_by_patient`, or there are fewer than two times.
    """
    times = _times(months, censoring)
    if times.size < 2:
        raise ValueError(f"an integral needs at least two times, not {times.size}")
    errors = brier_by_patient(survival, outcome, times, censoring)
    return np.asarray(trapezoid(errors, times, axis=1) / (times[-1] - times[0]))


def brier_score(
    survival: ArrayLike,
    outcome: Outcome,
    months: ArrayLike,
    null: Outcome,
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
) -> BrierScore:
    """The Brier score at one time, integrated where there are several.

    The weights and the null model are not estimated anew in each resample, so that intervals are
    somewhat narrow where few patients are still at risk.

    Args:
        survival: (n, k) as `brier_by_patient`.
        outcome: of the same patients.
        months: (k,) times, ascending.
        null: whose Kaplan-Meier curve is the null model and whose follow-up gives the weights,
            usually the training patients; these patients where the follow-up differs.
        generator: source of the draws.
        config: the number of draws and the level.

    Raises:
        ValueError: as `brier_by_patient`.
    """
    censoring = censoring_of(null)
    times = _times(months, censoring)
    nothing_known = np.broadcast_to(product_limit(null).at(times), (len(outcome), times.size))
    by_patient = brier_by_patient if times.size == 1 else integrated_brier_by_patient
    ours = by_patient(survival, outcome, times, censoring).reshape(-1)
    theirs = by_patient(nothing_known, outcome, times, censoring).reshape(-1)

    def statistics(draws: NDArray[np.int64]) -> NDArray[np.float64]:
        means = draws @ np.stack([ours, theirs], axis=1) / draws.sum(axis=1, keepdims=True)
        return np.column_stack([means, 1.0 - means[:, 0] / means[:, 1]])

    return BrierScore(*intervals(statistics, len(outcome), generator, config))


def check_survival(survival: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Survival probabilities as numbers.

    Raises:
        ValueError: the shape differs, or a value is no probability.
    """
    values = np.asarray(survival, np.float64)
    if values.shape != shape:
        raise ValueError(f"needs survival probabilities of shape {shape}, not {values.shape}")
    wrong = values[~((values >= 0) & (values <= 1))]
    if wrong.size:
        raise ValueError(f"a survival probability of {wrong[0]} is not possible")
    return values


def _times(months: ArrayLike, censoring: Censoring) -> NDArray[np.float64]:
    times = np.asarray(months, np.float64).reshape(-1)
    if not times.size or (np.diff(times) <= 0).any():
        raise ValueError(f"needs ascending times, not {times.tolist()}")
    for time in times:
        censoring.check_horizon(float(time))
    return times
