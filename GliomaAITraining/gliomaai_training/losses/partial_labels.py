"""Cross-entropy from labels that are known in part, mixed, or not at all."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class PartialLabels:
    """What each of n patients may have, of k classes, in up to two parts.

    Tumor-CutMix joins two patients: the loss is then the mean of both patients' by their share.
    """

    first: Tensor
    """(n, k) boolean: the classes that the patient can have; all of them if nothing is known."""
    second: Tensor | None = None
    """The same of the patient mixed in."""
    share: Tensor | None = None
    """(n,) of the first patient's tumour in the mixed one; 1 where nothing was mixed in."""

    def __post_init__(self) -> None:
        if self.first.ndim != 2 or self.first.dtype != torch.bool:
            raise ValueError(f"classes are boolean (n, k), not {tuple(self.first.shape)}")
        if not bool(self.first.any(1).all()):
            raise ValueError("every patient needs at least one possible class")
        if (self.second is None) != (self.share is None):
            raise ValueError("what is mixed in needs a share, and a share something mixed in")


def partial_cross_entropy(logits: Tensor, labels: PartialLabels) -> Tensor:
    """-log of the summed probability of the classes that are possible, mean over who is known.

    A patient of whom nothing is known, or who is mixed with such a one, has neither a loss nor a
    gradient, not even one of rounding.

    Args:
        logits: (n, k).
        labels: of the same patients.

    Returns:
        Scalar; 0 with a gradient of 0 where nobody is known.
    """
    known = ~labels.first.all(1)
    if labels.second is not None and labels.share is not None:
        known &= ~labels.second.all(1) | (labels.share == 1)
    if not bool(known.any()):
        return logits[:0].sum()
    logits = logits[known].float()
    loss = _negative_log(logits, labels.first[known])
    if labels.second is not None and labels.share is not None:
        share = labels.share[known]
        loss = share * loss + (1 - share) * _negative_log(logits, labels.second[known])
    return loss.mean()


def _negative_log(logits: Tensor, possible: Tensor) -> Tensor:
    some = logits.masked_fill(~possible, -torch.inf)
    return torch.logsumexp(logits, 1) - torch.logsumexp(some, 1)
