"""Figures that several studies draw. Matplotlib is imported when one is drawn."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from gliomaai_training.evaluation.figures import COLOURS, figure_panels

if TYPE_CHECKING:
    import pandas as pd

_NUMBERS = re.compile(r"[-+]?\d+\.\d+")


def differences_plot(tables: "Mapping[str, pd.DataFrame]", file: Path) -> None:
    """Differences of C with their intervals, a panel for each table of `scores.difference_table`.

    Raises:
        ValueError: there is no table.
    """
    if not tables:
        raise ValueError("no differences to draw")
    models = {name: list(dict.fromkeys(table["model"])) for name, table in tables.items()}
    most = max(len(names) for names in models.values())
    size = (5.4 * len(tables), 0.9 + 0.42 * most)
    with figure_panels(file, size, len(tables)) as panels:
        for panel, (name, table) in zip(panels, tables.items(), strict=True):
            groups = list(dict.fromkeys(table["patients"]))
            panel.axvline(0, color="black", linewidth=0.8)
            for number, group in enumerate(groups):
                part = table[table["patients"] == group]
                rows = [models[name].index(model) for model in part["model"]]
                shift = 0.16 * (2 * number - len(groups) + 1)
                for row, cell in zip(rows, part["difference of C"], strict=True):
                    found = [float(one) for one in _NUMBERS.findall(cell)]
                    if len(found) != 3:
                        continue
                    label = f"{group}, n = {part['n'].iloc[0]}" if row == rows[0] else None
                    panel.errorbar(
                        found[0],
                        row + shift,
                        xerr=[[found[0] - found[1]], [found[2] - found[0]]],
                        fmt="o",
                        markersize=4,
                        linewidth=1.2,
                        color=COLOURS[number],
                        label=label,
                    )
            base = str(table["compared with"].iloc[0])
            words = [model.removeprefix(f"{base}, ") for model in models[name]]
            panel.set_yticks(range(len(words)), words, fontsize=8)
            panel.set(xlabel=f"difference of C to {base}", title=name, ylim=(most - 0.5, -0.9))
            panel.grid(axis="y", visible=False)
            panel.legend(loc="upper left", fontsize=7, ncols=2)
