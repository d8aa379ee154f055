"""What every objective is, and the loss of segmentation that all of them share."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gliomaai_training.data.batch import Sample
from gliomaai_training.data.case_store import StoredCase
from gliomaai_training.losses.segmentation import segmentation_loss
from gliomaai_training.networks.multitask import MultiTaskNetwork, MultiTaskOutput, View
from gliomaai_training.networks.segmentation import SegmentationNetwork
from gliomaai_training.preprocessing.network_input import pad_to_multiple


@dataclass(frozen=True, eq=False)
class Losses:
    """The loss of a batch."""

    total: Tensor
    """Scalar, to be minimised."""
    parts: Mapping[str, Tensor]
    """What it consists of and what is watched beside it, for the learning curve; detached."""


class Objective(nn.Module, ABC):
    """A network with what a stage teaches it.

    Parameters beside the network's, a projector's for example, learn with it and are left behind.
    """

    network: SegmentationNetwork | MultiTaskNetwork
    """What is averaged, evaluated and packed."""
    compares_subsets = False
    """Whether its samples name two subsets of their sequences."""

    @abstractmethod
    def forward(self, sample: Sample, done: float) -> Losses:
        """The loss of a batch.

        Args:
            sample: the batch.
            done: how much of the stage is done, 0 to 1.
        """


class SegmentationObjective(Objective):
    """Region Dice and nested cross-entropy, of the fine and the coarse output."""

    def __init__(
        self, network: SegmentationNetwork | MultiTaskNetwork, deep_supervision: float
    ) -> None:
        super().__init__()
        self.network = network
        self._deep_supervision = deep_supervision

    def forward(self, sample: Sample, done: float) -> Losses:
        """See `Objective.forward`."""
        if isinstance(self.network, MultiTaskNetwork):
            output = self.network(view_of(sample, sample.present))
            loss = output_loss(output, sample, self._deep_supervision)
        else:
            coarse, fine = self.network.forward_deep(sample.images, sample.present)
            loss = segmentation_loss(fine, sample.labels)
            loss = loss + self._deep_supervision * segmentation_loss(coarse, sample.labels)
        return Losses(loss, {"segmentation": loss.detach()})


def view_of(sample: Sample, present: Tensor) -> View:
    """A batch as the multi-task network sees it through some of its sequences, (B, 4)."""
    if sample.whole is None:
        return View(sample.images, present)
    return View(sample.images, present, sample.whole.images, sample.whole.place)


def view_of_case(
    case: StoredCase, present: NDArray[np.bool_], stride: int, device: torch.device
) -> View:
    """A whole brain as the network sees it through some of its sequences, (4,)."""
    images = pad_to_multiple(case.normalised() * present[:, None, None, None], stride)
    shown = torch.from_numpy(present)[None]
    return View(torch.from_numpy(images)[None].to(device), shown.to(device))


def output_loss(output: MultiTaskOutput, sample: Sample, deep_supervision: float) -> Tensor:
    """Segmentation loss of the crop, of its coarse output and of the global branch's."""
    loss = segmentation_loss(output.logits, sample.labels)
    loss = loss + deep_supervision * segmentation_loss(output.coarse_logits, sample.labels)
    if output.whole_logits is None:
        return loss
    labels = sample.labels if sample.whole is None else sample.whole.labels
    return loss + deep_supervision * segmentation_loss(output.whole_logits, labels)


def by_chance(probability: float) -> bool:
    """Whether something happens that happens so often; torch's generator is seeded every step."""
    return bool(torch.rand(()) < probability)
