"""`report.pdf`: the report on A4 paper, with the content of `report.html`."""

import io
from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.findings import Finding, Severity
from gliomaai_training.vocabulary import NOTICE
from GliomaAILib.output.colours import SEVERITY_COLOURS
from GliomaAILib.output.content import (
    CAUTION,
    ESTIMATE_CAUTION,
    TITLE,
    NetworkCard,
    ReportContent,
)
from GliomaAILib.output.explained import ExplanationCard
from GliomaAILib.output.pdf_text import LONGEST_CELL, Fonts, fonts
from GliomaAILib.output.tables import LABEL_NAMES, SEVERITY_WORDS, SWATCHES, Row, Table

MM = 72 / 25.4
_MARGIN = 11 * MM
_FOOT = 13 * MM
_COLUMN_GAP = 6 * MM
_INK, _SOFT, _LINE = "#16212b", "#566573", "#d9dfe5"
_ACCENT, _WASH, _NOTICE_WASH = "#17496b", "#f4f7f9", "#fff6e0"
_TIGHT = (
    ("TOPPADDING", (0, 0), (-1, -1), 1),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
    ("LEFTPADDING", (0, 0), (0, -1), 1),
)
_OTHER_COLUMNS = 0.8
"""The share of a table's width that columns after the first may take together."""
_SOURCE_SHARES = (0.13, 0.24, 0.06, 0.33, 0.07, 0.17)


def report_pdf(content: ReportContent) -> bytes:
    """The report as PDF; the same content gives the same bytes. Fonts are embedded."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    stream = io.BytesIO()
    document = SimpleDocTemplate(
        stream,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_FOOT + 3 * MM,
        title=f"GliomaAI report {content.study}",
        author="GliomaAI",
        subject=NOTICE,
        lang="en",
        invariant=1,
    )
    # The frame has 6 points of padding on each side.
    page = _Page(content, fonts(), document.width - 12)
    document.build(page.story(), onFirstPage=page.furniture, onLaterPages=page.furniture)
    return stream.getvalue()


class _Page:
    """Lays the content out."""

    def __init__(self, content: ReportContent, type_: Fonts, width: float) -> None:
        self._content, self._fonts, self._width = content, type_, width

    def story(self) -> list[Any]:
        from reportlab.platypus import KeepTogether

        content = self._content
        shape = ", diameters" if content.diameters else ""
        unsure = " and uncertainty" if content.uncertainty else ""
        pictures = [
            self._title("Key images"),
            self._legend(),
            self._key_images(),
            self._text(content.convention, 6.5, _SOFT),
        ]
        shapes = [self._title(f"Shape{shape}{unsure}"), self._strip()]
        return [
            *self._head(),
            *self._findings(content.assessment.findings),
            KeepTogether(pictures),
            KeepTogether(shapes),
            *self._estimates(),
            self._two_columns(),
            self._title(content.sources.title),
            self._table(content.sources, self._width, _SOURCE_SHARES),
            *self._provenance(),
            self._box(CAUTION, NOTICE),
        ]

    def furniture(self, canvas: Any, document: Any) -> None:
        """What stands on every page: whose work, which study, and what it is not for."""
        from reportlab.lib.colors import HexColor

        left, right = document.leftMargin + 6, document.pagesize[0] - document.rightMargin - 6
        version = self._content.assessment.provenance.gliomaai_version
        canvas.saveState()
        canvas.setStrokeColor(HexColor(_LINE))
        canvas.setLineWidth(0.5)
        canvas.line(left, _FOOT, right, _FOOT)
        canvas.setFillColor(HexColor(_INK))
        canvas.setFont(self._fonts.bold, 7)
        canvas.drawString(left, _FOOT - 9, NOTICE)
        canvas.setFillColor(HexColor(_SOFT))
        canvas.setFont(self._fonts.regular, 6.5)
        study = f"GliomaAI {version} · study {self._content.study}"
        canvas.drawString(left, _FOOT - 18, self._fonts.printable(study))
        canvas.drawRightString(right, _FOOT - 18, f"Page {document.page}")
        canvas.restoreState()

    def _style(
        self, size: float, colour: str = _INK, bold: bool = False, right: bool = False
    ) -> Any:
        from reportlab.lib.colors import HexColor
        from reportlab.lib.styles import ParagraphStyle

        return ParagraphStyle(
            f"{size}{colour}{bold}{right}",
            fontName=self._fonts.bold if bold else self._fonts.regular,
            fontSize=size,
            leading=size * 1.25,
            textColor=HexColor(colour),
            alignment=2 if right else 0,
        )

    def _text(self, text: str, size: float, colour: str = _INK, bold: bool = False) -> Any:
        return self._fonts.paragraph(text, self._style(size, colour, bold))

    def _title(self, text: str, mark: str = "") -> Any:
        style = self._style(9, _ACCENT, bold=True)
        style.spaceBefore, style.spaceAfter, style.keepWithNext = 6, 2, 1
        paragraph = self._fonts.paragraph(text + (f"  ({mark})" if mark else ""), style)
        return paragraph

    def _head(self) -> list[Any]:
        return [
            self._text(TITLE, 13.5, bold=True),
            self._text(self._content.heading, 7.5, _SOFT),
            self._box("", NOTICE),
            self._cards(),
        ]

    def _box(self, text: str, strong: str) -> Any:
        from reportlab.lib.colors import HexColor

        bold = f'<font name="{self._fonts.bold}">{strong}</font> '
        cell = self._fonts.paragraph(text, self._style(7.5), bold)
        style = [
            ("BACKGROUND", (0, 0), (-1, -1), HexColor(_NOTICE_WASH)),
            ("LINEBEFORE", (0, 0), (0, -1), 2.5, HexColor("#c98a00")),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ]
        return self._grid([[cell]], [self._width], style, space=5)

    def _cards(self) -> Any:
        from reportlab.lib.colors import HexColor, white

        cards = self._content.cards
        shares = [1.0, 1.0, 1.0, 1.35, 1.35] if len(cards) == 5 else [1.0] * len(cards)
        cells = []
        for card in cards:
            size = 12 if card.unit or len(cards) == 1 else 9.5
            value = f"{card.value} {card.unit}".strip()
            cells.append(
                [
                    self._text(card.what, 6.5, _SOFT),
                    self._text(value, size, bold=True),
                    self._text(card.detail, 6.5, _SOFT),
                ]
            )
        style = [
            ("BACKGROUND", (0, 0), (-1, -1), HexColor(_WASH)),
            ("INNERGRID", (0, 0), (-1, -1), 3, white),
            ("LEFTPADDING", (0, 0), (-1, -1), 5),
            ("TOPPADDING", (0, 0), (-1, -1), 3),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 4),
        ]
        widths = [self._width * share / sum(shares) for share in shares]
        return self._grid([cells], widths, style, space=3)

    def _findings(self, findings: Sequence[Finding]) -> list[Any]:
        if not findings:
            return []
        rows = [[self._severity(one.severity), self._finding(one)] for one in findings]
        widths = [17 * MM, self._width - 17 * MM]
        return [self._title("Findings"), self._grid(rows, widths, _TIGHT)]

    def _severity(self, severity: Severity) -> Any:
        return self._text(SEVERITY_WORDS[severity], 7.5, SEVERITY_COLOURS[severity], bold=True)

    def _finding(self, finding: Finding) -> Any:
        return self._text(f"{finding.message} {finding.action}", 7.5)

    def _legend(self) -> Any:
        swatches = "   ".join(
            f'<font color="{SWATCHES[name]}">■</font> {LABEL_NAMES[name]} ({name})'
            for name in ("ET", "NCR", "ED")
        )
        style = self._style(7, _SOFT)
        style.spaceAfter = 2
        return self._fonts.paragraph("", style, swatches)

    def _key_images(self) -> Any:
        from GliomaAILib.output.pdf_pictures import KeyGrid

        return KeyGrid(self._content, self._fonts, self._width)

    def _strip(self) -> Any:
        from GliomaAILib.output.pdf_pictures import Strip

        return Strip(self._content, self._fonts, self._width)

    def _estimates(self) -> list[Any]:
        from reportlab.platypus import KeepTogether

        from GliomaAILib.output.pdf_charts import ProbabilityBars, SurvivalCurves

        content, width = self._content, (self._width - _COLUMN_GAP) / 2
        charts: list[list[Any]] = []
        if content.probabilities:
            bars = ProbabilityBars(content.probabilities, len(WHO_STATES), self._fonts, width)
            notes = self._captions(content.diagnosis_notes)
            charts.append([self._title("Diagnosis", content.diagnosis_mark), bars, *notes])
        if content.survival is not None:
            curves = SurvivalCurves(content.survival, self._fonts, width)
            worth = [self._text(content.imaging_adds, 7)] if content.imaging_adds else []
            charts.append([self._title("Prognosis", "estimate"), curves, *worth])
        story: list[Any] = []
        if charts:
            story.append(self._beside([*charts, *([[]] * (2 - len(charts)))]))
        if content.network is not None:
            story += self._network(content.network)
        if content.survival_table is not None:
            story += self._titled(content.survival_table, self._width)
            story += self._captions(content.prognosis_notes)
        if content.explanation is not None:
            story += self._explanation(content.explanation)
        for table in content.estimate_tables:
            story.append(KeepTogether(self._titled(table, self._width)))
        story += self._captions(content.not_estimated)
        said = charts or content.network is not None
        return [*story, self._box(ESTIMATE_CAUTION, NOTICE)] if said else story

    def _network(self, card: NetworkCard) -> list[Any]:
        from reportlab.platypus import KeepTogether

        from GliomaAILib.output.pdf_charts import ProbabilityBars

        width = (self._width - _COLUMN_GAP) / 2
        first, *others = card.notes
        notes = [self._text(first, 7), *self._captions(others)]
        title = self._title(card.title, card.mark)
        if not card.rows:
            return [KeepTogether([title, *notes])]
        bars = ProbabilityBars(card.rows, card.states, self._fonts, width)
        return [KeepTogether([title, self._beside([[bars], notes])])]

    def _explanation(self, card: ExplanationCard) -> list[Any]:
        from reportlab.platypus import KeepTogether

        from GliomaAILib.output.pdf_explanation import AnswerRow

        rows = [AnswerRow(one, self._fonts, self._width) for one in card.answers]
        title = self._title(card.title, card.mark)
        return [KeepTogether([title, *rows[:1]]), *rows[1:], *self._captions(card.notes)]

    def _captions(self, lines: Sequence[str]) -> list[Any]:
        return [self._text(line, 6.5, _SOFT) for line in lines]

    def _titled(self, table: Table, width: float) -> list[Any]:
        parts = [self._title(table.title, table.mark), self._table(table, width)]
        return [*parts, *self._captions([table.caption] if table.caption else [])]

    def _two_columns(self) -> Any:
        width = (self._width - _COLUMN_GAP) / 2
        return self._beside(
            [
                [part for table in column for part in self._titled(table, width)]
                for column in self._content.columns
            ]
        )

    def _beside(self, cells: Sequence[list[Any]]) -> Any:
        """Two columns."""
        width = (self._width - _COLUMN_GAP) / 2
        bare = [
            ("LEFTPADDING", (0, 0), (-1, -1), 0),
            ("RIGHTPADDING", (0, 0), (0, 0), _COLUMN_GAP),
            ("RIGHTPADDING", (1, 0), (1, 0), 0),
        ]
        return self._grid([list(cells)], [width + _COLUMN_GAP, width], bare)

    def _table(self, table: Table, width: float, shares: Sequence[float] = ()) -> Any:
        from reportlab.lib.colors import HexColor

        body = [self._cells(row, table) for row in table.rows]
        style: list[Any] = [
            ("LINEBELOW", (0, 0), (-1, -1), 0.4, HexColor(_LINE)),
            ("TOPPADDING", (0, 0), (-1, -1), 1),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5),
            ("LEFTPADDING", (0, 0), (-1, -1), 1),
            ("RIGHTPADDING", (0, 0), (-1, -1), 4),
        ]
        if table.columns:
            heading = Row(table.columns, minor=True)
            body.insert(0, self._cells(heading, table))
        shares = shares or table.shares
        widths = [width * share for share in shares] if shares else self._widths(table, width)
        return self._grid(body, widths, style, repeat=1 if table.columns else 0)

    def _widths(self, table: Table, width: float) -> list[float]:
        """What the later columns need, within limits; the first has the rest."""
        from reportlab.pdfbase.pdfmetrics import stringWidth

        later = list(zip(*(row.cells for row in table.rows), strict=True))[1:]
        headings = [name.split() for name in table.columns[1:]]  # they may break between words
        most = width * _OTHER_COLUMNS / max(1, len(later), len(headings))
        texts = zip_longest(later, headings, fillvalue=())
        needed = [
            max(stringWidth(text, self._fonts.regular, 7) for text in [*cells, *words]) + 8
            for cells, words in texts
        ]
        kept = [min(most, one) for one in needed]
        return [width - sum(kept), *kept]

    def _cells(self, row: Row, table: Table) -> list[Any]:
        cells = []
        for index, text in enumerate(row.cells):
            right = index in table.numbers
            style = self._style(7, _SOFT if row.minor else _INK, right=right)
            before = f'<font color="{row.swatch}">■</font> ' if row.swatch and index == 0 else ""
            cells.append(self._fonts.paragraph(text, style, before, LONGEST_CELL))
        return cells

    def _provenance(self) -> list[Any]:
        lines = self._content.provenance
        rows = [[self._text(name, 7, _SOFT), self._text(text, 7)] for name, text in lines]
        return [self._grid(rows, [22 * MM, self._width - 22 * MM], _TIGHT, space=4)]

    def _grid(
        self,
        cells: Sequence[Sequence[Any]],
        widths: Sequence[float],
        style: Sequence[Any],
        space: float = 0,
        repeat: int = 0,
    ) -> Any:
        from reportlab.platypus import Table as Grid

        top = ("VALIGN", (0, 0), (-1, -1), "TOP")
        return Grid(
            [list(row) for row in cells],
            colWidths=list(widths),
            style=[top, *style],
            repeatRows=repeat,
            spaceBefore=space,
            spaceAfter=space,
            hAlign="LEFT",
        )
