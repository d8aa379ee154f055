"""Why a study could not become a Case, in words that say what to do."""

from collections.abc import Sequence
from dataclasses import dataclass


class StudyError(ValueError):
    """There is nothing usable in what was given, or what was asked for is not there."""


@dataclass(frozen=True)
class CandidateRow:
    """One line of the table from which a person chooses. Holds no identifier of the patient."""

    number: int
    """What the person may type to name it; counts from 1."""
    sequence: str
    """The most likely of `vocabulary.SEQUENCES`, or `?`."""
    confidence: float
    description: str
    slices: int
    spacing_mm: tuple[float, float, float]
    why: str


class AmbiguousStudyError(StudyError):
    """More than one reading of the study is possible: a person has to choose."""

    def __init__(self, question: str, candidates: Sequence[CandidateRow]) -> None:
        super().__init__(f"{question} Name the file or series to take, for example --t1gd 2.")
        self.question = question
        self.candidates = tuple(candidates)

    def table(self) -> str:
        """The question, its candidates as plain text and how to choose among them."""
        header = ("no.", "sequence", "confidence", "slices", "spacing mm", "description", "why")
        rows = [header, *(_cells(row) for row in self.candidates)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(header))]
        lines = [
            "  ".join(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        lines.insert(1, "  ".join("-" * width for width in widths))
        return "\n".join([self.question, "", *lines, "", HOW_TO_CHOOSE])


HOW_TO_CHOOSE = (
    "Choose with --t1 PATH, --t1gd PATH, --t2 PATH or --flair PATH, where PATH is a file, the "
    "folder of a series, a series UID or a number of this table, for example: --t1gd 2"
)


def _cells(row: CandidateRow) -> tuple[str, ...]:
    spacing = " x ".join(f"{value:.2f}" for value in row.spacing_mm)
    confidence = f"{100 * row.confidence:.0f} %"
    return (
        str(row.number),
        row.sequence,
        confidence,
        str(row.slices),
        spacing,
        row.description,
        row.why,
    )
