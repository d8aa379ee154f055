"""A student of pseudo-labels, who also agrees with himself where he sees less well (FixMatch)."""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from gliomaai_training.data.batch import Sample, Targets
from gliomaai_training.networks.multitask import MultiTaskNetwork
from gliomaai_training.training.objectives.config import StudentObjectiveConfig
from gliomaai_training.training.objectives.multitask import RISK, MultiTaskObjective
from gliomaai_training.training.objectives.objective import Losses, view_of
from gliomaai_training.training.student_config import pseudo_label_weight

CONSISTENCY = "consistency"
INTENSITY_SCALE, INTENSITY_SHIFT, NOISE_SD = 0.3, 0.3, 0.2
"""Of the strong change; in deviations of the brain's intensities."""


class StudentObjective(MultiTaskObjective):
    """As `MultiTaskObjective`, with pseudo-labels and consistency in growing weight.

    The weak view shows a patient as the sample has it; the strong one through the second subset of
    its sequences, with other intensities and noise. Where the weak view is sure of a class of an
    unlabelled patient, the strong one learns it (Sohn et al., NeurIPS 2020).
    """

    compares_subsets = True

    def __init__(
        self, network: MultiTaskNetwork, config: StudentObjectiveConfig, deep_supervision: float
    ) -> None:
        super().__init__(network, config, deep_supervision)
        self._student = config.student

    def forward(self, sample: Sample, done: float) -> Losses:
        """See `Objective.forward`.

        Raises:
            ValueError: the batch has no targets, or does not name a second subset.
        """
        if sample.targets is None or sample.second is None:
            raise ValueError("a student needs a clinical table and two subsets of sequences")
        weight = pseudo_label_weight(done, self._student)
        output = self.output(sample)
        believed = sample.targets.believed(weight)
        learned = self.losses(output, sample, believed)
        strong = self.network(view_of(strongly_changed(sample), sample.second))
        agreement = self._agreement(output.tasks, strong.tasks, sample.targets)
        total = learned.total + weight * agreement
        parts = {CONSISTENCY: agreement.detach(), "pseudo weight": torch.tensor(weight)}
        return Losses(total, {**learned.parts, **parts})

    def _agreement(
        self, weak: Mapping[str, Tensor], strong: Mapping[str, Tensor], targets: Targets
    ) -> Tensor:
        """Mean over the batch of the strong view's loss where the weak one is sure."""
        total = torch.zeros(())
        for task, logits in strong.items():
            if task == RISK:
                continue
            unlabelled = targets.labels[task].first.all(1) | targets.pseudo[task]
            confidence, chosen = torch.softmax(weak[task].detach().float(), 1).max(1)
            sure = unlabelled & (confidence >= self._student.consistency_threshold)
            loss = functional.cross_entropy(logits.float(), chosen, reduction="none")
            total = total.to(loss) + (loss * sure).mean()
        return total


def strongly_changed(sample: Sample) -> Sample:
    """Other intensities and noise in every sequence; what is outside the brain stays 0."""
    images = sample.images
    shape = (*images.shape[:2], 1, 1, 1)
    scale = 1 + INTENSITY_SCALE * (2 * torch.rand(shape) - 1)
    shift = INTENSITY_SHIFT * (2 * torch.rand(shape) - 1)
    noise = NOISE_SD * torch.randn(images.shape)
    changed = images * scale.to(images) + shift.to(images) + noise.to(images)
    return replace(sample, images=changed.masked_fill(images == 0, 0.0))
