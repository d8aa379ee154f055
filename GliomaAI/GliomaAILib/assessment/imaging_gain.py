"""What the second of two survival curves is worth: what imaging was measured to add, in words."""

from collections.abc import Sequence

from gliomaai_training.survival.evidence import Evidence, Gain, Verdict
from GliomaAILib.assessment.estimates import SurvivalEstimate

NOT_MEASURED = "What imaging adds was not measured for this model."

_WORDS = {
    Verdict.ADDS: "adds to {against} in {cohort}",
    Verdict.NOTHING: "adds nothing to {against} in {cohort}",
    Verdict.HARMS: "makes {against} worse in {cohort}",
}


def imaging_gain(estimates: Sequence[SurvivalEstimate]) -> str:
    """Plain words to stand beside the curves; empty where there is one curve alone.

    Args:
        estimates: by the clinical facts alone, and with imaging.
    """
    if len(estimates) < 2:
        return ""
    evidence = estimates[-1].evidence
    return NOT_MEASURED if evidence is None else _sentence(evidence)


def _sentence(evidence: Evidence) -> str:
    measured = "; ".join(_measured(gain) for gain in evidence.gains)
    return f"Imaging ({evidence.added}) {measured}. Measured in {evidence.method}."


def _measured(gain: Gain) -> str:
    against = " and ".join(gain.against.rsplit(", ", 1))
    words = _WORDS[gain.verdict].format(against=against, cohort=gain.cohort)
    change, low, high = gain.difference
    return (
        f"{words} (n = {gain.patients}, {gain.events} deaths: C {gain.concordance[0]:.3f}, of "
        f"which imaging {_signed(change)}, 95 % {_signed(low)} to {_signed(high)}, {_p(gain.p)})"
    )


def _p(p: float) -> str:
    if p < 0.001:
        return "p < 0.001"
    return "p > 0.99" if p > 0.99 else f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def _signed(value: float) -> str:
    """With its sign, which nothing has not."""
    text = f"{value:+.3f}"
    return "0.000" if float(text) == 0 else text.replace("-", "\N{MINUS SIGN}")
