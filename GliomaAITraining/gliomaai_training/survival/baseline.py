"""The baseline hazard of a Cox model: that of the patient with every reference value.

Breslow's estimator, with what an interval needs: the variance that it would have if the
coefficients were known, and the mean of the covariates of who was at risk (Tsiatis 1981; Therneau
and Grambsch, Modeling Survival Data, section 10.2).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.survival.outcome import Outcome

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Baseline:
    """A cumulative hazard that steps up at k times of death."""

    months: Floats
    """(k,) rising."""
    hazard: Floats
    """(k,) cumulative, from each time on; zero before the first."""
    variance: Floats
    """(k,) of `hazard`, were the coefficients known."""
    mean_design: Floats
    """(k, p) mean of the encoded covariates of who was at risk, over the hazard so far."""
    follow_up_months: float
    """The longest that anybody was followed; nothing is known of later."""
    patients: int
    events: int

    def __post_init__(self) -> None:
        k = self.months.size
        if k == 0 or self.hazard.shape != (k,) or self.variance.shape != (k,):
            raise ValueError(f"needs one hazard and one variance for each of {k} times")
        if self.mean_design.ndim != 2 or self.mean_design.shape[0] != k:
            raise ValueError(f"needs {k} rows of covariates, not {self.mean_design.shape}")
        if np.any(np.diff(self.months) <= 0) or self.months[0] < 0:
            raise ValueError("the months of a baseline hazard must rise")
        if np.any(np.diff(self.hazard) < 0) or not self.hazard[0] > 0:
            raise ValueError("a cumulative hazard is positive and never falls")
        if not self.follow_up_months >= self.months[-1]:
            raise ValueError(f"{self.follow_up_months} months of follow-up end before the hazard")

    def steps(self, months: Floats) -> NDArray[np.int_]:
        """The step (m,) that holds at each of m times; -1 before the first.

        Raises:
            ValueError: a time that is negative or after the last follow-up.
        """
        wrong = months[~((months >= 0) & (months <= self.follow_up_months))]
        if wrong.size:
            raise ValueError(
                f"survival at {wrong[0]:g} months cannot be told: patients were followed for "
                f"{self.follow_up_months:.1f} months"
            )
        return np.searchsorted(self.months, months, side="right") - 1

    def cumulative(self, months: Floats) -> Floats:
        """Cumulative hazard (m,) at m times."""
        step = self.steps(months)
        return np.where(step < 0, 0.0, self.hazard[np.maximum(step, 0)])

    def thinned(self, every_months: float) -> Self:
        """The same hazard at multiples of `every_months`, with fewer steps in between.

        Survival at every multiple stays exactly what it was; between two it is that at the later.
        """
        if not every_months > 0:
            raise ValueError(f"cannot thin to every {every_months} months")
        bins = np.ceil(self.months / every_months)
        last = np.flatnonzero(np.append(np.diff(bins) > 0, True))
        months = bins[last] * every_months
        return type(self)(
            months,
            self.hazard[last],
            self.variance[last],
            self.mean_design[last],
            max(self.follow_up_months, float(months[-1])),
            self.patients,
            self.events,
        )

    def document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value
            for name in type(self).__dataclass_fields__
            for value in [getattr(self, name)]
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """From JSON.

        Raises:
            ValueError: a part is missing or wrong.
        """
        try:
            months, hazard, variance, mean_design = (
                np.asarray(document[name], np.float64)
                for name in ("months", "hazard", "variance", "mean_design")
            )
            return cls(
                months,
                hazard,
                variance,
                mean_design,
                float(document["follow_up_months"]),
                int(document["patients"]),
                int(document["events"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the baseline hazard cannot be read: {error}") from error


def breslow(design: Floats, coefficients: Floats, followed: Outcome) -> Baseline:
    """Breslow's baseline hazard for n encoded patients (n, p) and p coefficients.

    Raises:
        ValueError: nobody died.
    """
    if followed.events == 0:
        raise ValueError("a baseline hazard needs deaths, and nobody died")
    order = np.argsort(-followed.months, kind="stable")
    months, died = followed.months[order], followed.event[order].astype(float)
    weight = np.exp(design[order] @ coefficients)
    at_risk = np.cumsum(weight)
    at_risk_design = np.cumsum(weight[:, None] * design[order], axis=0)
    # The last row of each tied time holds everybody who was still at risk then.
    last = np.flatnonzero(np.append(np.diff(months) != 0, True))
    deaths = np.diff(np.cumsum(died)[last], prepend=0.0)
    keep = (deaths > 0)[::-1]
    times, deaths = months[last][::-1][keep], deaths[::-1][keep]
    total = at_risk[last][::-1][keep]
    mean = at_risk_design[last][::-1][keep] / total[:, None]
    rise = deaths / total
    hazard = np.cumsum(rise)
    return Baseline(
        times,
        hazard,
        np.cumsum(deaths / total**2),
        np.cumsum(rise[:, None] * mean, axis=0) / hazard[:, None],
        float(followed.months.max()),
        len(followed),
        followed.events,
    )
