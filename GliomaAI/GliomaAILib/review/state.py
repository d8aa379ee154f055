"""What a face shows of a review, complete: a face needs nothing else to draw itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gliomaai_training.findings import Severity
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.review.message import Message


@dataclass(frozen=True)
class Command:
    """Whether a command can be given now, and why not."""

    enabled: bool
    why: Message
    """What it does where it is enabled; what it waits for where it is not."""


@dataclass(frozen=True)
class SequenceChoice:
    """Which volume is taken for a sequence."""

    volume: str = ""
    """Id in the scene; empty for none."""
    confidence: float | None = None
    """0 to 1 of recognition; None where the user chose, or nothing is known."""
    evidence: tuple[str, ...] = ()
    by_hand: bool = False


@dataclass(frozen=True)
class Notice:
    """A finding in plain words, with what to do."""

    severity: Severity
    message: Message
    action: Message | None = None


@dataclass(frozen=True)
class Work:
    """What is under way."""

    title: Message
    stage: str
    fraction: float
    """Of the stage, 0 to 1."""
    done: float | None
    """Of the whole, 0 to 1; None where nobody could say."""
    left_s: float | None
    """Seconds left in all; None where nobody could say."""


@dataclass(frozen=True)
class MeasureRow:
    """One line of the table of measures."""

    name: Message
    value: Message | str
    """A number as it is written, or words."""
    unit: str
    before: Message | str = ""
    """What it was with the network's own mask; empty where that is the same, or shown already."""
    current: bool = True
    """False where the mask has changed since it was computed."""


@dataclass(frozen=True)
class ReviewState:
    """One moment of a review."""

    sequences: Mapping[str, SequenceChoice] = field(
        default_factory=lambda: {name: SequenceChoice() for name in SEQUENCES}
    )
    facts: ClinicalFacts = field(default_factory=ClinicalFacts)
    notices: tuple[Notice, ...] = ()
    """Of the input and the result, the most severe first."""
    work: Work | None = None
    outcome: Notice | None = None
    """How the last command ended, where the user has to know."""
    commands: Mapping[str, Command] = field(default_factory=dict)
    """By name: `run`, `cancel`, `reassess`, `explain`, `restore`, `export`, `save_case`."""
    has_result: bool = False
    analysis: str = ""
    """A name of the run whose result is shown; every run has another."""
    out_of_date: bool = False
    corrected: bool = False
    measures: tuple[MeasureRow, ...] = ()
    audit: tuple[Message, ...] = ()
    """What the corrections changed against the network's mask."""
    report: Path | None = None
    document: Mapping[str, object] = field(default_factory=dict)
    """The shown `assessment.json`; empty without a result."""
