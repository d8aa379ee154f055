"""A Cox model as a scale of points that a clinician can add up.

A covariate's points are 100 beta_j (x_j - x_j,ref) / R, where R is the widest range of beta_k x_k
over any axis and the reference is the value of least risk on the axis, so that points start at 0
and the longest axis ends at 100 (Iasonos et al., J Clin Oncol 2008;26:1364). The total is the
linear predictor on another scale: survival from points is the model's, to rounding.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.documents import (
    check_format,
    model_head,
    read_document,
    told_in_head,
    write_document,
)
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.cox_prediction import Patient
from gliomaai_training.survival.readable import short_number
from gliomaai_training.survival.terms import (
    CategoricalTerm,
    MissingCovariateError,
    NumericTerm,
    Term,
    is_missing,
    term_document,
    term_from_document,
)

Floats = NDArray[np.float64]

FORMAT = "gliomaai nomogram"
VERSION = 1
HORIZONS_MONTHS = (12.0, 24.0, 60.0)
LONGEST = 100.0
"""Points at the end of the longest axis."""
TICKS = 9
"""About how many values a numeric axis names."""


@dataclass(frozen=True, eq=False)
class NomogramAxis:
    """The scale of one covariate."""

    term: Term
    points_per_column: Floats
    """(c,) points for one unit of each of the term's columns."""
    points_at_reference: float
    """Of the term's reference value."""
    ticks: tuple[tuple[str, float], ...]
    """Values to be named on the axis, with their points."""

    def points(self, value: Any) -> float:
        """Points of a known value; below 0 or above the axis where the cohort held none such.

        Raises:
            ValueError: impossible, or never seen.
        """
        columns = self.term.encode([value])[0]
        return float(self.points_at_reference + columns @ self.points_per_column)

    def states(self, value: Any) -> tuple[Floats, Floats]:
        """Probabilities (s,) and points (s,) of every state that a value leaves possible.

        Raises:
            ValueError: impossible, never seen, or no probabilities.
        """
        if isinstance(self.term, NumericTerm) or not isinstance(value, Mapping):
            return np.ones(1), np.array([self.points(value)])
        points = np.array([self.points(level) for level in self.term.levels])
        return self.term.probabilities(value), points

    @property
    def ends(self) -> tuple[float, float]:
        """Least and most points that the axis names."""
        points = [point for _, point in self.ticks]
        return min(points), max(points)


@dataclass(frozen=True)
class NomogramScore:
    """A patient on the nomogram."""

    points: Mapping[str, float]
    """By covariate. Of an uncertain category: as its expected hazard ratio."""
    total: float
    survival: Mapping[float, float]
    """By horizon in months, as the Cox model predicts it."""


@dataclass(frozen=True, eq=False)
class Nomogram:
    """Axes, and what a total means."""

    name: str
    cohort: str
    patients: int
    events: int
    axes: tuple[NomogramAxis, ...]
    log_hazard_per_point: float
    hazards: Mapping[float, float]
    """Cumulative hazard at each horizon in months of who has 0 points."""
    history: tuple[str, ...] = ()
    """What was done to the model after its fit."""

    def survival(self, total: float, months: float) -> float:
        """Probability to be alive at a horizon with so many points.

        Raises:
            ValueError: not one of the nomogram's horizons.
        """
        if months not in self.hazards:
            raise ValueError(f"{months:g} months is no horizon of {self.name}")
        return float(np.exp(-self.hazards[months] * np.exp(total * self.log_hazard_per_point)))

    def total_for(self, survival: float, months: float) -> float:
        """How many points mean this survival: the inverse of `survival`.

        Raises:
            ValueError: not between 0 and 1, or no such horizon.
        """
        if not 0 < survival < 1 or months not in self.hazards:
            raise ValueError(f"no points mean survival {survival} at {months:g} months")
        return float(np.log(-np.log(survival) / self.hazards[months]) / self.log_hazard_per_point)

    @property
    def total_ends(self) -> tuple[float, float]:
        """Least and most points that the axes can add up to."""
        return sum(a.ends[0] for a in self.axes), sum(a.ends[1] for a in self.axes)

    def score(self, patient: Patient) -> NomogramScore:
        """A patient's points, total, and survival.

        Survival with an uncertain category is the expected value over its levels, as the Cox
        model's; the total's own survival differs from it a little then.

        Raises:
            MissingCovariateError: a covariate is not known.
            ValueError: an impossible value, a category never seen, probabilities in two terms.
        """
        missing = [a.term.label for a in self.axes if is_missing(patient.get(a.term.name))]
        if missing:
            raise MissingCovariateError(self.name, missing)
        states = {a.term.name: a.states(patient[a.term.name]) for a in self.axes}
        uncertain = [state for state in states.values() if state[0].size > 1]
        if len(uncertain) > 1:
            raise ValueError("probabilities are possible for one term only; join the states")
        per_point = self.log_hazard_per_point
        points = {
            name: float(np.log(chances @ np.exp(numbers * per_point)) / per_point)
            for name, (chances, numbers) in states.items()
        }
        certain = sum(float(numbers[0]) for _, numbers in states.values() if numbers.size == 1)
        chances, numbers = uncertain[0] if uncertain else (np.ones(1), np.zeros(1))
        survival = {
            months: float(chances @ [self.survival(certain + n, months) for n in numbers])
            for months in self.hazards
        }
        return NomogramScore(points, sum(points.values()), survival)

    def document(self) -> dict[str, Any]:
        """The nomogram as JSON holds it; every number comes back exactly."""
        return {
            **model_head(FORMAT, VERSION, self),
            "events": self.events,
            "history": list(self.history),
            "axes": [
                {
                    "term": term_document(axis.term),
                    "points_per_column": axis.points_per_column.tolist(),
                    "points_at_reference": axis.points_at_reference,
                    "ticks": [list(tick) for tick in axis.ticks],
                }
                for axis in self.axes
            ],
            "log_hazard_per_point": self.log_hazard_per_point,
            "hazards": [[months, hazard] for months, hazard in self.hazards.items()],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The nomogram from JSON.

        Raises:
            ValueError: it is no such document, or incomplete.
        """
        check_format(document, FORMAT, VERSION)
        try:
            axes = tuple(
                NomogramAxis(
                    term_from_document(axis["term"]),
                    np.asarray(axis["points_per_column"], np.float64),
                    float(axis["points_at_reference"]),
                    tuple((str(word), float(point)) for word, point in axis["ticks"]),
                )
                for axis in document["axes"]
            )
            return cls(
                **told_in_head(document),
                events=int(document["events"]),
                axes=axes,
                log_hazard_per_point=float(document["log_hazard_per_point"]),
                hazards={float(months): float(hazard) for months, hazard in document["hazards"]},
                history=tuple(document["history"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError(f"the nomogram cannot be read: {error!r}") from error


def make_nomogram(
    model: CoxModel,
    stratum: str | None = None,
    horizons_months: Sequence[float] = HORIZONS_MONTHS,
) -> Nomogram:
    """The nomogram of a Cox model, for one of its strata.

    Axes span what the cohort held, to round numbers. Horizons after its follow-up are left out.

    Raises:
        ValueError: no covariate changes the risk, no horizon is within the follow-up, or no such
            stratum.
    """
    baseline = model.baseline(stratum)
    within = [h for h in horizons_months if baseline.months[0] <= h <= baseline.follow_up_months]
    if not within:
        raise ValueError(f"{model.name} tells survival at none of {list(horizons_months)} months")
    drawn = [(term, model.coefficients[model.slice_of(term)], _ticks(term)) for term in model.terms]
    ends = []
    for term, beta, values in drawn:
        shares = term.encode(_span(term, values)) @ beta
        ends.append((float(shares.min()), float(shares.max())))
    widest = max(high - low for low, high in ends)
    if not widest > 0:
        raise ValueError(f"no covariate of {model.name} changes the risk")
    scale = LONGEST / widest
    axes = []
    for (term, beta, values), (low, _) in zip(drawn, ends, strict=True):
        points = (term.encode(values) @ beta - low) * scale
        words = [value if isinstance(value, str) else short_number(value) for value in values]
        ticks = tuple(zip(words, points.tolist(), strict=True))
        axes.append(NomogramAxis(term, beta * scale, -low * scale, ticks))
    least = sum(low for low, _ in ends)
    hazards = baseline.cumulative(np.asarray(within)) * np.exp(least)
    return Nomogram(
        model.name,
        model.cohort,
        model.patients,
        model.events,
        tuple(axes),
        1 / scale,
        dict(zip(within, hazards.tolist(), strict=True)),
        model.history,
    )


def _span(term: Term, values: Sequence[Any]) -> Sequence[Any]:
    """Values between the ends of an axis, close enough to find where a bent one turns."""
    if isinstance(term, CategoricalTerm):
        return values
    return [*values, *np.linspace(values[0], values[-1], 201).tolist()]


def _ticks(term: Term) -> Sequence[Any]:
    """Values that an axis names: every category, or round numbers around what was observed."""
    if isinstance(term, CategoricalTerm):
        return term.levels
    low, high = term.observed[0], term.observed[-1]
    numbers = _decades(low, high) if term.transform.startswith("log") else _steps(low, high)
    inside = [v for v in numbers if low < v < high]
    below = [v for v in numbers if term.allowed[0] <= v <= low]
    above = [v for v in numbers if high <= v <= term.allowed[1]]
    return [max(below, default=low), *inside, min(above, default=high)]


def _steps(low: float, high: float) -> list[float]:
    rough = (high - low) / TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough * 0.999)
    counts = np.arange(np.floor(low / step), np.ceil(high / step) + 1)
    return [float(round(step * count, 10)) for count in counts]


def _decades(low: float, high: float) -> list[float]:
    numbers = [step * 10.0**decade for decade in range(-4, 9) for step in (1, 2, 5)]
    # Of a logarithm, nothing is below zero; log1p begins there.
    return [0.0, *numbers] if low < numbers[0] else numbers


def read_nomogram(file: Path) -> Nomogram:
    """A nomogram from its file.

    Raises:
        ValueError: the file is none.
    """
    return Nomogram.from_document(read_document(file))


def write_nomogram(nomogram: Nomogram, file: Path) -> None:
    """Writes a nomogram as JSON."""
    write_document(nomogram.document(), file)
