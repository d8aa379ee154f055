"""Which volume of a scene is which sequence, as the worker recognised it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gliomaai_training.findings import Severity
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.review.message import Message, translate, verbatim
from GliomaAILib.review.sentences import sentence
from GliomaAILib.review.state import Notice, SequenceChoice
from GliomaAILib.scene.port import CaseRecord, LoadedVolume


@dataclass(frozen=True)
class Recognition:
    """What recognition said of a scene's volumes."""

    taken: Mapping[str, str] = field(default_factory=dict)
    """Volume id by sequence."""
    choices: Mapping[str, SequenceChoice] = field(default_factory=dict)
    """By volume id: the confidence that it is its most likely sequence, and why."""
    notices: tuple[Notice, ...] = ()
    facts: ClinicalFacts = field(default_factory=ClinicalFacts)


def recognition(found: Mapping[str, Any], names: Mapping[str, LoadedVolume]) -> Recognition:
    """Reads what `worker.protocol.Inspect` found.

    Args:
        found: `Finished.found`.
        names: the volume by the name under which it was written.
    """
    by_number = {}
    choices = {}
    for candidate in found["candidates"]:
        name = str(candidate["file"]).rpartition(".")[0]
        if name in names:
            by_number[candidate["number"]] = names[name].id
            choices[names[name].id] = SequenceChoice(
                names[name].id, float(candidate["confidence"]), tuple(candidate["evidence"])
            )
    notices = [notice(finding, names) for finding in found["findings"]]
    if found["question"]:
        notices.insert(0, Notice(Severity.WARNING, verbatim(found["question"]), _CHOOSE))
    taken = {s: by_number[n] for s, n in found["taken"].items() if n in by_number}
    facts = ClinicalFacts(**{k: v for k, v in found["facts"].items() if v is not None})
    return Recognition(taken, choices, tuple(notices), facts)


_CHOOSE = Message(translate("GliomaAI", "Choose the volume of each sequence above."))

ACTIONS: Mapping[str, Message] = {
    "intake.missing_sequence": Message(
        translate("GliomaAI", "Load it, or choose its volume above.")
    ),
    "intake.contradiction": Message(
        translate("GliomaAI", "Look at the image; choose another volume if it is wrong.")
    ),
    "intake.duplicate": Message(translate("GliomaAI", "Choose another volume for one of them.")),
}
"""What to do in a window where the command line would name an option."""


def notice(finding: Mapping[str, Any], names: Mapping[str, LoadedVolume] | None = None) -> Notice:
    """A finding of the worker as a notice; files are called as their volumes are."""
    message = str(finding["message"])
    for name, volume in (names or {}).items():
        message = message.replace(f"'{name}.nrrd'", f"'{volume.name}'")
    action = ACTIONS.get(str(finding["code"]))
    if action is None and finding["action"] and "--" not in finding["action"]:
        action = sentence(str(finding["action"]))
    return Notice(Severity(finding["severity"]), sentence(message), action)


def filled(record: CaseRecord, seen: Recognition, volumes: Sequence[LoadedVolume]) -> CaseRecord:
    """The record with recognised volumes where the user chose none."""
    by_hand = {name: record.sequences.get(name, "") for name in record.by_hand}
    used = set(by_hand.values()) - {""}
    there = {volume.id for volume in volumes}
    sequences = {name: volume for name, volume in by_hand.items() if volume in there}
    for name in SEQUENCES:
        volume = seen.taken.get(name, "")
        if name not in by_hand and volume in there - used:
            sequences[name] = volume
    known = {**seen.facts.known, **record.facts.known}
    try:
        facts = ClinicalFacts(**known)
    except ValueError:  # a header's fact that contradicts what the user said
        facts = record.facts
    return CaseRecord(
        sequences,
        record.by_hand,
        facts,
        record.analysis,
        record.document,
        record.network_document,
        record.out_of_date,
    )


MOST_VOLUMES = 24
"""More are not looked at unasked: each is copied and read."""

_TOO_MANY = Notice(
    Severity.WARNING,
    Message(translate("GliomaAI", "The scene holds too many volumes to look at all of them.")),
    _CHOOSE,
)


def candidates(
    volumes: Sequence[LoadedVolume], record: CaseRecord
) -> tuple[Sequence[LoadedVolume], Notice | None]:
    """The volumes of the one examination that the case is about; a notice when that is open.

    A volume of unknown origin goes with any examination.
    """
    marks = {volume.examination for volume in volumes} - {""}
    by_id = {volume.id: volume for volume in volumes}
    chosen = {
        by_id[record.sequences[name]].examination
        for name in record.by_hand
        if record.sequences.get(name) in by_id
    } - {""}
    if len(marks) > 1 and len(chosen) == 1:
        volumes = [volume for volume in volumes if volume.examination in chosen | {""}]
        marks = chosen
    if len(marks) < 2:
        return (volumes, None) if len(volumes) <= MOST_VOLUMES else ((), _TOO_MANY)
    return (), Notice(
        Severity.WARNING,
        Message(
            translate("GliomaAI", "The scene holds volumes of {n} examinations."), {"n": len(marks)}
        ),
        Message(
            translate(
                "GliomaAI",
                "Choose the volume of one sequence; the others follow from its examination.",
            )
        ),
    )
