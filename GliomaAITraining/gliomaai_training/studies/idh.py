"""IDH from age and T1Gd radiomics: cross-validated on UCSF-PDGM, then other institutions."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from gliomaai_training.cohorts.brats import MASKS_TABLE, VOLUMES_TABLE
from gliomaai_training.cohorts.lgg_slices import TABLE as SLICES_TABLE
from gliomaai_training.cohorts.tcga import TABLE as TCGA_TABLE
from gliomaai_training.cohorts.ucsf_pdgm import TABLE as UCSF_CLINICAL
from gliomaai_training.diagnosis.states import MUTANT
from gliomaai_training.evaluation.auc import auc
from gliomaai_training.progress import Progress
from gliomaai_training.studies.binary_scores import (
    binary_row,
    calibration_figure,
    difference_row,
    permuted_table,
    repeated_aucs,
    roc_figure,
    subgroup_rows,
)
from gliomaai_training.studies.idh_external import external_figures, external_tables
from gliomaai_training.studies.stacked_classifier import (
    RIDGE,
    StackedClassifier,
    held_out_probability,
    plain_logistic,
    ridge,
    unpenalised,
)
from gliomaai_training.studies.study import (
    StudyFigure,
    StudyResult,
    StudySettings,
    StudyTable,
)
from gliomaai_training.studies.tumour_tables import UCSF_SHAPE, UCSF_TABLE, ucsf_patients

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

FOLDS = 10
REPEATS = 3
PERMUTATIONS = 20

AGE, SHAPE, IMAGE, PLAIN, RIDGED, FULL = (
    "age alone",
    "age and shape",
    "T1Gd without age",
    "age and T1Gd, plain logistic",
    "age and T1Gd, ridge",
    "age and T1Gd, chosen inside the folds",
)


@dataclass(frozen=True, eq=False)
class Patients:
    """UCSF-PDGM with everything that is asked."""

    age: Floats
    features: pd.DataFrame
    mutant: Truth
    clinical: pd.DataFrame
    folds: tuple[NDArray[np.int_], ...]
    """(n,) for each repeat."""

    def columns(self, model: str) -> Floats:
        """(n, p) what a model is told."""
        age = self.age[:, None]
        if model == AGE:
            return age
        if model == SHAPE:
            return np.hstack([age, self.features.filter(like=UCSF_SHAPE).to_numpy()])
        image = self.features.to_numpy()
        return image if model == IMAGE else np.hstack([age, image])


MODELS: Mapping[str, tuple[Pipeline | StackedClassifier, int]] = {
    AGE: (unpenalised(), REPEATS),
    SHAPE: (StackedClassifier({"ridge": RIDGE}), 1),
    IMAGE: (StackedClassifier({"ridge": RIDGE}), 1),
    PLAIN: (plain_logistic(), REPEATS),
    RIDGED: (StackedClassifier({"ridge": RIDGE}), 1),
    FULL: (StackedClassifier(), REPEATS),
}
"""By name: the classifier, and how often its cross-validation is repeated with other folds."""


def study(settings: StudySettings, progress: Progress) -> StudyResult:
    """Runs the study."""
    patients = _patients(settings)
    scores = _cross_validated(patients, progress)
    first = {name: found[0] for name, found in scores.items()}
    drawn = {name: (first[name], patients.mutant) for name in (AGE, SHAPE, PLAIN, FULL)}
    calibrated = {name: (first[name], patients.mutant) for name in (PLAIN, FULL)}
    return StudyResult(
        title="IDH mutation from age and T1Gd radiomics",
        purpose=(
            "How well can an IDH mutation be told from age and from PyRadiomics' features of T1Gd "
            "in the whole tumour? Ten-fold cross-validation on UCSF-PDGM; scaling, the choice "
            "between penalties and between ridge, LASSO and an SVM, and calibration are done in "
            "five inner folds of the nine. Then age and what is measured alike elsewhere (volume, "
            "axes) are tested on patients of other institutions."
        ),
        tables=(
            _discrimination(patients, first, scores, settings),
            _differences(patients, first),
            _subgroups(patients, first),
            _permuted(patients, settings),
            *external_tables(settings, progress),
        ),
        inputs=(UCSF_CLINICAL, UCSF_TABLE, TCGA_TABLE, MASKS_TABLE, SLICES_TABLE, VOLUMES_TABLE),
        config={"folds": FOLDS, "repeats": REPEATS, "permutations": PERMUTATIONS},
        figures=(
            StudyFigure("roc", "ROC of held-out patients", partial(roc_figure, drawn), True),
            StudyFigure(
                "calibration",
                "Calibration of held-out patients",
                partial(calibration_figure, calibrated),
                True,
            ),
            *external_figures(settings),
        ),
        limits=(
            "One hospital, one scanner: T1Gd intensities are in its arbitrary units, so that no "
            "model with intensities can be used elsewhere. One such model ships in a pack for that "
            "hospital alone; the study `diagnosis` judges it.",
            "Tumour masks were corrected by experts; predicted masks may do worse.",
            "No repeat of the folds is a confidence interval; the intervals are of patients.",
        ),
    )


def _patients(settings: StudySettings) -> Patients:
    ucsf = ucsf_patients(settings.data)
    return Patients(
        ucsf.age,
        ucsf.features,
        (ucsf.clinical["idh"] == MUTANT).to_numpy(),
        ucsf.clinical,
        tuple(ucsf.folds(FOLDS, settings.seed + repeat, "idh") for repeat in range(REPEATS)),
    )


def _cross_validated(patients: Patients, progress: Progress) -> dict[str, list[Floats]]:
    """Held-out probabilities by model and repeat."""
    found: dict[str, list[Floats]] = {}
    total, done = sum(repeats for _, repeats in MODELS.values()), 0
    for name, (model, repeats) in MODELS.items():
        found[name] = []
        for fold in patients.folds[:repeats]:
            columns = patients.columns(name)
            found[name].append(held_out_probability(model, columns, patients.mutant, fold))
            done += 1
            progress(name, 0.8 * done / total)
    return found


def _discrimination(
    patients: Patients,
    first: Mapping[str, Floats],
    scores: Mapping[str, list[Floats]],
    settings: StudySettings,
) -> StudyTable:
    rows = []
    for name, probability in first.items():
        row = binary_row(name, probability, patients.mutant, settings)
        rows.append(row | {"AUC, other folds": repeated_aucs(scores[name][1:], patients.mutant)})
    best, age = auc(first[FULL], patients.mutant), auc(first[AGE], patients.mutant)
    return StudyTable(
        "discrimination",
        "UCSF-PDGM, patients that the model has not seen",
        pd.DataFrame(rows),
        f"Age alone reaches {age:.3f}, T1Gd features beside it {best:.3f}. The number of the "
        "first deal into folds counts; the other deals show how much it owes to chance.",
    )


def _differences(patients: Patients, first: Mapping[str, Floats]) -> StudyTable:
    pairs = [(FULL, AGE), (FULL, SHAPE), (FULL, PLAIN), (FULL, RIDGED), (SHAPE, AGE)]
    rows = [
        difference_row((ours, theirs), (first[ours], first[theirs]), patients.mutant)
        for ours, theirs in pairs
    ]
    return StudyTable(
        "differences",
        "Differences in the same patients",
        pd.DataFrame(rows),
        "DeLong's test takes the scores as given; p values are not adjusted.",
    )


def _subgroups(patients: Patients, first: Mapping[str, Floats]) -> StudyTable:
    age, clinical = patients.age, patients.clinical
    groups = {
        "younger than 45 years": age < 45,
        "45 to 59 years": (age >= 45) & (age < 60),
        "60 years or older": age >= 60,
        "women": (clinical["sex"] == "F").to_numpy(),
        "men": (clinical["sex"] == "M").to_numpy(),
        "grade 2 or 3": (clinical["reported_grade"] < 4).to_numpy(),
        "grade 4": (clinical["reported_grade"] == 4).to_numpy(),
    }
    scores = {name: first[name] for name in (AGE, FULL)}
    no_gain = [
        name
        for name, rows in groups.items()
        if auc(scores[FULL][rows], patients.mutant[rows])
        <= auc(scores[AGE][rows], patients.mutant[rows])
    ]
    return StudyTable(
        "subgroups",
        "Within parts of UCSF-PDGM (AUC, DeLong)",
        pd.DataFrame(subgroup_rows(groups, scores, patients.mutant)),
        "Within a band of age, age says less, and what the image adds is seen. Grade is known "
        "only after surgery; the rows by grade say where the model works, not how to use it. The "
        f"image adds nothing to age in: {', '.join(no_gain) or 'none of these groups'}.",
    )


def _permuted(patients: Patients, settings: StudySettings) -> StudyTable:
    generator = np.random.default_rng(settings.seed)
    columns, fold = patients.columns(FULL), patients.folds[0]
    found = []
    for _ in range(PERMUTATIONS):
        shuffled = generator.permutation(patients.mutant)
        found.append(auc(held_out_probability(ridge(0.1), columns, shuffled, fold), shuffled))
    return permuted_table("age and T1Gd, ridge of one fixed penalty", found, PERMUTATIONS, "truth")
