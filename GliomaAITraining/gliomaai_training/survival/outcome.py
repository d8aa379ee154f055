"""What happened to the patients: follow-up and death."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Outcome:
    """Right-censored survival of n patients."""

    months: NDArray[np.float64]
    """(n,) from diagnosis or surgery to death or last contact."""
    event: NDArray[np.bool_]
    """(n,) whether `months` ended in death."""

    def __post_init__(self) -> None:
        if self.months.ndim != 1 or self.months.shape != self.event.shape:
            raise ValueError(
                f"needs one time and one event for each patient, not {self.months.shape} and "
                f"{self.event.shape}"
            )
        wrong = self.months[~(np.isfinite(self.months) & (self.months >= 0))]
        if wrong.size:
            raise ValueError(f"survival of {wrong[0]} months is not possible")

    def __len__(self) -> int:
        return int(self.months.size)

    @property
    def events(self) -> int:
        """How many died."""
        return int(self.event.sum())

    def take(self, rows: NDArray[np.int_] | NDArray[np.bool_]) -> Self:
        """The outcome of some of the patients, by index or mask."""
        return type(self)(self.months[rows], self.event[rows])


def outcome(months: ArrayLike, event: ArrayLike) -> Outcome:
    """An outcome from any sequences of numbers.

    Raises:
        ValueError: a negative or unknown time, an event that is neither 0 nor 1, or unequal
            lengths.
    """
    died = np.asarray(event, np.float64)
    if not np.isin(died, (0.0, 1.0)).all():
        raise ValueError(f"events are 0 or 1, not {died[~np.isin(died, (0.0, 1.0))][0]}")
    return Outcome(np.asarray(months, np.float64), died.astype(bool))
