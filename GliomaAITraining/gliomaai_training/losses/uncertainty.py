"""Balance of the tasks' losses by learned uncertainty."""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

Balance = Literal["kendall", "published", "fixed"]

LARGEST_LOG_VARIANCE = 3.0
"""Either way: a task is weighted by at least 1/20 and at most 20, so that none is given up."""


class UncertaintyWeights(nn.Module):
    """Sum of the tasks' losses, each weighted by the learned variance of its task.

    `kendall`: sum of exp(-s) L / 2 + s / 2 (Kendall, Gal and Cipolla, CVPR 2018, equation 10 with
    s = log of the variance). `published`: exp(-s) L / 2 + s, as the code beside SGS-Net and GMMAS
    has it. `fixed`: the plain sum.
    """

    def __init__(self, tasks: Sequence[str], balance: Balance = "kendall") -> None:
        super().__init__()
        if balance not in get_args(Balance):
            raise ValueError(
                f"losses are balanced by {', '.join(get_args(Balance))}, not {balance!r}"
            )
        self.balance = balance
        self.log_variance = nn.ParameterDict(
            {
                task: nn.Parameter(torch.zeros(()), requires_grad=balance != "fixed")
                for task in tasks
            }
        )

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The total of the tasks that this batch has a loss for.

        Raises:
            ValueError: no loss, or a task that was not named.
        """
        unknown = sorted(set(losses) - set(self.log_variance))
        if unknown or not losses:
            raise ValueError(
                f"the tasks are {', '.join(self.log_variance)}, not {unknown or 'none'}"
            )
        return torch.stack([self._weighted(task, loss) for task, loss in losses.items()]).sum()

    def weight(self, task: str) -> float:
        """What the task's loss is multiplied by now."""
        if self.balance == "fixed":
            return 1.0
        return 0.5 * float(torch.exp(-self._bounded(task)).detach())

    def _weighted(self, task: str, loss: Tensor) -> Tensor:
        if self.balance == "fixed":
            return loss.float()
        s = self._bounded(task)
        return 0.5 * torch.exp(-s) * loss.float() + (0.5 if self.balance == "kendall" else 1.0) * s

    def _bounded(self, task: str) -> Tensor:
        # Not a clamp, which would leave a weight at its bound without a gradient for ever.
        bound = LARGEST_LOG_VARIANCE
        return bound * torch.tanh(self.log_variance[task] / bound)
