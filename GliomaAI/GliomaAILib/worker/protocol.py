"""What the worker process and the process that uses it say to each other.

One JSON object a line, in UTF-8, over the worker's standard input and output. Nothing beyond the
standard library is imported here, because Slicer's own process imports this at start.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

PROTOCOL_VERSION = 3


class ProtocolError(ValueError):
    """A line is no message of this protocol."""


@dataclass(frozen=True)
class Inspect:
    """Find out what a study holds, without analysing it."""

    job: str
    study: str
    """Folder of the study, or one image file."""
    out: str = ""
    """Folder for the usable volumes, as raw NRRD files; not written where empty."""


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
    `model`, the path of another segmentation or multi-task pack."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Fields of `ClinicalFacts` that the user gave; they go before what headers say."""


@dataclass(frozen=True)
class Reassess:
    """Assess the study of an earlier analysis again, with a corrected mask or other facts."""

    job: str
    analysis: Analyze
    """What analysed the study; where this worker does not remember it, the study is prepared again,
    but no segmentation network runs."""
    network_mask: str
    """File of the mask that the analysis gave."""
    mask: str
    """File of the corrected mask, on the same grid."""
    out: str
    """Folder of the result."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """As in `Analyze`, as they are known now."""
    provenance: Mapping[str, Any] = field(default_factory=dict)
    """`provenance` of the analysis's document: which packs made the network's mask, where this
    worker does not remember it."""
    explain: bool = False
    """Whether the network's answers are explained, too; that takes minutes on a CPU."""


@dataclass(frozen=True)
class SaveTrainingCase:
    """Keep a corrected case where the training package finds it."""

    job: str
    reassessment: Reassess
    """What gives the mask to train on."""
    folder: str
    """Of the cohort: a table with a folder for each case beside it."""
    case: str
    """Name of the case in the cohort; no identifier of the patient."""


@dataclass(frozen=True)
class Simulate:
    """Make a synthetic patient to try things with."""

    job: str
    seed: int
    out: str
    """Folder of the study; it must not be there yet."""


@dataclass(frozen=True)
class FindDevices:
    """Find out on which devices the network can run."""

    job: str


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
    found: Mapping[str, Any] = field(default_factory=dict)
    """What `Inspect` found: `candidates`, `taken`, `question`, `findings` and `facts`; what
    `FindDevices` found: `cuda`, `cpu_cores` and `automatic`."""


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


Job = Inspect | Analyze | Reassess | SaveTrainingCase | Simulate | FindDevices
Request = Job | Cancel
Event = Ready | StageProgress | Finished | Failed | Cancelled

_MESSAGES: Mapping[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        Inspect,
        Analyze,
        Reassess,
        SaveTrainingCase,
        Simulate,
        FindDevices,
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
    try:
        message: Request | Event = _built(kind, content)
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"{kind.__name__} is incomplete: {error}") from error
    return message


_NESTED: Mapping[tuple[type[Any], str], Callable[[Any], Any]] = {
    (Failed, "reason"): lambda value: FailureReason(str(value)),
    (Reassess, "analysis"): lambda value: _built(Analyze, value),
    (SaveTrainingCase, "reassessment"): lambda value: _built(Reassess, value),
}
"""Fields that are more than JSON."""


def _built(kind: type[Any], content: Mapping[str, Any]) -> Any:
    """A message from its fields; what a later version added is passed over."""
    if not isinstance(content, Mapping):
        raise TypeError(f"{kind.__name__} is {type(content).__name__}")
    names = {one.name for one in fields(kind)} & set(content)
    values = {name: content[name] for name in names}
    for name in names:
        if (kind, name) in _NESTED:
            values[name] = _NESTED[kind, name](values[name])
    return kind(**values)
