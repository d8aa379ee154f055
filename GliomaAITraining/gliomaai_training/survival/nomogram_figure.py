"""The nomogram drawn for print or screen, with a patient's marks. Imports matplotlib."""

import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from gliomaai_training.survival.cox_prediction import Patient, SurvivalPrediction, describe
from gliomaai_training.survival.label_lanes import Spot, category_lanes, half_width, number_lanes
from gliomaai_training.survival.nomogram import Nomogram, NomogramAxis, NomogramScore
from gliomaai_training.survival.readable import whole_total
from gliomaai_training.survival.terms import NumericTerm
from gliomaai_training.vocabulary import NOTICE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Theme = Literal["light", "dark"]

_HUNDRED = (0.0, 100.0)
"""Ends of the scale of points."""
_NUMBERS = partial(number_lanes, lanes=(1, -1))

SURVIVALS = (0.99, 0.95, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05, 0.01)
"""Marked on the survival axes."""

SCALE_WIDTH, VALUE_WIDTH, MARGIN = 6.2, 1.9, 0.2
"""Columns of the figure in inches: the axes, the patient; what is left free around."""
ROW, LANE = 0.54, 0.15
"""Height of an axis, and of a line of labels beside it, in inches."""
NAME_CHARACTER = 0.094
"""Width of a character of a name in inches."""
ROUNDED = "Points are rounded, and their total is of the rounded; marks and survival are exact."
VALUE_CHARACTERS = 22
"""Where a patient's value is broken into a further line."""


@dataclass(frozen=True)
class _Colours:
    ground: str
    ink: str
    faint: str
    mark: str


_COLOURS: Mapping[str, _Colours] = MappingProxyType(
    {
        # Marks from Okabe and Ito's palette, distinguishable with every kind of colour vision.
        "light": _Colours("#ffffff", "#1a1a1a", "#d9d9d9", "#D55E00"),
        "dark": _Colours("#17191c", "#ececec", "#44484d", "#E69F00"),
    }
)


@dataclass(frozen=True)
class NomogramPatient:
    """Who is drawn into the nomogram."""

    facts: Patient
    prediction: SurvivalPrediction | None = None
    """For the intervals of the survival; None to leave them out."""


def nomogram_figure(
    nomogram: Nomogram,
    file: Path,
    patient: NomogramPatient | None = None,
    theme: Theme = "light",
) -> None:
    """Draws a nomogram.

    Args:
        nomogram: what to draw.
        file: PNG, SVG or PDF, by its suffix.
        patient: whose marks are drawn in.
        theme: for a light or a dark ground.

    Raises:
        ValueError: an unknown theme, or as `Nomogram.score`.
    """
    if theme not in _COLOURS:
        raise ValueError(f"theme {theme!r} is none of {', '.join(_COLOURS)}")
    score = None if patient is None else nomogram.score(patient.facts)
    drawing = _Drawing(nomogram, _COLOURS[theme], score, patient)
    # Text stays text of one look everywhere, and the same nomogram gives the same file.
    with matplotlib.rc_context({"font.family": "sans-serif", "svg.hashsalt": "nomogram"}):
        figure = drawing.draw()
        metadata: dict[str, Any] = {"Date": None} if file.suffix in (".svg", ".pdf") else {}
        if file.suffix == ".pdf":
            metadata = {"CreationDate": None}
        figure.savefig(file, dpi=220, facecolor=_COLOURS[theme].ground, metadata=metadata)


class _Drawing:
    """Rows of axes in inches from the top left."""

    def __init__(
        self,
        nomogram: Nomogram,
        colours: _Colours,
        score: NomogramScore | None,
        patient: NomogramPatient | None,
    ) -> None:
        self._nomogram, self._colours = nomogram, colours
        self._score, self._patient = score, patient
        self._row = 0
        names = [axis.term.label for axis in nomogram.axes]
        names += ["Total points", *(_horizon_name(months) for months in nomogram.hazards)]
        self._left = MARGIN + NAME_CHARACTER * max(len(name) for name in names) + 0.35
        words = [(points, word) for axis in nomogram.axes for word, points in axis.ticks]
        beyond = [self._x(points, _HUNDRED) + half_width(word) for points, word in words]
        self._right = max(self._left + SCALE_WIDTH + 0.3, *(x + 0.1 for x in beyond))
        self._width = self._right + (VALUE_WIDTH if patient else MARGIN)
        self._tops = self._rows(len(nomogram.hazards))
        self._height = self._tops[-1] + ROW + 0.03 + 0.17 * len(self._footer_lines())
        self._figure = Figure(figsize=(self._width, self._height))
        self._axes: Axes = self._figure.add_axes((0, 0, 1, 1))
        self._axes.set(xlim=(0, self._width), ylim=(self._height, 0))
        self._axes.axis("off")

    def draw(self) -> Figure:
        """The whole figure, from top to bottom."""
        nomogram = self._nomogram
        self._text(MARGIN, 0.3, nomogram.name, size=12, weight="bold")
        self._guides()
        self._scale("Points", _even_ticks(_HUNDRED, 10), _HUNDRED)
        for axis in nomogram.axes:
            self._term(axis)
        ends = self._total_ends()
        step = next(s for s in (10, 20, 25, 50, 100, 200, 500) if np.ptp(ends) / s <= 16)
        self._scale("Total points", _even_ticks(ends, step), ends)
        self._mark_total(ends)
        for months in nomogram.hazards:
            self._survival(months, ends)
        self._footer()
        return self._figure

    def _rows(self, horizons: int) -> list[float]:
        """Where each axis lies, from the top; crowded names of categories take more room."""
        tops, below = [0.8], 0
        for axis in self._nomogram.axes:
            lanes = [0]
            if not isinstance(axis.term, NumericTerm):
                lanes = category_lanes(self._spots(axis.ticks, _HUNDRED))
            above = max(0, -1 - min(lanes))
            tops.append(tops[-1] + ROW + LANE * (above + below))
            below = max(0, max(lanes) - 1)
        last = tops[-1] + LANE * below
        return [*tops, *(last + ROW * number for number in range(1, horizons + 2))]

    def _y(self, row: int | None = None) -> float:
        return self._tops[self._row if row is None else row]

    def _x(self, value: float, ends: tuple[float, float]) -> float:
        return self._left + SCALE_WIDTH * (value - ends[0]) / (ends[1] - ends[0])

    def _text(self, x: float, y: float, words: str, **style: Any) -> None:
        plain: dict[str, Any] = {"color": self._colours.ink, "va": "center", "size": 8.5}
        self._axes.text(x, y, words, **(plain | style))

    def _line(self, x: Sequence[float], y: Sequence[float], **style: Any) -> None:
        plain: dict[str, Any] = {"color": self._colours.ink, "linewidth": 1.0}
        self._axes.plot(x, y, **(plain | style))

    def _guides(self) -> None:
        """Faint lines by which points are read off."""
        bottom = self._y(len(self._nomogram.axes)) + 0.1
        for points in range(0, 101, 10):
            x = self._x(points, _HUNDRED)
            self._line([x, x], [self._y(0), bottom], color=self._colours.faint, linewidth=0.5)

    def _spots(
        self, ticks: Sequence[tuple[str, float]], ends: tuple[float, float]
    ) -> Sequence[Spot]:
        return sorted((self._x(value, ends), word) for word, value in ticks)

    def _scale(
        self,
        name: str,
        ticks: Sequence[tuple[str, float]],
        ends: tuple[float, float],
        lanes_of: Callable[[Sequence[Spot]], Sequence[int]] = _NUMBERS,
    ) -> None:
        """One axis with its name; a tick points to its label."""
        y = self._y()
        self._text(MARGIN, y, name, size=9.5, weight="bold")
        spots = self._spots(ticks, ends)
        if spots:
            self._line([spots[0][0], spots[-1][0]], [y, y])
        lanes = lanes_of(spots)
        for (x, word), lane in zip(spots, lanes, strict=True):
            # Without a label, to the side of the first, which always has one.
            side = -1 if (lane or lanes[0]) < 0 else 1
            further = LANE * (lane - side) if lane else 0.0
            self._line([x, x], [y, y + 0.055 * side + further], linewidth=0.8)
            if lane:
                self._tick_label(x, y + 0.15 * side + further, word)
        self._row += 1

    def _tick_label(self, x: float, y: float, word: str) -> None:
        # On the ground's own colour, so that no line runs through the letters.
        box = {"facecolor": self._colours.ground, "edgecolor": "none", "pad": 0.6}
        self._text(x, y, word, ha="center", size=7.5, bbox=box, zorder=6)

    def _term(self, axis: NomogramAxis) -> None:
        y, term = self._y(), axis.term
        rising, falling = _directions(axis)
        if rising and falling:
            # A bent axis turns back: what rises stands below its line, what falls above.
            self._scale(term.label, falling, _HUNDRED, partial(number_lanes, lanes=(-1,)))
            self._row -= 1
            self._scale(term.label, rising, _HUNDRED, partial(number_lanes, lanes=(1,)))
        else:
            lanes_of = _NUMBERS if isinstance(term, NumericTerm) else category_lanes
            self._scale(term.label, axis.ticks, _HUNDRED, lanes_of)
        if isinstance(term, NumericTerm) and term.unit:
            self._text(MARGIN, y + 0.17, term.unit, size=7.5)
        if self._score is None or self._patient is None:
            return
        points, value = self._score.points[term.name], self._patient.facts[term.name]
        for chance, spot in zip(*axis.states(value), strict=True):
            self._mark(self._x(float(spot), _HUNDRED), y, chance, hollow=chance < 1)
        self._mark(self._x(points, _HUNDRED), y)
        # Lines break after a comma only.
        unbroken = re.sub(r"(?<!,) ", "\N{NO-BREAK SPACE}", describe(term, value))
        words = textwrap.wrap(unbroken, VALUE_CHARACTERS, break_long_words=False)
        self._value(y, words, f"{round(points)} points")

    def _value(self, y: float, words: Sequence[str], further: str) -> None:
        """What the patient has, beside the axis."""
        top = y - 0.08 * (len(words) - 1) - (0.08 if further else 0.0)
        for line, text in enumerate(words):
            self._text(self._right, top + 0.16 * line, text, weight="bold")
        self._text(self._right, top + 0.16 * len(words), further, size=7.5)

    def _mark(self, x: float, y: float, chance: float = 1.0, hollow: bool = False) -> None:
        # A point beyond its axis stays inside the picture.
        x = float(np.clip(x, self._left - 0.12, self._left + SCALE_WIDTH + 0.12))
        style = {"markerfacecolor": "none", "markeredgewidth": 1.2} if hollow else {}
        size = 6.5 if not hollow else 2 + 10 * np.sqrt(chance)
        if chance > 0.005:
            mark = self._colours.mark
            self._line([x], [y], marker="o", markersize=size, color=mark, zorder=7, **style)

    def _total_ends(self) -> tuple[float, float]:
        low, high = self._nomogram.total_ends
        if self._score is not None:
            low, high = min(low, self._score.total), max(high, self._score.total)
        return float(np.floor(low / 10) * 10), float(np.ceil(high / 10) * 10)

    def _mark_total(self, ends: tuple[float, float]) -> None:
        if self._score is None:
            return
        x, y = self._x(self._score.total, ends), self._y(self._row - 1)
        bottom = self._y(self._row + len(self._nomogram.hazards) - 1)
        self._line([x, x], [y, bottom], color=self._colours.mark, linewidth=1.1, zorder=4)
        self._mark(x, y)
        self._value(y, [f"{whole_total(self._score.points.values())} points"], "")

    def _survival(self, months: float, ends: tuple[float, float]) -> None:
        nomogram, y = self._nomogram, self._y()
        marks = [(f"{100 * s:.0f}", nomogram.total_for(s, months)) for s in SURVIVALS]
        inside = [(word, total) for word, total in marks if ends[0] <= total <= ends[1]]
        self._scale(_horizon_name(months), inside, ends)
        if self._score is None or self._patient is None:
            return
        prediction = self._patient.prediction
        interval = prediction.landmarks.get(months) if prediction is not None else None
        words = f"{100 * interval[1]:.0f} to {100 * interval[2]:.0f} %" if interval else ""
        self._value(y, [f"{100 * self._score.survival[months]:.0f} %"], words)

    def _footer_lines(self) -> list[str]:
        nomogram = self._nomogram
        words = [
            f"Cox model of {nomogram.cohort}: {nomogram.patients} patients, "
            f"{nomogram.events} deaths."
        ]
        if self._patient is not None and self._patient.prediction is not None:
            words.append("Ranges are 95 % intervals of the estimate.")
        if self._patient is not None and any(
            isinstance(self._patient.facts[axis.term.name], Mapping) for axis in nomogram.axes
        ):
            words.append("Rings: possible states; survival is the mean over them.")
        lines = [" ".join(words), *(f"The model was {step}." for step in nomogram.history), NOTICE]
        if self._patient is not None:
            lines.insert(1, ROUNDED)
        return lines

    def _footer(self) -> None:
        for number, line in enumerate(reversed(self._footer_lines())):
            self._text(MARGIN, self._height - 0.2 - 0.17 * number, line, size=7)


def _directions(
    axis: NomogramAxis,
) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Ticks where points rise with the value, and ticks where they fall."""
    if not isinstance(axis.term, NumericTerm):
        return list(axis.ticks), []
    steps = np.diff([point for _, point in axis.ticks])
    # The tick at a turn belongs to the part before it.
    rises = np.append(steps[0], steps) >= 0
    rising = [tick for tick, up in zip(axis.ticks, rises, strict=True) if up]
    return rising, [tick for tick, up in zip(axis.ticks, rises, strict=True) if not up]


def _horizon_name(months: float) -> str:
    time = f"{months / 12:g}-year" if months % 12 == 0 else f"{months:g}-month"
    return f"{time} survival (%)"


def _even_ticks(ends: tuple[float, float], step: float) -> list[tuple[str, float]]:
    counts = range(int(np.ceil(ends[0] / step)), int(ends[1] // step) + 1)
    return [(f"{step * count:g}", float(step * count)) for count in counts]
