"""What there is to show of a multi-task network's own answer."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from GliomaAILib.assessment.estimates import (
    ALONE_NAMES,
    INPUT_NAMES,
    LABEL_STATE_NAMES,
    MARGINAL_NAMES,
    NETWORK_INPUTS,
)
from GliomaAILib.review.message import Message, translate, verbatim
from GliomaAILib.review.words import word

Part = Mapping[str, Any]


@dataclass(frozen=True)
class Bar:
    """One probability, or another share."""

    label: Message
    fraction: float
    """0 to 1."""
    value: str
    """As it is written beside the bar."""


@dataclass(frozen=True)
class NetworkView:
    """The network's part of the risk panel."""

    lines: tuple[Message, ...]
    """What it is, and what has to be said with it, the weightiest first."""
    bars: tuple[Bar, ...]


def network_view(network: Part) -> NetworkView | None:
    """The network's answer of an assessment document; None where there is none."""
    if not network:
        return None
    return NetworkView(tuple(_lines(network)), tuple(_bars(network)))


def network_curve_name(network: Part) -> Message:
    """What its survival curve is."""
    name = word(INPUT_NAMES[NETWORK_INPUTS])
    if not network.get("simulated_only"):
        return name
    return Message(translate("GliomaAI", "{name} (learnt from simulated patients)"), {"name": name})


def _lines(network: Part) -> Iterator[Message]:
    first, *others = network["notes"]
    yield verbatim(first)
    yield Message(
        translate(
            "GliomaAI",
            "Pack {pack} {pack_version}, learnt from {cohort}, n = {patients}. It reads images and "
            "mask alone and stands beside the statistical models, which do not hear it.",
        ),
        {name: network[name] for name in ("pack", "pack_version", "cohort", "patients")},
    )
    yield from map(verbatim, others)


def _bars(network: Part) -> Iterator[Bar]:
    diagnosis = network["diagnosis"] or {}
    for answers, names in (
        (diagnosis.get("states", {}), LABEL_STATE_NAMES),
        (diagnosis.get("marginals", {}), MARGINAL_NAMES),
        (network["alone"], ALONE_NAMES),
    ):
        for name, chance in answers.items():
            yield Bar(word(names[name]), float(chance), f"{100 * chance:.0f} %")
