"""One number for an answer of the network: its log-odds, or the log-risk."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.facts import FACTS
from gliomaai_training.interpretation.explanations import RISK, STATE, Target
from gliomaai_training.networks.multitask import MultiTaskNetwork, View


@dataclass(frozen=True, eq=False)
class Shown:
    """What the network is shown of one patient.

    Raises:
        ValueError: several patients, or no sequence at all.
    """

    view: View
    """B is 1."""
    mask: Tensor | None = None
    """Label probabilities (1, 4, Z, Y, X) that the features are pooled with, for example those of a
    corrected mask; None for those that the network draws."""
    temperatures: Mapping[str, float] = field(default_factory=dict)
    """By task, for a calibrated network; 1 where none is given."""

    def __post_init__(self) -> None:
        if len(self.view.images) != 1:
            raise ValueError(f"one patient is explained at a time, not {len(self.view.images)}")
        if not bool(self.view.present.any()):
            raise ValueError("a patient without any sequence has nothing to explain")


def answer_of(
    outputs: Mapping[str, Tensor], target: Target, temperatures: Mapping[str, float]
) -> Tensor:
    """The target's log-odds, log(p / (1 - p)), or the log-risk.

    A task without a head of its own is answered by the sum over the states that have the answer.

    Args:
        outputs: (B, outputs) of each head.
        target: what is asked.
        temperatures: by head; 1 where none is given.

    Returns:
        (B,)

    Raises:
        ValueError: the network does not answer it.
    """
    if target.task == RISK and RISK in outputs:
        return outputs[RISK][:, 0]
    head = target.task if target.task in outputs else STATE
    chosen = _classes(target, head)
    if head not in outputs or not any(chosen):
        raise ValueError(f"a network with {', '.join(outputs)} does not answer {target.name!r}")
    logits = outputs[head].float() / temperatures.get(head, 1.0)
    yes = torch.tensor(chosen, device=logits.device)
    return torch.logsumexp(logits[:, yes], 1) - torch.logsumexp(logits[:, ~yes], 1)


def own_mask(network: MultiTaskNetwork, shown: Shown) -> Tensor:
    """The mask that features are pooled with: the one given, or what the network draws."""
    if shown.mask is not None:
        return shown.mask
    with torch.no_grad():
        logits, _ = network.segment(shown.view)
        return torch.softmax(logits.float(), 1)


def _classes(target: Target, head: str) -> list[bool]:
    """Which of a head's classes count as the answer."""
    if head == target.task:
        return [one == target.answer for one in CLASSES.get(head, ())]
    found = FACTS.get(target.task, {}).get(str(target.answer))
    return [] if found is None else [bool(one) for one in found]
