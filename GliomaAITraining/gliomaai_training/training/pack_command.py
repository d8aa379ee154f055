"""`gliomaai-train pack`: a finished run becomes a model pack."""

import argparse
import json
from pathlib import Path

from gliomaai_training.evaluation.command import SUMMARY
from gliomaai_training.inference.model_pack import CARD, write_model_pack
from gliomaai_training.preprocessing.network_input import NORMALISATION
from gliomaai_training.training.model_card import PackNotes, segmentation_card
from gliomaai_training.training.run_folder import read_run
from gliomaai_training.vocabulary import SEQUENCES, Label


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `gliomaai-train pack`."""
    parser.add_argument("folder", type=Path, help="folder of a finished run")
    parser.add_argument("--evaluation", type=Path, required=True, help="folder of its evaluation")
    parser.add_argument("--out", type=Path, required=True, help="folder of the pack")
    parser.add_argument("--name", default="segmentation")
    parser.add_argument("--version", required=True)
    parser.add_argument("--notes", type=Path, required=True, help="YAML: data, limits, terms")
    parser.add_argument("--licence", type=Path, required=True, help="the licence's full text")


def run(arguments: argparse.Namespace) -> int:
    """Writes the pack; returns 0."""
    finished = read_run(arguments.folder)
    summary = json.loads((arguments.evaluation / SUMMARY).read_text("utf-8"))
    notes = PackNotes.read(arguments.notes)
    config = finished.record.config
    metadata = {
        "name": arguments.name,
        "version": arguments.version,
        "task": "Glioma segmentation: necrotic core, oedema, enhancing tumour",
        "intended_use": "Research only; not for clinical decisions.",
        "copyright": "GliomaAI contributors",
        "network_data_format": _data_format(),
        "gliomaai": {
            "task": "segmentation",
            "network": config.network,
            "voxel_mm": config.voxel_mm,
            "normalisation": NORMALISATION,
            **{section: summary[section] for section in ("calibration", "postprocessing")},
        },
    }
    card = segmentation_card(arguments.evaluation, finished, notes)
    figures = {
        f"docs/{file.name}": file.read_bytes()
        for file in sorted(arguments.evaluation.glob("*.png"))
    }
    files = {CARD: card.encode(), "LICENSE": arguments.licence.read_bytes(), **figures}
    write_model_pack(arguments.out, metadata, finished.weights(), files)
    return 0


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
