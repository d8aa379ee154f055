"""Segmentation, diagnosis and survival at once (SGS-Net, GMMAS)."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from gliomaai_training.data.batch import Sample, Targets
from gliomaai_training.losses.partial_labels import partial_cross_entropy
from gliomaai_training.losses.survival import FollowedVectors, VectorBank, cox_loss, ranking_loss
from gliomaai_training.losses.uncertainty import UncertaintyWeights
from gliomaai_training.networks.multitask import MultiTaskNetwork, MultiTaskOutput
from gliomaai_training.networks.pooling import label_mask
from gliomaai_training.training.objectives.config import MultiTaskObjectiveConfig
from gliomaai_training.training.objectives.objective import (
    Losses,
    Objective,
    by_chance,
    output_loss,
    view_of,
)

SEGMENTATION, RISK, RANKING = "segmentation", "risk", "ranking"


class MultiTaskObjective(Objective):
    """The network's tasks, their losses balanced by learned uncertainty."""

    network: MultiTaskNetwork

    def __init__(
        self, network: MultiTaskNetwork, config: MultiTaskObjectiveConfig, deep_supervision: float
    ) -> None:
        super().__init__()
        if not network.config.tasks:
            raise ValueError("a multitask stage needs a network with tasks")
        self.network = network
        self._config, self._deep_supervision = config, deep_supervision
        self._bank = VectorBank(config.bank_patients)
        named = [*([SEGMENTATION] if config.segmentation else []), *network.config.tasks]
        if RISK in named and config.ranking:
            named.append(RANKING)
        self.balance = UncertaintyWeights(named, config.balance)

    def forward(self, sample: Sample, done: float) -> Losses:
        """See `Objective.forward`.

        Raises:
            ValueError: the batch has no targets.
        """
        if sample.targets is None:
            raise ValueError("a multitask stage needs a cohort with a clinical table")
        return self.losses(self.output(sample), sample, sample.targets)

    def output(self, sample: Sample) -> MultiTaskOutput:
        """What the network makes of a batch, pooled in the true masks now and then."""
        mask = label_mask(sample.labels) if by_chance(self._config.true_masks) else None
        output: MultiTaskOutput = self.network(view_of(sample, sample.present), mask)
        return output

    def losses(self, output: MultiTaskOutput, sample: Sample, targets: Targets) -> Losses:
        """Balanced losses of all tasks."""
        losses = self._task_losses(output, targets)
        if self._config.segmentation:
            losses[SEGMENTATION] = output_loss(output, sample, self._deep_supervision)
        parts = {name: loss.detach() for name, loss in losses.items()}
        weights = {f"weight of {name}": torch.tensor(self.balance.weight(name)) for name in losses}
        return Losses(self.balance(losses), parts | weights)

    def get_extra_state(self) -> dict[str, Any]:
        """The bank, so that an interrupted run goes on as if it had not been."""
        return {"bank": self._bank.state()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Takes back what `get_extra_state` gave."""
        self._bank.restore(state["bank"])

    def _task_losses(self, output: MultiTaskOutput, targets: Targets) -> dict[str, Tensor]:
        losses = {
            task: partial_cross_entropy(logits, targets.labels[task])
            for task, logits in output.tasks.items()
            if task != RISK
        }
        if RISK in output.tasks:
            losses |= self._survival_losses(output.vector, targets)
        return losses

    def _survival_losses(self, vectors: Tensor, targets: Targets) -> dict[str, Tensor]:
        """Of the batch's risks against each other's and the bank's."""
        known = ~targets.months.isnan()
        patients = [name for name, one in zip(targets.patients, known.tolist(), strict=True) if one]
        own = FollowedVectors(vectors[known], targets.months[known], targets.event[known])
        everyone = self._bank.joined(patients, own)
        if self.training:
            self._bank.store(patients, own)
        # The head learns from everyone, but the features from the batch alone: without the factor,
        # a patient would weigh there as little as in a full batch, but in one step of many.
        factor = len(everyone.months) / max(len(patients), 1)
        number = len(patients)
        steep = _with_gradient(everyone.vectors[:number], factor)
        vectors = torch.cat([steep, everyone.vectors[number:]])
        compared = replace(everyone, vectors=vectors).risks(self.network.heads[RISK])
        losses = {RISK: cox_loss(compared, self._config.ties)}
        if self._config.ranking:
            losses[RANKING] = ranking_loss(compared, self._config.ranking)
        return losses


def _with_gradient(values: Tensor, factor: float) -> Tensor:
    """The same values with a gradient so many times as large."""
    constant = values.detach()
    return constant + factor * (values - constant)
