"""What a study measured imaging to add, for the packs of the models that it is about."""

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import Interval
from gliomaai_training.studies.preoperative_models import FOLDS, REPEATS
from gliomaai_training.studies.preoperative_tables import Scored
from gliomaai_training.studies.scores import Judged
from gliomaai_training.survival.comparison import concordance_difference
from gliomaai_training.survival.evidence import Evidence, Gain

LEFT_OUT = f"patients left out of the fit ({FOLDS} folds, the mean of {REPEATS} deals)"
DECIMALS = 4


def gain(
    cohort: str,
    against: str,
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    judged: Judged,
) -> Gain:
    """The difference of two risks (n,) for the same patients, as in the study's tables.

    Args:
        cohort: its name.
        against: what the model of `theirs` knows, in words.
        ours: risks by the model with what is added.
        theirs: risks without it.
        judged: the patients.
    """
    found = concordance_difference(
        ours, theirs, judged.followed, judged.generator(), config=judged.config
    )
    return Gain(
        cohort,
        len(judged.followed),
        judged.followed.events,
        against,
        _rounded(found.ours),
        _rounded(found.difference),
        round(found.p, DECIMALS),
    )


def _rounded(interval: Interval) -> tuple[float, float, float]:
    estimate, low, high = (
        round(value, DECIMALS) for value in (interval.estimate, interval.low, interval.high)
    )
    return estimate, low, high


def step_evidence(cohorts: list[Scored], step: str, added: str) -> Evidence:
    """What a step adds to each cohort's clinical model.

    Args:
        cohorts: cross-fitted.
        step: as the cohorts name it (`Imaged.steps`).
        added: the same for a reader who knows no study.
    """
    gains = tuple(
        gain(
            one.imaged.name,
            one.clinical,
            one.risks[f"{one.clinical}, {step}"],
            one.risks[one.clinical],
            one.judged,
        )
        for one in cohorts
    )
    return Evidence(added, LEFT_OUT, gains)
