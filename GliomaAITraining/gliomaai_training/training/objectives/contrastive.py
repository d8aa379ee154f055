"""Contrastive learning across subsets of the sequences (GMMAS, second stage)."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from gliomaai_training.data.batch import Sample
from gliomaai_training.networks.multitask import MultiTaskNetwork
from gliomaai_training.networks.pooling import label_mask
from gliomaai_training.training.objectives.config import ContrastiveObjectiveConfig
from gliomaai_training.training.objectives.objective import (
    Losses,
    Objective,
    output_loss,
    view_of,
)


class ContrastiveObjective(Objective):
    """Two subsets of a patient's sequences give the same vector; segmentation goes on beside.

    SimSiam (Chen and He, CVPR 2021): L = -[cos(p1, sg z2) + cos(p2, sg z1)] / 2. InfoNCE (Chen et
    al., ICML 2020): the patient's other vector against those of all others in the batch. Vectors
    are pooled inside the true mask. `spread` watches for collapse: the standard deviation of the
    normalised vectors over the batch times the root of their width, about 1 where they fill the
    sphere and 0 where all are one.
    """

    network: MultiTaskNetwork
    compares_subsets = True

    def __init__(
        self, network: MultiTaskNetwork, config: ContrastiveObjectiveConfig, deep_supervision: float
    ) -> None:
        super().__init__()
        self.network = network
        self._config, self._deep_supervision = config, deep_supervision
        width = config.width
        self.projector = nn.Sequential(
            *_layer(network.vector_width, width), *_layer(width, width), *_layer(width, width)[:-1]
        )
        self.predictor = nn.Sequential(
            *_layer(width, config.bottleneck), nn.Linear(config.bottleneck, width)
        )

    def forward(self, sample: Sample, done: float) -> Losses:
        """See `Objective.forward`.

        Raises:
            ValueError: the batch does not name a second subset, or is of one patient.
        """
        if sample.second is None or len(sample.images) < 2:
            raise ValueError(
                "a contrastive stage needs samples with two subsets of sequences, and two patients "
                "in every batch"
            )
        mask = label_mask(sample.labels)
        outputs = [
            self.network(view_of(sample, present), mask)
            for present in (sample.present, sample.second)
        ]
        drawn = torch.stack([output_loss(one, sample, self._deep_supervision) for one in outputs])
        z = [self.projector(one.vector.float()) for one in outputs]
        loss = self._infonce(*z) if self._config.form == "infonce" else self._simsiam(*z)
        parts = {"segmentation": drawn.mean(), self._config.form: loss, "spread": spread(z[0])}
        return Losses(drawn.mean() + loss, {name: part.detach() for name, part in parts.items()})

    def _simsiam(self, first: Tensor, second: Tensor) -> Tensor:
        pairs = ((first, second), (second, first))
        cosines = [
            functional.cosine_similarity(self.predictor(one), other.detach()).mean()
            for one, other in pairs
        ]
        return -torch.stack(cosines).mean()

    def _infonce(self, first: Tensor, second: Tensor) -> Tensor:
        a, b = functional.normalize(first), functional.normalize(second)
        logits = a @ b.T / self._config.temperature
        same = torch.arange(len(a), device=a.device)
        return (
            functional.cross_entropy(logits, same) + functional.cross_entropy(logits.T, same)
        ) / 2


def spread(vectors: Tensor) -> Tensor:
    """How far vectors (B, P) fill the sphere: about 1, or 0 where they have collapsed."""
    normal = functional.normalize(vectors.detach())
    filled: Tensor = normal.std(0).mean() * math.sqrt(vectors.shape[1])
    return filled


def _layer(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    return nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True)
