"""`gliomaai-train pack`: a finished run becomes a model pack."""

import argparse
import json
from pathlib import Path
from typing import Any

from gliomaai_training.evaluation.command import SUMMARY, TASKS
from gliomaai_training.evaluation.tasks.summary import PackedHeads, TaskSummary
from gliomaai_training.inference.model_pack import CARD, write_model_pack
from gliomaai_training.inference.multitask_pack import MULTITASK
from gliomaai_training.inference.predictor import SEGMENTATION
from gliomaai_training.preprocessing.network_input import NORMALISATION
from gliomaai_training.training.model_card import PackNotes, network_card
from gliomaai_training.training.run_folder import FinishedRun, read_run
from gliomaai_training.vocabulary import SEQUENCES, Label

LABELS_TASK = "Glioma segmentation: necrotic core, oedema, enhancing tumour"
TASK_WORDS = {
    "state": "WHO 2021 state",
    "idh": "IDH",
    "codeletion_1p19q": "1p/19q",
    "grade": "grade",
    "histology": "histology",
    "risk": "risk of death",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train pack`."""
    parser.add_argument(
        "folder", type=Path, help="folder of a finished run, or of a training in stages"
    )
    parser.add_argument("--evaluation", type=Path, required=True, help="folder of its evaluation")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pack")
    parser.add_argument("--name", help="default: that of the pack's folder")
    parser.add_argument("--version", required=True)
    parser.add_argument("--notes", type=Path, required=True, help="YAML: data, limits, terms")
    parser.add_argument("--licence", type=Path, required=True, help="the licence's full text")


def run(arguments: argparse.Namespace) -> int:
    """Writes the pack; returns 0."""
    finished = read_run(arguments.folder)
    summary = json.loads((arguments.evaluation / SUMMARY).read_text("utf-8"))
    notes = PackNotes.read(arguments.notes)
    heads = _heads(finished, summary, arguments.evaluation)
    tasks = finished.record.config.network.get("tasks", ())
    metadata = {
        "name": arguments.name or arguments.out.name,
        "version": arguments.version,
        "task": "; ".join((LABELS_TASK, *(TASK_WORDS[task] for task in tasks))),
        "intended_use": "Research only; not for clinical decisions.",
        "copyright": "GliomaAI contributors",
        "network_data_format": _data_format(),
        "gliomaai": _settings(finished, summary, heads),
    }
    card = network_card(arguments.evaluation, finished, notes, heads)
    figures = {
        f"docs/{file.name}": file.read_bytes()
        for file in sorted(arguments.evaluation.glob("*.png"))
    }
    files = {CARD: card.encode(), "LICENSE": arguments.licence.read_bytes(), **figures}
    write_model_pack(arguments.out, metadata, finished.weights(), files)
    return 0


def _heads(finished: FinishedRun, summary: dict[str, Any], evaluation: Path) -> PackedHeads | None:
    """What is to be told of the heads; None for a network without.

    Raises:
        ValueError: the evaluation tells nothing of them, or is of another run.
    """
    if not finished.record.config.network.get("tasks"):
        return None
    if TASKS not in summary:
        raise ValueError(
            f"{evaluation} tells nothing of the network's tasks: evaluate the run anew"
        )
    return TaskSummary.model_validate(summary[TASKS]).heads(finished)


def _settings(
    finished: FinishedRun, summary: dict[str, Any], heads: PackedHeads | None
) -> dict[str, Any]:
    config = finished.record.config
    settings = {
        "task": SEGMENTATION,
        "network": config.network,
        "voxel_mm": config.voxel_mm,
        "normalisation": NORMALISATION,
        **{section: summary[section] for section in ("calibration", "postprocessing", "inference")},
    }
    if heads is None:
        return settings
    calibration = {**summary["calibration"], "tasks": heads.temperatures}
    return {**settings, "task": MULTITASK, "calibration": calibration, **heads.sections()}


def _data_format() -> dict[str, object]:
    return {
        "inputs": {
            "images": {
                "type": "image",
                "format": "magnitude",
                "modality": "MR",
                "num_channels": len(SEQUENCES),
                "spatial_shape": ["16*n", "16*n", "16*n"],
                "dtype": "float32",
                "channel_def": dict(enumerate(SEQUENCES)),
            }
        },
        "outputs": {
            "pred": {
                "type": "image",
                "format": "segmentation",
                "num_channels": len(Label),
                "dtype": "float32",
                "channel_def": {label.value: label.name for label in Label},
            }
        },
    }
