"""Cumulative/dynamic AUC at a horizon: those who died by then against those who lived longer."""

import numpy as np
from numpy.typing import ArrayLike

from gliomaai_training.evaluation.bootstrap import BOOTSTRAP, BootstrapConfig, Interval, bootstrap
from gliomaai_training.survival.censoring import MINIMUM_EVENTS, Censoring
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.pairs import Pairs, pairs_of

HORIZONS_MONTHS = (12.0, 24.0, 60.0)
"""At which prognosis is given and judged."""


def dynamic_auc(
    risk: ArrayLike, outcome: Outcome, horizon_months: float, censoring: Censoring
) -> float:
    """Cumulative/dynamic AUC (Uno 2007; Hung and Chiang 2010).

    A case died by the horizon and stands for those lost before, weighted by 1/G(T-); a control was
    seen alive beyond it. Patients lost before the horizon are neither. Equal risks count half.

    Args:
        risk: (n,) higher is worse.
        outcome: of the same patients.
        horizon_months: for example one of `HORIZONS_MONTHS`.
        censoring: of the training patients, or of these; see `censoring`.

    Raises:
        ValueError: the horizon lies beyond the follow-up, fewer than `MINIMUM_EVENTS` patients are
            cases or controls, or not one finite risk for each patient.
    """
    pairs = horizon_pairs(outcome, horizon_months, censoring)
    return float(pairs.share(risk)[0])


def dynamic_auc_interval(
    risk: ArrayLike,
    outcome: Outcome,
    horizon_months: float,
    censoring: Censoring,
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
) -> Interval:
    """`dynamic_auc` with its bootstrap interval by patient; the censoring weights stay fixed.

    Raises:
        ValueError: as `dynamic_auc`.
    """
    pairs = horizon_pairs(outcome, horizon_months, censoring)
    return bootstrap(lambda draws: pairs.share(risk, draws), len(outcome), generator, config)


def horizon_pairs(outcome: Outcome, horizon_months: float, censoring: Censoring) -> Pairs:
    """Every case with every control at a horizon.

    Raises:
        ValueError: as `dynamic_auc`.
    """
    censoring.check_horizon(horizon_months)
    case = outcome.event & (outcome.months <= horizon_months)
    control = outcome.months > horizon_months
    if min(case.sum(), control.sum()) < MINIMUM_EVENTS:
        raise ValueError(
            f"{case.sum()} deaths by {horizon_months:g} months and {control.sum()} patients seen "
            f"alive beyond are too few; needs {MINIMUM_EVENTS} of each"
        )
    weight = np.where(case, censoring.event_weights(outcome), 0.0)
    return pairs_of(weight, np.broadcast_to(control, (len(outcome), len(outcome))))
