"""Numbers of covariates as people write them, in every table, figure and panel alike."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

DECIMALS: Mapping[str, int] = MappingProxyType({"years": 0, "months": 0, "mm": 0, "mL": 1, "%": 0})
"""By unit: more than this is noise of the measurement."""

SIGNIFICANT = 3
"""Digits of a number of any other unit, or without one."""


def short_number(value: float) -> str:
    """A number with three digits that count, never in powers of ten below a million."""
    return f"{float(f'{value:.{SIGNIFICANT}g}'):g}"


def readable(value: float, unit: str = "") -> str:
    """A covariate's value without its unit."""
    if unit not in DECIMALS:
        return short_number(value)
    return f"{round(value, DECIMALS[unit]) + 0.0:.{DECIMALS[unit]}f}"  # no minus before a zero


def readable_with_unit(value: float, unit: str = "") -> str:
    """A covariate's value: "63 years", "12.5 mL", "0.708"."""
    return f"{readable(value, unit)} {unit}".rstrip()


def whole_total(points: Iterable[float]) -> int:
    """A nomogram's total as it is written: of the points as they are written, so that it adds up.

    Survival is never computed from it, but from the exact points.
    """
    return sum(round(one) for one in points)
