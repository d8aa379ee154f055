"""Which devices there are to compute on, asked of a worker before anything runs."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from GliomaAILib.review.activity import WorkerPort
from GliomaAILib.review.message import Message, translate
from GliomaAILib.worker.protocol import Failed, FindDevices, Finished

UNKNOWN = Message(translate("GliomaAI", "Which devices there are is not known yet."))
SEARCHING = Message(translate("GliomaAI", "Looking for devices..."))
NO_CUDA = Message(translate("GliomaAI", "CUDA: not found."))
CUDA_WANTED = Message(
    translate("GliomaAI", "CUDA is chosen and was not found: choose another device.")
)


class DeviceSearch:
    """Asks once; its worker lives no longer than that takes.

    A face calls `poll` from its event loop and shows `lines`.
    """

    def __init__(self, worker: WorkerPort) -> None:
        """`worker`: idle, and for this alone."""
        self._worker = worker
        self._found: Mapping[str, Any] | None = None
        self._searching = False
        self._problem: Message | None = None

    def begin(self) -> None:
        """Asks, unless that was done or is under way; everything has to be installed."""
        if self._searching or self._found is not None:
            return
        try:
            self._worker.submit(FindDevices(uuid.uuid4().hex))
        except OSError as error:
            self._problem = _not_found(error)
            return
        self._searching, self._problem = True, None

    def poll(self) -> bool:
        """Looks whether there is an answer; True where `lines` may be others now."""
        if not self._searching:
            return False
        for event in self._worker.poll():
            if isinstance(event, Finished):
                self._found = event.found
                self.close()
                return True
            if isinstance(event, Failed):
                self._problem = _not_found(event.message)
                self.close()
                return True
        return False

    def lines(self, chosen: str) -> Sequence[Message]:
        """What is known, in sentences.

        Args:
            chosen: `auto`, `cuda` or `cpu`, as in the settings.
        """
        if self._found is not None:
            return _lines(self._found, chosen)
        return [self._problem or (SEARCHING if self._searching else UNKNOWN)]

    def close(self) -> None:
        """Ends the worker, and the search where it is under way."""
        self._searching = False
        self._worker.close()


def _lines(found: Mapping[str, Any], chosen: str) -> Sequence[Message]:
    cards = [
        Message(
            translate("GliomaAI", "CUDA: {name}, {memory} GiB."),
            {"name": card["name"], "memory": f"{card['memory_gib']:.0f}"},
        )
        for card in found["cuda"]
    ]
    lines = [
        *(cards or [NO_CUDA]),
        Message(translate("GliomaAI", "CPU: {cores} cores."), {"cores": found["cpu_cores"]}),
    ]
    if chosen == "auto":
        device = str(found["automatic"]).upper()
        lines.append(
            Message(translate("GliomaAI", "Automatic takes {device}."), {"device": device})
        )
    elif chosen == "cuda" and not cards:
        lines.append(CUDA_WANTED)
    return lines


def _not_found(reason: object) -> Message:
    return Message(
        translate("GliomaAI", "Which devices there are could not be found out: {why}"),
        {"why": reason},
    )
