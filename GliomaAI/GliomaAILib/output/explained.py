"""Why the network answers as it does: bars, pictures and words for every kind of report."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.interpretation.explanations import (
    LOG_RISK,
    PROBABILITY,
    RISK,
    ExplainedAnswer,
    SequenceImportance,
)
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.explanation import explanation_notes
from GliomaAILib.output import key_images as pictures
from GliomaAILib.output.colours import rgb
from GliomaAILib.output.network_tables import SIMULATED
from GliomaAILib.output.tables import SEQUENCE_NAMES

TITLE = "What the network's answers come from"

FOR, AGAINST = "#d55e00", "#0072b2"
"""What speaks for an answer or a higher risk, and against it."""

Background = Callable[[pictures.Slice], NDArray[np.uint8]]

_FULL_PERCENTILE = 99.5
"""Of the shown magnitudes, which gets the strongest colour."""
_EMPTY = 0.08
"""Magnitude, as a share of the strongest, below which nothing is drawn."""
_OPACITY = 0.85
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class ImportanceBar:
    """What one sequence added to an answer."""

    sequence: str
    share: float
    """Of the longest bar of its unit, -1 to 1; below 0 it spoke against the answer."""
    text: str
    """The value as it is written beside the bar."""


@dataclass(frozen=True)
class SaliencyPicture:
    """A slice of the reference sequence with an answer's map over it."""

    cut: pictures.Slice
    picture: pictures.Picture
    alt: str
    """What is to be seen, for who cannot see it."""


@dataclass(frozen=True)
class AnswerFigure:
    """One answer with its bars and pictures."""

    words: str
    value: str
    """The answer as a number, with that of a patient without images."""
    unit: str
    bars: tuple[ImportanceBar, ...]
    bars_alt: str
    pictures: tuple[SaliencyPicture, ...]
    """Empty where the map did not pass its check."""
    ends: tuple[str, str]
    """What the two colours mean, `AGAINST` first."""


@dataclass(frozen=True)
class ExplanationCard:
    """The explanation as reports show it."""

    title: str
    mark: str
    answers: tuple[AnswerFigure, ...]
    notes: tuple[str, ...]


def explanation_card(
    assessment: Assessment, images: pictures.KeyImages, background: Background
) -> ExplanationCard | None:
    """Draws it; None where nobody asked for it.

    Args:
        assessment: what is shown.
        images: the cuts through the largest extent.
        background: grey values (rows, columns) of the reference sequence on a cut.
    """
    explanation = assessment.explanation
    if explanation is None:
        return None
    longest = _longest(explanation.answers)
    return ExplanationCard(
        TITLE,
        SIMULATED if explanation.simulated_only else "estimate",
        tuple(_figure(one, images, background, longest) for one in explanation.answers),
        explanation_notes(explanation, assessment.facts),
    )


def answer_value(answer: ExplainedAnswer) -> str:
    """The answer as a number, with what is said without images where that is known."""
    importance = shown_importance(answer)
    probability = answer.probability
    full = (
        f"log-risk {signed(answer.output)}" if probability is None else f"{100 * probability:.0f} %"
    )
    if importance is None:
        return full
    empty = signed(importance.empty) if probability is None else f"{100 * importance.empty:.0f} %"
    return f"{full} ({empty} without images)"


def shown_importance(answer: ExplainedAnswer) -> SequenceImportance | None:
    """The importance on the scale that readers know: probability, or log-risk."""
    scales = (PROBABILITY, LOG_RISK)
    return next((one for one in answer.importances if one.scale in scales), None)


def importance_texts(importance: SequenceImportance) -> tuple[tuple[str, str], ...]:
    """Each sequence's name and how far it moved the answer: percentage points, or log-risk."""
    return tuple(
        (SEQUENCE_NAMES[name], _moved(importance.values[name], importance.scale))
        for name in SEQUENCES
        if name in importance.values
    )


def signed(value: float) -> str:
    """A number with its sign."""
    return f"{value:+.2f}".replace("-", _MINUS)


def _moved(value: float, scale: str) -> str:
    if scale == PROBABILITY:
        points = round(100 * value)
        return f"{points:+d} points".replace("-", _MINUS) if points else "0 points"
    return signed(value)


def _longest(answers: Sequence[ExplainedAnswer]) -> dict[str, float]:
    """The largest value of each scale, so that bars of one unit can be compared."""
    found: dict[str, float] = {}
    for importance in (shown_importance(one) for one in answers):
        if importance is not None:
            most = max(abs(value) for value in importance.values.values())
            found[importance.scale] = max(most, found.get(importance.scale, 1e-9))
    return found


def _figure(
    answer: ExplainedAnswer,
    images: pictures.KeyImages,
    background: Background,
    longest: dict[str, float],
) -> AnswerFigure:
    importance = shown_importance(answer)
    bars: tuple[ImportanceBar, ...] = ()
    if importance is not None:
        shares = [
            importance.values[name] / longest[importance.scale]
            for name in SEQUENCES
            if name in importance.values
        ]
        texts = importance_texts(importance)
        bars = tuple(
            ImportanceBar(name, share, text)
            for (name, text), share in zip(texts, shares, strict=True)
        )
    is_risk = answer.target.task == RISK
    said = ", ".join(f"{bar.sequence} {bar.text}" for bar in bars)
    return AnswerFigure(
        words=answer.target.words[:1].upper() + answer.target.words[1:],
        value=answer_value(answer),
        unit="log-risk" if is_risk else "percentage points",
        bars=bars,
        bars_alt=f"How far each sequence moved the answer “{answer.target.words}”: {said}",
        pictures=_pictures(answer, images, background),
        ends=("lower risk", "higher risk") if is_risk else ("against", "for"),
    )


def _pictures(
    answer: ExplainedAnswer, images: pictures.KeyImages, background: Background
) -> tuple[SaliencyPicture, ...]:
    if answer.saliency is None:
        return ()
    density = sitk.GetArrayViewFromImage(answer.saliency.image)
    cuts = [images.picture(density, cut).astype(np.float32) for cut in images.slices]
    shown = np.abs(np.concatenate([cut.ravel() for cut in cuts]))
    there = shown[shown > 0]
    strongest = float(np.percentile(there, _FULL_PERCENTILE)) if there.size else 1.0
    inside = f"{100 * answer.saliency.inside_tumour:.0f} % of the map lies inside the tumour"
    return tuple(
        SaliencyPicture(
            cut,
            pictures.picture(with_saliency(background(cut), part / np.float32(strongest))),
            f"Saliency of “{answer.target.words}”, {cut.plane} slice; {inside}",
        )
        for cut, part in zip(images.slices, cuts, strict=True)
    )


def with_saliency(background: NDArray[np.uint8], share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """A grey picture with a map over it in two colours, the clearer the stronger; (rows, columns,
    3).

    Args:
        background: (rows, columns).
        share: the map (rows, columns), 1 and -1 being the strongest.
    """
    strength = np.clip(np.abs(share), 0.0, 1.0)
    strength = np.where(strength < _EMPTY, 0.0, strength)
    opacity = (_OPACITY * strength**0.7)[..., None]
    colour = np.where(share[..., None] > 0, np.array(rgb(FOR)), np.array(rgb(AGAINST)))
    mixed = background[..., None] * (1.0 - opacity) + colour * opacity
    return np.asarray(mixed.round(), dtype=np.uint8)
