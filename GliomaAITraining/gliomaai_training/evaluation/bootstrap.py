"""Bootstrap intervals by patient (Efron 1979; percentile interval), for all resamples at once."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Statistic = Literal["mean", "median"]

RESAMPLES = 2000


@dataclass(frozen=True)
class Interval:
    """A statistic and its percentile bootstrap interval."""

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.3f} ({self.low:.3f} to {self.high:.3f})"


@dataclass(frozen=True)
class BootstrapConfig:
    """What to estimate and how."""

    statistic: Statistic = "mean"
    """Of values by case; a metric of its own, as a concordance, has no use for it."""
    resamples: int = RESAMPLES
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.statistic not in ("mean", "median"):
            raise ValueError(f"statistic {self.statistic!r} is neither mean nor median")
        if self.resamples < 1:
            raise ValueError(f"resamples must be at least 1, not {self.resamples}")
        if not 0 < self.level < 1:
            raise ValueError(f"level must lie between 0 and 1, not {self.level}")


BOOTSTRAP = BootstrapConfig()
"""What is used where nothing else is asked for."""


def bootstrap_interval(
    values: ArrayLike,
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
    patients: Sequence[Hashable] | None = None,
) -> Interval:
    """The mean or median of cases' values, with its interval.

    Patients are drawn with replacement, each with all its cases, so that two scans of one patient
    do not count as two patients.

    Args:
        values: one for each case.
        generator: source of the draws; the same state gives the same interval.
        config: the statistic, the number of draws and the level.
        patients: each case's patient; None if every case is a patient of its own.

    Raises:
        ValueError: no values, a value that is not finite, or not one patient for each value.
    """
    cases = np.asarray(values, np.float64)
    if cases.ndim != 1 or cases.size == 0:
        raise ValueError(f"needs a list of at least one value, not shape {cases.shape}")
    if not np.isfinite(cases).all():
        raise ValueError("a value is not finite; leave out that case or score it")
    order = np.argsort(cases, kind="stable")
    statistic = _means if config.statistic == "mean" else _medians
    return bootstrap(
        lambda draws: statistic(cases[order], draws[:, order]),
        cases.size,
        generator,
        config,
        patients,
    )


def bootstrap(
    statistic: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    cases: int,
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
    patients: Sequence[Hashable] | None = None,
) -> Interval:
    """Any statistic of cases with its interval, patients drawn as in `bootstrap_interval`.

    Args:
        statistic: from (resamples, cases) counts of how often each case was drawn to the
            (resamples,) values; NaN where a resample has none, which is then left out.
        cases: their number.
        generator: source of the draws.
        config: the number of draws and the level.
        patients: each case's patient; None if every case is a patient of its own.

    Raises:
        ValueError: not one patient for each case, or no resample has a value.
    """
    return intervals(lambda draws: statistic(draws)[:, None], cases, generator, config, patients)[0]


def intervals(
    statistics: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    cases: int,
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
    patients: Sequence[Hashable] | None = None,
) -> list[Interval]:
    """Several statistics at once, from the same draws: `bootstrap` of (resamples, k) values.

    Raises:
        ValueError: as `bootstrap`.
    """
    estimates = statistics(np.ones((1, cases), np.int64))[0]
    spread = statistics(patient_draws(cases, generator, config.resamples, patients))
    return [
        percentile_interval(float(estimate), values, config.level)
        for estimate, values in zip(estimates, spread.T, strict=True)
    ]


def patient_draws(
    cases: int,
    generator: np.random.Generator,
    resamples: int = RESAMPLES,
    patients: Sequence[Hashable] | None = None,
) -> NDArray[np.int64]:
    """(resamples, cases) how often each case is drawn where patients are, with replacement.

    Raises:
        ValueError: there are no cases, or not one patient for each.
    """
    if cases < 1:
        raise ValueError("a bootstrap needs at least one case")
    owner = _patient_index(patients, cases)
    count = int(owner.max()) + 1
    return generator.multinomial(count, np.full(count, 1.0 / count), resamples)[:, owner]


def percentile_interval(estimate: float, spread: NDArray[np.float64], level: float) -> Interval:
    """An estimate with the percentile interval of its resamples; those that are NaN are left out.

    Raises:
        ValueError: no resample has a value.
    """
    known = spread[np.isfinite(spread)]
    if not known.size:
        raise ValueError("the statistic is undefined in every resample: too few patients")
    tail = (1.0 - level) / 2
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return Interval(estimate, float(low), float(high))


def paired_difference(
    ours: ArrayLike,
    theirs: ArrayLike,
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
    patients: Sequence[Hashable] | None = None,
) -> Interval:
    """The mean or median of `ours - theirs`, two methods' values for the same cases.

    See `bootstrap_interval` for the arguments.

    Raises:
        ValueError: as `bootstrap_interval`, or the two lists differ in length.
    """
    first, second = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if first.shape != second.shape:
        raise ValueError(f"paired values differ in number: {first.shape} and {second.shape}")
    return bootstrap_interval(first - second, generator, config, patients)


def _patient_index(patients: Sequence[Hashable] | None, cases: int) -> NDArray[np.int64]:
    if patients is None:
        return np.arange(cases)
    if len(patients) != cases:
        raise ValueError(f"{cases} values but {len(patients)} patients")
    numbers = {patient: number for number, patient in enumerate(dict.fromkeys(patients))}
    return np.array([numbers[patient] for patient in patients])


def _means(values: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.asarray(weights @ values / weights.sum(axis=1))


def _medians(values: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Medians of sorted values, each repeated as often as a row of weights says."""
    reached = weights.cumsum(axis=1)
    total = reached[:, -1:]
    # The middle one of an odd number; the middle two, averaged, of an even one.
    lower = (reached >= (total + 1) // 2).argmax(axis=1)
    upper = (reached >= total // 2 + 1).argmax(axis=1)
    return np.asarray((values[lower] + values[upper]) / 2)
