"""Which of a teacher's answers are sure enough to learn from (UPS, Rizve et al., ICLR 2021).

An answer is kept where its mean probability over many looks is high and its spread low; of each
class only so many, the surest first, so that the frequent class does not teach itself alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.data.targets import CLASSES
from gliomaai_training.diagnosis.facts import FACTS
from gliomaai_training.diagnosis.states import LABELS
from gliomaai_training.inference.uncertainty import Floats, TaskSamples
from gliomaai_training.interpretation.explanations import STATE
from gliomaai_training.training.pseudo_labels import (
    PseudoLabel,
    PseudoLabels,
    PseudoLabelScope,
    check_pseudo_labels,
)
from gliomaai_training.training.student_config import SelectionConfig

Rows = NDArray[np.bool_]


def select_pseudo_labels(
    samples: TaskSamples,
    cases: Sequence[tuple[str, str]],
    scope: PseudoLabelScope,
    config: SelectionConfig,
    round_number: int = 1,
) -> PseudoLabels:
    """The pseudo-labels of one round, for each head of the teacher by itself.

    Args:
        samples: the teacher's looks at n training cases, calibrated on validation patients.
        cases: (n,) the name of each case and its patient.
        scope: who may have pseudo-labels; whoever is labelled in a task gets none in it.
        config: the limits.
        round_number: from 1.

    Raises:
        ValueError: a case is no training case, not one case for each sample, or fewer than two
            looks.
    """
    if len(cases) != samples.patients:
        raise ValueError(f"{len(cases)} cases for samples of {samples.patients}")
    strangers = sum(scope.training.get(case) != patient for case, patient in cases)
    if strangers:
        raise ValueError(f"{strangers} of {len(cases)} cases are not of training patients")
    found: list[PseudoLabel] = []
    for task, looks in samples.probabilities.items():
        labelled = scope.persons(scope.labelled[task])
        eligible = [
            number
            for number, (_, patient) in enumerate(cases)
            if scope.person_of.get(patient, patient) not in labelled
        ]
        candidates = _certain(task, looks[:, eligible], config)
        for one in _balanced(candidates, [cases[n] for n in eligible], scope.counts[task], config):
            case, patient = cases[eligible[one.number]]
            names = tuple(np.array(CLASSES[task], object)[one.possible])
            found.append(
                PseudoLabel(case, patient, task, names, one.confidence, one.deviation, round_number)
            )
    labels = PseudoLabels(tuple(sorted(found, key=lambda one: (one.task, one.case))))
    check_pseudo_labels(labels, scope)
    return labels


@dataclass(frozen=True, eq=False)
class _Candidate:
    """An answer that is certain."""

    number: int
    """Of the case."""
    possible: Rows
    """(k,)"""
    likeliest: int
    """The class within `possible` whose quota it counts against."""
    confidence: float
    deviation: float


def _certain(task: str, looks: Floats, config: SelectionConfig) -> list[_Candidate]:
    """For every patient the narrowest set of classes that is certain, if any.

    Args:
        task: which.
        looks: (S, n, k).
        config: the limits.
    """
    if len(looks) < 2:
        raise ValueError(f"uncertainty needs at least two looks, not {len(looks)}")
    sets = _state_sets() if task == STATE and config.sets_of_states else np.eye(looks.shape[2]) > 0
    of_sets = looks @ sets.T.astype(np.float64)
    mean, deviation = of_sets.mean(axis=0), of_sets.std(axis=0, ddof=1)
    certain = (mean >= config.confidence) & (deviation < config.deviation)
    # Fewer classes first; between sets of one size, the likelier.
    order = np.where(certain, sets.sum(axis=1) - mean / 2, np.inf)
    classes = looks.mean(axis=0)
    found = []
    for number in np.flatnonzero(certain.any(axis=1)):
        best = int(order[number].argmin())
        within = np.where(sets[best], classes[number], -1.0)
        found.append(
            _Candidate(
                number=int(number),
                possible=sets[best],
                likeliest=int(within.argmax()),
                confidence=float(min(mean[number, best], 1.0)),
                deviation=float(deviation[number, best]),
            )
        )
    return found


def _balanced(
    candidates: Sequence[_Candidate],
    cases: Sequence[tuple[str, str]],
    counts: Sequence[int],
    config: SelectionConfig,
) -> list[_Candidate]:
    """Of each class the surest, up to its quota: the narrow before the wide."""
    agreeing = _without_contradictions(candidates, [patient for _, patient in cases])
    of_class: dict[int, list[_Candidate]] = {}
    for one in agreeing:
        of_class.setdefault(one.likeliest, []).append(one)
    found: list[_Candidate] = []
    quotas = class_quotas([len(of_class.get(k, ())) for k in range(len(counts))], counts, config)
    for number, some in of_class.items():
        some.sort(key=lambda one: (one.possible.sum(), -one.confidence, cases[one.number]))
        found += some[: quotas[number]]
    return found


def class_quotas(
    candidates: Sequence[int], labelled: Sequence[int], config: SelectionConfig
) -> tuple[int, ...]:
    """How many pseudo-labels each class may have.

    Args:
        candidates: (k,) how many are certain.
        labelled: (k,) how many training patients are known to have each class.
        config: the limits.
    """
    there = [count for count in candidates if count]
    rarest = max(config.least_quota, min(there, default=0))
    quota = min(config.most_per_class, rarest)
    most = max(labelled, default=0)
    if config.balance == "equal" or most == 0:
        return (quota,) * len(candidates)
    return tuple(-(-quota * count // most) for count in labelled)


def _without_contradictions(
    candidates: Sequence[_Candidate], patients: Sequence[str]
) -> list[_Candidate]:
    """Leaves out patients of whom two scans would be labelled as nobody can be."""
    shared: dict[str, Rows] = {}
    for one in candidates:
        patient = patients[one.number]
        shared[patient] = shared.get(patient, one.possible) & one.possible
    return [one for one in candidates if shared[patients[one.number]].any()]


def _state_sets() -> Rows:
    """(m, 7) every state, and every set of states that one fact or several together describe."""
    choices = [[np.ones(len(LABELS), np.bool_), *values.values()] for values in FACTS.values()]
    sets = [np.logical_and.reduce(some) for some in product(*choices)]
    unique = np.unique(np.array([*(np.eye(len(LABELS)) > 0), *sets]), axis=0)
    sizes = unique.sum(axis=1)
    return np.asarray(unique[(sizes > 0) & (sizes < len(LABELS))])
