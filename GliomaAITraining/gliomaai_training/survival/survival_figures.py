"""Kaplan-Meier curves as figures, with the numbers at risk below. Imports matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from gliomaai_training.evaluation.figures import COLOURS
from gliomaai_training.survival.kaplan_meier import KaplanMeier, LogRank, at_risk

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DASHES = ("-", "--", "-.", ":")
"""With the colours, so that the curves differ in grey, too."""

_LEGEND: dict[str, Any] = {"frameon": False, "fontsize": 7.5, "columnspacing": 1.2}


@dataclass(frozen=True)
class KaplanMeierPlan:
    """What to draw besides the curves."""

    title: str = ""
    test: LogRank | None = None
    """Written into the figure."""
    end_months: float | None = None
    """Where the axis ends; None for the longest follow-up."""
    every_months: float = 12.0
    """Between the times at which who is at risk is counted."""


def kaplan_meier_figure(
    curves: Sequence[KaplanMeier], file: Path, plan: KaplanMeierPlan = KaplanMeierPlan()
) -> None:
    """Draws curves with intervals and marks of who left alive, above their numbers at risk.

    Args:
        curves: at most seven groups.
        file: PNG, SVG or PDF, by its suffix.
        plan: title, test and axis.

    Raises:
        ValueError: no curve, or more than can be told apart.
    """
    if not 0 < len(curves) <= len(COLOURS):
        raise ValueError(f"draws 1 to {len(COLOURS)} curves, not {len(curves)}")
    end = plan.end_months or max(float(curve.months[-1]) for curve in curves)
    every = plan.every_months * max(1, int(np.ceil(end / plan.every_months / 12)))
    times = np.arange(0.0, end + 1e-9, every)
    longest = max(len(curve.group) for curve in curves)
    columns = 2 if len(curves) > 2 and longest <= 12 else 1
    above = 0.4 + 0.17 * np.ceil(len(curves) / columns)
    table = 0.19 * len(curves) + 0.2
    height = above + 2.6 + 0.55 + table + 0.1
    style: dict[Any, Any] = {"font.family": "sans-serif", "font.size": 9, "svg.hashsalt": "km"}
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(6.4, height))
        left = min(0.4, 0.09 + 0.0095 * longest)
        panel = figure.add_axes((left, (0.65 + table) / height, 0.96 - left, 2.6 / height))
        for number, curve in enumerate(curves):
            _curve(panel, curve, number, 0.16 if len(curves) <= 3 else 0.07)
        _dress(panel, plan, times, end)
        panel.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=columns, **_LEGEND)
        figure.text(left, 1 - 0.16 / height, plan.title, weight="bold", size=10, va="center")
        if plan.test is not None:
            p = "< 0.001" if plan.test.p < 0.001 else f"= {plan.test.p:.3f}"
            words = f"log-rank p {p}"
            figure.text(0.96, 1 - 0.16 / height, words, size=8, ha="right", va="center")
        counts = figure.add_axes((left, 0.1 / height, 0.96 - left, table / height))
        _numbers_at_risk(counts, curves, times, end)
        metadata = {"Date": None} if file.suffix == ".svg" else None
        figure.savefig(file, dpi=200, facecolor="white", metadata=metadata)


def _curve(panel: "Axes", curve: KaplanMeier, number: int, shade: float) -> None:
    colour, dash = COLOURS[number], DASHES[number % len(DASHES)]
    median = "not reached" if curve.median_months is None else f"{curve.median_months:.1f} months"
    label = f"{curve.group}: {curve.events}/{curve.patients} died, median {median}"
    panel.step(
        curve.months, curve.survival, where="post", color=colour, linestyle=dash, label=label
    )
    panel.fill_between(
        curve.months, curve.low, curve.high, step="post", color=colour, alpha=shade, linewidth=0
    )
    left = curve.at(curve.censored_months)[0]
    panel.plot(
        curve.censored_months, left, "|", color=colour, markersize=5, markeredgewidth=0.8, alpha=0.7
    )


def _dress(panel: "Axes", plan: KaplanMeierPlan, times: np.ndarray, end: float) -> None:
    panel.set(xlim=(0, end), ylim=(0, 1.02), xlabel="months", ylabel="survival")
    panel.set_xticks(times)
    panel.set_yticks(np.arange(0, 1.01, 0.2))
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(color="#e6e6e6", linewidth=0.6)
    panel.set_axisbelow(True)


def _numbers_at_risk(
    panel: "Axes", curves: Sequence[KaplanMeier], times: np.ndarray, end: float
) -> None:
    panel.set(xlim=(0, end), ylim=(len(curves) + 0.4, -0.8))
    panel.axis("off")
    panel.text(
        -0.05, -0.3, "at risk", transform=panel.get_yaxis_transform(), ha="right", fontsize=8
    )
    for row, curve in enumerate(curves):
        colour = COLOURS[row]
        panel.text(
            -0.05,
            row + 0.4,
            curve.group,
            transform=panel.get_yaxis_transform(),
            ha="right",
            va="center",
            color=colour,
            fontsize=8,
        )
        for time, count in zip(times, at_risk(curve.followed, times), strict=True):
            panel.text(time, row + 0.4, f"{count}", ha="center", va="center", fontsize=8)
