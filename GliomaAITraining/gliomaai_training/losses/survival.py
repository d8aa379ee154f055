"""Losses of the log-risk head: Cox's partial likelihood and pairwise ranking."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

Ties = Literal["breslow", "efron"]
Ranking = Literal["logistic", "hinge"]


@dataclass(frozen=True, eq=False)
class FollowedRisks:
    """Log-risks of n patients beside what happened to them."""

    risk: Tensor
    """(n,) higher is worse."""
    months: Tensor
    """(n,) to death or last contact."""
    event: Tensor
    """(n,) boolean: whether `months` ended in death."""

    def __post_init__(self) -> None:
        shapes = {tuple(part.shape) for part in (self.risk, self.months, self.event)}
        if len(shapes) > 1 or self.risk.ndim != 1:
            raise ValueError(f"needs one risk, time and event for each patient, not {shapes}")


def cox_loss(followed: FollowedRisks, ties: Ties = "efron") -> Tensor:
    """Negative log partial likelihood for each death (Cox 1975).

    Breslow: (1/D) sum_{i: died} [log sum_{j: t_j >= t_i} exp(r_j) - r_i]. Efron (1977) takes, for
    the l-th of d deaths at one time, l/d of their own hazards off the sum. In logarithms, so that
    no risk is too large; who is censored when another dies was at risk.

    Returns:
        Scalar, float64; 0 with a gradient of 0 where nobody died.
    """
    if ties not in get_args(Ties):
        raise ValueError(f"ties are treated by {' or '.join(get_args(Ties))}, not {ties!r}")
    order = torch.argsort(followed.months, descending=True, stable=True)
    risk, died = followed.risk.double()[order], followed.event[order]
    if not bool(died.any()):
        return followed.risk.double().sum() * 0
    _, tie, count = torch.unique_consecutive(
        followed.months[order], return_inverse=True, return_counts=True
    )
    last = count.cumsum(0) - 1
    at_risk = torch.logcumsumexp(risk, 0)[last][tie][died]
    risk, tie = risk[died], tie[died]
    if ties == "efron":
        at_risk = at_risk + _efron_correction(risk - at_risk, tie, len(count))
    return (at_risk - risk).mean()


def _efron_correction(log_share: Tensor, tie: Tensor, times: int) -> Tensor:
    """What Efron adds to the log of the risk set's hazard, for each death.

    Args:
        log_share: (deaths,) log of each one's share of the risk set's hazard.
        tie: (deaths,) number of the time at which each died, rising.
        times: how many times there are.
    """
    deaths = torch.bincount(tie, minlength=times)
    place = torch.arange(len(tie), device=tie.device) - (deaths.cumsum(0) - deaths)[tie]
    share = torch.zeros(times, dtype=log_share.dtype, device=tie.device)
    share = share.index_add(0, tie, log_share.exp())[tie]
    return torch.log1p(-share * place / deaths[tie])


def ranking_loss(followed: FollowedRisks, form: Ranking = "logistic") -> Tensor:
    """Mean penalty over the pairs of which it is known who died first.

    A pair (i, j) counts if i died before j's time, as in Harrell's C. Logistic:
    log(1 + exp(-(r_i - r_j))); hinge: max(0, 1 - (r_i - r_j)).

    Returns:
        Scalar, float64; 0 with a gradient of 0 where there is no such pair.
    """
    if form not in get_args(Ranking):
        raise ValueError(f"the ranking loss is {' or '.join(get_args(Ranking))}, not {form!r}")
    risk = followed.risk.double()
    first = followed.event[:, None] & (followed.months[:, None] < followed.months[None, :])
    if not bool(first.any()):
        return risk.sum() * 0
    margin = (risk[:, None] - risk[None, :])[first]
    penalty = functional.softplus(-margin) if form == "logistic" else functional.relu(1 - margin)
    return penalty.mean()


@dataclass(frozen=True, eq=False)
class FollowedVectors:
    """What a risk head reads of n patients, beside what happened to them."""

    vectors: Tensor
    """(n, P)"""
    months: Tensor
    """(n,) to death or last contact."""
    event: Tensor
    """(n,) boolean: whether `months` ended in death."""

    def risks(self, head: Callable[[Tensor], Tensor]) -> FollowedRisks:
        """With the log-risks that a head, from (n, P) to (n, 1), gives them."""
        return FollowedRisks(head(self.vectors)[:, 0].float(), self.months, self.event)


class VectorBank:
    """The latest vectors of patients seen before, without gradient.

    Batches of whole brains hold a few patients, among whom hardly anyone can be compared. The bank
    lets every sample be compared with as many others as a partial likelihood needs. Vectors and not
    risks are kept: those of an earlier head would drift apart from the present ones, and the head
    learns from everybody in every step.
    """

    def __init__(self, capacity: int = 128) -> None:
        if capacity < 1:
            raise ValueError(f"a bank holds at least one patient, not {capacity}")
        self._capacity = capacity
        self._stored: dict[str, tuple[Tensor, Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self._stored)

    def state(self) -> dict[str, tuple[Tensor, Tensor, Tensor]]:
        """What is stored: by patient (P,) vector, months and event."""
        return dict(self._stored)

    def restore(self, state: Mapping[str, Sequence[Tensor]]) -> None:
        """Takes back what `state` gave."""
        self._stored = {
            name: (vector, months, event) for name, (vector, months, event) in state.items()
        }

    def joined(self, patients: Sequence[str], followed: FollowedVectors) -> FollowedVectors:
        """A batch and everybody in the bank who is not in the batch.

        Args:
            patients: who they are, in the batch's order.
            followed: the batch.
        """
        others = [found for name, found in self._stored.items() if name not in patients]
        if not others:
            return followed
        columns = [torch.stack(column) for column in zip(*others, strict=True)]
        own = _columns(followed)
        return FollowedVectors(
            *(torch.cat([mine, column.to(mine)]) for mine, column in zip(own, columns, strict=True))
        )

    def store(self, patients: Sequence[str], followed: FollowedVectors) -> None:
        """Takes a batch in; the longest stored leave."""
        for name, *row in zip(patients, *_columns(followed), strict=True):
            self._stored.pop(name, None)
            vector, months, event = (part.detach().cpu() for part in row)
            self._stored[name] = (vector.float(), months, event)
        while len(self._stored) > self._capacity:
            self._stored.pop(next(iter(self._stored)))


def _columns(followed: FollowedVectors) -> tuple[Tensor, Tensor, Tensor]:
    return followed.vectors, followed.months, followed.event
