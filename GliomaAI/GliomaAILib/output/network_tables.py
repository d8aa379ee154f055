"""What a multi-task network says, as plain texts and rows, for every kind of report."""

from GliomaAILib.assessment.estimates import (
    ALONE_NAMES,
    INPUT_NAMES,
    LABEL_STATE_NAMES,
    MARGINAL_NAMES,
    NETWORK_INPUTS,
    Basis,
    Estimates,
    NetworkEstimate,
    SurvivalEstimate,
)
from GliomaAILib.output.tables import NOTHING, Row

TITLE = "Network's own answer"
SIMULATED = "learnt from simulated patients"


def network_rows(network: NetworkEstimate) -> tuple[tuple[str, float], ...]:
    """Words and probability of every state, of what follows from them, and of heads that answer
    alone."""
    found: list[tuple[str, float]] = []
    if network.diagnosis is not None:
        states, facts = network.diagnosis.states, network.diagnosis.marginals
        found += [(LABEL_STATE_NAMES[name], chance) for name, chance in states.items()]
        found += [(MARGINAL_NAMES[name], chance) for name, chance in facts.items()]
    return (*found, *((ALONE_NAMES[name], chance) for name, chance in network.alone.items()))


def network_states(network: NetworkEstimate) -> int:
    """How many of `network_rows` are states."""
    return 0 if network.diagnosis is None else len(network.diagnosis.states)


def network_mark(network: NetworkEstimate) -> str:
    """What the answer is, in a word beside its title."""
    if network.diagnosis is not None and network.diagnosis.basis is Basis.TISSUE:
        return "from tissue"
    return SIMULATED if network.simulated_only else "estimate"


def network_notes(network: NetworkEstimate) -> tuple[str, ...]:
    """Which pack spoke, what it learnt from, and what has to be said with it."""
    source = (
        f"Pack {network.pack} {network.pack_version}, learnt from {network.cohort} "
        f"(n = {network.patients}); from images and mask alone, beside the statistical models, "
        "which do not hear it."
    )
    return (*network.notes[:1], source, *network.notes[1:])


def network_models(network: NetworkEstimate) -> tuple[Row, ...]:
    """Rows of the table of models."""
    pack = f"{network.pack} {network.pack_version}"
    heads = Row(("Network", "heads", pack, network.cohort, str(network.patients), NOTHING))
    if network.survival is None:
        return (heads,)
    use = network.survival.model
    cells = ("Network", use.name, pack, use.cohort, str(use.patients), str(use.events))
    return (heads, Row(cells))


def curve_name(estimate: SurvivalEstimate, estimates: Estimates) -> str:
    """What a survival curve is, wherever it is drawn or its numbers stand."""
    name = INPUT_NAMES[estimate.model.inputs]
    network = estimates.network
    is_network = estimate.model.inputs == NETWORK_INPUTS
    if is_network and network is not None and network.simulated_only:
        return f"{name} ({SIMULATED})"
    return name
