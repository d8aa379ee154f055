"""Figures of the tasks: configurations with their intervals, and whether probabilities are right.

Matplotlib is imported when one is drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.evaluation.figures import COLOURS, figure_panels, probability_panel
from gliomaai_training.evaluation.probability_scores import Bin, calibration_bins
from gliomaai_training.evaluation.tasks.comparison import Row, records
from gliomaai_training.evaluation.tasks.diagnosis_metrics import QUESTIONS, answered, state_calls
from gliomaai_training.evaluation.tasks.measures import Floats, Judged, has_head

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FIGURE_BINS = 6
"""So that there are enough patients in each."""

CURVES = ("idh", "codeletion", "grade_4", "histology")
"""The questions whose curves are drawn, beside the WHO state."""

MOST_METRICS = 8
REFERENCE_COLOUR = "#333333"


@dataclass(frozen=True)
class _Marks:
    """Which columns of a comparison are drawn."""

    value: str
    low: str
    high: str


_VALUES = _Marks("estimate", "low", "high")
_DIFFERENCES = _Marks("difference", "difference_low", "difference_high")


def comparison_figure(compared: pd.DataFrame, metrics: Sequence[str], file: Path) -> None:
    """Each configuration's value with its interval by patient, a panel for each metric.

    The dashed line is the reference's value. A configuration without such a head has an empty row.
    Since all are of the same patients, intervals that overlap say little: see `difference_figure`.

    Args:
        compared: of `comparison.compare_configurations`.
        metrics: names of its metrics.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: a metric has no value in the table, none is named, or too many.
    """
    _forest(compared, metrics, _VALUES, file)


def difference_figure(compared: pd.DataFrame, metrics: Sequence[str], file: Path) -> None:
    """Each configuration's paired difference to the reference, a panel for each metric.

    Args:
        compared: of `comparison.compare_configurations`.
        metrics: names of its metrics.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: as `comparison_figure`.
    """
    _forest(compared, metrics, _DIFFERENCES, file)


def _forest(compared: pd.DataFrame, metrics: Sequence[str], marks: _Marks, file: Path) -> None:
    if not 0 < len(metrics) <= MOST_METRICS:
        raise ValueError(f"draws 1 to {MOST_METRICS} metrics, not {len(metrics)}")
    parts = [compared[compared["metric"] == metric] for metric in metrics]
    empty = [m for m, part in zip(metrics, parts, strict=True) if part[marks.value].isna().all()]
    if empty:
        raise ValueError(f"the comparison has no values of {', '.join(empty)}")
    names = list(dict.fromkeys(compared["configuration"]))
    if marks is _DIFFERENCES:
        names.remove(str(compared["reference"].iloc[0]))
    size = (0.4 + 0.075 * max(map(len, names)) + 1.7 * len(metrics), 1.2 + 0.27 * len(names))
    with figure_panels(file, size, len(metrics)) as panels:
        for number, (panel, part) in enumerate(zip(panels, parts, strict=True)):
            for row in records(part[part[marks.value].notna()]):
                _draw_row(panel, row, names, marks)
            _dress(panel, part, names, marks)
            panel.set_yticks(range(len(names)), names if number == 0 else [""] * len(names))
        _explain(panels[0], compared, marks)


def _draw_row(panel: "Axes", row: Row, names: list[str], marks: _Marks) -> None:
    place, value = names.index(row["configuration"]), row[marks.value]
    is_reference = row["configuration"] == row["reference"]
    if is_reference:
        panel.axvline(value, color="#999999", linewidth=0.8, linestyle="--", zorder=1)
    panel.errorbar(
        value,
        place,
        xerr=[[value - row[marks.low]], [row[marks.high] - value]],
        fmt="s" if is_reference else "o",
        color=REFERENCE_COLOUR if is_reference else COLOURS[0],
        markersize=4.5,
        linewidth=1.3,
    )
    ends = _seeds(row, marks)
    if np.isfinite(ends).all():
        panel.plot(ends, [place, place], "|", color=COLOURS[1], markersize=8, zorder=3)


def _seeds(row: Row, marks: _Marks) -> tuple[float, float]:
    """Where the marks of the seeds are; NaN for none."""
    if marks is _DIFFERENCES:
        return -2 * row["seed_error"], 2 * row["seed_error"]
    several = row["seeds"] > 1
    return (row["seed_lowest"], row["seed_highest"]) if several else (np.nan, np.nan)


def _dress(panel: "Axes", part: pd.DataFrame, names: list[str], marks: _Marks) -> None:
    first = part[part[marks.value].notna()].iloc[0]
    if marks is _DIFFERENCES:
        panel.axvline(0, color=REFERENCE_COLOUR, linewidth=0.8, zorder=1)
    patients = f"n = {int(first['patients'])}"
    if pd.notna(first["positives"]):
        word = "deaths" if " C, " in first["title"] else "positive"
        patients += f", {int(first['positives'])} {word}"
    panel.set_title(fill(str(first["title"]), 22, break_on_hyphens=False), fontsize=8)
    panel.set_xlabel(patients, fontsize=7)
    panel.tick_params(axis="x", labelsize=7)
    panel.tick_params(axis="y", length=0)
    panel.locator_params(axis="x", nbins=4)
    panel.set_ylim(len(names) - 0.5, -0.5)
    panel.grid(axis="y", visible=False)


def _explain(panel: "Axes", compared: pd.DataFrame, marks: _Marks) -> None:
    """Says below the figure what its marks are."""
    if marks is _DIFFERENCES:
        words = (
            f"Difference to {compared['reference'].iloc[0]}, with its paired 95 % interval by "
            "patient; orange: within these marks, seeds alone may make it."
        )
    else:
        words = "Mean over seeds, with its 95 % interval by patient; orange: lowest, highest seed."
    panel.figure.supxlabel(words, fontsize=7, x=0.01, ha="left")


def task_reliability_figure(one: Judged, file: Path, run: int = 0) -> None:
    """Observed share over predicted probability, a panel for each task, with Wilson's intervals.

    Of one run, since the same patients in several would make the intervals too narrow.

    Args:
        one: predictions with the truth.
        file: PNG, SVG or PDF, by its suffix.
        run: its number.

    Raises:
        ValueError: no task can be drawn of these patients.
    """
    curves = reliability_curves(one, run)
    if not curves:
        raise ValueError(
            f"no task has {FIGURE_BINS} patients whose truth is known beside a prediction"
        )
    with figure_panels(file, (0.3 + 2.3 * len(curves), 2.7), len(curves)) as panels:
        for number, (panel, (title, bins)) in enumerate(zip(panels, curves.items(), strict=True)):
            probability_panel(panel, {title: bins})
            # Room for points at 0 and 1.
            panel.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
            panel.set_title(f"{title}, n = {sum(part.patients for part in bins)}", fontsize=8)
            if number:
                panel.set(ylabel="", yticklabels=[])


def reliability_curves(one: Judged, run: int = 0) -> dict[str, tuple[Bin, ...]]:
    """By title, of the tasks that a network answers: each by the head preferred for it.

    The WHO state's is of the likeliest: its probability against the share that is right.
    """
    curves: dict[str, tuple[Bin, ...]] = {}
    for question in QUESTIONS:
        heads = [head for head in question.heads if has_head(one.runs, head)]
        if question.name in CURVES and heads:
            found = answered(one, question, heads[0], run)
            _add(curves, question.title, found.chance[found.rows], found.yes[found.rows])
    if has_head(one.runs, "state"):
        states = state_calls(one, run)
        sureness = np.clip(states.chances.max(axis=1), 0.0, 1.0)
        _add(curves, "likeliest WHO state", sureness[states.rows], states.right[states.rows])
    return curves


def _add(
    curves: dict[str, tuple[Bin, ...]], title: str, chance: Floats, yes: NDArray[np.bool_]
) -> None:
    if len(chance) >= FIGURE_BINS:
        curves[title] = calibration_bins(chance, yes, bins=FIGURE_BINS)
