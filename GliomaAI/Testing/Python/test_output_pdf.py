"""The PDF report: the same content as the web page, printable, whatever its texts hold."""

import io
import re
from dataclasses import replace

import pytest
import SimpleITK as sitk
from assessment_makers import HOSTILE, assessment_with, template_assessment
from hypothesis import given, settings
from hypothesis import strategies as st

from gliomaai_training.preprocessing.geometry import Grid
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.reassess import reassess
from GliomaAILib.intake.case import Source
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.output import pdf_text
from GliomaAILib.output.content import ReportContent, report_content
from GliomaAILib.output.pdf import report_pdf
from GliomaAILib.output.pdf_text import fonts
from GliomaAILib.output.report import report_html
from GliomaAILib.output.tables import Table

FACTS = ClinicalFacts(54, "M", 90, "subtotal", "wild-type", "intact", 4)


@pytest.fixture(scope="module")
def assessment() -> Assessment:
    original = template_assessment()
    array = sitk.GetArrayFromImage(original.segmentation)
    array[array == 1] = 3
    return reassess(original, Grid.of(original.segmentation).image(array), FACTS)


@pytest.fixture(scope="module")
def content(assessment: Assessment) -> ReportContent:
    return report_content(assessment)


def pages(pdf: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", pdf))


def test_it_is_a_pdf_on_a4_with_its_fonts_inside(content: ReportContent) -> None:
    pdf = report_pdf(content)
    assert pdf.startswith(b"%PDF-")
    assert b"595.2756 841.8898" in pdf
    assert pdf.count(b"/FontFile2") == 2
    assert pages(pdf) >= 2
    # Two contrasts in three planes, diameters or uncertainty, and two views; same ones are shared.
    assert pdf.count(b"/Subtype /Image") >= 3 * 2 + 1 + 2
    assert b"/JavaScript" not in pdf


def test_the_same_content_gives_the_same_bytes(content: ReportContent) -> None:
    assert report_pdf(content) == report_pdf(content)


def test_both_reports_tell_the_same(content: ReportContent) -> None:
    html = report_html(content)
    tables: list[Table] = [*content.columns[0], *content.columns[1], content.sources]
    assert {t.title for t in tables} >= {"Clinical facts", "Correction by hand", "Volumes"}
    for table in tables:
        for row in table.rows:
            assert all(cell in html for cell in row.cells)
    for words in ("54 years", "90 of 100", "wild-type", "subtotal", "voxels added"):
        assert words in html


def test_texts_from_outside_are_no_markup_and_never_stop_it(assessment: Assessment) -> None:
    nasty = "<b>x</b> & \x00 \u6c34 \U0001f9e0 \u202e</para>" + "W" * 4000
    source = Source((nasty,), "0" * 64, "DICOM", nasty, 1.0, (nasty,) * 3)
    finding = replace(HOSTILE, message=nasty, action=nasty)
    hostile = replace(
        assessment_with(assessment, *[finding] * 12),
        sources=dict.fromkeys(assessment.sources, source),
    )
    assert pages(report_pdf(report_content(hostile))) >= 3


@given(st.text(max_size=40))
@settings(deadline=None, max_examples=40)
def test_every_sign_prints_or_is_seen_to_be_missing(text: str) -> None:
    shown = fonts().printable(text)
    assert len(shown) == len(text)
    for sign, drawn in zip(text, shown, strict=True):
        assert drawn == sign or drawn in " □?"


def test_other_alphabets_print() -> None:
    for text in ("Étude n° 1", "Łódź", "Größe"):
        assert fonts().printable(text) == text
    assert fonts().printable("水") == "□"


def test_without_the_wider_font_it_still_prints(
    content: ReportContent, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = pdf_text._package
    monkeypatch.setattr(
        pdf_text, "_package", lambda name: real("reportlab" if name == "matplotlib" else name)
    )
    fonts.cache_clear()
    try:
        assert report_pdf(content).startswith(b"%PDF-")
        assert fonts().printable("水") in "□?"
    finally:
        fonts.cache_clear()


def test_a_report_without_tumour_or_uncertainty_is_complete() -> None:
    nothing = replace(template_assessment(None, sequences=("flair",)), entropy=None)
    content = report_content(nothing)
    assert pages(report_pdf(content)) >= 1
    html = report_html(content)
    assert "No tumour was found" in html
    assert "Entropy" not in html


def test_pictures_can_be_drawn_by_a_reader(content: ReportContent) -> None:
    pdfium = pytest.importorskip("pypdfium2", reason="needs pypdfium2 to draw pages")
    document = pdfium.PdfDocument(io.BytesIO(report_pdf(content)))
    for page in document:
        text = page.get_textpage().get_text_range()
        assert "Research use only" in text
        assert f"study {content.study}" in text
