"""Engines: the network as a function from arrays to logits, in torch or OpenVINO."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.inference.config import EngineConfig

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

    M = TypeVar("M", bound=Module)

logger = logging.getLogger(__name__)


class Engine(Protocol):
    """A network ready to run."""

    @property
    def name(self) -> str:
        """Library, precision and device, for example `torch fp32 cpu`."""

    @property
    def stride(self) -> int:
        """Sizes of volumes must be multiples of this."""

    def logits(
        self, images: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """Logits (4 labels, z, y, x) of images (4 sequences, z, y, x); sizes fit the stride."""


@dataclass(frozen=True)
class EngineChoice:
    """What `EngineConfig` comes to on this machine."""

    library: Literal["torch", "openvino"]
    precision: Literal["fp32", "bf16", "fp16"]
    device: Literal["cpu", "cuda"]

    @property
    def name(self) -> str:
        """As logged and as written into the provenance."""
        return f"{self.library} {self.precision} {self.device}"


def has_amx_bf16() -> bool:
    """Whether the CPU multiplies bf16 matrices in hardware; without it bf16 is slower than fp32."""
    import torch

    capabilities = getattr(torch.cpu, "get_capabilities", None)  # not in older releases
    return capabilities is not None and bool(capabilities().get("amx_bf16", False))


def has_openvino() -> bool:
    """Whether OpenVINO is installed."""
    return find_spec("openvino") is not None


def choose_engine(config: EngineConfig) -> EngineChoice:
    """Settles every `auto` for this machine.

    Raises:
        ValueError: something was asked for that this machine lacks.
    """
    import torch

    if config.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda was asked for, but torch finds no CUDA device; choose cpu")
    if config.engine == "openvino" and not has_openvino():
        raise ValueError(
            "engine openvino was asked for, but it is not installed; "
            "run `pip install openvino` or choose torch"
        )
    if config.engine == "openvino" and config.device == "cuda":
        raise ValueError("engine openvino runs on the CPU only; choose torch for cuda")
    use_cuda = config.device != "cpu" and config.engine != "openvino" and torch.cuda.is_available()
    if use_cuda:
        return _choose_on_cuda(config)
    return _choose_on_cpu(config)


def _choose_on_cuda(config: EngineConfig) -> EngineChoice:
    import torch

    if config.precision != "auto":
        return EngineChoice("torch", config.precision, "cuda")
    return EngineChoice("torch", "bf16" if torch.cuda.is_bf16_supported() else "fp16", "cuda")


def _choose_on_cpu(config: EngineConfig) -> EngineChoice:
    amx = has_amx_bf16()
    if config.precision == "fp16":
        raise ValueError("fp16 needs a CUDA device, and torch finds none; choose fp32")
    precision = config.precision
    if precision == "auto":
        precision = "bf16" if amx else "fp32"
    if precision == "bf16" and not amx:
        logger.warning("this CPU has no AMX: bf16 will be slower than fp32")
    # Opening OpenVINO costs more than it saves on one study; a process with many asks for it.
    return EngineChoice("openvino" if config.engine == "openvino" else "torch", precision, "cpu")


@contextmanager
def cpu_threads(count: int | None) -> Iterator[None]:
    """Sets torch's CPU threads for a while; None changes nothing."""
    import torch

    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def open_engine(network: "Module", choice: EngineChoice, threads: int | None) -> Engine:
    """Makes a network ready to run; torch stands in where OpenVINO does not agree with it."""
    if choice.library == "openvino":
        from gliomaai_training.inference.openvino_engine import (
            EngineDisagreementError,
            OpenVinoEngine,
        )

        try:
            return OpenVinoEngine(network, choice, threads)
        except EngineDisagreementError as error:
            logger.warning("%s; torch runs instead", error)
            choice = replace(choice, library="torch")
    return TorchEngine(network, choice, threads)


def channels_last(network: "M") -> "M":
    """Lays the weights of 3D convolutions out channels-last, in place: faster on CPU and GPU."""
    import torch

    for parameter in network.parameters():
        if parameter.dim() == 5:  # the weights of a 3D convolution
            parameter.data = parameter.data.to(memory_format=torch.channels_last_3d)
    return network


class TorchEngine:
    """The network in torch, channels last; on CUDA and AMX in reduced precision by autocast."""

    def __init__(self, network: "Module", choice: EngineChoice, threads: int | None) -> None:

        self._choice = choice
        self._threads = threads
        self._stride = int(cast(int, network.stride))
        self._network = channels_last(network.eval().to(choice.device))

    @property
    def name(self) -> str:
        """Library, precision and device."""
        return self._choice.name

    @property
    def stride(self) -> int:
        """See `Engine.stride`."""
        return self._stride

    @property
    def device(self) -> str:
        """Where the network lies."""
        return self._choice.device

    def logits(
        self, images: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """See `Engine.logits`."""
        import torch

        with self.running():
            shown = torch.from_numpy(present)[None].to(self.device)
            result = self._network(self.batch(images), shown)
            return np.asarray(result[0].float().cpu().numpy())

    @contextmanager
    def running(self) -> Iterator[None]:
        """Runs torch as it was chosen: precision and threads, and no gradients."""
        import torch

        reduced = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(self._choice.precision)
        with (
            torch.inference_mode(),
            cpu_threads(self._threads),
            torch.autocast(self.device, dtype=reduced, enabled=reduced is not None),
        ):
            yield

    def batch(self, images: NDArray[np.float32]) -> "Tensor":
        """Images (4, z, y, x) as a batch of one where the network lies."""
        import torch

        return torch.from_numpy(images)[None].to(
            device=self.device, memory_format=torch.channels_last_3d
        )


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an engine failed for want of memory (torch on CPU has no error class for it)."""
    if isinstance(error, MemoryError):
        return True
    text = str(error).lower()
    signs = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc")
    return isinstance(error, RuntimeError) and any(sign in text for sign in signs)
