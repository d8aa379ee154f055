"""Packs of diagnosis and prognosis for tests, fitted on made-up patients: not a word is true."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gliomaai_training.diagnosis.joint_model import QUESTIONS, CertaintyRule, JointModel
from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.documents import write_document
from gliomaai_training.inference.statistical_packs import Role, Task
from gliomaai_training.survival.baseline import breslow
from gliomaai_training.survival.cox_model import CoxModel, write_cox_model
from gliomaai_training.survival.evidence import Evidence, Gain
from gliomaai_training.survival.newton_cox import newton_cox
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.reference_groups import (
    observed_groups,
    risk_groups,
    write_reference_groups,
)
from gliomaai_training.survival.term_plan import (
    CategoricalPlan,
    NumericPlan,
    TermPlan,
    complete_term,
)
from gliomaai_training.training.model_card import PackNotes
from gliomaai_training.training.statistical_pack import (
    PackPlan,
    PlannedModel,
    write_statistical_pack,
)

PATIENTS = 600
STATE_RISK = dict(zip(WHO_STATES, (2.2, 0.3, 0.8, 1.6, 0.0, 0.5), strict=True))
AGE = NumericPlan("age_years", "age", "years", (0.0, 120.0), scale=10.0, reference=50.0)
SEX = CategoricalPlan("sex", "sex", ("F", "M"), "F")
KPS = NumericPlan("kps", "KPS", "", (0.0, 100.0), scale=10.0, reference=90.0)
STATE = CategoricalPlan("who_state", "WHO 2021", WHO_STATES, "GBM")
ET = NumericPlan("et_ml", "enhancing tumour", "mL", (0.0, 2000.0), transform="log1p")
WT = NumericPlan("wt_ml", "whole tumour", "mL", (0.0, 2000.0), transform="log1p")
CONTRAST = NumericPlan("t1gd_ET_original_firstorder_Mean", "T1Gd in ET", "", (-1e4, 1e4))
NOTES = PackNotes("Made up.", "Simulated patients.", "Apache-2.0", "Of no use to anyone.")


def made_up_patients(seed: int = 1) -> tuple[pd.DataFrame, Outcome]:
    """Patients whose survival follows age, state and enhancing volume."""
    draw = np.random.default_rng(seed)
    state = draw.choice(WHO_STATES, PATIENTS)
    table = pd.DataFrame(
        {
            "age_years": draw.uniform(20, 80, PATIENTS),
            "sex": draw.choice(["F", "M"], PATIENTS),
            "kps": draw.choice([60.0, 70.0, 80.0, 90.0, 100.0], PATIENTS),
            "who_state": state,
            "et_ml": draw.gamma(1.5, 12, PATIENTS),
            "wt_ml": draw.gamma(3, 25, PATIENTS),
            CONTRAST.name: draw.normal(100, 60, PATIENTS),
        }
    )
    risk = table["age_years"] / 30 + np.log1p(table["et_ml"]) / 3 - table["kps"] / 50
    risk += np.array([STATE_RISK[one] for one in state])
    death = draw.exponential(60 / np.exp(risk - risk.mean()))
    left = draw.uniform(6, 140, PATIENTS)
    return table, Outcome(np.minimum(death, left), np.asarray(death <= left))


def cox_model(
    name: str, plans: Sequence[TermPlan], table: pd.DataFrame, followed: Outcome
) -> CoxModel:
    """A Cox model of some terms."""
    terms = tuple(complete_term(plan, table[plan.name], followed) for plan in plans)
    design = np.hstack([term.encode(table[term.name].to_numpy(object)) for term in terms])
    fit = newton_cox(design, followed)
    return CoxModel(
        name=name,
        cohort="made-up patients",
        patients=len(table),
        events=followed.events,
        terms=terms,
        coefficients=fit.coefficients,
        covariance=fit.covariance,
        baselines={"": breslow(design, fit.coefficients, followed)},
    ).thinned(0.5)


def joint_model(name: str, plans: Sequence[TermPlan], table: pd.DataFrame) -> JointModel:
    """A diagnosis model whose first term, and enhancing tumour, speak for glioblastoma."""
    everyone = Outcome(np.ones(len(table)), np.ones(len(table), bool))
    terms = tuple(complete_term(plan, table[plan.name], everyone) for plan in plans)
    columns = [column for term in terms for column in term.columns]
    weights = np.zeros((len(columns), len(WHO_STATES)))
    weights[0, 0] = 0.9
    if "et_ml" in columns:
        weights[columns.index("et_ml"), 0] = 2.0
    return JointModel(
        name=name,
        cohort="made-up patients",
        patients=len(table),
        states={state: int((table["who_state"] == state).sum()) for state in WHO_STATES},
        case_mix="made-up patients",
        terms=terms,
        intercepts=np.zeros(len(WHO_STATES)),
        coefficients=weights,
        temperature=1.0,
        rules=tuple(
            CertaintyRule(question, 0.9, dict.fromkeys(values, 0.7))
            for question, values in QUESTIONS.items()
        ),
        limits=("Nothing in it is true.",),
    )


SURVIVAL_MODELS: Mapping[str, tuple[Role, Sequence[TermPlan]]] = {
    "Before surgery with performance": (Role.PREOPERATIVE, (AGE, SEX, KPS)),
    "Before surgery, age and sex": (Role.PREOPERATIVE, (AGE, SEX)),
    "Before surgery with volumes": (Role.PREOPERATIVE, (AGE, SEX, ET, WT)),
    "After surgery": (Role.POSTOPERATIVE, (AGE, SEX, STATE)),
    "After surgery with volumes": (Role.POSTOPERATIVE, (AGE, SEX, STATE, ET)),
}


EVIDENCE = Evidence(
    "volumes of the tumour",
    "patients left out of the fit",
    (
        Gain("Here", 100, 50, "age, sex", (0.7, 0.65, 0.75), (-0.0004, -0.02, 0.02), 0.9731),
        Gain("There", 90, 80, "age", (0.73, 0.69, 0.77), (0.0341, 0.009, 0.061), 0.0062),
    ),
)
"""Of the pre-operative model with volumes."""


def write_packs(
    folder: Path, models: Mapping[str, tuple[Role, Sequence[TermPlan]]] = SURVIVAL_MODELS
) -> None:
    """Writes `diagnosis` and `prognosis` into a folder of packs, as the command does."""
    table, followed = made_up_patients()
    studies = folder / "studies"
    studies.mkdir(parents=True)
    by_state = {s: followed.take(table["who_state"].to_numpy() == s) for s in ("GBM", "A3", "O2")}
    write_reference_groups(observed_groups("made-up", by_state), studies / "states.json")
    planned = []
    for number, (name, (role, plans)) in enumerate(models.items()):
        model = cox_model(name, plans, table, followed)
        file = f"model-{number}.json"
        write_cox_model(model, studies / file)
        groups = Path("states.json")
        if role is Role.PREOPERATIVE:
            groups = Path(f"groups-{number}.json")
            thirds = risk_groups("made-up", model.risk(table), followed)
            write_reference_groups(thirds, studies / groups)
        evidence = None
        if name == "Before surgery with volumes":
            evidence = Path("evidence.json")
            write_document(EVIDENCE.document(), studies / evidence)
        planned.append(PlannedModel(Path(file), role, groups, evidence))
    plan = PackPlan(Task.PROGNOSIS, NOTES, tuple(planned))
    write_statistical_pack(folder / "prognosis", "0.9.0", plan, studies, b"licence")
    write_diagnosis_pack(folder, table)


def write_diagnosis_pack(folder: Path, table: pd.DataFrame) -> None:
    """Writes `diagnosis` alone."""
    import json

    models = [
        joint_model("Diagnosis with volumes", (AGE, ET, WT), table),
        joint_model("Diagnosis by age", (AGE,), table),
    ]
    documents: list[Any] = [model.document() for model in models]
    (folder / "studies" / "joint.json").write_text(json.dumps(documents), "utf-8")
    plan = PackPlan(Task.DIAGNOSIS, NOTES, (PlannedModel(Path("joint.json")),))
    write_statistical_pack(folder / "diagnosis", "0.9.0", plan, folder / "studies", b"licence")


def sharpened(model: JointModel, factor: float) -> JointModel:
    """The same model, surer of itself."""
    return replace(model, temperature=model.temperature / factor)
