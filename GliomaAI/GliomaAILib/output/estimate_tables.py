"""Diagnosis and prognosis as plain texts and tables, for every kind of report."""

from collections.abc import Iterator, Sequence

from gliomaai_training.diagnosis.states import STATE_NAMES
from gliomaai_training.survival.readable import whole_total
from GliomaAILib.assessment.estimates import (
    HORIZONS_MONTHS,
    INPUT_NAMES,
    LEAST_SHARE,
    MARGINAL_NAMES,
    ROLE_NAMES,
    Basis,
    Diagnosis,
    Estimates,
    ModelUse,
    Prognosis,
    Survival,
    SurvivalEstimate,
    Unused,
)
from GliomaAILib.output.network_tables import curve_name, network_models
from GliomaAILib.output.tables import NOTHING, Row, Table, number

BASIS_WORDS = {
    Basis.MODEL: "Estimated from facts and images; tissue has the last word.",
    Basis.TISSUE: "As tissue tells; nothing was estimated.",
    Basis.BOTH: "Estimated from facts and images, of the states that tissue leaves possible.",
}

INTERVAL_NOTE = (
    "In brackets and as bands: 95 % interval of how well the model is known. Patients differ more."
)


def probability_rows(diagnosis: Diagnosis) -> tuple[tuple[str, float], ...]:
    """Words and probability of every state, and of what follows from them."""
    states = [(STATE_NAMES[name], chance) for name, chance in diagnosis.states.items()]
    facts = [(MARGINAL_NAMES[name], chance) for name, chance in diagnosis.marginals.items()]
    return (*states, *facts)


def diagnosis_notes(diagnosis: Diagnosis) -> tuple[str, ...]:
    """What has to be said with the probabilities; what lies beyond the model is a finding."""
    weak = "Indeterminate: the evidence is too weak to name a state."
    return (
        BASIS_WORDS[diagnosis.basis],
        *((weak,) if diagnosis.indeterminate else ()),
        *diagnosis.reasons,
        *_richer(diagnosis.richer),
        *diagnosis.limits,
    )


def survival_table(estimates: Estimates) -> Table | None:
    """The numbers at the horizons, a column for each estimate; None where there is none."""
    curves = estimates.curves
    if not curves:
        return None
    rows = [
        Row((f"{months} months", *(_at(one.at_months.get(months)) for one in curves)))
        for months in HORIZONS_MONTHS
    ]
    medians = (_median(one) for one in curves)
    rows.append(Row(("Half have died after", *medians), minor=True))
    columns = ("Alive at", *(curve_name(one, estimates) for one in curves))
    numbers = tuple(range(1, len(columns)))
    title = "Survival"
    if estimates.prognosis is not None:
        title += f", estimated with what is known {ROLE_NAMES[estimates.prognosis.role]}"
    shares = (0.25, *((0.75 / len(curves),) * len(curves)))
    return Table(title, columns, numbers, tuple(rows), INTERVAL_NOTE, shares=shares)


def points_table(estimate: SurvivalEstimate) -> Table:
    """What moved the risk, the most first, with the nomogram's points."""
    scale = estimate.nomogram
    points = {} if scale is None else {axis.name: axis.points for axis in scale.axes}
    rows = [
        Row(
            (
                _sentence(moved.label),
                moved.value,
                moved.reference,
                number(moved.hazard_ratio, 2),
                f"{100 * moved.share:.0f} %",
                str(round(points[moved.name])) if moved.name in points else NOTHING,
            )
        )
        for moved in estimate.moved
    ]
    caption = f"By “{estimate.model.name}”. Hazard ratio against the reference: above 1 is worse."
    if scale is not None:
        rows.append(Row(("Total", "", "", "", "", str(whole_total(points.values())))))
        caption += (
            f" The scale's totals go from {scale.least:.0f} to {scale.most:.0f} points. Points are "
            "rounded; survival is of the exact ones."
        )
    columns = ("What moved the risk", "patient", "reference", "hazard ratio", "share", "points")
    title = f"Nomogram: {INPUT_NAMES[estimate.model.inputs].lower()}"
    shares = (0.28, 0.22, 0.22, 0.12, 0.08, 0.08)
    return Table(title, columns, (3, 4, 5), tuple(rows), caption, shares=shares)


def states_table(estimate: SurvivalEstimate) -> Table:
    """What the curve is made of, where the WHO state is not certain."""
    rows = [
        Row(
            (
                STATE_NAMES.get(one.state, one.state),
                f"{100 * one.probability:.0f} %",
                *(_share(one.at_months.get(months)) for months in HORIZONS_MONTHS),
            )
        )
        for one in estimate.made_of
        if one.probability >= LEAST_SHARE
    ]
    columns = ("If the WHO state is", "probability", *(f"{m} months" for m in HORIZONS_MONTHS))
    caption = (
        f"Alive by “{estimate.model.name}”. The curve is the mean over the states, and its "
        "interval is for the curve that tissue will tell. States below "
        f"{100 * LEAST_SHARE:.0f} % are not listed."
    )
    title, shares = "What the curve is made of", (0.4, 0.15, 0.15, 0.15, 0.15)
    return Table(title, columns, (1, 2, 3, 4), tuple(rows), caption, shares=shares)


def models_table(estimates: Estimates) -> Table:
    """Which models spoke."""
    rows = []
    if estimates.diagnosis is not None and estimates.diagnosis.model is not None:
        rows.append(_model_row("Diagnosis", estimates.diagnosis.model))
    if estimates.prognosis is not None:
        rows += [_model_row("Prognosis", one.model) for one in estimates.prognosis.estimates]
    if estimates.network is not None:
        rows += network_models(estimates.network)
    columns = ("For", "Model", "Pack", "Fitted on", "n", "events")
    title, shares = "Models of diagnosis and prognosis", (0.1, 0.3, 0.14, 0.32, 0.06, 0.08)
    return Table(title, columns, (4, 5), tuple(rows), shares=shares)


def _model_row(what: str, model: ModelUse) -> Row:
    cohort = "; ".join((model.cohort, *model.history))
    events = NOTHING if model.events is None else str(model.events)
    pack = f"{model.pack} {model.pack_version}"
    return Row((what, model.name, pack, cohort, str(model.patients), events))


def prognosis_notes(prognosis: Prognosis) -> tuple[str, ...]:
    """What has to be said with the curves; what lies beyond the models is a finding."""
    notes: list[str] = []
    for one in prognosis.estimates:
        notes += _richer(one.richer)
        if one.group is not None:
            notes.append(f"The patient's group by “{one.model.name}”: {one.group}.")
    notes += [f"Not used: “{one.model}” ({one.why})." for one in prognosis.unavailable]
    return tuple(dict.fromkeys(notes))


def absences(estimates: Estimates) -> tuple[str, ...]:
    """What is not estimated, and why."""
    return tuple(f"{part.capitalize()}: {why}" for part, why in estimates.absent.items())


def _richer(unused: Sequence[Unused]) -> Iterator[str]:
    for one in unused:
        yield f"The richer model “{one.model}” was not used: it {_lacks(one.why)}."


def _lacks(why: str) -> str:
    return why if why.startswith("needs ") else f"cannot be used ({why})"


def _share(survival: float | None) -> str:
    return NOTHING if survival is None else f"{100 * survival:.0f} %"


def _at(survival: Survival | None) -> str:
    if survival is None:
        return "not followed so long"
    low, high = 100 * survival.low, 100 * survival.high
    return f"{100 * survival.survival:.0f} % ({low:.0f} to {high:.0f})"


def _median(estimate: SurvivalEstimate) -> str:
    months = estimate.median_months
    return "more are alive at the end" if months is None else f"{months:.0f} months"


def _sentence(label: str) -> str:
    return f"{label[:1].upper()}{label[1:]}"
