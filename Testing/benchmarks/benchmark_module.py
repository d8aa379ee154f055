"""How quick and how smooth the Slicer module is, on the bench with the real worker process.

`python Testing/benchmarks/benchmark_module.py` simulates a patient at 1 mm, runs it ten times, and
prints a table in Markdown; `--study FOLDER` takes a study instead, `--runs N` runs it less often.
Of each figure it gives the median, the least and the most: seconds until the module is set up and
entered, the longest time for which the event loop stood still (gap) and the most processor time
that one turn of it took (busy: what is left of a gap where no other program runs), seconds of
cancelling, running and reassessing, and the memory of the front process after the first and the
last run. Run it on an idle machine: the gaps are those of everything that runs.
"""

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

TESTING = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTING), str(TESTING.parent / "GliomaAI" / "Testing" / "Python")]

from module_front import Front, look  # noqa: E402 - found by the paths above

SEED = 1
STARTS = 5
RUNS = 10
VIEWS_S = 1.0
"""Within this time of a result, its views are arranged."""
BRUSH = 12
"""Voxels along each side of what is painted."""
LIMITS = {"gap ": 50.0, "cancel, ": 2.0}
"""What the most of a figure may be, by the beginning of its name."""


@dataclass
class Figures:
    """What was measured, by name with its unit."""

    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, name: str, value: float) -> None:
        self.values.setdefault(name, []).append(value)

    def table(self) -> str:
        """In Markdown."""
        heads = ("measured", "median", "least", "most", "n", "limit of the most")
        rows = [heads, ("---", *["---:"] * (len(heads) - 2), "---")]
        rows += [
            (
                name,
                *(f"{value:.2f}" for value in (statistics.median(v), min(v), max(v))),
                str(len(v)),
                _judged(name, max(v)),
            )
            for name, v in self.values.items()
        ]
        return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _judged(name: str, most: float) -> str:
    for begin, limit in LIMITS.items():
        if name.startswith(begin):
            return f"{limit:g}: {'passed' if most <= limit else 'failed'}"
    return ""


def machine() -> str:
    """What it was measured on."""
    return f"{platform.system()}, Python {platform.python_version()}, {os.cpu_count()} cores"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study", type=Path, help="a study folder; default: a simulated patient")
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--starts", type=int, default=STARTS, help="how often Slicer is started")
    parser.add_argument("--start-only", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.start_only:
        front = Front()
        front.close()
        sys.stdout.write(f"{front.entered_after_s}\n")
        return 0
    figures = Figures()
    for seconds in starts(arguments.starts):
        figures.add("set up and entered, s", seconds)
    with tempfile.TemporaryDirectory() as scratch:
        study = arguments.study or simulated(Path(scratch) / "study")
        front = Front()
        front.panel._settings._scratch.currentPath = scratch
        try:
            measure(front, study, arguments.runs, figures)
        finally:
            front.panel._settings._scratch.currentPath = ""
            front.close()
    sys.stdout.write(f"On the bench: {machine()}\n\n{figures.table()}")
    return 0


def starts(count: int) -> Sequence[float]:
    """Seconds from the module's import until it is entered, each in a process of its own."""
    command = [sys.executable, __file__, "--start-only"]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(count)
    ]
    return [float(run.stdout.splitlines()[-1]) for run in runs]


def simulated(folder: Path) -> Path:
    """A patient of 240x240x155 voxels of 1 mm."""
    from gliomaai_training.simulation.config import SimulationConfig
    from gliomaai_training.simulation.patient import simulate_patient
    from gliomaai_training.simulation.writer import write_patient

    write_patient(simulate_patient(SEED, SimulationConfig(who_class="GBM")), folder)
    return folder


def measure(front: Front, study: Path, runs: int, figures: Figures) -> None:
    """Opens, cancels, runs, edits and reassesses the study so many times."""
    for number in range(1, runs + 1):
        front.clear()
        front.wait()
        measure_gap(figures, "opening", lambda: front.open(study))
        figures.add("cancel, s", cancelled_after_s(front))
        measure_run(front, figures)
        measure_reassessment(front, figures)
        if number in (1, runs):
            figures.add(f"memory after run {number}, MB", resident_mb())


def measure_gap(figures: Figures, doing: str, work: Callable[[], object]) -> None:
    """The longest time for which the event loop stood still, and its longest turn."""
    with look.Heartbeat() as heart:
        work()
    figures.add(f"gap {doing}, ms", heart.longest_gap_ms)
    figures.add(f"busy {doing}, ms", heart.longest_busy_ms)


def cancelled_after_s(front: Front) -> float:
    front.click("runButton")
    front.until_stage("segmentation")
    begin_s = time.perf_counter()
    front.widget("cancelButton").click()
    front.wait(lambda: front.state.work is None)
    seconds = time.perf_counter() - begin_s
    front.wait()
    return seconds


def measure_run(front: Front, figures: Figures) -> None:
    begin_s = time.perf_counter()

    def until_told() -> None:
        front.click("runButton")
        front.wait(lambda: bool(front.worker.stages) and not front.worker.busy)

    def until_shown() -> None:
        front.wait()
        end_s = time.perf_counter() + VIEWS_S
        front.wait(lambda: time.perf_counter() > end_s)

    measure_gap(figures, "running", until_told)
    measure_gap(figures, "showing the result", until_shown)
    if not front.state.has_result:
        raise RuntimeError(f"no result: {front.state.outcome}")
    figures.add("run, s", time.perf_counter() - begin_s)


def measure_reassessment(front: Front, figures: Figures) -> None:
    shape = front.desk.scene.mask().array.shape
    k, j, i = (slice(n // 2, n // 2 + BRUSH) for n in shape)
    front.paint((k, j, i), "ET")
    begin_s = time.perf_counter()
    measure_gap(figures, "reassessing", lambda: front.done("reassessButton"))
    figures.add("reassess, s", time.perf_counter() - begin_s)
    if front.state.out_of_date:
        raise RuntimeError(f"not reassessed: {front.state.outcome}")


def resident_mb() -> float:
    """Memory of this process now, as Linux tells it."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


if __name__ == "__main__":
    sys.exit(main())
