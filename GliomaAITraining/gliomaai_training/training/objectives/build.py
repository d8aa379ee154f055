"""Objectives by configuration."""

from torch import nn

from gliomaai_training.networks.multitask import MultiTaskNetwork
from gliomaai_training.networks.segmentation import SegmentationNetwork
from gliomaai_training.training.config import FitConfig
from gliomaai_training.training.objectives.adaptation import AdaptationObjective
from gliomaai_training.training.objectives.config import (
    AdaptationObjectiveConfig,
    ContrastiveObjectiveConfig,
    MultiTaskObjectiveConfig,
    SegmentationObjectiveConfig,
    StudentObjectiveConfig,
)
from gliomaai_training.training.objectives.contrastive import ContrastiveObjective
from gliomaai_training.training.objectives.multitask import MultiTaskObjective
from gliomaai_training.training.objectives.objective import Objective, SegmentationObjective
from gliomaai_training.training.objectives.student import StudentObjective


def build_objective(network: nn.Module, config: FitConfig) -> Objective:
    """What a stage makes a network learn.

    Raises:
        ValueError: the network cannot learn it.
    """
    objective, deep = config.objective, config.deep_supervision
    if isinstance(objective, SegmentationObjectiveConfig) and isinstance(
        network, SegmentationNetwork | MultiTaskNetwork
    ):
        return SegmentationObjective(network, deep)
    if not isinstance(network, MultiTaskNetwork):
        raise ValueError(
            f"a {objective.kind} stage trains a multitask network, "
            f"not {config.network.get('architecture')!r}"
        )
    if isinstance(objective, AdaptationObjectiveConfig):
        return AdaptationObjective(network, objective, deep)
    if isinstance(objective, ContrastiveObjectiveConfig):
        return ContrastiveObjective(network, objective, deep)
    if isinstance(objective, StudentObjectiveConfig):
        return StudentObjective(network, objective, deep)
    if isinstance(objective, MultiTaskObjectiveConfig):
        return MultiTaskObjective(network, objective, deep)
    raise ValueError(f"a {objective.kind} stage has no training loop")
