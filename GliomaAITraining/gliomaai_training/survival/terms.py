"""What a Cox model knows of a patient: its terms, and how a value becomes columns of numbers.

A term's columns are zero at its reference, so a patient with every reference value has risk 0 and
a term's share of the risk is its columns times their coefficients. Only numpy is imported here:
the clinic encodes patients with these classes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

Value = float | str | Mapping[str, float] | None
"""A number, a category, probabilities over the categories, or unknown."""

Transform = Literal["linear", "log", "log1p", "arsinh"]
"""`arsinh` is of the distance to the reference in units of the scale: linear near the reference,
logarithmic far from it on either side, so that it takes any number and a far one does not run
away."""

_TRANSFORMS: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {"linear": np.asarray, "log": np.log, "log1p": np.log1p}
)
_LOWEST: Mapping[str, float] = MappingProxyType(
    {"linear": -math.inf, "log": 0.0, "log1p": -1.0, "arsinh": -math.inf}
)
"""A transform's argument lies above this."""
_PROBABILITY_TOLERANCE = 1e-6
"""By how much probabilities may miss a sum of one."""


class Columns(Protocol):
    """A table by columns: a pandas DataFrame, or a mapping of sequences."""

    def __getitem__(self, name: str, /) -> Any: ...

    def __contains__(self, name: object, /) -> bool: ...


class MissingCovariateError(ValueError):
    """A model needs what is not known of a patient."""

    def __init__(self, model: str, names: Sequence[str]) -> None:
        self.names = tuple(names)
        super().__init__(
            f"{model} needs {', '.join(names)}, which is not known; give it, or use a model "
            "without it"
        )


def is_missing(value: object) -> bool:
    """Whether a value says nothing: None, NaN, or an empty text."""
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    # pandas' own NA, told by its name: the clinic reads values without pandas.
    return value is None or type(value).__name__ in ("NAType", "NaTType") or value == ""


@dataclass(frozen=True)
class NumericTerm:
    """A number, straight or bent by a restricted cubic spline (Harrell, RMS, section 2.4.5)."""

    name: str
    label: str
    unit: str
    """Empty for a number without a unit."""
    reference: float
    """Where the term says nothing."""
    allowed: tuple[float, float]
    """Outside this a value is a mistake."""
    observed: tuple[float, float, float, float, float]
    """Minimum, quartiles and maximum in the cohort the model was fitted on."""
    scale: float = 1.0
    """How much of the (transformed) value one coefficient stands for: 10 gives hazard ratios by
    decade of age."""
    transform: Transform = "linear"
    knots: tuple[float, ...] = ()
    """At least three, in the value's own unit; empty for a straight term."""

    def __post_init__(self) -> None:
        if self.transform not in get_args(Transform):
            raise ValueError(f"{self.name}: {self.transform!r} is no transform")
        if not self.scale > 0:
            raise ValueError(f"{self.name}: the scale must be positive, not {self.scale}")
        if len(self.knots) in (1, 2) or np.any(np.diff(self.knots) <= 0):
            raise ValueError(f"{self.name}: needs three or more rising knots, not {self.knots}")
        if self.knots and self.transform == "arsinh":
            raise ValueError(f"{self.name}: arsinh and a spline are two bends; take one")
        if not _LOWEST[self.transform] <= self.allowed[0] < self.allowed[1]:
            raise ValueError(f"{self.name}: {self.allowed} is no range for {self.transform}")
        for number in (self.reference, *self.observed, *self.knots):
            self._check(np.asarray([number]))

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: one, and one more for each inner knot of a spline."""
        return (self.name, *(self.name + "'" * k for k in range(1, len(self.knots) - 1)))

    def encode(self, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.float64]:
        """Columns (n, c) of n known values.

        Raises:
            ValueError: a value is not a number or is impossible.
        """
        try:
            numbers = np.asarray(values, np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.label} must be a number: {error}") from error
        self._check(numbers)
        if self.transform == "arsinh":
            return np.arcsinh((numbers[:, None] - self.reference) / self.scale)
        return (self._basis(numbers) - self._basis(np.asarray([self.reference]))) / self.scale

    def is_extrapolated(self, value: float) -> bool:
        """Whether the value lies outside what the cohort held."""
        return not self.observed[0] <= value <= self.observed[-1]

    def _check(self, numbers: NDArray[np.float64]) -> None:
        low, high = self.allowed
        possible = (numbers >= low) & (numbers <= high) & (numbers > _LOWEST[self.transform])
        if not possible.all():
            unit = f" {self.unit}" if self.unit else ""
            raise ValueError(
                f"{self.label} of {numbers[~possible][0]:g}{unit} is not possible: it lies between "
                f"{low:g} and {high:g}{unit}"
            )

    def _basis(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        change = _TRANSFORMS[self.transform]
        x = np.asarray(change(numbers), np.float64)[:, None]
        if not self.knots:
            return x
        knots = np.asarray(change(np.asarray(self.knots)), np.float64)
        inner, before_last, last = knots[None, :-2], knots[-2], knots[-1]
        width = last - before_last
        bent = (
            _cube(x - inner)
            - _cube(x - before_last) * (last - inner) / width
            + _cube(x - last) * (before_last - inner) / width
        )
        return np.hstack([x, bent / (last - knots[0]) ** 2])


@dataclass(frozen=True)
class CategoricalTerm:
    """One of several categories, known or as probabilities."""

    name: str
    label: str
    levels: tuple[str, ...]
    reference: str
    """The level that says nothing."""
    counts: tuple[int, ...]
    """Patients of each level in the cohort the model was fitted on."""

    def __post_init__(self) -> None:
        if len(self.levels) < 2 or len(set(self.levels)) != len(self.levels):
            raise ValueError(f"{self.name}: needs two or more different levels, not {self.levels}")
        if self.reference not in self.levels:
            raise ValueError(f"{self.name}: {self.reference!r} is none of {self.levels}")
        if len(self.counts) != len(self.levels):
            raise ValueError(f"{self.name}: one count for each level, not {self.counts}")

    @property
    def others(self) -> tuple[str, ...]:
        """The levels that have a column: all but the reference."""
        return tuple(level for level in self.levels if level != self.reference)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns: one for each level but the reference."""
        return tuple(f"{self.name}={level}" for level in self.others)

    def encode(self, values: Sequence[Any] | NDArray[Any]) -> NDArray[np.float64]:
        """Columns (n, levels - 1) of n known categories.

        Raises:
            ValueError: a category that the model has never seen.
        """
        for value in values:
            if not isinstance(value, str) or value not in self.levels:
                raise ValueError(
                    f"{self.label} {value!r} was never seen; known are {', '.join(self.levels)}"
                )
        return np.array([[float(value == level) for level in self.others] for value in values])

    def probabilities(self, value: Value) -> NDArray[np.float64]:
        """Probabilities (levels,), as `levels` is ordered, of a known or a predicted category.

        Raises:
            ValueError: a level never seen, or numbers that are no probabilities.
        """
        if not isinstance(value, Mapping):
            self.encode([value])
            return np.array([float(value == level) for level in self.levels])
        self.encode(list(value))
        chances = np.array([float(value.get(level, 0.0)) for level in self.levels])
        if not (chances >= 0).all() or abs(chances.sum() - 1) > _PROBABILITY_TOLERANCE:
            raise ValueError(
                f"{self.label}: {dict(value)} are no probabilities; they are positive and sum to 1"
            )
        return np.asarray(chances / chances.sum())


Term = NumericTerm | CategoricalTerm


class OfTerms:
    """What a model of terms is made of."""

    name: str
    terms: tuple[Term, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the p columns."""
        return tuple(column for term in self.terms for column in term.columns)

    @property
    def covariates(self) -> tuple[str, ...]:
        """Names of what must be known of a patient."""
        return tuple(term.name for term in self.terms)

    def check_terms(self) -> None:
        """
        Raises:
            ValueError: there is none, or one twice.
        """
        if not self.terms or len(set(self.covariates)) != len(self.terms):
            raise ValueError(f"{self.name}: needs terms, each once")


def term_document(term: Term) -> dict[str, Any]:
    """A term as JSON holds it."""
    kind = "numeric" if isinstance(term, NumericTerm) else "categorical"
    fields = {name: getattr(term, name) for name in type(term).__dataclass_fields__}
    return {
        "kind": kind,
        **{name: list(v) if isinstance(v, tuple) else v for name, v in fields.items()},
    }


def term_from_document(document: Mapping[str, Any]) -> Term:
    """A term from JSON.

    Raises:
        ValueError: it is neither numeric nor categorical, or a field is wrong.
    """
    kinds: dict[object, Callable[..., Term]] = {
        "numeric": NumericTerm,
        "categorical": CategoricalTerm,
    }
    if (kind := document.get("kind")) not in kinds:
        raise ValueError(f"{kind!r} is no kind of term; known are numeric, categorical")
    fields = {n: tuple(v) if isinstance(v, list) else v for n, v in document.items() if n != "kind"}
    try:
        return kinds[kind](**fields)
    except TypeError as error:
        raise ValueError(f"term {document.get('name')!r} cannot be read: {error}") from error


def _cube(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.maximum(x, 0.0) ** 3)
