"""Model cards: what a pack learnt from, how well it does, where it fails."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from gliomaai_training.training.run_folder import FinishedRun
from gliomaai_training.vocabulary import NOTICE


@dataclass(frozen=True)
class PackNotes:
    """What no computation can tell: sources, licence and limits, in Markdown."""

    summary: str
    data: str
    licence: str
    limits: str

    @classmethod
    def read(cls, file: Path) -> "PackNotes":
        """Reads the notes from YAML.

        Raises:
            ValueError: a field is missing or unknown.
        """
        content = yaml.safe_load(file.read_text("utf-8"))
        try:
            return cls(**content)
        except TypeError as error:
            raise ValueError(f"{file}: {error}") from error


def segmentation_card(evaluation: Path, run: FinishedRun, notes: PackNotes) -> str:
    """The card of a segmentation pack, with the tables that `gliomaai-train evaluate` wrote."""
    config = run.record.config
    phases = "; ".join(
        f"{phase.steps} steps of {phase.batch_size} "
        f"{'whole brains' if phase.crop is None else f'crops {phase.crop}'}"
        f" of {phase.voxel_mm or config.voxel_mm:g} mm voxels"
        for phase in config.phases
    )
    began = run.record.started_from or "random weights"
    left_out = "none" if run.record.fold is None else f"fold {run.record.fold} of {config.folds}"
    parts = [
        f"# {config.name}",
        f"**{NOTICE}**",
        notes.summary,
        "## Data",
        notes.data,
        f"Left out of training: {left_out}.",
        "## Training",
        f"Began with {began}; {phases}; seed {config.seed}; "
        f"stopped after step {run.checkpoint.step}.",
        "![learning curve](learning_curve.png)",
        "## Accuracy",
        (evaluation / "summary.md").read_text("utf-8"),
        (evaluation / "regions.md").read_text("utf-8"),
        "![Dice](dice.png)",
        "## Missing sequences",
        (evaluation / "subsets.md").read_text("utf-8"),
        *_tumour_free(evaluation / "tumour_free.md"),
        "## Calibration",
        "![reliability](reliability.png)",
        "## Limits",
        notes.limits,
        "## Licence",
        notes.licence,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _tumour_free(table: Path) -> list[str]:
    if not table.is_file():
        return []
    return [
        "## Tumour-free brains",
        "What the networks of the evaluation draw where there is nothing to draw: in simulated "
        "brains that they never saw, and in the T1 template ICBM152, by the sequences given.",
        table.read_text("utf-8"),
    ]
