"""Risk-coverage curves. Matplotlib is imported when one is drawn."""

from collections.abc import Mapping
from pathlib import Path

from gliomaai_training.evaluation.figures import COLOURS, figure_panels
from gliomaai_training.evaluation.tasks.abstention import RiskCoverage


def risk_coverage_plot(
    curves: Mapping[str, RiskCoverage],
    file: Path,
    points: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Share of wrong answers over the share answered, the surest first.

    Args:
        curves: by name, for example one for each measure of sureness.
        file: PNG, SVG or PDF, by its suffix.
        points: coverage and error at which a rule with the curve's name works.

    Raises:
        ValueError: there are no curves, or more than can be told apart.
    """
    if not 0 < len(curves) <= len(COLOURS):
        raise ValueError(f"draws 1 to {len(COLOURS)} curves, not {len(curves)}")
    marked = points or {}
    with figure_panels(file, (3.8, 3.0), 1) as (panel,):
        for colour, (name, curve) in zip(COLOURS, curves.items(), strict=False):
            panel.plot(
                curve.coverage,
                curve.error,
                color=colour,
                linewidth=1.4,
                drawstyle="steps-pre",
                label=f"{name} (area {curve.area:.3f})",
            )
            if name in marked:
                panel.plot(*marked[name], "o", color=colour, markersize=5, mec="white", mew=0.8)
        top = max(float(curve.error.max()) for curve in curves.values())
        panel.set(xlabel="share answered, the surest first", ylabel="share of answers wrong")
        panel.set(xlim=(0, 1.01), ylim=(0, max(top * 1.25, 0.05)))
        panel.legend(loc="upper left", fontsize=8)
