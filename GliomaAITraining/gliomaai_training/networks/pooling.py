"""From feature maps to one vector for each patient: over the brain and the tumour's regions."""

import torch
from torch import Tensor
from torch.nn import functional

from gliomaai_training.vocabulary import REGIONS, Label

BRAIN = "brain"
"""The region that is the whole field of view."""

POOLED_REGIONS = (BRAIN, *REGIONS)
"""What features can be pooled over."""

INSIDE = 0.5
"""Share of a coarse voxel that must lie in a region for the voxel's features to be its own."""


def label_mask(labels: Tensor) -> Tensor:
    """Labels (B, Z, Y, X) as probabilities (B, 4, Z, Y, X), as features are pooled with."""
    return functional.one_hot(labels, len(Label)).movedim(-1, 1).float()


def region_weights(mask: Tensor, regions: tuple[str, ...]) -> Tensor:
    """How much of each voxel belongs to each region.

    Args:
        mask: label probabilities (B, 4, Z, Y, X); those of a drawn mask are 0 and 1.
        regions: of `POOLED_REGIONS`.

    Returns:
        (B, regions, Z, Y, X) in [0, 1].
    """
    parts = [
        torch.ones_like(mask[:, 0]) if region == BRAIN else mask[:, list(REGIONS[region])].sum(1)
        for region in regions
    ]
    return torch.stack(parts, 1)


def pooled(features: Tensor, weights: Tensor) -> Tensor:
    """Weighted mean and maximum of the features over every region.

    A region that is not there gives zeros, and so does the maximum of one that is nowhere most of a
    coarse voxel; one that is nearly not there gives nearly zeros, so that nothing leaps.

    Args:
        features: (B, C, z, y, x).
        weights: (B, R, Z, Y, X) of `region_weights`, on a grid finer by whole factors.

    Returns:
        (B, 2 R C).
    """
    z, y, x = features.shape[2:]
    coarse = functional.adaptive_avg_pool3d(weights, (z, y, x)).flatten(2)
    values = features.flatten(2)
    total = coarse.sum(2, keepdim=True)
    mean = torch.einsum("bcn,brn->brc", values, coarse) / (total + 1)
    inside = (coarse >= INSIDE)[:, :, None]
    largest = values[:, None].masked_fill(~inside, -torch.inf).amax(3)
    largest = torch.where(inside.any(3), largest, torch.zeros_like(largest))
    return torch.cat([mean, largest], 2).flatten(1)
