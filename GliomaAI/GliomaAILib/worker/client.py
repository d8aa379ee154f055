"""The other end of the worker: starts it, gives it jobs and tells how they go.

Nothing here blocks: a face calls `Worker.poll` from its event loop, about twenty times a second,
and handles what happened since. Nothing beyond the standard library is imported.
"""

import queue
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import IO

from GliomaAILib.worker import launch
from GliomaAILib.worker.protocol import (
    Cancel,
    Cancelled,
    Event,
    Failed,
    FailureReason,
    Finished,
    Job,
    ProtocolError,
    Request,
    decode,
    encode,
)

CANCEL_GRACE_S = 1.5
"""A worker that has not stopped by itself after so long is killed."""

_LINES_KEPT = 20


class WorkerBusyError(RuntimeError):
    """A job is under way; cancel it or wait."""


class Worker:
    """One worker process at a time, started when it is first needed and kept for the next job.

    A worker that ended because it was idle is started again without anybody noticing.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Starts nothing yet.

        Args:
            command: program and arguments that run `GliomaAILib.worker`.
            environment: variables beside those of this process.
            clock: seconds.
        """
        self._command = tuple(command)
        self._environment = dict(environment or {})
        self._clock = clock
        self._process: _Process | None = None
        self._job: Job | None = None
        self._heard = False
        self._kill_at_s: float | None = None

    @property
    def busy(self) -> bool:
        """Whether a job is under way."""
        return self._job is not None

    def submit(self, job: Job) -> None:
        """Gives the worker a job.

        Raises:
            WorkerBusyError: one is under way.
            OSError: the worker cannot be started.
        """
        if self._job is not None:
            raise WorkerBusyError("an analysis is running: cancel it first, or wait for its end")
        self._job, self._heard, self._kill_at_s = job, False, None
        try:
            self._send(job)
        except OSError:
            self._job = None
            raise

    def cancel(self) -> None:
        """Asks the job under way to stop; `poll` tells when it has, or kills the worker."""
        if self._job is None or self._kill_at_s is not None:
            return
        self._kill_at_s = self._clock() + CANCEL_GRACE_S
        if self._process is not None and self._process.alive:
            self._process.send(Cancel(self._job.job))

    def poll(self) -> list[Event]:
        """What happened since the last call; a job's last event is that it finished, failed or was
        cancelled."""
        events: list[Event] = []
        process = self._process
        if process is None or self._job is None:
            return events
        ended = not process.alive  # asked before the queue is emptied, so that nothing is missed
        for event in process.events():
            if getattr(event, "job", None) == self._job.job:
                self._heard = True
                events.append(event)
                if isinstance(event, Finished | Failed | Cancelled):
                    self._job = None
                    return events
        if self._kill_at_s is not None and (ended or self._clock() >= self._kill_at_s):
            events.append(Cancelled(self._job.job))
            self.close()
        elif ended:
            events += self._after_the_end(process)
        return events

    def close(self) -> None:
        """Ends the worker at once; a job under way is lost, and nothing of it is left."""
        if self._process is not None:
            self._process.kill()
        self._process, self._job, self._kill_at_s = None, None, None

    def _after_the_end(self, process: "_Process") -> list[Event]:
        """The worker ended with a job under way: it crashed, or it was idle just before."""
        if self._job is None:
            return []
        if process.exit_code == 0 and not self._heard:
            self._send(self._job)
            return []
        failed = Failed(self._job.job, FailureReason.CRASH, process.epitaph())
        self.close()
        return [failed]

    def _send(self, job: Job) -> None:
        if self._process is None or not self._process.alive:
            self._process = _Process(self._command, self._environment)
        self._process.send(job)


class _Process:
    """A running worker with two threads that empty its pipes."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = launch.start(command, environment)
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._complaints: deque[str] = deque(maxlen=_LINES_KEPT)
        streams = self._process.stdout, self._process.stderr
        targets = self._read_events, self._read_complaints
        self._threads = [
            threading.Thread(target=target, args=(stream,), daemon=True)
            for target, stream in zip(targets, streams, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """False once it has ended and everything it said has been read."""
        running = self._process.poll() is None
        return running or any(thread.is_alive() for thread in self._threads)

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def send(self, message: Request) -> None:
        """Writes a message; one to a worker that has just ended is lost, and `alive` tells."""
        stream = self._process.stdin
        try:
            if stream is not None:
                stream.write(encode(message).encode())
                stream.flush()
        except (BrokenPipeError, ValueError):
            return

    def events(self) -> list[Event]:
        found = []
        while not self._events.empty():
            found.append(self._events.get_nowait())
        return found

    def kill(self) -> None:
        launch.kill(self._process)
        for thread in self._threads:  # the pipes have ended with the worker
            thread.join(timeout=1.0)
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None and not stream.closed:
                _close(stream)

    def epitaph(self) -> str:
        """How it ended, in words."""
        code = self._process.poll()
        words = "The analysis stopped unexpectedly"
        if code is not None and code < 0:
            words += f" (signal {_signal_name(-code)})"
            if -code == getattr(signal, "SIGKILL", None):
                words += ": the system ended it, most likely because memory ran out"
        elif self._complaints:
            words += f": {self._complaints[-1]}"
        else:
            words += f" (exit code {code})"
        return words + ". Nothing was changed; run it again."

    def _read_events(self, stream: IO[bytes]) -> None:
        for line in stream:
            try:
                message = decode(line.decode("utf-8", "replace"))
            except ProtocolError as error:
                self._complaints.append(str(error))
                continue
            if not isinstance(message, Job | Cancel):
                self._events.put(message)

    def _read_complaints(self, stream: IO[bytes]) -> None:
        for line in stream:
            if text := line.decode("utf-8", "replace").strip():
                self._complaints.append(text)


def _close(stream: IO[bytes]) -> None:
    try:
        stream.close()
    except (OSError, ValueError):  # what was still to be written has no reader any more
        return


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
