"""Survival through the predicted WHO state: which patients are asked of which models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.linking import identities
from gliomaai_training.diagnosis.covariates import AGE, AGE_AND_SEX
from gliomaai_training.diagnosis.fit_joint_model import JointFitConfig
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.diagnosis_models import (
    PENALTIES,
    RADIOMICS_PENALTIES,
    WHOLE,
    WHOLE_NO_SEX,
    parts_model,
    radiomics_covariates,
)
from gliomaai_training.studies.postoperative_models import Cohorts, Part, cross_fitted, fit
from gliomaai_training.studies.predicted_state import (
    Crossed,
    StateFit,
    as_covariate,
    by_config,
    crossed,
    informative,
    mixture,
    of_state_known,
    stratified_model,
    with_chances,
    without,
)
from gliomaai_training.studies.predictions import PredictedSurvival
from gliomaai_training.studies.preoperative_models import (
    FOLDS,
    OF_TCGA,
    OTHERS,
    UCSF,
    Imaged,
)
from gliomaai_training.studies.preoperative_tables import cohort_parts
from gliomaai_training.studies.scores import Judged
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.studies.tumour_tables import ucsf_radiomics
from gliomaai_training.survival.cox_model import CoxModel

Floats = NDArray[np.float64]

TERMS = (c.AGE_SPLINE, c.SEX, c.STATE)
TERMS_NO_SEX = (c.AGE_SPLINE, c.STATE)
"""As the post-operative study chose them inside TCGA."""

BY_AGE, BY_WHOLE, BY_T1GD, BY_PARTS = (
    "age, sex",
    "age, sex, volume, axes",
    "age, sex, T1Gd",
    "age, volumes of parts, axes",
)
CLINIC = {"preoperative-state": TERMS, "preoperative-state-age": TERMS_NO_SEX}
"""Files of the models for the clinic."""


def through(told: str) -> str:
    """Name of the model that takes a state predicted from these."""
    return f"through the state by {told}"


@dataclass(frozen=True, eq=False)
class Predicted:
    """One cohort with what models say of its patients, and the predicted states."""

    judged: Judged
    survival: Mapping[str, PredictedSurvival]
    """By model; the first knows no state."""
    crossed: Mapping[str, Crossed]
    """By what the state is predicted from."""

    @property
    def base(self) -> str:
        """Name of the model without images and state."""
        return next(iter(self.survival))


def ucsf_predicted(ucsf: Imaged, cohorts: Cohorts, settings: StudySettings) -> Predicted:
    """UCSF-PDGM: states and survival cross-fitted, the Cox model on TCGA and the other folds."""
    features = ucsf_radiomics(settings.data)
    part = Part(ucsf.part.table.join(features, on="patient"), ucsf.part.followed)
    extra = radiomics_covariates(features)
    sources = {
        BY_AGE: JointFitConfig(AGE_AND_SEX, PENALTIES),
        BY_WHOLE: JointFitConfig(WHOLE, PENALTIES),
        BY_T1GD: JointFitConfig((*AGE_AND_SEX, *extra), RADIOMICS_PENALTIES, extra=extra),
    }

    def refit(train: Part) -> CoxModel:
        return stratified_model(
            {"TCGA": cohorts.training, UCSF: of_state_known(train)}, TERMS, "fold"
        )

    seed = settings.seed
    survival = {
        "age, sex": cross_fitted(part, seed, lambda p: fit(p, (c.AGE, c.SEX), "fold", UCSF).model)
    }
    found = {}
    for told, config in sources.items():
        one = crossed(part, by_config(config), FOLDS, seed, inner=told == BY_T1GD)
        found[told] = one
        survival[through(told)] = mixture(one, refit)
    words = f"age, sex, IDH predicted by {BY_T1GD}"
    survival[words] = as_covariate(found[BY_T1GD], (c.AGE, c.SEX))
    judged = Judged(part.followed, ucsf.group, seed, settings.bootstrap, ucsf.inner)
    return Predicted(judged, survival, found)


def brats_predicted(
    ucsf: Imaged, brats: Imaged, cohorts: Cohorts, settings: StudySettings
) -> Predicted:
    """BraTS 2020: states cross-fitted; the Cox model is of other patients, none of them here."""
    part, seed = brats.part, settings.seed
    model = _without_brats(brats, cohorts)
    home = informative(ucsf.part.table)
    sources: Mapping[str, StateFit] = {
        "age": by_config(JointFitConfig((AGE.name,), PENALTIES)),
        "age, volume, axes": by_config(JointFitConfig(WHOLE_NO_SEX, PENALTIES)),
        BY_PARTS: lambda train: parts_model(home, train),
    }
    survival = {"age": cross_fitted(part, seed, lambda p: fit(p, (c.AGE,), "fold", "BraTS").model)}
    found = {}
    for told, source in sources.items():
        one = crossed(part, source, FOLDS, seed, inner=told == BY_PARTS)
        found[told] = one
        survival[through(told)] = mixture(one, lambda _: model)
    survival[f"age, IDH predicted by {BY_PARTS}"] = as_covariate(found[BY_PARTS], (c.AGE,))
    judged = Judged(part.followed, brats.group, seed, settings.bootstrap, brats.inner)
    return Predicted(judged, survival, found)


def _without_brats(brats: Imaged, cohorts: Cohorts) -> CoxModel:
    """Of TCGA's patients whom BraTS has not, and UCSF-PDGM."""
    return stratified_model(_others(brats, cohorts), TERMS_NO_SEX, "without BraTS")


def _others(brats: Imaged, cohorts: Cohorts) -> dict[str, Part]:
    person_of = identities([cohorts.tcga, brats.cohort])
    tcga = without(cohorts.training, person_of, list(brats.part.table["patient"]))
    return {"TCGA": tcga, UCSF: cohorts.test}


@dataclass(frozen=True, eq=False)
class Way:
    """How a cohort that is left out is judged."""

    test: Part
    cox: Mapping[str, Part]
    states: Mapping[str, tuple[str, StateFit, Sequence[pd.DataFrame]]]
    """By what is told: of whom, how, and the tables."""


def ways(cohorts: Cohorts, imaged: Sequence[Imaged]) -> dict[str, Way]:
    ucsf, brats = (next(o for o in imaged if (o.name == UCSF) is first) for first in (True, False))
    parts = cohort_parts(imaged)
    others = _others(brats, cohorts)
    home = ucsf.part.table
    aged = by_config(JointFitConfig((AGE.name,), PENALTIES))
    whole = by_config(JointFitConfig(WHOLE_NO_SEX, PENALTIES))
    clinical = [home, others["TCGA"].table]
    of_tcga = parts[OF_TCGA].table
    return {
        UCSF: Way(
            parts[UCSF],
            {"TCGA": cohorts.training},
            {
                BY_AGE: (
                    "TCGA",
                    by_config(JointFitConfig(AGE_AND_SEX, PENALTIES)),
                    [cohorts.training.table],
                ),
                "age, volume, axes": ("BraTS 2020", whole, [brats.part.table]),
            },
        ),
        OF_TCGA: Way(
            parts[OF_TCGA],
            others,
            {
                "age": ("UCSF-PDGM and TCGA outside BraTS", aged, clinical),
                "age, volume, axes": (UCSF, whole, [home]),
            },
        ),
        OTHERS: Way(
            parts[OTHERS],
            others,
            {
                "age": ("UCSF-PDGM and TCGA outside BraTS", aged, clinical),
                "age, volume, axes": (f"{UCSF} and {OF_TCGA}", whole, [home, of_tcga]),
                BY_PARTS: (
                    f"{OF_TCGA}, on top of {UCSF}",
                    lambda train: parts_model(informative(home), train),
                    [of_tcga],
                ),
            },
        ),
    }


def clinic_state_models(ucsf: Imaged, cohorts: Cohorts) -> dict[str, CoxModel]:
    """Models for the clinic that take the state as probabilities."""
    parts = {"TCGA": cohorts.training, UCSF: of_state_known(ucsf.part)}
    names = {
        "preoperative-state": "age, sex, predicted WHO state",
        "preoperative-state-age": "age, predicted WHO state",
    }
    return {
        stem: stratified_model(parts, terms, f"pre-operative: {names[stem]}")
        for stem, terms in CLINIC.items()
    }


def clinic_part(ucsf: Imaged, found: Predicted) -> Part:
    """UCSF-PDGM's patients with states as images predict them, beside whom a patient is shown."""
    return Part(with_chances(ucsf.part.table, found.crossed[BY_WHOLE].chances), ucsf.part.followed)
