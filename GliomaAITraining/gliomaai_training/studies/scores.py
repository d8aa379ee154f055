"""Tables that set predictions for the same patients side by side."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import BootstrapConfig, Interval
from gliomaai_training.evaluation.paired import PairedDifference
from gliomaai_training.studies.predictions import SurvivalPredictions
from gliomaai_training.survival.brier import BrierScore, brier_score
from gliomaai_training.survival.calibration import calibration_summary
from gliomaai_training.survival.censoring import censoring_of
from gliomaai_training.survival.comparison import compare_c, concordance_difference
from gliomaai_training.survival.concordance import PairRule, concordance_interval
from gliomaai_training.survival.d_calibration import d_calibration
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.time_dependent_auc import HORIZONS_MONTHS, dynamic_auc_interval

NONE = ""
"""In a cell: it cannot be told of these patients."""

FIRST_BRIER_MONTH = 3

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Judged:
    """Patients in whom predictions are judged."""

    followed: Outcome
    state: NDArray[np.object_]
    """(n,) groups within which patients are compared too."""
    seed: int
    config: BootstrapConfig
    inner: str = "GBM"
    """The group that has a column of its own, if anybody is in it."""
    horizons_months: tuple[float, ...] = HORIZONS_MONTHS
    """Of AUC and calibration."""

    def generator(self) -> np.random.Generator:
        """The same draws for every statistic, so that columns and rows are comparable."""
        return np.random.default_rng(self.seed)

    def take(self, rows: NDArray[np.bool_]) -> "Judged":
        """Some of the patients."""
        return replace(self, followed=self.followed.take(rows), state=self.state[rows])


def discrimination_table(
    predicted: Mapping[str, SurvivalPredictions], judged: Judged
) -> pd.DataFrame:
    """A row for each model: concordance pooled and within groups, AUC, integrated Brier score."""
    rows = []
    for name, one in predicted.items():
        row: dict[str, object] = {
            "model": name,
            "n": len(judged.followed),
            "deaths": judged.followed.events,
        }
        row |= risk_cells(one.risk(), judged) | brier_cells(one, judged)
        rows.append(row)
    return pd.DataFrame(rows)


def risk_cells(risk: Floats, judged: Judged) -> dict[str, str]:
    """How well a risk orders the patients."""
    followed, config = judged.followed, judged.config
    censoring = censoring_of(followed)
    inside = judged.state == judged.inner

    def c(rule: PairRule, rows: NDArray[np.bool_] | slice = slice(None)) -> str:
        some = followed.take(np.arange(len(followed))[rows])
        return told(
            lambda: concordance_interval(risk[rows], some, judged.generator(), rule, config)
        )

    cells = {
        "Harrell C": c(PairRule()),
        f"Uno C ({censoring.tau_months:.0f} mo)": c(PairRule(censoring)),
        f"C within {judged.inner}": c(PairRule(), inside) if inside.any() else NONE,
        "C within groups": c(PairRule(strata=judged.state.tolist())),
    }
    for months in judged.horizons_months:
        cells[f"AUC {months:g} mo"] = told(
            lambda at=months: dynamic_auc_interval(  # type: ignore[misc]
                risk, followed, at, censoring, judged.generator(), config
            )
        )
    return cells


def brier_cells(predicted: SurvivalPredictions, judged: Judged) -> dict[str, str]:
    """The integrated Brier score beside that of the cohort's own Kaplan-Meier curve."""
    followed = judged.followed
    months = np.arange(FIRST_BRIER_MONTH, censoring_of(followed).tau_months)

    def found() -> BrierScore:
        survival = predicted.survival(months)
        generator = judged.generator()
        return brier_score(survival, followed, months, followed, generator, judged.config)

    name = f"IBS ({FIRST_BRIER_MONTH} to {months[-1]:.0f} mo)"
    try:
        score = found()
    except ValueError:
        return {name: NONE, "IBS of Kaplan-Meier": NONE}
    return {name: str(score.score), "IBS of Kaplan-Meier": f"{score.null.estimate:.3f}"}


def difference_table(
    pairs: Sequence[tuple[str, Floats, str, Floats]], judged: Judged
) -> pd.DataFrame:
    """Differences of Harrell's C, pooled and within one group: paired bootstrap, and Kang's test.

    Args:
        pairs: name and risk of one model, and of the model it is compared with.
        judged: the patients.
    """
    rows = []
    everyone = np.ones(len(judged.followed), bool)
    inside = judged.state == judged.inner
    groups = {"all": everyone} | ({judged.inner: inside} if 0 < inside.sum() < inside.size else {})
    for ours, our_risk, theirs, their_risk in pairs:
        for group, rows_of in groups.items():
            some = judged.take(rows_of)
            row: dict[str, object] = {"model": ours, "compared with": theirs, "patients": group}
            row |= {"n": len(some.followed), "deaths": some.followed.events}
            row |= difference_cells(our_risk[rows_of], their_risk[rows_of], some)
            rows.append(row)
    return pd.DataFrame(rows)


def difference_cells(ours: Floats, theirs: Floats, judged: Judged) -> dict[str, str]:
    """The difference of two risks for the same patients, in words."""
    followed = judged.followed
    try:
        found: PairedDifference = concordance_difference(
            ours, theirs, followed, judged.generator(), config=judged.config
        )
        kang = compare_c(ours, theirs, followed)
    except ValueError:
        return dict.fromkeys(("difference of C", "p (bootstrap)", "p (compareC)"), NONE)
    return {
        "difference of C": signed(found.difference),
        "p (bootstrap)": p_words(found.p),
        "p (compareC)": p_words(kang.p),
    }


def calibration_table(predicted: Mapping[str, SurvivalPredictions], judged: Judged) -> pd.DataFrame:
    """Calibration at each horizon, and D-calibration of the whole curves."""
    rows = []
    for name, one in predicted.items():
        p = d_calibration(one.own_survival(judged.followed), judged.followed).p
        for months in judged.horizons_months:
            row: dict[str, object] = {"model": name, "months": f"{months:g}"}
            row |= _calibration_cells(one, months, judged)
            row["p of D-calibration"] = p_words(p) if months == judged.horizons_months[0] else NONE
            rows.append(row)
    return pd.DataFrame(rows)


def _calibration_cells(one: SurvivalPredictions, months: float, judged: Judged) -> dict[str, str]:
    names = ("predicted deaths", "observed deaths", "observed / predicted", "slope")
    try:
        found = calibration_summary(
            one.survival(months)[:, 0], judged.followed, months, judged.generator(), judged.config
        )
    except ValueError:
        return dict.fromkeys(names, NONE)
    cells = (percent(found.expected), in_percent(found.observed), str(found.ratio))
    return dict(zip(names, (*cells, str(found.slope)), strict=True))


def told(statistic: Callable[[], Interval]) -> str:
    """A statistic with its interval; empty where these patients are too few to tell it."""
    try:
        return str(statistic())
    except ValueError:
        return NONE


def signed(interval: Interval) -> str:
    """A difference with its interval."""
    return f"{interval.estimate:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * share:.1f} %"


def in_percent(interval: Interval) -> str:
    """A share with its interval."""
    return (
        f"{100 * interval.estimate:.1f} % ({100 * interval.low:.1f} to {100 * interval.high:.1f})"
    )


def p_words(p: float) -> str:
    """A p in words."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
