"""The worker's main loop: takes requests one after the other, tells events, stops when asked."""

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TextIO

from gliomaai_training.progress import Cancelled as CancelledError
from gliomaai_training.progress import Progress
from GliomaAILib import __version__
from GliomaAILib.worker.protocol import (
    Cancel,
    Cancelled,
    Event,
    Failed,
    FailureReason,
    Finished,
    Job,
    ProtocolError,
    Ready,
    StageProgress,
    decode,
    encode,
)

logger = logging.getLogger(__name__)

TELL_EVERY_S = 0.1
"""Progress within a stage is told no more often."""

Work = Callable[[Job, Progress], Finished]
"""Does a job and tells what it wrote and found."""
Explain = Callable[[BaseException], tuple[FailureReason, str]]
"""Says why a job failed."""


class Server:
    """Serves one client over a pair of text streams.

    The end of the input is the client's end: the job under way is cancelled and the worker ends.
    """

    def __init__(self, requests: TextIO, events: TextIO, work: Work, explain: Explain) -> None:
        self._requests, self._events = requests, events
        self._work, self._explain = work, explain
        self._jobs: queue.Queue[Job | None] = queue.Queue()
        self._cancelled: set[str] = set()
        self._closed = threading.Event()

    def serve(self, idle_s: float) -> None:
        """Returns when the client is gone, or when there was nothing to do for `idle_s` seconds."""
        threading.Thread(target=self._listen, daemon=True).start()
        self._tell(Ready(__version__))
        while True:
            try:
                job = self._jobs.get(timeout=idle_s)
            except queue.Empty:
                return
            if job is None:
                return
            self._tell(self._outcome(job))

    def _listen(self) -> None:
        for line in self._requests:
            try:
                message = decode(line)
            except ProtocolError as error:
                logger.warning("request not understood: %s", error)
                continue
            if isinstance(message, Cancel):
                self._cancelled.add(message.job)
            elif isinstance(message, Job):
                self._jobs.put(message)
        self._closed.set()
        self._jobs.put(None)

    def _outcome(self, job: Job) -> Event:
        try:
            return self._work(job, self._progress_of(job))
        except CancelledError:
            return Cancelled(job.job)
        except Exception as error:
            logger.debug("job %s failed", job.job, exc_info=True)
            reason, message = self._explain(error)
            return Failed(job.job, reason, message)

    def _progress_of(self, job: Job) -> Progress:
        last_stage, last_told_s = "", 0.0

        def progress(stage: str, fraction: float) -> None:
            nonlocal last_stage, last_told_s
            if job.job in self._cancelled or self._closed.is_set():
                raise CancelledError
            now_s = time.monotonic()
            if stage != last_stage or fraction >= 1 or now_s - last_told_s >= TELL_EVERY_S:
                last_stage, last_told_s = stage, now_s
                self._tell(StageProgress(job.job, stage, min(max(fraction, 0.0), 1.0)))

        return progress

    def _tell(self, event: Event) -> None:
        try:
            self._events.write(encode(event))
            self._events.flush()
        except (BrokenPipeError, ValueError):  # the client is gone
            self._closed.set()
