"""Which engine is chosen, that engines agree, and what happens when they do not."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from gliomaai_training.inference import engines
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.engines import (
    EngineChoice,
    TorchEngine,
    choose_engine,
    is_out_of_memory,
    open_engine,
)
from gliomaai_training.networks.build import build_network

NETWORK: dict[str, Any] = {
    "architecture": "segmentation",
    "branch_width": 4,
    "widths": (4, 8, 16),
    "encoder_blocks": (0, 0, 1),
    "decoder_blocks": (0, 0),
    "transformer_layers": 1,
    "transformer_heads": 2,
}


def tiny_network() -> nn.Module:
    torch.manual_seed(0)
    network = build_network(NETWORK)
    with torch.no_grad():  # unequal weights, so that a wrong order of sequences shows
        network.encoder.fusion.preference.normal_()  # type: ignore[union-attr, operator]
    return network


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what the machine seems to have."""

    def set_up(amx: bool = False, cuda: bool = False, openvino: bool = True) -> None:
        monkeypatch.setattr(engines, "has_amx_bf16", lambda: amx)
        monkeypatch.setattr(engines, "has_openvino", lambda: openvino)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: cuda)

    return set_up


@pytest.mark.parametrize(
    ("has", "config", "expected"),
    [
        ({}, {}, "torch fp32 cpu"),
        ({"amx": True}, {}, "torch bf16 cpu"),
        ({"amx": True}, {"precision": "fp32"}, "torch fp32 cpu"),
        ({}, {"engine": "openvino"}, "openvino fp32 cpu"),
        ({"amx": True}, {"engine": "openvino"}, "openvino bf16 cpu"),
        ({"cuda": True}, {}, "torch bf16 cuda"),
        ({"cuda": True}, {"precision": "fp16"}, "torch fp16 cuda"),
        ({"cuda": True}, {"device": "cpu"}, "torch fp32 cpu"),
        ({"cuda": True}, {"engine": "openvino"}, "openvino fp32 cpu"),
    ],
)
def test_the_choice_follows_the_machine(
    machine: Any, has: dict[str, bool], config: dict[str, Any], expected: str
) -> None:
    machine(**has)
    assert choose_engine(EngineConfig(**config)).name == expected


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"device": "cuda"}, "finds no CUDA device"),
        ({"engine": "openvino"}, "pip install openvino"),
        ({"precision": "fp16"}, "fp16 needs a CUDA device"),
    ],
)
def test_what_the_machine_lacks_is_refused(
    machine: Any, config: dict[str, Any], message: str
) -> None:
    machine(openvino=False)
    with pytest.raises(ValueError, match=message):
        choose_engine(EngineConfig(**config))


def test_openvino_on_cuda_is_refused(machine: Any) -> None:
    machine(cuda=True)
    with pytest.raises(ValueError, match="CPU only"):
        choose_engine(EngineConfig(device="cuda", engine="openvino"))


def test_bf16_without_amx_is_warned_of(machine: Any, caplog: pytest.LogCaptureFixture) -> None:
    machine()
    assert choose_engine(EngineConfig(precision="bf16")).precision == "bf16"
    assert "slower than fp32" in caplog.text


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("device", "tpu"),
        ("engine", "onnx"),
        ("precision", "int8"),
        ("max_voxels", 0),
        ("tile_voxels", -1),
        ("tile_overlap", 1.0),
        ("threads", 0),
    ],
)
def test_wrong_settings_are_refused(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=str(value)):
        EngineConfig(**{field: value})  # type: ignore[arg-type]


SHAPES = [(16, 24, 32), (8, 40, 16)]
SUBSETS = [(True, True, True, True), (False, True, False, True), (False, False, False, True)]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_torch_engine_agrees_with_the_plain_network(precision: Any) -> None:
    engine = TorchEngine(tiny_network(), EngineChoice("torch", precision, "cpu"), threads=1)
    _agrees(engine, 1e-4 if precision == "fp32" else 0.1)


def test_openvino_agrees_with_the_plain_network_for_any_size_and_subset() -> None:
    pytest.importorskip("openvino", reason="OpenVINO is optional: pip install openvino")
    choice = EngineChoice("openvino", "fp32", "cpu")
    engine = open_engine(tiny_network(), choice, threads=1)
    assert engine.name == "openvino fp32 cpu"
    _agrees(engine, 1e-4)


def _agrees(engine: engines.Engine, tolerance: float) -> None:
    network = tiny_network().eval()
    generator = np.random.default_rng(0)
    for shape, subset in zip(SHAPES * 2, SUBSETS + SUBSETS[:1], strict=True):
        images = generator.standard_normal((4, *shape), np.float32)
        present = np.array(subset)
        with torch.inference_mode():
            expected = network(torch.from_numpy(images)[None], torch.from_numpy(present)[None])
        logits = engine.logits(images, present)
        assert logits.dtype == np.float32
        np.testing.assert_allclose(logits, expected[0].numpy(), atol=tolerance)


class SizeBound(nn.Module):
    """Remembers the size it was traced with: what a network must not do."""

    stride = 4

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        return images * float(images.shape[-1]) + present[..., None, None, None] * 1.0


def test_torch_stands_in_where_openvino_disagrees(caplog: pytest.LogCaptureFixture) -> None:
    pytest.importorskip("openvino", reason="OpenVINO is optional: pip install openvino")
    engine = open_engine(SizeBound(), EngineChoice("openvino", "fp32", "cpu"), threads=1)
    assert engine.name == "torch fp32 cpu"
    assert "torch runs instead" in caplog.text


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError(), True),
        (torch.OutOfMemoryError("CUDA out of memory."), True),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: not enough memory"),
            True,
        ),
        (RuntimeError("Exception from src/inference: std::bad_alloc"), True),
        (RuntimeError("sizes do not match"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_out_of_memory_is_recognised(error: BaseException, expected: bool) -> None:
    assert is_out_of_memory(error) is expected
