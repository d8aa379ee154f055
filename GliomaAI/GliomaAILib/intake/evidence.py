"""Evidence for a sequence, in likelihoods, and how pieces of it are weighed together."""

from collections.abc import Iterable, Mapping
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
