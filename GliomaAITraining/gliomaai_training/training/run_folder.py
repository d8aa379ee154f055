"""What a training run leaves in its folder, and how evaluation and packing read it back."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from torch import Tensor

from gliomaai_training.inference.model_pack import sha256_of
from gliomaai_training.training.checkpoint import CHECKPOINT, Checkpoint, load_checkpoint
from gliomaai_training.training.config import FitConfig

RECORD = "run.json"
STAGES = "stages.json"
"""In the folder of a recipe's training: the names of its stages, each with a folder of its own."""


class RunRecord(BaseModel):
    """How a run was started."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    config: FitConfig
    fold: int | None
    """The fold left out; None when everyone was trained on."""
    started_from: str | None = None
    """Which weights it began with; None if random ones."""


@dataclass(frozen=True)
class StageRun:
    """How one stage of a training was started, and where it is."""

    folder: Path
    record: RunRecord


@dataclass(frozen=True)
class FinishedRun(StageRun):
    """A run's record and its weights."""

    checkpoint: Checkpoint
    earlier: tuple[StageRun, ...] = ()
    """The stages before it, where it was read as the end of a training in stages."""

    @property
    def stages(self) -> tuple[StageRun, ...]:
        """All stages in their order, this one last."""
        return (*self.earlier, self)

    @property
    def name(self) -> str:
        """Of its recipe."""
        name = self.record.config.name
        return name.removesuffix(f" {self.folder.name}") if self.earlier else name

    @property
    def sha256(self) -> str:
        """Of the checkpoint: tells one network from another."""
        return sha256_of(self.folder / CHECKPOINT)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights, by the network's own names."""
        prefix = "module."
        return {
            name.removeprefix(prefix): value
            for name, value in self.checkpoint.average.items()
            if name.startswith(prefix)
        }


def write_record(record: RunRecord, folder: Path) -> None:
    """Writes how a run was started; a folder keeps to one run.

    Raises:
        ValueError: the folder holds another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / RECORD
    if file.exists() and RunRecord.model_validate_json(file.read_text("utf-8")) != record:
        raise ValueError(f"{folder} holds another run; choose another --out, or delete it")
    file.write_text(record.model_dump_json(indent=2) + "\n", "utf-8")


def write_stages(names: Sequence[str], folder: Path) -> None:
    """Writes which stages a training has, in their order."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STAGES).write_text(json.dumps(list(names)) + "\n", "utf-8")


def read_run(folder: Path) -> FinishedRun:
    """Reads a run's record and last checkpoint; of a training in stages, those of the last one.

    Raises:
        ValueError: the folder holds no run, the run has no checkpoint yet, or a training in stages
            has not come to its end.
    """
    stages = folder / STAGES
    if not stages.is_file():
        record = _record(folder)
        checkpoint = load_checkpoint(folder)
        if checkpoint is None:
            raise ValueError(f"the run in {folder} has no checkpoint yet")
        return FinishedRun(folder, record, checkpoint)
    folders = [folder / str(name) for name in json.loads(stages.read_text("utf-8"))]
    last = folders[-1]
    ended = load_checkpoint(last) if (last / RECORD).is_file() else None
    if ended is None or not ended.finished:
        raise ValueError(
            f"the training in {folder} has not finished its last stage, {last.name}: go on with "
            "`gliomaai-train fit` and the same recipe and --out, or name the folder of a stage"
        )
    earlier = tuple(StageRun(one, _record(one)) for one in folders[:-1])
    return FinishedRun(last, _record(last), ended, earlier)


def _record(folder: Path) -> RunRecord:
    file = folder / RECORD
    if not file.is_file():
        raise ValueError(f"{folder} holds no training run (no {RECORD})")
    return RunRecord.model_validate_json(file.read_text("utf-8"))
