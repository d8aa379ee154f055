"""Figures for the documentation and the model cards. Matplotlib is imported when one is drawn."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gliomaai_training.evaluation.paired import wilson_interval
from gliomaai_training.evaluation.probability_scores import Bin
from gliomaai_training.evaluation.reliability import Reliability
from gliomaai_training.evaluation.tables import METRIC_TITLES
from gliomaai_training.vocabulary import REGIONS

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
"""Okabe and Ito's palette, distinguishable with every kind of colour vision."""

REGION_COLOURS = dict(zip(("WT", "TC", "ET"), COLOURS, strict=False))

LONG_DISTANCE_MM = 100.0
"""An HD95 above this, as of a region that was missed, needs a logarithmic axis."""

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "svg.hashsalt": "gliomaai",  # the same figure is the same file
}


def learning_curve(history: "pd.DataFrame", file: Path) -> None:
    """Training loss and validation Dice over the steps.

    Args:
        history: columns `step` and any of `loss` (training), `WT`, `TC`, `ET` (validation Dice);
            empty cells are skipped.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: there is nothing to draw.
    """
    regions = [region for region in REGIONS if region in history.columns]
    has_loss = "loss" in history.columns
    if "step" not in history.columns or not (regions or has_loss):
        raise ValueError(f"needs step and loss, WT, TC or ET, not {', '.join(history.columns)}")
    with figure_panels(file, (6.4, 2.8), has_loss + bool(regions)) as axes:
        panels = iter(axes)
        if has_loss:
            panel = next(panels)
            part = history.dropna(subset=["loss"])
            panel.plot(part["step"], part["loss"], color="#bbbbbb", linewidth=0.8)
            window = max(1, len(part) // 25)
            smooth = part["loss"].rolling(window, min_periods=1).mean()
            panel.plot(part["step"], smooth, color="#333333", linewidth=1.4)
            panel.set(xlabel="step", ylabel="training loss")
        if regions:
            panel = next(panels)
            for region in regions:
                part = history.dropna(subset=[region])
                panel.plot(
                    part["step"],
                    part[region],
                    color=REGION_COLOURS[region],
                    marker="o",
                    markersize=3,
                    label=region,
                )
            panel.set(xlabel="step", ylabel="validation Dice", ylim=(0, 1))
            panel.legend(loc="lower right")


def region_boxes(results: "pd.DataFrame", metric: str, file: Path) -> None:
    """Every case of one metric by region, with box and median.

    Args:
        results: as in `tables`, columns `region` and the metric.
        metric: `dice`, `hd95_mm` or `lesion_dice`.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: the metric is unknown or there are no results.
    """
    if metric not in METRIC_TITLES or metric not in results.columns or results.empty:
        raise ValueError(f"no results for metric {metric!r}")
    values = [results.loc[results["region"] == region, metric].to_numpy() for region in REGIONS]
    with figure_panels(file, (3.6, 3.0), 1) as (panel,):
        boxes = panel.boxplot(values, widths=0.5, showfliers=False, patch_artist=True)
        for median in boxes["medians"]:
            median.set(color="black", linewidth=1.4)
        for position, (region, box) in enumerate(zip(REGIONS, boxes["boxes"], strict=True), 1):
            box.set(facecolor=REGION_COLOURS[region], alpha=0.35, linewidth=0.8)
            points = values[position - 1]
            # Spread evenly by rank, not by chance: the same data give the same picture.
            rank = np.argsort(np.argsort(points, kind="stable"), kind="stable")
            shift = ((rank * 7) % 11 - 5) / 11 * 0.36
            panel.plot(
                position + shift, points, "o", color=REGION_COLOURS[region], markersize=2.5, mew=0
            )
        panel.set_xticks(range(1, len(REGIONS) + 1), list(REGIONS))
        panel.set_ylabel(METRIC_TITLES[metric])
        panel.grid(axis="x", visible=False)
        if metric != "hd95_mm":
            panel.set_ylim(0, 1.02)
        elif max(part.max(initial=0) for part in values) > LONG_DISTANCE_MM:
            panel.set_yscale("symlog", linthresh=10)
            panel.set_yticks([0, 5, 10, 30, 100, 300], ["0", "5", "10", "30", "100", "300"])


def reliability_plot(curves: Mapping[str, Reliability], file: Path) -> None:
    """Accuracy over confidence; on the diagonal, probabilities mean what they say.

    Args:
        curves: by name, for example before and after temperature scaling.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: there are no curves.
    """
    if not curves:
        raise ValueError("no reliability curves to draw")
    with figure_panels(file, (3.4, 3.2), 1) as (panel,):
        panel.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--")
        for index, (name, curve) in enumerate(curves.items()):
            filled = curve.voxels > 0
            panel.plot(
                curve.confidence[filled],
                curve.accuracy[filled],
                color=COLOURS[index % len(COLOURS)],
                marker="o",
                markersize=3.5,
                label=f"{name} (ECE {100 * curve.expected_calibration_error:.2f} %)",
            )
        panel.set(xlabel="confidence", ylabel="share of voxels correct", xlim=(0, 1), ylim=(0, 1))
        panel.set_aspect("equal")
        panel.legend(loc="upper left", fontsize=8)


def probability_plot(curves: Mapping[str, Sequence[Bin]], file: Path) -> None:
    """Observed share of positives over predicted probability, with Wilson's 95 % intervals.

    Args:
        curves: by name, for example before and after recalibration, as `calibration_bins` gives
            them.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: there are no curves, or more than can be told apart.
    """
    if not 0 < len(curves) <= len(COLOURS):
        raise ValueError(f"draws 1 to {len(COLOURS)} curves, not {len(curves)}")
    with figure_panels(file, (3.4, 3.2), 1) as (panel,):
        probability_panel(panel, curves)
        panel.legend(loc="upper left", fontsize=8)


def probability_panel(panel: "Axes", curves: Mapping[str, Sequence[Bin]]) -> None:
    """`probability_plot` within a panel, without a legend."""
    panel.plot([0, 1], [0, 1], color="#999999", linewidth=0.8, linestyle="--")
    for colour, (name, bins) in zip(COLOURS, curves.items(), strict=False):
        observed = np.array([one.observed for one in bins])
        low, high = wilson_interval(observed, np.array([one.patients for one in bins]))
        panel.errorbar(
            [one.predicted for one in bins],
            observed,
            [observed - low, high - observed],
            color=colour,
            marker="o",
            markersize=3.5,
            elinewidth=0.8,
            label=name,
        )
    panel.set(xlabel="predicted probability", ylabel="observed share")
    panel.set(xlim=(0, 1), ylim=(0, 1))
    panel.set_aspect("equal")


@contextmanager
def figure_panels(
    file: Path, size_inches: tuple[float, float], panels: int
) -> "Iterator[list[Axes]]":
    """A styled row of panels, saved to `file` (PNG, SVG or PDF) without a window system."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure: Figure = Figure(figsize=size_inches, layout="constrained")
        FigureCanvasAgg(figure)
        yield list(figure.subplots(1, panels, squeeze=False)[0])
        file.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
