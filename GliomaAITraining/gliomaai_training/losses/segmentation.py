"""Dice and cross-entropy for label logits of nested regions."""

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


def nested_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of tumour against background, plus that of the label inside the tumour.

    By the chain rule -log p(label) = -log p(tumour) - log p(label | tumour). Averaging the second
    term over the tumour alone, not over all voxels, keeps it from drowning in background: with the
    plain mean, all of the core is learned as ET first (ET lies in every region of the Dice loss),
    and the gradient that should part necrosis from it shrinks with the tumour's share of the image.
    Neither term favours a class, so probabilities stay calibrated.

    Args:
        logits: (B, 4, Z, Y, X).
        labels: (B, Z, Y, X) integer labels.

    Returns:
        Scalar; the second term is 0 where nobody has tumour.
    """
    tumour = labels > 0
    any_tumour = torch.logsumexp(logits[:, 1:], dim=1)
    log_odds = any_tumour - logits[:, 0]
    found = functional.binary_cross_entropy_with_logits(log_odds, tumour.float())
    inside = logits[:, 1:].movedim(1, -1)[tumour]
    if inside.shape[0] == 0:
        return found
    return found + functional.cross_entropy(inside, labels[tumour] - 1)


def segmentation_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Region Dice loss plus nested cross-entropy, weights 1:1.

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
    dice = region_dice_loss(torch.softmax(logits, dim=1), labels)
    return nested_cross_entropy(logits, labels) + dice
