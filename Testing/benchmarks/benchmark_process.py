"""What benchmarks share: the clock and the memory of this process, and where the figures go."""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
KIB_PER_GB = 1e9 / 1024


def cpu_s(work: Callable[[], object]) -> float:
    """Seconds of CPU time, which do not depend on how many cores are free."""
    begin = time.process_time()
    work()
    return time.process_time() - begin


def peak_gb() -> float:
    """The most memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_PER_GB


def available_gb() -> float | None:
    """The memory that a new process can have without others being pushed out; None if unknown."""
    table = Path("/proc/meminfo")
    if not table.is_file():
        return None
    lines = (line.split() for line in table.read_text("utf-8").splitlines())
    return next(int(line[1]) / KIB_PER_GB for line in lines if line[0] == "MemAvailable:")


def say(text: str) -> None:
    """A line for whoever waits."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def write_json(report: Mapping[str, Any], file: Path) -> None:
    """The figures for a program to read."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
