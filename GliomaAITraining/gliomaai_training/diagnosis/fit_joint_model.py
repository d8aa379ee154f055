"""Fitting a joint diagnosis model: penalty, temperature and certainty from inner folds only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from gliomaai_training.cohorts.clinical import possible_states
from gliomaai_training.diagnosis.covariates import (
    NUMBERS,
    SEX,
    Covariate,
    numeric_term,
    sex_term,
)
from gliomaai_training.diagnosis.joint_model import (
    ANSWERS,
    QUESTIONS,
    CertaintyRule,
    JointModel,
    design,
    likeliest,
    softmax,
)
from gliomaai_training.diagnosis.partial_likelihood import (
    LabelledRows,
    fit,
    log_loss,
    stratified_folds,
)
from gliomaai_training.diagnosis.states import WHO_STATES, label_rows, modelled
from gliomaai_training.evaluation.reliability import TEMPERATURE_RANGE
from gliomaai_training.survival.terms import Term

Floats = NDArray[np.float64]

ACCURACIES: Mapping[str, float] = MappingProxyType(
    {"state": 0.90, "idh": 0.95, "codeletion_1p19q": 0.95, "grade": 0.90}
)
"""Share of the answers given that shall be right, by question."""
MINIMUM_ANSWERS = 10
"""A threshold above which fewer patients lie is not trusted."""
MINIMUM_PATIENTS = 30


@dataclass(frozen=True)
class JointFitConfig:
    """How a model is fitted."""

    covariates: tuple[str, ...]
    """Columns of the table: `sex`, those of `covariates.NUMBERS`, or those of `extra`."""
    penalties: tuple[float, ...] = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    folds: int = 5
    accuracies: Mapping[str, float] = field(default_factory=lambda: dict(ACCURACIES))
    extra: Mapping[str, Covariate] = field(default_factory=dict)
    """Further numbers, such as radiomics features."""
    seed: int = 1


@dataclass(frozen=True)
class ModelCard:
    """What a model says of itself."""

    name: str
    cohort: str
    limits: tuple[str, ...] = ()


def fit_joint_model(
    table: pd.DataFrame,
    config: JointFitConfig,
    card: ModelCard,
    prior: JointModel | None = None,
) -> JointModel:
    """Fits a model to patients of one or several cohorts.

    The first cohort in the table is the reference: the intercepts, temperature and thresholds are
    for its mix of diagnoses. The others have intercepts of their own, which are dropped, so that a
    cohort chosen by diagnosis teaches what tells the states apart and not how frequent they are.

    Args:
        table: `cohort`, `possible_states` and the covariates; every patient has them all.
        config: how.
        card: what the model says of itself.
        prior: a model of fewer covariates, towards whose coefficients those of this one are
            pulled; its terms are taken over.

    Raises:
        ValueError: a covariate or label is unknown, too few patients, or only one state.
    """
    terms = _terms(table, config, prior)
    labels = label_rows(possible_states(table))
    allowed = modelled(labels)
    if len(table) < MINIMUM_PATIENTS:
        raise ValueError(
            f"{len(table)} patients are too few for a diagnosis model: it needs {MINIMUM_PATIENTS}"
        )
    if np.unique(allowed, axis=0).shape[0] < 2:
        raise ValueError("all patients have the same diagnosis: there is nothing to tell apart")
    cohorts = list(dict.fromkeys(table["cohort"]))
    group = np.array([cohorts.index(name) for name in table["cohort"]], np.int_)
    rows = LabelledRows(design(terms, table, card.name), allowed, group)
    centre = None if prior is None else _centre(terms, prior)
    penalty, logits = _tuned(rows, list(table["possible_states"]), config, centre)
    reference = group == 0
    temperature = fit_temperature(logits[reference], allowed[reference])
    chances = softmax(logits[reference] / temperature)
    found = fit(rows, penalty, len(cohorts), centre)
    return JointModel(
        name=card.name,
        cohort=card.cohort,
        patients=len(table),
        states=_known_states(labels),
        case_mix=cohorts[0],
        terms=terms,
        intercepts=found.intercepts,
        coefficients=found.slopes,
        temperature=temperature,
        rules=certainty_rules(chances, labels[reference], config.accuracies),
        limits=card.limits,
    )


def certainty_rules(
    chances: Floats, labels: NDArray[np.bool_], accuracies: Mapping[str, float]
) -> tuple[CertaintyRule, ...]:
    """For each answer the lowest probability from which on it is right often enough.

    One more error is counted than was made, so that a few lucky answers do not make a rule.

    Args:
        chances: (n, 6) of patients whom the model has not seen.
        labels: (n, 7) what they may have.
        accuracies: the stated accuracy of each question.
    """
    rules = []
    for question, accuracy in accuracies.items():
        known, right, sureness = judged(question, chances, labels)
        given = np.array(likeliest(question, chances)[0])
        thresholds = {
            value: _threshold(right[rows], sureness[rows], accuracy)
            for value in dict.fromkeys(QUESTIONS[question])
            for rows in [known & (given == value)]
        }
        rules.append(CertaintyRule(question, accuracy, thresholds))
    return tuple(rules)


def _threshold(right: NDArray[np.bool_], sureness: Floats, accuracy: float) -> float | None:
    """The lowest sureness from which on enough of one answer are right."""
    order = np.argsort(-sureness, kind="stable")
    answers = np.arange(1, len(order) + 1)
    enough = (np.cumsum(right[order]) - 1) / answers >= accuracy
    last = np.flatnonzero(enough & (answers >= MINIMUM_ANSWERS))
    return float(sureness[order][last[-1]]) if last.size else None


def judged(
    question: str, chances: Floats, labels: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Floats]:
    """Of whom the answer to a question is known, whether the likeliest is right, and how sure.

    Args:
        question: of `QUESTIONS`.
        chances: (n, 6) of the states.
        labels: (n, 7) what the patients may have.

    Returns:
        (n,) each; where the answer is not known, `right` means nothing.
    """
    answers = np.array(ANSWERS[question])
    values, sureness = likeliest(question, chances)
    truths = [np.unique(answers[row]) for row in labels]
    known = np.array([len(truth) == 1 for truth in truths], np.bool_)
    right = np.array([value in truth for value, truth in zip(values, truths, strict=True)])
    return known, right, sureness


def fit_temperature(logits: Floats, allowed: NDArray[np.bool_]) -> float:
    """The temperature that suits labels known in part best (Guo et al., ICML 2017)."""
    low, high = np.log(TEMPERATURE_RANGE)
    found = minimize_scalar(
        lambda log_t: log_loss(logits, allowed, float(np.exp(log_t))),
        bounds=(low, high),
        method="bounded",
    )
    return float(np.exp(found.x))


def _tuned(
    rows: LabelledRows, strata: Sequence[str], config: JointFitConfig, centre: Floats | None
) -> tuple[float, Floats]:
    """The penalty of the best likelihood on unseen patients, and their log odds (n, 6) with it."""
    fold = stratified_folds(strata, config.folds, np.random.default_rng(config.seed))
    groups = int(rows.group.max()) + 1
    best: tuple[float, float, Floats] | None = None
    for penalty in config.penalties:
        logits = np.empty(rows.allowed.shape)
        for held_out in range(config.folds):
            test = fold == held_out
            logits[test] = fit(rows.take(~test), penalty, groups, centre).logits(rows.take(test))
        loss = log_loss(logits, rows.allowed)
        if best is None or loss < best[0]:
            best = (loss, penalty, logits)
    if best is None:
        raise ValueError("there is no penalty to choose from")
    return best[1], best[2]


def _terms(
    table: pd.DataFrame, config: JointFitConfig, prior: JointModel | None
) -> tuple[Term, ...]:
    taken = {} if prior is None else {term.name: term for term in prior.terms}
    if lost := set(taken) - set(config.covariates):
        raise ValueError(f"the model to build on knows {', '.join(sorted(lost))}, this one not")
    missing = [name for name in config.covariates if name not in table]
    if missing:
        raise ValueError(f"the table lacks {', '.join(missing)}")
    return tuple(taken.get(name) or _term(table, name, config) for name in config.covariates)


def _term(table: pd.DataFrame, name: str, config: JointFitConfig) -> Term:
    if name == SEX:
        return sex_term(list(table[SEX]))
    known = {**NUMBERS, **config.extra}
    if name not in known:
        raise ValueError(f"{name!r} is none of {', '.join((SEX, *known))}")
    return numeric_term(known[name], table[name].to_numpy(np.float64))


def _centre(terms: Sequence[Term], prior: JointModel) -> Floats:
    """Slopes (p, 6) of the other model, 0 for what it does not know."""
    slopes = dict(zip(prior.columns, prior.coefficients, strict=True))
    columns = [column for term in terms for column in term.columns]
    return np.array([slopes.get(column, np.zeros(len(WHO_STATES))) for column in columns])


def _known_states(labels: NDArray[np.bool_]) -> dict[str, int]:
    sure = labels[labels.sum(axis=1) == 1].sum(axis=0)
    return {state: int(n) for state, n in zip(WHO_STATES, sure[: len(WHO_STATES)], strict=True)}
