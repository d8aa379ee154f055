"""What a statistical model may ask of a patient, by the names that cohorts, studies and the clinic
share.

The clinic gives a value to each of these names where it knows one; a model that asks for another
could never be used there and is not packed.
"""

import re
from dataclasses import dataclass

from gliomaai_training.vocabulary import REGIONS, SEQUENCES, Label

WHO_STATE = "who_state"
"""WHO 2021 state: one of `diagnosis.states.WHO_STATES`, or probabilities of them."""

CLINICAL = (
    "age_years",
    "sex",
    "kps",
    "resection",
    "idh",
    "codeletion_1p19q",
    "grade",
    WHO_STATE,
)
"""As the columns of clinical cohorts."""

AGE_REFERENCE_YEARS = 50.0
"""The age that says nothing, in the covariates of `age_in_groups`."""

AGE_IN_GLIOBLASTOMA = "age_years_glioblastoma"
AGE_IN_MUTANT = "age_years_mutant"
"""Age in glioblastoma, and in IDH-mutant glioma: each is the reference in the other group, so that
a model can give age another weight there."""

PARTS = (*REGIONS, Label.NCR.name, Label.ED.name)

MEASURES = (
    *(f"{part.lower()}_ml" for part in PARTS),
    "wt_major_axis_mm",
    "wt_elongation",
    "wt_flatness",
    *(f"{part.lower()}_{kind}_mm" for part in REGIONS for kind in ("longest", "perpendicular")),
    "enhancing_proportion",
    "necrotic_proportion",
    "enhancing_proportion_of_core",
    "foci",
    "side",
    "crosses_midline",
    "lobe",
)
"""Of the mask, on a grid of 1 mm: volumes in mL; form of the whole tumour
(`diagnosis.covariates`); the longest axial diameter and the one across it in mm, 0 without the
region; proportions from 0 to 1 (ET of WT, NCR of WT, ET of TC); the number of separate parts;
`left`, `right` or `both`; `yes` or `no`; the lobe with most of the tumour."""

_RADIOMICS = re.compile(
    rf"(?:(?P<sequence>{'|'.join(SEQUENCES)})_)?(?P<region>{'|'.join(PARTS)})_(?P<image>.+)_"
    r"(?P<group>shape|firstorder|glcm|glrlm|glszm|gldm|ngtdm)_(?P<feature>\w+)"
)


@dataclass(frozen=True)
class RadiomicsName:
    """The parts of a radiomics column (`radiomics.extract.feature_columns`)."""

    sequence: str | None
    """None for a feature of form."""
    region: str
    group: str
    """The feature's class, such as `glcm`."""


def radiomics_name(name: str) -> RadiomicsName | None:
    """The parts of a covariate that is a radiomics column; None for any other."""
    match = _RADIOMICS.fullmatch(name)
    if match is None or (match["sequence"] is None) != (match["group"] == "shape"):
        return None
    return RadiomicsName(match["sequence"], match["region"], match["group"])


def age_in_groups(age_years: float, who_state: str) -> dict[str, float]:
    """Age for models that weigh it otherwise in glioblastoma than in IDH-mutant glioma."""
    is_glioblastoma = who_state == "GBM"
    return {
        AGE_IN_GLIOBLASTOMA: age_years if is_glioblastoma else AGE_REFERENCE_YEARS,
        AGE_IN_MUTANT: AGE_REFERENCE_YEARS if is_glioblastoma else age_years,
    }


def is_clinical(name: str) -> bool:
    """Whether a covariate is known without images."""
    return name in (*CLINICAL, AGE_IN_GLIOBLASTOMA, AGE_IN_MUTANT)


def is_known(name: str) -> bool:
    """Whether the clinic can know a covariate."""
    return is_clinical(name) or name in MEASURES or radiomics_name(name) is not None
