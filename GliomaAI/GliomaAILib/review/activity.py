"""Work that takes time, as a chain of steps, without ever blocking the window.

A chain is a generator: between its steps it touches the scene, and each step it yields runs
elsewhere, in a thread or in the worker process. The face's timer drives it.
"""

from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Protocol

from GliomaAILib.review.message import Message, ToldError, translate, verbatim
from GliomaAILib.scene.port import SceneError
from GliomaAILib.worker.protocol import (
    Cancelled,
    Event,
    Failed,
    FailureReason,
    Finished,
    Job,
    StageProgress,
)


class WorkerPort(Protocol):
    """The part of `worker.client.Worker` that a review uses."""

    def submit(self, job: Job) -> None: ...
    def cancel(self) -> None: ...
    def poll(self) -> list[Event]: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class InThread:
    """A step that reads or writes files; it must not touch the scene."""

    stage: str
    work: Callable[[], Any]
    final: bool = False
    """Whether it, and what follows it at once, is done to the end: Cancel comes too late."""


@dataclass(frozen=True)
class OnWorker:
    """A step of the worker process; the chain gets its `Finished`."""

    job: Job


Step = InThread | OnWorker
Steps = Generator[Step, Any, None]


class JobFailedError(RuntimeError):
    """The worker gave no result."""

    def __init__(self, failed: Failed) -> None:
        super().__init__(failed.message)
        self.reason: FailureReason = failed.reason


class End(Enum):
    """How a chain ended."""

    DONE = auto()
    CANCELLED = auto()
    FAILED = auto()


@dataclass(frozen=True)
class Outcome:
    """The end of a chain, and why it failed."""

    end: End
    message: Message | None = None


EXPECTED = (ToldError, JobFailedError, SceneError, OSError, ValueError)
"""What may go wrong without a mistake of ours; the message tells the user what to do."""


LENT_S = 0.02
"""How long a poll waits for a thread at most: Slicer's event loop keeps the interpreter's lock
while it is idle, so that threads of Python run only while Python of the main thread waits."""


class Activity:
    """One chain under way."""

    def __init__(self, steps: Steps, worker: WorkerPort) -> None:
        """Begins with the first step at once.

        Args:
            steps: the chain; what it opened it closes in its `finally` clauses.
            worker: idle.
        """
        self._steps, self._worker = steps, worker
        self._future: Future[Any] | None = None
        self._final = False
        self._cancelled = False
        self._outcome: Outcome | None = None
        self.stage, self.fraction = "", 0.0
        self._go_on(lambda: next(steps))

    def poll(self) -> Outcome | None:
        """Drives the chain; returns how it ended, once it has."""
        if self._outcome is not None:
            return self._outcome
        if self._future is not None:
            self._poll_thread(self._future)
        else:
            for event in self._worker.poll():
                self._handle(event)
        return self._outcome

    @property
    def cancellable(self) -> bool:
        """Whether `cancel` would still stop it."""
        return not self._final

    def cancel(self) -> None:
        """Asks for the end; `poll` tells when it is reached. Where it is too late, it goes on."""
        if self._final:
            return
        self._cancelled = True
        if self._future is None:
            self._worker.cancel()

    def close(self) -> None:
        """Ends at once; what the chain opened is closed. Waits for a file that is being written."""
        if self._outcome is not None:
            return
        if self._future is not None:
            self._future.exception()
        else:
            self._worker.close()
        self._stop()

    def _poll_thread(self, future: Future[Any]) -> None:
        wait_for([future], LENT_S)
        if not future.done():
            return
        self._future = None
        error = future.exception()
        if self._cancelled:
            self._stop()
        elif error is not None:
            self._go_on(lambda: self._steps.throw(error))
        else:
            self._go_on(lambda: self._steps.send(future.result()))

    def _handle(self, event: Event) -> None:
        if isinstance(event, StageProgress):
            self.stage, self.fraction = event.stage, event.fraction
        elif isinstance(event, Cancelled):
            self._stop()
        elif isinstance(event, Finished):
            if self._cancelled:
                self._stop()
            else:
                self._go_on(lambda: self._steps.send(event))
        elif isinstance(event, Failed):
            error = JobFailedError(event)
            self._go_on(lambda: self._steps.throw(error))

    def _go_on(self, resume: Callable[[], Step]) -> None:
        try:
            step = resume()
            if isinstance(step, InThread):
                self.stage, self.fraction, self._final = step.stage, 0.0, step.final
                self._future = _started(step.work)
            else:
                self._final = False
                self._worker.submit(step.job)
        except StopIteration:
            self._outcome = Outcome(End.DONE)
        except EXPECTED as error:
            told = error.message if isinstance(error, ToldError) else verbatim(str(error))
            self._outcome = Outcome(End.FAILED, told)
        except BaseException:  # a mistake of ours: the review goes on, and the error is seen
            self._outcome = Outcome(
                End.FAILED, Message(translate("GliomaAI", "Something unforeseen went wrong."))
            )
            raise

    def _stop(self) -> None:
        self._steps.close()
        self._outcome = Outcome(End.CANCELLED)


def _started(work: Callable[[], Any]) -> Future[Any]:
    executor = ThreadPoolExecutor(1)
    future = executor.submit(work)
    executor.shutdown(wait=False)
    return future
