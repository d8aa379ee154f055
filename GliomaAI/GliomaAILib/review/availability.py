"""Which commands can be given now, and why the others cannot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.review.message import Message, translate
from GliomaAILib.review.state import Command
from GliomaAILib.scene.port import CaseRecord, LoadedVolume

NAMES: Mapping[str, str] = {"t1": "T1", "t1gd": "T1Gd", "t2": "T2", "flair": "FLAIR"}
"""The sequences as people write them."""


@dataclass(frozen=True)
class Situation:
    """What decides on the commands."""

    record: CaseRecord
    volumes: Sequence[LoadedVolume]
    busy: Message | None = None
    """What is under way."""
    cancellable: bool = True
    """Whether what is under way can be stopped."""
    missing: Message | None = None
    """What has to be installed before anything can run."""
    corrected: bool = False
    edited: bool = False
    """Whether the mask may differ from the network's."""
    document: Mapping[str, Any] = field(default_factory=dict)
    """The shown `assessment.json`; empty without a result."""


def commands(situation: Situation) -> Mapping[str, Command]:
    """Every command by its name."""
    record, busy = situation.record, situation.busy
    has_result = bool(record.document)
    waiting = busy or situation.missing
    no_result = (
        None
        if has_result
        else Message(translate("GliomaAI", "There is no result yet: run the analysis first."))
    )
    return {
        "run": _command(
            waiting or input_problem(situation),
            translate("GliomaAI", "Segment and assess the tumour."),
        ),
        "cancel": _cancel(situation),
        "reassess": _command(
            waiting or no_result or _up_to_date(record),
            translate(
                "GliomaAI", "Assess again with the corrected mask; the network does not run again."
            ),
        ),
        "explain": _command(
            waiting or no_result or _nothing_to_explain(situation),
            translate(
                "GliomaAI",
                "What each sequence adds to the network's answers, and where in the images they "
                "come from; it takes minutes without a graphics card.",
            ),
        ),
        "restore": _command(
            busy or no_result or _untouched(situation),
            translate("GliomaAI", "Bring back the mask as the network drew it."),
        ),
        "export": _command(
            busy or no_result, translate("GliomaAI", "Write the results into one folder.")
        ),
        "save_case": _command(
            waiting or no_result,
            translate("GliomaAI", "Keep images and mask as a case to train on."),
        ),
    }


def _cancel(situation: Situation) -> Command:
    if situation.busy is None:
        return Command(False, Message(translate("GliomaAI", "Nothing is running.")))
    if not situation.cancellable:
        return Command(False, Message(translate("GliomaAI", "This cannot be stopped any more.")))
    return Command(True, Message(translate("GliomaAI", "Stop; the scene stays as it was.")))


def _command(problem: Message | None, purpose: str) -> Command:
    return Command(problem is None, problem or Message(purpose))


def _up_to_date(record: CaseRecord) -> Message | None:
    return (
        None if record.out_of_date else Message(translate("GliomaAI", "Everything is up to date."))
    )


def _nothing_to_explain(situation: Situation) -> Message | None:
    document = situation.document
    if not document.get("network"):
        why = document.get("not_estimated", {}).get("network")
        if why:
            return Message(translate("GliomaAI", "Nothing to explain: {why}"), {"why": why})
        return Message(
            translate(
                "GliomaAI",
                "The model pack segments and answers nothing else: choose a multi-task pack in the "
                "settings, and run the analysis again.",
            )
        )
    if document.get("explanation") and not situation.record.out_of_date:
        return Message(translate("GliomaAI", "The answers are explained already."))
    return None


def _untouched(situation: Situation) -> Message | None:
    if situation.corrected or situation.edited:
        return None
    return Message(translate("GliomaAI", "The mask is the network's own."))


def input_problem(situation: Situation) -> Message | None:
    """What stands against a run with the volumes as they are chosen; None when nothing does."""
    by_id = {volume.id: volume for volume in situation.volumes}
    chosen = {
        name: by_id[identity]
        for name in SEQUENCES
        if (identity := situation.record.sequences.get(name, "")) in by_id
    }
    if not by_id:
        return Message(
            translate("GliomaAI", "No volume is loaded: open a study folder, or load the images.")
        )
    if not chosen:
        return Message(
            translate(
                "GliomaAI", "No volume is chosen: choose at least one of T1, T1Gd, T2 and FLAIR."
            )
        )
    for first, volume in chosen.items():
        for second, other in chosen.items():
            if first < second and volume.id == other.id:
                return Message(
                    translate(
                        "GliomaAI",
                        "{first} and {second} are the same volume: choose another for one of them.",
                    ),
                    {"first": NAMES[first], "second": NAMES[second]},
                )
    if len({volume.examination for volume in chosen.values()} - {""}) > 1:
        return Message(
            translate(
                "GliomaAI", "The volumes come from different examinations: choose those of one."
            )
        )
    return None
