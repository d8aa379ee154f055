"""Charts of the panels, painted with the colours of the theme."""

import itertools
from collections.abc import Sequence
from typing import Any

import qt
from slicer.i18n import tr as _

from GliomaAILib.panels.build import words
from GliomaAILib.review.explanation import ExplainedAnswerView, SignedBar
from GliomaAILib.review.network import Bar
from GliomaAILib.review.risk import Curve, NomogramView

WIDTH_PX = 420
ROW_HEIGHT_PX = 24
LABEL_SHARE = 0.6
"""At most this much of the width is for labels."""
VALUE_SHARE = 0.12
CURVE_HEIGHT_PX = 220
MARGIN_PX = 40
LEGEND_ROW_PX = 17
LEGEND_LINE_PX = 26
AXIS_HEIGHT_PX = 46
TICK_GAP_PX = 4
"""Between the words of two marks of a scale; a word that would come nearer is left out."""
CURVE_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
"""Of Okabe and Ito; the first curves are also told apart by their dashes."""
REFERENCE_COLOUR = "#8a8a8a"
FOR_COLOUR, AGAINST_COLOUR = "#d55e00", "#0072b2"
"""What speaks for an answer or a higher risk, and against it; as the report and the maps have them.
"""
SIGNED_LABEL_PX = 60
SIGNED_VALUE_PX = 90


class Canvas:
    """A picture of a chart, crisp on any screen."""

    def __init__(self, name: str) -> None:
        self.widget = qt.QLabel()
        self.widget.objectName = name
        self.widget.visible = False
        self._drawn: Any = None
        self._theme: Any = None

    @property
    def has_other_theme(self) -> bool:
        """Whether there is a picture, with the colours of another theme than the present one."""
        return bool(self._drawn) and self._theme != self.widget.palette.cacheKey()

    def new(self, content: Any, height_px: int, description: str) -> Any:
        """A painter for new content, None where content and theme are the same, or it is empty."""
        if content == self._drawn and not self.has_other_theme:
            return None
        self._drawn, self._theme = content, self.widget.palette.cacheKey()
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

    def __init__(self, name: str) -> None:
        self.canvas = Canvas(name)
        self.widget = self.canvas.widget

    def draw(self, bars: Sequence[Bar]) -> None:
        """Shows these bars; nothing where there are none."""
        described = "; ".join(f"{words(bar.label)}: {bar.value}" for bar in bars)
        painter = self.canvas.new(tuple(bars), ROW_HEIGHT_PX * len(bars), described)
        if painter is None:
            return
        metrics = painter.fontMetrics()
        widest = max(metrics.horizontalAdvance(words(bar.label)) for bar in bars)
        left = round(min(widest + 8, WIDTH_PX * LABEL_SHARE))
        room = round(WIDTH_PX * (1 - VALUE_SHARE)) - left
        for number, bar in enumerate(bars):
            top = number * ROW_HEIGHT_PX
            painter.drawText(0, top + 16, fitted(painter, words(bar.label), left - 6))
            painter.drawText(left + room + 6, top + 16, bar.value)
            painter.fillRect(left, top + 5, room, 14, self.canvas.colour(qt.QPalette.Mid))
            part = round(room * bar.fraction)
            painter.fillRect(left, top + 5, part, 14, self.canvas.colour(qt.QPalette.Highlight))
        self.canvas.done(painter)


class SignedBarChart:
    """Bars from a middle line to both sides, in groups with a title each."""

    def __init__(self, name: str) -> None:
        self.canvas = Canvas(name)
        self.widget = self.canvas.widget

    def draw(self, answers: Sequence[ExplainedAnswerView]) -> None:
        """Shows the bars of these answers; nothing where there are none."""
        groups = tuple(one for one in answers if one.bars)
        rows = sum(len(one.bars) + 1 for one in groups)
        described = "; ".join(
            f"{words(one.title)}: "
            + ", ".join(f"{bar.label} {words(bar.value)}" for bar in one.bars)
            for one in groups
        )
        painter = self.canvas.new(groups, ROW_HEIGHT_PX * rows, described)
        if painter is None:
            return
        top = 0
        for one in groups:
            painter.drawText(0, top + 17, fitted(painter, words(one.title), WIDTH_PX))
            for number, bar in enumerate(one.bars, 1):
                self._bar(painter, bar, top + number * ROW_HEIGHT_PX)
            top += (len(one.bars) + 1) * ROW_HEIGHT_PX
        self.canvas.done(painter)

    def _bar(self, painter: Any, bar: SignedBar, top: int) -> None:
        value = words(bar.value)
        left, right = SIGNED_LABEL_PX, WIDTH_PX - SIGNED_VALUE_PX
        middle = (left + right) // 2
        painter.drawText(8, top + 16, bar.label)
        width = painter.fontMetrics().horizontalAdvance(value)
        painter.drawText(WIDTH_PX - width - 2, top + 16, value)
        length = round((right - left) / 2 * abs(bar.share))
        begin = middle if bar.share > 0 else middle - length
        colour = qt.QColor(FOR_COLOUR if bar.share > 0 else AGAINST_COLOUR)
        painter.fillRect(begin, top + 5, length, 14, colour)
        painter.drawLine(qt.QPointF(middle, top + 1), qt.QPointF(middle, top + ROW_HEIGHT_PX - 1))


class CurveChart:
    """Survival curves with their intervals, over months."""

    def __init__(self) -> None:
        self.canvas = Canvas("curveChart")
        self.widget = self.canvas.widget

    def draw(self, curves: Sequence[Curve]) -> None:
        """Shows these curves; nothing where there are none."""
        described = "; ".join(words(curve.label) for curve in curves)
        height = CURVE_HEIGHT_PX + LEGEND_ROW_PX * len(curves)
        painter = self.canvas.new(tuple(curves), height, described)
        if painter is None:
            return
        longest = max(curve.months[-1] for curve in curves if not curve.is_reference)
        self._axes(painter, longest)
        for curve, pen in zip(curves, _pens(curves), strict=True):
            if curve.low and curve.high:
                self._band(painter, curve, longest, pen.color())
        for number, (curve, pen) in enumerate(zip(curves, _pens(curves), strict=True)):
            painter.setPen(pen)
            self._steps(painter, curve, longest)
            top = CURVE_HEIGHT_PX + LEGEND_ROW_PX * number
            painter.drawLine(
                qt.QPointF(MARGIN_PX, top + 9), qt.QPointF(MARGIN_PX + LEGEND_LINE_PX, top + 9)
            )
            painter.setPen(self.canvas.colour(qt.QPalette.WindowText))
            left = MARGIN_PX + LEGEND_LINE_PX + 8
            label = fitted(painter, words(curve.label), WIDTH_PX - left)
            painter.drawText(qt.QPointF(left, top + 13), label)
        self.canvas.done(painter)

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
            width = painter.fontMetrics().horizontalAdvance(str(months))
            painter.drawText(qt.QPointF(min(x - width / 2, WIDTH_PX - width), y + 16), str(months))

    def _steps(self, painter: Any, curve: Curve, longest: float) -> None:
        inside = [
            _place(x, y, longest)
            for x, y in zip(curve.months, curve.survival, strict=True)
            if x <= longest
        ]
        path = qt.QPainterPath(qt.QPointF(*inside[0]))  # one line, so that its dashes go on
        for first, second in itertools.pairwise(inside):
            path.lineTo(qt.QPointF(second[0], first[1]))
            path.lineTo(qt.QPointF(*second))
        painter.drawPath(path)

    def _band(self, painter: Any, curve: Curve, longest: float, colour: Any) -> None:
        pale = qt.QColor(colour.red(), colour.green(), colour.blue(), 50)
        for index in range(len(curve.months) - 1):
            x, top = _place(curve.months[index], curve.high[index], longest)
            right, bottom = _place(curve.months[index + 1], curve.low[index], longest)
            painter.fillRect(qt.QRectF(x, top, right - x, bottom - top), pale)


class NomogramChart:
    """The scales of a nomogram, with the patient marked on each and on their sum."""

    def __init__(self) -> None:
        self.canvas = Canvas("nomogramChart")
        self.widget = self.canvas.widget

    def draw(self, nomogram: NomogramView | None) -> None:
        """Shows a nomogram; nothing where there is none."""
        axes = () if nomogram is None else nomogram.axes
        described = "; ".join(f"{words(a.label)} {a.value}: {round(a.points)}" for a in axes)
        painter = self.canvas.new(nomogram, AXIS_HEIGHT_PX * (len(axes) + 1), described)
        if painter is None or nomogram is None:
            return
        points = [point for axis in axes for __, point in axis.ticks]
        points += [axis.points for axis in axes]
        span = min(points), max(points)
        for number, axis in enumerate(axes):
            title = f"{words(axis.label)}: {axis.value}"
            value = _("{points} points").format(points=round(axis.points))
            self._axis(painter, number, (title, value), axis.points, span)
            self._ticks(painter, number, axis.ticks, span)
        whole = min(nomogram.least, nomogram.total), max(nomogram.most, nomogram.total)
        ends = [(str(round(point)), point) for point in (nomogram.least, nomogram.most)]
        value = _("{points} points").format(points=nomogram.written_total)
        self._axis(painter, len(axes), (_("Total"), value), nomogram.total, whole)
        self._ticks(painter, len(axes), ends, whole)
        self.canvas.done(painter)

    def _axis(
        self,
        painter: Any,
        number: int,
        texts: tuple[str, str],
        points: float,
        span: tuple[float, float],
    ) -> None:
        """The name, the points in words, and the mark of the patient."""
        top = AXIS_HEIGHT_PX * number
        title, value = texts
        width = painter.fontMetrics().horizontalAdvance(value)
        painter.drawText(qt.QPointF(2, top + 14), fitted(painter, title, WIDTH_PX - width - 12))
        painter.drawText(qt.QPointF(WIDTH_PX - width - 4, top + 14), value)
        x, y = _across(points, span), top + 25
        painter.setPen(self.canvas.colour(qt.QPalette.WindowText))
        painter.fillRect(qt.QRectF(x - 3, y - 6, 6, 12), self.canvas.colour(qt.QPalette.Highlight))

    def _ticks(
        self,
        painter: Any,
        number: int,
        ticks: Sequence[tuple[str, float]],
        span: tuple[float, float],
    ) -> None:
        """The line with its marks; of words that would overlap, the first stays."""
        y = AXIS_HEIGHT_PX * number + 25
        places = sorted((_across(point, span), word) for word, point in ticks)
        painter.drawLine(qt.QPointF(places[0][0], y), qt.QPointF(places[-1][0], y))
        free = 0.0
        for x, word in places:
            painter.drawLine(qt.QPointF(x, y), qt.QPointF(x, y + 4))
            width = painter.fontMetrics().horizontalAdvance(word)
            left = max(0.0, min(x - width / 2, WIDTH_PX - width - 2))
            if left >= free:
                painter.drawText(qt.QPointF(left, y + 16), word)
                free = left + width + TICK_GAP_PX


def fitted(painter: Any, content: str, room_px: float) -> str:
    """A text that fits, cut where it would not."""
    metrics = painter.fontMetrics()
    if metrics.horizontalAdvance(content) <= room_px:
        return content
    kept = content
    while kept and metrics.horizontalAdvance(f"{kept}…") > room_px:
        kept = kept[:-1]
    return f"{kept}…"


def _pens(curves: Sequence[Curve]) -> list[Any]:
    """Own curves are wide and coloured, those for comparison thin and grey."""
    styles = (qt.Qt.DotLine, qt.Qt.DashDotLine, qt.Qt.DashLine, qt.Qt.DashDotDotLine)
    pens = []
    own = others = 0
    for curve in curves:
        if curve.is_reference:
            pen = qt.QPen(qt.QColor(REFERENCE_COLOUR))
            pen.setWidthF(1.2)
            pen.setStyle(styles[others % len(styles)])
            others += 1
        else:
            pen = qt.QPen(qt.QColor(CURVE_COLOURS[own % len(CURVE_COLOURS)]))
            pen.setWidthF(2.0)
            pen.setStyle((qt.Qt.SolidLine, qt.Qt.DashLine, qt.Qt.DotLine)[min(own, 2)])
            own += 1
        pens.append(pen)
    return pens


def _place(months: float, survival: float, longest: float) -> tuple[float, float]:
    """Where a point lies in the picture."""
    width, height = WIDTH_PX - MARGIN_PX - 12, CURVE_HEIGHT_PX - MARGIN_PX - 12
    return MARGIN_PX + width * months / longest, 12 + height * (1 - survival)


def _across(points: float, span: tuple[float, float]) -> float:
    """Where points lie from left to right."""
    least, most = span
    return 12 + (WIDTH_PX - 24) * (points - least) / max(most - least, 1e-9)
