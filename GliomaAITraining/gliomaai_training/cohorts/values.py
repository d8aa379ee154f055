"""From the spellings of public tables to the project's words; nothing is guessed.

A table is read as text, so that nothing is converted behind one's back; an empty cell is unknown.
Messages name column, row and value, never the patient.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import pandas as pd

from gliomaai_training.vocabulary import DAYS_PER_MONTH, MAX_AGE_YEARS

Word = TypeVar("Word")
MAX_FOLLOW_UP_MONTHS = 12 * MAX_AGE_YEARS


def read_text_table(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """A CSV with all cells as text and empty cells as "".

    Raises:
        ValueError: there is no such file, it is empty, or a column is missing.
    """
    if not path.is_file():
        raise ValueError(f"there is no {path}: is the data root right?")
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    missing = [name for name in columns if name not in table.columns]
    if missing:
        raise ValueError(f"{path.name} lacks the columns {', '.join(missing)}")
    if table.empty:
        raise ValueError(f"{path.name} has no rows")
    return table


def translate(column: "pd.Series[str]", words: Mapping[str, Word | None]) -> list[Word | None]:
    """The word for each cell; None for an empty cell or a spelling that stands for unknown.

    Raises:
        ValueError: a spelling that nobody has mapped.
    """
    for row, value in enumerate(column, start=1):
        if value and value not in words:
            raise ValueError(
                f"column {column.name}, row {row}: {value!r} is not mapped; known spellings are "
                f"{', '.join(map(repr, words))}"
            )
    return [words[value] if value else None for value in column]


def numbers(column: "pd.Series[str]", low: float, high: float) -> list[float]:
    """The number in each cell; NaN for an empty one.

    Raises:
        ValueError: a cell that is no number, or one out of `low` to `high`.
    """
    return [
        _number(value, f"column {column.name}, row {row}", low, high) if value else math.nan
        for row, value in enumerate(column, start=1)
    ]


def ages(column: "pd.Series[str]") -> list[float]:
    """Years of life.

    Raises:
        ValueError: as `numbers`, for ages that nobody reaches.
    """
    return numbers(column, 0.0, MAX_AGE_YEARS)


def months(column: "pd.Series[str]") -> list[float]:
    """Months of follow-up.

    Raises:
        ValueError: as `numbers`, for negative times or more than a lifetime.
    """
    return numbers(column, 0.0, MAX_FOLLOW_UP_MONTHS)


def months_of_days(column: "pd.Series[str]") -> list[float]:
    """Months of follow-up that the table gives in days.

    Raises:
        ValueError: as `months`.
    """
    days = numbers(column, 0.0, MAX_FOLLOW_UP_MONTHS * DAYS_PER_MONTH)
    return [day / DAYS_PER_MONTH for day in days]


def first_known(*columns: Sequence[Word | None]) -> list[Word | None]:
    """For each row the first of the columns that knows."""
    return [
        next((value for value in values if value is not None), None)
        for values in zip(*columns, strict=True)
    ]


def _number(text: str, where: str, low: float, high: float) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{where}: {text!r} is no number") from None
    if not low <= value <= high:
        raise ValueError(f"{where}: {text} is not possible, it is {low:g} to {high:g}")
    return value
