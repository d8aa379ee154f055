"""Survival before surgery: what the image adds to age and sex, cohort by cohort.

All figures inside a cohort are of patients left out of the fit; the table of cohorts left out is
of models that saw nobody of the cohort that is judged.
"""

from collections.abc import Mapping
from functools import partial

import pandas as pd

from gliomaai_training.cohorts import brats, tcga, ucsf_pdgm
from gliomaai_training.cohorts.flow import flow_table
from gliomaai_training.progress import Progress
from gliomaai_training.studies.evidence import step_evidence
from gliomaai_training.studies.figures import differences_plot
from gliomaai_training.studies.postoperative_models import observed
from gliomaai_training.studies.postoperative_tables import packed_table
from gliomaai_training.studies.predicted_state_tables import through_state
from gliomaai_training.studies.preoperative_models import (
    BRATS,
    FOLDS,
    REPEATS,
    Imaged,
    read_cohorts,
)
from gliomaai_training.studies.preoperative_tables import (
    LEFT_OUT,
    PARTS_MODEL,
    Scored,
    added_table,
    best_words,
    carried_over,
    clinic_models,
    cohort_table,
    idh_table,
    left_out_table,
    score,
)
from gliomaai_training.studies.scores import p_words
from gliomaai_training.studies.study import StudyFigure, StudyResult, StudySettings, StudyTable
from gliomaai_training.studies.tumour_tables import UCSF_TABLE
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.evidence import Evidence
from gliomaai_training.survival.hazard_tables import hazard_table
from gliomaai_training.survival.nomogram import Nomogram, make_nomogram
from gliomaai_training.survival.nomogram_figure import nomogram_figure
from gliomaai_training.survival.reference_groups import ReferenceGroups

TITLE = "Survival before surgery"
PURPOSE = (
    "What volumes, form, foci, side and site of the tumour add to age (and sex where it is known), "
    "cohort by cohort. UCSF-PDGM's table has the whole tumour only; BraTS 2020 has expert masks of "
    "its parts. Karnofsky performance status, the strongest pre-operative fact in the literature, "
    "is in none of the tables. Linear predictors are of patients left out of the fit "
    f"({FOLDS} folds, the mean of {REPEATS} deals). Then the WHO state is predicted, by models "
    "that saw nobody's own state, and survival is the mean over the states."
)
THINNED_MONTHS = 0.5


def study(settings: StudySettings, progress: Progress) -> StudyResult:
    """Runs the study.

    Raises:
        ValueError: a table or mask is missing or cannot be read.
    """

    def measuring(stage: str, done: float) -> None:
        progress(stage, 0.2 * done)

    cohorts = read_cohorts(settings, measuring)
    scored = []
    for number, one in enumerate(cohorts):
        progress(one.name, 0.2 + 0.1 * number)
        scored.append(score(one, settings))
    progress("cohorts left out", 0.4)
    tables = [_flow(scored), *(table for one in scored for table in _of_cohort(one))]
    tables.append(_given_idh(idh_table(cohorts[0], settings)))
    tables.append(_left_out(left_out_table(cohorts, settings)))

    def predicting(stage: str, done: float) -> None:
        progress(stage, 0.5 + 0.45 * done)

    by_state = through_state(cohorts, settings, predicting)
    tables += by_state.tables
    progress("models", 0.95)
    packed = clinic_models(cohorts)
    tables += _packed_tables(packed, by_state.models)
    nomogram = make_nomogram(packed["preoperative-imaging"])
    progress("done", 1.0)
    return StudyResult(
        TITLE,
        PURPOSE,
        tuple(tables),
        (ucsf_pdgm.TABLE, UCSF_TABLE, brats.MASKS_TABLE.parent, tcga.TABLE),
        {"left out": {name: [t.label for t in terms] for name, terms in LEFT_OUT.items()}},
        _figures(scored, by_state.added, nomogram),
        {
            **{
                name: model.thinned(THINNED_MONTHS)
                for name, model in (*packed.items(), *by_state.models.items())
            },
            **_observed(packed, cohorts[0]),
            **by_state.groups,
            "preoperative-state-evidence": by_state.evidence,
            **_evidence(scored),
            "preoperative-imaging-nomogram": nomogram,
        },
        (
            "Karnofsky performance status is in none of the tables.",
            "UCSF-PDGM: the whole tumour only; neither its parts, nor foci, side or site.",
            *dict.fromkeys(limit for one in cohorts for limit in one.cohort.limits),
        ),
    )


def _figures(
    scored: list[Scored], by_state: Mapping[str, pd.DataFrame], nomogram: Nomogram
) -> tuple[StudyFigure, ...]:
    added = {one.imaged.name: added_table(one) for one in scored}
    of_base = {
        name: table[table["compared with"] == table["compared with"].iloc[0]]
        for name, table in by_state.items()
    }
    return (
        StudyFigure(
            "added",
            "What imaging adds to the clinical model",
            partial(differences_plot, added),
            for_summary=True,
        ),
        StudyFigure(
            "state-added",
            "What the predicted WHO state adds to the clinical model",
            partial(differences_plot, of_base),
            for_summary=True,
        ),
        StudyFigure("nomogram", "Pre-operative nomogram", partial(nomogram_figure, nomogram)),
    )


def _evidence(scored: list[Scored]) -> Mapping[str, Evidence]:
    """What is said beside the curves of the models that are to be packed."""
    of_form = step_evidence(scored, "volume and form", "volume and form of the tumour")
    of_volume = step_evidence(scored, "volume of the tumour", "volume of the tumour")
    return {
        "preoperative-imaging-evidence": of_form,
        "preoperative-imaging-volume-evidence": of_volume,
    }


def _given_idh(table: pd.DataFrame) -> StudyTable:
    return StudyTable(
        "given-idh",
        "UCSF-PDGM, if IDH were known",
        table,
        "The first rows: what knowing IDH adds to age and sex, an upper bound for predicting "
        "it. The others: what volume and form add to that.",
    )


def _observed(packed: Mapping[str, CoxModel], ucsf: Imaged) -> Mapping[str, ReferenceGroups]:
    """Observed survival beside the models that UCSF-PDGM's patients can be asked of."""
    whole = {name: model for name, model in packed.items() if name != PARTS_MODEL}
    return observed(whole, ucsf.part)


def _flow(scored: list[Scored]) -> StudyTable:
    return StudyTable("flow", "Patients", flow_table([one.imaged.cohort for one in scored]))


def _of_cohort(scored: Scored) -> tuple[StudyTable, StudyTable]:
    name = scored.imaged.name
    stem = name.lower().replace(" ", "-")
    group = "high-grade" if name == BRATS else "glioblastoma"
    return (
        StudyTable(
            f"{stem}-models",
            f"{name}: every model",
            cohort_table(scored),
            f"Groups are {'grades' if name == BRATS else 'WHO states'}; {group} is the largest.",
        ),
        StudyTable(
            f"{stem}-added",
            f"{name}: what is added to {scored.clinical}",
            added_table(scored),
            f"Largest pooled gain: {best_words(scored)}. The best of several is chosen here after "
            "the fact, and p are not adjusted for their number.",
        ),
    )


def _left_out(table: pd.DataFrame) -> StudyTable:
    return StudyTable(
        "left-out",
        "Each cohort judged by models of the others",
        table,
        "Differences are to age alone, fitted on the same cohorts. Parts, foci and crossing are "
        f"known in BraTS alone, so that its two halves judge each other. {carried_over(table)}",
    )


def _packed_tables(
    packed: Mapping[str, CoxModel], by_state: Mapping[str, CoxModel]
) -> list[StudyTable]:
    ratios = hazard_table(packed[PARTS_MODEL])
    for name in ("hazard_ratio", "low", "high"):
        ratios[name] = [f"{value:.2f}" if value == value else "" for value in ratios[name]]
    ratios["p"] = [p_words(p) if p == p else "" for p in ratios["p"]]
    return [
        StudyTable(
            "packed-models",
            "Models to be packed",
            packed_table(
                {**{name: packed[name] for name in packed if name != PARTS_MODEL}, **by_state}
            ),
            "Fitted on both cohorts, each group of hospitals with its own baseline hazard, of "
            "which UCSF-PDGM's is kept; those with the WHO state on TCGA and UCSF-PDGM. Sex, "
            "unknown in part of BraTS, stands at its reference for all of that group and cancels. "
            "The WHO state comes as probabilities from the diagnosis of the clinic.",
        ),
        StudyTable(
            "hazard-ratios",
            "Parts, foci and crossing, with age and sex",
            ratios.drop(columns="patients"),
            "Logarithms of volumes: upper against lower quartile. This model is kept for study and "
            "not to be packed: only one collection has expert masks of the parts.",
        ),
    ]
