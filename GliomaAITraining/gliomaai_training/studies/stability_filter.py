"""What it would change to keep only features that a change of the mask leaves as they are."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.splits import fold_column, linked_folds
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.diagnosis.states import MUTANT
from gliomaai_training.evaluation.auc import auc_interval
from gliomaai_training.radiomics.selection import selection_pipeline
from gliomaai_training.radiomics.stability import STABLE
from gliomaai_training.studies.binary_scores import difference_row
from gliomaai_training.studies.grading import FOLDS as GRADING_FOLDS
from gliomaai_training.studies.grading import PUBLISHED, cross_fitted
from gliomaai_training.studies.idh import FOLDS as IDH_FOLDS
from gliomaai_training.studies.stacked_classifier import (
    RIDGE,
    StackedClassifier,
    held_out_probability,
)
from gliomaai_training.studies.study import StudySettings, StudyTable
from gliomaai_training.studies.tumour_tables import UCSF_PREFIX, ucsf_radiomics

Floats = NDArray[np.float64]
EVERYTHING = "all features"
JUDGED = ("AUC (DeLong)", "difference", "p (DeLong)")


def stable_columns(agreement: pd.DataFrame, columns: list[str]) -> dict[str, list[str]]:
    """The columns of UCSF-PDGM's table that remain, by filter.

    Args:
        agreement: of `stability.agreements`, which holds the whole tumour in T1Gd.
        columns: of the table, such as `original_glcm_Contrast`.
    """
    known = agreement[
        (agreement["region"] == "WT") & agreement["sequence"].isin(("form", "t1gd"))
    ].set_index("feature")
    known.index = pd.Index(
        [str(name)[str(name).index(UCSF_PREFIX) :] for name in known.index], name="feature"
    )
    own = known.reindex(columns)
    perturbed = (own["perturbed"] >= STABLE).to_numpy()
    predicted = (own["predicted"] >= STABLE).to_numpy()
    filters = {
        EVERYTHING: np.ones(len(columns), bool),
        "stable in perturbed masks": perturbed,
        "stable in predicted masks": predicted,
        "stable in both": perturbed & predicted,
    }
    return {
        name: [column for column, keep in zip(columns, kept, strict=True) if keep]
        for name, kept in filters.items()
    }


def filter_table(agreement: pd.DataFrame, settings: StudySettings) -> StudyTable:
    """IDH and grade in UCSF-PDGM with and without the filter."""
    cohort = read_ucsf_pdgm(settings.data)
    clinical = cohort.patients
    features = ucsf_radiomics(settings.data).reindex(clinical["patient"]).reset_index(drop=True)
    age = clinical["age_years"].to_numpy(np.float64)[:, None]
    mutant = (clinical["idh"] == MUTANT).to_numpy()
    high = (clinical["reported_grade"] == 4).to_numpy()
    folds = {
        "idh": fold_column(cohort, linked_folds([cohort], IDH_FOLDS, settings.seed, by="idh")),
        "grade": fold_column(
            cohort, linked_folds([cohort], GRADING_FOLDS, settings.seed, by="reported_grade")
        ),
    }
    rows = []
    base: dict[str, Floats] = {}
    for name, columns in stable_columns(agreement, list(features.columns)).items():
        row = {"features": name, "kept": f"{len(columns)} of {features.shape[1]}"}
        if not columns:
            rows.append({"task": "", **row, **dict.fromkeys(JUDGED, "nothing is left")})
            continue
        kept = features[columns]
        told = np.hstack([age, kept.to_numpy(np.float64)])
        scores = {
            "IDH: age and T1Gd, ridge": held_out_probability(
                StackedClassifier({"ridge": RIDGE}), told, mutant, folds["idh"]
            ),
            "grade 4: as published": cross_fitted(
                selection_pipeline(PUBLISHED), kept, high, folds["grade"]
            ).score,
        }
        for (task, score), truth in zip(scores.items(), (mutant, high), strict=True):
            found = difference_row(("", ""), (score, base.setdefault(task, score)), truth)
            change = ("", "") if name == EVERYTHING else (found["difference"], found["p (DeLong)"])
            cells = (str(auc_interval(score, truth)), *change)
            rows.append({"task": task, **row, **dict(zip(JUDGED, cells, strict=True))})
    return StudyTable(
        "filter",
        "What an ICC filter would change in UCSF-PDGM",
        pd.DataFrame(rows).sort_values("task", kind="stable", ascending=False),
        f"T1Gd in the whole tumour; kept are features with an ICC of at least {STABLE} in the "
        "patients above, who are not those of UCSF-PDGM, so that the filter has seen no test "
        "patient. UCSF-PDGM's masks were corrected by experts: what a filter is for, masks of a "
        "network, is not tested by this table. It shows the price.",
    )
