"""Multi-task packs of random weights: what they say is true of nobody."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gliomaai_training.inference.model_pack import ModelPack, write_model_pack
from gliomaai_training.networks.build import build_network
from gliomaai_training.preprocessing.network_input import NORMALISATION
from gliomaai_training.survival.log_risk import log_risk_model
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.vocabulary import Label

TINY: dict[str, Any] = {
    "branch_width": 2,
    "widths": [4, 8, 8],
    "encoder_blocks": [0, 0, 0],
    "decoder_blocks": [0, 0],
    "transformer_layers": 1,
    "transformer_heads": 2,
}
"""A segmentation network that runs in a second."""

UNIFIED = {
    "architecture": "multitask",
    "segmentation": TINY,
    "global_branch": True,
    "tasks": ["state", "risk"],
    "hidden_width": 8,
}
APART = {**UNIFIED, "tasks": ["idh", "codeletion_1p19q", "grade", "histology"]}
"""With the published heads, each alone."""

COHORT = {"words": "300 made-up patients", "patients": 300, "simulated_only": True}


def made_up_survival(seed: int = 1) -> dict[str, Any]:
    """How a log-risk becomes a curve, in patients of whom higher risk dies earlier."""
    draw = np.random.default_rng(seed)
    risk = draw.normal(0.0, 1.0, 400)
    death = draw.exponential(40 / np.exp(risk))
    left = draw.uniform(6, 140, 400)
    followed = Outcome(np.minimum(death, left), np.asarray(death <= left))
    return log_risk_model(risk, followed, "made-up patients").document()


def settings_of(network: Mapping[str, Any] = UNIFIED, **more: object) -> dict[str, Any]:
    """The section `gliomaai` of a multi-task pack."""
    settings: dict[str, Any] = {
        "task": "multitask",
        "network": dict(network),
        "normalisation": NORMALISATION,
        "cohort": COHORT,
    }
    if "risk" in network["tasks"]:
        settings["survival"] = made_up_survival()
    return settings | more


def write_multitask_pack(
    folder: Path,
    settings: Mapping[str, Any] | None = None,
    state: Mapping[str, torch.Tensor] | None = None,
) -> ModelPack:
    """A pack of random weights, heads that answer differently for different masks, and `state`
    instead of the weights of those names."""
    section = dict(settings_of() if settings is None else settings)
    torch.manual_seed(0)
    weights = build_network(section["network"]).state_dict()
    for name, value in weights.items():
        if name.startswith("heads.") and name.endswith(".weight") and value.dim() == 2:
            weights[name] = value * 3  # untrained heads hardly tell one patient from another
    metadata = {"name": folder.name, "version": "0.0.1", "gliomaai": section}
    card = {"docs/README.md": b"# A pack of random weights, for tests\n"}
    return write_model_pack(folder, metadata, {**weights, **(state or {})}, card)


def finds_oedema() -> dict[str, torch.Tensor]:
    """Weights with which the network draws oedema everywhere in the brain."""
    logits = torch.full((len(Label), 8), -4.0)
    logits[Label.ED] = 4.0
    return {
        "local.head.weight": torch.zeros(len(Label) * 8, TINY["widths"][0], 1, 1, 1),
        "local.head.bias": logits.flatten(),
    }
