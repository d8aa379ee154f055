"""What there is to compute on is known before anything runs, and asked for once."""

import pytest
from review_fakes import FakeWorker, failed, jobs_of

from GliomaAILib.review.devices import DeviceSearch
from GliomaAILib.worker.protocol import FailureReason, FindDevices, Job

CARD = {"name": "Some card", "memory_gib": 23.6}


def said(search: DeviceSearch, chosen: str = "auto") -> str:
    return " ".join(str(line) for line in search.lines(chosen))


def test_nothing_is_known_before_it_is_asked_for() -> None:
    worker = FakeWorker()
    search = DeviceSearch(worker)
    assert not search.poll()
    assert said(search) == "Which devices there are is not known yet."
    search.begin()
    assert said(search) == "Looking for devices..."
    assert worker.jobs != []


def test_it_is_asked_once_and_the_worker_ends() -> None:
    worker = FakeWorker()
    search = DeviceSearch(worker)
    search.begin()
    search.begin()
    assert search.poll()
    assert worker.closed
    assert not search.poll()
    search.begin()
    assert len(jobs_of(worker, FindDevices)) == 1


@pytest.mark.parametrize(
    ("cards", "chosen", "expected"),
    [
        ([], "auto", "CUDA: not found. CPU: 8 cores. Automatic takes CPU."),
        ([CARD], "auto", "CUDA: Some card, 24 GiB. CPU: 8 cores. Automatic takes CUDA."),
        ([CARD], "cuda", "CUDA: Some card, 24 GiB. CPU: 8 cores."),
        (
            [],
            "cuda",
            "CUDA: not found. CPU: 8 cores. "
            "CUDA is chosen and was not found: choose another device.",
        ),
    ],
)
def test_what_was_found_is_said(cards: list[object], chosen: str, expected: str) -> None:
    worker = FakeWorker()
    automatic = "cuda" if cards else "cpu"
    worker.devices = {"cuda": cards, "cpu_cores": 8, "automatic": automatic}
    search = DeviceSearch(worker)
    search.begin()
    search.poll()
    assert said(search, chosen) == expected


def test_a_failure_is_said_and_can_be_tried_again() -> None:
    worker = FakeWorker()
    worker.failure = failed(FailureReason.CRASH, "The analysis stopped unexpectedly.")
    search = DeviceSearch(worker)
    search.begin()
    assert search.poll()
    assert "could not be found out: The analysis stopped" in said(search)
    assert worker.closed
    worker.failure = None
    search.begin()
    assert search.poll()
    assert "CPU: 8 cores" in said(search)


def test_a_worker_that_cannot_start_is_said() -> None:
    class NoWorker(FakeWorker):
        def submit(self, job: Job) -> None:
            raise OSError("no such program")

    search = DeviceSearch(NoWorker())
    search.begin()
    assert "no such program" in said(search)
    assert not search.poll()
