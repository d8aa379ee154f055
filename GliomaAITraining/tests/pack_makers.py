"""Small models of nobody, for tests of packs: every number is made up."""

import numpy as np

from gliomaai_training.diagnosis.joint_model import (
    QUESTIONS,
    CertaintyRule,
    JointModel,
    Restriction,
)
from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.survival.baseline import breslow
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.terms import NumericTerm, Term

NOTES = "summary: Made up.\ndata: Nobody.\nlicence: Apache-2.0\nlimits: Of no use.\n"
"""Of a plan of a pack."""
PATIENTS = 60


def age_term(name: str = "age_years") -> NumericTerm:
    """Age, or an age of some patients only."""
    return NumericTerm(name, "age", "years", 50.0, (0.0, 120.0), (20.0, 40.0, 50.0, 60.0, 80.0))


def followed(seed: int = 1) -> Outcome:
    """How long nobody lived."""
    draw = np.random.default_rng(seed)
    return Outcome(draw.uniform(1, 90, PATIENTS), draw.random(PATIENTS) < 0.7)


def cox(name: str = "by age", *terms: Term) -> CoxModel:
    """A survival model by age, or by other terms."""
    used = terms or (age_term(),)
    p = sum(len(term.columns) for term in used)
    design, beta, outcome = np.random.default_rng(1).normal(size=(PATIENTS, p)), 0.02, followed()
    return CoxModel(
        name=name,
        cohort="nobody",
        patients=PATIENTS,
        events=outcome.events,
        terms=used,
        coefficients=np.full(p, beta),
        covariance=np.eye(p) * 1e-4,
        baselines={"": breslow(design, np.full(p, beta), outcome)},
        history=("recalibrated on nobody",),
    )


def joint(
    name: str = "diagnosis by age", *terms: Term, only_for: Restriction | None = None
) -> JointModel:
    """A diagnosis by age, or by other terms."""
    used = terms or (age_term(),)
    p = sum(len(term.columns) for term in used)
    return JointModel(
        name=name,
        cohort="nobody",
        patients=PATIENTS,
        states=dict.fromkeys(WHO_STATES, PATIENTS // 6),
        case_mix="nobody",
        terms=used,
        intercepts=np.linspace(1, 0, 6),
        coefficients=np.outer(np.ones(p), np.linspace(0.05, -0.05, 6)),
        temperature=1.0,
        rules=tuple(CertaintyRule(q, 0.9, dict.fromkeys(v, 0.5)) for q, v in QUESTIONS.items()),
        only_for=only_for,
    )
