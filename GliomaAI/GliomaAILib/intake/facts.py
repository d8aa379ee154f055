"""What is known of a patient beyond the images, and what of it is possible."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from gliomaai_training.vocabulary import CLINICAL_WORDS, KPS_STEP, MAX_AGE_YEARS, WHO_GRADES

VALUES: dict[str, tuple[str, ...]] = dict(CLINICAL_WORDS)
"""The words that a fact may take; everything else is refused rather than guessed at."""

GRADES = WHO_GRADES


@dataclass(frozen=True)
class ClinicalFacts:
    """What headers and the user say of the patient; None where nobody says."""

    age_years: float | None = None
    sex: str | None = None
    """`F` or `M`."""
    kps: int | None = None
    """Karnofsky performance status, 10 to 100."""
    resection: str | None = None
    """Planned or done: of `VALUES`."""
    idh: str | None = None
    """Known from tissue: of `VALUES`."""
    codeletion_1p19q: str | None = None
    """Known from tissue: of `VALUES`."""
    grade: int | None = None
    """Known from tissue: of `GRADES`."""

    def __post_init__(self) -> None:
        for name, allowed in VALUES.items():
            _check(name, getattr(self, name), allowed)
        _check("grade", self.grade, GRADES)
        _check("kps", self.kps, tuple(range(KPS_STEP, 101, KPS_STEP)))
        if self.age_years is not None and not possible_age(self.age_years):
            raise ValueError(f"an age of {self.age_years} years is not possible")
        if self.idh == "wild-type" and self.codeletion_1p19q == "co-deleted":
            raise ValueError(
                "IDH wild-type with 1p/19q co-deletion is no WHO 2021 state: one of them is wrong"
            )

    @property
    def known(self) -> dict[str, Any]:
        """The facts that somebody gave, by name."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}

    def overridden_by(self, other: "ClinicalFacts") -> "ClinicalFacts":
        """These facts, except where `other` knows better.

        Raises:
            ValueError: together they are not possible.
        """
        return replace(self, **other.known)


def facts_of(values: Mapping[str, Any]) -> ClinicalFacts:
    """Facts from outside, by the names of the fields.

    Raises:
        ValueError: a name is unknown, or a value is none that the fact can have.
    """
    names = {one.name for one in fields(ClinicalFacts)}
    if unknown := sorted(set(values) - names):
        raise ValueError(f"unknown facts {unknown}; known are {', '.join(sorted(names))}")
    return ClinicalFacts(**values)


def possible_age(years: object) -> bool:
    """Whether somebody can be so old."""
    if isinstance(years, bool) or not isinstance(years, int | float):
        return False
    return math.isfinite(years) and 0 <= years <= MAX_AGE_YEARS


def age_of_string(text: str) -> float | None:
    """Years of an age string (DICOM PS3.5, value representation AS: `054Y`, `018M`); else None."""
    text = text.strip().upper()
    per_year = {"Y": 1.0, "M": 12.0, "W": 52.1775, "D": 365.25}
    if text[-1:] not in per_year or not text[:-1].isdecimal() or int(text[:-1]) == 0:
        return None
    years = int(text[:-1]) / per_year[text[-1]]
    return years if possible_age(years) else None


def _check(name: str, value: object, allowed: tuple[object, ...]) -> None:
    if value is not None and (isinstance(value, bool) or value not in allowed):
        words = ", ".join(str(one) for one in allowed)
        raise ValueError(f"{name} is {value!r}; it can be {words}")
