"""Checkpoints: written atomically; reading unpickles tensors and plain values only."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

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


def save_checkpoint(checkpoint: Checkpoint, folder: Path) -> None:
    """Replaces the folder's checkpoint; a crash leaves the older one whole."""
    partial = folder / f"{CHECKPOINT}.partial"
    torch.save(checkpoint.__dict__, partial)
    os.replace(partial, folder / CHECKPOINT)


def load_checkpoint(folder: Path) -> Checkpoint | None:
    """The folder's checkpoint, or None where there is none yet."""
    file = folder / CHECKPOINT
    if not file.is_file():
        return None
    return Checkpoint(**torch.load(file, map_location="cpu", weights_only=True))
