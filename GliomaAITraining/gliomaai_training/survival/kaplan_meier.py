"""Kaplan-Meier curves with numbers at risk, and the log-rank test, on lifelines."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gliomaai_training.evaluation.multiplicity import holm
from gliomaai_training.survival.outcome import Outcome

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """Observed survival of a group."""

    group: str
    patients: int
    events: int
    months: Floats
    """(k,) from 0 on: every time at which somebody died or left."""
    survival: Floats
    low: Floats
    high: Floats
    """(k,) pointwise interval on log(-log S), Greenwood's variance."""
    censored_months: Floats
    """When patients left alive."""
    median_months: float | None
    """None if more than half are alive at the end."""
    median_interval_months: tuple[float | None, float | None]
    followed: Outcome

    def at(self, months: ArrayLike) -> tuple[Floats, Floats, Floats]:
        """Survival and its interval (m,) at m times; NaN after the last follow-up.

        Raises:
            ValueError: a negative time.
        """
        times = np.atleast_1d(np.asarray(months, np.float64))
        if (times < 0).any():
            raise ValueError(f"{times.min()} months are before the start")
        step = np.searchsorted(self.months, times, side="right") - 1
        known = times <= self.months[-1]
        survival, low, high = (
            np.where(known, c[step], np.nan) for c in (self.survival, self.low, self.high)
        )
        return survival, low, high


@dataclass(frozen=True)
class LogRank:
    """Whether groups die alike."""

    statistic: float
    degrees_of_freedom: int
    p: float


def kaplan_meier(followed: Outcome, group: str = "all", level: float = 0.95) -> KaplanMeier:
    """The curve of one group.

    Raises:
        ValueError: nobody is in the group.
    """
    from lifelines import KaplanMeierFitter

    if len(followed) == 0:
        raise ValueError(f"nobody is in group {group!r}")
    fitter = KaplanMeierFitter(alpha=1 - level).fit(followed.months, followed.event)
    survival = fitter.survival_function_.iloc[:, 0].to_numpy(np.float64)
    low, high = (
        fitter.confidence_interval_.iloc[:, side].ffill().to_numpy(np.float64) for side in (0, 1)
    )
    months = fitter.survival_function_.index.to_numpy(np.float64)
    return KaplanMeier(
        group,
        len(followed),
        followed.events,
        months,
        survival,
        low,
        high,
        np.sort(followed.months[~followed.event]),
        first_half(months, survival),
        (first_half(months, low), first_half(months, high)),
        followed,
    )


def at_risk(followed: Outcome, months: ArrayLike) -> NDArray[np.int_]:
    """How many (m,) are still followed at each of m times, just before it."""
    times = np.sort(followed.months)
    return times.size - np.searchsorted(times, np.asarray(months, np.float64), side="left")


def first_half(months: Floats, survival: Floats) -> float | None:
    """The first time at which half or fewer are alive; None if never."""
    below = np.flatnonzero(survival <= 0.5)
    return float(months[below[0]]) if below.size else None


def log_rank(groups: Mapping[str, Outcome]) -> LogRank:
    """The log-rank test of two or more groups together.

    Raises:
        ValueError: fewer than two groups, an empty one, or nobody died.
    """
    from lifelines.statistics import multivariate_logrank_test

    if len(groups) < 2:
        raise ValueError(f"needs two groups or more, not {len(groups)}")
    for name, followed in groups.items():
        if len(followed) == 0:
            raise ValueError(f"nobody is in group {name!r}")
    if sum(followed.events for followed in groups.values()) == 0:
        raise ValueError("nobody died in any group; there is nothing to compare")
    months = np.concatenate([followed.months for followed in groups.values()])
    event = np.concatenate([followed.event for followed in groups.values()])
    label = np.repeat(np.arange(len(groups)), [len(followed) for followed in groups.values()])
    found = multivariate_logrank_test(months, label, event)
    return LogRank(float(found.test_statistic), len(groups) - 1, float(found.p_value))


def pairwise_log_rank(groups: Mapping[str, Outcome]) -> dict[tuple[str, str], float]:
    """p of every pair, corrected for their number (Holm 1979).

    Raises:
        ValueError: as `log_rank`.
    """
    pairs = list(combinations(groups, 2))
    raw = np.array([log_rank({a: groups[a], b: groups[b]}).p for a, b in pairs])
    return dict(zip(pairs, holm(raw).tolist(), strict=True))
