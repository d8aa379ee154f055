"""Survival before surgery through the WHO state, which images and age predict.

Nobody's own state helps to predict it, nor their outcome to predict their survival: both models are
made anew without each fold. Where the predicted state is a covariate, the fold's training patients
have states of inner folds, so that the Cox model learns from states as unsure as those it will see.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.clinical import possible_states
from gliomaai_training.diagnosis.fit_joint_model import (
    JointFitConfig,
    ModelCard,
    fit_joint_model,
)
from gliomaai_training.diagnosis.joint_model import JointModel
from gliomaai_training.diagnosis.states import MUTANT, STATE_FACTS, WHO_STATES
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.postoperative_models import Part, Refit, only_stratum
from gliomaai_training.studies.predictions import PredictedSurvival
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.elastic_net_model import deal_folds
from gliomaai_training.survival.fit_cox import CoxPlan, fit_cox
from gliomaai_training.survival.term_plan import NumericPlan, TermPlan

Floats = NDArray[np.float64]
Folds = NDArray[np.int_]
StateFit = Callable[[pd.DataFrame], JointModel]
"""A model of the states from patients of whom something is known."""

INNER_FOLDS = 3
STRATUM = "stratum"
CHANCE_OF_MUTANT = NumericPlan(
    "chance_of_mutant", "predicted IDH mutation", "", (0.0, 1.0), scale=0.1
)
MUTANT_STATES = np.array([STATE_FACTS[state].idh == MUTANT for state in WHO_STATES])


def by_config(config: JointFitConfig) -> StateFit:
    """States from a configuration's covariates."""
    return lambda train: fit_joint_model(train, config, ModelCard("fold", ""))


def informative(table: pd.DataFrame) -> pd.DataFrame:
    """The patients of whose state anything is known; the others teach nothing."""
    labelled = table[table["possible_states"].notna()]
    told = [
        0 < len(set(states) & set(WHO_STATES)) < len(WHO_STATES)
        for states in possible_states(labelled)
    ]
    return labelled[told].reset_index(drop=True)


def with_chances(table: pd.DataFrame, chances: Floats) -> pd.DataFrame:
    """Patients with the probabilities (n, 6) of the states in place of their own state."""
    states = [dict(zip(WHO_STATES, row.tolist(), strict=True)) for row in chances]
    mutant = chances[:, MUTANT_STATES].sum(axis=1)
    return table.assign(
        who_state=pd.Series(states, index=table.index, dtype=object),
        **{CHANCE_OF_MUTANT.name: np.clip(mutant, 0.0, 1.0)},
    )


@dataclass(frozen=True, eq=False)
class Crossed:
    """Patients in folds, each with probabilities of the states from models without the fold."""

    part: Part
    fold: Folds
    """(n,)"""
    chances: Floats
    """(n, 6)"""
    inner: tuple[Floats, ...]
    """For each fold (n, 6): of its training patients, from inner folds; empty where not asked."""


def crossed(part: Part, fit: StateFit, folds: int, seed: int, inner: bool = False) -> Crossed:
    """Cross-fits the states.

    Args:
        part: the patients; those of whose state nothing is known are asked, and teach nothing.
        fit: how the states are predicted.
        folds: into which the patients are dealt.
        seed: of the deal.
        inner: whether the training patients of each fold are wanted too.
    """
    fold = deal_folds(part.followed, folds, np.random.default_rng(seed))
    chances, within = np.empty((len(fold), len(WHO_STATES))), []
    for number in range(folds):
        train, test = fold != number, fold == number
        chances[test] = _told(fit, part.table[train], part.table[test])
        if inner:
            own = crossed(part.take(train), fit, INNER_FOLDS, seed + 1 + number)
            within.append(np.full_like(chances, np.nan))
            within[-1][train] = own.chances
    return Crossed(part, fold, chances, tuple(within))


def _told(fit: StateFit, train: pd.DataFrame, test: pd.DataFrame) -> Floats:
    return fit(informative(train)).probabilities(test)


def mixture(one: Crossed, refit: Refit) -> PredictedSurvival:
    """Survival expected over the states, S(t) = sum_k p_k S_k(t).

    Args:
        one: the patients.
        refit: a Cox model with `who_state`, from the patients of the other folds.
    """
    models = tuple(refit(one.part.take(one.fold != n)) for n in range(int(one.fold.max()) + 1))
    return PredictedSurvival(models, with_chances(one.part.table, one.chances), one.fold)


def as_covariate(one: Crossed, terms: Sequence[TermPlan]) -> PredictedSurvival:
    """Survival by a Cox model of these terms and the predicted probability of an IDH mutation."""
    models = []
    for number, chances in enumerate(one.inner):
        train = one.fold != number
        table = with_chances(one.part.table[train].reset_index(drop=True), chances[train])
        plan = CoxPlan("fold", (*terms, CHANCE_OF_MUTANT), "others")
        models.append(fit_cox(table, one.part.followed.take(train), plan).model)
    return PredictedSurvival(tuple(models), with_chances(one.part.table, one.chances), one.fold)


def of_state_known(part: Part) -> Part:
    """The patients whose state is known."""
    return part.take(part.table["who_state"].notna().to_numpy())


def without(part: Part, patients: Mapping[str, str], others: Sequence[str]) -> Part:
    """The patients who are nobody of others.

    Args:
        part: the patients.
        patients: identity by name (`cohorts.linking.identities`).
        others: names of the others.
    """
    known = {patients[name] for name in others}
    return part.take(np.array([patients[name] not in known for name in part.table["patient"]]))


def stratified_model(parts: Mapping[str, Part], terms: Sequence[TermPlan], name: str) -> CoxModel:
    """A Cox model of several cohorts, the baseline hazard being the last's."""
    tables = [
        (one.table.assign(**{STRATUM: cohort}), one.followed) for cohort, one in parts.items()
    ]
    table, followed = c.stacked(tables)
    *_, last = parts
    words = f"{' and '.join(parts)}, each with its own baseline hazard; this is {last}'s"
    plan = CoxPlan(name, tuple(terms), words, STRATUM, last)
    return only_stratum(fit_cox(table, followed, plan).model, last)
