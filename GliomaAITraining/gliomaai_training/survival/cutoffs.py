"""Cut-offs that make two risk groups of a score, and what the search for one costs."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from gliomaai_training.survival.outcome import Outcome

Floats = NDArray[np.float64]

PERMUTATIONS = 10_000


@dataclass(frozen=True, eq=False)
class Cutoff:
    """Where a score is cut: high risk is above."""

    value: float
    method: Literal["median", "maximally selected log-rank"]
    statistic: float | None = None
    """Largest standardised log-rank statistic, absolute; None of the median."""
    p_naive: float | None = None
    """As if nobody had searched: too small. Kept to show how much."""
    p_lausen_schumacher: float | None = None
    """Corrected by their approximation."""
    p_permutation: float | None = None
    """Corrected by permuting the outcomes."""
    candidates: Floats | None = None
    """(m,) cuts that were tried."""
    statistics: Floats | None = None
    """(m,) standardised statistic of each; positive if higher scores die earlier."""

    def is_high(self, score: ArrayLike) -> NDArray[np.bool_]:
        """Which scores (n,) are of high risk: those above the cut."""
        return np.asarray(np.asarray(score, np.float64) > self.value)


def median_cutoff(score: ArrayLike) -> Cutoff:
    """The median of the training patients' scores.

    Raises:
        ValueError: no score, or one that is not finite.
    """
    return Cutoff(float(np.median(_finite(score))), "median")


def maximal_cutoff(
    score: ArrayLike,
    followed: Outcome,
    generator: np.random.Generator,
    permutations: int = PERMUTATIONS,
    middle: float = 0.8,
) -> Cutoff:
    """The cut with the largest log-rank statistic, with p that pays for the search.

    Log-rank scores are cut at every value within the middle of the score's distribution; each sum
    is standardised by its permutation moments (Hothorn and Lausen, Comput Stat Data Anal
    2003;43:121; `maxstat` of R). The p is by permutation, and by Lausen and Schumacher's
    approximation (Biometrics 1992;48:73).

    Args:
        score: (n,) of training patients; never choose a cut where it is judged.
        followed: their outcomes.
        generator: of the permutations.
        permutations: their number.
        middle: share of patients among whom is cut.

    Raises:
        ValueError: nobody died, the score has one value, or a number is wrong.
    """
    values = _finite(score)
    if values.size != len(followed):
        raise ValueError(f"{values.size} scores but {len(followed)} outcomes")
    if not 0 < middle < 1 or permutations < 1:
        raise ValueError(f"cannot cut the middle {middle} with {permutations} permutations")
    order = np.argsort(values, kind="stable")
    ordered, deaths = values[order], log_rank_scores(followed)[order]
    below = _candidates(ordered, (1 - middle) / 2)
    deviation = _standard_deviations(deaths, below)
    statistics = -np.cumsum(deaths)[below - 1] / deviation
    best = int(np.argmax(np.abs(statistics)))
    largest = float(abs(statistics[best]))
    drawn = _largest_by_chance(deaths, below, deviation, (generator, permutations))
    cuts = (ordered[below - 1] + ordered[below]) / 2
    return Cutoff(
        float(cuts[best]),
        "maximally selected log-rank",
        largest,
        2 * float(norm.sf(largest)),
        lausen_schumacher_p(largest, below[0] / values.size, below[-1] / values.size),
        # The outcomes as they were count as one permutation, so p is never zero.
        (1 + int((drawn >= largest - 1e-12).sum())) / (permutations + 1),
        cuts,
        statistics,
    )


def log_rank_scores(followed: Outcome) -> Floats:
    """Observed less expected deaths (n,) of each patient if all died alike; they sum to 0.

    Raises:
        ValueError: nobody died.
    """
    if followed.events == 0:
        raise ValueError("log-rank scores need deaths, and nobody died")
    months, tie = np.unique(followed.months, return_inverse=True)
    deaths = np.bincount(tie, followed.event, months.size)
    leaving = np.bincount(tie, minlength=months.size)
    hazard = np.cumsum(deaths / np.cumsum(leaving[::-1])[::-1])
    return np.asarray(followed.event - hazard[tie])


def lausen_schumacher_p(statistic: float, low: float = 0.1, high: float = 0.9) -> float:
    """p of the largest of all standardised statistics cut between two quantiles of the score."""
    if not low < high:
        return 2 * float(norm.sf(statistic))
    if statistic <= 1:
        # The approximation is one of tails.
        return 1.0
    density = float(norm.pdf(statistic))
    odds = math.log(high * (1 - low) / ((1 - high) * low))
    p = 4 * density / statistic + density * (statistic - 1 / statistic) * odds
    return float(np.clip(p, 2 * norm.sf(statistic), 1.0))


def _finite(score: ArrayLike) -> Floats:
    values = np.asarray(score, np.float64)
    if values.ndim != 1 or values.size == 0 or not np.isfinite(values).all():
        raise ValueError("needs a list of finite scores")
    return values


def _candidates(ordered: Floats, margin: float) -> NDArray[np.int_]:
    """How many patients lie below each cut that is tried: between two different scores."""
    n = ordered.size
    below = np.flatnonzero(np.diff(ordered) > 0) + 1
    kept = below[(below >= margin * n) & (below <= (1 - margin) * n)]
    if kept.size == 0:
        raise ValueError(
            "the score has no two values in the middle of its distribution; it cannot be cut there"
        )
    return np.asarray(kept)


def _standard_deviations(deaths: Floats, below: NDArray[np.int_]) -> Floats:
    n = deaths.size
    return np.asarray(np.sqrt(below * (n - below) / (n * (n - 1)) * (deaths**2).sum()))


def _largest_by_chance(
    deaths: Floats,
    below: NDArray[np.int_],
    deviation: Floats,
    chance: tuple[np.random.Generator, int],
) -> Floats:
    generator, permutations = chance
    largest = []
    # In parts, so that ten thousand permutations of a thousand patients need little memory.
    for start in range(0, permutations, 500):
        count = min(500, permutations - start)
        drawn = generator.permuted(np.broadcast_to(deaths, (count, deaths.size)), axis=1)
        sums = np.cumsum(drawn, axis=1)[:, below - 1]
        largest.append(np.abs(sums / deviation).max(axis=1))
    return np.concatenate(largest)
