"""Checkpoints: written atomically; reading unpickles tensors and plain values only."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Checkpoint:
    """A training run between two steps."""

    step: int
    network: dict[str, Any]
    average: dict[str, Any]
    """The averaged weights: what is evaluated and packed."""
    optimiser: dict[str, Any]
    best_score: float
    stale_validations: int
    network_settings: dict[str, Any]
    objective: dict[str, Any] = field(default_factory=dict)
    """What learns beside the network and stays behind: a projector, the balance of losses."""
    finished: bool = False
    """Whether there is nothing left to train."""


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Replaces the folder's checkpoint; a crash leaves the older one whole."""
    partial = folder / f"{CHECKPOINT}.partial"
    torch.save(checkpoint.__dict__, partial)
    os.replace(partial, folder / CHECKPOINT)


def save_finished(
    state: Mapping[str, Tensor], settings: Mapping[str, Any], steps: int, folder: Path
) -> None:
    """Writes the checkpoint of a stage that ends with these weights and has nothing to go on with.

    Args:
        state: of the network.
        settings: of the network.
        steps: how many the stage took.
        folder: of the stage.
    """
    weights = {name: value.cpu() for name, value in state.items()}
    average = {f"module.{name}": value for name, value in weights.items()}
    finished = Checkpoint(steps, weights, average, {}, -1.0, 0, dict(settings), finished=True)
    save_checkpoint(finished, folder)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The folder's checkpoint, or None where there is none yet."""
    file = folder / CHECKPOINT
    if not file.is_file():
        return None
    return Checkpoint(**torch.load(file, map_location="cpu", weights_only=True))
