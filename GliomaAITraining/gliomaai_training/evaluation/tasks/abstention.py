"""Answering only where the network is sure: what that costs in coverage and gains in errors.

Risk-coverage curve and its area: El-Yaniv and Wiener, JMLR 2010; Geifman and El-Yaniv, NeurIPS 2017
and ICLR 2019. The threshold is chosen on validation patients and judged on test patients.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import BOOTSTRAP, BootstrapConfig, Interval, intervals
from gliomaai_training.evaluation.tasks.answers import (
    Answers,
    Floats,
    HeldOut,
    Rows,
    answers,
    draws_of_rows,
    tasks_in,
)
from gliomaai_training.evaluation.tasks.predictions import COMPLETE
from gliomaai_training.evaluation.tasks.truth import TaskTruth
from gliomaai_training.evaluation.tasks.uncertainty import MEASURES

CONFIDENCE = "confidence"
"""Abstains where the most likely class's probability is low; by any of `uncertainty.MEASURES`,
where that is high."""

FEWEST = 10
"""Validation answers that a threshold must keep: an error rate of fewer says nothing."""


@dataclass(frozen=True)
class AbstentionConfig:
    """How thresholds are chosen and judged."""

    target_error: float = 0.05
    """Share of wrong ones among the answers given, that validation shall not exceed."""
    measures: tuple[str, ...] = (CONFIDENCE, "std")
    """Those that a table does not have are left out."""
    sequences: str = COMPLETE
    bootstrap: BootstrapConfig = BOOTSTRAP

    def __post_init__(self) -> None:
        if not 0 <= self.target_error < 1:
            raise ValueError(f"target_error is a share below 1, not {self.target_error}")
        unknown = [name for name in self.measures if name not in (CONFIDENCE, *MEASURES)]
        if unknown or not self.measures:
            raise ValueError(
                f"measures are some of {', '.join((CONFIDENCE, *MEASURES))}, "
                f"not {unknown or 'none'}"
            )


@dataclass(frozen=True, eq=False)
class RiskCoverage:
    """Error of the answers kept, the surest first; equally sure ones are kept together."""

    sureness: Floats
    """(g,) falling: the least of the answers kept."""
    coverage: Floats
    """(g,) share of answers kept; the last is 1."""
    error: Floats
    """(g,) share of wrong ones among them."""
    best_area: float
    """The area if every wrong answer were less sure than every right one."""

    @property
    def area(self) -> float:
        """AURC: the mean error over all coverages; less is better."""
        return float(self.error @ np.diff(self.coverage, prepend=0.0))

    @property
    def excess_area(self) -> float:
        """What the area is above the best order of the same answers: 0 where sureness tells right
        from wrong."""
        return self.area - self.best_area


@dataclass(frozen=True)
class AbstentionRule:
    """From which sureness on an answer is given, as chosen on validation patients."""

    measure: str
    least_sureness: float
    """Infinite where no threshold keeps to the target: then nothing is answered."""
    target_error: float
    coverage: float
    """Share answered in validation."""
    error: float
    """Of those answered there; NaN if nobody was."""

    def answered(self, sureness: Floats) -> Rows:
        """(m,) to which answers it holds."""
        return np.asarray(sureness >= self.least_sureness)

    @property
    def threshold(self) -> float:
        """In the measure's own terms."""
        return self.least_sureness if self.measure == CONFIDENCE else -self.least_sureness


@dataclass(frozen=True)
class AbstentionResult:
    """What a rule does to test patients; intervals by patient."""

    coverage: Interval
    error: Interval | None
    """Of the answers given; None if there are none."""
    error_of_all: Interval
    """If every answer were given."""
    area: Interval
    """AURC, whatever the rule."""


def sureness_of(given: Answers, measure: str) -> Floats:
    """(m,) higher is surer.

    Raises:
        ValueError: the table had no such measure.
    """
    if measure == CONFIDENCE:
        return given.confidence
    if measure not in given.spread:
        raise ValueError(f"the predictions have no column {given.task}_{measure}")
    return np.asarray(-given.spread[measure])


def risk_coverage(sureness: Floats, correct: Rows) -> RiskCoverage:
    """The curve of m answers.

    Args:
        sureness: (m,) higher is surer.
        correct: (m,)

    Raises:
        ValueError: no answers, another number of them, or a sureness that is not finite.
    """
    if sureness.ndim != 1 or sureness.shape != correct.shape or not sureness.size:
        raise ValueError(f"needs one truth for each answer, not {correct.shape}, {sureness.shape}")
    if not np.isfinite(sureness).all():
        raise ValueError("a sureness is not finite")
    order, last = _groups(sureness)
    kept = last + 1
    wrong = np.cumsum(~correct[order])[last]
    errors = int(np.count_nonzero(~correct))
    late = np.arange(1, errors + 1)
    best = float((late / (correct.size - errors + late)).sum() / correct.size)
    return RiskCoverage(sureness[order][last], kept / correct.size, wrong / kept, best)


def choose_threshold(
    given: Answers, measure: str, target_error: float, fewest: int = FEWEST
) -> AbstentionRule:
    """The rule that answers most validation patients with no more errors than asked for.

    What was chosen as the best of many thresholds looks better here than it is: see `judge`.

    Args:
        given: answers of validation patients; the undecided are left out.
        measure: `CONFIDENCE` or one of `uncertainty.MEASURES`.
        target_error: share of wrong ones among the answers given.
        fewest: answers that it must give.

    Raises:
        ValueError: nobody is decided, or as `sureness_of`.
    """
    decided = given.take(given.decided)
    curve = risk_coverage(sureness_of(decided, measure), decided.correct)
    enough = curve.coverage * decided.case.size >= fewest - 0.5
    good = np.flatnonzero((curve.error <= target_error) & enough)
    if not good.size:
        return AbstentionRule(measure, np.inf, target_error, 0.0, np.nan)
    most = int(good[-1])
    return AbstentionRule(
        measure=measure,
        least_sureness=float(curve.sureness[most]),
        target_error=target_error,
        coverage=float(curve.coverage[most]),
        error=float(curve.error[most]),
    )


def judge(
    given: Answers,
    rules: Mapping[tuple[str, str], AbstentionRule],
    generator: np.random.Generator,
    config: BootstrapConfig = BOOTSTRAP,
) -> AbstentionResult:
    """What rules do to test patients; answers of all runs together, resampled by patient.

    Args:
        given: answers of test patients; the undecided are left out.
        rules: of each network by run and fold, all by one measure.
        generator: of the bootstrap.
        config: of the bootstrap.

    Raises:
        ValueError: nobody is decided, a network has no rule, or the rules differ in their measure.
    """
    decided = given.take(given.decided)
    networks = list(zip(decided.run, decided.fold, strict=True))
    if not networks or not set(networks) <= set(rules):
        raise ValueError(f"no rule for some of {len(set(networks))} networks, or no answers")
    measures = {one.measure for one in rules.values()}
    if len(measures) != 1:
        raise ValueError(f"rules by several measures: {', '.join(sorted(measures))}")
    (measure,) = measures
    sureness = sureness_of(decided, measure)
    least = np.array([rules[network].least_sureness for network in networks])
    answered = sureness >= least
    wrong = ~decided.correct
    cases = sorted(set(decided.case))
    order, last = _groups(sureness)

    def statistics(draws: NDArray[np.int64]) -> Floats:
        weights = draws_of_rows(draws, decided.case, cases)
        everyone = weights.sum(axis=1)
        kept = weights @ answered
        parts = (
            _share(kept, everyone),
            _share(weights @ (answered & wrong), kept),
            _share(weights @ wrong, everyone),
            _areas(weights[:, order], wrong[order], last),
        )
        return np.stack(parts, axis=1)

    if answered.any():
        coverage, error, of_all, area = intervals(statistics, len(cases), generator, config)
        return AbstentionResult(coverage, error, of_all, area)
    without = intervals(
        lambda draws: statistics(draws)[:, [0, 2, 3]], len(cases), generator, config
    )
    return AbstentionResult(without[0], None, without[1], without[2])


def abstention_table(
    named: Mapping[str, HeldOut],
    truth: TaskTruth,
    generator: np.random.Generator,
    config: AbstentionConfig = AbstentionConfig(),
) -> pd.DataFrame:
    """What abstention costs and gains, for each model, task and measure of sureness.

    A task of which nobody's class is decided, in validation or in test, has no row.

    Args:
        named: models by name; the threshold of each network is chosen on its validation patients.
        truth: of all cases.
        generator: of the bootstrap.
        config: of the rule and its judgement.

    Raises:
        ValueError: as `answers.answers`, or a network was never asked a validation patient.
    """
    rows = []
    for name, held in named.items():
        for task in tasks_in(held.test):
            chosen, judged = (
                answers(table, truth, task, config.sequences)
                for table in (held.validation, held.test)
            )
            if not (chosen.decided.any() and judged.decided.any()):
                continue
            for measure in config.measures:
                if measure not in (CONFIDENCE, *judged.spread):
                    continue
                rules = rules_of(chosen, measure, config.target_error)
                result = judge(judged, rules, generator, config.bootstrap)
                cells = _cells(result, list(rules.values()))
                patients = len(set(judged.case[judged.decided]))
                rows.append(
                    {"model": name, "task": task, "by": measure, "patients": patients, **cells}
                )
    return pd.DataFrame(rows)


def rules_of(
    given: Answers, measure: str, target_error: float
) -> dict[tuple[str, str], AbstentionRule]:
    """The rule of every network, by run and fold: see `choose_threshold`."""
    networks = sorted(set(zip(given.run, given.fold, strict=True)))
    return {
        (run, fold): choose_threshold(
            given.take((given.run == run) & (given.fold == fold)), measure, target_error
        )
        for run, fold in networks
    }


def _cells(result: AbstentionResult, rules: Sequence[AbstentionRule]) -> dict[str, str]:
    rule = rules[0]
    thresholds = ", ".join(
        f"{one.threshold:.3g}" if np.isfinite(one.threshold) else "none" for one in rules
    )
    coverage = np.mean([one.coverage for one in rules])
    return {
        "target error": f"{rule.target_error:.2f}",
        "threshold": thresholds,
        "answered in validation": f"{coverage:.3f}",
        "answered": str(result.coverage),
        "error of the answered": "" if result.error is None else str(result.error),
        "error of all": str(result.error_of_all),
        "AURC": str(result.area),
    }


def _groups(sureness: Floats) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Rows from the surest on, and where each group of equally sure ones ends."""
    order = np.argsort(-sureness, kind="stable")
    ends = np.flatnonzero(np.diff(sureness[order]) != 0)
    return order, np.append(ends, sureness.size - 1)


def _areas(weights: NDArray[np.int64], wrong: Rows, last: NDArray[np.int_]) -> Floats:
    """(resamples,) AURC of rows in order, each drawn so often."""
    kept = weights.cumsum(axis=1)[:, last]
    errors = _share((weights * wrong).cumsum(axis=1)[:, last], kept)
    total = kept[:, -1:]
    shares = _share(np.diff(kept, axis=1, prepend=0), total)
    return np.asarray((np.nan_to_num(errors) * shares).sum(axis=1))


def _share(part: NDArray[np.number], whole: NDArray[np.number]) -> Floats:
    whole = np.broadcast_to(whole, part.shape)
    found: Floats = np.full(part.shape, np.nan)
    np.divide(part, whole, out=found, where=whole > 0)
    return found
