"""Fixtures of the tests that span both packages."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from gliomaai_training.inference.model_pack import write_model_pack
from gliomaai_training.networks.build import build_network
from gliomaai_training.vocabulary import Label

Gliomaai = Callable[..., subprocess.CompletedProcess[str]]

TINY_NETWORK = {
    "architecture": "segmentation",
    "branch_width": 2,
    "widths": (4, 8, 8),
    "encoder_blocks": (0, 0, 0),
    "decoder_blocks": (0, 0),
    "transformer_layers": 1,
    "transformer_heads": 2,
}


def write_tiny_pack(folder: Path, everywhere: Label) -> None:
    """A segmentation pack that runs in a second and gives every voxel of the brain one label."""
    torch.manual_seed(0)
    state = build_network(TINY_NETWORK).state_dict()
    logits = torch.full((len(Label), 8), -4.0)
    logits[everywhere] = 4.0
    state["head.weight"] = torch.zeros_like(state["head.weight"])
    state["head.bias"] = logits.flatten()  # each label has eight channels, one a voxel
    metadata = {
        "name": f"all-{everywhere.name}",
        "version": "0",
        "gliomaai": {"task": "segmentation", "network": TINY_NETWORK},
    }
    write_model_pack(folder, metadata, state, {"docs/README.md": b"# A pack for tests\n"})


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packs whose segmentation finds no tumour."""
    folder = tmp_path_factory.mktemp("packs")
    write_tiny_pack(folder / "segmentation", Label.BACKGROUND)
    return folder


@pytest.fixture
def gliomaai(packs: Path, tmp_path: Path) -> Gliomaai:
    """Runs the command in a process of its own, with the tiny packs."""

    def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "GliomaAILib.cli", *map(str, arguments)]
        environment = {**os.environ, "GLIOMAAI_MODELS": str(packs), "OMP_NUM_THREADS": "2"}
        return subprocess.run(
            command,
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            **options,  # type: ignore[call-overload]
        )

    return run
