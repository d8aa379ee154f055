"""Waiting for a worker, in tests."""

import time

from GliomaAILib.worker.client import Worker
from GliomaAILib.worker.protocol import Event


def outcome(worker: Worker, seconds: float = 60.0) -> list[Event]:
    """The events of the job under way, to its last."""
    events: list[Event] = []
    until = time.monotonic() + seconds
    while worker.busy and time.monotonic() < until:
        events += worker.poll()
        time.sleep(0.01)
    assert not worker.busy, f"no end after {events}"
    return events


def heard(worker: Worker) -> list[Event]:
    """Waits for the first event of the job."""
    events: list[Event] = []
    while not events:
        events = worker.poll()
        time.sleep(0.01)
    return events
