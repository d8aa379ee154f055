"""Cox regression on lifelines; what comes out needs lifelines no more.

Ties are Efron's, the baseline hazard is Breslow's.
"""

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.survival.baseline import Baseline, breslow
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.term_plan import TermPlan, complete_cases, complete_term
from gliomaai_training.survival.terms import Term

if TYPE_CHECKING:
    import pandas as pd

LEAST_EVENTS = 10
"""Fewer deaths than this fit nothing."""

_MONTHS, _EVENT, _STRATUM = "months", "event", "stratum"


@dataclass(frozen=True)
class CoxPlan:
    """What to fit."""

    name: str
    """Of the model, as the clinic will show it."""
    terms: tuple[TermPlan, ...]
    cohort: str
    """Which patients, in words."""
    strata: str | None = None
    """Column by which each group has its own baseline hazard, such as the cohort."""
    default_stratum: str | None = None
    """Whose baseline a new patient has; None to make the caller say."""

    def __post_init__(self) -> None:
        if not self.terms:
            raise ValueError(f"{self.name}: a Cox model needs at least one term")


@dataclass(frozen=True, eq=False)
class CoxFit:
    """A fitted model with what only the fit knows."""

    model: CoxModel
    log_likelihood: float
    """Partial, at the estimate."""
    null_log_likelihood: float
    fitter: Any
    """lifelines' own, for further tests."""
    design: "pd.DataFrame"
    """The encoded table that lifelines saw: columns, months, event, and stratum if stratified."""


def fit_cox(patients: "pd.DataFrame", followed: Outcome, plan: CoxPlan) -> CoxFit:
    """Fits a Cox model.

    Args:
        patients: n rows with the plan's columns, complete (see `complete_cases`).
        followed: their n outcomes, in the same order.
        plan: the terms and strata.

    Raises:
        ValueError: fewer than ten events, missing or impossible values, a category without deaths,
            or terms that cannot be told apart.
    """
    _check(patients, followed, plan)
    terms = tuple(complete_term(term, patients[term.name], followed) for term in plan.terms)
    encoded = _encode(patients, terms)
    columns = tuple(column for term in terms for column in term.columns)
    strata = None if plan.strata is None else patients[plan.strata].astype(str).to_numpy(object)
    fitter, table = fit_design(encoded, columns, followed, strata)
    coefficients = fitter.params_.to_numpy(np.float64)
    covariance = fitter.variance_matrix_.to_numpy(np.float64)
    model = CoxModel(
        plan.name,
        plan.cohort,
        len(followed),
        followed.events,
        terms,
        coefficients,
        (covariance + covariance.T) / 2,
        baselines_of(encoded, coefficients, followed, strata),
        plan.default_stratum,
    )
    null = fitter.log_likelihood_ - fitter.log_likelihood_ratio_test().test_statistic / 2
    return CoxFit(model, float(fitter.log_likelihood_), float(null), fitter, table)


def baselines_of(
    design: NDArray[np.float64],
    coefficients: NDArray[np.float64],
    followed: Outcome,
    strata: NDArray[np.object_] | None,
) -> dict[str, Baseline]:
    """Breslow's baseline of each stratum; of all, named "", where `strata` is None.

    Raises:
        ValueError: nobody died in a stratum.
    """
    if strata is None:
        return {"": breslow(design, coefficients, followed)}
    found = {}
    for stratum in sorted(set(strata)):
        rows = strata == stratum
        if not followed.event[rows].any():
            raise ValueError(f"nobody died in stratum {stratum!r}: it has no baseline hazard")
        found[str(stratum)] = breslow(design[rows], coefficients, followed.take(rows))
    return found


def _check(patients: "pd.DataFrame", followed: Outcome, plan: CoxPlan) -> None:
    if len(patients) != len(followed):
        raise ValueError(f"{len(patients)} patients but {len(followed)} outcomes")
    if followed.events < LEAST_EVENTS:
        raise ValueError(
            f"{plan.name}: {followed.events} deaths are too few; a Cox model needs at least "
            f"{LEAST_EVENTS}"
        )
    unknown = int((~complete_cases(patients, plan.terms)).sum())
    if unknown:
        lacking = [t.label for t in plan.terms if patients[t.name].isna().any()]
        raise ValueError(
            f"{plan.name}: {unknown} of {len(patients)} patients lack {', '.join(lacking)}; leave "
            "them out (complete_cases), or fit a model without it"
        )
    if plan.strata is not None and patients[plan.strata].isna().any():
        raise ValueError(f"{plan.name}: a patient's stratum {plan.strata} is not known")


def _encode(patients: "pd.DataFrame", terms: tuple[Term, ...]) -> NDArray[np.float64]:
    return np.hstack([term.encode(patients[term.name].to_numpy()) for term in terms])


def fit_design(
    encoded: NDArray[np.float64],
    columns: tuple[str, ...],
    followed: Outcome,
    strata: NDArray[np.object_] | None,
) -> "tuple[Any, pd.DataFrame]":
    """lifelines' fit of encoded patients (n, p), with Efron's ties, and the table it saw.

    Raises:
        ValueError: it does not converge.
    """
    import pandas as pd

    table = pd.DataFrame(encoded, columns=list(columns))
    table = table.assign(**{_MONTHS: followed.months, _EVENT: followed.event.astype(int)})
    if strata is not None:
        table[_STRATUM] = strata
    return _fit(table), table


def _fit(table: "pd.DataFrame") -> Any:
    from lifelines import CoxPHFitter
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    strata = [_STRATUM] if _STRATUM in table else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            return CoxPHFitter().fit(table, _MONTHS, _EVENT, strata=strata)
        except (ConvergenceError, ConvergenceWarning) as error:
            raise ValueError(
                "the Cox fit does not converge: terms may say the same, or one may separate the "
                f"dead from the living ({str(error).strip().splitlines()[0]})"
            ) from error
