"""Dropout at inference as a sample of networks (Gal and Ghahramani, ICML 2016).

Dropout lives in the heads alone, so that the trunk runs once for each view and the heads, which
cost next to nothing, run for every pass. Normalisation stays as in evaluation.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn

from gliomaai_training.inference.uncertainty import Floats, TaskSamples
from gliomaai_training.interpretation.explanations import RISK
from gliomaai_training.networks.multitask import MultiTaskNetwork, View
from gliomaai_training.networks.pooling import label_mask


@dataclass(frozen=True)
class MonteCarloConfig:
    """How often the network looks; the published system passes ten times, over eight crops."""

    passes: int = 10
    """With dropout, for each view."""
    flips: bool = False
    """Every view from left to right as well."""
    temperatures: Mapping[str, float] = field(default_factory=dict)
    """By task, as calibrated on validation patients; 1 where a task is not named."""

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise ValueError(f"passes must be at least 1, not {self.passes}")
        wrong = [value for value in self.temperatures.values() if not value > 0]
        if wrong:
            raise ValueError(f"a temperature must be positive, not {wrong[0]}")


def monte_carlo(
    network: MultiTaskNetwork,
    views: Sequence[View],
    config: MonteCarloConfig,
    generator: torch.Generator,
    masks: Sequence[Tensor] | None = None,
) -> TaskSamples:
    """What the heads answer with other dropout each time.

    Args:
        network: in whatever mode; it is left in that.
        views: of the same B patients: several crops, or subsets of their sequences.
        config: how often.
        generator: source of the dropout, on the CPU.
        masks: for each view, label probabilities to pool with in place of the network's own.

    Returns:
        Samples of B patients: passes x views (x 2 with flips) looks.

    Raises:
        ValueError: no view, or not one mask for each.
    """
    if not views or (masks is not None and len(masks) != len(views)):
        raise ValueError(f"{len(views)} views and {len(masks or ())} masks")
    given: Sequence[Tensor | None] = [None] * len(views) if masks is None else masks
    pairs = list(zip(views, given, strict=True))
    if config.flips:
        pairs += [(mirrored(view), None if mask is None else mask.flip(-1)) for view, mask in pairs]
    with torch.inference_mode(), evaluating(network):
        vectors = torch.stack([head_vector(network, view, mask) for view, mask in pairs])
    return monte_carlo_of_vectors(network, vectors, config, generator)


def monte_carlo_of_vectors(
    network: MultiTaskNetwork,
    vectors: Tensor,
    config: MonteCarloConfig,
    generator: torch.Generator,
) -> TaskSamples:
    """As `monte_carlo`, from what the heads read (V, B, P): a corrected mask takes milliseconds."""
    with torch.inference_mode():
        logits = dropout_logits(network, vectors, config.passes, generator)
    return task_samples(logits, config.temperatures)


def head_vector(network: MultiTaskNetwork, view: View, mask: Tensor | None = None) -> Tensor:
    """(B, P) what the heads read of a view; see `MultiTaskNetwork.forward` for the mask."""
    logits, maps = network.segment(view)
    used = torch.softmax(logits.float(), 1) if mask is None else mask
    return network.read(maps, used.to(logits.dtype))[1]


def drawn_vector(network: MultiTaskNetwork, view: View) -> Tensor:
    """As `head_vector`, pooled inside the labels that the network draws: what the clinic shows."""
    logits, maps = network.segment(view)
    return network.read(maps, label_mask(logits.argmax(1)).to(logits.dtype))[1]


def dropout_logits(
    network: MultiTaskNetwork, vectors: Tensor, passes: int, generator: torch.Generator
) -> dict[str, Tensor]:
    """Every head's outputs with dropout.

    Args:
        network: whose heads answer.
        vectors: (V, B, P) what they read in V views.
        passes: how often each vector is answered.
        generator: source of the dropout, on the CPU.

    Returns:
        For each task (passes x V, B, outputs).
    """
    repeated = vectors.repeat(passes, 1, 1)
    return {task: _dropped(head, repeated, generator) for task, head in network.heads.items()}


def task_samples(
    logits: Mapping[str, Tensor], temperatures: Mapping[str, float] | None = None
) -> TaskSamples:
    """Outputs of heads (S, B, outputs) as probabilities and log-risks.

    Args:
        logits: by task.
        temperatures: by task; the risk has none.
    """
    scales = temperatures or {}
    values = {task: part.double().cpu() for task, part in logits.items()}
    probabilities = {
        task: _array(torch.softmax(part / scales.get(task, 1.0), 2))
        for task, part in values.items()
        if task != RISK
    }
    return TaskSamples(probabilities, _array(values[RISK][..., 0]) if RISK in values else None)


def mirrored(view: View) -> View:
    """The same patients from left to right."""
    if view.whole is None or view.place is None:
        return replace(view, images=view.images.flip(-1))
    place = view.place.clone()
    place[:, 2] = 1 - view.place[:, 2].flip(-1)
    return replace(view, images=view.images.flip(-1), whole=view.whole.flip(-1), place=place)


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """The network in evaluation mode for a while."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def _dropped(head: nn.Module, values: Tensor, generator: torch.Generator) -> Tensor:
    """A head's answer with dropout whose masks come from the generator alone."""
    for layer in head.children():
        if isinstance(layer, nn.Dropout):
            kept = torch.rand(values.shape, generator=generator) >= layer.p
            values = values * kept.to(values.device) / (1 - layer.p)
        else:
            values = layer(values)
    return values


def _array(values: Tensor) -> Floats:
    return np.asarray(values.numpy(), np.float64)
