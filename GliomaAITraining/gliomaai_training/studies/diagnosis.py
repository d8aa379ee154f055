"""The WHO 2021 state without a network: the baseline that any network must beat."""

from collections.abc import Mapping
from functools import partial
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.brats import MASKS_TABLE, read_brats20
from gliomaai_training.cohorts.clinical import ClinicalCohort, possible_states
from gliomaai_training.cohorts.tcga import TABLE as TCGA_TABLE
from gliomaai_training.cohorts.tcga import read_tcga
from gliomaai_training.cohorts.ucsf_pdgm import TABLE as UCSF_CLINICAL
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.diagnosis.covariates import (
    AGE,
    AGE_AND_SEX,
    SEX,
)
from gliomaai_training.diagnosis.fit_joint_model import (
    ACCURACIES,
    JointFitConfig,
    ModelCard,
    fit_joint_model,
)
from gliomaai_training.diagnosis.joint_model import JointModel
from gliomaai_training.diagnosis.states import CODELETED, MUTANT, WHO_STATES
from gliomaai_training.progress import Progress
from gliomaai_training.studies.binary_scores import auc_bootstrap, calibration_figure
from gliomaai_training.studies.diagnosis_models import (
    ALL_PARTS,
    PENALTIES,
    WHOLE,
    WHOLE_NO_SEX,
    Tables,
    fitted,
    intensity_config,
    intensity_model,
    parts_model,
    radiomics_covariates,
    shipped_models,
    shipped_table,
)
from gliomaai_training.studies.diagnosis_scores import (
    HeldOut,
    asked,
    cross_fitted,
    cross_fitted_by,
    determinate_rows,
    independent_sigmoids,
    joint_row,
    state_rows_table,
    violations,
)
from gliomaai_training.studies.study import (
    Documented,
    StudyFigure,
    StudyResult,
    StudySettings,
    StudyTable,
)
from gliomaai_training.studies.tumour_tables import (
    UCSF_TABLE,
    brats20_measures,
    known_rows,
    ucsf_measures,
    ucsf_radiomics,
)

Floats = NDArray[np.float64]

FOLDS = 5
SHIPPED = "age, volumes of parts, axes, on top of UCSF-PDGM (as shipped)"
BY_AGE, BY_WHOLE, BY_RADIOMICS = (
    "age, sex",
    "age, sex, volume, axes",
    "age, T1Gd",
)


def study(settings: StudySettings, progress: Progress) -> StudyResult:
    """Runs the study."""
    tables = _tables(settings, progress)
    held = _held_out(tables, settings, progress)
    models = shipped_models(tables)
    progress("elsewhere", 0.9)
    return StudyResult(
        title="The WHO 2021 state without a network",
        purpose=(
            "One softmax over six states (multinomial logistic regression with a ridge penalty), "
            "trained by whatever is known of each patient: the likelihood of a partial label is "
            "the sum over the states that it leaves. Five-fold cross-validation; penalty, "
            "temperature and the thresholds of `indeterminate` come from five inner folds."
        ),
        tables=(
            StudyTable("patients", "Patients and what is known of them", tables.counts),
            _discrimination(held, settings),
            _states(held, settings),
            _determinate(held),
            _unclassified(tables, held, settings),
            _coherence(tables, held, settings),
            _elsewhere(tables, settings),
            shipped_table(models),
        ),
        inputs=(UCSF_CLINICAL, UCSF_TABLE, TCGA_TABLE, MASKS_TABLE.parent),
        config={"folds": FOLDS, "penalties": PENALTIES, "accuracies": dict(ACCURACIES)},
        figures=_figures(held),
        models={
            # A list is JSON as well, and one file keeps the order of preference.
            "diagnosis": cast(Documented, models),
            "ucsf-t1gd": intensity_model(tables),
        },
        limits=(
            "IDH-wildtype tumours of lower grade whose molecular markers are not in the tables are "
            "glioblastoma or not elsewhere classified: models learn from them as from any "
            "IDH-wildtype, and they are judged on IDH and 1p/19q only.",
            "The model with T1Gd features is for UCSF-PDGM alone and lies in a pack of its own.",
            "1p/19q co-deletion is rare outside TCGA: its numbers rest on a handful of patients.",
            "BraTS calls tumours high-grade without IDH: they can be glioblastoma or astrocytoma "
            "of grade 4, and count as both.",
            "TCGA chose patients by diagnosis: its intercepts are dropped, its slopes kept.",
        ),
    )


def _tables(settings: StudySettings, progress: Progress) -> Tables:
    data = settings.data
    cohorts = (read_ucsf_pdgm(data), read_tcga(data), read_brats20(data))
    features = ucsf_radiomics(data)
    measured = ucsf_measures(data).join(features)
    found = {}
    for cohort in cohorts:
        needed = ["possible_states", AGE.name] + ([] if cohort is cohorts[2] else [SEX])
        table = known_rows(cohort.patients, needed)
        informative = [
            0 < len(set(states) & set(WHO_STATES)) < len(WHO_STATES)
            for states in possible_states(table)
        ]
        found[cohort.name] = table[informative]
    masks = brats20_measures(data, settings.cache, lambda stage, done: progress(stage, 0.1 * done))
    ucsf, tcga, brats = found.values()
    return Tables(
        ucsf.join(measured, on="patient").reset_index(drop=True),
        tcga.reset_index(drop=True),
        brats.join(masks, on="patient").reset_index(drop=True),
        radiomics_covariates(features),
        pd.DataFrame([_counts(cohort, found[cohort.name]) for cohort in cohorts]),
    )


def _counts(cohort: ClinicalCohort, kept: pd.DataFrame) -> dict[str, str]:
    sure = kept["who_state"].value_counts()
    partial = kept.loc[kept["who_state"].isna(), "possible_states"].value_counts()
    return {
        "cohort": cohort.name,
        "listed": str(len(cohort)),
        "used": str(len(kept)),
        "state known": ", ".join(f"{state} {n}" for state, n in sure.items()),
        "one of several": ", ".join(f"{states} {n}" for states, n in partial.items()),
    }


def _held_out(
    tables: Tables, settings: StudySettings, progress: Progress
) -> dict[tuple[str, str], HeldOut]:
    """By cohort and model."""
    asked_of = {
        ("UCSF-PDGM", BY_AGE): (tables.ucsf, JointFitConfig(AGE_AND_SEX, PENALTIES)),
        ("UCSF-PDGM", BY_WHOLE): (tables.ucsf, JointFitConfig(WHOLE, PENALTIES)),
        ("UCSF-PDGM", BY_RADIOMICS): (tables.ucsf, intensity_config(tables)),
        ("BraTS20", "age"): (tables.brats, JointFitConfig((AGE.name,), PENALTIES)),
        ("BraTS20", "age, volume, axes"): (tables.brats, JointFitConfig(WHOLE_NO_SEX, PENALTIES)),
        ("BraTS20", "age, volumes of parts, axes"): (
            tables.brats,
            JointFitConfig(ALL_PARTS, PENALTIES),
        ),
        ("TCGA", BY_AGE): (tables.tcga, JointFitConfig(AGE_AND_SEX, PENALTIES)),
    }
    found = {}
    for number, ((cohort, name), (table, config)) in enumerate(asked_of.items(), start=1):
        found[cohort, name] = cross_fitted(table, config, FOLDS, settings.seed)
        progress(f"{cohort}: {name}", 0.1 + 0.6 * number / len(asked_of))
    known = known_rows(tables.brats, ALL_PARTS)
    found["BraTS20", SHIPPED] = cross_fitted_by(
        lambda train: parts_model(tables.ucsf, train), known, FOLDS, settings.seed
    )
    return found


def _discrimination(held: Mapping[tuple[str, str], HeldOut], settings: StudySettings) -> StudyTable:
    rows = [
        {"cohort": cohort, **joint_row(name, one, settings)} for (cohort, name), one in held.items()
    ]
    return StudyTable(
        "discrimination",
        "Patients that the model has not seen",
        pd.DataFrame(rows),
        "After each AUC its bootstrap interval, and how many of those of whom it is known are "
        "mutant, co-deleted, or of grade 4. Log loss is of what is known of each patient. In "
        "BraTS 2020 IDH is known of TCGA's patients only, half of them mutants, while most "
        "others are high-grade: `right state` and ECE there are of that selection, not of a "
        "clinic. Age and sex carry most of IDH; volume and axes add next to nothing to it, "
        "enhancement (the parts) and T1Gd intensities add much.",
    )


def _states(held: Mapping[tuple[str, str], HeldOut], settings: StudySettings) -> StudyTable:
    rows = [
        {"cohort": cohort, "model": name, **row}
        for cohort, name in (("UCSF-PDGM", BY_WHOLE), ("UCSF-PDGM", BY_RADIOMICS), ("TCGA", BY_AGE))
        for row in state_rows_table(held[cohort, name], settings)
    ]
    return StudyTable("states", "Each state against all others", pd.DataFrame(rows))


def _determinate(held: Mapping[tuple[str, str], HeldOut]) -> StudyTable:
    rows = [
        {"cohort": cohort, **row}
        for (cohort, name), one in held.items()
        for row in determinate_rows(name, one, ACCURACIES)
    ]
    return StudyTable(
        "determinate",
        "What is answered, and what stays indeterminate",
        pd.DataFrame(rows),
        "An answer is given only above its own threshold, from inner folds; answers that never "
        "reach the stated accuracy there are never given. Where a cohort is mostly of one kind, "
        "the frequent answer is given often and the rare one hardly ever: that is all that so "
        "little knowledge can say. So `intact` is answered for nearly everyone where 97 % are "
        "intact, and tells no more than that; co-deletion is never called.",
    )


def _unclassified(
    tables: Tables, held: Mapping[tuple[str, str], HeldOut], settings: StudySettings
) -> StudyTable:
    """What becomes of tumours that may be none of the six states."""
    table, rows = tables.ucsf, []
    unclassified = table["who_state"].isna().to_numpy()
    grade_4 = (table["reported_grade"] == 4).to_numpy()
    for name, config in (
        (BY_AGE, JointFitConfig(AGE_AND_SEX, PENALTIES)),
        (BY_WHOLE, JointFitConfig(WHOLE, PENALTIES)),
        (BY_RADIOMICS, intensity_config(tables)),
    ):
        without = cross_fitted_by(
            partial(_fit_without_unclassified, config), table, FOLDS, settings.seed
        )
        for taken, one in (("left out", without), ("IDH wild-type", held["UCSF-PDGM", name])):
            mutant, truth = one.marginal("idh", MUTANT), one.truth("idh", MUTANT)[1]
            rest, grade = ~unclassified, one.marginal("grade", "4")
            rows.append(
                {
                    "model": name,
                    "in training they are": taken,
                    "AUC of IDH, everyone": _auc_cell(mutant, truth, settings),
                    "without them": _auc_cell(mutant[rest], truth[rest], settings),
                    "called mutant": f"{int((mutant[unclassified] > 0.5).sum())} of "
                    f"{int(unclassified.sum())}",
                    "their mean P(mutant)": f"{mutant[unclassified].mean():.2f}",
                    "AUC of grade 4 by the microscope": _auc_cell(grade, grade_4, settings),
                }
            )
    return StudyTable(
        "unclassified",
        "IDH-wildtype tumours of lower grade in UCSF-PDGM",
        pd.DataFrame(rows),
        "WHO 2021 calls them glioblastoma if a molecular marker is there and else not elsewhere "
        "classified; the table does not tell. IDH-wildtype they are for certain, and in a clinic "
        "nobody knows beforehand whose tumour will be hard to name: an AUC of IDH without them is "
        "too good. As the only IDH-wildtype state, glioblastoma stands for them, so that the "
        "microscope's grade 2 or 3 counts against the models in the last column.",
    )


def _fit_without_unclassified(config: JointFitConfig, train: pd.DataFrame) -> JointModel:
    return fit_joint_model(train[train["who_state"].notna()], config, ModelCard("fold", ""))


def _auc_cell(score: Floats, truth: NDArray[np.bool_], settings: StudySettings) -> str:
    return f"{auc_bootstrap(score, truth, settings)}, {int(truth.sum())}/{truth.size}"


def _coherence(
    tables: Tables, held: Mapping[tuple[str, str], HeldOut], settings: StudySettings
) -> StudyTable:
    rows = []
    for cohort, name, table in (
        ("UCSF-PDGM", BY_WHOLE, tables.ucsf),
        ("UCSF-PDGM", BY_RADIOMICS, tables.ucsf),
        ("TCGA", BY_AGE, tables.tcga),
    ):
        told = {BY_WHOLE: WHOLE, BY_AGE: AGE_AND_SEX}.get(name, (AGE.name, *tables.radiomics))
        config = JointFitConfig(told, (1e-1,), extra=tables.radiomics)
        terms = fit_joint_model(table, config, ModelCard("terms", "")).terms
        apart = independent_sigmoids(table, terms, FOLDS, settings.seed)
        one = held[cohort, name]
        joint = (
            one.marginal("idh", MUTANT),
            one.marginal("codeletion_1p19q", CODELETED),
            one.marginal("grade", "4"),
        )
        for kind, chances in (("joint", joint), ("three sigmoids", apart)):
            rows.append(
                {"cohort": cohort, "told": name, "model": kind, "n": str(len(table))}
                | violations(*chances)
            )
    return StudyTable(
        "coherence",
        "Patients who are told what WHO 2021 does not know",
        pd.DataFrame(rows),
        "Three sigmoids are separate logistic models of IDH, 1p/19q and grade 4 with the same "
        "columns. The joint model cannot contradict itself; that it does not is counted, not "
        "assumed. Calls are made at one half.",
    )


def _elsewhere(tables: Tables, settings: StudySettings) -> StudyTable:
    ways = (
        ("TCGA", (tables.ucsf,), tables.tcga, AGE_AND_SEX),
        ("UCSF-PDGM", (tables.tcga,), tables.ucsf, AGE_AND_SEX),
        ("BraTS20", (tables.ucsf,), tables.brats, (AGE.name,)),
        ("BraTS20", (tables.ucsf,), tables.brats, WHOLE_NO_SEX),
        ("UCSF-PDGM", (tables.brats,), tables.ucsf, (AGE.name,)),
        ("UCSF-PDGM", (tables.brats,), tables.ucsf, WHOLE_NO_SEX),
    )
    rows = []
    for cohort, train, test, covariates in ways:
        model = fitted(pd.concat(train), covariates, ModelCard("elsewhere", ""))
        told = asked(model, test)
        idh = next(
            row for row in determinate_rows("", told, ACCURACIES) if row["question"] == "idh"
        )
        rows.append(
            {"tested on": cohort, "fitted on": model.case_mix}
            | joint_row(", ".join(term.label for term in model.terms), told, settings)
            | {"IDH answered": idh["answered"], "of these right": idh["right"]}
        )
    return StudyTable(
        "elsewhere",
        "One cohort left out",
        pd.DataFrame(rows),
        "Intercepts are those of the fitting cohort: the other mix of diagnoses shows in log loss, "
        "calibration and in the accuracy of what is answered, not in the AUC.",
    )


def _figures(held: Mapping[tuple[str, str], HeldOut]) -> tuple[StudyFigure, ...]:
    figures = []
    for cohort, name, shown in (("UCSF-PDGM", BY_WHOLE, True), ("TCGA", BY_AGE, False)):
        one = held[cohort, name]
        curves = {}
        for label, question, value in (
            ("IDH-mutant", "idh", MUTANT),
            ("1p/19q co-deleted", "codeletion_1p19q", CODELETED),
            ("grade 4", "grade", "4"),
        ):
            known, yes = one.truth(question, value)
            curves[label] = (one.marginal(question, value)[known], yes[known])
        stem = f"calibration-{cohort.lower()}"
        title = f"Calibration in {cohort}: {name}"
        figures.append(StudyFigure(stem, title, partial(calibration_figure, curves), shown))
    return tuple(figures)
