"""Work goes on in an application whose idle event loop keeps the interpreter's lock, as Slicer's.

A call through `ctypes.PyDLL` keeps the lock as C++ does that never lets it go.
"""

import ctypes
import sys
import time

import pytest

from GliomaAILib.review.activity import Activity, End, InThread, Outcome, Steps

IDLE_US = 30_000
SWITCHES = 60
"""How often the work gives the lock back, as reading and writing files do."""
PATIENCE = 20
"""Turns of the event loop, far fewer than the work gives the lock back."""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no usleep")
def test_a_thread_gets_through_its_work() -> None:
    def work() -> None:
        for _ in range(SWITCHES):
            time.sleep(0)

    def steps() -> Steps:
        yield InThread("reading", work)

    activity = Activity(steps(), None)  # type: ignore[arg-type]
    hold_the_lock = ctypes.PyDLL(None).usleep
    outcome: Outcome | None = None
    turns = 0
    while outcome is None and turns < 2 * SWITCHES:
        hold_the_lock(IDLE_US)
        outcome = activity.poll()
        turns += 1
    assert outcome == Outcome(End.DONE)
    assert turns < PATIENCE
