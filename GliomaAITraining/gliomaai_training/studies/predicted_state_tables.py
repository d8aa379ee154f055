"""Survival through the predicted WHO state: the tables, and what the clinic takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import bootstrap_interval
from gliomaai_training.progress import Progress
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.evidence import gain
from gliomaai_training.studies.postoperative_models import Cohorts, Part, observed
from gliomaai_training.studies.postoperative_models import read_cohorts as read_postoperative
from gliomaai_training.studies.predicted_state import (
    Crossed,
    informative,
    stratified_model,
    with_chances,
)
from gliomaai_training.studies.predicted_state_cohorts import (
    BY_PARTS,
    BY_WHOLE,
    TERMS,
    TERMS_NO_SEX,
    Predicted,
    brats_predicted,
    clinic_part,
    clinic_state_models,
    through,
    ucsf_predicted,
    ways,
)
from gliomaai_training.studies.predictions import PredictedSurvival
from gliomaai_training.studies.preoperative_models import BRATS, FOLDS, UCSF, Imaged
from gliomaai_training.studies.scores import (
    FIRST_BRIER_MONTH,
    Judged,
    calibration_table,
    difference_cells,
    difference_table,
    discrimination_table,
    percent,
    risk_cells,
    signed,
)
from gliomaai_training.studies.study import StudySettings, StudyTable
from gliomaai_training.survival.brier import integrated_brier_by_patient
from gliomaai_training.survival.censoring import censoring_of
from gliomaai_training.survival.comparison import concordance_difference
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.cox_prediction import survival_curve
from gliomaai_training.survival.evidence import Evidence
from gliomaai_training.survival.reference_groups import ReferenceGroups
from gliomaai_training.survival.time_dependent_auc import HORIZONS_MONTHS

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ThroughState:
    """What the predicted state is good for."""

    tables: tuple[StudyTable, ...]
    added: Mapping[str, pd.DataFrame]
    """By cohort, differences of C."""
    models: Mapping[str, CoxModel]
    """For the clinic, by stem of the file."""
    groups: Mapping[str, ReferenceGroups]
    """Observed survival beside them."""
    evidence: Evidence
    """What images were measured to add by way of the state."""


def through_state(
    imaged: tuple[Imaged, Imaged], settings: StudySettings, progress: Progress
) -> ThroughState:
    """Judges survival through the predicted state in both cohorts, and fits the clinic's models.

    Raises:
        ValueError: a table is missing or cannot be read.
    """
    ucsf, brats = imaged
    cohorts = read_postoperative(settings.data)
    of_ucsf = ucsf_predicted(ucsf, cohorts, settings)
    progress("state predicted in BraTS 2020", 0.5)
    of_brats = brats_predicted(ucsf, brats, cohorts, settings)
    progress("state predicted elsewhere", 0.9)
    tables = {
        name: predicted_tables(name, one) for name, one in ((UCSF, of_ucsf), (BRATS, of_brats))
    }
    elsewhere = elsewhere_table(cohorts, imaged, settings)
    models = clinic_state_models(ucsf, cohorts)
    return ThroughState(
        (
            *tables[UCSF],
            state_calibration(of_ucsf),
            *tables[BRATS],
            elsewhere,
            state_intervals(of_ucsf),
        ),
        {name: several[1].frame for name, several in tables.items()},
        models,
        observed(models, clinic_part(ucsf, of_ucsf)),
        _evidence(of_ucsf, of_brats, elsewhere.frame),
    )


def _evidence(ucsf: Predicted, brats: Predicted, elsewhere: pd.DataFrame) -> Evidence:
    """Against the same way through the state, as it is predicted without images."""
    gains = []
    for name, found, source in ((UCSF, ucsf, BY_WHOLE), (BRATS, brats, BY_PARTS)):
        _, plain, *_ = found.survival
        ours, theirs = (found.survival[one].risk() for one in (through(source), plain))
        gains.append(gain(name, found.base, ours, theirs, found.judged))
    words = (
        "the WHO state as predicted from volume and axes, in BraTS 2020 also from the volumes of "
        "the tumour's parts"
    )
    method = f"patients left out of the fit ({FOLDS} folds)"
    if not any("(+" in cell for cell in _by_images(elsewhere)["difference of C"]):
        method += "; by models of other cohorts alone, no gain is shown"
    return Evidence(words, method, tuple(gains))


def _by_images(elsewhere: pd.DataFrame) -> pd.DataFrame:
    return elsewhere[elsewhere["model"].str.contains("axes")]


def predicted_tables(name: str, found: Predicted) -> list[StudyTable]:
    """What the predicted state adds in one cohort."""
    stem = name.lower().replace(" ", "-")
    risks = {model: one.risk() for model, one in found.survival.items()}
    base = found.base
    pairs = [(model, risk, base, risks[base]) for model, risk in risks.items() if model != base]
    first = next(model for model in risks if model != base)
    pairs += [
        (model, risk, first, risks[first])
        for model, risk in risks.items()
        if model.startswith("through") and model != first
    ]
    added = difference_table(pairs, found.judged)
    return [
        StudyTable(
            f"{stem}-state",
            f"{name}: through the predicted WHO state",
            _scores(name, found, risks),
            _SCORES_READING[name],
        ),
        StudyTable(
            f"{stem}-state-added",
            f"{name}: what the predicted state adds",
            added,
            f"Against “{base}”: what the way through the state adds. Against “{first}”: what the "
            f"image adds to the state by age. {_verdict(added, base)} p are not adjusted for their "
            "number.",
        ),
    ]


_SCORES_READING = {
    UCSF: "Survival is expected over the states, S(t) = sum of p_k S_k(t), with S_k by age, sex "
    "and state from TCGA and the other folds of UCSF-PDGM (each its own baseline hazard) and p_k "
    "by a state model of the other folds. Nobody's own state or outcome is used for them. The last "
    "row takes the probability of an IDH mutation as a covariate of a Cox model of the other "
    "folds, whose own probabilities come from inner folds.",
    "BraTS 2020": "As above; S_k by age and state from TCGA's patients who are not in BraTS and "
    "from UCSF-PDGM, so that no outcome of BraTS is used but in the first and last row. p_k by a "
    "state model of the other folds; with the parts it is the shipped one, fitted without the "
    "fold. Only the order of the patients is judged: BraTS has no absolute risk to give.",
}


def _scores(name: str, found: Predicted, risks: Mapping[str, Floats]) -> pd.DataFrame:
    if name == UCSF:
        table = discrimination_table(found.survival, found.judged)
        table[f"IBS less that of {found.base}"] = [
            _brier_change(one, found) if name != found.base else ""
            for name, one in found.survival.items()
        ]
        return table
    followed = found.judged.followed
    return pd.DataFrame(
        [
            {"model": model, "n": len(risk), "deaths": followed.events}
            | risk_cells(risk, found.judged)
            for model, risk in risks.items()
        ]
    )


def _brier_change(one: PredictedSurvival, found: Predicted) -> str:
    """The paired difference of integrated Brier scores; below zero is better."""
    followed = found.judged.followed
    censoring = censoring_of(followed)
    months = np.arange(FIRST_BRIER_MONTH, censoring.tau_months)
    ours, theirs = (
        integrated_brier_by_patient(each.survival(months), followed, months, censoring)
        for each in (one, found.survival[found.base])
    )
    generator = found.judged.generator()
    return signed(bootstrap_interval(ours - theirs, generator, found.judged.config))


def _verdict(added: pd.DataFrame, base: str) -> str:
    """Which differences to the base lie above zero, pooled and within the largest group."""
    words = []
    for group, part in added[added["compared with"] == base].groupby("patients", sort=False):
        above = [
            f"{row['model']} ({row['difference of C']})"
            for row in part.to_dict("records")
            if "(+" in str(row["difference of C"])
        ]
        words.append(f"{group}: {'; '.join(above) or 'no interval lies above zero'}.")
    return f"Above zero, {' '.join(words)}"


def state_calibration(found: Predicted) -> StudyTable:
    """Calibration of the curves in UCSF-PDGM."""
    shown = {name: one for name, one in found.survival.items() if "IDH" not in name}
    return StudyTable(
        "state-calibration",
        "UCSF-PDGM: calibration of the curves through the state",
        calibration_table(shown, found.judged),
        "Of patients left out, by models with a baseline hazard of the other folds.",
    )


def state_intervals(found: Predicted) -> StudyTable:
    """Whether the interval holds the curve that tissue tells afterwards."""
    table = next(iter(found.crossed.values())).part.table
    known = np.flatnonzero(table["who_state"].notna()).tolist()
    rows = []
    for told, one in found.crossed.items():
        predicted = found.survival[through(told)]
        bands = np.stack([_bands(predicted, one, row, table) for row in known])
        for index, months in enumerate(HORIZONS_MONTHS):
            low, high, low_sure, high_sure, truth = bands[:, :, index].T
            rows.append(
                {
                    "state by": told,
                    "months": f"{months:g}",
                    "n": str(len(known)),
                    "holds the curve told by tissue": percent(_held(low, high, truth)),
                    "median width": f"{100 * np.median(high - low):.0f} points",
                    "likeliest state taken for certain": percent(_held(low_sure, high_sure, truth)),
                    "its median width": f"{100 * np.median(high_sure - low_sure):.0f} points",
                }
            )
    return StudyTable(
        "state-intervals",
        "UCSF-PDGM: does the interval carry the uncertainty of the state",
        pd.DataFrame(rows),
        "95 % intervals of patients whose state became known: does the interval made before hold "
        "the curve by the same Cox model once tissue has told the state. It is made for 95 %. The "
        "last columns are what an interval would hold that takes the likeliest state for certain.",
    )


def _held(low: Floats, high: Floats, truth: Floats) -> float:
    return float(((low <= truth) & (truth <= high)).mean())


def _bands(predicted: PredictedSurvival, one: Crossed, row: int, table: pd.DataFrame) -> Floats:
    """(5, m): the interval's ends, those with the likeliest state, and the curve by tissue."""
    model = predicted.models[predicted.model_of[row]]
    patient = {name: [predicted.table[name].iloc[row]] for name in model.covariates}
    likeliest = c.STATE.levels[int(one.chances[row].argmax())]
    told, sure, tissue = (
        survival_curve(model, model.encode({**patient, "who_state": [state]}), HORIZONS_MONTHS)
        for state in (patient["who_state"][0], likeliest, table["who_state"].iloc[row])
    )
    return np.stack([told.low, told.high, sure.low, sure.high, tissue.survival])


def elsewhere_table(
    cohorts: Cohorts, imaged: Sequence[Imaged], settings: StudySettings
) -> StudyTable:
    """States and survival both by models of other cohorts."""
    rows = []
    for name, way in ways(cohorts, imaged).items():
        sexed = name == UCSF
        terms = TERMS if sexed else TERMS_NO_SEX
        alone = tuple(term for term in terms if term is not c.STATE)
        table = way.test.table
        base = PredictedSurvival.of(stratified_model(way.cox, alone, "base"), table).risk()
        model = stratified_model(way.cox, terms, "others")
        judged = Judged(
            way.test.followed, _group(way.test), settings.seed, settings.bootstrap, "grade 4"
        )
        words = "age, sex" if sexed else "age"
        rows.append(_row(name, f"{words}, without a state", "", base, base, judged))
        for told, (whom, source, tables) in way.states.items():
            chances = source(informative(pd.concat(tables))).probabilities(table)
            risk = PredictedSurvival.of(model, with_chances(table, chances)).risk()
            rows.append(_row(name, through(told), whom, risk, base, judged))
    return StudyTable(
        "state-elsewhere",
        "Through a state predicted by models of other cohorts",
        pd.DataFrame(rows),
        "Neither the state nor the survival model has seen the cohort that is judged. Cox models "
        "of TCGA for UCSF-PDGM; of UCSF-PDGM and TCGA's patients outside BraTS for BraTS. "
        "Differences are to a Cox model of age (and sex) of the same patients, without a state. "
        f"{_carried(rows)}",
    )


def _carried(rows: Sequence[Mapping[str, object]]) -> str:
    above = [
        f"{row['model']} in {row['left out']} ({row['difference of C']})"
        for row in _by_images(pd.DataFrame(rows)).to_dict("records")
        if "(+" in str(row["difference of C"])
    ]
    if above:
        return f"Above zero with images: {'; '.join(above)}."
    return (
        "With images no interval lies above zero: what they add within a cohort is not shown to "
        "carry over to another one."
    )


def _row(
    name: str, model: str, whom: str, risk: Floats, base: Floats, judged: Judged
) -> dict[str, object]:
    found = concordance_difference(
        risk, base, judged.followed, judged.generator(), config=judged.config
    )
    row: dict[str, object] = {"left out": name, "n": len(risk), "deaths": judged.followed.events}
    row |= {"model": model, "state model of": whom, "Harrell C": str(found.ours)}
    change = difference_cells(risk, base, judged)
    return row | (change if whom else dict.fromkeys(change, ""))


def _group(part: Part) -> NDArray[np.object_]:
    return np.where(part.table["reported_grade"] == 4, "grade 4", "lower grade").astype(object)
