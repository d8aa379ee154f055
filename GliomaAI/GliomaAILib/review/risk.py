"""What there is to show of diagnosis and prognosis.

An assessment may hold `diagnosis` and `prognosis`; where it does not, no installed pack predicts
them, and that is said. No number is made up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from GliomaAILib.review.message import Message, verbatim
from GliomaAILib.review.state import ReviewState

HORIZONS_MONTHS = (12, 24, 60)


@dataclass(frozen=True)
class Bar:
    """One probability."""

    label: Message
    fraction: float
    """0 to 1."""
    value: str
    """As it is written beside the bar."""


@dataclass(frozen=True)
class Curve:
    """A survival curve."""

    label: Message
    months: tuple[float, ...]
    survival: tuple[float, ...]
    """0 to 1, as long as `months`."""
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    """Of the interval; empty where there is none."""


@dataclass(frozen=True)
class RiskView:
    """The risk panel's content."""

    lines: tuple[Message, ...]
    bars: tuple[Bar, ...] = ()
    curves: tuple[Curve, ...] = ()
    table: tuple[tuple[Message, str], ...] = ()
    """Numbers in words, for who cannot see the charts."""


def risk_view(state: ReviewState) -> RiskView:
    """What exists is shown, and what does not is said."""
    if not state.has_result:
        return RiskView((Message("Run the analysis first."),))
    diagnosis = _part(state, "diagnosis")
    prognosis = _part(state, "prognosis")
    lines = [*_known(state), *_diagnosis_lines(diagnosis)]
    missing = [
        words
        for part, words in ((diagnosis, _NO_DIAGNOSIS), (prognosis, _NO_PROGNOSIS))
        if not part
    ]
    if state.out_of_date and (diagnosis or prognosis):
        lines.insert(0, Message("Out of date: press Reassess."))
    return RiskView((*lines, *missing), _bars(diagnosis), _curves(prognosis), _table(prognosis))


_NO_DIAGNOSIS = Message(
    "Diagnosis: no installed model predicts the molecular type yet. It appears here when a pack "
    "with such a model is installed."
)
_NO_PROGNOSIS = Message(
    "Prognosis: no installed model estimates survival yet. It appears here when a pack with such "
    "a model is installed."
)


def _part(state: ReviewState, name: str) -> Mapping[str, Any]:
    part = state.document.get(name)
    return part if isinstance(part, Mapping) else {}


def _known(state: ReviewState) -> list[Message]:
    """What tissue told, as the user entered it."""
    facts = state.facts
    told = (
        ("Known from tissue: IDH {value}.", facts.idh),
        ("Known from tissue: 1p/19q {value}.", facts.codeletion_1p19q),
        ("Known from tissue: WHO grade {value}.", facts.grade),
    )
    return [Message(text, {"value": value}) for text, value in told if value is not None]


def _diagnosis_lines(diagnosis: Mapping[str, Any]) -> list[Message]:
    if diagnosis.get("indeterminate"):
        return [Message("Indeterminate: the evidence in the images is too weak to tell.")]
    return []


def _bars(diagnosis: Mapping[str, Any]) -> tuple[Bar, ...]:
    groups: Sequence[Mapping[str, float]] = (
        diagnosis.get("states", {}),
        diagnosis.get("marginals", {}),
    )
    return tuple(
        Bar(verbatim(name), float(value), f"{100 * value:.0f} %")
        for group in groups
        for name, value in group.items()
    )


def _curves(prognosis: Mapping[str, Any]) -> tuple[Curve, ...]:
    return tuple(
        Curve(
            verbatim(curve["name"]),
            tuple(curve["months"]),
            tuple(curve["survival"]),
            tuple(curve.get("low", ())),
            tuple(curve.get("high", ())),
        )
        for curve in prognosis.get("curves", ())
    )


def _table(prognosis: Mapping[str, Any]) -> tuple[tuple[Message, str], ...]:
    rows = []
    for name, at in prognosis.get("survival_at_months", {}).items():
        for months in HORIZONS_MONTHS:
            if (value := at.get(str(months))) is not None:
                label = Message(
                    "{name}, alive at {months} months", {"name": name, "months": months}
                )
                rows.append((label, f"{100 * value:.0f} %"))
    return tuple(rows)
