"""Survival after surgery: fitted on TCGA, tested on UCSF-PDGM.

The specification is chosen inside TCGA; UCSF-PDGM's outcomes are first used when everything is
fixed. What uses them later is cross-validated inside UCSF-PDGM and is a row of its own.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np

from gliomaai_training.cohorts import tcga, ucsf_pdgm
from gliomaai_training.cohorts.flow import flow_table
from gliomaai_training.progress import Progress
from gliomaai_training.studies.postoperative_figures import Drawn, figures
from gliomaai_training.studies.postoperative_models import (
    PLAIN,
    SHAPES_OF_AGE,
    Choice,
    Cohorts,
    choose_specification,
    clinic_models,
    cross_fitted,
    fit,
    jointly,
    nested,
    observed,
    read_cohorts,
    repaired,
    with_published_resection,
)
from gliomaai_training.studies.postoperative_tables import (
    calibration_reading,
    choice_tables,
    ladder_reading,
    mgmt_table,
    model_tables,
    packed_table,
)
from gliomaai_training.studies.predictions import PredictedSurvival
from gliomaai_training.studies.published import BROWN_2016, RESECTION_MIX
from gliomaai_training.studies.scores import (
    Judged,
    calibration_table,
    difference_table,
    discrimination_table,
)
from gliomaai_training.studies.study import StudyResult, StudySettings, StudyTable
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.fit_cox import CoxFit
from gliomaai_training.survival.nomogram import Nomogram, make_nomogram
from gliomaai_training.survival.recalibration import Extent

TITLE = "Survival after surgery"
PURPOSE = (
    "A Cox model of what is known after surgery, fitted on TCGA alone and tested on UCSF-PDGM, "
    "another institution with other patients in another decade. TCGA does not tell the extent of "
    "resection: it comes into the model from the literature and, as rows of their own, from "
    "UCSF-PDGM by cross-validation. Performance status is in neither table."
)

CLASS_ONLY = "TCGA: WHO state alone"
PLAIN_ROW = "TCGA: age, sex, WHO state"
CHOSEN = "TCGA: as chosen"
FINAL = "TCGA and published resection"
JOINT = "TCGA and UCSF, cross-validated"
NESTED = "UCSF alone, nested cross-validation"
REPAIRS: tuple[Extent, ...] = ("level", "slope", "baseline")
THINNED_MONTHS = 0.5
"""Steps of the baseline hazards of the models to be packed."""


@dataclass(frozen=True, eq=False)
class Fits:
    """Everything that was fitted."""

    chosen: CoxFit
    final: CoxModel
    predicted: dict[str, PredictedSurvival]
    calibrated: dict[str, PredictedSurvival]


def study(settings: StudySettings, progress: Progress) -> StudyResult:
    """Runs the study.

    Raises:
        ValueError: a table is missing or cannot be read.
    """
    progress("cohorts", 0.0)
    cohorts = read_cohorts(settings.data)
    progress("choice inside TCGA", 0.05)
    choice = choose_specification(cohorts, settings.seed)
    progress("fits", 0.5)
    fits = _fits(cohorts, choice, settings)
    judged = Judged(
        cohorts.test.followed,
        cohorts.test.table["who_state"].to_numpy(object),
        settings.seed,
        settings.bootstrap,
    )
    progress("scores", 0.7)
    tables = _tables(cohorts, choice, fits, judged)
    progress("models", 0.9)
    packed = clinic_models(cohorts, choice.chosen_patients.candidate.terms)
    tables.append(_packed(packed))
    nomogram = make_nomogram(packed["postoperative"])
    progress("done", 1.0)
    return StudyResult(
        TITLE,
        PURPOSE,
        tuple(tables),
        (tcga.TABLE, ucsf_pdgm.TABLE),
        _config(choice),
        figures(_drawn(cohorts, fits, judged, nomogram)),
        {
            "tested-tcga": fits.chosen.model,
            "tested-tcga-published-resection": fits.final,
            **{name: model.thinned(THINNED_MONTHS) for name, model in packed.items()},
            **observed(packed, cohorts.test),
            "postoperative-nomogram": nomogram,
        },
        (*cohorts.tcga.limits, *cohorts.ucsf.limits),
    )


def _drawn(cohorts: Cohorts, fits: Fits, judged: Judged, nomogram: Nomogram) -> Drawn:
    training = PredictedSurvival.of(fits.chosen.model, cohorts.training.table)
    cuts = np.quantile(training.risk(), [1 / 3, 2 / 3])
    repaired_model = fits.calibrated[_repair_name("baseline")]
    return Drawn(
        judged,
        fits.predicted[CHOSEN],
        (float(cuts[0]), float(cuts[1])),
        {"as fitted": fits.calibrated[FINAL], "repaired": repaired_model},
        {
            "WHO state alone": fits.predicted[CLASS_ONLY],
            "age, sex, WHO state": fits.predicted[CHOSEN],
            "with resection, repaired": repaired_model,
        },
        nomogram,
    )


def _fits(cohorts: Cohorts, choice: Choice, settings: StudySettings) -> Fits:
    stated, test, seed = cohorts.stated, cohorts.test, settings.seed
    alone = fit(stated, SHAPES_OF_AGE[0].terms, "WHO state alone", "TCGA").model
    plain = fit(stated, PLAIN.terms, "age, sex, WHO state", "TCGA").model
    terms = choice.chosen_patients.candidate.terms
    with_assumed = choice.chosen_patients is choice.patients[1]
    part = cohorts.training if with_assumed else stated
    chosen = fit(part, terms, "post-operative, as tested", "TCGA")
    final = with_published_resection(chosen.model)
    predicted = {
        name: PredictedSurvival.of(model, test.table)
        for name, model in (
            (CLASS_ONLY, alone),
            (PLAIN_ROW, plain),
            (CHOSEN, chosen.model),
            (FINAL, final),
        )
    }
    predicted[JOINT] = cross_fitted(test, seed, jointly(cohorts.training, terms))
    predicted[NESTED] = cross_fitted(test, seed, nested(seed))
    calibrated = {name: predicted[name] for name in (CHOSEN, FINAL)}
    for extent in REPAIRS:
        calibrated[_repair_name(extent)] = cross_fitted(test, seed, repaired(final, extent))
    calibrated[JOINT] = predicted[JOINT]
    return Fits(chosen, final, predicted, calibrated)


def _tables(cohorts: Cohorts, choice: Choice, fits: Fits, judged: Judged) -> list[StudyTable]:
    terms = choice.chosen_patients.candidate.terms
    ladder = discrimination_table(fits.predicted, judged)
    risks = {name: one.risk() for name, one in fits.predicted.items()}
    steps = (
        (PLAIN_ROW, CLASS_ONLY),
        (CHOSEN, PLAIN_ROW),
        (FINAL, CHOSEN),
        (FINAL, PLAIN_ROW),
        (JOINT, FINAL),
        (NESTED, PLAIN_ROW),
    )
    changes = difference_table([(a, risks[a], b, risks[b]) for a, b in steps], judged)
    calibrated = calibration_table(fits.calibrated, judged)
    part = cohorts.training if choice.chosen_patients is choice.patients[1] else cohorts.stated
    return [
        StudyTable("flow", "Patients", flow_table([cohorts.tcga, cohorts.ucsf])),
        StudyTable(
            "discrimination",
            "Tested on UCSF-PDGM",
            ladder,
            ladder_reading(ladder, CHOSEN, FINAL, JOINT),
        ),
        StudyTable(
            "differences",
            "What each step adds",
            changes,
            "Paired bootstrap by patient, and Kang's compareC; p not adjusted for their number.",
        ),
        StudyTable(
            "calibration",
            "Calibration in UCSF-PDGM",
            calibrated,
            calibration_reading(calibrated, FINAL, _repair_name("baseline")),
        ),
        mgmt_table(cohorts, PLAIN.terms, judged),
        *choice_tables(choice),
        *model_tables(fits.chosen, part, terms),
    ]


def _packed(models: Mapping[str, CoxModel]) -> StudyTable:
    return StudyTable(
        "packed-models",
        "Models to be packed",
        packed_table(models),
        "Fitted on both cohorts after the test, each cohort with its own baseline hazard, of which "
        "UCSF-PDGM's, the later one, is kept. Their honest figures are those of the row "
        f"“{JOINT}”, made without the patients judged.",
    )


def _config(choice: Choice) -> dict[str, object]:
    return {
        "chosen": choice.chosen_patients.candidate.name,
        "terms": [asdict(term) for term in choice.chosen_patients.candidate.terms],
        "candidates": [one.name for one in SHAPES_OF_AGE],
        "published": asdict(BROWN_2016),
        "assumed mix of resection in TCGA": dict(RESECTION_MIX),
        "thinned to months": THINNED_MONTHS,
    }


def _repair_name(extent: str) -> str:
    return f"repaired ({extent}), cross-validated"
