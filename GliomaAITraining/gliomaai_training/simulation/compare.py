"""Cases side by side: the contrast table as Markdown, and a montage.

python -m gliomaai_training.simulation.compare CASE_FOLDER... [--montage FILE.png]
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.simulation.contrasts import TISSUES, read_case, tissue_contrasts
from gliomaai_training.simulation.writer import TRUTH_FILE
from gliomaai_training.vocabulary import SEQUENCES, Label

_COLOURS = {
    Label.NCR: (1.0, 0.2, 0.2, 0.6),
    Label.ED: (0.2, 0.9, 0.2, 0.4),
    Label.ET: (1.0, 0.9, 0.1, 0.65),
}
_CASES_A_ROW = 2
_MARGIN_VOXELS = 3


def contrast_table(folders: Sequence[Path]) -> str:
    """Markdown: median over cases of each tissue's signal over white matter's, [10th, 90th].

    Raises:
        ValueError: no case, or a folder that is no case.
    """
    if not folders:
        raise ValueError("there is no case to compare")
    tables = [tissue_contrasts(*read_case(folder)) for folder in folders]
    lines = [f"| n = {len(tables)} | " + " | ".join(SEQUENCES) + " |", "|-|-|-|-|-|"]
    for tissue in TISSUES:
        cells = []
        for name in SEQUENCES:
            values = np.array([table[tissue][name] for table in tables])
            values = values[np.isfinite(values)]
            low, middle, high = np.percentile(values, (10, 50, 90)) if values.size else [np.nan] * 3
            cells.append(f"{middle:.2f} [{low:.2f}, {high:.2f}]")
        lines.append(f"| {tissue} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def draw_montage(folders: Sequence[Path], path: Path) -> None:
    """Draws, for each case, the axial slice of the largest core in four sequences and labels.

    Raises:
        ValueError: a folder that is no case.
        OSError: the picture cannot be written.
    """
    from matplotlib.figure import Figure

    rows = -(-len(folders) // _CASES_A_ROW)
    columns = _CASES_A_ROW * (len(SEQUENCES) + 1)
    figure = Figure(figsize=(1.55 * columns, 2.0 * rows), facecolor="black")
    axes = figure.subplots(rows, columns, squeeze=False)
    for axis in axes.ravel():
        axis.axis("off")
    for index, folder in enumerate(folders):
        row, column = divmod(index, _CASES_A_ROW)
        first = column * (len(SEQUENCES) + 1)
        sequences, labels = read_case(folder)
        window = _window(sequences["t1"], labels)
        for offset, name in enumerate((*SEQUENCES, "flair")):
            values = sequences[name]
            brightest = float(np.percentile(values[values > 0], 99.5))
            axis = axes[row, first + offset]
            axis.imshow(values[window], cmap="gray", vmin=0, vmax=brightest)
            axis.set_title(name if offset < len(SEQUENCES) else "labels", color="w", fontsize=7)
        axes[row, first + len(SEQUENCES)].imshow(_overlay(labels[window]))
        axes[row, first].text(0, 0, _caption(folder), color="w", fontsize=7, va="top")
    figure.subplots_adjust(0.004, 0.004, 0.996, 0.97, 0.02, 0.1)
    figure.savefig(path, dpi=95, facecolor="black")


def _window(image: NDArray[np.float32], labels: NDArray[np.uint8]) -> tuple[int, slice, slice]:
    core = (labels == Label.NCR) | (labels == Label.ET)
    shown = core if core.any() else labels > 0
    slice_index = int(shown.sum(axis=(1, 2)).argmax()) if shown.any() else image.shape[0] // 2
    slices = []
    for axis in (1, 2):
        others = tuple(a for a in range(3) if a != axis)
        used = np.flatnonzero((image > 0).any(axis=others))
        low = max(0, int(used[0]) - _MARGIN_VOXELS)
        slices.append(slice(low, int(used[-1]) + _MARGIN_VOXELS + 1))
    return slice_index, slices[0], slices[1]


def _overlay(labels: NDArray[np.uint8]) -> NDArray[np.float64]:
    colours = np.zeros((len(Label), 4))
    for label, colour in _COLOURS.items():
        colours[label] = colour
    return np.asarray(colours[labels], dtype=np.float64)


def _caption(folder: Path) -> str:
    truth = folder / TRUTH_FILE
    if not truth.is_file():
        return folder.name
    row = json.loads(truth.read_text(encoding="utf-8"))["row"]
    return f"{row['who_class'] or 'healthy'}, {row['age']:.0f} y"


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the table to standard output and, on demand, the montage."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="+", type=Path, help="case folders")
    parser.add_argument("--montage", type=Path, metavar="FILE", help="picture to write")
    arguments = parser.parse_args(argv)
    try:
        if arguments.montage:
            draw_montage(arguments.cases, arguments.montage)
        sys.stdout.write(contrast_table(arguments.cases))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"compare: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
