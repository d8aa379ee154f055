"""What several looks at the same patients agree on, and how far they differ. Arrays only.

The looks are passes with dropout (`monte_carlo`) or networks trained apart (`ensemble`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import xlogy

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.facts import fact_probabilities
from gliomaai_training.interpretation.explanations import STATE

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChoiceUncertainty:
    """Of one task that chooses between k classes, for n patients."""

    probabilities: Floats
    """(n, k) mean of all looks."""
    deviation: Floats
    """(n, k) standard deviation of each class's probability (of a sample: divided by looks - 1)."""
    entropy_bits: Floats
    """(n,) of the mean: how unsure the answer is, for whatever reason."""
    information_bits: Floats
    """(n,) the entropy less the mean entropy of the looks: what they would learn from the truth,
    0 where all say the same (BALD, Houlsby et al. 2011)."""
    disagreement: Floats
    """(n,) share of looks whose most likely class is not that of the mean."""

    @property
    def chosen(self) -> NDArray[np.int_]:
        """(n,) the most likely class."""
        return np.asarray(self.probabilities.argmax(axis=1))

    @property
    def confidence(self) -> Floats:
        """(n,) probability of the most likely class."""
        return np.asarray(self.probabilities.max(axis=1))

    @property
    def chosen_deviation(self) -> Floats:
        """(n,) standard deviation of the most likely class's probability."""
        return self.deviation[np.arange(len(self.deviation)), self.chosen]


@dataclass(frozen=True, eq=False)
class RiskUncertainty:
    """Of the log-risk, for n patients."""

    mean: Floats
    """(n,)"""
    deviation: Floats
    """(n,)"""


@dataclass(frozen=True, eq=False)
class Uncertainty:
    """Of everything that a network answers about n patients."""

    choices: Mapping[str, ChoiceUncertainty]
    """By task; the facts that follow from `state` are among them."""
    risk: RiskUncertainty | None


@dataclass(frozen=True, eq=False)
class TaskSamples:
    """What S looks answered about the same n patients."""

    probabilities: Mapping[str, Floats]
    """For each task that chooses between k classes (S, n, k)."""
    risk: Floats | None = None
    """(S, n) log-risks; None without a risk head."""

    def __post_init__(self) -> None:
        shapes = {values.shape[:2] for values in self._all()}
        if len(shapes) != 1:
            raise ValueError(f"needs the same looks at the same patients, not {sorted(shapes)}")
        for task, values in self.probabilities.items():
            if task not in CLASSES or values.shape[2:] != (len(CLASSES[task]),):
                raise ValueError(f"{task} of shape {values.shape} is no task's")
            if not (np.isfinite(values).all() and np.allclose(values.sum(axis=2), 1, atol=1e-4)):
                raise ValueError(f"probabilities of {task} do not sum to 1")

    @property
    def looks(self) -> int:
        """S."""
        return int(self._all()[0].shape[0])

    @property
    def patients(self) -> int:
        """n."""
        return int(self._all()[0].shape[1])

    @classmethod
    def of_all_patients(cls, parts: Sequence[Self]) -> Self:
        """The patients of several, of whom there are equally many looks."""
        return cls._joined(parts, lambda values: np.concatenate(values, axis=1))

    @classmethod
    def of_all_looks(cls, parts: Sequence[Self]) -> Self:
        """All looks of several at the same patients: for example an ensemble's, each with
        dropout."""
        return cls._joined(parts, lambda values: np.concatenate(values, axis=0))

    def summary(self) -> Uncertainty:
        """Means and spreads.

        Raises:
            ValueError: fewer than two looks, which cannot differ.
        """
        tasks = dict(self.probabilities)
        if STATE in tasks:
            tasks = fact_probabilities(tasks[STATE]) | tasks
        choices = {task: choice_uncertainty(values) for task, values in tasks.items()}
        if self.risk is None:
            return Uncertainty(choices, None)
        _check_looks(len(self.risk))
        risk = RiskUncertainty(self.risk.mean(axis=0), self.risk.std(axis=0, ddof=1))
        return Uncertainty(choices, risk)

    @classmethod
    def _joined(cls, parts: Sequence[Self], join: Callable[[list[Floats]], Floats]) -> Self:
        if not parts or any(set(one.probabilities) != set(parts[0].probabilities) for one in parts):
            raise ValueError("needs at least one part, and the same tasks in all")
        risks = [one.risk for one in parts if one.risk is not None]
        if len(risks) not in (0, len(parts)):
            raise ValueError("some have a risk and others none")
        return cls(
            {
                task: join([one.probabilities[task] for one in parts])
                for task in parts[0].probabilities
            },
            join(risks) if risks else None,
        )

    def _all(self) -> list[Floats]:
        given = [*self.probabilities.values(), *([] if self.risk is None else [self.risk])]
        if not given:
            raise ValueError("no task was looked at")
        return given


def choice_uncertainty(samples: Floats) -> ChoiceUncertainty:
    """The mean and spread of probabilities.

    Args:
        samples: (S, n, k); where they do not sum to 1, as a grade's, the rest counts as one more
            class in the entropies.

    Raises:
        ValueError: another shape, or fewer than two looks.
    """
    if samples.ndim != 3:
        raise ValueError(f"samples are (looks, patients, classes), not {samples.shape}")
    _check_looks(len(samples))
    mean = samples.mean(axis=0)
    entropy = _entropy_bits(mean)
    information = entropy - _entropy_bits(samples).mean(axis=0)
    differs = samples.argmax(axis=2) != mean.argmax(axis=1)
    return ChoiceUncertainty(
        probabilities=mean,
        deviation=samples.std(axis=0, ddof=1),
        entropy_bits=entropy,
        information_bits=np.maximum(information, 0.0),
        disagreement=differs.mean(axis=0),
    )


def _entropy_bits(probabilities: Floats) -> Floats:
    """Over the last axis; what is missing to 1 is one more class."""
    rest = np.clip(1.0 - probabilities.sum(axis=-1), 0.0, 1.0)
    nats = -xlogy(probabilities, probabilities).sum(axis=-1) - xlogy(rest, rest)
    return np.asarray(nats / np.log(2.0))


def _check_looks(looks: int) -> None:
    if looks < 2:
        raise ValueError(f"a spread needs at least two looks, not {looks}")
