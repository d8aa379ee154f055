"""Saliency maps of a multi-task network: which voxels an answer comes from.

The features are pooled with a mask through which no gradient goes. A map therefore explains the
answer *given the outline*: the mask is drawn once, from everything shown, and kept.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gliomaai_training.interpretation.answers import Shown, answer_of, own_mask
from gliomaai_training.interpretation.explanations import Saliency, Target
from gliomaai_training.networks.multitask import MultiTaskNetwork, View
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import SEQUENCES

STAGE = "saliency"

STEPS = 32

FEWEST_STEPS = 4

FADED = 1e-4
"""Contrast below which images are next to nothing for a network that normalises its features."""

FAINT = 0.02
"""Contrast above which such a network sees hardly any difference."""


@dataclass(frozen=True)
class SmoothGradConfig:
    """How gradients are smoothed; the authors' choice."""

    samples: int = 32
    noise: float = 0.15
    """Standard deviation, as a share of each sequence's range."""

    def __post_init__(self) -> None:
        if self.samples < 1 or not self.noise > 0:
            raise ValueError(f"needs samples and noise, not {self.samples} and {self.noise}")


def integrated_gradients(
    network: MultiTaskNetwork,
    shown: Shown,
    target: Target,
    steps: int = STEPS,
    progress: Progress = silent,
) -> Saliency:
    """Integrated gradients from images without contrast (Sundararajan 2017).

    The path from 0 (the brain's mean intensity, which is also what lies outside the brain) to the
    images is straight. Its integral is taken by Gauss-Legendre quadrature over the logarithm of the
    contrast: a convolution followed by a normalisation sees no difference between an image and a
    hundredth of it, so that nearly everything happens where the contrast is next to nothing, and
    evenly spaced steps miss it.

    Args:
        network: in whatever mode; it is run in evaluation mode.
        shown: the patient.
        target: the answer.
        steps: passes forward and back; more close `Saliency.gap`.
        progress: called after each step.

    Raises:
        ValueError: too few steps, or the network does not answer the target.
        Cancelled: by `progress`.
    """
    if steps < FEWEST_STEPS:
        raise ValueError(f"needs at least {FEWEST_STEPS} steps, not {steps}")
    with _explaining(network):
        asked = _Asked(network, shown, target)
        inputs = asked.inputs()
        totals = [torch.zeros_like(one) for one in inputs]
        for number, (contrast, weight) in enumerate(zip(*_contrasts(steps), strict=True)):
            progress(STAGE, number / steps)
            gradients = asked.gradients([one * contrast for one in inputs])
            for total, gradient in zip(totals, gradients, strict=True):
                total += weight * gradient
        parts = [total * one for total, one in zip(totals, inputs, strict=True)]
        baseline = asked.value([torch.zeros_like(one) for one in inputs])
        found = asked.saliency("integrated gradients", parts, baseline)
    progress(STAGE, 1.0)
    return found


def smooth_gradients(
    network: MultiTaskNetwork,
    shown: Shown,
    target: Target,
    generator: torch.Generator,
    config: SmoothGradConfig | None = None,
    progress: Progress = silent,
) -> Saliency:
    """The mean gradient over noisy copies of the images (SmoothGrad, Smilkstein 2017).

    The noise is added where there is something to see; what lies outside the brain stays 0.

    Args:
        network, shown, target, progress: as in `integrated_gradients`.
        generator: of the noise, on the CPU.
        config: how much noise, how often.

    Raises:
        ValueError: the network does not answer the target.
        Cancelled: by `progress`.
    """
    config = config or SmoothGradConfig()
    with _explaining(network):
        asked = _Asked(network, shown, target)
        inputs = asked.inputs()
        scales = [config.noise * _ranges(one) * (one != 0) for one in inputs]
        totals = [torch.zeros_like(one) for one in inputs]
        for number in range(config.samples):
            progress(STAGE, number / config.samples)
            noisy = [
                one + scale * torch.randn(one.shape, generator=generator).to(one)
                for one, scale in zip(inputs, scales, strict=True)
            ]
            for total, gradient in zip(totals, asked.gradients(noisy), strict=True):
                total += gradient / config.samples
        parts = [total * (one != 0) for total, one in zip(totals, inputs, strict=True)]
        found = asked.saliency("smoothgrad", parts, None)
    progress(STAGE, 1.0)
    return found


class _Asked:
    """The target's answer as a function of the images alone: the mask is held."""

    def __init__(self, network: MultiTaskNetwork, shown: Shown, target: Target) -> None:
        self._network, self._shown, self._target = network, shown, target
        view = shown.view
        # Clones: tensors made in inference mode can have no gradients.
        self._present = view.present.clone()
        self._place = None if view.place is None else view.place.clone()
        self._mask = own_mask(network, shown).clone()

    def inputs(self) -> list[Tensor]:
        """The images, and the whole brain where it is read, with zeros for what is absent."""
        view = self._shown.view
        given = [view.images]
        if view.whole is not None and self._network.whole is not None:
            given.append(view.whole)
        absent = ~self._present[..., None, None, None]
        return [one.detach().clone().masked_fill(absent, 0.0) for one in given]

    def value(self, inputs: Sequence[Tensor]) -> float:
        """The answer itself."""
        with torch.no_grad():
            return float(self._answer(inputs))

    def gradients(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Of the answer, for each input."""
        leaves = [one.detach().requires_grad_() for one in inputs]
        return torch.autograd.grad(self._answer(leaves), leaves)

    def saliency(self, method: str, parts: Sequence[Tensor], baseline: float | None) -> Saliency:
        """The maps with what belongs to them."""
        absent = ~self._present[..., None, None, None]
        maps = [_array(one.masked_fill(absent, 0.0)) for one in parts]
        shown = self._present[0].tolist()
        return Saliency(
            target=self._target,
            method=method,
            sequences=tuple(name for name, there in zip(SEQUENCES, shown, strict=True) if there),
            map=maps[0],
            whole=maps[1] if len(maps) > 1 else None,
            output=self.value(self.inputs()),
            baseline=baseline,
        )

    def _answer(self, inputs: Sequence[Tensor]) -> Tensor:
        images, *rest = inputs
        whole, place = (rest[0], self._place) if rest else (None, None)
        view = View(images, self._present, whole, place)
        outputs, _ = self._network.read(self._network.pooled_maps(view), self._mask)
        return answer_of(outputs, self._target, self._shown.temperatures)[0]


@contextmanager
def _explaining(network: MultiTaskNetwork) -> Iterator[None]:
    """Evaluation mode, and gradients even where the caller has switched them off."""
    training = network.training
    network.eval()
    try:
        with torch.inference_mode(False), torch.enable_grad():
            yield
    finally:
        network.train(training)


def _contrasts(steps: int) -> tuple[list[float], list[float]]:
    """Contrasts from 0 to 1 and their weights: three quarters where there is hardly any."""
    span = math.log1p(1 / FADED)
    faint = math.log1p(FAINT / FADED) / span
    below = round(0.75 * steps)
    contrasts: list[float] = []
    weights: list[float] = []
    for begin, end, count in ((0.0, faint, below), (faint, 1.0, steps - below)):
        nodes, shares = np.polynomial.legendre.leggauss(count)
        part = FADED * np.expm1((begin + (nodes + 1) / 2 * (end - begin)) * span)
        contrasts += part.tolist()
        weights += (shares / 2 * (end - begin) * (part + FADED) * span).tolist()
    return contrasts, weights


def _ranges(images: Tensor) -> Tensor:
    """Largest less smallest value of each sequence (1, 4, 1, 1, 1)."""
    return images.amax((2, 3, 4), keepdim=True) - images.amin((2, 3, 4), keepdim=True)


def _array(part: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(part[0].detach().float().cpu().numpy())
