"""A finished brain mask training becomes a model pack with its card."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from gliomaai_training.evaluation.brain_mask import FUSED
from gliomaai_training.evaluation.brain_mask_report import PICTURE
from gliomaai_training.inference.model_pack import CARD, ModelPack, write_model_pack
from gliomaai_training.networks.brain_mask import BrainMaskNetwork
from gliomaai_training.preprocessing.brain_mask import PACK_NAME
from gliomaai_training.preprocessing.brain_mask_grid import NETWORK_SPACING_MM

TEMPLATE = "brain_mask_card.md"
REQUIRED = {"simulated_dice", "tumour_inside", "reference_dice", "study", "outside_share"}
"""Figures without which there is no card."""


@dataclass(frozen=True)
class BrainMaskRun:
    """What a card tells of the training."""

    network: BrainMaskNetwork
    """With the averaged weights."""
    steps: int
    minutes: float
    images: int
    """How many were drawn."""
    outwards_mm: float = 0.0
    """How far the mask's surface was moved outwards after training."""


def write_brain_mask_pack(
    folder: Path,
    version: str,
    run: BrainMaskRun,
    figures: Mapping[str, Any],
    files: Mapping[str, bytes],
) -> ModelPack:
    """Writes the pack.

    Args:
        folder: where the pack goes.
        version: of the pack, by semantic versioning.
        run: the network and how it was trained.
        figures: from `evaluate_brain_mask`, with the parts that need the development data.
        files: `LICENSE` and the card's picture, by relative path.

    Raises:
        ValueError: figures are missing.
    """
    metadata = {
        "name": PACK_NAME,
        "version": version,
        "task": "Brain mask of a head MR image of any contrast",
        "intended_use": "Research only; not for clinical decisions.",
        "copyright": "GliomaAI contributors",
        "network_data_format": _data_format(),
        "gliomaai": {
            "task": "brain-mask",
            "network": {"architecture": "brain_mask", **run.network.config.model_dump()},
            "spacing_mm": NETWORK_SPACING_MM,
            "trained": {"steps": run.steps, "minutes": round(run.minutes, 1), "images": run.images},
            "outwards_mm": run.outwards_mm,
            "figures": {k: v for k, v in figures.items() if k != "tumour_inside_patients"},
        },
    }
    card = brain_mask_card(run, figures)
    return write_model_pack(
        folder, metadata, run.network.state_dict(), {CARD: card.encode(), **files}
    )


def _data_format() -> dict[str, object]:
    inputs = {
        "type": "image",
        "format": "magnitude",
        "modality": "MR",
        "num_channels": 1,
        "spatial_shape": ["8*n", "8*n", "8*n"],
        "dtype": "float32",
        "value_range": [0, 1.5],
        "channel_def": {"0": "any MR contrast, RAS, 3 mm, 99th percentile = 1"},
    }
    outputs = {
        "type": "logits",
        "format": "segmentation",
        "num_channels": 1,
        "dtype": "float32",
        "channel_def": {"0": "brain"},
    }
    return {"inputs": {"image": inputs}, "outputs": {"pred": outputs}}


def brain_mask_card(run: BrainMaskRun, figures: Mapping[str, Any]) -> str:
    """The model card in Markdown.

    Raises:
        ValueError: a figure is missing.
    """
    missing = REQUIRED - figures.keys()
    if missing:
        raise ValueError(f"the evaluation lacks {', '.join(sorted(missing))}: give --data")
    study, outside = figures["study"], figures["outside_share"]
    simulated = figures["simulated_dice"]
    template = resources.files(__package__).joinpath(TEMPLATE).read_text("utf-8")
    return template.format(
        parameters=sum(p.numel() for p in run.network.parameters()),
        steps=run.steps,
        minutes=round(run.minutes),
        images=run.images,
        outwards_mm=f"{run.outwards_mm:g}",
        picture=PICTURE,
        heads=int(simulated["n"]),
        dice_mean=f"{simulated['mean']:.3f}",
        dice_p5=f"{simulated['p5']:.3f}",
        dice_worst=f"{simulated['worst']:.3f}",
        contained=_contained_rows(figures["tumour_inside"]),
        references=", ".join(f"{v:.3f}" for v in figures["reference_dice"].values()),
        agreement_low=f"{min(study['dice'].values()):.3f}",
        agreement_high=f"{max(study['dice'].values()):.3f}",
        volume_ml=f"{study['volume_ml']:.0f}",
        stripped=f"{outside['stripped_largest']:.4f}",
        stripped_count=outside["stripped_count"],
        raw=f"{outside['raw_smallest']:.2f}",
        cpu_s=f"{figures['cpu_seconds']['study']:.2f}",
    )


def _contained_rows(tables: Mapping[str, Mapping[str, float]]) -> str:
    names = [name for name in tables if name != FUSED] + [FUSED]
    return "\n".join(
        f"| {name} | {int(tables[name]['n'])} | "
        + " | ".join(f"{tables[name][key] * 100:.1f}" for key in ("median", "p5", "worst"))
        + " |"
        for name in names
    )
