"""Pictures of `report.pdf`: slices with outlines, marks and lines, drawn as vectors."""

import io
from collections.abc import Sequence
from typing import Any

from reportlab.lib.colors import HexColor, black, white
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable

from GliomaAILib.output import key_images as pictures
from GliomaAILib.output.content import (
    DiameterPicture,
    ReportContent,
    SurfacePicture,
    UncertaintyPicture,
)
from GliomaAILib.output.pdf_text import Fonts
from GliomaAILib.output.tables import SEQUENCE_NAMES

_GAP = 0.5 * mm
_MARK_SIZE = 6.5
_CAPTION_SIZE = 6.5
_CAPTION_HEIGHT = 4 * mm
_HEADING_HEIGHT = 4 * mm
_GRID_HEIGHT = 150 * mm
"""The key images are made smaller where they would be higher."""
_STRIP_HEIGHT = 56 * mm
_SOFT = HexColor("#566573")


class Frame:
    """A slice's place on the page: turns mm of the slice into points."""

    def __init__(self, canvas: Any, cut: pictures.Slice, left: float, top: float) -> None:
        self.canvas, self.cut, self.left, self.top = canvas, cut, left, top
        self.scale = 1.0

    def fit(self, width: float) -> "Frame":
        self.scale = width / self.cut.width
        return self

    def x(self, value_mm: float) -> float:
        return self.left + value_mm * self.scale

    def y(self, value_mm: float) -> float:
        return self.top - value_mm * self.scale

    def picture(self, picture: pictures.Picture) -> None:
        size = self.cut.width * self.scale, self.cut.height * self.scale
        place = self.left, self.top - size[1]
        self.canvas.drawImage(ImageReader(io.BytesIO(picture.jpeg)), *place, *size)

    def outlines(self) -> None:
        canvas = self.canvas
        for outline in self.cut.outlines:
            path = canvas.beginPath()
            for ring in outline.rings:
                path.moveTo(self.x(ring[0][0]), self.y(ring[0][1]))
                for px, py in ring[1:]:
                    path.lineTo(self.x(px), self.y(py))
                path.close()
            canvas.setFillColor(HexColor(outline.colour), alpha=0.14)
            canvas.setStrokeColor(HexColor(outline.colour))
            canvas.setLineWidth(0.6)
            canvas.drawPath(path, stroke=1, fill=1, fillMode=0)
        canvas.setFillColor(black, alpha=1)

    def rims(self) -> None:
        """The tumour's outer lines alone, so that what lies under them is seen."""
        canvas = self.canvas
        canvas.setStrokeColor(white)
        canvas.setLineWidth(0.4)
        for outline in self.cut.outlines:
            for ring in outline.rings:
                path = canvas.beginPath()
                path.moveTo(self.x(ring[0][0]), self.y(ring[0][1]))
                for px, py in ring[1:]:
                    path.lineTo(self.x(px), self.y(py))
                path.close()
                canvas.drawPath(path, stroke=1, fill=0)

    def line(self, ends: tuple[float, float, float, float]) -> None:
        for colour, width in ((black, 2.2), (white, 1.0)):
            self.canvas.setStrokeColor(colour)
            self.canvas.setLineWidth(width)
            x1, y1, x2, y2 = ends
            self.canvas.line(self.x(x1), self.y(y1), self.x(x2), self.y(y2))

    def words(self, text: str, place_mm: tuple[float, float], font: str, align: float = 0) -> None:
        """White words with a dark rim; `align` 0 begins, 0.5 centres and 1 ends at the place."""
        canvas = self.canvas
        width = canvas.stringWidth(text, font, _MARK_SIZE)
        x, y = self.x(place_mm[0]) - align * width, self.y(place_mm[1])
        for mode, colour in ((1, black), (0, white)):
            canvas.saveState()
            canvas.setLineWidth(1.2)
            canvas.setStrokeColor(colour)
            canvas.setFillColor(colour)
            canvas.setFont(font, _MARK_SIZE)
            canvas.drawString(x, y, text, mode=mode)
            canvas.restoreState()

    def marks(self, fonts: Fonts) -> None:
        middle = self.cut.height / 2
        self.words(self.cut.left_mark, (3, middle), fonts.bold)
        self.words(self.cut.right_mark, (self.cut.width - 3, middle), fonts.bold, 1)

    def bar(self, fonts: Fonts) -> None:
        right, low = self.cut.width - 6, self.cut.height - 8
        left = right - pictures.SCALE_BAR_MM
        self.line((left, low, right, low))
        label = f"{pictures.SCALE_BAR_MM // 10} cm"
        self.words(label, ((left + right) / 2, low - 3), fonts.regular, 0.5)


class KeyGrid(Flowable):  # type: ignore[misc]
    """Three planes of four sequences on black."""

    def __init__(self, content: ReportContent, fonts: Fonts, width: float) -> None:
        super().__init__()
        self._content, self._fonts, self._full = content, fonts, width
        ratios = [row.cut.height / row.cut.width for row in content.rows]
        columns = len(content.rows[0].images)
        widest = (width - (columns + 1) * _GAP) / columns
        self._cell = min(widest, _GRID_HEIGHT / sum(ratios))
        self._heights = [self._cell * ratio for ratio in ratios]
        self.width = columns * self._cell + (columns + 1) * _GAP
        gaps = (len(ratios) + 1) * _GAP
        self.height = sum(self._heights) + gaps + _HEADING_HEIGHT
        self.hAlign = "CENTER"

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        canvas = self.canv
        canvas.setFillColor(black)
        canvas.rect(0, 0, self.width, self.height, stroke=0, fill=1)
        top = self.height - _HEADING_HEIGHT
        for column, (name, _) in enumerate(self._content.rows[0].images):
            middle = _GAP + column * (self._cell + _GAP) + self._cell / 2
            canvas.setFillColor(white)
            canvas.setFont(self._fonts.regular, 7.5)
            canvas.drawCentredString(middle, top + 1.2 * mm, SEQUENCE_NAMES[name])
        for row, height in zip(self._content.rows, self._heights, strict=True):
            shown = [column for column, (_, picture) in enumerate(row.images) if picture]
            for column, (_, picture) in enumerate(row.images):
                left = _GAP + column * (self._cell + _GAP)
                frame = Frame(canvas, row.cut, left, top).fit(self._cell)
                self._draw_cell(frame, picture, first=column in shown[:1])
            top -= height + _GAP

    def _draw_cell(self, frame: Frame, picture: pictures.Picture | None, first: bool) -> None:
        cut = frame.cut
        if picture is None:
            place = (cut.width / 2, cut.height / 2)
            frame.words("not in this study", place, self._fonts.regular, 0.5)
            return
        frame.picture(picture)
        frame.outlines()
        frame.marks(self._fonts)
        if first:
            frame.words(cut.plane, (3, 9), self._fonts.regular)
            frame.bar(self._fonts)


class Strip(Flowable):  # type: ignore[misc]
    """3D views, diameters and uncertainty beside each other."""

    def __init__(self, content: ReportContent, fonts: Fonts, width: float) -> None:
        super().__init__()
        self._fonts, self._reference = fonts, content.assessment.reference
        one = (content.diameters, content.uncertainty)
        self._parts = [*content.surfaces, *(part for part in one if part is not None)]
        gaps = 2 * mm * (len(self._parts) - 1)
        ratios = [_ratio(part) for part in self._parts]
        self._height = min(_STRIP_HEIGHT, (width - gaps) / sum(ratios))
        self._widths = [self._height * ratio for ratio in ratios]
        self.width = sum(self._widths) + gaps
        self.height = self._height + _CAPTION_HEIGHT

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return self.width, self.height

    def draw(self) -> None:
        left = 0.0
        for part, width in zip(self._parts, self._widths, strict=True):
            self._draw_part(part, left, width)
            left += width + 2 * mm

    def _draw_part(
        self, part: SurfacePicture | DiameterPicture | UncertaintyPicture, left: float, width: float
    ) -> None:
        canvas, top = self.canv, self.height
        if isinstance(part, SurfacePicture):
            self._draw_surface(part, left, width)
            return
        frame = Frame(canvas, part.cut, left, top).fit(width)
        frame.picture(part.picture)
        if isinstance(part, DiameterPicture):
            frame.outlines()
            for line in part.lines:
                frame.line(line)
            frame.bar(self._fonts)
            self._caption(f"Diameters of {part.region} on {SEQUENCE_NAMES[self._reference]}", left)
        else:
            scale = f"{pictures.ENTROPY_SCALE_BITS:.0f} bit"
            used = self._caption("Entropy 0", left)
            self._ramp(left + used + 1 * mm)
            self._caption(scale, left + used + 14 * mm)
        frame.marks(self._fonts)

    def _draw_surface(self, part: SurfacePicture, left: float, width: float) -> None:
        canvas, base = self.canv, _CAPTION_HEIGHT
        reader = ImageReader(io.BytesIO(part.picture.jpeg))
        canvas.drawImage(reader, left, base, width, self._height)
        canvas.setFillColor(_SOFT)
        canvas.setFont(self._fonts.bold, 7)
        middle = base + self._height / 2
        canvas.drawString(left, middle, part.view.left_mark)
        canvas.drawRightString(left + width, middle, part.view.right_mark)
        self._caption(f"3D view {part.view.name}", left)

    def _caption(self, text: str, left: float) -> float:
        self.canv.setFillColor(_SOFT)
        self.canv.setFont(self._fonts.regular, _CAPTION_SIZE)
        self.canv.drawString(left, 1 * mm, text)
        width: float = self.canv.stringWidth(text, self._fonts.regular, _CAPTION_SIZE)
        return width

    def _ramp(self, left: float) -> None:
        stops = pictures.entropy_stops()
        colours: Sequence[Any] = [HexColor(f"#{r:02x}{g:02x}{b:02x}") for _, (r, g, b) in stops]
        canvas, width, height = self.canv, 12 * mm, 2 * mm
        canvas.saveState()
        clip = canvas.beginPath()
        clip.rect(left, 0.8 * mm, width, height)
        canvas.clipPath(clip, stroke=0, fill=0)
        positions = [at for at, _ in stops]
        canvas.linearGradient(left, 0, left + width, 0, colours, positions, extend=False)
        canvas.restoreState()


def _ratio(part: SurfacePicture | DiameterPicture | UncertaintyPicture) -> float:
    if isinstance(part, SurfacePicture):
        return part.picture.width / part.picture.height
    return part.cut.width / part.cut.height
