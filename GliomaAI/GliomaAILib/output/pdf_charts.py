"""Charts of `report.pdf`: probabilities as bars, and survival curves, drawn as vectors."""

from collections.abc import Sequence
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm
from reportlab.platypus import Flowable

from GliomaAILib.output.pdf_text import Fonts
from GliomaAILib.output.survival_chart import HEIGHT, WIDTH, Line, Point, SurvivalChart

_SOFT, _RULE, _BAR, _MINOR_BAR = (
    HexColor(colour) for colour in ("#566573", "#d9dfe5", "#0072b2", "#7a8793")
)
_ROW = 3.6 * mm
_LABEL_SHARE, _VALUE_SHARE = 0.48, 0.09
_SIZE = 6.5
_KEY_ROW = 3.2 * mm
_KEY_LINE = 8 * mm


class ProbabilityBars(Flowable):  # type: ignore[misc]
    """Horizontal bars with their words and values."""

    def __init__(
        self, rows: Sequence[tuple[str, float]], states: int, fonts: Fonts, width: float
    ) -> None:
        """Rows after so many states are paler: they follow from them, or stand alone."""
        super().__init__()
        self._rows, self._states, self._fonts = rows, states, fonts
        self.width, self.height = width, _ROW * len(rows)

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        canvas = self.canv
        left = self.width * _LABEL_SHARE
        room = self.width * (1 - _LABEL_SHARE - _VALUE_SHARE)
        for number, (words, chance) in enumerate(self._rows):
            base = self.height - (number + 1) * _ROW + 1 * mm
            canvas.setFont(self._fonts.regular, _SIZE)
            canvas.setFillColor(_SOFT)
            canvas.drawString(1, base, self._fonts.printable(words))
            canvas.drawRightString(self.width, base, f"{100 * chance:.0f} %")
            canvas.setFillColor(_RULE)
            canvas.rect(left, base - 0.4 * mm, room, 2.4 * mm, stroke=0, fill=1)
            canvas.setFillColor(_BAR if number < self._states else _MINOR_BAR)
            if chance > 0:
                canvas.rect(left, base - 0.4 * mm, room * chance, 2.4 * mm, stroke=0, fill=1)


class SurvivalCurves(Flowable):  # type: ignore[misc]
    """Curves with their intervals, and what each is."""

    def __init__(self, chart: SurvivalChart, fonts: Fonts, width: float) -> None:
        super().__init__()
        self._chart, self._fonts = chart, fonts
        self._scale = width / WIDTH
        self._key = _KEY_ROW * len(chart.lines)
        self.width, self.height = width, HEIGHT * self._scale + self._key

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        self._axes()
        for line in self._chart.lines:
            if line.area:
                self.canv.setFillColor(HexColor(line.colour), alpha=0.14)
                self.canv.drawPath(self._path(line.area, closed=True), stroke=0, fill=1)
        self.canv.setFillColor(_SOFT, alpha=1)
        for line in self._chart.lines:
            self._pen(line)
            self.canv.drawPath(self._path(line.points), stroke=1, fill=0)
        for number, line in enumerate(self._chart.lines[::-1]):
            self._key_line(line, self._key - (number + 1) * _KEY_ROW + 1 * mm)
        self.canv.setDash()

    def _x(self, x: float) -> float:
        return x * self._scale

    def _y(self, y: float) -> float:
        return float(self._key + (HEIGHT - y) * self._scale)

    def _path(self, points: Sequence[Point], closed: bool = False) -> Any:
        path = self.canv.beginPath()
        path.moveTo(self._x(points[0][0]), self._y(points[0][1]))
        for x, y in points[1:]:
            path.lineTo(self._x(x), self._y(y))
        if closed:
            path.close()
        return path

    def _axes(self) -> None:
        canvas, chart = self.canv, self._chart
        left, _, right, bottom = chart.frame
        canvas.setFont(self._fonts.regular, _SIZE)
        canvas.setFillColor(_SOFT)
        canvas.setStrokeColor(_RULE)
        canvas.setLineWidth(0.4)
        for tick in chart.shares:
            canvas.line(self._x(left), self._y(tick.at), self._x(right), self._y(tick.at))
            canvas.drawRightString(self._x(left - 4), self._y(tick.at) - 2, tick.label)
        for tick in chart.months:
            canvas.drawCentredString(self._x(tick.at), self._y(bottom + 11), tick.label)
        canvas.drawCentredString(self._x((left + right) / 2), self._y(bottom + 24), "months")

    def _pen(self, line: Line) -> None:
        self.canv.setStrokeColor(HexColor(line.colour))
        self.canv.setLineWidth(line.width * self._scale)
        self.canv.setDash(*([list(line.dash)] if line.dash else []))

    def _key_line(self, line: Line, base: float) -> None:
        self._pen(line)
        self.canv.line(0, base + 0.8 * mm, _KEY_LINE, base + 0.8 * mm)
        self.canv.setFont(self._fonts.regular, _SIZE)
        self.canv.setFillColor(_SOFT)
        self.canv.drawString(_KEY_LINE + 2 * mm, base, self._fonts.printable(line.label))
