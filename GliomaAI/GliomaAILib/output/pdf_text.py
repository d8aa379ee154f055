"""Type for `report.pdf`: embedded fonts, and text that prints whatever it holds."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import Paragraph

LONGEST_TEXT = 3000
LONGEST_CELL = 800
"""Characters of a text as wide as the page, and in a table; a row that is higher than a page could
not be printed."""

_BASIC_PLANE = 0xFFFF
_NAMES = ("GliomaAIReport", "GliomaAIReport-Bold")


@dataclass(frozen=True)
class Fonts:
    """The regular and the bold font by the names under which the PDF library knows them."""

    regular: str
    bold: str
    known: frozenset[int]
    """Code points that both can show."""

    def printable(self, text: str, longest: int = LONGEST_TEXT) -> str:
        """The text with a box, or a question mark, for each sign that the fonts do not have."""
        stand_in = "□" if ord("□") in self.known else "?"
        if len(text) > longest:
            text = text[: longest - 1] + "…"
        signs = (" " if sign.isspace() else sign for sign in text)
        return "".join(sign if self._has(sign) else stand_in for sign in signs)

    def paragraph(
        self, text: str, style: "ParagraphStyle", before: str = "", longest: int = LONGEST_TEXT
    ) -> "Paragraph":
        """A paragraph of plain text.

        Args:
            text: from anywhere; nothing in it is taken for markup.
            style: of the paragraph.
            before: markup of our own in front of it.
            longest: characters that are shown.
        """
        from reportlab.platypus import Paragraph

        return Paragraph(before + escape(self.printable(text, longest)), style)

    def _has(self, sign: str) -> bool:
        return ord(sign) <= _BASIC_PLANE and ord(sign) in self.known and sign.isprintable()


@lru_cache(maxsize=1)
def fonts() -> Fonts:
    """Registers the fonts: DejaVu Sans, which matplotlib ships, else reportlab's own Vera.

    DejaVu is Vera with more alphabets (Greek and Cyrillic among them), so both look alike.
    """
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    files = _files()
    known = []
    for name, file in zip(_NAMES, files, strict=True):
        font = TTFont(name, str(file))
        pdfmetrics.registerFont(font)
        known.append(frozenset(font.face.charToGlyph))
    regular, bold = _NAMES
    pdfmetrics.registerFontFamily(
        regular, normal=regular, bold=bold, italic=regular, boldItalic=bold
    )
    return Fonts(regular, bold, known[0] & known[1])


def _files() -> tuple[Path, Path]:
    dejavu = _package("matplotlib") / "mpl-data" / "fonts" / "ttf"
    wide = dejavu / "DejaVuSans.ttf", dejavu / "DejaVuSans-Bold.ttf"
    if all(file.is_file() for file in wide):
        return wide
    vera = _package("reportlab") / "fonts"
    return vera / "Vera.ttf", vera / "VeraBd.ttf"


def _package(name: str) -> Path:
    """The folder of a package that is not imported for it; an empty path where there is none."""
    found = find_spec(name)
    places = (found.submodule_search_locations if found else None) or [""]
    return Path(next(iter(places)))
