"""Pictures of explanations as PNG. Matplotlib is imported when one is drawn."""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.evaluation.figures import COLOURS, STYLE
from gliomaai_training.interpretation.explanations import (
    PROBABILITY,
    Saliency,
    SequenceImportance,
)
from gliomaai_training.vocabulary import NOTICE, SEQUENCES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SEQUENCE_NAMES = {"t1": "T1", "t1gd": "T1Gd", "t2": "T2", "flair": "FLAIR"}

FOR, AGAINST = COLOURS[1], COLOURS[0]

SMOOTHING_VOXELS = 1.0
"""Standard deviation: single voxels of a gradient alternate with the network's strides."""

_FULL_PERCENTILE = 99.5
"""Of the slices' magnitudes, which gets the strongest colour."""
_GREY_PERCENTILES = (1.0, 99.0)
_EMPTY = 0.08
"""Magnitude, as a share of the strongest, below which nothing is drawn."""


def saliency_overlay(
    saliency: Saliency, images: NDArray[np.float32], tumour: NDArray[np.bool_]
) -> bytes:
    """The map over each sequence, on the axial slice where the tumour is largest.

    Radiological convention: the patient's right is on the left. All panels share one scale; the map
    is smoothed for the eye (`SMOOTHING_VOXELS`).

    Args:
        saliency: of the images.
        images: (4, z, y, x) as the network saw them, x towards the patient's left and y towards
            the back.
        tumour: (z, y, x); if it is empty, the slice with most of the map's magnitude is drawn.

    Returns:
        PNG.

    Raises:
        ValueError: the shapes differ.
    """
    if images.shape != saliency.map.shape or tumour.shape != images.shape[1:]:
        raise ValueError(
            f"the map is {saliency.map.shape}, the images {images.shape}, the tumour {tumour.shape}"
        )
    level = _level(saliency, tumour)
    shown = _smoothed(saliency.map)[:, level]
    strongest = (
        float(np.percentile(np.abs(shown[shown != 0]), _FULL_PERCENTILE)) if shown.any() else 1.0
    )
    caption = f"{saliency.method.capitalize()}; yellow: the tumour, given, not explained. "
    with _picture((8.0, 2.6), len(SEQUENCES), caption) as (figure, panels, buffer):
        for index, (name, panel) in enumerate(zip(SEQUENCES, panels, strict=True)):
            panel.set_title(SEQUENCE_NAMES[name])
            panel.set_axis_off()
            if name not in saliency.sequences:
                panel.set_title(f"{SEQUENCE_NAMES[name]}: not given")
                panel.imshow(np.zeros(tumour.shape[1:]), cmap="gray", vmin=0, vmax=1)
                continue
            _draw_slice(panel, images[index, level], shown[index] / strongest)
            if tumour[level].any():
                panel.contour(tumour[level], [0.5], colors="#f0e442", linewidths=1.0)
            panel.text(0.03, 0.9, "R", transform=panel.transAxes, color="white", fontsize=8)
        _colour_bar(figure, panels, saliency)
        figure.suptitle(f"What the answer “{saliency.target.words}” comes from", fontsize=10)
    return buffer.getvalue()


def importance_bars(importances: Sequence[SequenceImportance]) -> bytes:
    """A panel for each answer: how far each sequence moved it.

    Returns:
        PNG.

    Raises:
        ValueError: there is nothing to draw.
    """
    if not importances:
        raise ValueError("no importances to draw")
    with _picture((2.7 * len(importances) + 0.4, 2.5), len(importances)) as (_, panels, buffer):
        for panel, one in zip(panels, importances, strict=True):
            names = [name for name in SEQUENCES if name in one.values]
            per = 100 if one.scale == PROBABILITY else 1
            values = [per * one.values[name] for name in names]
            colours = [FOR if value > 0 else AGAINST for value in values]
            panel.barh(range(len(names)), values, color=colours, height=0.6)
            panel.axvline(0, color="black", linewidth=0.8)
            panel.set_yticks(range(len(names)), [SEQUENCE_NAMES[name] for name in names])
            panel.invert_yaxis()
            panel.margins(x=0.35)
            panel.grid(axis="y", visible=False)
            unit = "percentage points" if one.scale == PROBABILITY else one.scale
            panel.set_xlabel(f"moved by ({unit})")
            panel.set_title(
                f"{one.target.words}\n{_number(one.empty, one.scale)} without images, "
                f"{_number(one.full, one.scale)} with them",
                fontsize=8,
            )
            for row, value in enumerate(values):
                panel.annotate(
                    _minus(f"{value:+.{0 if one.scale == PROBABILITY else 2}f}"),
                    (value, row),
                    xytext=(3 if value >= 0 else -3, 0),
                    textcoords="offset points",
                    ha="left" if value >= 0 else "right",
                    va="center",
                    fontsize=7,
                )
    return buffer.getvalue()


def _level(saliency: Saliency, tumour: NDArray[np.bool_]) -> int:
    areas = tumour.sum(axis=(1, 2))
    if not areas.any():
        areas = np.abs(saliency.map).sum(axis=(0, 2, 3))
    return int(np.argmax(areas))


def _smoothed(saliency: NDArray[np.float32]) -> NDArray[np.float32]:
    from scipy import ndimage

    parts = [ndimage.gaussian_filter(one, SMOOTHING_VOXELS) for one in saliency]
    return np.stack(parts).astype(np.float32)


def _draw_slice(panel: "Axes", image: NDArray[np.float32], share: NDArray[np.float32]) -> None:
    """Grey values with the map on top, the clearer the stronger it is."""
    inside = image[image != 0]
    low, high = np.percentile(inside, _GREY_PERCENTILES) if inside.size else (0.0, 1.0)
    # Outside the brain is 0, which is the brain's mean: it is shown black.
    panel.imshow(
        np.where(image == 0, low, image), cmap="gray", vmin=low, vmax=max(high, low + 1e-6)
    )
    strength = np.clip(np.abs(share), 0, 1)
    strength[strength < _EMPTY] = 0
    panel.imshow(share, cmap=_colours(), vmin=-1, vmax=1, alpha=0.85 * strength**0.7)


def _colours() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("answer", [AGAINST, "#f7f7f7", FOR])


def _colour_bar(figure: "Figure", panels: "list[Axes]", saliency: Saliency) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    bar = figure.colorbar(
        ScalarMappable(Normalize(-1, 1), _colours()), ax=panels, shrink=0.7, pad=0.02
    )
    words = ("lower", "higher") if saliency.target.answer is None else ("against", "for")
    bar.set_ticks([-1, 0, 1], labels=[words[0], "none", words[1]])


def _number(value: float, scale: str) -> str:
    return f"{100 * value:.0f} %" if scale == PROBABILITY else _minus(f"{value:+.2f}")


def _minus(number: str) -> str:
    """As the axes write it."""
    return number.replace("-", "\N{MINUS SIGN}")


@contextmanager
def _picture(
    size_inches: tuple[float, float], panels: int, caption: str = ""
) -> "Iterator[tuple[Figure, list[Axes], io.BytesIO]]":
    """A styled row of panels above the notice, in the buffer when the block ends."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    buffer = io.BytesIO()
    with rc_context(STYLE):
        figure: Figure = Figure(figsize=size_inches, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, list(figure.subplots(1, panels, squeeze=False)[0]), buffer
        figure.supxlabel(caption + NOTICE, fontsize=6, color="#555555")
        figure.savefig(buffer, format="png")
