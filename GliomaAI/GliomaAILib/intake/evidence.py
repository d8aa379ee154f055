"""Evidence for a sequence, in likelihoods, and how pieces of it are weighed together."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gliomaai_training.vocabulary import SEQUENCES

FLOOR = 1e-3
"""No single piece of evidence rules a sequence out entirely."""


@dataclass(frozen=True)
class Evidence:
    """How well one observation fits each sequence, and the observation in words."""

    likelihoods: Mapping[str, float]
    """By `vocabulary.SEQUENCES`; only their ratios matter."""
    why: str
    source: str
    """`name`, `header` or `content`."""


def favouring(sequence: str, strength: float, why: str, source: str) -> Evidence:
    """Evidence for one sequence; what it leaves over is shared by the other three.

    Args:
        sequence: one of `vocabulary.SEQUENCES`.
        strength: 0 to 1, the probability this observation alone would give.
        why: the observation in words, without any identifier.
        source: `name`, `header` or `content`.
    """
    rest = (1 - strength) / (len(SEQUENCES) - 1)
    return Evidence(
        {name: strength if name == sequence else rest for name in SEQUENCES}, why, source
    )


def combine(pieces: Iterable[Evidence]) -> dict[str, float]:
    """Probability of each sequence when the pieces are taken as independent (naive Bayes)."""
    log = np.zeros(len(SEQUENCES))
    for piece in pieces:
        values = np.array([max(piece.likelihoods.get(name, 0.0), FLOOR) for name in SEQUENCES])
        log += np.log(values / values.sum())
    odds = np.exp(log - log.max())
    return {name: float(p) for name, p in zip(SEQUENCES, odds / odds.sum(), strict=True)}


MAX_JOINT = 6
"""Beyond so many candidates, 4 to the power of their number, they are weighed one by one."""

SAME_SEQUENCE_TWICE = 0.15
"""How rarely two images on planes of one orientation are of one sequence, against two of two."""

SAME_SEQUENCE_OTHER_PLANE = 0.5
"""The same for images of different orientation: T1 is often taken in two of them."""


def joint(
    probabilities: Sequence[Mapping[str, float]], planes: Sequence[int]
) -> list[dict[str, float]]:
    """Weighs the candidates of one study together: a study rarely holds a sequence twice.

    Args:
        probabilities: of each candidate alone, by sequence.
        planes: orientation of each candidate's slices; only equality matters.

    Returns:
        Of each candidate, the marginal over all assignments of sequences to candidates.
    """
    if not 1 < len(probabilities) <= MAX_JOINT:
        return [dict(one) for one in probabilities]
    totals = [dict.fromkeys(SEQUENCES, 0.0) for _ in probabilities]
    for assignment in itertools.product(SEQUENCES, repeat=len(probabilities)):
        weight = float(
            np.prod([p[name] for p, name in zip(probabilities, assignment, strict=True)])
        )
        for (a, first), (b, second) in itertools.combinations(enumerate(assignment), 2):
            if first == second:
                same = planes[a] == planes[b]
                weight *= SAME_SEQUENCE_TWICE if same else SAME_SEQUENCE_OTHER_PLANE
        for total, name in zip(totals, assignment, strict=True):
            total[name] += weight
    whole = sum(totals[0].values())
    return [{name: value / whole for name, value in total.items()} for total in totals]
