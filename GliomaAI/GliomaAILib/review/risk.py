"""What there is to show of diagnosis and prognosis.

An assessment may hold `diagnosis` and `prognosis`; where it does not, the reason is said. No number
is made up.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gliomaai_training.diagnosis.states import STATE_NAMES
from gliomaai_training.survival.readable import whole_total
from GliomaAILib.assessment.estimates import (
    HORIZONS_MONTHS,
    INPUT_NAMES,
    LEAST_SHARE,
    MARGINAL_NAMES,
    ROLE_NAMES,
)
from GliomaAILib.review.explanation import (
    ExplanationView,
    explanation_table,
    explanation_view,
)
from GliomaAILib.review.message import Message, translate, verbatim
from GliomaAILib.review.network import Bar, NetworkView, network_curve_name, network_view
from GliomaAILib.review.state import ReviewState
from GliomaAILib.review.words import word

Part = Mapping[str, Any]

DASH = "\N{EN DASH}"
TIMES = "\N{MULTIPLICATION SIGN}"


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
    is_reference: bool = False
    """Of a group of patients, for comparison."""


@dataclass(frozen=True)
class Axis:
    """One scale of the nomogram with the patient on it."""

    label: Message
    value: str
    """The patient's."""
    points: float
    ticks: tuple[tuple[str, float], ...]
    """Named values with their points."""


@dataclass(frozen=True)
class NomogramView:
    """The scales of a nomogram and their sum."""

    axes: tuple[Axis, ...]
    total: float
    least: float
    most: float

    @property
    def written_total(self) -> int:
        """As it is written: what the points add up to as they are written."""
        return whole_total(axis.points for axis in self.axes)


Line = tuple[Message, str | Message]


@dataclass(frozen=True)
class RiskView:
    """The risk panel's content."""

    lines: tuple[Message, ...]
    bars: tuple[Bar, ...] = ()
    curves: tuple[Curve, ...] = ()
    worth: Message | None = None
    """What the difference between two curves is worth."""
    nomogram: NomogramView | None = None
    moved: tuple[Bar, ...] = ()
    """What moved the risk, the most first."""
    network: NetworkView | None = None
    """What a multi-task network says by itself."""
    explanation: ExplanationView | None = None
    """Why the network answers so."""
    table: tuple[Line, ...] = ()
    """Numbers in words, for who cannot see the charts."""
    notes: tuple[Message, ...] = ()
    """Which models spoke, which could not, and what has to be said with them."""


def risk_view(state: ReviewState) -> RiskView:
    """What exists is shown, and what does not is said."""
    if not state.has_result:
        return RiskView((Message(translate("GliomaAI", "Run the analysis first.")),))
    diagnosis = _part(state.document, "diagnosis")
    prognosis = _part(state.document, "prognosis")
    network = _part(state.document, "network")
    reasons = _part(state.document, "not_estimated")
    lines = [*_known(state), *_diagnosis_lines(diagnosis), *_prognosis_lines(prognosis)]
    for part, name in ((diagnosis, "diagnosis"), (prognosis, "prognosis")):
        if not part:
            lines.append(_absent(name, reasons))
    lines += [_absent(name, reasons) for name in ("network", "explanation") if name in reasons]
    if state.out_of_date and (diagnosis or prognosis or network):
        lines.insert(0, Message(translate("GliomaAI", "Out of date: press Reassess.")))
    richest: Part = prognosis["estimates"][-1] if prognosis else {}
    nomogram = _nomogram(richest.get("nomogram") or {})
    moved = _moved(richest)
    explanation = explanation_view(_part(state.document, "explanation"), state.out_of_date)
    table = (*_numbers(prognosis, network), *_made_of(richest), *_points(nomogram))
    return RiskView(
        tuple(lines),
        _bars(diagnosis),
        tuple(_curves(prognosis, network)),
        verbatim(prognosis["imaging_adds"]) if prognosis.get("imaging_adds") else None,
        nomogram,
        moved,
        network_view(network),
        explanation,
        (*table, *_shares(moved), *explanation_table(explanation)),
        tuple({str(note): note for note in _notes(diagnosis, prognosis)}.values()),
    )


_NOT_INSTALLED: Mapping[str, Message] = {
    "diagnosis": Message(
        translate(
            "GliomaAI",
            "Diagnosis: no installed model predicts the molecular type yet. It appears here when "
            "a pack with such a model is installed.",
        )
    ),
    "prognosis": Message(
        translate(
            "GliomaAI",
            "Prognosis: no installed model estimates survival yet. It appears here when a pack "
            "with such a model is installed.",
        )
    ),
}


def _absent(name: str, reasons: Part) -> Message:
    if name not in reasons:
        return _NOT_INSTALLED[name]
    texts = {
        "diagnosis": translate("GliomaAI", "No diagnosis: {why}"),
        "prognosis": translate("GliomaAI", "No prognosis: {why}"),
        "network": translate("GliomaAI", "No answer of the network itself: {why}"),
        "explanation": translate("GliomaAI", "No explanation: {why}"),
    }
    return Message(texts[name], {"why": reasons[name]})


def _part(document: Mapping[str, object], name: str) -> Part:
    part = document.get(name)
    return part if isinstance(part, Mapping) else {}


def _known(state: ReviewState) -> Iterator[Message]:
    """What tissue told, as the user entered it."""
    facts = state.facts
    told = (
        (translate("GliomaAI", "Known from tissue: IDH {value}."), facts.idh),
        (translate("GliomaAI", "Known from tissue: 1p/19q {value}."), facts.codeletion_1p19q),
        (translate("GliomaAI", "Known from tissue: WHO grade {value}."), facts.grade),
    )
    yield from (
        Message(text, {"value": word(str(value))}) for text, value in told if value is not None
    )


def _diagnosis_lines(diagnosis: Part) -> Iterator[Message]:
    if diagnosis.get("indeterminate"):
        yield Message(
            translate("GliomaAI", "Indeterminate: the evidence is too weak to name a state.")
        )
        yield from map(verbatim, diagnosis["reasons"])
    if diagnosis.get("basis") == "tissue":
        yield Message(
            translate("GliomaAI", "The diagnosis is as tissue tells; nothing was estimated.")
        )


def _prognosis_lines(prognosis: Part) -> Iterator[Message]:
    if prognosis:
        text = translate("GliomaAI", "Survival is estimated with what is known {role}.")
        yield Message(text, {"role": word(ROLE_NAMES[prognosis["role"]])})


def _bars(diagnosis: Part) -> tuple[Bar, ...]:
    groups: Sequence[tuple[str, Mapping[str, str]]] = (
        ("states", STATE_NAMES),
        ("marginals", MARGINAL_NAMES),
    )
    return tuple(
        Bar(word(names[name]), float(chance), f"{100 * chance:.0f} %")
        for group, names in groups
        for name, chance in diagnosis.get(group, {}).items()
    )


def _estimates(prognosis: Part, network: Part) -> list[tuple[Message, Part]]:
    """Every survival estimate with its name: of the statistical models, then of the network."""
    found = [
        (word(INPUT_NAMES[one["model"]["inputs"]]), one) for one in prognosis.get("estimates", ())
    ]
    if network and network["survival"]:
        found.append((network_curve_name(network), network["survival"]))
    return found


def _curves(prognosis: Part, network: Part) -> Iterator[Curve]:
    """The patient's, the richest statistical one first and the network's last, then those of the
    groups."""
    told = _estimates(prognosis, network)
    count = len(prognosis.get("estimates", ()))
    for name, one in (*reversed(told[:count]), *told[count:]):
        yield Curve(
            name,
            tuple(one["months"]),
            tuple(one["survival"]),
            tuple(one["low"]),
            tuple(one["high"]),
        )
    for group in prognosis.get("groups", ()):
        name = word(group["name"])
        label = Message("{name}, n = {n}", {"name": name, "n": group["patients"]})
        yield Curve(label, tuple(group["months"]), tuple(group["survival"]), is_reference=True)


def _nomogram(nomogram: Part) -> NomogramView | None:
    if not nomogram:
        return None
    axes = tuple(
        Axis(
            verbatim(axis["label"]),
            axis["value"],
            axis["points"],
            tuple((word, points) for word, points in axis["ticks"]),
        )
        for axis in nomogram["axes"]
    )
    return NomogramView(axes, nomogram["total"], nomogram["least"], nomogram["most"])


def _moved(estimate: Part) -> tuple[Bar, ...]:
    return tuple(
        Bar(
            verbatim(f"{one['label']}: {one['value']}"),
            float(one["share"]),
            f"{TIMES} {one['hazard_ratio']:.2f}",
        )
        for one in estimate.get("moved", ())
    )


def _numbers(prognosis: Part, network: Part) -> Iterator[Line]:
    for name, one in _estimates(prognosis, network):
        text = translate("GliomaAI", "{name}, alive at {months} months")
        for months in HORIZONS_MONTHS:
            at = one["at_months"][str(months)]
            label = Message(text, {"name": name, "months": months})
            if at is None:
                yield label, DASH
                continue
            numbers = tuple(round(100 * at[key]) for key in ("survival", "low", "high"))
            yield label, f"{numbers[0]} % ({numbers[1]}{DASH}{numbers[2]})"


def _made_of(estimate: Part) -> Iterator[Line]:
    """The states that the curve is the mean of, with survival in each."""
    text = translate("GliomaAI", "Part of the curve: {state}, {share} (alive at {months} months)")
    months = ", ".join(map(str, HORIZONS_MONTHS))
    for one in estimate.get("made_of", ()):
        if one["probability"] < LEAST_SHARE:
            continue
        share = f"{100 * one['probability']:.0f} %"
        values = {"state": word(STATE_NAMES[one["state"]]), "share": share, "months": months}
        alive = (one["at_months"][str(at)] for at in HORIZONS_MONTHS)
        yield (
            Message(text, values),
            ", ".join(DASH if one is None else f"{100 * one:.0f} %" for one in alive),
        )


def _points(nomogram: NomogramView | None) -> Iterator[Line]:
    if nomogram is None:
        return
    for axis in nomogram.axes:
        values = {"label": axis.label, "value": axis.value}
        text = translate("GliomaAI", "Nomogram points, {label} {value}")
        yield Message(text, values), str(round(axis.points))
    scale = {"least": round(nomogram.least), "most": round(nomogram.most)}
    text = translate("GliomaAI", "Nomogram points in all, of {least} to {most}")
    yield Message(text, scale), str(nomogram.written_total)


def _shares(moved: Sequence[Bar]) -> Iterator[Line]:
    for bar in moved:
        label = Message(translate("GliomaAI", "Hazard ratio, {label}"), {"label": bar.label})
        yield label, f"{bar.value} ({100 * bar.fraction:.0f} %)"


def _notes(diagnosis: Part, prognosis: Part) -> Iterator[Message]:
    """Without what lies beyond a model's patients: it is among the findings."""
    for part in (diagnosis, *prognosis.get("estimates", ())):
        if model := part.get("model"):
            yield from _model_notes(model)
        yield from map(_unused, part.get("richer", ()))
        if group := part.get("group"):
            text = translate("GliomaAI", "The patient's group by “{model}”: {group}.")
            yield Message(text, {"model": part["model"]["name"], "group": word(group)})
    yield from map(_unused, prognosis.get("unavailable", ()))
    yield from map(verbatim, diagnosis.get("limits", ()))
    if prognosis:
        yield Message(
            translate(
                "GliomaAI",
                "Intervals of 95 % tell how well the model is known; patients differ more. Hazard "
                "ratios are against the model's reference: above 1 is worse.",
            )
        )


def _unused(unused: Part) -> Message:
    return Message(translate("GliomaAI", "“{model}” was not used: {why}."), unused)


def _model_notes(model: Part) -> Iterator[Message]:
    values = {**model, "inputs": word(INPUT_NAMES[model["inputs"]])}
    yield Message(
        translate(
            "GliomaAI",
            "“{name}” ({inputs}), pack {pack} {pack_version}, fitted on {cohort}, n = {patients}.",
        )
        if model["events"] is None
        else translate(
            "GliomaAI",
            "“{name}” ({inputs}), pack {pack} {pack_version}, fitted on {cohort}, n = {patients}, "
            "{events} events.",
        ),
        values,
    )
    yield from map(verbatim, model["history"])
