"""How well joint diagnosis models do on patients that they have not seen."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from gliomaai_training.cohorts.clinical import possible_states
from gliomaai_training.diagnosis.fit_joint_model import (
    JointFitConfig,
    ModelCard,
    fit_joint_model,
    judged,
)
from gliomaai_training.diagnosis.joint_model import (
    ANSWERS,
    INDETERMINATE,
    QUESTIONS,
    JointModel,
    design,
    likeliest,
)
from gliomaai_training.diagnosis.partial_likelihood import log_loss, stratified_folds
from gliomaai_training.diagnosis.states import (
    CODELETED,
    MUTANT,
    WHO_STATES,
    label_rows,
    modelled,
)
from gliomaai_training.evaluation.bootstrap import bootstrap_interval
from gliomaai_training.evaluation.probability_scores import calibration_error
from gliomaai_training.studies.binary_scores import auc_bootstrap, wilson
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.survival.terms import Term

Floats = NDArray[np.float64]

SMALLEST = 1e-12
FEWEST = 2
"""Patients of each kind, for an AUC."""


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What models say of patients that they have not seen."""

    labels: NDArray[np.bool_]
    """(n, 7) what they may have, in the order of `diagnosis.states.LABELS`."""
    chances: Floats
    """(n, 6)"""
    answers: Mapping[str, NDArray[np.object_]]
    """(n,) by question; `INDETERMINATE` where none is given."""

    def marginal(self, question: str, value: str) -> Floats:
        """Probability (n,) of one answer."""
        return np.asarray(self.chances[:, np.array(QUESTIONS[question]) == value].sum(axis=1))

    def truth(self, question: str, value: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Of whom the answer is known (n,), and whether it is this one."""
        is_value = np.array(ANSWERS[question]) == value
        yes = ~(self.labels & ~is_value).any(axis=1)
        no = ~(self.labels & is_value).any(axis=1)
        return yes | no, yes

    @property
    def sure(self) -> NDArray[np.bool_]:
        """Whose state is known, (n,)."""
        return np.asarray(self.labels.sum(axis=1) == 1) & self.labels[:, : len(WHO_STATES)].any(1)


def cross_fitted(table: pd.DataFrame, config: JointFitConfig, folds: int, seed: int) -> HeldOut:
    """Nested cross-validation: penalty, temperature and thresholds from inner folds only."""
    return cross_fitted_by(
        lambda train: fit_joint_model(train, config, ModelCard("fold", "")), table, folds, seed
    )


def cross_fitted_by(
    fit: Callable[[pd.DataFrame], JointModel], table: pd.DataFrame, folds: int, seed: int
) -> HeldOut:
    """As `cross_fitted`, of any way to make a model from training patients."""
    fold = stratified_folds(list(table["possible_states"]), folds, np.random.default_rng(seed))
    parts = []
    for number in range(folds):
        test = fold == number
        parts.append((np.flatnonzero(test), asked(fit(table[~test]), table[test])))
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    return HeldOut(
        np.concatenate([part.labels for _, part in parts])[order],
        np.concatenate([part.chances for _, part in parts])[order],
        {
            question: np.concatenate([part.answers[question] for _, part in parts])[order]
            for question in QUESTIONS
        },
    )


def asked(model: JointModel, table: pd.DataFrame) -> HeldOut:
    """What one model says of patients."""
    chances = model.probabilities(table)
    answers = {}
    for rule in model.rules:
        values, sureness = likeliest(rule.question, chances)
        given = [
            value if rule.is_sure(value, float(chance)) else INDETERMINATE
            for value, chance in zip(values, sureness, strict=True)
        ]
        answers[rule.question] = np.array(given, object)
    return HeldOut(label_rows(possible_states(table)), chances, answers)


def joint_row(name: str, held: HeldOut, settings: StudySettings) -> dict[str, str]:
    """One model's row: likelihood, discrimination of every question, calibration."""
    sure = held.sure
    logs = np.log(np.maximum(held.chances, SMALLEST))
    row = {
        "model": name,
        "n": str(len(sure)),
        "state known": str(int(sure.sum())),
        "log loss": f"{log_loss(logs, modelled(held.labels)):.3f}",
        "AUC of IDH": _auc(held, "idh", MUTANT, settings),
        "AUC of 1p/19q": _auc(held, "codeletion_1p19q", CODELETED, settings),
        "AUC of grade 4": _auc(held, "grade", "4", settings),
        "mean AUC of the states": _mean_auc(held, settings),
    }
    if sure.any():
        truth = modelled(held.labels[sure])
        squares = ((held.chances[sure] - truth) ** 2).sum(axis=1)
        generator = np.random.default_rng(settings.seed)
        row["Brier, states"] = str(bootstrap_interval(squares, generator, settings.bootstrap))
        right = truth[np.arange(len(truth)), held.chances[sure].argmax(axis=1)]
        row["right state"] = _share(right)
        row["ECE"] = f"{calibration_error(held.chances[sure].max(axis=1), right):.3f}"
    return row


def state_rows_table(held: HeldOut, settings: StudySettings) -> list[dict[str, str]]:
    """Each state against all others, of patients whose state is known."""
    rows = []
    sure = held.sure
    for index, state in enumerate(WHO_STATES):
        chance = held.chances[sure, index]
        rows.append(
            {
                "state": state,
                "patients": str(int(held.labels[sure, index].sum())),
                "expected": f"{chance.sum():.1f}",
                "AUC against all others": _auc(held, "state", state, settings),
            }
        )
    return rows


def determinate_rows(name: str, held: HeldOut, stated: Mapping[str, float]) -> list[dict[str, str]]:
    """Of each question: how many are answered, and how often the answers are right."""
    rows = []
    for question, given in held.answers.items():
        known, right, _ = judged(question, held.chances, held.labels)
        answered = given != INDETERMINATE
        told = known & answered
        by_value = [
            f"{value} {int(right[of].sum())}/{int(of.sum())}"
            for value in dict.fromkeys(QUESTIONS[question])
            if (of := told & (given == value)).any()
        ]
        rows.append(
            {
                "model": name,
                "question": question,
                "stated accuracy": f"{100 * stated[question]:.0f} %",
                "answered": f"{int(told.sum())} of {int(known.sum())} "
                f"({100 * told.sum() / max(1, known.sum()):.0f} %)",
                "right": _share(right[told]),
                "right, without the rule": _share(right[known]),
                "right by answer": ", ".join(by_value),
            }
        )
    return rows


VIOLATIONS = (
    "1p/19q likelier than IDH mutation",
    "called co-deleted and wild-type",
    "called grade 4 and co-deleted",
    "called wild-type and not grade 4",
)


def violations(mutant: Floats, codeleted: Floats, grade_4: Floats) -> dict[str, str]:
    """How many patients are given what WHO 2021 does not know, from three probabilities (n,)."""
    counts = (
        # Rounding must not count: equal sums may differ in the last digit.
        codeleted > mutant + 1e-9,
        (codeleted > 0.5) & (mutant < 0.5),
        (codeleted > 0.5) & (grade_4 > 0.5),
        (mutant < 0.5) & (grade_4 < 0.5),
    )
    found = {name: str(int(one.sum())) for name, one in zip(VIOLATIONS, counts, strict=True)}
    return found | {"any": str(int(np.any(counts, axis=0).sum()))}


def independent_sigmoids(
    table: pd.DataFrame, terms: Sequence[Term], folds: int, seed: int
) -> tuple[Floats, Floats, Floats]:
    """Held-out P(mutant), P(co-deleted), P(grade 4) of three unconnected logistic models.

    Each is fitted on the patients of whom its own fact is known.
    """
    columns = design(terms, table, "independent")
    labels = label_rows(possible_states(table))
    fold = stratified_folds(list(table["possible_states"]), folds, np.random.default_rng(seed))
    told = HeldOut(labels, np.zeros(labels.shape), {})
    found = []
    for question, value in (("idh", MUTANT), ("codeletion_1p19q", CODELETED), ("grade", "4")):
        known, yes = told.truth(question, value)
        chance = np.empty(len(table))
        for number in range(folds):
            train, test = known & (fold != number), fold == number
            model = LogisticRegression(max_iter=5000).fit(columns[train], yes[train])
            chance[test] = expit(model.decision_function(columns[test]))
        found.append(chance)
    return found[0], found[1], found[2]


def _auc(held: HeldOut, question: str, value: str, settings: StudySettings) -> str:
    known, yes = held.truth(question, value)
    if question == "state":
        known = held.sure
    positives = int(yes[known].sum())
    if min(positives, int(known.sum()) - positives) < FEWEST:
        return ""
    interval = auc_bootstrap(held.marginal(question, value)[known], yes[known], settings)
    return f"{interval}, {positives}/{int(known.sum())}"


def _mean_auc(held: HeldOut, settings: StudySettings) -> str:
    """Unweighted mean over the states that have patients, each against all others."""
    sure = held.sure
    present = [k for k in range(len(WHO_STATES)) if held.labels[sure, k].sum() >= FEWEST]
    if len(present) < FEWEST:
        return ""
    values = [
        auc_bootstrap(held.chances[sure, k], held.labels[sure, k], settings).estimate
        for k in present
    ]
    return f"{np.mean(values):.3f} ({len(present)} states)"


def _share(right: NDArray[np.bool_]) -> str:
    if not right.size:
        return ""
    share, count = np.array([right.mean()]), np.array([right.size])
    low, high = wilson(share, count)
    return f"{100 * share[0]:.0f} % ({100 * low[0]:.0f} to {100 * high[0]:.0f})"
