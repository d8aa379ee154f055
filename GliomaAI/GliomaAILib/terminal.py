"""What the command line shows of a run and its result."""

import sys
import time
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from gliomaai_training.findings import Severity

if TYPE_CHECKING:
    from tqdm import tqdm

    from GliomaAILib.assessment.assessment import Assessment
    from GliomaAILib.assessment.estimates import NetworkEstimate, SurvivalEstimate


class StageDisplay:
    """A progress callback: one bar for each stage on a terminal, one line for each elsewhere."""

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._bars = sys.stderr.isatty()
        self._stage: str | None = None
        self._bar: tqdm[Any] | None = None
        self._begin = 0.0

    def __enter__(self) -> "StageDisplay":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_stage(finished=error is None)

    def __call__(self, stage: str, fraction: float) -> None:
        """Shows that `fraction`, 0 to 1, of `stage` is done."""
        if self._quiet:
            return
        if stage != self._stage:
            self._end_stage(finished=True)
            self._begin_stage(stage)
        if self._bar is not None:
            self._bar.update(100 * fraction - self._bar.n)

    def _begin_stage(self, stage: str) -> None:
        self._stage, self._begin = stage, time.perf_counter()
        if self._bars:
            from tqdm import tqdm

            self._bar = tqdm(
                total=100, desc=f"{stage:<24}", bar_format="{desc} |{bar:30}| {n:3.0f} % {elapsed}"
            )

    def _end_stage(self, finished: bool) -> None:
        if self._stage is None:
            return
        if self._bar is not None:
            if finished:
                self._bar.update(100 - self._bar.n)
            self._bar.close()
            self._bar = None
        elif finished:
            sys.stderr.write(f"{self._stage}: {time.perf_counter() - self._begin:.1f} s\n")
        self._stage = None


def timing_table(seconds: Mapping[str, float]) -> str:
    """Wall-clock seconds by stage, and their sum."""
    rows = [*seconds.items(), ("total", sum(seconds.values()))]
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}} {value:6.1f} s" for name, value in rows)


def _estimates(assessment: "Assessment") -> Iterator[str]:
    """Diagnosis and prognosis, or why there are none."""
    from gliomaai_training.diagnosis.states import STATE_NAMES
    from GliomaAILib.assessment.estimates import INPUT_NAMES, ROLE_NAMES

    diagnosis, prognosis = assessment.estimates.diagnosis, assessment.estimates.prognosis
    if diagnosis is not None:
        likeliest = sorted(diagnosis.states.items(), key=lambda state: -state[1])
        chances = ", ".join(f"{STATE_NAMES[s]} {100 * p:.0f} %" for s, p in likeliest if p >= 0.005)
        unsure = "indeterminate; " if diagnosis.indeterminate else ""
        yield f"Diagnosis ({diagnosis.basis}): {unsure}{chances}"
    for one in () if prognosis is None else prognosis.estimates:
        numbers = _horizons(one)
        kind = INPUT_NAMES[one.model.inputs].lower()
        role = "" if prognosis is None else ROLE_NAMES[prognosis.role]
        yield (
            f"Alive, {kind}, known {role}: {numbers} [{one.model.name}, n = {one.model.patients}]"
        )
    yield from _network(assessment.estimates.network)
    for part, why in assessment.estimates.absent.items():
        yield f"{part.capitalize()}: {why}"
    yield from _explanation(assessment)


def _network(network: "NetworkEstimate | None") -> Iterator[str]:
    """What a multi-task network says by itself."""
    from GliomaAILib.assessment.estimates import ALONE_NAMES, LABEL_STATE_NAMES, SIMULATED_ONLY

    if network is None:
        return
    source = f"[{network.pack} {network.pack_version}, n = {network.patients}]"
    if network.simulated_only:
        source += f" {SIMULATED_ONLY}"
    if network.diagnosis is not None:
        likeliest = sorted(network.diagnosis.states.items(), key=lambda state: -state[1])
        chances = ", ".join(
            f"{LABEL_STATE_NAMES[s]} {100 * p:.0f} %" for s, p in likeliest if p >= 0.005
        )
        yield f"Network alone, diagnosis ({network.diagnosis.basis}): {chances} {source}"
    if network.alone:
        chances = ", ".join(f"{ALONE_NAMES[s]} {100 * p:.0f} %" for s, p in network.alone.items())
        yield f"Network alone, heads by themselves: {chances} {source}"
    if network.log_risk is not None:
        numbers = "" if network.survival is None else f"; alive: {_horizons(network.survival)}"
        yield f"Network alone, log-risk {network.log_risk:.2f}{numbers} {source}"


def _explanation(assessment: "Assessment") -> Iterator[str]:
    """What each sequence adds to the network's answers, or why that is not told."""
    from GliomaAILib.output.explained import answer_value, importance_texts, shown_importance

    explanation = assessment.explanation
    if assessment.not_explained:
        yield f"Explanation: {assessment.not_explained}"
    for one in () if explanation is None else explanation.answers:
        importance = shown_importance(one)
        if importance is None:
            continue
        added = ", ".join(f"{name} {text}" for name, text in importance_texts(importance))
        yield f"Explanation, {one.target.words} {answer_value(one)}: {added}"


def _horizons(estimate: "SurvivalEstimate") -> str:
    return ", ".join(
        f"{100 * at.survival:.0f} % ({100 * at.low:.0f} to {100 * at.high:.0f}) at {m} months"
        for m, at in estimate.at_months.items()
        if at is not None
    )


def summary(assessment: "Assessment") -> str:
    """The result in a few lines: volumes, estimates, and every finding a person must look at."""
    volumes = assessment.measures.volumes_ml
    lines = ["Volumes: " + ", ".join(f"{name} {volumes[name]:.1f} mL" for name in volumes)]
    lines += _estimates(assessment)
    for finding in assessment.findings:
        if finding.severity != Severity.INFO:
            lines.append(f"{finding.severity}: {finding.message} {finding.action}".rstrip())
    return "\n".join(lines)
