"""Choice between specifications by cross-validation inside the training cohort.

The criterion is the cross-validated partial likelihood (Verweij and van Houwelingen, Stat Med
1993;12:2305): what the patients of a fold add to the likelihood of all, at coefficients fitted
without them. As deviance, -2 log likelihood, lower is better.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.studies.covariates import GLIOBLASTOMA
from gliomaai_training.survival.concordance import harrell_c
from gliomaai_training.survival.elastic_net_model import deal_folds
from gliomaai_training.survival.newton_cox import newton_cox
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.partial_likelihood import PartialLikelihood
from gliomaai_training.survival.term_plan import TermPlan, complete_term

FOLDS = 10
REPEATS = 5

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Candidate:
    """A specification, and who it is fitted on."""

    name: str
    terms: tuple[TermPlan, ...]
    only_fit: str | None = None
    """Column of patients who help to fit but are never judged on; None if there are none."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """How a candidate did."""

    candidate: Candidate
    deviance: Floats
    """(folds,) mean over the repeats."""
    c: float
    """Harrell's C of the left-out patients."""
    c_glioblastoma: float

    @property
    def total(self) -> float:
        """Deviance of all folds."""
        return float(self.deviance.sum())


def judge(
    candidate: Candidate,
    table: pd.DataFrame,
    followed: Outcome,
    seed: int,
    repeats: int = REPEATS,
    folds: int = FOLDS,
) -> Judgement:
    """Cross-validates one candidate; the same seed deals the same folds to every candidate.

    Raises:
        ValueError: as `fit_cox`, or too few deaths for a C.
    """
    helps = np.zeros(len(table), bool)
    if candidate.only_fit is not None:
        helps = table[candidate.only_fit].to_numpy(bool)
    judged = ~helps
    own = PartialLikelihood(followed.take(judged))
    generator = np.random.default_rng(seed)
    deviance, risks = np.zeros(folds), np.zeros((repeats, len(table)))
    for repeat in range(repeats):
        fold = np.full(len(table), -1)
        fold[judged] = deal_folds(followed.take(judged), folds, generator)
        for number in range(folds):
            left_out = fold == number
            risk = _risk(candidate.terms, table, followed, ~left_out)
            rest = judged & ~left_out
            gain = own.value(risk[judged]) - PartialLikelihood(followed.take(rest)).value(
                risk[rest]
            )
            deviance[number] -= 2.0 * float(gain) / repeats
            risks[repeat, left_out] = risk[left_out]
    inside = judged & (table["who_state"] == GLIOBLASTOMA).to_numpy()
    return Judgement(
        candidate,
        deviance,
        float(np.mean([harrell_c(risk[judged], followed.take(judged)) for risk in risks])),
        float(np.mean([harrell_c(risk[inside], followed.take(inside)) for risk in risks])),
    )


def choose(judgements: Sequence[Judgement]) -> Judgement:
    """The simplest candidate whose deviance is within one standard error of the lowest.

    Args:
        judgements: from the simplest candidate on, all of the same folds.

    Raises:
        ValueError: there is none.
    """
    if not judgements:
        raise ValueError("there is no candidate to choose from")
    best = min(judgements, key=lambda one: one.total)
    for one in judgements:
        worse = one.deviance - best.deviance
        error = float(worse.std(ddof=1) * np.sqrt(worse.size))
        if float(worse.sum()) <= error:
            return one
    return best


def selection_table(judgements: Sequence[Judgement], chosen: Judgement) -> pd.DataFrame:
    """The candidates side by side."""
    rows: list[Mapping[str, object]] = []
    for one in judgements:
        worse = one.deviance - chosen.deviance
        error = float(worse.std(ddof=1) * np.sqrt(worse.size))
        rows.append(
            {
                "specification": one.candidate.name,
                "deviance": f"{one.total:.1f}",
                "less the chosen (SE)": f"{worse.sum():+.1f} ({error:.1f})",
                "Harrell C": f"{one.c:.3f}",
                "within glioblastoma": f"{one.c_glioblastoma:.3f}",
                "chosen": "yes" if one is chosen else "",
            }
        )
    return pd.DataFrame(rows)


def _risk(
    plans: Sequence[TermPlan],
    table: pd.DataFrame,
    followed: Outcome,
    fitted_on: NDArray[np.bool_],
) -> Floats:
    """Linear predictors (n,) of all, from a fit on some: its knots and centres are theirs too."""
    training = followed.take(fitted_on)
    terms = [complete_term(plan, table.loc[fitted_on, plan.name], training) for plan in plans]
    columns = np.hstack([term.encode(table[term.name].to_numpy()) for term in terms])
    return np.asarray(columns @ newton_cox(columns[fitted_on], training).coefficients)
