"""The brain mask pack that the project ships."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from torch import nn

from gliomaai_training.evaluation.brain_mask import (
    evaluate_outside,
    evaluate_simulated,
    read_series,
)
from gliomaai_training.inference.model_pack import load_model_pack
from gliomaai_training.networks.build import build_network
from gliomaai_training.preprocessing.brain_mask import BrainMasker, fuse, logit_on
from gliomaai_training.preprocessing.geometry import Grid

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY.parent / "shared" / "data"
PACK = REPOSITORY / "Resources" / "Models" / "brain-mask"

needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the development data is not at hand")


@pytest.fixture(scope="module")
def masker() -> BrainMasker:
    """The shipped network."""
    return BrainMasker(load_model_pack(PACK))


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """The shipped network, bare."""
    pack = load_model_pack(PACK)
    network = build_network(pack.settings["network"])
    network.load_state_dict(pack.weights())
    return network.eval()


def test_pack_is_small_and_says_how_it_was_made() -> None:
    pack = load_model_pack(PACK)
    assert pack.name == "brain-mask"
    assert sum(file.stat().st_size for file in PACK.rglob("*")) < 3e6
    assert pack.settings["trained"]["steps"] > 1000


def test_simulated_heads_are_found(network: nn.Module) -> None:
    dice = evaluate_simulated(network, 4).dice
    assert min(dice) > 0.8
    assert np.mean(dice) > 0.9


@needs_data
def test_raw_study_agrees_with_itself(masker: BrainMasker) -> None:
    series = read_series(DATA / "dicom" / "study-01")
    grid = Grid.of(next(iter(series.values())))
    fused = fuse({name: logit_on(masker.logit(image), grid) for name, image in series.items()})
    assert len(series) == 4
    assert 1000 < fused.volume_ml < 1700
    assert min(fused.agreement.values()) > 0.93
    assert fused.findings == ()


@needs_data
def test_stripped_and_raw_are_told_apart(network: nn.Module) -> None:
    raw = evaluate_outside(network, read_series(DATA / "dicom" / "study-01"))
    assert min(raw.values()) > 0.3
    files = sorted((DATA / "volumes").glob("vol-00[12]/*.nii.gz"))
    stripped = {
        str(file): sitk.ReadImage(str(file), sitk.sitkFloat32)
        for file in files
        if "seg" not in file.name
    }
    assert max(evaluate_outside(network, stripped).values()) < 0.05
