"""The table of measures, from the assessment and the mask as it is now."""

from collections.abc import Mapping, Sequence
from typing import Any

from GliomaAILib.review.message import Message, translate
from GliomaAILib.review.state import MeasureRow
from GliomaAILib.review.words import word

Document = Mapping[str, Any]

VOLUMES: Mapping[str, str] = {
    "WT": translate("GliomaAI", "Whole tumour (WT)"),
    "TC": translate("GliomaAI", "Tumour core (TC)"),
    "ET": translate("GliomaAI", "Enhancing tumour (ET)"),
    "NCR": translate("GliomaAI", "Necrotic or non-enhancing core (NCR)"),
    "ED": translate("GliomaAI", "Oedema (ED)"),
}

CHANGED_ML = 0.05
"""Smaller differences round to nothing in the table."""


def measure_rows(
    document: Document, network: Document, now_ml: Mapping[str, float], out_of_date: bool
) -> tuple[MeasureRow, ...]:
    """The table's lines.

    Args:
        document: the shown `assessment.json`.
        network: the one of the network's own mask.
        now_ml: volumes of the mask as it is now; they are always current.
        out_of_date: whether the mask has changed since `document` was made.
    """
    if not document:
        return ()
    measures, before = document["measures"], network.get("measures", document["measures"])
    volumes = now_ml or measures["volumes_ml"]
    rows = [
        MeasureRow(Message(words), f"{volumes[name]:.1f}", "mL", _before(name, volumes, before))
        for name, words in VOLUMES.items()
    ]
    return (*rows, *_others(measures, before, not out_of_date))


def _before(name: str, volumes: Mapping[str, float], before: Document) -> str:
    was = float(before["volumes_ml"][name])
    return f"{was:.1f}" if abs(was - volumes[name]) >= CHANGED_ML else ""


_NONE = Message(translate("GliomaAI", "none"))


def _others(measures: Document, before: Document, current: bool) -> Sequence[MeasureRow]:
    rows = []
    for words, unit, read in _READERS:
        value, was = read(measures), read(before)
        if value or was:
            shown = was if was != value else ""
            rows.append(MeasureRow(Message(words), value or _NONE, unit, shown, current))
    return rows


def _diameters(region: str) -> Any:
    def read(measures: Document) -> str:
        pair = measures["diameters"].get(region)
        return f"{pair['longest_mm']:.0f} x {pair['perpendicular_mm']:.0f}" if pair else ""

    return read


def _rano(measures: Document) -> str:
    region = measures["rano_region"]
    return f"{measures['diameters'][region]['product_mm2']:.0f}" if region else ""


def _proportion(name: str) -> Any:
    def read(measures: Document) -> str:
        value = measures[name]
        return "" if value is None else f"{100 * value:.0f}"

    return read


def _foci(measures: Document) -> str:
    return str(len(measures["foci"]["TC"]) or len(measures["foci"]["WT"]) or "")


def _side(measures: Document) -> Message | str:
    laterality = measures["laterality"]
    if not laterality:
        return ""
    side = word(str(laterality["side"]))
    if not laterality["crosses_midline"]:
        return side
    return Message(translate("GliomaAI", "{side}, crosses the midline"), {"side": side})


def _lobe(measures: Document) -> Message | str:
    return word(str(measures["location"]["lobe"])) if measures["location"] else ""


_READERS: Sequence[tuple[str, str, Any]] = (
    (translate("GliomaAI", "Diameters of the enhancing tumour"), "mm", _diameters("ET")),
    (translate("GliomaAI", "Diameters of the core"), "mm", _diameters("TC")),
    (translate("GliomaAI", "Diameters of the whole tumour"), "mm", _diameters("WT")),
    (translate("GliomaAI", "Product of the diameters (RANO)"), "mm²", _rano),
    (
        translate("GliomaAI", "Enhancing part of the tumour"),
        "%",
        _proportion("enhancing_proportion"),
    ),
    (translate("GliomaAI", "Necrotic part of the tumour"), "%", _proportion("necrotic_proportion")),
    (translate("GliomaAI", "Separate foci"), "", _foci),
    (translate("GliomaAI", "Side"), "", _side),
    (translate("GliomaAI", "Lobe (approximate)"), "", _lobe),
)


def audit(document: Document) -> tuple[Message, ...]:
    """What a correction changed, in sentences; empty where the mask is the network's own."""
    correction = document.get("correction") if document else None
    if not correction:
        return ()
    lines = [
        Message(
            translate("GliomaAI", "{label}: {added} voxels added, {removed} removed."),
            {"label": label, "added": added, "removed": correction["removed_voxels"][label]},
        )
        for label, added in correction["added_voxels"].items()
    ]
    overlap = ", ".join(f"{region} {value:.3f}" for region, value in correction["dice"].items())
    return (
        *lines,
        Message(
            translate("GliomaAI", "Dice with the network's mask: {overlap}."), {"overlap": overlap}
        ),
    )
