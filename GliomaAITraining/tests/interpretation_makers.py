"""Tiny networks to explain, and one that learnt that T2 alone tells who is IDH-mutant."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from gliomaai_training.interpretation.answers import Shown
from gliomaai_training.networks.multitask import MultiTaskNetwork, MultiTaskNetworkConfig, View
from gliomaai_training.networks.segmentation import SegmentationNetworkConfig
from gliomaai_training.vocabulary import SEQUENCES, Label

SIZE = 16
CARRIER = SEQUENCES.index("t2")

TINY = SegmentationNetworkConfig(
    branch_width=4,
    widths=(8, 16, 16),
    encoder_blocks=(0, 0, 0),
    decoder_blocks=(0, 0),
    transformer_layers=0,
    transformer_heads=2,
)


@dataclass(frozen=True, eq=False)
class Ball:
    """A round brain with a round tumour, dark on T2 if wild-type, bright on everything else."""

    images: NDArray[np.float32]
    brain: NDArray[np.bool_]
    tumour: NDArray[np.bool_]
    mutant: bool


def ball(generator: np.random.Generator) -> Ball:
    grid = np.indices((SIZE, SIZE, SIZE)).astype(float)
    brain = ((grid - (SIZE - 1) / 2) ** 2).sum(0) < (SIZE / 2 - 1) ** 2
    centre = generator.uniform(5, 10, 3)[:, None, None, None]
    tumour = (((grid - centre) ** 2).sum(0) < generator.uniform(2.5, 3.5) ** 2) & brain
    mutant = bool(generator.integers(2))
    images = []
    for index in range(len(SEQUENCES)):
        image = 3 * ndimage.gaussian_filter(generator.normal(size=brain.shape), 1)
        image[tumour] += -2 if index == CARRIER and not mutant else 2
        inside = image[brain]
        images.append(np.where(brain, (image - inside.mean()) / inside.std(), 0))
    return Ball(np.array(images, np.float32), brain, tumour, mutant)


def shown(one: Ball, present: tuple[bool, ...] = (True,) * 4, masked: bool = True) -> Shown:
    """The patient, with the true mask or with none; the images can be written to."""
    view = View(torch.from_numpy(one.images.copy())[None], torch.tensor([present]))
    if not masked:
        return Shown(view)
    labels = torch.from_numpy(one.tumour.astype(np.int64) * Label.ET)
    return Shown(view, functional.one_hot(labels, len(Label)).movedim(-1, 0)[None].float())


def network(**fields: object) -> MultiTaskNetwork:
    """One that learnt nothing."""
    torch.manual_seed(0)
    config = {"segmentation": TINY, "tasks": ("state", "idh", "risk"), "dropout": 0.0}
    return MultiTaskNetwork(MultiTaskNetworkConfig.model_validate(config | fields)).eval()


@cache
def trained() -> MultiTaskNetwork:
    """Told IDH from T2 for some seconds, with sequences missing; nobody told it the outline."""
    net = network(tasks=("idh",)).train()
    generator = np.random.default_rng(0)
    optimizer = torch.optim.AdamW(net.parameters(), 3e-3)
    for _ in range(50):
        balls = [ball(generator) for _ in range(4)]
        asked = [shown(one) for one in balls]
        present = torch.from_numpy(generator.random((4, 4)) < 0.7)
        present[:, CARRIER] |= ~present.any(1)
        view = View(torch.cat([one.view.images for one in asked]), present)
        mask = torch.cat([one.mask for one in asked if isinstance(one.mask, Tensor)])
        truth = torch.tensor([int(one.mutant) for one in balls])
        _, maps = net.segment(view)
        outputs, _ = net.read(maps, mask)
        functional.cross_entropy(outputs["idh"], truth).backward()
        optimizer.step()
        optimizer.zero_grad()
    return net.eval()


@cache
def unseen(count: int = 6) -> tuple[Ball, ...]:
    """Patients whom the trained network never saw."""
    generator = np.random.default_rng(99)
    return tuple(ball(generator) for _ in range(count))
