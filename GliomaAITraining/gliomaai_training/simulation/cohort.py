"""Many patients, several at a time."""

import json
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from gliomaai_training.progress import Progress, silent
from gliomaai_training.simulation.config import SimulationConfig
from gliomaai_training.simulation.patient import simulate_patient
from gliomaai_training.simulation.writer import (
    TRUTH_FILE,
    patient_name,
    write_patient,
    write_table,
)


@dataclass(frozen=True)
class CohortConfig:
    """Which patients, and where they go.

    Raises:
        ValueError: no patient, no worker or a negative seed.
    """

    patients: int
    seed: int
    folder: Path
    workers: int = 1
    patient: SimulationConfig = field(default_factory=SimulationConfig)
    dicom: bool = False
    """Write DICOM instead of NIfTI."""
    resume: bool = False
    """Keep patients already complete in the folder."""

    def __post_init__(self) -> None:
        if self.patients < 1:
            raise ValueError(f"the number of patients must be at least 1: {self.patients}")
        if self.workers < 1:
            raise ValueError(f"the number of workers must be at least 1: {self.workers}")
        if self.seed < 0:
            raise ValueError(f"the seed must not be negative: {self.seed}")

    @property
    def seeds(self) -> range:
        """One seed a patient: patient n of a cohort is the same in a longer cohort."""
        return range(self.seed, self.seed + self.patients)


def simulate_cohort(config: CohortConfig, progress: Progress = silent) -> Path:
    """Writes a folder for each patient and `patients.csv`; returns the table's path.

    Patients are drawn from their own seeds, so the number of workers changes nothing but time.

    Raises:
        ValueError: patients of these names exist and `resume` is not asked for.
        OSError: the folder cannot be written.
    """
    config.folder.mkdir(parents=True, exist_ok=True)
    done = [s for s in config.seeds if (_folder(config, s) / TRUTH_FILE).is_file()]
    if done and not config.resume:
        raise ValueError(
            f"{config.folder} already holds {patient_name(done[0])}: choose an empty folder, or "
            "keep what is complete with --resume"
        )
    missing = [seed for seed in config.seeds if seed not in set(done)]
    for count, _ in enumerate(_finished(config, missing), start=1):
        progress("simulate", (len(done) + count) / config.patients)
    rows = [json.loads((_folder(config, s) / TRUTH_FILE).read_text("utf-8")) for s in config.seeds]
    return write_table([row["row"] for row in rows], config.folder)


def _folder(config: CohortConfig, seed: int) -> Path:
    return config.folder / patient_name(seed)


def _finished(config: CohortConfig, seeds: list[int]) -> Iterator[int]:
    if config.workers == 1 or len(seeds) <= 1:
        for seed in seeds:
            yield _make(seed, config)
        return
    context = get_context("spawn")  # torch's threads do not survive a fork
    with ProcessPoolExecutor(config.workers, mp_context=context, initializer=_quiet) as pool:
        jobs: list[Future[int]] = [pool.submit(_make, seed, config) for seed in seeds]
        try:
            for job in as_completed(jobs):
                yield job.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _quiet() -> None:
    """One thread a worker: patients run side by side, threads would only wait for each other."""
    import torch

    torch.set_num_threads(1)


def _make(seed: int, config: CohortConfig) -> int:
    write_patient(simulate_patient(seed, config.patient), _folder(config, seed), config.dicom)
    return seed
