"""Hazard ratios from the literature, for a covariate that the fitting cohort does not hold."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from gliomaai_training.survival.baseline import Baseline
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.terms import CategoricalTerm


@dataclass(frozen=True)
class PublishedRisk:
    """Relative risks of death by a time, against a reference level with a known risk."""

    reference_risk: float
    """Of dying by that time with the reference level."""
    relative_risk: Mapping[str, tuple[float, float, float]]
    """By level: estimate and 95 % interval."""
    source: str


BROWN_2016 = PublishedRisk(
    reference_risk=0.5,
    relative_risk={"biopsy": (1 / 0.85, 1 / 0.91, 1 / 0.80), "gross total": (0.62, 0.56, 0.69)},
    source="Brown et al., JAMA Oncol 2016;2:1460: 37 studies, 41,117 glioblastomas; relative risks "
    "of death at one year of gross total against subtotal resection .62 (.56 to .69), and of "
    "subtotal resection against biopsy .85 (.80 to .91)",
)
"""The one-year risk after subtotal resection is taken as one half."""

RESECTION_MIX: Mapping[str, float] = {"biopsy": 0.0, "subtotal": 0.5, "gross total": 0.5}
"""Assumed of the fitting cohort, whose table does not tell: TCGA needed tissue for sequencing."""


def hazard_ratio(published: PublishedRisk, relative_risk: float) -> float:
    """The hazard ratio that gives this relative risk, with proportional hazards."""
    return float(
        np.log1p(-published.reference_risk * relative_risk) / np.log1p(-published.reference_risk)
    )


def with_published(
    model: CoxModel, term: CategoricalTerm, published: PublishedRisk, mix: Mapping[str, float]
) -> CoxModel:
    """The model with one more term, whose coefficients come from the literature.

    The baseline hazard is divided by the mean hazard ratio of an assumed mix of the levels, so that
    patients of this mix keep the level of risk that the model gave them.

    Raises:
        ValueError: a level that is neither the reference nor published, or no such mix.
    """
    levels = term.others
    unknown = set(levels) - set(published.relative_risk)
    if unknown or set(mix) != set(term.levels) or not np.isclose(sum(mix.values()), 1.0):
        raise ValueError(f"{term.label}: levels {term.levels} are not all published and in {mix}")
    ratios = {level: hazard_ratio(published, published.relative_risk[level][0]) for level in levels}
    errors = [_error(published, level) for level in levels]
    mean = sum(share * ratios.get(level, 1.0) for level, share in mix.items())
    p = len(model.columns)
    covariance = np.zeros((p + len(levels),) * 2)
    covariance[:p, :p] = model.covariance
    covariance[range(p, p + len(levels)), range(p, p + len(levels))] = np.square(errors)
    logs = np.log([ratios[level] for level in levels])
    return replace(
        model,
        terms=(*model.terms, term),
        coefficients=np.append(model.coefficients, logs),
        covariance=covariance,
        baselines={name: _lowered(b, mean, len(levels)) for name, b in model.baselines.items()},
        history=(*model.history, f"{term.label} added from {published.source}"),
    )


def _error(published: PublishedRisk, level: str) -> float:
    """Standard error of the log hazard ratio, from the interval."""
    _, low, high = published.relative_risk[level]
    ends = np.log([hazard_ratio(published, low), hazard_ratio(published, high)])
    return float((ends[1] - ends[0]) / (2 * 1.96))


def _lowered(baseline: Baseline, by: float, columns: int) -> Baseline:
    more = np.zeros((baseline.months.size, columns))
    return replace(
        baseline,
        hazard=baseline.hazard / by,
        variance=baseline.variance / by**2,
        mean_design=np.hstack([baseline.mean_design, more]),
    )
