"""Adaptation to missing sequences by self-distillation (GMMAS, first stage)."""

import torch
from torch import Tensor

from gliomaai_training.data.batch import Sample
from gliomaai_training.networks.multitask import MultiTaskNetwork
from gliomaai_training.training.objectives.config import AdaptationObjectiveConfig
from gliomaai_training.training.objectives.objective import (
    Losses,
    Objective,
    output_loss,
    view_of,
)


class AdaptationObjective(Objective):
    """L = seg(all) + seg(some) + b sum_l |sg(f_all) - f_some|^2 / n_l, with b growing.

    f are the fused input, the encoder's end and the decoder's end (`MultiTaskOutput.maps`). The
    gradient goes to the pathway that lacks sequences alone: the full one must not forget.
    """

    network: MultiTaskNetwork
    compares_subsets = True

    def __init__(
        self, network: MultiTaskNetwork, config: AdaptationObjectiveConfig, deep_supervision: float
    ) -> None:
        super().__init__()
        self.network = network
        self._config, self._deep_supervision = config, deep_supervision

    def forward(self, sample: Sample, done: float) -> Losses:
        """See `Objective.forward`.

        Raises:
            ValueError: the batch does not name a second subset.
        """
        if sample.second is None:
            raise ValueError("an adaptation stage needs samples with two subsets of sequences")
        full = self.network(view_of(sample, sample.present | sample.second))
        reduced = self.network(view_of(sample, sample.second))
        own = [output_loss(one, sample, self._deep_supervision) for one in (full, reduced)]
        distance = distillation_loss(full.maps, reduced.maps)
        total = own[0] + own[1] + self._weight(done) * distance
        parts = {"all sequences": own[0], "some sequences": own[1], "distance": distance}
        return Losses(total, {name: part.detach() for name, part in parts.items()})

    def _weight(self, done: float) -> float:
        config = self._config
        ramp = min(1.0, done / config.ramp_share)
        return config.least_weight + (config.largest_weight - config.least_weight) * ramp


def distillation_loss(teacher: tuple[Tensor, ...], student: tuple[Tensor, ...]) -> Tensor:
    """Sum over feature maps of the mean squared difference; the teacher has no gradient."""
    squares = [
        (one.detach().float() - other.float()).square().mean()
        for one, other in zip(teacher, student, strict=True)
    ]
    return torch.stack(squares).sum()
