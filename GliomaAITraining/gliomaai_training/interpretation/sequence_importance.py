"""What each sequence adds to the network's answers about one patient."""

import math
from collections.abc import Mapping
from dataclasses import replace
from itertools import combinations

import torch
from torch import Tensor

from gliomaai_training.interpretation.answers import Shown, answer_of
from gliomaai_training.interpretation.explanations import (
    LOG_ODDS,
    LOG_RISK,
    PROBABILITY,
    RISK,
    SequenceImportance,
    Target,
)
from gliomaai_training.interpretation.shapley import Subset, shapley_values
from gliomaai_training.networks.multitask import MultiTaskNetwork, View
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import SEQUENCES

STAGE = "importance of sequences"


def sequence_importance(
    network: MultiTaskNetwork,
    shown: Shown,
    prior: Mapping[Target, float],
    progress: Progress = silent,
) -> tuple[SequenceImportance, ...]:
    """Exact Shapley values over all subsets of the sequences that a patient has.

    A sequence is left out as the network knows it, as absent, in at most 15 passes forward. Without
    a given mask each subset is pooled with the mask that it draws: what is measured is the answer
    that a hospital with these sequences alone would get.

    With no sequence at all there is no pass to make. What can be said of a patient without images
    is the share of such patients: the values then tell how far the images moved the answer from it.
    A network's answer to empty images would be one to images that nobody ever has.

    Args:
        network: in whatever mode; it is run in evaluation mode.
        shown: the patient; what is not `present` has no part in it.
        prior: the answers to be explained, each with the training patients' share (for the risk,
            their mean log-risk). It has to be of those that the network learnt from, as drawn: a
            network trained on balanced classes begins at balance.
        progress: called before each pass.

    Returns:
        For each of `prior` in log-odds and in probability, for the risk in log-risk.

    Raises:
        ValueError: a share that is not between 0 and 1, a mean that is not finite, no target, or
            one that the network does not answer.
        Cancelled: by `progress`.
    """
    if not prior:
        raise ValueError("needs at least one answer to explain")
    empty = {target: _prior(target, value) for target, value in prior.items()}
    answers = _of_subsets(network, shown, tuple(prior), progress)
    return tuple(
        _importance(target, scale, {frozenset(): empty[target], **answers[target]})
        for target in prior
        for scale in ((LOG_RISK,) if target.task == RISK else (LOG_ODDS, PROBABILITY))
    )


def _of_subsets(
    network: MultiTaskNetwork, shown: Shown, targets: tuple[Target, ...], progress: Progress
) -> dict[Target, dict[Subset, float]]:
    """Log-odds, or the log-risk, of every target with every subset that is not empty."""
    names = [SEQUENCES[index] for index in shown.view.present[0].nonzero()[:, 0].tolist()]
    subsets = [one for size in range(len(names), 0, -1) for one in combinations(names, size)]
    found: dict[Target, dict[Subset, float]] = {target: {} for target in targets}
    training = network.training
    network.eval()
    try:
        for number, subset in enumerate(subsets):
            progress(STAGE, number / len(subsets))
            present = torch.tensor([[name in subset for name in SEQUENCES]])
            view = replace(shown.view, present=present.to(shown.view.present.device))
            with torch.inference_mode():
                outputs, _ = network.read(*_maps_and_mask(network, view, shown.mask))
                for target in targets:
                    value = answer_of(outputs, target, shown.temperatures)
                    found[target][frozenset(subset)] = float(value[0])
    finally:
        network.train(training)
    progress(STAGE, 1.0)
    return found


def _maps_and_mask(
    network: MultiTaskNetwork, view: View, mask: Tensor | None
) -> tuple[tuple[Tensor, Tensor], Tensor]:
    """What the heads pool, and with what; a mask is drawn only where none is given."""
    if mask is not None:
        return network.pooled_maps(view), mask
    logits, maps = network.segment(view)
    return maps, torch.softmax(logits.float(), 1).to(logits.dtype)


def _importance(target: Target, scale: str, answers: Mapping[Subset, float]) -> SequenceImportance:
    values = dict(answers)
    if scale == PROBABILITY:
        values = {subset: _probability(one) for subset, one in answers.items()}
    return SequenceImportance(
        target=target,
        scale=scale,
        values=shapley_values(values),
        empty=values[frozenset()],
        full=values[max(values, key=len)],
    )


def _prior(target: Target, value: float) -> float:
    """As log-odds, or the log-risk."""
    if target.task == RISK:
        if not math.isfinite(value):
            raise ValueError(f"the mean log-risk is finite, not {value}")
        return value
    if not 0 < value < 1:
        raise ValueError(f"the share of {target.name!r} is between 0 and 1, not {value}")
    return math.log(value) - math.log1p(-value)


def _probability(log_odds: float) -> float:
    return float(torch.sigmoid(torch.tensor(log_odds, dtype=torch.float64)))
