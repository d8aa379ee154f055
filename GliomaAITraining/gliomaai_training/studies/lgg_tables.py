"""Tables of the study of lower-grade glioma."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import Interval, percentile_interval
from gliomaai_training.studies.controls import within_folds
from gliomaai_training.studies.lgg_cohort import (
    ENHANCEMENT,
    GROUP,
    LOCATION,
    SIDE,
    SIGNATURE,
    SIGNATURE_COLUMN,
    VOLUME,
    Lgg,
)
from gliomaai_training.studies.lgg_models import FOLDS, Apparent, Crossed, HeldOut
from gliomaai_training.studies.lgg_signature import CONFIG, FASTER, cross_fitted_score, dealt
from gliomaai_training.studies.postoperative_models import Part, fit
from gliomaai_training.studies.predictions import SurvivalPredictions
from gliomaai_training.studies.preoperative_models import Deals
from gliomaai_training.studies.scores import Judged, brier_cells, p_words, risk_cells, told
from gliomaai_training.studies.slice_features import SEQUENCES
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.survival.concordance import PairRule, concordance, concordance_interval
from gliomaai_training.survival.hazard_tables import hazard_table
from gliomaai_training.survival.kaplan_meier import kaplan_meier, log_rank
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.term_plan import NumericPlan, TermPlan, complete_cases

HORIZONS = (12.0, 36.0, 60.0)
"""The paper's: one, three and five years."""
PERMUTATIONS = 8
"""At most; each makes the signature of every fold again."""
PAPER_C: Mapping[str, tuple[str, str]] = {
    "clinical": ("0.770 (0.720 to 0.820)", "0.796 (0.787 to 0.805)"),
    "integrated": ("0.873 (0.840 to 0.906)", "0.865 (0.851 to 0.879)"),
}
"""Harrell's C in its training cohort, called internal validation, and in its external one."""
PAPER_AUC: Mapping[str, str] = {
    "t1gd": "0.783 (0.774 to 0.792)",
    "t1": "0.754 (0.726 to 0.781)",
    "flair": "not used; T2 0.638 (0.606 to 0.670)",
}
CLINICAL_RISK = NumericPlan("clinical_risk", "clinical risk", "", (-100.0, 100.0), reference=0.0)

Floats = NDArray[np.float64]


def judged_of(part: Part, settings: StudySettings) -> Judged:
    """Patients in whom predictions are judged, pooled and within IDH."""
    group = part.table[GROUP].to_numpy(object)
    return Judged(part.followed, group, settings.seed, settings.bootstrap, "IDH-mutant", HORIZONS)


def ladder(
    predicted: Mapping[str, SurvivalPredictions], judged: Judged, first: Mapping[str, str]
) -> pd.DataFrame:
    """A row for each model.

    Args:
        predicted: by name.
        judged: the patients.
        first: a further column's cell for each name; its title is under "".
    """
    rows = []
    for name, one in predicted.items():
        row: dict[str, object] = {"model": name}
        if first:
            row[first[""]] = first[name]
        row |= {"n": len(judged.followed), "deaths": judged.followed.events}
        rows.append(row | risk_cells(one.risk(), judged) | brier_cells(one, judged))
    return pd.DataFrame(rows)


def beside_paper(
    apparent: Apparent, held_out: Mapping[str, HeldOut], judged: Judged
) -> pd.DataFrame:
    """Harrell's C in the paper's form of table."""
    rows = []
    for name, (internal, external) in PAPER_C.items():
        risk = held_out[name].predicted.risk()
        rows.append(
            {
                "model": name,
                "paper, its own training patients": internal,
                "paper, external": external,
                "here, the same patients": c_cell(apparent.risk[name], judged),
                "here, held out": c_cell(risk, judged),
                "n": len(judged.followed),
                "deaths": judged.followed.events,
            }
        )
    return pd.DataFrame(rows)


def c_cell(risk: Floats, judged: Judged) -> str:
    """Harrell's C with its interval."""
    followed, generator = judged.followed, judged.generator()
    return told(lambda: concordance_interval(risk, followed, generator, config=judged.config))


def sequence_table(crossed: Crossed, whole: Mapping[str, float]) -> pd.DataFrame:
    """The search for the best sequence.

    Args:
        crossed: the signatures of the folds.
        whole: AUC by sequence of the search in all the imaged.
    """
    every = [made for one in crossed.signatures for made in one.without]
    chosen = Counter(made.sequence for made in every)
    rows = []
    for sequence in SEQUENCES:
        found = np.array([made.auc_of[sequence] for made in every])
        rows.append(
            {
                "sequence": sequence,
                "AUC in the paper": PAPER_AUC[sequence],
                "AUC, all imaged": f"{whole[sequence]:.3f}",
                "AUC, mean of the training parts": f"{found.mean():.3f}",
                "lowest to highest": f"{found.min():.3f} to {found.max():.3f}",
                "chosen": f"{chosen[sequence]} of {len(every)}",
            }
        )
    return pd.DataFrame(rows)


def feature_table(crossed: Crossed, most: int = 12) -> pd.DataFrame:
    """How often features come into the signature."""
    every = [made for one in crossed.signatures for made in one.without]
    kept = Counter(name for made in every for name in made.kept)
    used = Counter(name for made in every for name in made.net.features)
    return pd.DataFrame(
        {
            "feature": name,
            "among the ten": f"{count} of {len(every)}",
            "in the score": f"{used[name]} of {len(every)}",
        }
        for name, count in sorted(kept.items(), key=lambda one: (-one[1], one[0]))[:most]
    )


def empty_scores(crossed: Crossed) -> tuple[int, int]:
    """In how many training parts the elastic net keeps nothing, and of how many."""
    every = [made for one in crossed.signatures for made in one.without]
    return sum(made.is_empty for made in every), len(every)


def imaged_candidates(lgg: Lgg, crossed: Crossed, clinical_risk: Floats) -> pd.DataFrame:
    """Candidates that are known of those with images only, alone and beside the clinical risk.

    Args:
        lgg: the cohorts.
        crossed: for the signature.
        clinical_risk: of `lgg.everyone`, cross-validated.
    """
    risk_of = dict(zip(lgg.everyone.table["patient"], clinical_risk, strict=True))
    spread = float(crossed.score.std())
    signed = lgg.imaged.table.assign(**{SIGNATURE_COLUMN: crossed.score / (spread or 1.0)})
    with_signature = Part(signed, lgg.imaged.followed)
    asked: Sequence[tuple[str, TermPlan, Part]] = (
        ("slices", SIDE, lgg.imaged),
        ("slices", LOCATION, lgg.imaged),
        ("slices", SIGNATURE, with_signature),
        ("BraTS masks", ENHANCEMENT, lgg.masks),
        ("BraTS masks", VOLUME, lgg.masks),
    )
    rows: list[dict[str, object]] = []
    for where, plan, part in asked:
        known = complete_cases(part.table, [plan]).to_numpy(bool)
        some = part.take(known)
        risk = some.table["patient"].map(risk_of).to_numpy(np.float64)
        some = Part(some.table.assign(**{CLINICAL_RISK.name: risk}), some.followed)
        rows += _candidate_rows(where, plan, some)
    return pd.DataFrame(rows)


def _candidate_rows(where: str, plan: TermPlan, part: Part) -> list[dict[str, object]]:
    shared = {"from": where, "n": len(part.followed), "deaths": part.followed.events}
    try:
        alone = hazard_table(fit(part, (plan,), plan.label, "imaged").model)
        beside = hazard_table(fit(part, (CLINICAL_RISK, plan), plan.label, "imaged").model)
    except ValueError as error:
        return [{"candidate": plan.label, "level": f"not fitted: {error}"} | shared]
    beside = beside[beside["term"] == plan.label]
    level = "by SD" if plan is SIGNATURE else "doubled" if plan is VOLUME else None
    return [
        {
            "candidate": plan.label,
            "level": level or one["level"],
            **shared,
            "HR alone": ratio_words(one),
            "p alone": "" if np.isnan(one["p"]) else p_words(one["p"]),
            "HR beside the clinical risk": ratio_words(other),
            "p beside it": "" if np.isnan(other["p"]) else p_words(other["p"]),
        }
        for one, other in zip(alone.to_dict("records"), beside.to_dict("records"), strict=True)
    ]


def ratio_words(row: Mapping[Any, Any]) -> str:
    """A hazard ratio with its interval."""
    if np.isnan(row["low"]):
        return "1"
    return f"{row['hazard_ratio']:.2f} ({row['low']:.2f} to {row['high']:.2f})"


def groups_of(held_out: HeldOut, followed: Outcome) -> dict[str, Outcome]:
    """High and low risk, cut at the median of the training patients; without an empty group."""
    high = held_out.excess > 0
    groups = {"low risk": followed.take(~high), "high risk": followed.take(high)}
    return {name: one for name, one in groups.items() if len(one)}


def group_table(models: Mapping[str, HeldOut], followed_of: Mapping[str, Outcome]) -> pd.DataFrame:
    """Kaplan-Meier of both groups, and the log-rank test, for each model."""
    rows = []
    for name, one in models.items():
        groups = groups_of(one, followed_of[name])
        test = log_rank(groups).p if len(groups) > 1 else np.nan
        row: dict[str, object] = {"model": name}
        for group, followed in groups.items():
            curve = kaplan_meier(followed, group)
            row[f"{group}, died"] = f"{followed.events} of {len(followed)}"
            for months in HORIZONS:
                alive, low, high = (float(value[0]) for value in curve.at(months))
                row[f"{group}, alive at {months:g} mo"] = (
                    ""
                    if np.isnan(alive)
                    else f"{100 * alive:.0f} % ({100 * low:.0f} to {100 * high:.0f})"
                )
        rows.append(row | {"log-rank p": "" if np.isnan(test) else p_words(test)})
    return pd.DataFrame(rows)


def signature_c(crossed: Crossed, followed: Outcome, settings: StudySettings) -> Interval:
    """Harrell's C of the signature alone, of pairs of one fold, mean of the deals."""
    deals = Deals(
        np.array([one.held_out() for one in crossed.signatures]),
        np.array([one.fold for one in crossed.signatures]),
    )
    return within_folds(deals, followed, np.ones(len(followed), bool), settings)


def permuted_table(lgg: Lgg, crossed: Crossed, settings: StudySettings) -> pd.DataFrame:
    """The signature of outcomes dealt out at random, beside that of the true ones."""
    followed, count = lgg.imaged.followed, min(settings.resamples, PERMUTATIONS)
    generator = np.random.default_rng(settings.seed)
    drawn = np.array(
        [
            _signature_c(lgg.features, followed.take(generator.permutation(len(followed))), seed)
            for seed in range(count)
        ]
    )
    true = _signature_c(lgg.features, followed, settings.seed)
    spread = percentile_interval(float(drawn.mean()), drawn, 0.95)
    reached = (1 + int((drawn >= true).sum())) / (count + 1)
    deals = len(crossed.signatures)
    return pd.DataFrame(
        [
            {
                "model": f"signature alone, forest of {CONFIG.trees}, {deals} deals",
                "C within folds": str(signature_c(crossed, followed, settings)),
            },
            {
                "model": f"signature alone, forest of {FASTER.trees}, one deal",
                "C within folds": f"{true:.3f}",
                "permutations": str(count),
                "C, permuted": str(spread),
                "p": f"{reached:.3f}",
            },
        ]
    ).fillna("")


def _signature_c(features: pd.DataFrame, followed: Outcome, seed: int) -> float:
    fold = dealt(followed, FOLDS, seed)
    score = cross_fitted_score(features, followed, fold, FASTER)
    return concordance(score, followed, PairRule(strata=fold.tolist()))
