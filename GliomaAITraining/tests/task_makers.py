"""Made-up patients with known truth and tables of what networks might say of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from gliomaai_training.cohorts.clinical import ClinicalCohort, clinical_table, state_columns
from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.states import LABELS, STATE_FACTS
from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.evaluation.tasks.measures import TaskScoreConfig
from gliomaai_training.evaluation.tasks.predictions import COMPLETE, class_columns
from gliomaai_training.evaluation.tasks.truth import TaskTruth, truth_of
from gliomaai_training.vocabulary import REGIONS

STATES = ("GBM", "A2", "A3", "A4", "O2", "O3")
CLASS_RISK = {"GBM": 2.0, "A2": -1.0, "A3": -0.5, "A4": 1.0, "O2": -1.5, "O3": -1.0}

QUICK = TaskScoreConfig(BootstrapConfig(resamples=200))


def made_up_cohort(
    states: Sequence[str], months: Sequence[float], event: Sequence[float]
) -> ClinicalCohort:
    """Patients of these states, whose cases are c000, c001 and so on."""
    names = [f"c{number:03d}" for number in range(len(states))]
    facts = [STATE_FACTS[state] for state in states]
    table = {
        "patient": [f"p{name}" for name in names],
        "case": names,
        "cohort": "made up",
        "idh": [one.idh for one in facts],
        "codeletion_1p19q": [one.codeletion_1p19q for one in facts],
        "reported_grade": [float(one.grade) for one in facts],
        "months": list(months),
        "event": list(event),
    }
    return ClinicalCohort(
        "made up", clinical_table(table | state_columns([(state,) for state in states]))
    )


def made_up_patients(count: int = 120, seed: int = 0) -> tuple[ClinicalCohort, dict[str, float]]:
    """Patients whose hazard is known, and their true log-risk by case."""
    generator = np.random.default_rng(seed)
    states = generator.choice(STATES, count, p=[0.4, 0.15, 0.1, 0.1, 0.15, 0.1])
    risk = np.array([CLASS_RISK[state] for state in states]) + generator.normal(0, 0.7, count)
    death = generator.exponential(20 / np.exp(risk))
    leaving = generator.uniform(10, 80, count)
    months, event = np.minimum(death, leaving) + 0.01, (death <= leaving).astype(float)
    cohort = made_up_cohort(states.tolist(), months.tolist(), event.tolist())
    return cohort, dict(zip(cohort.patients["case"], risk.tolist(), strict=True))


def made_up_truth(count: int = 120, seed: int = 0) -> TaskTruth:
    """What is known of `made_up_patients`."""
    return truth_of(*made_up_patients(count, seed))


def predictions_of(
    truth: TaskTruth,
    tasks: Sequence[str] = ("state", "risk"),
    noise: float = 1.0,
    run: str = "1",
    sequences: str = COMPLETE,
) -> pd.DataFrame:
    """One run that knows the truth through noise: the more, the less it knows."""
    generator = np.random.default_rng([int(run), len(sequences), int(100 * noise)])
    table = pd.DataFrame({"case": truth.cases})
    table = table.assign(patient=table["case"], run=run, sequences=sequences)
    for task in (one for one in tasks if one != "risk"):
        known = truth.possible[task] & (truth.possible[task].sum(axis=1, keepdims=True) == 1)
        logits = 3.0 * known + generator.normal(0, noise, known.shape)
        powers = np.exp(logits)
        table[class_columns(task)] = powers / powers.sum(axis=1, keepdims=True)
    if "risk" in tasks:
        risk = np.zeros(len(table)) if truth.true_log_risk is None else truth.true_log_risk
        table["risk"] = risk + generator.normal(0, noise, len(table))
    return table


def certain(states: Sequence[str], cases: Sequence[str]) -> pd.DataFrame:
    """A run that is certain of these states."""
    table = pd.DataFrame(
        {"case": cases, "patient": cases, "run": "1", "sequences": COMPLETE},
    )
    table[class_columns("state")] = np.eye(len(LABELS))[[LABELS.index(one) for one in states]]
    return table


def heads(cases: Sequence[str], **called: Sequence[str]) -> pd.DataFrame:
    """A run of independent heads that are certain of these classes."""
    table = pd.DataFrame(
        {"case": cases, "patient": cases, "run": "1", "sequences": COMPLETE},
    )
    for task, words in called.items():
        names = CLASSES[task]
        table[class_columns(task)] = np.eye(len(names))[[names.index(one) for one in words]]
    return table


def results_of(
    dice: np.ndarray, run: str | None = None, sequences: str = COMPLETE, truth_ml: float = 5.0
) -> pd.DataFrame:
    """A results table from Dice by case and region, (n, 3); two cases are of one patient."""
    rows = [
        {
            "patient": f"q{number // 2:03d}",
            "case": f"c{number:03d}",
            "sequences": sequences,
            "region": region,
            "dice": float(value),
            "hd95_mm": 3.0,
            "lesion_dice": float(value),
            "truth_ml": truth_ml,
        }
        for number, of_case in enumerate(dice)
        for region, value in zip(REGIONS, of_case, strict=True)
    ]
    table = pd.DataFrame(rows)
    return table if run is None else table.assign(run=run)
