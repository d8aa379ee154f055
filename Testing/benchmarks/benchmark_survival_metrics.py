"""CPU-seconds of the bootstrap of survival metrics: `python benchmark_survival_metrics.py`.

Simulated patients, 60 % of whom die. lifelines' concordance, called once for each resample, is
timed on a few resamples and multiplied; everything else runs as it is used. Run it with
OMP_NUM_THREADS=1 to see what one core does.
"""

import argparse
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
from benchmark_process import cpu_s
from lifelines.utils import concordance_index
from numpy.typing import NDArray

from gliomaai_training.evaluation.bootstrap import BootstrapConfig
from gliomaai_training.evaluation.tables import to_markdown
from gliomaai_training.survival.brier import brier_score
from gliomaai_training.survival.calibration import calibration_summary, smooth_calibration
from gliomaai_training.survival.censoring import censoring_of
from gliomaai_training.survival.comparison import compare_c, concordance_difference
from gliomaai_training.survival.concordance import PairRule, concordance_interval
from gliomaai_training.survival.decision_curve import decision_curves
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.time_dependent_auc import dynamic_auc_interval

HORIZON_MONTHS = 24.0
LOOPED = 20
"""Resamples that the loop is timed on."""


def simulated(patients: int) -> tuple[NDArray[np.float64], Outcome]:
    """Log hazards and what happened."""
    generator = np.random.default_rng(1)
    risk = generator.normal(size=patients)
    death = generator.exponential(30 * np.exp(-risk))
    lost = generator.uniform(0, 80, patients)
    return risk, Outcome(np.minimum(death, lost), death <= lost)


def looped(risk: NDArray[np.float64], known: Outcome) -> None:
    """What the loop costs for `LOOPED` resamples."""
    generator = np.random.default_rng(2)
    for _ in range(LOOPED):
        rows = generator.integers(0, len(known), len(known))
        concordance_index(known.months[rows], -risk[rows], known.event[rows])


def metrics(patients: int, resamples: int) -> dict[str, Callable[[], object]]:
    """Every metric as one call."""
    risk, known = simulated(patients)
    other = risk + np.random.default_rng(3).normal(size=patients)
    survival = np.exp(-HORIZON_MONTHS / 30 * np.exp(risk))
    censoring, config = censoring_of(known), BootstrapConfig(resamples=resamples)
    groups = PairRule(strata=np.random.default_rng(4).integers(0, 5, patients).tolist())
    random = np.random.default_rng(5)
    return {
        "Harrell C": lambda: concordance_interval(risk, known, random, config=config),
        "Harrell C within 5 groups": lambda: concordance_interval(
            risk, known, random, groups, config
        ),
        "Uno C": lambda: concordance_interval(risk, known, random, PairRule(censoring), config),
        "difference of two C": lambda: concordance_difference(
            risk, other, known, random, config=config
        ),
        "AUC at a horizon": lambda: dynamic_auc_interval(
            risk, known, HORIZON_MONTHS, censoring, random, config
        ),
        "Brier score": lambda: brier_score(
            survival[:, None], known, HORIZON_MONTHS, known, random, config
        ),
        "calibration in the large": lambda: calibration_summary(
            survival, known, HORIZON_MONTHS, random, config
        ),
        "decision curve, 19 thresholds": lambda: decision_curves(
            {"model": survival}, known, HORIZON_MONTHS, random, config=config
        ),
        "smooth calibration, 200 resamples": lambda: smooth_calibration(
            survival, known, HORIZON_MONTHS, random
        ),
        "Kang's test, no resamples": lambda: compare_c(risk, other, known),
        f"Harrell C in a loop over lifelines, {LOOPED} resamples": lambda: looped(risk, known),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, nargs="+", default=[300, 1000])
    parser.add_argument("--resamples", type=int, default=1000)
    arguments = parser.parse_args()
    rows: dict[str, dict[str, object]] = {}
    for patients in arguments.patients:
        for name, call in metrics(patients, arguments.resamples).items():
            row = rows.setdefault(name, {"metric": name})
            row[f"{patients} patients, CPU-s"] = f"{cpu_s(call):.2f}"
    sys.stdout.write(f"{arguments.resamples} resamples unless it says otherwise\n\n")
    sys.stdout.write(to_markdown(pd.DataFrame(list(rows.values()))))


if __name__ == "__main__":
    main()
