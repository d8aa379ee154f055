"""The OpenVINO engine: the same network compiled for the CPU, with its layers fused.

Opening it takes two to three CPU-seconds, more than it saves on one study in fp32; no compiled
model is kept on disk. It is compiled once for volumes of any size; which sequences are present is
an input, as in torch.
"""

import logging
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.inference.engines import EngineChoice
from gliomaai_training.vocabulary import SEQUENCES

if TYPE_CHECKING:
    from openvino import CompiledModel
    from torch.nn import Module

MAXIMUM_DIFFERENCE = 0.05
"""Engines agree when their logits differ by less than this share of the logits' deviation, on
average. An untrained network of the default size measured 2e-6 in fp32, 0.01 in torch's bf16 and
0.44 where the sequences present at conversion were taken for those of every study."""

logger = logging.getLogger(__name__)


class EngineDisagreementError(RuntimeError):
    """OpenVINO's logits are not torch's."""


class OpenVinoEngine:
    """The network in OpenVINO on the CPU."""

    def __init__(self, network: "Module", choice: EngineChoice, threads: int | None) -> None:
        """Converts, compiles and checks the network.

        Args:
            network: on the CPU, in float32.
            choice: with library `openvino`.
            threads: None leaves it to OpenVINO.

        Raises:
            EngineDisagreementError: the compiled network does not agree with torch.
        """
        self._choice = choice
        self._stride = int(cast(int, network.stride))
        self._compiled = _compile(network.eval(), self._stride, choice.precision, threads)
        self._check(network)

    @property
    def name(self) -> str:
        """Library, precision and device."""
        return self._choice.name

    @property
    def stride(self) -> int:
        """See `Engine.stride`."""
        return self._stride

    def logits(
        self, images: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """See `Engine.logits`."""
        result = self._compiled([images[None], present[None]])
        return np.asarray(result[0][0], np.float32)

    def _check(self, network: "Module") -> None:
        import torch

        generator = np.random.default_rng(0)
        size = (4 * self._stride, 2 * self._stride, 3 * self._stride)  # not the traced one
        images = generator.standard_normal((len(SEQUENCES), *size), np.float32)
        present = np.array([True, False, True, True])
        with torch.inference_mode():
            truth = network(torch.from_numpy(images)[None], torch.from_numpy(present)[None])
        expected = truth[0].numpy()
        difference = float(np.abs(self.logits(images, present) - expected).mean())
        if not difference <= MAXIMUM_DIFFERENCE * float(expected.std()):
            raise EngineDisagreementError(
                f"OpenVINO's logits differ from torch's by {difference:.3g} on average"
            )


def _compile(
    network: "Module", stride: int, precision: str, threads: int | None
) -> "CompiledModel":
    import openvino
    import torch

    example = (
        torch.zeros(1, len(SEQUENCES), 2 * stride, 2 * stride, 2 * stride),
        torch.ones(1, len(SEQUENCES), dtype=torch.bool),
    )
    with torch.no_grad(), warnings.catch_warnings():
        # Tracing warns of every size it reads; the check afterwards uses another size.
        warnings.simplefilter("ignore")
        # OpenVINO would trace too, but runs the network several times to check the trace.
        trace: Callable[..., Any] = torch.jit.trace  # typed in some releases of torch only
        traced = trace(network, example, check_trace=False)
        model = openvino.convert_model(traced, example_input=example)
    settings = {
        "INFERENCE_PRECISION_HINT": {"fp32": "f32", "bf16": "bf16"}[precision],
        "PERFORMANCE_HINT": "LATENCY",
    }
    if threads is not None:
        settings["INFERENCE_NUM_THREADS"] = str(threads)
    return openvino.Core().compile_model(model, "CPU", settings)
