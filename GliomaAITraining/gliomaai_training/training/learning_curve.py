"""The learning curve of a run."""

import csv
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gliomaai_training.vocabulary import REGIONS

LOG = "learning_curve.csv"


class LearningCurve:
    """Mean losses over the steps since the last line, as CSV."""

    def __init__(self, file: Path | None) -> None:
        """Goes on in a file that is there; None writes nothing."""
        self._file = file
        self._told: list[dict[str, float]] = []

    def add(self, losses: dict[str, float]) -> None:
        """Takes in one step."""
        self._told.append(losses)

    def write(
        self, step: int, seconds: float, rate: float, scores: Mapping[str, float]
    ) -> dict[str, float]:
        """Writes a line and begins anew; gives the mean losses."""
        means = {name: float(np.mean([one[name] for one in self._told])) for name in self._told[0]}
        self._told.clear()
        if self._file is None:
            return means
        cells = {"step": str(step), "seconds": f"{seconds:.0f}", "learning_rate": f"{rate:.2e}"}
        cells |= {name: f"{value:.4f}" for name, value in means.items()}
        cells |= {name: f"{scores[name]:.4f}" if scores else "" for name in REGIONS}
        fresh = not self._file.exists()
        with self._file.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, list(cells))
            if fresh:
                writer.writeheader()
            writer.writerow(cells)
        return means
