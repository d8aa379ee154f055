"""Figure of the stability study."""

from pathlib import Path
from typing import TYPE_CHECKING

from gliomaai_training.evaluation.figures import COLOURS, figure_panels

if TYPE_CHECKING:
    import pandas as pd

LIMITS = (0.75, 0.9)
LEAST_SHOWN = -0.3


def stability_figure(agreement: "pd.DataFrame", file: Path) -> None:
    """ICC of all features in perturbed and in predicted masks, by class, sequence and region.

    Args:
        agreement: columns `class`, `sequence`, `region`, `perturbed` and `predicted`.
        file: PNG, SVG or PDF, by its suffix.

    Raises:
        ValueError: there is no feature.
    """
    if agreement.empty:
        raise ValueError("no agreement to draw")
    columns = ("class", "sequence", "region")
    with figure_panels(file, (11.0, 3.6), len(columns)) as panels:
        for panel, column in zip(panels, columns, strict=True):
            groups = list(dict.fromkeys(agreement[column]))
            for limit in LIMITS:
                panel.axhline(limit, color="#999999", linewidth=0.8, linestyle="--")
            for number, kind in enumerate(("perturbed", "predicted")):
                values = [agreement.loc[agreement[column] == g, kind].dropna() for g in groups]
                places = [place + 0.38 * (number - 0.5) for place in range(len(groups))]
                boxes = panel.boxplot(
                    [one.to_numpy() for one in values],
                    positions=places,
                    widths=0.32,
                    patch_artist=True,
                    flierprops={"marker": ".", "markersize": 2, "alpha": 0.3},
                )
                for box in boxes["boxes"]:
                    box.set(facecolor=COLOURS[number], alpha=0.6, linewidth=0.8)
                for median in boxes["medians"]:
                    median.set(color="black", linewidth=1.2)
                panel.plot([], [], "s", color=COLOURS[number], alpha=0.6, label=f"{kind} masks")
            panel.set_xticks(range(len(groups)), groups, fontsize=8, rotation=20)
            panel.set(title=f"by {column}", ylim=(LEAST_SHOWN, 1.02))
            panel.grid(axis="x", visible=False)
        panels[0].set_ylabel("ICC(2,1) with the expert's mask")
        panels[-1].legend(loc="lower left", fontsize=8, ncols=2, frameon=True, framealpha=1.0)
