"""Cross-entropy from labels that are known in part, mixed, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

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
    weight: Tensor | None = None
    """(n,) of each patient in the loss: less than 1 where a label is another network's word."""

    def __post_init__(self) -> None:
        if self.first.ndim != 2 or self.first.dtype != torch.bool:
            raise ValueError(f"classes are boolean (n, k), not {tuple(self.first.shape)}")
        if not bool(self.first.any(1).all()):
            raise ValueError("every patient needs at least one possible class")
        if (self.second is None) != (self.share is None):
            raise ValueError("what is mixed in needs a share, and a share something mixed in")

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The patients of several, all of which have the same fields.

        Raises:
            ValueError: some have a field that others lack.
        """
        return cls(
            first=torch.cat([one.first for one in parts]),
            second=_joined([one.second for one in parts]),
            share=_joined([one.share for one in parts]),
            weight=_joined([one.weight for one in parts]),
        )

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return type(self)(
            first=self.first.to(device),
            second=None if self.second is None else self.second.to(device),
            share=None if self.share is None else self.share.to(device),
            weight=None if self.weight is None else self.weight.to(device),
        )


def _joined(tensors: Sequence[Tensor | None]) -> Tensor | None:
    given = [one for one in tensors if one is not None]
    if len(given) not in (0, len(tensors)):
        raise ValueError("some of the patients have what others lack")
    return torch.cat(given) if given else None


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
    if labels.weight is not None:
        loss = loss * labels.weight[known]
    return loss.mean()


def _negative_log(logits: Tensor, possible: Tensor) -> Tensor:
    some = logits.masked_fill(~possible, -torch.inf)
    return torch.logsumexp(logits, 1) - torch.logsumexp(some, 1)
