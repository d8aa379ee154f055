"""Networks by name, as a model pack's settings and a training configuration give them."""

from collections.abc import Mapping
from typing import Any

from torch import nn


def build_network(settings: Mapping[str, Any]) -> nn.Module:
    """Builds an untrained network.

    Args:
        settings: `architecture` (`segmentation`, `multitask` or `brain_mask`) and the fields of
            that architecture's configuration.

    Raises:
        ValueError: unknown architecture or field.
    """
    fields = dict(settings)
    architecture = fields.pop("architecture", None)
    if architecture == "segmentation":
        from gliomaai_training.networks.segmentation import (
            SegmentationNetwork,
            SegmentationNetworkConfig,
        )

        return SegmentationNetwork(SegmentationNetworkConfig(**fields))
    if architecture == "multitask":
        from gliomaai_training.networks.multitask import MultiTaskNetwork, MultiTaskNetworkConfig

        return MultiTaskNetwork(MultiTaskNetworkConfig(**fields))
    if architecture == "brain_mask":
        from gliomaai_training.networks.brain_mask import BrainMaskNetwork, BrainMaskNetworkConfig

        return BrainMaskNetwork(BrainMaskNetworkConfig(**fields))
    known = "segmentation, multitask, brain_mask"
    raise ValueError(f"unknown architecture {architecture!r}; known: {known}")
