"""Charts of the panels, painted with the colours of the theme."""

import itertools
from collections.abc import Sequence
from typing import Any

import qt

from GliomaAILib.panels.build import words
from GliomaAILib.review.risk import Bar, Curve

WIDTH_PX = 420
ROW_HEIGHT_PX = 24
LABEL_SHARE = 0.45
VALUE_SHARE = 0.12
CURVE_HEIGHT_PX = 220
MARGIN_PX = 34
CURVE_COLOURS = ("#0072b2", "#d55e00", "#8a8a8a", "#009e73")
"""Of Okabe and Ito; the first curves are also told apart by their dashes."""


class Canvas:
    """A picture of a chart, crisp on any screen."""

    def __init__(self, name: str) -> None:
        self.widget = qt.QLabel()
        self.widget.objectName = name
        self.widget.visible = False
        self._drawn: Any = None

    def new(self, content: Any, height_px: int, description: str) -> Any:
        """A painter for new content, None where the content is the same or empty."""
        if content == self._drawn:
            return None
        self._drawn = content
        self.widget.visible = bool(content)
        if not content:
            return None
        self.widget.accessibleDescription = description
        self.widget.toolTip = description
        ratio = self.widget.devicePixelRatioF()
        self._pixmap = qt.QPixmap(round(WIDTH_PX * ratio), round(height_px * ratio))
        self._pixmap.setDevicePixelRatio(ratio)
        self._pixmap.fill(qt.QColor(0, 0, 0, 0))
        painter = qt.QPainter(self._pixmap)
        painter.setRenderHint(qt.QPainter.Antialiasing)
        painter.setPen(self.widget.palette.color(qt.QPalette.WindowText))
        return painter

    def done(self, painter: Any) -> None:
        """Shows what was painted."""
        painter.end()
        self.widget.setPixmap(self._pixmap)

    def colour(self, role: Any) -> Any:
        """Of the theme."""
        return self.widget.palette.color(role)


class BarChart:
    """Horizontal bars with their labels and values."""

    def __init__(self) -> None:
        self._canvas = Canvas("barChart")
        self.widget = self._canvas.widget

    def draw(self, bars: Sequence[Bar]) -> None:
        """Shows these bars; nothing where there are none."""
        described = "; ".join(f"{words(bar.label)}: {bar.value}" for bar in bars)
        painter = self._canvas.new(tuple(bars), ROW_HEIGHT_PX * len(bars), described)
        if painter is None:
            return
        left = round(WIDTH_PX * LABEL_SHARE)
        room = round(WIDTH_PX * (1 - LABEL_SHARE - VALUE_SHARE))
        for number, bar in enumerate(bars):
            top = number * ROW_HEIGHT_PX
            painter.drawText(0, top + 16, words(bar.label))
            painter.drawText(left + room + 6, top + 16, bar.value)
            painter.fillRect(left, top + 5, room, 14, self._canvas.colour(qt.QPalette.Mid))
            part = round(room * bar.fraction)
            painter.fillRect(left, top + 5, part, 14, self._canvas.colour(qt.QPalette.Highlight))
        self._canvas.done(painter)


class CurveChart:
    """Survival curves with their intervals, over months."""

    def __init__(self) -> None:
        self._canvas = Canvas("curveChart")
        self.widget = self._canvas.widget

    def draw(self, curves: Sequence[Curve]) -> None:
        """Shows these curves; nothing where there are none."""
        described = "; ".join(words(curve.label) for curve in curves)
        painter = self._canvas.new(tuple(curves), CURVE_HEIGHT_PX, described)
        if painter is None:
            return
        longest = max(max(curve.months) for curve in curves)
        self._axes(painter, longest)
        for number, curve in enumerate(curves):
            colour = qt.QColor(CURVE_COLOURS[number % len(CURVE_COLOURS)])
            if curve.low and curve.high:
                self._band(painter, curve, longest, colour)
            pen = qt.QPen(colour)
            pen.setWidthF(2.0)
            pen.setStyle(qt.Qt.SolidLine if number == 0 else qt.Qt.DashLine)
            painter.setPen(pen)
            points = [
                _place(x, y, longest) for x, y in zip(curve.months, curve.survival, strict=True)
            ]
            for first, second in itertools.pairwise(points):
                painter.drawLine(qt.QPointF(*first), qt.QPointF(second[0], first[1]))
                painter.drawLine(qt.QPointF(second[0], first[1]), qt.QPointF(*second))
            painter.drawText(MARGIN_PX + 120, 18 + 16 * number, words(curve.label))
        self._canvas.done(painter)

    def _axes(self, painter: Any, longest: float) -> None:
        painter.drawLine(qt.QPointF(*_place(0, 0, longest)), qt.QPointF(*_place(0, 1, longest)))
        painter.drawLine(
            qt.QPointF(*_place(0, 0, longest)), qt.QPointF(*_place(longest, 0, longest))
        )
        for share in (0.0, 0.5, 1.0):
            x, y = _place(0, share, longest)
            painter.drawText(qt.QPointF(2, y + 4), f"{100 * share:.0f}%")
        for months in range(0, int(longest) + 1, 12):
            x, y = _place(months, 0, longest)
            painter.drawText(qt.QPointF(x - 6, y + 16), str(months))

    def _band(self, painter: Any, curve: Curve, longest: float, colour: Any) -> None:
        pale = qt.QColor(colour)
        pale.setAlpha(50)
        for index in range(len(curve.months) - 1):
            x, top = _place(curve.months[index], curve.high[index], longest)
            right, bottom = _place(curve.months[index + 1], curve.low[index], longest)
            painter.fillRect(qt.QRectF(x, top, right - x, bottom - top), pale)


def _place(months: float, survival: float, longest: float) -> tuple[float, float]:
    """Where a point lies in the picture."""
    width, height = WIDTH_PX - MARGIN_PX - 12, CURVE_HEIGHT_PX - MARGIN_PX - 12
    return MARGIN_PX + width * months / longest, 12 + height * (1 - survival)
