"""Figures of calibration, D-calibration and decision curves; each call imports matplotlib."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gliomaai_training.evaluation.figures import COLOURS, figure_panels
from gliomaai_training.survival.calibration import GroupedCalibration, SmoothCalibration
from gliomaai_training.survival.d_calibration import DCalibration
from gliomaai_training.survival.decision_curve import TREAT_ALL, DecisionCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_GREY = "#777777"
_SPIKES = 50
_SPIKE_HEIGHT = 0.07


@dataclass(frozen=True, eq=False)
class DrawnCalibration:
    """One model's calibration at one horizon."""

    name: str
    smooth: SmoothCalibration
    groups: GroupedCalibration | None = None


def calibration_plot(drawn: Sequence[DrawnCalibration], file: Path) -> None:
    """Observed over predicted risk, a panel for each horizon, models by colour.

    Curve and band are smooth, points with bars are groups, spikes below show where the patients'
    predictions lie, as high as the square root of their number. On the diagonal, predictions are
    what happened.

    Args:
        drawn: of any models and horizons.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: nothing to draw, or more models than can be told apart.
    """
    names = list(dict.fromkeys(one.name for one in drawn))
    _check_names(names)
    horizons = sorted({one.smooth.horizon_months for one in drawn})
    with figure_panels(file, (3.1 * len(horizons), 3.3), len(horizons)) as panels:
        for panel, months in zip(panels, horizons, strict=True):
            panel.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8, linestyle="--")
            for one in (one for one in drawn if one.smooth.horizon_months == months):
                _calibration(panel, one, names.index(one.name))
            panel.set(
                xlabel=f"predicted risk of death by {months:g} months",
                xlim=(0, 1),
                ylim=(-_SPIKE_HEIGHT, 1),
            )
            panel.set_aspect("equal")
            panel.legend(loc="upper left", fontsize=7.5)
        panels[0].set_ylabel("observed risk")


def d_calibration_plot(found: Mapping[str, DCalibration], file: Path) -> None:
    """Share of the patients in each range of their own predicted survival, a panel for each model.

    Args:
        found: by model.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: nothing to draw, or more models than can be told apart.
    """
    _check_names(list(found))
    top = max(one.counts.max() / one.counts.sum() for one in found.values())
    with figure_panels(file, (3.1 * len(found), 2.7), len(found)) as panels:
        for number, (panel, (name, one)) in enumerate(zip(panels, found.items(), strict=True)):
            bins = one.counts.size
            edges = np.arange(bins) / bins
            share = one.counts / one.counts.sum()
            panel.bar(edges, share, 0.94 / bins, align="edge", color=COLOURS[number], alpha=0.75)
            panel.axhline(1 / bins, color="black", linewidth=1.0, linestyle="--")
            panel.set(
                title=f"{name}: {_p(one.p)}",
                xlabel="predicted survival at death",
                xlim=(0, 1),
                ylim=(0, max(1.15 * top, 1.6 / bins)),
            )
            panel.title.set_fontsize(9)
            panel.grid(axis="x", visible=False)
        panels[0].set_ylabel("share of patients")


def decision_plot(curves: Sequence[DecisionCurve], horizon_months: float, file: Path) -> None:
    """Net benefit over the threshold, with treating all and none.

    Args:
        curves: as `decision_curves` gives them.
        horizon_months: of their predictions.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: nothing to draw, or more models than can be told apart.
    """
    models = [curve for curve in curves if curve.name != TREAT_ALL]
    _check_names([curve.name for curve in models])
    with figure_panels(file, (4.2, 3.1), 1) as (panel,):
        panel.axhline(0, color="black", linewidth=1.0, label="treat none")
        for curve in (curve for curve in curves if curve.name == TREAT_ALL):
            benefit = [one.estimate for one in curve.benefit]
            panel.plot(curve.thresholds, benefit, color=_GREY, linestyle=":", label=TREAT_ALL)
        for number, curve in enumerate(models):
            estimate, low, high = np.array(
                [(one.estimate, one.low, one.high) for one in curve.benefit]
            ).T
            panel.fill_between(curve.thresholds, low, high, color=COLOURS[number], alpha=0.15, lw=0)
            panel.plot(curve.thresholds, estimate, color=COLOURS[number], label=curve.name)
        top = max(0.01, np.nanmax([one.estimate for curve in curves for one in curve.benefit]))
        panel.set(
            xlabel=f"threshold: risk of death by {horizon_months:g} months",
            ylabel="net benefit",
            xlim=(min(curves[0].thresholds), max(curves[0].thresholds)),
            # Treating all falls without end; what is worth seeing lies above a little harm.
            ylim=(-0.15 * top, 1.1 * top),
        )
        panel.legend(loc="upper right", fontsize=7.5)


def _calibration(panel: "Axes", one: DrawnCalibration, number: int) -> None:
    smooth, colour = one.smooth, COLOURS[number]
    panel.fill_between(smooth.predicted, smooth.low, smooth.high, color=colour, alpha=0.15, lw=0)
    label = f"{one.name} (ICI {smooth.ici.estimate:.3f})"
    panel.plot(smooth.predicted, smooth.observed, color=colour, linewidth=1.4, label=label)
    counts, edges = np.histogram(smooth.risk, _SPIKES, (0, 1))
    middle = (edges[:-1] + edges[1:]) / 2 + 0.004 * number
    filled = counts > 0
    height = 0.9 * _SPIKE_HEIGHT * np.sqrt(counts / counts.max())
    panel.vlines(
        middle[filled], -_SPIKE_HEIGHT, height[filled] - _SPIKE_HEIGHT, color=colour, linewidth=1.0
    )
    if one.groups is not None:
        groups = one.groups
        bars = np.abs(np.stack([groups.low, groups.high]) - groups.observed)
        panel.errorbar(
            groups.predicted,
            groups.observed,
            np.nan_to_num(bars),
            fmt="o",
            color=colour,
            markersize=3.5,
            linewidth=0.8,
        )


def _check_names(names: Sequence[str]) -> None:
    if not 0 < len(names) <= len(COLOURS):
        raise ValueError(f"draws 1 to {len(COLOURS)} models, not {len(names)}")


def _p(p: float) -> str:
    return f"p = {p:.2f}" if p >= 0.01 else f"p = {p:.3f}" if p >= 0.001 else "p < 0.001"
