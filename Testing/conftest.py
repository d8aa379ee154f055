"""Fixtures of the tests that span both packages."""

from pathlib import Path

import pytest
import torch

from gliomaai_training.inference.model_pack import write_model_pack
from gliomaai_training.networks.build import build_network
from gliomaai_training.preprocessing.network_input import NORMALISATION
from gliomaai_training.simulation.config import SimulationConfig
from gliomaai_training.simulation.patient import simulate_patient
from gliomaai_training.simulation.writer import write_patient
from gliomaai_training.vocabulary import Label

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
        "gliomaai": {
            "task": "segmentation",
            "network": TINY_NETWORK,
            "normalisation": NORMALISATION,
        },
    }
    write_model_pack(folder, metadata, state, {"docs/README.md": b"# A pack for tests\n"})


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packs whose segmentation finds no tumour."""
    folder = tmp_path_factory.mktemp("packs")
    write_tiny_pack(folder / "segmentation", Label.BACKGROUND)
    return folder


@pytest.fixture(scope="session")
def oedema_packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of packs whose segmentation finds oedema everywhere."""
    folder = tmp_path_factory.mktemp("oedema-packs")
    write_tiny_pack(folder / "segmentation", Label.ED)
    return folder


@pytest.fixture(scope="session")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coarse simulated patient, stripped and co-registered, as NIfTI files."""
    folder = tmp_path_factory.mktemp("patient") / "study"
    write_patient(simulate_patient(7, SimulationConfig(spacing_mm=3.0, who_class="GBM")), folder)
    return folder
