"""Concordance of a risk with survival: Harrell's C and Uno's C, pooled or within strata.

Pairs and ties as in R's `survival::concordance` (Therneau and Atkinson), lifelines and
scikit-survival: a pair counts where the patient with the shorter time died; of a death and a
censoring at the same time, the censored patient lived longer; two deaths at the same time are no
pair; equal risks count half.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.evaluation.bootstrap import BOOTSTRAP, BootstrapConfig, Interval, bootstrap
from gliomaai_training.survival.censoring import (
    MINIMUM_EVENTS,
    Censoring,
    check_events,
    check_horizon,
)
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.pairs import Pairs, pairs_of


@dataclass(frozen=True)
class PairRule:
    """Which pairs of patients are compared, and how much each counts."""

    censoring: Censoring | None = None
    """None: Harrell's C, all pairs alike. Otherwise Uno's C, pairs weighted by 1/G(T-)**2 of the
    earlier death, which does not depend on how long patients were followed up."""
    tau_months: float | None = None
    """Only deaths before it count. None: Harrell's all; Uno's up to the censoring's tau."""
    strata: Sequence[Hashable] | None = None
    """(n,) each patient's group, for example the WHO state or the cohort; only pairs within a
    group count. None: all pairs."""
    minimum_events: int = MINIMUM_EVENTS
    """Fewer deaths are refused."""


HARRELL = PairRule()


def harrell_c(risk: ArrayLike, outcome: Outcome, strata: Sequence[Hashable] | None = None) -> float:
    """Harrell's C (1982): the share of comparable pairs in which the riskier patient died first.

    It depends on the follow-up: with more censoring, the early deaths weigh more.

    Args:
        risk: (n,) higher is worse; survival probabilities must be given as 1 - S.
        outcome: of the same patients.
        strata: (n,) groups; only pairs within one count.

    Raises:
        ValueError: fewer than `MINIMUM_EVENTS` deaths, no comparable pair, or not one finite risk
            for each patient.
    """
    return concordance(risk, outcome, PairRule(strata=strata))


def uno_c(
    risk: ArrayLike,
    outcome: Outcome,
    censoring: Censoring,
    strata: Sequence[Hashable] | None = None,
) -> float:
    """Uno's C (Stat Med 2011;30:1105) up to the censoring's tau.

    Args:
        risk: (n,) higher is worse.
        outcome: of the same patients.
        censoring: of the training patients, or of these; see `censoring`.
        strata: (n,) groups; only pairs within one count.

    Raises:
        ValueError: as `harrell_c`.
    """
    return concordance(risk, outcome, PairRule(censoring, strata=strata))


def concordance(risk: ArrayLike, outcome: Outcome, rule: PairRule = HARRELL) -> float:
    """The concordance that the rule describes.

    Raises:
        ValueError: as `harrell_c`, or the rule's groups are not one for each patient, or its tau is
            not positive.
    """
    return float(comparable_pairs(outcome, rule).share(risk)[0])


def concordance_interval(
    risk: ArrayLike,
    outcome: Outcome,
    generator: np.random.Generator,
    rule: PairRule = HARRELL,
    config: BootstrapConfig = BOOTSTRAP,
) -> Interval:
    """The concordance with its bootstrap interval by patient; the censoring weights stay fixed.

    Raises:
        ValueError: as `concordance`.
    """
    pairs = comparable_pairs(outcome, rule)
    return bootstrap(lambda draws: pairs.share(risk, draws), len(outcome), generator, config)


def comparable_pairs(outcome: Outcome, rule: PairRule = HARRELL) -> Pairs:
    """The pairs that a rule compares.

    Raises:
        ValueError: as `concordance`.
    """
    months, died = outcome.months, outcome.event
    check_events(outcome, rule.minimum_events)
    if rule.censoring is None:
        weight, tau_months = died.astype(np.float64), rule.tau_months
    else:
        weight = rule.censoring.event_weights(outcome) ** 2
        tau_months = rule.censoring.tau_months if rule.tau_months is None else rule.tau_months
    if tau_months is not None:
        check_horizon(tau_months)
        weight = weight * (months < tau_months)
    earlier = died[:, None] & ((months[:, None] < months) | ((months[:, None] == months) & ~died))
    if rule.strata is not None:
        group = _numbered(rule.strata, len(outcome))
        earlier &= group[:, None] == group
    return pairs_of(weight, earlier)


def _numbered(strata: Sequence[Hashable], patients: int) -> NDArray[np.int_]:
    if len(strata) != patients:
        raise ValueError(f"{patients} patients but {len(strata)} groups")
    numbers = {group: number for number, group in enumerate(dict.fromkeys(strata))}
    return np.array([numbers[group] for group in strata])
