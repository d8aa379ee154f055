"""Decision curves with censoring: what acting on a predicted risk is worth.

Vickers et al., BMC Med Inform Decis Mak 2008;8:53. Who has a predicted risk of at least the
threshold is treated; net benefit = true positives - false positives x threshold/(1 - threshold),
per patient, where deaths among the treated are estimated by Kaplan-Meier at the horizon.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.evaluation.bootstrap import (
    BOOTSTRAP,
    BootstrapConfig,
    Interval,
    patient_draws,
    percentile_interval,
)
from gliomaai_training.survival.brier import check_survival
from gliomaai_training.survival.calibration import up_to
from gliomaai_training.survival.censoring import censoring_of, check_events
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.product_limit import resampled_survival

THRESHOLDS = tuple(float(value) for value in np.round(np.arange(0.05, 0.951, 0.05), 2))

TREAT_ALL = "treat all"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit at each of k thresholds; treating none is 0 everywhere."""

    name: str
    thresholds: tuple[float, ...]
    benefit: tuple[Interval, ...]
    """Per patient: .1 is worth 10 true positives in 100 patients without a false one."""
    over_defaults: tuple[Interval, ...]
    """Gain over the better of treating all and treating none, from the same resamples."""


def decision_curves(
    survival: Mapping[str, ArrayLike],
    outcome: Outcome,
    horizon_months: float,
    generator: np.random.Generator,
    thresholds: Sequence[float] = THRESHOLDS,
    config: BootstrapConfig = BOOTSTRAP,
) -> tuple[DecisionCurve, ...]:
    """Net benefit of each model and of treating all, from the same resamples of the patients.

    Args:
        survival: by model, (n,) predicted probabilities of living longer than the horizon.
        outcome: of the same patients.
        horizon_months: for example one of `HORIZONS_MONTHS`.
        generator: source of the draws.
        thresholds: risks of death by the horizon from which on one would act, each between 0
            and 1; those that are argued for clinically.
        config: the number of draws and the level.

    Returns:
        A curve for each model, then that of `TREAT_ALL`. Where the follow-up of those above a
        threshold ends before the horizon, net benefit is NaN.

    Raises:
        ValueError: no models, a value is no probability, a threshold is not between 0 and 1, the
            horizon lies beyond the follow-up, or fewer than ten patients died by it.
    """
    wrong = [value for value in thresholds if not 0 < value < 1]
    if wrong or not thresholds or not survival:
        raise ValueError(f"needs models and thresholds between 0 and 1, not {wrong or thresholds}")
    censoring_of(outcome).check_horizon(horizon_months)
    check_events(up_to(outcome, horizon_months))
    once = np.ones((1, len(outcome)), np.int64)
    draws = np.concatenate([once, patient_draws(once.size, generator, config.resamples)])
    everyone = np.ones(len(outcome), bool)
    all_treated = np.stack(
        [_benefit(everyone, outcome, horizon_months, at, draws) for at in thresholds], axis=1
    )
    defaults = np.maximum(all_treated, 0.0)
    curves = []
    for name, values in survival.items():
        risk = 1.0 - check_survival(values, (len(outcome),))
        benefit = np.stack(
            [_benefit(risk >= at, outcome, horizon_months, at, draws) for at in thresholds], axis=1
        )
        curves.append(_curve(name, thresholds, benefit, benefit - defaults, config.level))
    curves.append(_curve(TREAT_ALL, thresholds, all_treated, all_treated - defaults, config.level))
    return tuple(curves)


def net_benefit(
    survival: ArrayLike, outcome: Outcome, horizon_months: float, threshold: float
) -> float:
    """Net benefit of one model at one threshold; see `decision_curves`.

    Raises:
        ValueError: as `decision_curves`.
    """
    values = check_survival(survival, (len(outcome),))
    if not 0 < threshold < 1:
        raise ValueError(f"a threshold lies between 0 and 1, not at {threshold}")
    censoring_of(outcome).check_horizon(horizon_months)
    check_events(up_to(outcome, horizon_months))
    once = np.ones((1, len(outcome)), np.int64)
    return float(_benefit(1.0 - values >= threshold, outcome, horizon_months, threshold, once)[0])


def _benefit(
    treated: NDArray[np.bool_],
    outcome: Outcome,
    horizon_months: float,
    threshold: float,
    draws: NDArray[np.int64],
) -> Floats:
    """(resamples,) net benefit."""
    chosen = draws[:, treated]
    share = chosen.sum(axis=1) / draws.sum(axis=1)
    if not treated.any():
        return np.asarray(share)
    survival = resampled_survival(outcome.take(treated), horizon_months, chosen)
    odds = threshold / (1.0 - threshold)
    return np.asarray(np.where(share > 0, share * ((1.0 - survival) - survival * odds), 0.0))


def _curve(
    name: str, thresholds: Sequence[float], benefit: Floats, gain: Floats, level: float
) -> DecisionCurve:
    benefits, gains = (
        tuple(_interval(column, level) for column in values.T) for values in (benefit, gain)
    )
    return DecisionCurve(name, tuple(thresholds), benefits, gains)


def _interval(values: Floats, level: float) -> Interval:
    """Of an estimate followed by its resamples; all NaN where the estimate is."""
    if not np.isfinite(values[0]):
        return Interval(np.nan, np.nan, np.nan)
    return percentile_interval(float(values[0]), values[1:], level)
