"""Observed survival of groups of the cohort, beside which a patient's own curve is shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.documents import check_format, read_document, write_document
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.product_limit import product_limit

FORMAT = "gliomaai reference groups"
VERSION = 1
LEAST_PATIENTS = 10
"""Fewer give no curve that could be compared with."""


@dataclass(frozen=True)
class ReferenceGroup:
    """Survival that was observed (Kaplan-Meier) in one group of patients."""

    name: str
    patients: int
    events: int
    months: tuple[float, ...]
    """Rising, from 0."""
    survival: tuple[float, ...]
    """0 to 1 at each of `months`, never rising."""
    risk_below: float | None = None
    """The group's patients have less risk than this, and no less than the group before; None for
    groups by anything else, and for the last."""

    def __post_init__(self) -> None:
        months, survival = np.asarray(self.months, float), np.asarray(self.survival, float)
        if months.size < 2 or months.shape != survival.shape or months[0] != 0:
            raise ValueError(f"group {self.name!r} has no curve from month 0 on")
        if not ((np.diff(months) > 0).all() and (np.diff(survival) <= 0).all()):
            raise ValueError(f"months of group {self.name!r} must rise and survival must not")
        if not (survival[0] <= 1 and survival[-1] >= 0 and self.patients > 0):
            raise ValueError(f"group {self.name!r} has nobody, or survival outside 0 to 1")


@dataclass(frozen=True)
class ReferenceGroups:
    """Groups of one cohort."""

    cohort: str
    """Which patients, in words."""
    groups: tuple[ReferenceGroup, ...]
    """By risk: the lowest first."""

    def of_risk(self, risk: float) -> ReferenceGroup | None:
        """The group of a risk; None where the groups are not made by risk."""
        if all(group.risk_below is None for group in self.groups):
            return None
        inside = (g for g in self.groups if g.risk_below is None or risk < g.risk_below)
        return next(inside)

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        names = ReferenceGroup.__dataclass_fields__
        return {
            "format": FORMAT,
            "version": VERSION,
            "cohort": self.cohort,
            "groups": [{name: getattr(one, name) for name in names} for one in self.groups],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From JSON.

        Raises:
            ValueError: it is no such document, of another version, or incomplete.
        """
        check_format(document, FORMAT, VERSION)
        try:
            groups = tuple(
                ReferenceGroup(
                    name=str(one["name"]),
                    patients=int(one["patients"]),
                    events=int(one["events"]),
                    months=tuple(map(float, one["months"])),
                    survival=tuple(map(float, one["survival"])),
                    risk_below=None if one["risk_below"] is None else float(one["risk_below"]),
                )
                for one in document["groups"]
            )
            return cls(str(document["cohort"]), groups)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"the reference groups cannot be read: {error!r}") from error


def observed_groups(
    cohort: str, groups: Mapping[str, Outcome], every_months: float = 1.0
) -> ReferenceGroups:
    """The observed survival of groups, thinned to every so many months.

    Raises:
        ValueError: a group has fewer than ten patients.
    """
    return ReferenceGroups(cohort, tuple(_group(n, o, every_months) for n, o in groups.items()))


def risk_groups(
    cohort: str,
    risk: NDArray[np.float64],
    followed: Outcome,
    names: Sequence[str] = ("Lowest third of risk", "Middle third", "Highest third"),
) -> ReferenceGroups:
    """The observed survival of equally large groups by a model's risk.

    Args:
        cohort: which patients, in words.
        risk: (n,) linear predictors of the patients on whom the model was fitted.
        followed: their outcomes.
        names: of the groups, the lowest risk first.

    Raises:
        ValueError: two groups cannot be told apart, or one has fewer than ten patients.
    """
    cuts = np.quantile(risk, np.arange(1, len(names)) / len(names))
    if np.any(np.diff(cuts) <= 0):
        raise ValueError(f"risk is too coarse for {len(names)} groups")
    place = np.searchsorted(cuts, risk, side="right")
    below: list[float | None] = [*cuts.tolist(), None]
    groups = []
    for number, name in enumerate(names):
        group = _group(name, followed.take(place == number), 1.0)
        groups.append(replace(group, risk_below=below[number]))
    return ReferenceGroups(cohort, tuple(groups))


def _group(name: str, followed: Outcome, every_months: float) -> ReferenceGroup:
    if len(followed) < LEAST_PATIENTS:
        raise ValueError(
            f"group {name!r} has {len(followed)} patients; a curve needs {LEAST_PATIENTS}"
        )
    last = float(followed.months.max())
    months = np.unique([*np.arange(0.0, last, every_months).tolist(), last])
    survival = product_limit(followed).at(months)
    return ReferenceGroup(
        name, len(followed), followed.events, tuple(months.tolist()), tuple(survival.tolist())
    )


def read_reference_groups(file: Path) -> ReferenceGroups:
    """Groups from their file.

    Raises:
        ValueError: the file holds none.
    """
    document = read_document(file)
    if not isinstance(document, dict):
        raise ValueError(f"{file} holds no reference groups")
    return ReferenceGroups.from_document(document)


def write_reference_groups(groups: ReferenceGroups, file: Path) -> None:
    """Writes groups as JSON."""
    write_document(groups.document(), file)
