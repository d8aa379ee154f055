"""The diagnosis models for the clinic, and the table that says what they are."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from gliomaai_training.diagnosis.covariates import (
    AGE,
    AGE_AND_SEX,
    PARTS,
    SEX,
    WHOLE_TUMOUR,
    Covariate,
)
from gliomaai_training.diagnosis.fit_joint_model import (
    JointFitConfig,
    ModelCard,
    fit_joint_model,
)
from gliomaai_training.diagnosis.joint_model import JointModel, JointModels, Restriction
from gliomaai_training.studies.study import StudyTable
from gliomaai_training.studies.tumour_tables import known_rows

ANYTHING = (-1e300, 1e300)
PENALTIES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
RADIOMICS_PENALTIES = (1e-2, 3e-2, 1e-1, 3e-1)

WHOLE = (*AGE_AND_SEX, *WHOLE_TUMOUR)
WHOLE_NO_SEX = (AGE.name, *WHOLE_TUMOUR)
ALL_PARTS = (*WHOLE_NO_SEX, *PARTS)

LIMITS = (
    "Only the six states of WHO 2021's adult-type diffuse gliomas: no other tumour can be the "
    "answer. Glioblastoma stands for every IDH-wildtype tumour, those of lower grade included.",
    "Measured in expert-corrected masks; a predicted mask may shift the volumes.",
)


SCANNER_ONLY = Restriction(
    "UCSF-PDGM",
    "T1Gd in that scanner's arbitrary units, bias-corrected, as PyRadiomics measures it in the "
    "whole tumour (bins of 25)",
    most_beyond=1 / 3,
)
"""Of 363 patients, each measured against the range of four fifths of the others, the share is above
this in one or two; in 34 cases of other scanners stored in 8 bits it is 45 to 79 %."""


@dataclass(frozen=True, eq=False)
class Tables:
    """Patients who can be in some state, with what was measured of them."""

    ucsf: pd.DataFrame
    tcga: pd.DataFrame
    brats: pd.DataFrame
    radiomics: Mapping[str, Covariate]
    counts: pd.DataFrame


def shipped_models(tables: Tables) -> JointModels:
    """The models for the clinic, the richest first, fitted on all patients."""
    ucsf, tcga, brats = tables.ucsf, tables.tcga, tables.brats
    both = pd.concat([ucsf, brats], ignore_index=True)
    with_sex = known_rows(both, (SEX,))
    sexed = fitted(with_sex, WHOLE, ModelCard("age, sex, tumour volume and axes", _of(with_sex)))
    clinical = pd.concat([ucsf, tcga], ignore_index=True)
    plain = fitted(clinical, AGE_AND_SEX, ModelCard("age and sex", _of(clinical)))
    aged = fitted(clinical, (AGE.name,), ModelCard("age", _of(clinical)))
    return JointModels((parts_model(ucsf, brats), sexed, whole_model(both), plain, aged))


def whole_model(both: pd.DataFrame) -> JointModel:
    """From age, volume and axes of the whole tumour."""
    return fitted(both, WHOLE_NO_SEX, ModelCard("age, tumour volume and axes", _of(both)))


def parts_model(ucsf: pd.DataFrame, brats: pd.DataFrame) -> JointModel:
    """From the volumes of the parts too: learned in BraTS, on top of the model of both cohorts."""
    both = pd.concat([ucsf, brats], ignore_index=True)
    cohort = f"{_of(brats)}, on top of {_of(both)}"
    card = ModelCard("age, volumes of the tumour's parts, and axes", cohort)
    return fitted(brats, ALL_PARTS, card, whole_model(both))


def intensity_model(tables: Tables) -> JointModel:
    """From age and all features of T1Gd, in UCSF-PDGM's units: for that hospital alone."""
    card = ModelCard("age and T1Gd features of UCSF-PDGM", _of(tables.ucsf), LIMITS)
    model = fit_joint_model(tables.ucsf, intensity_config(tables), card)
    return replace(model, only_for=SCANNER_ONLY)


def intensity_config(tables: Tables) -> JointFitConfig:
    """How `intensity_model` is fitted."""
    return JointFitConfig(
        (AGE.name, *tables.radiomics), RADIOMICS_PENALTIES, extra=tables.radiomics
    )


def radiomics_covariates(features: pd.DataFrame) -> dict[str, Covariate]:
    """A table's features as they enter the softmax, by name: long tails pulled in, whatever the
    sign, so that no new patient's value is impossible."""
    names = [str(name) for name in features.columns]
    return {name: Covariate(name, name, "", ANYTHING, "arsinh") for name in names}


def fitted(
    table: pd.DataFrame,
    covariates: tuple[str, ...],
    card: ModelCard,
    prior: JointModel | None = None,
) -> JointModel:
    config = JointFitConfig(covariates, PENALTIES)
    return fit_joint_model(
        known_rows(table, covariates), config, replace(card, limits=LIMITS), prior
    )


def _of(table: pd.DataFrame) -> str:
    return " and ".join(f"{name} ({n})" for name, n in table["cohort"].value_counts().items())


def shipped_table(models: JointModels) -> StudyTable:
    rows = [
        {
            "model": model.name,
            "fitted on": model.cohort,
            "patients": str(model.patients),
            "state known": ", ".join(f"{state} {n}" for state, n in model.states.items()),
            "mix of": model.case_mix,
            "temperature": f"{model.temperature:.2f}",
            "answers given": _rules(model),
        }
        for model in models.models
    ]
    return StudyTable(
        "shipped",
        "The models for the clinic",
        pd.DataFrame(rows),
        "Fitted on all patients, in order of preference: the first of which everything is known is "
        "used and named. Volumes and axes are measured by `radiomics.shape` in training and clinic "
        "alike; UCSF-PDGM's are PyRadiomics', which the same code reproduces. Only measures that "
        "do not depend on the voxel size are used. The first model alone knows how much enhances; "
        "no other cohort here has the parts measured, so it is cross-validated in BraTS 2020 and "
        "untested elsewhere; its IDH labels are TCGA's.",
    )


def _rules(model: JointModel) -> str:
    return ", ".join(
        f"{rule.question} {value} from {threshold:.2f}"
        for rule in model.rules
        for value, threshold in rule.thresholds.items()
        if threshold is not None
    )
