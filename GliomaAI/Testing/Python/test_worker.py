"""The worker process and its client: jobs, cancelling, crashes, odd output, idleness."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from worker_helpers import heard, outcome

from gliomaai_training.findings import BlockingFindingError, Finding, Severity
from gliomaai_training.inference.model_pack import ModelPackError
from gliomaai_training.progress import Progress
from GliomaAILib.assessment.assessment import PackUse
from GliomaAILib.intake.errors import AmbiguousStudyError, StudyError
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.output.write import OutputError
from GliomaAILib.worker import protocol
from GliomaAILib.worker.client import Worker, WorkerBusyError
from GliomaAILib.worker.jobs import analysis_request, earlier_run, explain
from GliomaAILib.worker.protocol import (
    Analyze,
    Cancel,
    Cancelled,
    Event,
    Failed,
    FailureReason,
    FindDevices,
    Finished,
    Inspect,
    Job,
    ProtocolError,
    Ready,
    Reassess,
    SaveTrainingCase,
    Simulate,
    StageProgress,
    decode,
    encode,
)
from GliomaAILib.worker.serve import Server

REASSESS = Reassess(
    "a2",
    Analyze("a1", "s", "o", facts={"kps": 90}),
    "ai.nrrd",
    "mask.nrrd",
    "out",
    {"age_years": 54.0},
    {"engine": "torch", "model_packs": []},
)

MESSAGES = [
    Inspect("i1", "/études", "/out"),
    Analyze("a1", "/études/été \n", "/out", {"t1": "x"}, {"engine": {"flips": True}}),
    REASSESS,
    SaveTrainingCase("t1", REASSESS, "cohort", "case 1"),
    Simulate("s1", 7, "/out"),
    FindDevices("d1"),
    Cancel("a1"),
    Ready("0.1.0"),
    StageProgress("a1", "segmentation", 0.25),
    Finished("a1", {"report": "r.html"}, {"taken": {"t1": 1}}),
    Failed("a1", FailureReason.MEMORY, "not enough"),
    Cancelled("a1"),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_messages_survive_the_line(message: protocol.Request | protocol.Event) -> None:
    line = encode(message)
    assert line.count("\n") == 1
    assert line.isascii()
    assert decode(line) == message


def test_every_message_is_tried() -> None:
    assert {type(message).__name__ for message in MESSAGES} == set(protocol._MESSAGES)


def test_fields_of_a_newer_protocol_are_ignored() -> None:
    line = encode(Cancel("a1")).replace("}", ', "why": "tired"}')
    assert decode(line) == Cancel("a1")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "hello",
        "[]",
        "{}",
        '{"kind": "Explode"}',
        '{"kind": "Cancel"}',
        '{"kind": "Failed", "job": "a", "reason": "boredom", "message": ""}',
    ],
)
def test_what_is_no_message_is_refused(line: str) -> None:
    with pytest.raises(ProtocolError):
        decode(line)


def served(lines: list[str], work: object) -> list[Event]:
    """What a server in this process tells, asked all at once."""
    events = io.StringIO()
    Server(io.StringIO("".join(lines)), events, work, explain).serve(idle_s=5)  # type: ignore[arg-type]
    return [decode(line) for line in events.getvalue().splitlines()]  # type: ignore[misc]


class Requests(io.StringIO):
    """Requests whose end never comes before `release`d, as from a client that stays."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("".join(lines))

    def __next__(self) -> str:
        try:
            return super().__next__()
        except StopIteration:
            time.sleep(60)
            raise


def test_a_server_tells_progress_and_the_result() -> None:
    def work(job: Job, progress: Progress) -> Finished:
        progress("reading", 0.0)
        progress("reading", 1.7)
        return Finished(job.job, {"report": "r.html"})

    events = io.StringIO()
    requests = Requests(["nonsense\n", encode(Analyze("a1", "s", "o"))])
    Server(requests, events, work, explain).serve(idle_s=0.5)
    told = [decode(line) for line in events.getvalue().splitlines()]
    assert isinstance(told[0], Ready)
    assert told[1:] == [
        StageProgress("a1", "reading", 0.0),
        StageProgress("a1", "reading", 1.0),
        Finished("a1", {"report": "r.html"}),
    ]


def test_the_end_of_the_client_cancels_the_job() -> None:
    def work(job: Job, progress: Progress) -> Finished:
        for _ in range(1000):
            progress("reading", 0.0)
            time.sleep(0.01)
        raise AssertionError("nobody stopped it")

    told = served([encode(Analyze("a1", "s", "o"))], work)
    assert told[-1] == Cancelled("a1")


def test_progress_within_a_stage_is_told_sparingly() -> None:
    def work(job: Job, progress: Progress) -> Finished:
        for step in range(10_000):
            progress("reading", step / 10_000)
        return Finished(job.job, {})

    events = io.StringIO()
    requests = Requests([encode(Analyze("a1", "s", "o"))])
    Server(requests, events, work, explain).serve(idle_s=0.5)
    assert len(events.getvalue().splitlines()) < 1000


BLOCKING = Finding("a.b", Severity.BLOCKING, "No brain.", "Look.")


@pytest.mark.parametrize(
    ("error", "reason", "words"),
    [
        (StudyError("empty"), FailureReason.INPUT, "empty"),
        (AmbiguousStudyError("Which T1?", []), FailureReason.CHOICE, "Which T1?"),
        (BlockingFindingError(BLOCKING), FailureReason.BLOCKED, "No brain. Look."),
        (ModelPackError("damaged"), FailureReason.MODEL, "damaged"),
        (OutputError("full"), FailureReason.OUTPUT, "full"),
        (MemoryError(), FailureReason.MEMORY, "memory"),
        (FileNotFoundError("no file"), FailureReason.INPUT, "no file"),
        (KeyError("x"), FailureReason.UNEXPECTED, "KeyError"),
    ],
)
def test_failures_have_a_reason_and_words(
    error: Exception, reason: FailureReason, words: str
) -> None:
    def work(job: Job, progress: Progress) -> Finished:
        raise error

    _, failed = served([encode(Analyze("a1", "s", "o"))], work)
    assert isinstance(failed, Failed)
    assert failed.reason is reason
    assert words in failed.message


def test_options_reach_the_analysis() -> None:
    options = {"engine": {"device": "cpu"}, "preparation": {"n4": True}, "model": "m"}
    facts = {"kps": 80, "idh": "mutant"}
    request = analysis_request(Analyze("a1", "s", "o", {"t1": "x"}, options, facts))
    assert request.facts == ClinicalFacts(kps=80, idh="mutant")
    assert request.engine.device == "cpu"
    assert request.preparation.n4
    assert request.model == Path("m")
    assert request.choices == {"t1": "x"}
    for wrong in ({"engine": {"speed": 9}}, {"sped": "9"}, {"engine": {"device": "tpu"}}):
        with pytest.raises(ValueError, match=r"option|tpu"):
            analysis_request(Analyze("a1", "s", "o", {}, wrong))


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"age_years": 180}, "180"),
        ({"age_years": "old"}, "old"),
        ({"age_years": True}, "True"),
        ({"kps": 55}, "55"),
        ({"grade": True}, "True"),
        ({"sex": ["F"]}, "sex"),
        ({"idh": "yes"}, "wild-type"),
        ({"idh": "wild-type", "codeletion_1p19q": "co-deleted"}, "WHO 2021"),
        ({"name": "Jane"}, "unknown facts"),
    ],
)
def test_impossible_facts_are_refused(facts: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        analysis_request(Analyze("a1", "s", "o", facts=facts))


def test_provenance_of_an_earlier_run_is_taken_or_refused() -> None:
    pack = {"name": "p", "version": "1", "sha256": "0" * 64}
    run = earlier_run({"engine": "torch", "model_packs": [pack], "more": 1})
    assert (run.engine, run.model_packs) == ("torch", (PackUse(**pack),))
    assert earlier_run({}).engine == "not known"
    for wrong in ({"engine": "torch"}, {"engine": "x", "model_packs": [{"name": "p"}]}):
        with pytest.raises(ValueError, match="damaged"):
            earlier_run(wrong)


FAKE = """
import sys, time, os, signal
from GliomaAILib.worker.protocol import *
how = sys.argv[1]

def tell(event):
    sys.stdout.write(encode(event))
    sys.stdout.flush()

tell(Ready("fake"))
for line in sys.stdin:
    message = decode(line)
    if isinstance(message, Cancel):
        if how != "deaf":
            tell(Cancelled(message.job))
        continue
    if how == "idle" and not os.path.exists(sys.argv[2]):
        open(sys.argv[2], "w").close()
        sys.exit(0)
    tell(StageProgress(message.job, "reading", 0.5))
    if how == "chatty":
        sys.stdout.write("a library says hello\\n")
    if how in ("chatty", "idle", "quick"):
        tell(Finished(message.job, {"out": message.out}))
    if how == "crash":
        sys.stderr.write("ModuleNotFoundError: No module named 'torch'\\n")
        sys.exit(3)
    if how == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def fake(how: str, *more: str) -> Worker:
    source = str(Path(__file__).resolve().parents[2])
    return Worker([sys.executable, "-c", FAKE, how, *more], {"PYTHONPATH": source})


def test_a_worker_does_one_job_after_the_other() -> None:
    worker = fake("quick")
    try:
        for name in ("a1", "a2"):
            worker.submit(Analyze(name, "s", f"{name}/été out"))
            assert outcome(worker)[-1] == Finished(name, {"out": f"{name}/été out"})
        assert worker.poll() == []
    finally:
        worker.close()


def test_a_second_job_at_once_is_refused() -> None:
    worker = fake("deaf")
    try:
        worker.submit(Analyze("a1", "s", "o"))
        with pytest.raises(WorkerBusyError, match="cancel it first"):
            worker.submit(Analyze("a2", "s", "o"))
    finally:
        worker.close()


def test_what_a_library_prints_is_no_event() -> None:
    worker = fake("chatty")
    try:
        worker.submit(Analyze("a1", "s", "o"))
        assert isinstance(outcome(worker)[-1], Finished)
    finally:
        worker.close()


@pytest.mark.parametrize("how", ["waiting", "deaf"])
def test_cancel_ends_the_job_even_if_the_worker_is_deaf(how: str) -> None:
    worker = fake(how)
    try:
        worker.submit(Analyze("a1", "s", "o"))
        heard(worker)
        worker.cancel()
        worker.cancel()
        assert outcome(worker)[-1] == Cancelled("a1")
        worker.submit(Analyze("a2", "s", "o"))  # a killed worker comes back
        assert heard(worker) == [StageProgress("a2", "reading", 0.5)]
    finally:
        worker.close()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("crash", "No module named 'torch'"),
        pytest.param(
            "killed",
            "memory ran out",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals"),
        ),
    ],
)
def test_a_crash_is_told_in_words(how: str, words: str) -> None:
    worker = fake(how)
    worker.submit(Analyze("a1", "s", "o"))
    failed = outcome(worker)[-1]
    assert isinstance(failed, Failed)
    assert failed.reason is FailureReason.CRASH
    assert words in failed.message
    assert not worker.busy


def test_a_worker_that_ended_idle_is_started_again(tmp_path: Path) -> None:
    worker = fake("idle", str(tmp_path / "started"))
    try:
        worker.submit(Analyze("a1", "s", "o"))
        assert isinstance(outcome(worker)[-1], Finished)
    finally:
        worker.close()


def test_a_program_that_does_not_exist_is_an_error() -> None:
    worker = Worker(["/nowhere/python"])
    with pytest.raises(FileNotFoundError):
        worker.submit(Analyze("a1", "s", "o"))
    assert not worker.busy
    assert worker.poll() == []


PARENT = """
import subprocess, sys, time
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
sys.stdout.write('{"kind": "Ready", "version": "0"}\\n')
sys.stdout.flush()
time.sleep(600)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="reads /proc")
def test_closing_ends_the_launchers_children_too() -> None:
    marker = f"GLIOMAAI_TEST_{os.getpid()}"
    worker = Worker([sys.executable, "-c", PARENT], {marker: "1"})
    worker.submit(Analyze("a1", "s", "o"))
    until = time.monotonic() + 30
    while len(marked(marker)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(marked(marker)) == 2
    worker.close()
    while marked(marker) and time.monotonic() < until:
        time.sleep(0.05)
    assert marked(marker) == []


def marked(marker: str) -> list[str]:
    """Processes that are running with a variable in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append(folder.name)
        except OSError:
            continue
    return found


def test_the_real_worker_starts_refuses_and_ends_idle(tmp_path: Path) -> None:
    worker = Worker([sys.executable, "-m", "GliomaAILib.worker", "--idle-s", "1"])
    try:
        worker.submit(Analyze("a1", str(tmp_path / "nothing"), str(tmp_path / "out")))
        failed = outcome(worker)[-1]
        assert isinstance(failed, Failed)
        assert failed.reason is FailureReason.INPUT
        analysis = Analyze("a1", str(tmp_path / "nothing"), str(tmp_path / "out"))
        worker.submit(Reassess("a2", analysis, "ai.nrrd", "mask.nrrd", str(tmp_path / "out")))
        failed = outcome(worker)[-1]
        assert isinstance(failed, Failed)
        assert failed.reason is FailureReason.INPUT
        assert not (tmp_path / "out").exists()
    finally:
        worker.close()
    ended = subprocess.run(
        [sys.executable, "-m", "GliomaAILib.worker", "--idle-s", "0.1"],
        stdin=subprocess.PIPE,
        capture_output=True,
        timeout=120,
    )
    assert ended.returncode == 0
    assert isinstance(decode(ended.stdout.decode()), Ready)


def test_the_real_worker_tells_the_devices() -> None:
    import torch

    worker = Worker([sys.executable, "-m", "GliomaAILib.worker"])
    try:
        worker.submit(FindDevices("d1"))
        finished = outcome(worker)[-1]
    finally:
        worker.close()
    assert isinstance(finished, Finished)
    assert finished.found["cpu_cores"] == os.cpu_count()
    assert len(finished.found["cuda"]) == torch.cuda.device_count()
    assert finished.found["automatic"] == ("cuda" if finished.found["cuda"] else "cpu")


def test_slicers_own_process_needs_only_the_standard_library() -> None:
    code = "import sys, GliomaAILib.worker.client; print(*{n.split('.')[0] for n in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "SimpleITK", "torch", "pydantic", "pydicom"} & set(done.stdout.split())
