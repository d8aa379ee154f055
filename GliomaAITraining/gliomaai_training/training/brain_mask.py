"""Trains the brain mask network on heads that are drawn while it learns.

One process draws heads, one trains on a buffer of recent ones, each seen a few times. A run stops
and resumes at any step from its checkpoint.
"""

import copy
import json
import math
import multiprocessing
import os
import queue
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from numpy.typing import NDArray
from torch import Tensor

from gliomaai_training.inference.engines import channels_last, has_amx_bf16
from gliomaai_training.networks.brain_mask import BrainMaskNetwork, BrainMaskNetworkConfig
from gliomaai_training.preprocessing.brain_mask_grid import normalised, padded_size
from gliomaai_training.progress import Progress, silent
from gliomaai_training.simulation.head_acquisition import SOFTNESS_MM, draw_samples
from gliomaai_training.simulation.head_canvas import Draw
from gliomaai_training.simulation.head_contrast import random_curve
from gliomaai_training.training.brain_mask_pack import BrainMaskRun

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"
CONTRASTS_PER_HEAD = 3
PAIR_CANDIDATES = 8
"""The second sample of a batch is the nearest in size to the first of so many."""
PADDING_WEIGHT = 0.02
"""Voxels outside the field of view count this much: the network must only not go wild there."""
VERTEX_WEIGHT = 2.0
"""Extra weight of the top of the brain: a few voxels, which a network neglects otherwise."""
VERTEX_VOXELS = 8
EMA_RATE = 0.005
LOG_EVERY = 50
CHECKPOINT_EVERY = 250


@dataclass(frozen=True)
class BrainMaskTraining:
    """How a brain mask network is trained. Ends at `steps` or after `minutes`, if either is set."""

    steps: int | None = None
    minutes: float | None = None
    seed: int = 1
    learning_rate: float = 2e-3
    buffer_size: int = 240
    channels: tuple[int, ...] = BrainMaskNetworkConfig().channels

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError("give the length of the training either in steps or in minutes")

    def fraction(self, step: int, minutes: float) -> float:
        """How much of the training is done, 0 to 1."""
        if self.steps is not None:
            return min(step / self.steps, 1.0)
        return min(minutes / (self.minutes or 1.0), 1.0)


@dataclass
class TrainingState:
    """Everything that a resumed run needs."""

    net: BrainMaskNetwork
    average: BrainMaskNetwork
    """Exponential moving average of the weights: what is exported."""
    optimizer: torch.optim.Optimizer
    generator: torch.Generator
    step: int = 0
    minutes: float = 0.0
    drawn: int = 0

    def save(self, file: Path) -> None:
        """Writes the state; an interrupted write leaves the older file."""
        content = {
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "step": self.step,
            "minutes": self.minutes,
            "drawn": self.drawn,
            "channels": list(self.net.config.channels),
        }
        partial = file.with_suffix(".partial")
        torch.save(content, partial)
        os.replace(partial, file)


def new_state(config: BrainMaskTraining) -> TrainingState:
    """An untrained network with its optimizer."""
    torch.manual_seed(config.seed)  # torch's initialisers know no other generator
    net = channels_last(BrainMaskNetwork(BrainMaskNetworkConfig(channels=config.channels)))
    optimizer = torch.optim.AdamW(net.parameters(), config.learning_rate, weight_decay=1e-4)
    generator = torch.Generator().manual_seed(config.seed)
    return TrainingState(net, copy.deepcopy(net), optimizer, generator)


def load_state(file: Path, config: BrainMaskTraining) -> TrainingState:
    """The state of a run that was stopped.

    Raises:
        ValueError: the checkpoint belongs to a network of other widths.
    """
    content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    if tuple(content["channels"]) != config.channels:
        raise ValueError(f"{file} holds a network of widths {content['channels']}")
    state = new_state(config)
    state.net.load_state_dict(content["net"])
    state.average.load_state_dict(content["average"])
    state.optimizer.load_state_dict(content["optimizer"])
    state.generator.set_state(content["generator"])
    state.step, state.minutes, state.drawn = (content[k] for k in ("step", "minutes", "drawn"))
    return state


def load_finished(file: Path, outwards_mm: float = 0.0) -> BrainMaskRun:
    """The averaged network of a checkpoint, ready to be evaluated and packed.

    Args:
        file: the checkpoint.
        outwards_mm: moves the mask's surface outwards. Logits fall by 1 for every
            `SOFTNESS_MM`, so a constant does it.
    """
    content: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    network = BrainMaskNetwork(BrainMaskNetworkConfig(channels=content["channels"]))
    network.load_state_dict(content["average"])
    if network.head.bias is not None:
        network.head.bias.data += outwards_mm / SOFTNESS_MM
    return BrainMaskRun(
        network=network.eval(),
        steps=content["step"],
        minutes=content["minutes"],
        images=content["drawn"],
        outwards_mm=outwards_mm,
    )


def train_brain_mask(
    config: BrainMaskTraining, folder: Path, progress: Progress = silent
) -> TrainingState:
    """Trains, or resumes a training, in `folder`; leaves a checkpoint and a log there.

    The folder's checkpoint is resumed where there is one. The log has one JSON object a line:
    step, minutes, heads drawn, mean loss.

    Raises:
        ValueError: the folder's checkpoint is of another network.
        Cancelled: from `progress`; the checkpoint is written first.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / CHECKPOINT
    state = load_state(checkpoint, config) if checkpoint.exists() else new_state(config)
    with drawn_samples(config, state.drawn) as source:
        try:
            _train(config, state, source, _Reports(folder, progress))
        finally:
            state.save(checkpoint)
    return state


@dataclass(frozen=True)
class _Reports:
    folder: Path
    progress: Progress

    def tell(self, state: TrainingState, losses: list[float]) -> None:
        line = {
            "step": state.step,
            "minutes": round(state.minutes, 2),
            "drawn": state.drawn,
            "loss": round(float(np.mean(losses)), 4),
        }
        with (self.folder / LOG).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")


def _train(
    config: BrainMaskTraining,
    state: TrainingState,
    source: "_Drawing",
    reports: _Reports,
) -> None:
    buffer: deque[_Arrays] = deque(maxlen=config.buffer_size)
    _fill(buffer, source, state, at_least=min(12, config.buffer_size))
    losses: list[float] = []
    clock = time.monotonic()
    while (done := config.fraction(state.step, state.minutes)) < 1:
        reports.progress("training", done)
        _fill(buffer, source, state, at_least=1)
        losses.append(_step(config, state, buffer, done))
        now = time.monotonic()
        state.minutes, clock = state.minutes + (now - clock) / 60, now
        if state.step % LOG_EVERY == 0:
            reports.tell(state, losses)
            losses = []
        if state.step % CHECKPOINT_EVERY == 0:
            state.save(reports.folder / CHECKPOINT)


def _step(
    config: BrainMaskTraining, state: TrainingState, buffer: "deque[_Arrays]", done: float
) -> float:
    draw = Draw(state.generator)
    pair = similar_pair(buffer, draw)
    shape = common_shape([image.shape for image, _ in pair], draw)
    batch = [augmented(image, target, shape, draw) for image, target in pair]
    images, targets, weights = (torch.stack(parts) for parts in zip(*batch, strict=True))
    for group in state.optimizer.param_groups:
        warm = min(1.0, (state.step + 1) / 100)
        group["lr"] = config.learning_rate * warm * (0.01 + 0.495 * (1 + math.cos(math.pi * done)))
    inputs = images[:, None].contiguous(memory_format=torch.channels_last_3d)
    with torch.autocast("cpu", torch.bfloat16, enabled=has_amx_bf16()):
        logits = state.net(inputs)[:, 0].float()
    loss = torch.stack([mask_loss(*one) for one in zip(logits, targets, weights, strict=True)])
    state.optimizer.zero_grad()
    loss.mean().backward()
    torch.nn.utils.clip_grad_norm_(state.net.parameters(), 1.0)
    state.optimizer.step()
    state.step += 1
    _average(state)
    return float(loss.detach().mean())


def similar_pair(buffer: "deque[_Arrays]", draw: Draw) -> list[tuple[Tensor, Tensor]]:
    """Two samples of nearly one size: a random one, and the nearest of a few others.

    Two, because PyTorch's fast CPU convolutions refuse small feature maps of a single sample.
    """
    first = draw.integer(0, len(buffer) - 1)
    others = [index for index in range(len(buffer)) if index != first] or [first]
    drawn = [others[draw.integer(0, len(others) - 1)] for _ in range(PAIR_CANDIDATES)]
    size = np.asarray(buffer[first][0].shape)
    second = min(drawn, key=lambda index: int(np.abs(buffer[index][0].shape - size).sum()))
    return [
        (torch.from_numpy(image).float(), torch.from_numpy(target).float())
        for image, target in (buffer[first], buffer[second])
    ]


def common_shape(shapes: Sequence[tuple[int, ...]], draw: Draw) -> tuple[int, ...]:
    """The smallest size that holds all and that the network takes, now and then a step larger."""
    largest = np.max(np.asarray(shapes), axis=0)
    return tuple(padded_size(int(size)) + (8 if draw.chance(0.1) else 0) for size in largest)


def _average(state: TrainingState) -> None:
    rate = max(EMA_RATE, 1 / (state.step / 5 + 1))
    with torch.no_grad():
        pairs = zip(state.average.parameters(), state.net.parameters(), strict=True)
        for average, current in pairs:
            average.lerp_(current, rate)


def augmented(
    image: Tensor, target: Tensor, shape: tuple[int, ...], draw: Draw
) -> tuple[Tensor, Tensor, Tensor]:
    """Mirrors, re-maps intensities and pads to `shape`.

    Returns:
        image, target and weight, one shape; padding has hardly any weight, the vertex more.
    """
    if draw.chance(0.5):
        image, target = image.flip(0), target.flip(0)
    if draw.chance(0.35):
        image = normalised(random_curve(image, draw))
    weight = vertex_weight(target)
    pads: list[int] = []
    for size, wanted in zip(reversed(image.shape), reversed(shape), strict=True):
        spare = wanted - size
        before = spare // 2 if draw.chance(0.7) else draw.integer(0, spare)
        pads += [before, spare - before]
    padded = [F.pad(volume, pads) for volume in (image, target)]
    return padded[0], padded[1], F.pad(weight, pads, value=PADDING_WEIGHT)


def vertex_weight(target: Tensor) -> Tensor:
    """1 everywhere, more in a slab about the top of the mask (last axis is superior)."""
    weight = torch.ones_like(target)
    occupied = torch.nonzero((target > 0.5).sum((0, 1)) > 3)[:, 0]
    if occupied.numel():
        top = int(occupied[-1])
        weight[..., max(0, top - VERTEX_VOXELS) : top + 3] += VERTEX_WEIGHT
    return weight


def mask_loss(logits: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted cross-entropy plus weighted soft Dice loss."""
    cross = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    share = torch.sigmoid(logits)
    overlap = 2 * (share * target * weight).sum() + 1
    total = (share * weight).sum() + (target * weight).sum() + 1
    return (cross * weight).sum() / weight.sum() + 1 - overlap / total


_Arrays = tuple[NDArray[np.float16], NDArray[np.float16]]


@dataclass(frozen=True)
class _Drawing:
    samples: Any
    process: Any


@contextmanager
def drawn_samples(config: BrainMaskTraining, first: int) -> Iterator[_Drawing]:
    """Runs the drawing process; `first` is how many samples an earlier run has had."""
    context = multiprocessing.get_context("spawn")
    samples = context.Queue(8)
    process = context.Process(target=_draw_forever, args=(config.seed, first, samples), daemon=True)
    process.start()
    try:
        yield _Drawing(samples, process)
    finally:
        process.terminate()
        process.join()


def _draw_forever(seed: int, first: int, samples: Any) -> None:
    torch.set_num_threads(1)
    index = first
    while True:
        for sample in draw_samples(seed * 1_000_003 + index, CONTRASTS_PER_HEAD):
            _put(samples, (sample.image.half().numpy(), sample.target.half().numpy()))
            index += 1


def _put(samples: Any, sample: "_Arrays") -> None:
    """Waits until the training takes the sample; ends this process if nobody is left to take it."""
    training = multiprocessing.parent_process()
    while training is not None and training.is_alive():
        try:
            samples.put(sample, timeout=5)
        except queue.Full:
            continue
        return
    raise SystemExit


def _fill(buffer: "deque[_Arrays]", source: _Drawing, state: TrainingState, at_least: int) -> None:
    while len(buffer) < at_least or not source.samples.empty():
        try:
            buffer.append(source.samples.get(timeout=5))
            state.drawn += 1
        except queue.Empty:
            if not source.process.is_alive():
                raise RuntimeError("the process that draws heads has died") from None
