"""The two sides of the study of lower-grade glioma: without images, and with them."""

from collections.abc import Mapping
from dataclasses import dataclass

from gliomaai_training.progress import Progress
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.lgg_cohort import GRADE, SIGNATURE, SIGNATURE_COLUMN, Lgg
from gliomaai_training.studies.lgg_models import (
    INTEGRATED,
    MODERN,
    Apparent,
    Crossed,
    apparent,
    by_hospital,
    by_patient,
    cross,
    fixed,
    joint,
    known,
    nested_signatures,
    quick_cox,
    screen,
    screened,
)
from gliomaai_training.studies.postoperative_models import Part, fit
from gliomaai_training.studies.predictions import PredictedSurvival, SurvivalPredictions
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.term_plan import TermPlan

CLINICAL, INTEGRATED_NAME, BOTH = "clinical", "integrated", "clinical and signature"
WHO, WHO_BOTH = "age, WHO 2021", "age, WHO 2021, signature"
IDH_MODEL: tuple[TermPlan, ...] = (c.AGE, GRADE, c.IDH)


@dataclass(frozen=True, eq=False)
class Clinical:
    """The clinical side, in everyone."""

    terms: tuple[TermPlan, ...]
    """Screened in those without slices."""
    everyone: Mapping[str, SurvivalPredictions]
    stated: Mapping[str, SurvivalPredictions]
    """Of those whose WHO state is known."""
    stated_part: Part
    external: Mapping[str, SurvivalPredictions]
    model: CoxModel
    """Of everyone, with its terms screened in everyone."""


@dataclass(frozen=True, eq=False)
class Imaged:
    """The side with images."""

    crossed: Crossed
    modern: Crossed
    modern_part: Part
    apparent: Apparent
    integrated: CoxModel
    """Of everyone, the signature cross-fitted."""


def clinical_side(lgg: Lgg, settings: StudySettings) -> Clinical:
    """Everything without images.

    Raises:
        ValueError: as `screen`.
    """
    terms, seed = screen(lgg.rest), settings.seed
    stated = lgg.everyone.take(known(lgg.everyone, MODERN))
    of_idh = lgg.everyone.take(known(lgg.everyone, IDH_MODEL))
    everyone: dict[str, SurvivalPredictions] = {
        "age, by patient": by_patient(lgg.everyone, fixed((c.AGE,)), seed),
        "clinical, by patient": by_patient(lgg.everyone, screened, seed),
        "clinical, by hospital": by_hospital(lgg.everyone, screened),
    }
    states: dict[str, SurvivalPredictions] = {
        "clinical, by patient": by_patient(stated, screened, seed),
        f"{WHO}, by patient": by_patient(stated, fixed(MODERN), seed),
        "clinical, by hospital": by_hospital(stated, screened),
        f"{WHO}, by hospital": by_hospital(stated, fixed(MODERN)),
    }
    models = {
        "age, grade": quick_cox(lgg.everyone, (c.AGE, GRADE), "age, grade"),
        "age, grade, IDH": quick_cox(of_idh, IDH_MODEL, "age, grade, IDH"),
    }
    external: dict[str, SurvivalPredictions] = {
        name: PredictedSurvival.of(model, lgg.external.table) for name, model in models.items()
    }
    final = fit(lgg.everyone, screen(lgg.everyone), "lower-grade glioma, clinical", "TCGA-LGG")
    return Clinical(terms, everyone, states, stated, external, final.model)


def imaged_side(
    lgg: Lgg, terms: tuple[TermPlan, ...], settings: StudySettings, progress: Progress
) -> Imaged:
    """Everything with images.

    Raises:
        ValueError: too few deaths.
    """
    signatures = nested_signatures(lgg, settings.seed, progress)
    specifications = {
        CLINICAL: terms,
        INTEGRATED_NAME: INTEGRATED,
        BOTH: (*terms, SIGNATURE),
    }
    crossed = cross(lgg, signatures, specifications)
    modern = cross(lgg, signatures, {WHO: MODERN, WHO_BOTH: (*MODERN, SIGNATURE)})
    nothing_held_out = apparent(lgg, {CLINICAL: terms, INTEGRATED_NAME: INTEGRATED})
    table = lgg.imaged.table.assign(**{SIGNATURE_COLUMN: crossed.score})
    weighed = joint(
        lgg.rest, Part(table, lgg.imaged.followed), INTEGRATED, "lower-grade glioma, integrated"
    )
    return Imaged(
        crossed,
        modern,
        lgg.imaged.take(known(lgg.imaged, MODERN)),
        nothing_held_out,
        weighed,
    )
