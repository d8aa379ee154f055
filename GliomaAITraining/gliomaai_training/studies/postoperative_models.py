"""The models of the post-operative study: fits on TCGA, and those that see UCSF-PDGM in part."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.flow import with_known, with_survival
from gliomaai_training.cohorts.tcga import read_tcga
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.predictions import PredictedSurvival
from gliomaai_training.studies.published import BROWN_2016, RESECTION_MIX, with_published
from gliomaai_training.studies.selection import (
    REPEATS,
    Candidate,
    Judgement,
    choose,
    judge,
)
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.elastic_net_model import deal_folds
from gliomaai_training.survival.fit_cox import CoxFit, CoxPlan, fit_cox
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.recalibration import Extent, RecalibrationPlan, recalibrate
from gliomaai_training.survival.reference_groups import ReferenceGroups, risk_groups
from gliomaai_training.survival.term_plan import CategoricalPlan, TermPlan
from gliomaai_training.survival.terms import CategoricalTerm

FOLDS = 10
"""Of the cross-validations inside UCSF-PDGM."""
INNER_FOLDS = 5
COHORT = "cohort"

ASKED = ("age_years", "sex")
PLAIN = Candidate("age, sex, WHO state", (c.AGE, c.SEX, c.STATE))
SHAPES_OF_AGE = (
    Candidate("WHO state alone", (c.STATE,)),
    PLAIN,
    Candidate("age as a spline, sex, WHO state", (c.AGE_SPLINE, c.SEX, c.STATE)),
    Candidate(
        "age in glioblastoma, age in IDH-mutant, sex, WHO state",
        (c.AGE_IN_GLIOBLASTOMA, c.AGE_IN_MUTANT, c.SEX, c.STATE),
    ),
)
"""From the simplest on."""
WITH_MGMT = Candidate("age, sex, WHO state, MGMT", (c.AGE, c.SEX, c.STATE, c.MGMT))
UCSF_CANDIDATES = (
    Candidate("age, sex, IDH", (c.AGE, c.SEX, c.IDH)),
    Candidate("age, sex, IDH, resection", (c.AGE, c.SEX, c.IDH, c.RESECTION)),
    Candidate("age as a spline, sex, IDH, resection", (c.AGE_SPLINE, c.SEX, c.IDH, c.RESECTION)),
)
"""UCSF-PDGM has too few deaths outside glioblastoma for all WHO states."""


@dataclass(frozen=True, eq=False)
class Part:
    """Patients as a table, with their outcomes."""

    table: pd.DataFrame
    followed: Outcome

    def take(self, rows: NDArray[np.bool_]) -> "Part":
        """Some of them."""
        return Part(self.table[rows].reset_index(drop=True), self.followed.take(rows))


@dataclass(frozen=True, eq=False)
class Cohorts:
    """Who is analysed."""

    tcga: ClinicalCohort
    ucsf: ClinicalCohort
    training: Part
    """TCGA, with those in whom glioblastoma is assumed."""
    test: Part

    @property
    def stated(self) -> Part:
        """TCGA's patients whose state is known."""
        return self.training.take(~self.training.table[c.ASSUMED].to_numpy(bool))


def read_cohorts(data: Path) -> Cohorts:
    """Both cohorts, complete in age, sex and WHO state.

    Raises:
        ValueError: as the readers.
    """
    asked = with_known(with_survival(read_tcga(data)), ASKED)
    training = Part(*c.with_assumed_glioblastomas(asked))
    tcga = asked.keep(
        asked.patients["patient"].isin(training.table["patient"]).to_numpy(),
        "WHO state unknown, and not assumed",
    )
    ucsf = with_known(with_survival(read_ucsf_pdgm(data)), (*ASKED, "who_state", "resection"))
    return Cohorts(tcga, ucsf, training, Part(*c.study_table(ucsf)))


@dataclass(frozen=True, eq=False)
class Choice:
    """What the cross-validation inside TCGA chose, and from what."""

    age: tuple[Judgement, ...]
    mgmt: tuple[Judgement, ...]
    """In the patients whose MGMT is known."""
    patients: tuple[Judgement, ...]
    """Without and with those in whom glioblastoma is assumed."""
    chosen_age: Judgement
    chosen_mgmt: Judgement
    chosen_patients: Judgement


def choose_specification(cohorts: Cohorts, seed: int, repeats: int = REPEATS) -> Choice:
    """Chooses the form of age, whether MGMT comes in, and who is fitted on; TCGA alone is seen."""
    stated = cohorts.stated
    age = tuple(judge(one, stated.table, stated.followed, seed, repeats) for one in SHAPES_OF_AGE)
    # Age and sex come in by what is known of glioma, whatever this cohort says.
    chosen = choose(age[1:])
    known = stated.take(stated.table["mgmt"].notna().to_numpy())
    mgmt = tuple(
        judge(one, known.table, known.followed, seed, repeats) for one in (PLAIN, WITH_MGMT)
    )
    terms = chosen.candidate.terms
    everyone = cohorts.training
    patients = tuple(
        judge(one, part.table, part.followed, seed, repeats)
        for one, part in (
            (Candidate("WHO state known", terms), stated),
            (Candidate("and glioblastoma assumed", terms, c.ASSUMED), everyone),
        )
    )
    fewest = min(patients, key=lambda one: one.total)
    return Choice(age, mgmt, patients, chosen, choose(mgmt), fewest)


def fit(part: Part, terms: Sequence[TermPlan], name: str, cohort: str) -> CoxFit:
    """A Cox model of one cohort."""
    return fit_cox(part.table, part.followed, CoxPlan(name, tuple(terms), cohort))


def with_published_resection(model: CoxModel) -> CoxModel:
    """The model with the extent of resection from the literature."""
    plan = c.RESECTION
    counts = (0,) * len(plan.levels)
    term = CategoricalTerm(plan.name, plan.label, plan.levels, plan.reference, counts)
    return with_published(model, term, BROWN_2016, RESECTION_MIX)


def joint_model(training: Part, test: Part, terms: Sequence[TermPlan], name: str) -> CoxModel:
    """One model of both cohorts, each with its own baseline hazard; UCSF-PDGM's is kept.

    Where TCGA does not know the resection, its patients stand at the reference: within their
    stratum that is the same for all and cancels, so that the ratios of resection are
    UCSF-PDGM's, and all others are both cohorts'.
    """
    first = training.table.assign(**{c.RESECTION.name: c.RESECTION.reference, COHORT: "TCGA"})
    second = test.table.assign(**{COHORT: "UCSF-PDGM"})
    table, followed = c.stacked([(first, training.followed), (second, test.followed)])
    words = "TCGA and UCSF-PDGM, each with its own baseline hazard; this is UCSF-PDGM's"
    plan = CoxPlan(name, tuple(terms), words, COHORT, "UCSF-PDGM")
    return only_stratum(_counted(fit_cox(table, followed, plan).model, test), "UCSF-PDGM")


def only_stratum(model: CoxModel, stratum: str) -> CoxModel:
    """The model with one of its baselines."""
    return replace(model, baselines={"": model.baselines[stratum]}, default_stratum=None)


def _counted(model: CoxModel, test: Part) -> CoxModel:
    """The model with the patients of each extent of resection as they are known."""
    counts = test.table[c.RESECTION.name].value_counts()
    terms = tuple(
        replace(term, counts=tuple(int(counts.get(level, 0)) for level in term.levels))
        if isinstance(term, CategoricalTerm) and term.name == c.RESECTION.name
        else term
        for term in model.terms
    )
    return replace(model, terms=terms)


Refit = Callable[[Part], CoxModel]
"""A model from those of UCSF-PDGM who are not left out."""


def cross_fitted(test: Part, seed: int, refit: Refit, folds: int = FOLDS) -> PredictedSurvival:
    """Every patient of UCSF-PDGM asked of the model that was made without their fold."""
    generator = np.random.default_rng(seed)
    fold = deal_folds(test.followed, folds, generator)
    models = tuple(refit(test.take(fold != number)) for number in range(folds))
    return PredictedSurvival(models, test.table, fold)


def nested(seed: int) -> Refit:
    """UCSF-PDGM alone: the specification is chosen again inside every training part."""

    def refit(part: Part) -> CoxModel:
        judged = [
            judge(one, part.table, part.followed, seed, 1, INNER_FOLDS) for one in UCSF_CANDIDATES
        ]
        terms = choose(judged).candidate.terms
        return fit(part, terms, "UCSF-PDGM alone", "UCSF-PDGM").model

    return refit


def jointly(training: Part, terms: Sequence[TermPlan]) -> Refit:
    """TCGA and those of UCSF-PDGM who are not left out, with resection."""
    return lambda part: joint_model(training, part, (*terms, c.RESECTION), "both cohorts")


def repaired(model: CoxModel, extent: Extent) -> Refit:
    """A finished model, recalibrated on those of UCSF-PDGM who are not left out."""
    plan = RecalibrationPlan("UCSF-PDGM", extent)
    return lambda part: recalibrate(model, part.table, part.followed, plan).model


def clinic_models(cohorts: Cohorts, terms: Sequence[TermPlan]) -> Mapping[str, CoxModel]:
    """Models to be packed, from the richest to the most modest, by what they need to know."""
    families: Mapping[str, tuple[TermPlan, ...]] = {
        "postoperative": (*terms, c.RESECTION),
        "postoperative-without-resection": tuple(terms),
        "postoperative-age-state": tuple(
            term for term in terms if not isinstance(term, CategoricalPlan) or term is c.STATE
        ),
    }
    names = ("age, sex, WHO state, resection", "age, sex, WHO state", "age, WHO state")
    return {
        stem: joint_model(cohorts.training, cohorts.test, plans, f"post-operative: {words}")
        for (stem, plans), words in zip(families.items(), names, strict=True)
    }


def observed(models: Mapping[str, CoxModel], part: Part) -> Mapping[str, ReferenceGroups]:
    """Observed survival in UCSF-PDGM, in thirds of each model's risk, by stem of the file."""
    return {
        f"{stem}-groups": risk_groups("UCSF-PDGM", model.risk(part.table), part.followed)
        for stem, model in models.items()
    }
