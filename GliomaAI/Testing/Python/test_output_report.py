"""The report: self-contained, safe, and telling what it must."""

import base64
import io
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from assessment_makers import HOSTILE, assessment_with, grid_of, template_assessment
from PIL import Image

from gliomaai_training.findings import Severity
from gliomaai_training.vocabulary import NOTICE, Label
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.intake.case import Source
from GliomaAILib.output.colours import LABEL_COLOURS, SEVERITY_COLOURS, rgb
from GliomaAILib.output.content import TITLE, report_content
from GliomaAILib.output.key_images import key_images
from GliomaAILib.output.report import report_html
from GliomaAILib.output.surface_view import make_scene, render, views_of


@pytest.fixture(scope="module")
def assessment() -> Assessment:
    return template_assessment()


@pytest.fixture(scope="module")
def html(assessment: Assessment) -> str:
    return report_html(report_content(assessment))


class Elements(HTMLParser):
    """Collects tags with their attributes and checks that they nest."""

    VOID = ("meta", "img", "input", "br")

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if self.open.pop() != tag:
            raise ValueError(f"{tag} closes another element")


def elements(html: str) -> Elements:
    parser = Elements()
    parser.feed(html)
    return parser


def test_report_is_well_formed_and_self_contained(html: str) -> None:
    parsed = elements(html)
    assert parsed.open == []
    tags = {tag for tag, _ in parsed.found}
    assert not tags & {"script", "link", "iframe", "object", "base"}
    for _, attributes in parsed.found:
        for name in ("src", "href"):
            if name in attributes:
                assert (attributes[name] or "").startswith("data:image/")
    assert "url(" not in html
    assert "@import" not in html


def test_report_shows_what_it_must(html: str, assessment: Assessment) -> None:
    assert html.count(NOTICE) == 2
    images = [a for tag, a in elements(html).found if tag == "image"]
    assert len(images) == 12 + 2  # three planes of four sequences, diameters, uncertainty
    assert sum(tag == "img" for tag, _ in elements(html).found) == 2  # 3D views
    assert f"<h1>{TITLE}</h1>" in html
    for words in ("Whole tumour", "Radiological convention", "Provenance", "5 cm", "approximate"):
        assert words in html
    assert f"{assessment.measures.volumes_ml['WT']:.1f}" in html
    assert assessment.sources["t1"].sha256[:16] in html


def test_report_prints_on_a4(html: str) -> None:
    assert re.search(r"@page\s*{\s*size:\s*A4", html)
    assert "print-color-adjust: exact" in html


def test_what_comes_from_outside_is_escaped(assessment: Assessment) -> None:
    nasty = Source(
        ("<script>",), "0" * 64, "DICOM", "<script>alert(1)</script>", 1.0, ('"><img src=x>',)
    )
    hostile = replace(
        assessment_with(assessment, HOSTILE), sources={**assessment.sources, "t1": nasty}
    )
    html = report_html(report_content(hostile))
    assert "<script" not in html
    assert "<img src=x" not in html
    assert "<b>action" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html


def test_findings_carry_their_severity_in_words(assessment: Assessment) -> None:
    every = [replace(HOSTILE, severity=severity) for severity in Severity]
    html = report_html(report_content(assessment_with(assessment, *every)))
    for word in ("Note.", "Warning.", "Blocking."):
        assert f"<strong>{word}</strong>" in html


def test_a_report_without_tumour_says_so() -> None:
    html = report_html(report_content(template_assessment(None)))
    assert "No tumour was found" in html
    assert elements(html).open == []


def test_missing_sequences_leave_a_marked_place() -> None:
    html = report_html(report_content(template_assessment(sequences=("t1gd", "flair"))))
    assert html.count("not in this study") == 6
    assert html.count("5 cm") == 3 + 1  # once in each plane, and with the diameters


def test_key_images_cut_where_the_tumour_is_largest(assessment: Assessment) -> None:
    grid = assessment.prepared.grid
    images = key_images(assessment.prepared, assessment.labels)
    index = np.linalg.inv(grid.ijk_to_ras) @ [30.0, 30.0, 20.0, 1.0]
    for cut, expected in zip(images.slices, (index[2], index[1], index[0]), strict=True):
        assert cut.index == pytest.approx(expected, abs=1)
        assert {outline.label for outline in cut.outlines} == {Label.NCR, Label.ED, Label.ET}


def test_outlines_lie_on_the_patients_own_side(assessment: Assessment) -> None:
    # The tumour is on the patient's right, so on the left of an axial picture, in its front.
    axial = key_images(assessment.prepared, assessment.labels).slices[0]
    assert (axial.left_mark, axial.right_mark) == ("R", "L")
    numbers = re.findall(r"[\d.]+,[\d.]+", axial.outlines[0].path)
    x, y = np.array([pair.split(",") for pair in numbers], float).mean(axis=0)
    assert x < axial.width / 2
    assert y < axial.height / 2


def test_pictures_can_be_opened(html: str) -> None:
    for encoded in re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", html):
        picture = Image.open(io.BytesIO(base64.b64decode(encoded)))
        assert np.asarray(picture.convert("L")).std() > 1


def test_3d_view_shows_the_tumour_on_its_side(assessment: Assessment) -> None:
    scene = make_scene(assessment.labels, assessment.prepared.brain_mask)
    front = render(scene, views_of("right")["front"]).astype(float)
    yellow = np.minimum(front[..., 0], front[..., 1]) - front[..., 2]
    rows, columns = np.nonzero(yellow > 60)
    assert len(columns) > 50
    assert columns.mean() < front.shape[1] / 2  # the patient's right is on the viewer's left
    assert rows.mean() < front.shape[0] / 2


def test_3d_view_of_nothing_is_white() -> None:
    grid = grid_of((8, 8, 8))
    empty = grid.image(np.zeros((8, 8, 8), np.uint8))
    assert (render(make_scene(empty, empty), views_of(None)["front"]) == 255).all()


def luminance(colour: str) -> float:
    channels = np.array(rgb(colour)) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_colours_can_be_read_and_told_apart() -> None:
    for colour in SEVERITY_COLOURS.values():
        assert 1.05 / (luminance(colour) + 0.05) >= 4.5  # WCAG 2 AA on white
    bright = sorted(luminance(colour) for colour in LABEL_COLOURS.values())
    assert bright[2] - bright[1] > 0.2
    assert len(set(LABEL_COLOURS.values())) == 3
