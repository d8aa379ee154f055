"""Negative controls of the survival studies: what must come out as nothing, and what is for free.

Permuted outcomes must give .5. What age and volume, the class, or the hospital give alone is what
any further model has to be compared with; a pooled figure that the hospital alone reaches is no
merit of a model.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts import brats, tcga, ucsf_pdgm
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.flow import flow_table, with_known, with_survival
from gliomaai_training.evaluation.bootstrap import Interval, bootstrap, percentile_interval
from gliomaai_training.progress import Progress
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.postoperative_models import Part
from gliomaai_training.studies.preoperative_models import (
    FOLDS,
    VOLUME,
    Deals,
    Imaged,
    cross_fitted_deals,
    read_cohorts,
)
from gliomaai_training.studies.study import StudyResult, StudySettings, StudyTable
from gliomaai_training.studies.tumour_tables import UCSF_TABLE
from gliomaai_training.survival.censoring import censoring_of
from gliomaai_training.survival.concordance import PairRule, comparable_pairs, concordance
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.pairs import Pairs
from gliomaai_training.survival.term_plan import CategoricalPlan, TermPlan
from gliomaai_training.survival.time_dependent_auc import horizon_pairs

TITLE = "Negative controls"
PURPOSE = (
    "Models that must fail, and models that are too simple to be a merit. Outcomes are permuted "
    "between patients and everything is fitted again: concordance and AUC must come back to .5. "
    "Age and volume, the class, and the hospital alone are what any other model is to be compared "
    "with. All are of patients left out of the fit; both patients of a pair are asked of the same "
    "model."
)
LEAST_OF_SITE, LEAST_DEATHS_OF_SITE = 25, 5
"""Patients and deaths: smaller hospitals are taken together."""
REST = "others"
AUC_MONTHS = 24.0
PERMUTATIONS = 200
"""At most: each fits everything again."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Control:
    """Patients, and the model that is fitted to them."""

    name: str
    cohort: str
    part: Part
    terms: tuple[TermPlan, ...]
    group: NDArray[np.object_]
    inner: str


def study(settings: StudySettings, progress: Progress) -> StudyResult:
    """Runs the controls.

    Raises:
        ValueError: a table or mask is missing or cannot be read.
    """

    def measuring(stage: str, done: float) -> None:
        progress(stage, 0.4 * done)

    ucsf, imaged_brats = read_cohorts(settings, measuring)
    sites = _tcga(settings)
    progress("simple models", 0.45)
    simple = simple_models(ucsf, imaged_brats, sites)
    plain = pd.DataFrame([_row(one, settings) for one in simple])
    progress("permutations", 0.6)
    permuted = [*_imaging_controls(ucsf, imaged_brats), next(o for o in simple if o.part is sites)]
    table = permutation_table(permuted, settings)
    progress("done", 1.0)
    cohorts = [ucsf.cohort, imaged_brats.cohort]
    return StudyResult(
        TITLE,
        PURPOSE,
        (
            StudyTable("flow", "Patients", flow_table(cohorts)),
            StudyTable("permuted", "Permuted outcomes", table, permutation_reading(table)),
            StudyTable("simple", "What comes for free", plain, simple_reading(plain)),
        ),
        (tcga.TABLE, ucsf_pdgm.TABLE, UCSF_TABLE, brats.MASKS_TABLE.parent),
        {"permutations": min(settings.resamples, PERMUTATIONS), "folds": FOLDS},
        limits=tuple(dict.fromkeys(limit for one in cohorts for limit in one.limits)),
    )


def simple_models(ucsf: Imaged, imaged_brats: Imaged, sites: Part) -> list[Control]:
    """Models that are too simple to be a merit."""
    state = _states(sites)
    controls = [
        Control("age and volume", one.name, one.part, (c.AGE, VOLUME), one.group, one.inner)
        for one in (ucsf, imaged_brats)
    ]
    controls += [
        Control("age", one.name, one.part, (c.AGE,), one.group, one.inner)
        for one in (ucsf, imaged_brats)
    ]
    glioblastoma = [
        ("class: glioblastoma or not", ucsf, _is_inner(ucsf)),
        ("class: high-grade or not", imaged_brats, _is_inner(imaged_brats)),
    ]
    controls += [
        Control(name, one.name, part, (_INNER,), one.group, one.inner)
        for name, one, part in glioblastoma
    ]
    levels = tuple(sorted(set(sites.table[_SITE.name])))
    site = CategoricalPlan(_SITE.name, _SITE.label, levels, levels[0])
    controls.append(Control("hospital", "TCGA", sites, (site,), state, c.GLIOBLASTOMA))
    controls.append(Control("WHO state", "TCGA", _copied(sites), (c.STATE,), state, c.GLIOBLASTOMA))
    return controls


_INNER = CategoricalPlan("inner", "class", ("no", "yes"), "no")
_SITE = CategoricalPlan("hospital", "hospital", ("", REST), "")


def _imaging_controls(ucsf: Imaged, imaged_brats: Imaged) -> list[Control]:
    """The richest models of the pre-operative study."""
    controls = []
    for one in (ucsf, imaged_brats):
        name, terms = list(one.steps.items())[-1]
        words = ", ".join(plan.label for plan in one.clinical)
        controls.append(
            Control(
                f"{words}, {name}",
                one.name,
                one.part,
                (*one.clinical, *terms),
                one.group,
                one.inner,
            )
        )
    return controls


def permutation_table(controls: list[Control], settings: StudySettings) -> pd.DataFrame:
    """C and AUC of models that were fitted to permuted outcomes, over the permutations."""
    count = min(settings.resamples, PERMUTATIONS)
    rows = []
    for control in controls:
        generator = np.random.default_rng(settings.seed)
        truth = _c_and_auc(control.part, control.terms)
        drawn = np.array(
            [_c_and_auc(permuted(control.part, generator), control.terms) for _ in range(count)]
        )
        cells = {
            f"{name}, permuted": str(_over(drawn[:, column]))
            for column, name in enumerate(("C", f"AUC {AUC_MONTHS:g} mo"))
        }
        reached = (1 + int((drawn[:, 0] >= truth[0]).sum())) / (count + 1)
        rows.append(
            {
                "model": control.name,
                "cohort": control.cohort,
                "n": len(control.part.followed),
                "deaths": control.part.followed.events,
                "permutations": count,
                **cells,
                "C of the true outcomes": f"{truth[0]:.3f}",
                "p": f"{reached:.3f}",
            }
        )
    return pd.DataFrame(rows)


def permuted(part: Part, generator: np.random.Generator) -> Part:
    """The same patients with each other's outcomes."""
    order = generator.permutation(len(part.followed))
    return Part(part.table, part.followed.take(order))


def permutation_reading(table: pd.DataFrame) -> str:
    """What the permutations say."""
    outside = [
        f"{row['model']} ({column})"
        for row in table.to_dict("records")
        for column in table.columns
        if column.endswith("permuted") and not _holds_half(str(row[column]))
    ]
    if outside:
        return f"The interval does not hold .5 for {', '.join(outside)}: something leaks there."
    return (
        "Mean and 95 % of the permutations; every interval holds .5. p: how often permuted "
        "outcomes reach the C of the true ones."
    )


def simple_reading(table: pd.DataFrame) -> str:
    """What the simple models say."""
    c_of = {(r["model"], r["cohort"]): r["Harrell C"].split()[0] for r in table.to_dict("records")}
    hospital = c_of.get(("hospital", "TCGA"), "")
    return (
        f"In TCGA the hospital alone orders patients with C {hospital}: hospitals sent either "
        "glioblastomas or lower-grade gliomas, so that a pooled C within TCGA is partly a matter "
        "of who sent whom. Figures within one WHO state, and of another institution, are free of "
        "it."
    )


def _c_and_auc(part: Part, terms: tuple[TermPlan, ...]) -> tuple[float, float]:
    """Harrell's C and the AUC of one deal into folds."""
    deals = cross_fitted_deals(part, terms, 0, repeats=1)
    risk, fold = deals.risk[0], deals.fold[0]
    pairs = horizon_pairs(part.followed, AUC_MONTHS, censoring_of(part.followed))
    inside = pairs.comparable & (fold[pairs.worse, None] == fold)
    within = Pairs(pairs.worse, pairs.weight, inside)
    return (
        concordance(risk, part.followed, PairRule(strata=fold.tolist())),
        float(within.share(risk)[0]),
    )


def _row(control: Control, settings: StudySettings) -> dict[str, object]:
    followed = control.part.followed
    deals = cross_fitted_deals(control.part, control.terms, settings.seed)
    everyone = np.ones(len(followed), bool)
    inside = control.group == control.inner
    return {
        "model": control.name,
        "cohort": control.cohort,
        "n": len(followed),
        "deaths": followed.events,
        "Harrell C": str(within_folds(deals, followed, everyone, settings)),
        "C within the largest group": str(within_folds(deals, followed, inside, settings)),
        "largest group": f"{control.inner}, n = {int(inside.sum())}",
    }


def within_folds(
    deals: Deals, followed: Outcome, rows: NDArray[np.bool_], settings: StudySettings
) -> Interval:
    """Harrell's C of pairs of one fold, the mean over the deals, for some of the patients.

    Both patients of a pair are asked of the same model. Pairs across folds compare models that
    differ by whom they did not see: whoever dies early makes the fit without them milder, so that
    a model that knows nothing would lie below .5.
    """
    some = followed.take(rows)
    pairs = [comparable_pairs(some, PairRule(strata=fold[rows].tolist())) for fold in deals.fold]

    def share(draws: NDArray[np.int64]) -> Floats:
        shares = [one.share(risk[rows], draws) for one, risk in zip(pairs, deals.risk, strict=True)]
        return np.asarray(np.mean(shares, axis=0))

    generator = np.random.default_rng(settings.seed)
    return bootstrap(share, len(some), generator, settings.bootstrap)


def _tcga(settings: StudySettings) -> Part:
    """TCGA with its hospitals, small ones taken together."""
    cohort: ClinicalCohort = with_known(
        with_survival(tcga.read_tcga(settings.data)), ["who_state", "site"]
    )
    table, followed = c.study_table(cohort)
    deaths = pd.Series(followed.event).groupby(table["site"]).sum()
    patients = table["site"].value_counts()
    large = [
        site
        for site in patients.index
        if patients[site] >= LEAST_OF_SITE and deaths[site] >= LEAST_DEATHS_OF_SITE
    ]
    table[_SITE.name] = table["site"].where(table["site"].isin(large), REST)
    return Part(table, followed)


def _states(part: Part) -> NDArray[np.object_]:
    return part.table["who_state"].to_numpy(object)


def _copied(part: Part) -> Part:
    return Part(part.table, part.followed)


def _is_inner(one: Imaged) -> Part:
    words = np.where(one.group == one.inner, "yes", "no")
    return Part(one.part.table.assign(**{_INNER.name: words}), one.part.followed)


def _over(drawn: Floats) -> Interval:
    return percentile_interval(float(np.mean(drawn)), drawn, 0.95)


def _holds_half(cell: str) -> bool:
    low, high = cell.split("(")[1].rstrip(")").split(" to ")
    return float(low) <= 0.5 <= float(high)
