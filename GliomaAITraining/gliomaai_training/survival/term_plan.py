"""Terms before a fit: what the analyst decides, completed from the cohort's values."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.terms import CategoricalTerm, NumericTerm, Term, Transform

if TYPE_CHECKING:
    import pandas as pd

KNOT_QUANTILES = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
}
"""Where a restricted cubic spline bends (Harrell, Regression Modeling Strategies, table 2.3)."""


@dataclass(frozen=True)
class NumericPlan:
    """A number that a model is to know."""

    name: str
    """Column of the table."""
    label: str
    unit: str
    allowed: tuple[float, float]
    """Outside this a value is a mistake."""
    scale: float = 1.0
    transform: Transform = "linear"
    knots: int = 0
    """0 for a straight term; 3, 4 or 5 for a restricted cubic spline."""
    reference: float | None = None
    """None for the cohort's median."""

    def __post_init__(self) -> None:
        if self.knots and self.knots not in KNOT_QUANTILES:
            raise ValueError(f"{self.name}: a spline has 3, 4 or 5 knots, not {self.knots}")


@dataclass(frozen=True)
class CategoricalPlan:
    """A category that a model is to know."""

    name: str
    """Column of the table."""
    label: str
    levels: tuple[str, ...]
    reference: str


TermPlan = NumericPlan | CategoricalPlan


def complete_cases(patients: "pd.DataFrame", plans: Sequence[TermPlan]) -> "pd.Series[bool]":
    """Which patients have every covariate; to leave the others out is the caller's decision.

    Raises:
        ValueError: the table lacks a column.
    """
    names = [plan.name for plan in plans]
    if lacking := [name for name in names if name not in patients.columns]:
        raise ValueError(f"the table has no column {', '.join(lacking)}")
    return patients[names].notna().all(axis=1)


def complete_term(plan: TermPlan, values: "pd.Series", followed: Outcome) -> Term:
    """The term that a plan becomes in a cohort.

    Raises:
        ValueError: an impossible value, a category that the plan does not name, or one in which
            nobody died or nobody is.
    """
    if isinstance(plan, CategoricalPlan):
        return _complete_categorical(plan, values, followed)
    try:
        numbers = values.to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{plan.label} must be a number: {error}") from error
    spread = np.quantile(numbers, [0.0, 0.25, 0.5, 0.75, 1.0])
    knots = np.quantile(numbers, KNOT_QUANTILES[plan.knots]) if plan.knots else ()
    term = NumericTerm(
        plan.name,
        plan.label,
        plan.unit,
        float(spread[2]) if plan.reference is None else plan.reference,
        plan.allowed,
        (
            float(spread[0]),
            float(spread[1]),
            float(spread[2]),
            float(spread[3]),
            float(spread[4]),
        ),
        plan.scale,
        plan.transform,
        tuple(float(knot) for knot in knots),
    )
    if not np.ptp(term.encode(numbers)[:, 0]) > 0:
        raise ValueError(f"{plan.label} is {spread[2]:g} in every patient and explains nothing")
    return term


def _complete_categorical(
    plan: CategoricalPlan, values: "pd.Series", followed: Outcome
) -> CategoricalTerm:
    known = values.to_numpy(object)
    counts = tuple(int((known == level).sum()) for level in plan.levels)
    term = CategoricalTerm(plan.name, plan.label, plan.levels, plan.reference, counts)
    term.encode(known)
    for level, count in zip(plan.levels, counts, strict=True):
        if not followed.event[known == level].any():
            raise ValueError(
                f"{plan.label} {level}: {count} patients and no death; no hazard can be estimated. "
                "Merge the level with another or leave it out"
            )
    return term
