"""What the worker process and the process that uses it say to each other.

One JSON object a line, in UTF-8, over the worker's standard input and output. Nothing beyond the
standard library is imported here, because Slicer's own process imports this at start.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

PROTOCOL_VERSION = 1


class ProtocolError(ValueError):
    """A line is no message of this protocol."""


@dataclass(frozen=True)
class Analyze:
    """Analyse a study and write the result."""

    job: str
    """A name that no other job has."""
    study: str
    """Folder of the study, or one image file."""
    out: str
    """Folder of the result."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """File, series folder or series UID by sequence, where the user chose."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `PreparationConfig`, under `preparation`, of `EngineConfig`, under `engine`, and
    `model`, the path of another segmentation pack."""


@dataclass(frozen=True)
class Reassess:
    """Assess the study of an earlier job again, with a corrected mask."""

    job: str
    analysis: str
    """The job that analysed the study."""
    mask: str
    """File of the corrected mask, on the grid of that job's segmentation."""
    out: str
    """Folder of the result."""


@dataclass(frozen=True)
class Cancel:
    """Stop the job; without effect when it has ended already."""

    job: str


@dataclass(frozen=True)
class Ready:
    """The worker listens."""

    version: str
    """Of GliomaAI."""
    protocol: int = PROTOCOL_VERSION


@dataclass(frozen=True)
class StageProgress:
    """How far a job is."""

    job: str
    stage: str
    fraction: float
    """Of this stage, 0 to 1."""


@dataclass(frozen=True)
class Finished:
    """A job is done."""

    job: str
    files: Mapping[str, str]
    """Paths of what it wrote, by kind."""


class FailureReason(StrEnum):
    """Why a job gave no result, so that its user can be told what to do."""

    INPUT = "input"
    """The study cannot be read."""
    CHOICE = "choice"
    """A sequence has to be chosen; the message holds the table of candidates."""
    BLOCKED = "blocked"
    """There is no result that could be trusted."""
    MODEL = "model"
    """A model pack is missing or damaged."""
    OUTPUT = "output"
    """The result cannot be written."""
    MEMORY = "memory"
    """There is not enough memory."""
    UNKNOWN_JOB = "unknown_job"
    """The study to reassess is not in this worker's memory: analyse it again."""
    CRASH = "crash"
    """The worker ended without a word."""
    UNEXPECTED = "unexpected"
    """An error nobody foresaw."""


@dataclass(frozen=True)
class Failed:
    """A job gave no result; nothing was written."""

    job: str
    reason: FailureReason
    message: str


@dataclass(frozen=True)
class Cancelled:
    """A job was stopped; nothing was written."""

    job: str


Request = Analyze | Reassess | Cancel
Event = Ready | StageProgress | Finished | Failed | Cancelled

_MESSAGES: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Analyze,
        Reassess,
        Cancel,
        Ready,
        StageProgress,
        Finished,
        Failed,
        Cancelled,
    )
}


def encode(message: Request | Event) -> str:
    """A message as one line, its end included."""
    return json.dumps({"kind": type(message).__name__, **asdict(message)}) + "\n"


def decode(line: str) -> Request | Event:
    """The message of one line.

    Raises:
        ProtocolError: it is none.
    """
    try:
        content = json.loads(line)
    except ValueError as error:
        raise ProtocolError(f"no JSON: {line[:80]!r}") from error
    if not isinstance(content, dict) or content.get("kind") not in _MESSAGES:
        raise ProtocolError(f"no message of protocol {PROTOCOL_VERSION}: {line[:80]!r}")
    kind = _MESSAGES[content.pop("kind")]
    known = {one.name for one in fields(kind)}
    try:
        if kind is Failed:
            content["reason"] = FailureReason(str(content.get("reason")))
        message: Request | Event = kind(**{k: v for k, v in content.items() if k in known})
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"{kind.__name__} is incomplete: {error}") from error
    return message
