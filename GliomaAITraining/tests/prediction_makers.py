"""Made-up predictions of made-up patients whose truth is drawn from the probabilities."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table, state_columns
from gliomaai_training.diagnosis.states import STATE_FACTS, WHO_STATES
from gliomaai_training.evaluation.tasks.predictions import COMPLETE, class_columns
from gliomaai_training.evaluation.tasks.truth import TaskTruth, truth_of

Floats = NDArray[np.float64]


def cohort_of_states(possible: list[tuple[str, ...]]) -> ClinicalCohort:
    """Patients P0, P1, ... who can be in these states; () of whom nothing is known."""
    names = [f"P{n}" for n in range(len(possible))]
    facts = [STATE_FACTS[one[0]] if len(one) == 1 else None for one in possible]
    known: dict[str, object] = {
        "patient": names,
        "case": names,
        "cohort": "made up",
        "idh": [one and one.idh for one in facts],
        "codeletion_1p19q": [one and one.codeletion_1p19q for one in facts],
    }
    return ClinicalCohort("made up", clinical_table(known | state_columns(possible)))


def state_chances(patients: int, seed: int, concentration: float = 0.25) -> Floats:
    """(n, 7) what calibrated predictions look like; nobody is not elsewhere classified."""
    draw = np.random.default_rng(seed)
    six = draw.dirichlet(np.full(len(WHO_STATES), concentration), patients)
    return np.concatenate([six * (1 - 1e-6), np.full((patients, 1), 1e-6)], axis=1)


def drawn_truth(chances: Floats, seed: int) -> TaskTruth:
    """States drawn from their probabilities."""
    draw = np.random.default_rng(seed)
    six = chances[:, : len(WHO_STATES)] / chances[:, : len(WHO_STATES)].sum(axis=1, keepdims=True)
    return truth_of(cohort_of_states([(WHO_STATES[draw.choice(6, p=row)],) for row in six]))


def powered(chances: Floats, temperature: float) -> Floats:
    """Probabilities of logits divided by a temperature; below 1 they are too sure."""
    raised = np.exp(np.log(np.maximum(chances, 1e-300)) / temperature)
    return raised / raised.sum(axis=1, keepdims=True)


def table_of(chances: Floats, run: str = "1", task: str = "state", first: int = 0) -> pd.DataFrame:
    """A table of predictions for P0, P1, ..."""
    names = [f"P{n}" for n in range(first, first + len(chances))]
    keys = {"case": names, "patient": names, "run": run, "sequences": COMPLETE}
    return pd.DataFrame(keys | dict(zip(class_columns(task), chances.T, strict=True)))
