"""IDH in patients of other institutions: from age, and from what is measured alike everywhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit

from gliomaai_training.cohorts.brats import read_brats20
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.lgg_slices import read_lgg_slices
from gliomaai_training.cohorts.linking import without_shared
from gliomaai_training.cohorts.tcga import read_tcga
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.diagnosis.covariates import NUMBERS, WHOLE_TUMOUR
from gliomaai_training.diagnosis.states import MUTANT
from gliomaai_training.evaluation.auc import auc
from gliomaai_training.evaluation.probability_scores import brier, calibration_in_the_large
from gliomaai_training.progress import Progress, silent
from gliomaai_training.studies.binary_scores import binary_row, calibration_figure, roc_figure
from gliomaai_training.studies.idh_volumes import volumes_table
from gliomaai_training.studies.stacked_classifier import (
    RIDGE,
    StackedClassifier,
    held_out_probability,
)
from gliomaai_training.studies.study import StudyFigure, StudySettings, StudyTable
from gliomaai_training.studies.tumour_tables import (
    brats20_measures,
    known_rows,
    ucsf_measures,
    with_measures,
)

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

AGE = ("age_years",)
COMPARABLE = ("age_years", *WHOLE_TUMOUR)
NAMES: Mapping[tuple[str, ...], str] = {AGE: "age", COMPARABLE: "age, volume and axes"}
FOLDS = 10
AGE_BANDS = (0.0, 35.0, 45.0, 55.0, 65.0, 200.0)


@dataclass(frozen=True, eq=False)
class Place:
    """Patients of one cohort whose IDH and age are known."""

    name: str
    table: pd.DataFrame

    @property
    def mutant(self) -> Truth:
        """(n,)"""
        return np.asarray(self.table["idh"] == MUTANT)

    def columns(self, names: Sequence[str]) -> Floats:
        """(n, p), volumes on a logarithmic scale."""
        found = [
            np.log1p(self.table[name]) if _is_volume(name) else self.table[name] for name in names
        ]
        return np.column_stack(found)


@dataclass(frozen=True, eq=False)
class Transported:
    """What a model of UCSF-PDGM says elsewhere."""

    place: Place
    columns: tuple[str, ...]
    probability: Floats
    prevalence_here: float

    def corrected(self) -> Floats:
        """With the odds of the other cohort's prevalence instead of UCSF's."""
        shift = logit(self.place.mutant.mean()) - logit(self.prevalence_here)
        return np.asarray(expit(logit(self.probability) + shift))


def external_tables(settings: StudySettings, progress: Progress = silent) -> tuple[StudyTable, ...]:
    """The models at other institutions, and why they do better or worse there."""
    home, others = _home(settings), _others(settings)
    found = _transported(home, others)
    progress("elsewhere", 0.9)
    tables = (
        _external(found, settings),
        _case_mix([home, *others]),
        _shape(home, others[0]),
        _explained(home, others[0], found),
        volumes_table(settings),
    )
    progress("elsewhere", 1.0)
    return tables


def external_figures(settings: StudySettings) -> tuple[StudyFigure, ...]:
    """ROC and calibration in BraTS 2020."""
    found = _transported(_home(settings), _others(settings)[:1])
    truth = found[0].place.mutant
    curves = {NAMES[one.columns]: (one.probability, truth) for one in found}
    bins = {"as fitted on UCSF-PDGM": (found[-1].probability, truth)}
    bins["with the prevalence of BraTS 2020"] = (found[-1].corrected(), truth)
    return (
        StudyFigure("external-roc", "ROC in BraTS 2020", partial(roc_figure, curves)),
        StudyFigure(
            "external-calibration",
            "Calibration in BraTS 2020: age, volume and axes",
            partial(calibration_figure, bins),
            True,
        ),
    )


def _home(settings: StudySettings) -> Place:
    table = with_measures(read_ucsf_pdgm(settings.data), ucsf_measures(settings.data))
    return Place("UCSF-PDGM", known_rows(table, ("idh", *COMPARABLE)))


def _others(settings: StudySettings) -> list[Place]:
    """BraTS 2020 first; the last two without measures."""
    data, home = settings.data, [read_ucsf_pdgm(settings.data)]
    brats = without_shared(read_brats20(data), home)
    measured = with_measures(brats, brats20_measures(data, settings.cache))
    tcga = read_tcga(data)
    low = tcga.keep((tcga.patients["histology"] != "glioblastoma").to_numpy(), "glioblastoma")
    return [
        Place("BraTS 2020 (of TCGA)", known_rows(measured, ("idh", *COMPARABLE))),
        _by_age("TCGA", tcga),
        _by_age("TCGA-LGG", low),
        _by_age("TCGA-LGG slices", read_lgg_slices(data)),
    ]


def _by_age(name: str, cohort: ClinicalCohort) -> Place:
    return Place(name, known_rows(cohort.patients, ("idh", *AGE)))


def _transported(home: Place, others: Sequence[Place]) -> list[Transported]:
    found = []
    for columns in (AGE, COMPARABLE):
        model = _classifier().fit(home.columns(columns), home.mutant)
        found += [
            Transported(
                place, columns, model.probability(place.columns(columns)), home.mutant.mean()
            )
            for place in others
            if set(columns) <= set(place.table.columns)
        ]
    return found


def _classifier() -> StackedClassifier:
    return StackedClassifier({"ridge": RIDGE})


def _external(found: Sequence[Transported], settings: StudySettings) -> StudyTable:
    rows = []
    for one in found:
        place, corrected = one.place, one.corrected()
        row = {"patients": place.name}
        row |= binary_row(NAMES[one.columns], one.probability, place.mutant, settings)
        row["own AUC"] = f"{_own_auc(place, one.columns, settings):.3f}"
        row["Brier, own prevalence"] = f"{brier(corrected, place.mutant):.3f}"
        row["O / E, own prevalence"] = f"{calibration_in_the_large(corrected, place.mutant):.2f}"
        rows.append(row)
    return StudyTable(
        "external",
        "Fitted on UCSF-PDGM, tested elsewhere",
        pd.DataFrame(rows),
        "No intensities: they have other units in every collection. `own AUC` is that of the same "
        "columns fitted and cross-validated in the cohort itself: what is lost against it is lost "
        "by the way from one institution to the other; what it is lower than in UCSF-PDGM is lost "
        "by the patients themselves. Probabilities are too low where mutations are more frequent "
        "than in UCSF-PDGM; `own prevalence` shifts the log odds by that one number. TCGA chose "
        "patients by diagnosis, so no prevalence there is that of a clinic. The patients of BraTS "
        "2020 whose IDH is known are patients of TCGA: the rows are not independent of each other.",
    )


def _own_auc(place: Place, columns: tuple[str, ...], settings: StudySettings) -> float:
    order = np.random.default_rng(settings.seed).permutation(len(place.table))
    by_class = order[np.argsort(place.mutant[order], kind="stable")]
    fold = np.empty(len(order), np.int_)
    fold[by_class] = np.arange(len(order)) % FOLDS
    own = held_out_probability(_classifier(), place.columns(columns), place.mutant, fold)
    return auc(own, place.mutant)


def _case_mix(places: Sequence[Place]) -> StudyTable:
    rows = []
    for place in places:
        age, mutant = place.table["age_years"].to_numpy(), place.mutant
        low = (place.table["reported_grade"] < 4).to_numpy()
        rows.append(
            {
                "patients": place.name,
                "n": str(len(mutant)),
                "mutant": f"{mutant.sum()} ({100 * mutant.mean():.0f} %)",
                "age, mutant": _quartiles(age[mutant]),
                "age, wild-type": _quartiles(age[~mutant]),
                "grade 2 or 3, of mutant": f"{100 * low[mutant].mean():.0f} %",
                "grade 2 or 3, of wild-type": f"{100 * low[~mutant].mean():.0f} %",
                "AUC of age": f"{auc(-age, mutant):.3f}",
            }
        )
    return StudyTable(
        "case-mix",
        "Who the patients are",
        pd.DataFrame(rows),
        "Age tells IDH only as far as the ages of the two groups differ, whatever the model. Ages "
        "are medians with quartiles.",
    )


def _shape(home: Place, other: Place) -> StudyTable:
    rows = []
    for name in WHOLE_TUMOUR:
        here, there = home.columns([name])[:, 0], other.columns([name])[:, 0]
        spread = np.sqrt((here.var() + there.var()) / 2)
        rows.append(
            {
                "measure": NUMBERS[name].label + (" (log)" if _is_volume(name) else ""),
                "shift between cohorts, SD": f"{(there.mean() - here.mean()) / spread:+.2f}",
                "AUC, UCSF-PDGM": f"{auc(here, home.mutant):.3f}",
                f"AUC, {other.name}": f"{auc(there, other.mutant):.3f}",
            }
        )
    return StudyTable(
        "shape",
        "What each measure says by itself",
        pd.DataFrame(rows),
        "Above one half, mutants have the larger value.",
    )


def _explained(home: Place, other: Place, found: Sequence[Transported]) -> StudyTable:
    """The AUC of UCSF-PDGM if its patients had the other cohort's ages within each IDH group."""
    rows = []
    weight = _age_weights(home, other)
    order = np.random.default_rng(1).permutation(len(home.table))
    fold = np.empty(len(order), np.int_)
    fold[order[np.argsort(home.mutant[order], kind="stable")]] = np.arange(len(order)) % FOLDS
    for columns in (AGE, COMPARABLE):
        own = held_out_probability(_classifier(), home.columns(columns), home.mutant, fold)
        there = next(o for o in found if o.place is other and o.columns == columns)
        rows.append(
            {
                "model": NAMES[columns],
                "UCSF-PDGM, held out": f"{auc(own, home.mutant):.3f}",
                "UCSF-PDGM with the other ages": f"{_weighted_auc(own, home.mutant, weight):.3f}",
                other.name: f"{auc(there.probability, other.mutant):.3f}",
            }
        )
    return StudyTable(
        "explained",
        "How much of the drop is age",
        pd.DataFrame(rows),
        "Patients of UCSF-PDGM are weighted so that, among mutants and among wild-types, each band "
        f"of age ({', '.join(f'{a:g}' for a in AGE_BANDS[1:-1])} years) is as frequent as in the "
        "other cohort. What remains between the last two columns is not age.",
    )


def _age_weights(home: Place, other: Place) -> Floats:
    weight = np.zeros(len(home.table))
    bands = [np.digitize(place.table["age_years"], AGE_BANDS) for place in (home, other)]
    for mutant in (True, False):
        for band in np.unique(bands[0]):
            here = (home.mutant == mutant) & (bands[0] == band)
            there = (other.mutant == mutant) & (bands[1] == band)
            if here.any():
                weight[here] = there.sum() / here.sum()
    return weight


def _weighted_auc(score: Floats, truth: Truth, weight: Floats) -> float:
    above = np.sign(score[truth][:, None] - score[~truth]) / 2 + 0.5
    pairs = weight[truth][:, None] * weight[~truth]
    return float((above * pairs).sum() / pairs.sum())


def _quartiles(values: Floats) -> str:
    low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
    return f"{middle:.0f} ({low:.0f} to {high:.0f})"


def _is_volume(name: str) -> bool:
    return name.endswith("_ml")
