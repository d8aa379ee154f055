"""What there is to show of why the network answers as it does."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from GliomaAILib.review.availability import NAMES
from GliomaAILib.review.message import Message, translate, verbatim
from GliomaAILib.review.words import word

Part = Mapping[str, Any]

MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class SignedBar:
    """What one sequence added to an answer."""

    label: str
    share: float
    """Of the longest bar of its unit, -1 to 1; below 0 it spoke against the answer."""
    value: Message | str
    """As it is written beside the bar."""


@dataclass(frozen=True)
class ExplainedAnswerView:
    """One answer."""

    answer: str
    """As the document names it."""
    words: Message
    title: Message
    """With its value."""
    bars: tuple[SignedBar, ...]
    inside_tumour: float | None
    """Share of the map that lies inside the tumour; None where there is no map."""


@dataclass(frozen=True)
class ExplanationView:
    """The part of the risk panel that explains."""

    lines: tuple[Message, ...]
    answers: tuple[ExplainedAnswerView, ...]

    @property
    def maps(self) -> tuple[ExplainedAnswerView, ...]:
        """Those whose map can be laid over the images."""
        return tuple(one for one in self.answers if one.inside_tumour is not None)


def explanation_view(explanation: Part, out_of_date: bool) -> ExplanationView | None:
    """The explanation of an assessment document; None where there is none."""
    if not explanation:
        return None
    longest = _longest(explanation["answers"])
    stale = Message(
        translate("GliomaAI", "Out of date: mask or clinical facts were changed. Press Explain.")
    )
    return ExplanationView(
        (*((stale,) if out_of_date else ()), *map(verbatim, explanation["notes"])),
        tuple(_answer(one, longest) for one in explanation["answers"]),
    )


def saliency_files(document: Part, folder: Path) -> tuple[Path, ...]:
    """The files of the maps beside a document."""
    explanation = document.get("explanation") or {}
    saliencies = (one["saliency"] for one in explanation.get("answers", ()))
    return tuple(folder / one["file"] for one in saliencies if one)


def explanation_table(view: ExplanationView | None) -> Iterator[tuple[Message, str | Message]]:
    """Numbers in words, for who cannot see charts and maps."""
    for one in () if view is None else view.answers:
        for bar in one.bars:
            text = translate("GliomaAI", "{answer}, what {sequence} added")
            yield Message(text, {"answer": one.words, "sequence": bar.label}), bar.value
        if one.inside_tumour is not None:
            text = translate("GliomaAI", "{answer}, part of the map inside the tumour")
            yield Message(text, {"answer": one.words}), f"{100 * one.inside_tumour:.0f} %"


def _shown(answer: Part) -> Part:
    """The importance on the scale that readers know; empty where there is none."""
    scales = ("probability", "log-risk")
    return next((one for one in answer["importance"] if one["scale"] in scales), {})


def _longest(answers: Sequence[Part]) -> dict[str, float]:
    """The largest value of each scale, so that bars of one unit can be compared."""
    found: dict[str, float] = {}
    for importance in filter(None, map(_shown, answers)):
        most = max(abs(value) for value in importance["values"].values())
        found[importance["scale"]] = max(most, found.get(importance["scale"], 1e-9))
    return found


def _answer(answer: Part, longest: Mapping[str, float]) -> ExplainedAnswerView:
    importance, words = _shown(answer), word(answer["words"])
    values = importance.get("values", {})
    bars = tuple(
        SignedBar(
            NAMES[name],
            values[name] / longest[importance["scale"]],
            _moved(values[name], importance["scale"]),
        )
        for name in NAMES
        if name in values
    )
    saliency = answer["saliency"]
    inside = None if saliency is None else float(saliency["inside_tumour"])
    return ExplainedAnswerView(answer["answer"], words, _title(answer, importance), bars, inside)


def _title(answer: Part, importance: Part) -> Message:
    probability = answer["probability"]
    values: dict[str, object] = {"answer": word(answer["words"])}
    if probability is None:
        values["value"] = _signed(answer["output"])
        values["empty"] = _signed(importance.get("empty", 0.0))
        text = translate("GliomaAI", "Log-risk {value}, {empty} without images")
        alone = translate("GliomaAI", "Log-risk {value}")
    else:
        values["value"] = f"{100 * probability:.0f} %"
        values["empty"] = f"{100 * importance.get('empty', 0.0):.0f} %"
        text = translate("GliomaAI", "{answer}: {value}, {empty} without images")
        alone = translate("GliomaAI", "{answer}: {value}")
    return Message(text if importance else alone, values)


def _moved(value: float, scale: str) -> Message | str:
    if scale != "probability":
        return _signed(value)
    points = round(100 * value)
    number = f"{points:+d}".replace("-", MINUS) if points else "0"
    return Message(translate("GliomaAI", "{number} points"), {"number": number})


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)
