"""What a part of a model was measured to add to the model without it, cohort by cohort.

It goes beside the model into its pack, so that whoever shows both curves can say what the
difference between them is worth.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from gliomaai_training.documents import check_format

FORMAT = "gliomaai evidence"
VERSION = 1

Interval = tuple[float, float, float]
"""Estimate, low and high end of the 95 % interval."""


class Verdict(StrEnum):
    """What an interval of a difference allows to say."""

    ADDS = "adds"
    NOTHING = "adds nothing"
    """The difference may be chance."""
    HARMS = "makes it worse"


@dataclass(frozen=True)
class Gain:
    """Harrell's C with the part less that without it, in the same patients of one cohort."""

    cohort: str
    patients: int
    events: int
    against: str
    """What the model without the part knows, in words: `age, sex`."""
    concordance: Interval
    """With the part."""
    difference: Interval
    p: float
    """Two-sided, of no difference."""

    def __post_init__(self) -> None:
        if not 0 < self.events <= self.patients:
            raise ValueError(f"{self.events} events in {self.patients} patients are impossible")
        for estimate, low, high in (self.concordance, self.difference):
            if not (math.isfinite(estimate) and low <= high):
                raise ValueError(f"{(estimate, low, high)} is no estimate with an interval")
        if not 0 <= self.p <= 1:
            raise ValueError(f"p lies between 0 and 1, unlike {self.p}")

    @property
    def verdict(self) -> Verdict:
        """By the interval of the difference."""
        _, low, high = self.difference
        return Verdict.ADDS if low > 0 else Verdict.HARMS if high < 0 else Verdict.NOTHING


@dataclass(frozen=True)
class Evidence:
    """Everything that was measured of one model."""

    added: str
    """The part, in words: `volume and form of the tumour`."""
    method: str
    """How it was measured: `patients left out of the fit`."""
    gains: tuple[Gain, ...]
    """At least one."""

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        names = Gain.__dataclass_fields__
        return {
            "format": FORMAT,
            "version": VERSION,
            "added": self.added,
            "method": self.method,
            "gains": [{name: getattr(gain, name) for name in names} for gain in self.gains],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From JSON.

        Raises:
            ValueError: it is no such document, of another version, incomplete or impossible.
        """
        check_format(document, FORMAT, VERSION)
        try:
            gains = tuple(
                Gain(
                    str(one["cohort"]),
                    int(one["patients"]),
                    int(one["events"]),
                    str(one["against"]),
                    _interval(one["concordance"]),
                    _interval(one["difference"]),
                    float(one["p"]),
                )
                for one in document["gains"]
            )
            if not gains:
                raise ValueError("evidence without any cohort")
            return cls(str(document["added"]), str(document["method"]), gains)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the evidence cannot be read: {error!r}") from error


def _interval(numbers: Any) -> Interval:
    estimate, low, high = map(float, numbers)
    return estimate, low, high
