"""Dice and cross-entropy for label logits."""

import torch
from torch import Tensor
from torch.nn import functional

from gliomaai_training.vocabulary import REGIONS


def region_dice_loss(probabilities: Tensor, labels: Tensor, smooth: float = 1.0) -> Tensor:
    """1 - soft Dice, averaged over WT, TC, ET and the batch (Milletari 2016, squared-free form).

    Args:
        probabilities: (B, 4, Z, Y, X) label probabilities; a region's is the sum of its labels'.
        labels: (B, Z, Y, X) integer labels.
        smooth: voxels added to both terms, so that an empty region has a defined loss.

    Returns:
        Scalar in [0, 1].
    """
    losses = []
    for members in REGIONS.values():
        predicted = torch.stack([probabilities[:, m] for m in members]).sum(0).flatten(1)
        truth = torch.stack([labels == m for m in members]).any(0).flatten(1).float()
        overlap = (predicted * truth).sum(1)
        total = predicted.sum(1) + truth.sum(1)
        losses.append(1 - (2 * overlap + smooth) / (total + smooth))
    return torch.stack(losses).mean()


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Region Dice loss plus voxel-wise cross-entropy, weights 1:1.

    Args:
        logits: (B, 4, Z, Y, X).
        labels: (B, Z, Y, X) integer labels on the same grid, or on a grid finer by a whole factor;
            then they are sampled down to the logits' grid.

    Returns:
        Scalar.
    """
    logits = logits.float()
    if labels.shape[1:] != logits.shape[2:]:
        coarse = functional.interpolate(labels[:, None].float(), size=logits.shape[2:])
        labels = coarse[:, 0].long()
    cross_entropy = functional.cross_entropy(logits, labels)
    return cross_entropy + region_dice_loss(torch.softmax(logits, dim=1), labels)
