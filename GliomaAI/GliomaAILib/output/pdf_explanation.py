"""An explained answer in `report.pdf`: three slices with its map, and the sequences' bars."""

from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.units import mm
from reportlab.platypus import Flowable

from GliomaAILib.output.explained import AGAINST, FOR, AnswerFigure, ImportanceBar
from GliomaAILib.output.pdf_pictures import Frame
from GliomaAILib.output.pdf_text import Fonts

_HEIGHT = 34 * mm
"""Of the pictures."""
_PICTURES_SHARE = 0.6
_GAP = 1 * mm
_ROW = 4.2 * mm
_SIZE = 6.5
_NAME, _VALUE = 11 * mm, 16 * mm
_INK, _SOFT, _RULE = HexColor("#16212b"), HexColor("#566573"), HexColor("#d9dfe5")


class AnswerRow(Flowable):  # type: ignore[misc]
    """One answer across the page."""

    def __init__(self, figure: AnswerFigure, fonts: Fonts, width: float) -> None:
        super().__init__()
        self._figure, self._fonts = figure, fonts
        ratios = [one.cut.width / one.cut.height for one in figure.pictures]
        room = width * _PICTURES_SHARE - _GAP * len(ratios)
        self._picture_height = min(_HEIGHT, room / sum(ratios)) if ratios else 0.0
        self._left = width * _PICTURES_SHARE if ratios else 0.0
        bars = _ROW * (len(figure.bars) + 1)
        self.width, self.height = width, max(self._picture_height, bars) + 5 * mm

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        figure, canvas = self._figure, self.canv
        top = self.height - 4 * mm
        canvas.setFillColor(_INK)
        canvas.setFont(self._fonts.bold, 7.5)
        heading = f"{figure.words}: {figure.value}"
        canvas.drawString(1, top + 1 * mm, self._fonts.printable(heading))
        self._draw_pictures(top)
        self._draw_bars(top)

    def _draw_pictures(self, top: float) -> None:
        left = 0.0
        for one in self._figure.pictures:
            frame = Frame(self.canv, one.cut, left, top)
            width = self._picture_height * one.cut.width / one.cut.height
            frame.fit(width).picture(one.picture)
            frame.rims()
            frame.marks(self._fonts)
            left += width + _GAP

    def _draw_bars(self, top: float) -> None:
        canvas = self.canv
        middle = self._left + _NAME + (self.width - self._left - _NAME - _VALUE) / 2
        half = middle - self._left - _NAME
        for number, bar in enumerate(self._figure.bars):
            self._draw_bar(bar, top - (number + 1) * _ROW, middle, half)
        base = top - (len(self._figure.bars) + 1) * _ROW + 1 * mm
        against, for_ = self._figure.ends
        canvas.setFont(self._fonts.regular, _SIZE)
        canvas.setFillColor(HexColor(AGAINST))
        canvas.drawRightString(middle - 1 * mm, base, against)
        canvas.setFillColor(HexColor(FOR))
        canvas.drawString(middle + 1 * mm, base, for_)
        if self._figure.bars:
            canvas.setStrokeColor(_RULE)
            canvas.setLineWidth(0.6)
            canvas.line(middle, top, middle, base + 3 * mm)

    def _draw_bar(self, bar: ImportanceBar, base: float, middle: float, half: float) -> None:
        canvas: Any = self.canv
        canvas.setFont(self._fonts.regular, _SIZE)
        canvas.setFillColor(_SOFT)
        canvas.drawString(self._left + 1 * mm, base + 1 * mm, bar.sequence)
        canvas.drawRightString(self.width, base + 1 * mm, self._fonts.printable(bar.text))
        canvas.setFillColor(HexColor(FOR if bar.share > 0 else AGAINST))
        length = half * abs(bar.share)
        left = middle if bar.share > 0 else middle - length
        if length > 0:
            canvas.rect(left, base + 0.6 * mm, length, 2.4 * mm, stroke=0, fill=1)
