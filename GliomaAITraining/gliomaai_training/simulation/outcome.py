"""Survival with a known truth: proportional hazards within each WHO class.

S(t) = exp(-ln2 (t/m)^k exp(lp)), t in months. Median m and shape k reproduce published 1-year
survival (NCDB 2018, n = 8,651) and medians of each class; the log-hazard lp is centred within the
class, so that these medians persist.
"""

from dataclasses import dataclass
from functools import lru_cache
from math import log
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike

from gliomaai_training.simulation.config import SimulationConfig, stream
from gliomaai_training.simulation.facts import Facts, TumourPlan, draw_facts, draw_plan

WEIBULL = MappingProxyType(
    {
        "GBM": (13.5, 0.92),
        "A2": (131.0, 1.48),
        "A3": (112.0, 0.97),
        "A4": (36.0, 0.86),
        "O2": (180.0, 1.29),
        "O3": (144.0, 1.00),
    }
)
"""Class: median in months and Weibull shape."""

ACCRUAL_MONTHS = 72.0
"""Patients enter uniformly over this time; then follow-up ends for all."""
DROPOUT = 0.075
_REFERENCE_MONTHS = 24.0
_CENTRING_DRAWS = 1500

LOG_HAZARD = MappingProxyType(
    {
        "age_per_10_years": log(1.3),
        "kps_per_10_lost": log(1.3),
        "core_doubled": log(1.2),
        "enhancing_idh_mutant": log(1.45),
        "gross_total_resection": log(0.6),
        "mgmt_methylated_glioblastoma": log(0.65),
        "infiltration_per_unit": 1.0,
    }
)
"""Log hazard ratios. Infiltration is seen in images only: no clinical column carries it."""


@dataclass(frozen=True)
class Outcome:
    """Survival of one patient."""

    survival_months: float
    """Time of death, or of the last contact."""
    event: bool
    """Whether death was observed."""
    death_months: float
    """The true time of death, known only to the simulator."""
    log_hazard: float
    """The linear predictor within the class, centred; higher is worse."""
    log_risk: float
    """The true log-risk across classes: log cumulative hazard at 24 months."""


def log_hazard(facts: Facts, plan: TumourPlan) -> float:
    """The linear predictor within the patient's class, before centring."""
    effect = LOG_HAZARD
    glioblastoma = facts.who_class == "GBM"
    total = effect["age_per_10_years"] * facts.age_years / 10
    total -= effect["kps_per_10_lost"] * facts.kps / 10
    total += effect["core_doubled"] * float(np.log2(plan.core_ml))
    total += effect["enhancing_idh_mutant"] * (plan.enhancing and not glioblastoma)
    total += effect["gross_total_resection"] * facts.gross_total_resection
    total += effect["mgmt_methylated_glioblastoma"] * (facts.mgmt_methylated and glioblastoma)
    return total + effect["infiltration_per_unit"] * plan.infiltration


@lru_cache(maxsize=8)
def _class_mean(who_class: str) -> float:
    """Mean linear predictor of a class, over a fixed population of its own."""
    config = SimulationConfig(who_class=who_class)
    rng = stream(0, f"centre-{who_class}")
    return float(
        np.mean(
            [
                log_hazard(draw_facts(config, rng), draw_plan(who_class, rng))
                for _ in range(_CENTRING_DRAWS)
            ]
        )
    )


def draw_outcome(facts: Facts, plan: TumourPlan, rng: np.random.Generator) -> Outcome:
    """Draws the time of death and the censoring.

    Raises:
        ValueError: the patient has no tumour.
    """
    if facts.who_class is None:
        raise ValueError("a tumour-free patient has no tumour outcome")
    median, shape = WEIBULL[facts.who_class]
    predictor = log_hazard(facts, plan) - _class_mean(facts.who_class)
    hazard_scale = log(2) * np.exp(predictor)
    death = float(median * (rng.exponential() / hazard_scale) ** (1 / shape))
    follow_up = float(rng.uniform(1.0, ACCRUAL_MONTHS))
    lost = rng.random() < DROPOUT
    leaving = float(rng.uniform(0.5, 1.0)) * follow_up
    end = leaving if lost else follow_up
    observed = death <= end
    baseline = log(log(2)) + shape * log(_REFERENCE_MONTHS / median)
    return Outcome(
        survival_months=round(max(0.1, min(death, end)), 2),
        event=bool(observed),
        death_months=death,
        log_hazard=float(predictor),
        log_risk=float(baseline + predictor),
    )


def oracle_concordance(log_hazards: ArrayLike) -> float:
    """The concordance that knowing the true log-hazard reaches, without censoring.

    Under proportional hazards a pair is concordant with probability sigmoid(|difference|); the
    closed form is the mean over pairs. Valid within one WHO class (one Weibull shape).

    Raises:
        ValueError: fewer than two patients.
    """
    values = np.asarray(log_hazards, dtype=float)
    if values.size < 2:
        raise ValueError(f"a concordance needs two patients, not {values.size}")
    first, second = np.triu_indices(values.size, 1)
    return float(np.mean(1 / (1 + np.exp(-np.abs(values[first] - values[second])))))
