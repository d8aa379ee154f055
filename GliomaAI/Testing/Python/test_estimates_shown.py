"""Diagnosis and prognosis of a case in every kind of output."""

import io
import json

import jsonschema
import pytest
from estimated_cases import KNOWN, PARTLY, WOMAN, document_of, of

from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.estimate import EstimateModels, estimated
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.output.cohort_table import cohort_row
from GliomaAILib.output.content import report_content
from GliomaAILib.output.document import schema
from GliomaAILib.output.pdf import report_pdf
from GliomaAILib.output.report import report_html
from GliomaAILib.terminal import summary


def test_the_document_follows_its_schema(bare: Assessment, models: EstimateModels) -> None:
    for facts in (WOMAN, KNOWN, PARTLY, ClinicalFacts()):
        document = document_of(of(bare, facts, models))
        assert document["schema_version"] == "1.5"
    diagnosis = document_of(of(bare, KNOWN, models))
    prognosis = document_of(of(bare, WOMAN, models))
    assert diagnosis["diagnosis"]["indeterminate"] is False
    assert [one["model"]["inputs"] for one in prognosis["prognosis"]["estimates"]] == [
        "clinical",
        "clinical+imaging",
    ]
    broken = json.loads(json.dumps(prognosis))
    broken["prognosis"]["estimates"][0]["survival"][0] = 1.5
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema())


def test_the_cohort_s_line_holds_the_estimates(bare: Assessment, models: EstimateModels) -> None:
    document = document_of(of(bare, WOMAN, models))
    row = cohort_row("case-1", document)
    at = document["prognosis"]["estimates"][1]["at_months"]["24"]
    assert float(row["imaging_survival_24_months"]) == at["survival"]
    assert float(row["probability_GBM"]) == document["diagnosis"]["states"]["GBM"]
    assert (row["who_state"], row["prognosis_role"]) == ("indeterminate", "preoperative")
    assert row["clinical_model"] == "Before surgery, age and sex"
    older = {k: v for k, v in document.items() if k not in ("diagnosis", "prognosis")}
    assert cohort_row("case-1", older)["imaging_points"] == ""


def test_reports_show_the_estimates(bare: Assessment, models: EstimateModels) -> None:
    content = report_content(of(bare, WOMAN, models))
    html = report_html(content)
    for words in (
        "Glioblastoma, IDH-wildtype",
        "Survival, estimated with what is known before surgery",
        "Clinical facts and imaging",
        "The richer model “Before surgery with performance” was not used: it needs KPS.",
        "prognosis 0.9.0",
        "<td>made-up patients</td>",
        "They do not take the place of tissue",
    ):
        assert words in html
    assert content.survival_table is not None
    (points, spoke) = content.estimate_tables
    assert points.rows[-1].cells[0] == "Total"
    written = [int(row.cells[-1]) for row in points.rows]
    assert sum(written[:-1]) == written[-1]
    assert {row.cells[1] for row in spoke.rows} >= {"Diagnosis with volumes"}
    assert content.survival is not None
    assert len(content.survival.lines) == 3 + 2
    pdf = report_pdf(content)
    assert pdf.startswith(b"%PDF")
    assert pdf == report_pdf(content)


def test_the_pdf_can_be_read(bare: Assessment, models: EstimateModels) -> None:
    pdfium = pytest.importorskip("pypdfium2", reason="needs pypdfium2 to read pages")
    content = report_content(of(bare, PARTLY, models))
    pages = pdfium.PdfDocument(io.BytesIO(report_pdf(content)))
    text = " ".join(" ".join(page.get_textpage().get_text_range() for page in pages).split())
    for words in (
        "Astrocytoma, IDH-mutant, grade 2",
        "Clinical facts and imaging",
        "Survival, estimated with what is known after surgery",
        "Nomogram: clinical facts and imaging",
        "made-up patients",
        "They do not take the place of tissue",
    ):
        assert words in text


def test_one_pack_alone_is_shown(bare: Assessment, models: EstimateModels) -> None:
    for part, missing in (("diagnosis", "estimates survival"), ("prognosis", "molecular type")):
        alone = EstimateModels(**{part: getattr(models, part)})
        content = report_content(of(bare, WOMAN, alone))
        html = report_html(content)
        assert missing in html
        assert ("chart" in re_tags(html)) is (part == "prognosis")
        assert report_pdf(content).startswith(b"%PDF")


def test_reports_say_what_is_not_there(bare: Assessment) -> None:
    html = report_html(report_content(estimated(bare, EstimateModels())))
    assert "No model pack that estimates survival is installed." in html
    assert "chart" not in re_tags(html)
    assert "No model pack" not in report_html(report_content(bare))


def re_tags(html: str) -> set[str]:
    """Classes of the pictures."""
    return {part.split('"')[0] for part in html.split('<svg class="')[1:]}


def test_the_command_line_tells_them(bare: Assessment, models: EstimateModels) -> None:
    text = summary(of(bare, PARTLY, models))
    assert "Diagnosis (model and tissue): indeterminate;" in text
    assert "Alive, clinical facts and imaging, known after surgery:" in text
    assert "Prognosis: Without age and sex no model can be used" in summary(
        of(bare, ClinicalFacts(), models)
    )
