"""How well the risk orders patients by survival, pooled and within diagnoses, beside the oracle."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.diagnosis.states import MUTANT, WHO_STATES
from gliomaai_training.evaluation.tasks.measures import (
    Floats,
    Judged,
    Measure,
    Metric,
    cannot,
    measured,
)
from gliomaai_training.evaluation.tasks.predictions import RISK
from gliomaai_training.evaluation.tasks.truth import Rows, TaskTruth
from gliomaai_training.survival.censoring import censoring_of
from gliomaai_training.survival.concordance import PairRule, comparable_pairs
from gliomaai_training.survival.outcome import Outcome

GROUPS: Mapping[str, str] = MappingProxyType(
    {
        "": "all patients",
        "gbm": "glioblastoma",
        "mutant": "IDH-mutant",
        "within_states": "pairs of the same WHO state",
    }
)
"""By the end of a metric's name, in words. Of all patients, much of a concordance is the diagnosis;
of one diagnosis it is what is left."""


@dataclass(frozen=True, eq=False)
class Followed:
    """The m of n patients in whom a risk is judged."""

    known: Rows
    """(n,) of the group, with survival."""
    rows: Rows
    """(n,) of these, with a risk."""
    risk: Floats
    """(m,) of one run."""
    outcome: Outcome
    rule: PairRule


def followed(one: Judged, group: str, run: int, uno: bool = False) -> Followed:
    """Whose risk is judged, and by which pairs.

    Risks of different folds are not compared: each network has a zero of its own.

    Raises:
        ValueError: there are no such patients.
    """
    if one.runs.risk is None:
        raise ValueError("the network has no risk head")
    risk = one.runs.risk[run]
    known = np.isfinite(one.truth.months) & _group(one.truth, group)
    rows = known & np.isfinite(risk)
    if not rows.any():
        raise ValueError("no patient has both a risk and a known survival")
    outcome = Outcome(one.truth.months[rows], one.truth.event[rows])
    censoring = censoring_of(outcome if one.training is None else one.training) if uno else None
    state = one.truth.states()[1][rows] if group == "within_states" else np.zeros(rows.sum())
    strata = list(zip(one.runs.folds[run][rows].tolist(), state.tolist(), strict=True))
    return Followed(known, rows, risk[rows], outcome, PairRule(censoring, strata=strata))


def _group(truth: TaskTruth, group: str) -> NDArray[np.bool_]:
    known, state = truth.states()
    if group == "gbm":
        return np.asarray(known & (state == WHO_STATES.index("GBM")))
    if group == "mutant":
        of_idh, mutant = truth.fact("idh", (MUTANT,))
        return np.asarray(of_idh & mutant)
    return known if group == "within_states" else np.ones(len(state), np.bool_)


def _concordance(group: str, uno: bool, one: Judged, _: str, run: int) -> Measure:
    try:
        found = followed(one, group, run, uno)
    except ValueError as error:
        return cannot(0, 0, str(error))
    try:
        pairs = comparable_pairs(found.outcome, found.rule)
    except ValueError as error:
        return cannot(len(found.outcome), found.outcome.events, str(error))
    died = np.isfinite(one.truth.months) & one.truth.event
    return measured(
        lambda draws: pairs.share(found.risk, draws[:, found.rows]), found.known, found.rows, died
    )


def _metrics(kind: str) -> dict[str, Metric]:
    return {
        f"{kind.lower()}_c{'_' if group else ''}{group}": Metric(
            f"{kind} C, {title}", (RISK,), partial(_concordance, group, kind == "Uno")
        )
        for group, title in GROUPS.items()
    }


RISK_METRICS = MappingProxyType(_metrics("Harrell") | _metrics("Uno"))
"""By name, as `harrell_c` and `uno_c_gbm`."""
