"""Models of the study of lower-grade glioma: screened, joint, cross-validated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.progress import Progress, silent
from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.lgg_cohort import (
    GRADE,
    HISTOLOGY,
    SIGNATURE,
    SIGNATURE_COLUMN,
    STATE,
    Lgg,
)
from gliomaai_training.studies.lgg_signature import (
    CONFIG,
    FLAT,
    NestedSignatures,
    Signature,
    dealt,
    fit_signature,
    nested,
)
from gliomaai_training.studies.postoperative_models import Part, Refit, cross_fitted
from gliomaai_training.studies.predictions import AveragedSurvival, PredictedSurvival
from gliomaai_training.survival.baseline import breslow
from gliomaai_training.survival.censoring import check_events
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.hazard_tables import wald_p
from gliomaai_training.survival.newton_cox import newton_cox
from gliomaai_training.survival.term_plan import TermPlan, complete_cases, complete_term

SIGNIFICANT = 0.05
CANDIDATES: tuple[TermPlan, ...] = (c.AGE, c.SEX, GRADE, HISTOLOGY)
INTEGRATED: tuple[TermPlan, ...] = (c.AGE, HISTOLOGY, SIGNATURE)
"""The paper's final model."""
MODERN: tuple[TermPlan, ...] = (c.AGE, STATE)
FOLDS, DEALS = 5, 2
"""Of the imaged patients, whose deaths are few."""
EVERYONE_DEALS = 3
HOSPITAL_FOLDS = 10

Floats = NDArray[np.float64]
Folds = NDArray[np.int_]


def quick_cox(
    part: Part, terms: Sequence[TermPlan], name: str, own: NDArray[np.bool_] | None = None
) -> CoxModel:
    """As `fit_cox`, without its checks and fast enough for every fold.

    Args:
        part: the patients.
        terms: what the model knows.
        name: its name.
        own: (n,) who has a baseline hazard of their own, which is the one kept; None for all.

    Raises:
        ValueError: as `complete_term` and `newton_cox`.
    """
    complete = [complete_term(plan, part.table[plan.name], part.followed) for plan in terms]
    columns = np.hstack([term.encode(part.table[term.name].to_numpy()) for term in complete])
    kept = np.ones(len(part.followed), bool) if own is None else own
    found = newton_cox(columns, part.followed, kept.astype(np.int_))
    return CoxModel(
        name,
        "TCGA-LGG" if own is None else "TCGA-LGG; the baseline hazard is of those with slices",
        len(part.followed),
        part.followed.events,
        tuple(complete),
        found.coefficients,
        (found.covariance + found.covariance.T) / 2,
        {"": breslow(columns[kept], found.coefficients, part.followed.take(kept))},
    )


def screen(part: Part, candidates: Sequence[TermPlan] = CANDIDATES) -> tuple[TermPlan, ...]:
    """The paper's way: alone p < .05 to come in, together p <= .05 to stay.

    Raises:
        ValueError: nothing comes in, fewer than ten deaths, or as `quick_cox`.
    """
    check_events(part.followed)
    entered = tuple(
        plan for plan in candidates if term_p(quick_cox(part, (plan,), "alone"))[0] < SIGNIFICANT
    )
    if not entered:
        names = ", ".join(plan.label for plan in candidates)
        raise ValueError(f"none of {names} is significant alone: there is no clinical model")
    together = term_p(quick_cox(part, entered, "together"))
    kept = tuple(plan for plan, p in zip(entered, together, strict=True) if p <= SIGNIFICANT)
    return kept or entered


def term_p(model: CoxModel) -> list[float]:
    """p of each term, all its columns together."""
    slices = [model.slice_of(term) for term in model.terms]
    return [wald_p(model.coefficients[s], model.covariance[s, s]) for s in slices]


def screened(part: Part) -> CoxModel:
    """The clinical model of some patients, its terms screened in them."""
    return quick_cox(part, screen(part), "clinical")


def fixed(terms: Sequence[TermPlan]) -> Refit:
    """A model of given terms."""
    return lambda part: quick_cox(part, terms, "fixed")


def known(part: Part, terms: Sequence[TermPlan]) -> NDArray[np.bool_]:
    """Of whom (n,) all terms are known."""
    return complete_cases(part.table, terms).to_numpy(bool)


def by_patient(part: Part, refit: Refit, seed: int) -> AveragedSurvival:
    """Cross-validated, the mean of several deals into folds."""
    deals = [cross_fitted(part, seed + number, refit) for number in range(EVERYONE_DEALS)]
    return AveragedSurvival(tuple(deals))


def by_hospital(part: Part, refit: Refit) -> PredictedSurvival:
    """Everyone asked of a model that saw nobody of their hospital."""
    fold = hospital_folds(part)
    numbers = range(int(fold.max()) + 1)
    return PredictedSurvival(
        tuple(refit(part.take(fold != number)) for number in numbers), part.table, fold
    )


def hospital_folds(part: Part) -> Folds:
    """(n,) whole hospitals, the most deadly first, each into the fold with the fewest deaths."""
    sites = part.table["site"].fillna("unknown").to_numpy(object)
    names = sorted(set(sites), key=lambda s: (-part.followed.event[sites == s].sum(), s))
    folds = min(HOSPITAL_FOLDS, len(names))
    if folds < 2:
        raise ValueError("all patients are of one hospital: none can be left out")
    deaths, sizes = np.zeros(folds), np.zeros(folds)
    fold = np.empty(len(sites), np.int_)
    for name in names:
        rows = sites == name
        best = int(np.lexsort((sizes, deaths))[0])
        fold[rows] = best
        deaths[best] += part.followed.event[rows].sum()
        sizes[best] += rows.sum()
    return fold


def joint(rest: Part, imaged: Part, terms: Sequence[TermPlan], name: str) -> CoxModel:
    """One model of patients with and without slices, each with a baseline hazard of their own.

    Without slices patients stand at the signature's reference: it is the same for all of their
    stratum and cancels, so that the signature's ratio is that of the imaged, and all others are
    everyone's. A signature that is 0 in everybody says nothing and is left out.

    Raises:
        ValueError: as `quick_cox`.
    """
    first = rest.table.assign(**{SIGNATURE_COLUMN: 0.0})
    together = c.stacked([(first, rest.followed), (imaged.table, imaged.followed)])
    used = [t for t in terms if t is not SIGNATURE or np.ptp(imaged.table[SIGNATURE_COLUMN]) > FLAT]
    with_slices = np.arange(len(together[0])) >= len(first)
    return quick_cox(Part(*together), used, name, with_slices)


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What one specification says of imaged patients that it has not seen."""

    predicted: AveragedSurvival
    excess: Floats
    """(n,) risk less the median of the training patients'; mean of the deals."""


@dataclass(frozen=True, eq=False)
class Crossed:
    """All deals of the imaged patients."""

    signatures: tuple[NestedSignatures, ...]
    held_out: Mapping[str, HeldOut]

    @property
    def score(self) -> Floats:
        """(n,) of the signatures that did not see each patient; mean of the deals."""
        return np.asarray(np.mean([one.held_out() for one in self.signatures], axis=0))


def nested_signatures(
    lgg: Lgg, seed: int, progress: Progress = silent
) -> tuple[NestedSignatures, ...]:
    """A deal into folds after the other.

    Raises:
        ValueError: too few deaths.
    """
    found = []
    for number in range(DEALS):
        fold = dealt(lgg.imaged.followed, FOLDS, seed + number)
        found.append(nested(lgg.features, lgg.imaged.followed, fold, CONFIG))
        progress("signatures", (number + 1) / DEALS)
    return tuple(found)


def cross(
    lgg: Lgg,
    signatures: tuple[NestedSignatures, ...],
    models: Mapping[str, tuple[TermPlan, ...]],
) -> Crossed:
    """Every specification, each patient asked of models that were made without their fold.

    Raises:
        ValueError: as `joint`.
    """
    return Crossed(
        signatures, {name: _held_out(lgg, signatures, terms) for name, terms in models.items()}
    )


def _held_out(
    lgg: Lgg, signatures: Sequence[NestedSignatures], terms: Sequence[TermPlan]
) -> HeldOut:
    plain = [term for term in terms if term is not SIGNATURE]
    rest = lgg.rest.take(known(lgg.rest, plain))
    rows = known(lgg.imaged, plain)
    deals, excess = [], []
    for one in signatures:
        table = lgg.imaged.table.assign(**{SIGNATURE_COLUMN: one.held_out()})[rows]
        found, above = [], np.empty(len(table))
        fold = one.fold[rows]
        for number in range(len(one.without)):
            own = lgg.imaged.table.assign(**{SIGNATURE_COLUMN: one.score[number]})
            training = Part(own, lgg.imaged.followed).take(rows & (one.fold != number))
            model = joint(rest, training, terms, "held out")
            found.append(model)
            out = fold == number
            above[out] = model.risk(table[out]) - np.median(model.risk(training.table))
        deals.append(PredictedSurvival(tuple(found), table.reset_index(drop=True), fold))
        excess.append(above)
    return HeldOut(AveragedSurvival(tuple(deals)), np.asarray(np.mean(excess, axis=0)))


@dataclass(frozen=True, eq=False)
class Apparent:
    """Fitted to the imaged patients and judged in the same, as the paper's training cohort."""

    signature: Signature
    risk: Mapping[str, Floats]
    """(n,) by specification."""


def apparent(lgg: Lgg, models: Mapping[str, tuple[TermPlan, ...]]) -> Apparent:
    """What comes out where nothing is held out.

    Raises:
        ValueError: as `fit_signature` and `quick_cox`.
    """
    made = fit_signature(lgg.features, lgg.imaged.followed, CONFIG)
    table = lgg.imaged.table.assign(**{SIGNATURE_COLUMN: made.score(lgg.features)})
    part = Part(table, lgg.imaged.followed)
    flat = made.is_empty
    risks = {}
    for name, terms in models.items():
        used = [term for term in terms if not (flat and term is SIGNATURE)]
        risks[name] = quick_cox(part, used, name).risk(table)
    return Apparent(made, risks)
