"""Installs what is missing in a process of its own, so that the window stays alive."""

import queue
import threading
from collections.abc import Sequence
from typing import IO

from GliomaAILib.worker import launch


class Installation:
    """One run of pip; a face polls it."""

    can_be_cancelled = True

    def __init__(self, command: Sequence[str]) -> None:
        """Starts it.

        Raises:
            OSError: it cannot be started.
        """
        self._process = launch.start(command, {})
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        streams = (self._process.stdout, self._process.stderr)
        self._threads = [
            threading.Thread(target=self._read, args=(stream,), daemon=True) for stream in streams
        ]
        for thread in self._threads:
            thread.start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 0 when everything is installed."""
        if any(thread.is_alive() for thread in self._threads):
            return None
        return self._process.poll()

    def lines(self) -> list[str]:
        """What it said since the last call."""
        found = []
        while not self._lines.empty():
            found.append(self._lines.get_nowait())
        return found

    def cancel(self) -> None:
        """Ends it at once; what was installed completely stays."""
        launch.kill(self._process)

    def _read(self, stream: IO[bytes] | None) -> None:
        for line in stream or ():
            if text := line.decode("utf-8", "replace").strip():
                self._lines.put(text)
