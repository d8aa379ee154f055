"""The segmentation network's promises: any subset of sequences, any size, coherent outputs."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gliomaai_training.evaluation.tables import all_subsets
from gliomaai_training.networks.blocks import depth_to_space, space_to_depth
from gliomaai_training.networks.build import build_network
from gliomaai_training.vocabulary import SEQUENCES

SMALL = {
    "architecture": "segmentation",
    "branch_width": 4,
    "widths": [8, 8, 16],
    "encoder_blocks": [0, 1, 1],
    "decoder_blocks": [0, 1],
    "transformer_layers": 1,
    "transformer_heads": 2,
}


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return build_network(SMALL).eval()


@pytest.fixture(scope="module")
def images() -> torch.Tensor:
    return torch.randn(1, 4, 16, 24, 16, generator=torch.Generator().manual_seed(1))


@given(st.integers(1, 3), st.integers(1, 3))
@settings(max_examples=10, deadline=None)
def test_depth_to_space_undoes_space_to_depth(channels: int, half: int) -> None:
    volume = torch.randn(2, channels, 2 * half, 4, 6)
    assert torch.equal(depth_to_space(space_to_depth(volume)), volume)


@pytest.mark.parametrize("subset", all_subsets(), ids="+".join)
def test_an_absent_sequence_changes_nothing(
    network: torch.nn.Module, images: torch.Tensor, subset: tuple[str, ...]
) -> None:
    present = torch.tensor([[name in subset for name in SEQUENCES]])
    garbage = images.clone()
    garbage[:, ~present[0]] = 50.0
    with torch.inference_mode():
        expected = network(images, present)
        assert torch.equal(network(garbage, present), expected)
    assert expected.shape == (1, 4, 16, 24, 16)
    assert torch.isfinite(expected).all()


def test_every_present_sequence_matters(network: torch.nn.Module, images: torch.Tensor) -> None:
    everything = torch.ones(1, 4, dtype=torch.bool)
    with torch.inference_mode():
        complete = network(images, everything)
        for index in range(len(SEQUENCES)):
            reduced = everything.clone()
            reduced[0, index] = False
            assert not torch.allclose(network(images, reduced), complete, atol=1e-4)


def test_evaluation_is_deterministic(network: torch.nn.Module, images: torch.Tensor) -> None:
    present = torch.ones(1, 4, dtype=torch.bool)
    with torch.inference_mode():
        assert torch.equal(network(images, present), network(images, present))


def test_a_size_that_does_not_fit_is_refused(network: torch.nn.Module) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        network(torch.zeros(1, 4, 12, 16, 16), torch.ones(1, 4, dtype=torch.bool))


def test_deep_supervision_is_at_stride_four(network: torch.nn.Module, images: torch.Tensor) -> None:
    coarse, fine = network.forward_deep(images, torch.ones(1, 4, dtype=torch.bool))
    assert coarse.shape == (1, 4, 4, 6, 4)
    assert fine.shape == (1, 4, 16, 24, 16)


@pytest.mark.parametrize(
    "settings_",
    [{"architecture": "resnet"}, {}, {**SMALL, "depth": 3}],
    ids=["unknown", "missing", "extra field"],
)
def test_wrong_settings_are_refused(settings_: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"architecture|depth"):
        build_network(settings_)


def test_default_network_fits_the_pack_limit() -> None:
    network = build_network({"architecture": "segmentation"})
    megabytes_fp16 = 2 * sum(p.numel() for p in network.parameters()) / 1e6
    assert megabytes_fp16 < 25
    assert np.log2(network.stride) == 4
