"""Tables and figures of the probability of a yes-or-no fact, such as an IDH mutation."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.evaluation.auc import auc_difference, auc_interval, resampled_auc
from gliomaai_training.evaluation.bootstrap import Interval, bootstrap, bootstrap_interval
from gliomaai_training.evaluation.probability_scores import (
    calibration_bins,
    calibration_error,
    calibration_in_the_large,
    calibration_line,
)
from gliomaai_training.studies.study import StudySettings, StudyTable

Floats = NDArray[np.float64]
Truth = NDArray[np.bool_]

FIGURE_BINS = 8
FEWEST = 2
"""Of each class, for an interval."""


def binary_row(
    name: str, probability: Floats, truth: Truth, settings: StudySettings
) -> dict[str, str]:
    """One model's row: how well it tells apart, and whether its probabilities are right."""
    line = calibration_line(probability, truth)
    spread = bootstrap_interval(
        (probability - truth) ** 2, np.random.default_rng(settings.seed), settings.bootstrap
    )
    return {
        "model": name,
        "n": str(truth.size),
        "mutant": str(int(truth.sum())),
        "AUC (DeLong)": str(auc_interval(probability, truth)),
        "AUC (bootstrap)": str(auc_bootstrap(probability, truth, settings)),
        "Brier": str(spread),
        "ECE, equal mass": f"{calibration_error(probability, truth):.3f}",
        "ECE, equal width": f"{calibration_error(probability, truth, equal_mass=False):.3f}",
        "calibration slope": f"{line.slope:.2f}",
        "observed / expected": f"{calibration_in_the_large(probability, truth):.2f}",
    }


def difference_row(
    names: tuple[str, str], probabilities: tuple[Floats, Floats], truth: Truth
) -> dict[str, str]:
    """Two models for the same patients, by DeLong's paired test."""
    found = auc_difference(*probabilities, truth)
    return {
        "model": names[0],
        "against": names[1],
        "AUC": f"{found.ours.estimate:.3f}",
        "AUC of the other": f"{found.theirs.estimate:.3f}",
        "difference": str(found.difference),
        "p (DeLong)": f"{found.p:.2g}",
    }


def permuted_table(model: str, aucs: Sequence[float], permutations: int, what: str) -> StudyTable:
    """The negative control of a classifier: AUCs after the truth was dealt out at random."""
    row = {
        "model": model,
        "permutations": str(permutations),
        "mean AUC": f"{np.mean(aucs):.3f}",
        "lowest": f"{min(aucs):.3f}",
        "highest": f"{max(aucs):.3f}",
    }
    return StudyTable(
        "permuted",
        f"Negative control: the {what} dealt out at random",
        pd.DataFrame([row]),
        "About one half, as it must be: nothing of the test patients leaks into the training.",
    )


def auc_bootstrap(score: Floats, truth: Truth, settings: StudySettings) -> Interval:
    """AUC with the percentile interval of resampled patients."""
    return bootstrap(
        lambda draws: resampled_auc(score, truth, draws),
        truth.size,
        np.random.default_rng(settings.seed),
        settings.bootstrap,
    )


def subgroup_rows(
    groups: Mapping[str, NDArray[np.bool_]], scores: Mapping[str, Floats], truth: Truth
) -> list[dict[str, str]]:
    """AUC within parts of the patients; empty where one class has hardly anybody."""
    rows = []
    for group, inside in groups.items():
        positives, negatives = int(truth[inside].sum()), int((~truth[inside]).sum())
        row = {"patients": group, "n": str(int(inside.sum())), "mutant": str(positives)}
        for name, score in scores.items():
            enough = min(positives, negatives) >= FEWEST
            row[name] = str(auc_interval(score[inside], truth[inside])) if enough else ""
        rows.append(row)
    return rows


def roc_figure(scores: Mapping[str, tuple[Floats, Truth]], file: Path) -> None:
    """ROC curves side by side in one panel."""
    from gliomaai_training.evaluation.auc import auc
    from gliomaai_training.evaluation.figures import COLOURS, figure_panels

    with figure_panels(file, (4.0, 3.8), 1) as (panel,):
        panel.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--")
        for (name, (score, truth)), colour in zip(scores.items(), COLOURS, strict=False):
            order = np.argsort(-score, kind="stable")
            last = np.append(np.diff(score[order]) != 0, True)
            sensitivity = np.append(0, (np.cumsum(truth[order]) / truth.sum())[last])
            false_alarms = np.append(0, (np.cumsum(~truth[order]) / (~truth).sum())[last])
            label = f"{name} ({auc(score, truth):.3f})"
            panel.plot(false_alarms, sensitivity, color=colour, label=label)
        panel.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1.005))
        panel.set_aspect("equal")
        panel.legend(loc="lower right", fontsize=7)


def calibration_figure(scores: Mapping[str, tuple[Floats, Truth]], file: Path) -> None:
    """Share observed over probability, in bins of equally many patients, with Wilson intervals."""
    from gliomaai_training.evaluation.figures import COLOURS, figure_panels

    with figure_panels(file, (4.0, 3.8), 1) as (panel,):
        panel.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--")
        for (name, (probability, truth)), colour in zip(scores.items(), COLOURS, strict=False):
            found = calibration_bins(probability, truth, bins=FIGURE_BINS)
            share = np.array([one.observed for one in found])
            low, high = wilson(share, np.array([one.patients for one in found]))
            panel.errorbar(
                [one.predicted for one in found],
                share,
                np.array([share - low, high - share]),
                color=colour,
                marker="o",
                markersize=3.5,
                linewidth=1.2,
                elinewidth=0.7,
                label=name,
            )
        panel.set(
            xlabel="predicted probability", ylabel="observed share", xlim=(0, 1), ylim=(0, 1.02)
        )
        panel.set_aspect("equal")
        panel.legend(loc="lower right", fontsize=7)


def wilson(share: Floats, count: NDArray[np.int_]) -> tuple[Floats, Floats]:
    """95 % interval of shares of so many patients (Wilson 1927)."""
    z = 1.959964
    centre = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2)) / (1 + z**2 / count)
    # Rounding must not push an interval off its own estimate.
    low, high = np.clip([centre - half, centre + half], 0.0, 1.0)
    return np.minimum(low, share), np.maximum(high, share)


def repeated_aucs(scores: Sequence[Floats], truth: Truth) -> str:
    """AUCs of several deals into folds, which are no interval."""
    from gliomaai_training.evaluation.auc import auc

    return ", ".join(f"{auc(score, truth):.3f}" for score in scores)
