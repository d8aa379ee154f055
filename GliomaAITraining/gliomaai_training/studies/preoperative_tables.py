"""Tables of the pre-operative study."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.studies import covariates as c
from gliomaai_training.studies.postoperative_models import Part, only_stratum
from gliomaai_training.studies.preoperative_models import (
    CROSSES,
    FOCI,
    FORM,
    OF_TCGA,
    OTHERS,
    PARTS,
    UCSF,
    VOLUME,
    Imaged,
    cross_fitted_net,
    cross_fitted_risk,
)
from gliomaai_training.studies.scores import (
    Judged,
    difference_cells,
    difference_table,
    risk_cells,
    signed,
)
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.survival.comparison import concordance_difference
from gliomaai_training.survival.concordance import harrell_c
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.fit_cox import CoxPlan, fit_cox
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.term_plan import NumericPlan, TermPlan
from gliomaai_training.survival.terms import NumericTerm, Term

NET = "elastic net of everything measured"
STRATUM = "stratum"
QUARTILES = (0.0, 0.25, 0.5, 0.75, 1.0)
IMAGING: tuple[TermPlan, ...] = (*PARTS, FOCI, CROSSES)
"""Volumes of the parts, and how the tumour is spread."""
PARTS_MODEL = "preoperative-parts"
"""Kept for study, not to be packed: it was judged in one collection only."""

LEFT_OUT: Mapping[str, tuple[TermPlan, ...]] = {
    "age": (c.AGE,),
    "age, volume": (c.AGE, VOLUME),
    "age, volume, form": (c.AGE, VOLUME, *FORM),
    "age, parts, foci, crossing": (c.AGE, *IMAGING),
}
"""Fitted on all cohorts but one that know the covariates, each with its own baseline hazard."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scored:
    """One cohort with the cross-fitted risks of every model."""

    imaged: Imaged
    judged: Judged
    risks: Mapping[str, Floats]

    @property
    def clinical(self) -> str:
        """Name of the model without images."""
        return next(iter(self.risks))


def score(imaged: Imaged, settings: StudySettings) -> Scored:
    """Cross-fits every step of a cohort."""
    words = ", ".join(plan.label for plan in imaged.clinical)
    part, seed = imaged.part, settings.seed
    risks = {words: cross_fitted_risk(part, imaged.clinical, seed)}
    for name, terms in imaged.steps.items():
        risks[f"{words}, {name}"] = cross_fitted_risk(part, (*imaged.clinical, *terms), seed)
    risks[NET] = cross_fitted_net(imaged.features, part.followed, seed)
    judged = Judged(part.followed, imaged.group, seed, settings.bootstrap, imaged.inner)
    return Scored(imaged, judged, risks)


def cohort_table(scored: Scored) -> pd.DataFrame:
    """Every model of one cohort."""
    rows = []
    for name, risk in scored.risks.items():
        row: dict[str, object] = {
            "model": name,
            "n": len(risk),
            "deaths": scored.judged.followed.events,
        }
        rows.append(row | risk_cells(risk, scored.judged))
    return pd.DataFrame(rows)


def added_table(scored: Scored) -> pd.DataFrame:
    """What each step adds to the clinical model."""
    base = scored.clinical
    pairs = [(name, risk, base, scored.risks[base]) for name, risk in scored.risks.items()]
    return difference_table(pairs[1:], scored.judged)


def idh_table(imaged: Imaged, settings: StudySettings) -> pd.DataFrame:
    """What imaging would add if IDH were known, as after surgery or by a sure prediction.

    Raises:
        ValueError: IDH is unknown of somebody.
    """
    judged = Judged(
        imaged.part.followed, imaged.group, settings.seed, settings.bootstrap, imaged.inner
    )
    base = (*imaged.clinical, c.IDH)
    first = ", ".join(plan.label for plan in base)
    risks = {first: cross_fitted_risk(imaged.part, base, settings.seed)}
    for name, terms in imaged.steps.items():
        risks[f"{first}, {name}"] = cross_fitted_risk(imaged.part, (*base, *terms), settings.seed)
    clinical = ", ".join(plan.label for plan in imaged.clinical)
    without = cross_fitted_risk(imaged.part, imaged.clinical, settings.seed)
    pairs = [(first, risks[first], clinical, without)]
    pairs += [(name, risk, first, risks[first]) for name, risk in risks.items() if name != first]
    return difference_table(pairs, judged)


def cohort_parts(cohorts: Sequence[Imaged]) -> dict[str, Part]:
    """UCSF-PDGM, and BraTS by whether the patient is of TCGA."""
    parts = {}
    for one in cohorts:
        if one.name == UCSF:
            parts[UCSF] = one.part
            continue
        of_tcga = one.part.table["patient"].str.startswith("TCGA-").to_numpy(bool)
        parts |= {OF_TCGA: one.part.take(of_tcga), OTHERS: one.part.take(~of_tcga)}
    return parts


def left_out_table(cohorts: Sequence[Imaged], settings: StudySettings) -> pd.DataFrame:
    """Each cohort judged by models of the others."""
    rows: list[dict[str, object]] = []
    parts = cohort_parts(cohorts)
    for name, test in parts.items():
        base = _risk_of_others(parts, name, LEFT_OUT["age"])
        for words, terms in LEFT_OUT.items():
            if not _knows(test, terms):
                continue
            risk = _risk_of_others(parts, name, terms)
            judged = Judged(test.followed, _groups(test), settings.seed, settings.bootstrap)
            found = concordance_difference(
                risk, base, test.followed, judged.generator(), config=judged.config
            )
            row: dict[str, object] = {
                "left out": name,
                "n": len(risk),
                "deaths": test.followed.events,
            }
            row |= {"model": words, "Harrell C": str(found.ours)}
            change = difference_cells(risk, base, judged)
            row |= change if words != "age" else dict.fromkeys(change, "")
            rows.append(row)
    return pd.DataFrame(rows)


def clinic_models(cohorts: Sequence[Imaged]) -> dict[str, CoxModel]:
    """Models without images, with the whole tumour, and with its parts.

    Fitted on both cohorts, each hospital group with its own baseline hazard, of which UCSF-PDGM's
    is kept: BraTS lists the dead outside TCGA, and has no absolute risk to give. A covariate that a
    group does not know stands at its reference for all of that group, where it cancels.
    """
    ucsf, brats = (next(o for o in cohorts if (o.name == UCSF) is first) for first in (True, False))
    brats_table = brats.part.table
    known = brats_table["sex"].notna()
    tables = [
        ucsf.part.table.assign(**{STRATUM: UCSF}),
        brats_table.assign(
            **{STRATUM: np.where(known, "BraTS, sex known", "BraTS, sex unknown")},
            sex=brats_table["sex"],
        ),
    ]
    table, followed = c.stacked([(tables[0], ucsf.part.followed), (tables[1], brats.part.followed)])
    form = (VOLUME, *FORM)
    specifications: dict[str, tuple[str, tuple[TermPlan, ...]]] = {
        "preoperative-clinical": ("age, sex", (c.AGE, c.SEX)),
        "preoperative-clinical-age": ("age", (c.AGE,)),
        "preoperative-imaging": ("age, sex, volume and form", (c.AGE, c.SEX, *form)),
        "preoperative-imaging-age": ("age, volume and form", (c.AGE, *form)),
        "preoperative-imaging-volume": ("age, sex, volume", (c.AGE, c.SEX, VOLUME)),
        PARTS_MODEL: ("age, sex, parts, foci, crossing", (c.AGE, c.SEX, *IMAGING)),
    }
    return {
        stem: _joint(table, followed, f"pre-operative: {words}", terms)
        for stem, (words, terms) in specifications.items()
    }


def _joint(
    table: pd.DataFrame, followed: Outcome, name: str, terms: tuple[TermPlan, ...]
) -> CoxModel:
    filled = table.copy()
    plans: list[TermPlan] = []
    for plan in terms:
        if isinstance(plan, NumericPlan) and plan.reference is None:
            plan = replace(plan, reference=float(table[plan.name].median()))
        plans.append(plan)
        filled[plan.name] = filled[plan.name].where(filled[plan.name].notna(), plan.reference)
    cohort = "UCSF-PDGM and BraTS 2020, each with its own baseline hazard; this is UCSF-PDGM's"
    joint = CoxPlan(name, tuple(plans), cohort, STRATUM, UCSF)
    model = only_stratum(fit_cox(filled, followed, joint).model, UCSF)
    return replace(model, terms=tuple(_as_known(term, table) for term in model.terms))


def _as_known(term: Term, table: pd.DataFrame) -> Term:
    """The term with what was observed of it, without those who stand at the reference."""
    known = table[term.name].dropna()
    if isinstance(term, NumericTerm):
        low, lower, middle, upper, high = np.quantile(known.to_numpy(np.float64), QUARTILES)
        observed = (float(low), float(lower), float(middle), float(upper), float(high))
        return replace(term, observed=observed)
    counts = known.value_counts()
    return replace(term, counts=tuple(int(counts.get(level, 0)) for level in term.levels))


def _risk_of_others(
    parts: Mapping[str, Part], left_out: str, terms: tuple[TermPlan, ...]
) -> Floats:
    others = {
        name: part for name, part in parts.items() if name != left_out and _knows(part, terms)
    }
    table, followed = c.stacked(
        [(part.table.assign(**{STRATUM: name}), part.followed) for name, part in others.items()]
    )
    plan = CoxPlan("others", terms, "others", STRATUM, next(iter(others)))
    return fit_cox(table, followed, plan).model.risk(parts[left_out].table)


def _knows(part: Part, terms: Sequence[TermPlan]) -> bool:
    return all(
        term.name in part.table.columns and part.table[term.name].notna().all() for term in terms
    )


def _groups(part: Part) -> NDArray[np.object_]:
    return np.where(part.table["reported_grade"] == 4, "GBM", "other").astype(object)


def carried_over(table: pd.DataFrame) -> str:
    """Whether anything of `left_out_table` carries over to patients of other hospitals."""
    gains = [
        f"{row['model']} in {row['left out']} ({row['difference of C']})"
        for row in table.to_dict("records")
        if "(+" in row["difference of C"]
    ]
    if gains:
        return f"More than chance: {'; '.join(gains)}."
    return (
        "No interval lies above zero: what imaging adds within a cohort is not shown to carry over "
        "to another one."
    )


def best_words(scored: Scored) -> str:
    """The largest gain of a cohort in words, and whether it could be chance."""
    base = scored.risks[scored.clinical]
    followed = scored.judged.followed
    gains = {
        name: harrell_c(risk, followed) - harrell_c(base, followed)
        for name, risk in scored.risks.items()
        if name != scored.clinical
    }
    best = max(gains, key=lambda name: gains[name])
    inside = scored.judged.state == scored.judged.inner
    words = []
    for group, rows in (("all", slice(None)), (scored.judged.inner, inside)):
        some = followed.take(np.arange(len(followed))[rows])
        found = concordance_difference(
            scored.risks[best][rows],
            base[rows],
            some,
            scored.judged.generator(),
            config=scored.judged.config,
        )
        verdict = (
            "more than chance"
            if found.difference.low > 0
            else "less than nothing"
            if found.difference.high < 0
            else "no more than chance"
        )
        words.append(f"{group}: {signed(found.difference)}, {verdict}")
    return f"{best} ({'; '.join(words)})"
