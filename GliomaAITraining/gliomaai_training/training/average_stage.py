"""The mean of the weights that several stages ended with.

Stages that begin with each other's weights lie in one valley of the loss; the mean of their weights
keeps what the earlier one knew and the later one would forget, at the cost of one network (Wortsman
et al., Robust fine-tuning of zero-shot models, CVPR 2022).
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gliomaai_training.training.initial_weights import InitialWeights


def average_weights(ends: Sequence[InitialWeights]) -> InitialWeights:
    """The mean of networks of one shape.

    Counters and the like, which are no floating-point numbers, are the last one's.
    """
    states = [end.state for end in ends]
    mean = {name: _mean(name, states) for name in states[-1]}
    return InitialWeights(mean, f"the mean of {'; '.join(end.source for end in ends)}")


def _mean(name: str, states: Sequence[Mapping[str, Tensor]]) -> Tensor:
    last = states[-1][name]
    if not last.is_floating_point():
        return last
    return torch.stack([state[name].float() for state in states]).mean(0).to(last)
