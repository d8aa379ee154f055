"""Seconds and memory of `gliomaai analyze` from files to report, process start included.

Run by `make bench`. Without arguments it measures two simulated patients: a co-registered,
skull-stripped study of 240x240x155 voxels as NIfTI, and a whole head with separate fields of view
as DICOM. Each study runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

SEED = 1
KIB_PER_GB = 1e9 / 1024


@dataclass(frozen=True)
class Measured:
    """One run's figures."""

    name: str
    wall_s: float
    cpu_s: float
    peak_gb: float
    stages_s: dict[str, float]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="*", type=Path, help="studies; default: simulated ones")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each; the fastest counts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        studies = {path.name: path for path in arguments.studies} or simulated(Path(scratch))
        for name, study in studies.items():
            runs = [measure(name, study, Path(scratch)) for _ in range(arguments.repeats)]
            sys.stdout.write(row(min(runs, key=lambda run: run.wall_s)))
    return 0


def simulated(folder: Path) -> dict[str, Path]:
    """Makes both kinds of study."""
    from gliomaai_training.simulation.config import SimulationConfig
    from gliomaai_training.simulation.patient import simulate_patient
    from gliomaai_training.simulation.writer import DICOM_FOLDER, write_patient

    raw = SimulationConfig(who_class="GBM", whole_head=True, separate_views=True)
    stripped = SimulationConfig(who_class="GBM")
    write_patient(simulate_patient(SEED, stripped), folder / "stripped")
    write_patient(simulate_patient(SEED, raw), folder / "raw", dicom=True)
    return {"stripped NIfTI": folder / "stripped", "raw DICOM": folder / "raw" / DICOM_FOLDER}


def measure(name: str, study: Path, scratch: Path) -> Measured:
    """Runs the command once.

    Raises:
        RuntimeError: it failed; its last words are in the message.
    """
    out = scratch / "out"
    command = [sys.executable, "-m", "GliomaAILib.cli", "analyze", str(study), "--out", str(out)]
    with tempfile.TemporaryFile("w+") as log:
        begin = time.perf_counter()
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            raise RuntimeError(f"{name} ended with {process.returncode}: {log.read()[-2000:]}")
    document = json.loads((out / "assessment.json").read_text("utf-8"))
    return Measured(
        name=name,
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_gb=usage.ru_maxrss / KIB_PER_GB,
        stages_s=document["provenance"]["timings_s"],
    )


def row(run: Measured) -> str:
    stages = ", ".join(f"{name} {seconds:.1f}" for name, seconds in run.stages_s.items())
    return (
        f"{run.name}: {run.wall_s:.1f} s wall, {run.cpu_s:.1f} s CPU, {run.peak_gb:.2f} GB peak "
        f"({stages})\n"
    )


if __name__ == "__main__":
    sys.exit(main())
