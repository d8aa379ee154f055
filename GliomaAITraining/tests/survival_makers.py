"""Made-up patients with known hazards, for tests of survival models."""

import numpy as np
import pandas as pd

from gliomaai_training.survival.fit_cox import CoxPlan
from gliomaai_training.survival.outcome import Outcome, outcome
from gliomaai_training.survival.term_plan import CategoricalPlan, NumericPlan
from gliomaai_training.survival.terms import NumericTerm

STATES = ("A", "G", "O")
LOG_HAZARDS = {"A": 0.0, "G": 1.6, "O": -0.6}

AGE = NumericPlan("age", "Age", "years", (0, 120), scale=10)
SEX = CategoricalPlan("sex", "Sex", ("F", "M"), "F")
STATE = CategoricalPlan("state", "WHO state", STATES, "A")
VOLUME = NumericPlan("volume_ml", "Tumour volume", "mL", (0, 2000), transform="log1p")
PLAN = CoxPlan("made up", (AGE, SEX, STATE, VOLUME), "made-up patients")


def made_up_patients(seed: int = 0, n: int = 400) -> tuple[pd.DataFrame, Outcome]:
    """Patients of two cohorts, the second with twice the hazard; months in tenths, so with ties."""
    generator = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": generator.normal(55, 14, n).clip(18, 90).round(1),
            "sex": generator.choice(["F", "M"], n),
            "state": generator.choice(STATES, n, p=(0.3, 0.5, 0.2)),
            "volume_ml": np.exp(generator.normal(3.3, 1.0, n)).round(2),
            "cohort": generator.choice(["one", "two"], n),
        }
    )
    log_hazard = 0.03 * (table["age"] - 55) + table["state"].map(LOG_HAZARDS)
    log_hazard += 0.2 * (np.log1p(table["volume_ml"]) - 3.3) + 0.7 * (table["cohort"] == "two")
    dead = 40 * generator.exponential(np.exp(-log_hazard))
    left = generator.uniform(5, 120, n)
    return table, outcome(np.ceil(np.minimum(dead, left) * 10) / 10, dead <= left)


def a_patient() -> dict[str, float | str]:
    """Somebody of whom everything is known."""
    return {"age": 63.0, "sex": "M", "state": "G", "volume_ml": 42.0}


def plain_term(name: str = "x") -> NumericTerm:
    """A number as it is, without a unit."""
    return NumericTerm(name, name, "", 0.0, (-9.0, 9.0), (-1.0, 0.0, 0.0, 0.0, 1.0))
