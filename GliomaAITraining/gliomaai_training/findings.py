"""What a stage has to say about its input: the assessment carries every finding to the reader."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters to the result."""

    INFO = "info"
    """Worth knowing; the result stands."""
    WARNING = "warning"
    """The result may be wrong; a person must look."""
    BLOCKING = "blocking"
    """There is no result that could be trusted; the run stops."""


@dataclass(frozen=True)
class Finding:
    """One observation about the input or the result, in plain words.

    Holds no identifier of a patient: findings reach logs and reports.
    """

    code: str
    """Stable and machine-readable, in the form `stage.what`: `intake.duplicate`."""
    severity: Severity
    message: str
    """One sentence: what was found."""
    action: str = ""
    """One sentence: what the reader can do about it."""
    sequences: tuple[str, ...] = ()
    """The sequences concerned, if any."""


class BlockingFindingError(Exception):
    """Raised by a stage that cannot give a result that could be trusted."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.message} {finding.action}".strip())
        self.finding = finding
