"""Cohorts and models of the pre-operative study."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.brats import MASKS_TABLE, read_brats20
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.flow import with_known, with_survival
from gliomaai_training.cohorts.linking import identities
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.diagnosis.covariates import NUMBERS
from gliomaai_training.progress import Progress
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.mask_measures import measure_folder
from gliomaai_training.studies.postoperative_models import Part
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.studies.tumour_tables import ucsf_measures, ucsf_radiomics, with_measures
from gliomaai_training.survival.elastic_net import ElasticNetConfig
from gliomaai_training.survival.elastic_net_model import deal_folds, fit_elastic_net
from gliomaai_training.survival.newton_cox import newton_cox
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.term_plan import (
    CategoricalPlan,
    NumericPlan,
    TermPlan,
    complete_term,
)

FOLDS = 10
REPEATS = 5
UCSF, BRATS = "UCSF-PDGM", "BraTS 2020"
OF_TCGA, OTHERS = "BraTS 2020 of TCGA", "BraTS 2020 of others"
GLIOBLASTOMA_LIKE = "high-grade"

Floats = NDArray[np.float64]
RiskOf = Callable[[NDArray[np.bool_]], Floats]
"""From who is fitted on, (n,), to the risk of all."""


def _number(name: str) -> NumericPlan:
    """A measured covariate as the diagnosis describes it."""
    one = NUMBERS[name]
    scale = 10.0 if one.unit == "mm" else 0.1 if not one.unit else 1.0
    return NumericPlan(
        one.name, one.label, one.unit, one.allowed, scale=scale, transform=one.transform
    )


VOLUME = _number("wt_ml")
FORM = tuple(_number(name) for name in ("wt_major_axis_mm", "wt_elongation", "wt_flatness"))
PARTS = tuple(_number(name) for name in ("et_ml", "ncr_ml", "ed_ml"))
FOCI = NumericPlan("foci", "number of foci", "", (1.0, 50.0))
CROSSES = CategoricalPlan("crosses_midline", "crosses the midline", ("no", "yes"), "no")
SIDE = CategoricalPlan("side", "side", ("left", "right", "both"), "left")
SITE = (
    NumericPlan("off_midline_mm", "off the midline", "mm", (0.0, 120.0), scale=10.0),
    NumericPlan("behind_mm", "behind the middle", "mm", (-120.0, 120.0), scale=10.0),
    NumericPlan("above_mm", "above the middle", "mm", (-120.0, 120.0), scale=10.0),
)


@dataclass(frozen=True, eq=False)
class Imaged:
    """A cohort with what was measured of its tumours."""

    name: str
    cohort: ClinicalCohort
    part: Part
    clinical: tuple[TermPlan, ...]
    """What is known without images."""
    group: NDArray[np.object_]
    """(n,) WHO state, or grade where the state is not known."""
    inner: str
    """The largest group."""
    steps: Mapping[str, tuple[TermPlan, ...]]
    """What is added to the clinical terms, by name."""
    features: pd.DataFrame
    """Everything that was measured, as numbers, for the elastic net."""


def read_cohorts(settings: StudySettings, progress: Progress) -> tuple[Imaged, Imaged]:
    """UCSF-PDGM and BraTS 2020.

    Raises:
        ValueError: a table or mask is missing, or somebody is in both.
    """
    ucsf = with_known(with_survival(read_ucsf_pdgm(settings.data)), ["age_years", "sex"])
    brats = with_known(with_survival(read_brats20(settings.data)), ["age_years"])
    person_of = identities([ucsf, brats])
    if shared := {person_of[one] for one in ucsf.patients["patient"]} & {
        person_of[one] for one in brats.patients["patient"]
    }:
        raise ValueError(f"{len(shared)} people are in both cohorts")
    return _ucsf(ucsf, settings.data), _brats(brats, settings, progress)


def _ucsf(cohort: ClinicalCohort, data: Path) -> Imaged:
    table, followed = c.study_table(cohort)
    table = with_measures(_cohort_of(cohort, table), ucsf_measures(data))
    shape = ucsf_radiomics(data).filter(like="_shape_").reindex(table["patient"])
    state = cohort.patients["who_state"].fillna("IDH-wildtype, lower grade")
    steps: dict[str, tuple[TermPlan, ...]] = {
        "volume of the tumour": (VOLUME,),
        "volume and form": (VOLUME, *FORM),
    }
    return Imaged(
        UCSF,
        cohort,
        Part(table, followed),
        (c.AGE, c.SEX),
        state.to_numpy(object),
        "GBM",
        steps,
        _numbers(table, ["age_years"], shape.reset_index(drop=True)),
    )


def _brats(cohort: ClinicalCohort, settings: StudySettings, progress: Progress) -> Imaged:
    table, followed = c.study_table(cohort)
    cases = dict(zip(table["patient"], table["case"], strict=True))
    folder = settings.data / MASKS_TABLE.parent
    measured = measure_folder(folder, cases, settings.cache, progress).set_index("patient")
    table = with_measures(_cohort_of(cohort, table), measured)
    grade = np.where(table["reported_grade"] == 4, GLIOBLASTOMA_LIKE, "lower-grade")
    steps: dict[str, tuple[TermPlan, ...]] = {
        "volume of the tumour": (VOLUME,),
        "volume and form": (VOLUME, *FORM),
        "volumes of its parts": PARTS,
        "foci and crossing": (FOCI, CROSSES),
        "side and site": (SIDE, *SITE),
        "parts, form, foci, site": (*PARTS, *FORM, FOCI, CROSSES, *SITE),
    }
    measures = measured.select_dtypes("number").reindex(table["patient"]).reset_index(drop=True)
    return Imaged(
        BRATS,
        cohort,
        Part(table, followed),
        (c.AGE,),
        grade.astype(object),
        GLIOBLASTOMA_LIKE,
        steps,
        _numbers(table, ["age_years"], measures),
    )


def _cohort_of(cohort: ClinicalCohort, table: pd.DataFrame) -> ClinicalCohort:
    return ClinicalCohort(cohort.name, table[list(cohort.patients.columns)], cohort.limits)


def _numbers(table: pd.DataFrame, clinical: Sequence[str], measured: pd.DataFrame) -> pd.DataFrame:
    """Numbers without gaps; what spans decades (volumes, surfaces) as its logarithm."""
    numbers = pd.concat([table[list(clinical)].reset_index(drop=True), measured], axis=1)
    numbers = numbers.astype(np.float64)
    wide = (numbers.min() >= 0) & (numbers.max() > 20 * numbers.median().clip(lower=1e-9))
    wide |= numbers.columns.str.endswith("_ml") | numbers.columns.str.contains("Volume|Area")
    numbers.loc[:, wide] = np.log1p(numbers.loc[:, wide])
    return numbers.fillna(numbers.median())


@dataclass(frozen=True, eq=False)
class Deals:
    """Risks of patients left out of the fit, for several deals into folds."""

    risk: Floats
    """(deals, n) linear predictors."""
    fold: NDArray[np.int_]
    """(deals, n)."""


def cross_fitted_deals(
    part: Part, terms: Sequence[TermPlan], seed: int, repeats: int = REPEATS
) -> Deals:
    """Every patient asked of a model that was fitted without their fold."""
    return _cross_fitted(
        part.followed, seed, lambda train: fitted_risk(part, terms, train), repeats
    )


def cross_fitted_risk(
    part: Part, terms: Sequence[TermPlan], seed: int, repeats: int = REPEATS
) -> Floats:
    """The mean (n,) of the deals."""
    return np.asarray(cross_fitted_deals(part, terms, seed, repeats).risk.mean(axis=0))


def cross_fitted_net(features: pd.DataFrame, followed: Outcome, seed: int) -> Floats:
    """The same of an elastic net on all features, its penalty chosen inside each training part."""

    def risk(train: NDArray[np.bool_]) -> Floats:
        generator = np.random.default_rng(seed)
        config = ElasticNetConfig(lambdas=30, folds=5, rule="min")
        found = fit_elastic_net(
            features[train], followed.take(train), ("net", "part"), generator, config
        )
        return found.model.score(features)

    return np.asarray(_cross_fitted(followed, seed, risk, 1).risk[0])


def fitted_risk(part: Part, terms: Sequence[TermPlan], train: NDArray[np.bool_]) -> Floats:
    """Linear predictors (n,) of all, centred on those whom the model was fitted on."""
    known = part.followed.take(train)
    complete = [complete_term(plan, part.table.loc[train, plan.name], known) for plan in terms]
    columns = np.hstack([term.encode(part.table[term.name].to_numpy()) for term in complete])
    risk = columns @ newton_cox(columns[train], known).coefficients
    return np.asarray(risk - risk[train].mean())


def _cross_fitted(followed: Outcome, seed: int, risk_of: RiskOf, repeats: int) -> Deals:
    generator = np.random.default_rng(seed)
    folds = np.array([deal_folds(followed, FOLDS, generator) for _ in range(repeats)])
    risks = np.zeros(folds.shape)
    for risk, fold in zip(risks, folds, strict=True):
        for number in range(FOLDS):
            risk[fold == number] = risk_of(fold != number)[fold == number]
    return Deals(risks, folds)
