"""An explanation in the clinic: document, files, reports, words, and why there is none."""

import html
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from assessment_makers import template_study
from jsonschema import validate
from multitask_makers import UNIFIED, settings_of, write_multitask_pack

from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.model_pack import ModelPack
from gliomaai_training.inference.predictor import IN_TILES, Predictor
from gliomaai_training.inference.task_heads import TaskReader
from gliomaai_training.interpretation.explanations import (
    LOG_ODDS,
    PROBABILITY,
    MapCheck,
    SequenceImportance,
    Target,
)
from gliomaai_training.interpretation.study import ExplainConfig
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.progress import Cancelled
from GliomaAILib.assessment.assess import assess
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.estimate import EstimateModels, estimated
from GliomaAILib.assessment.estimates import SIMULATED_ONLY
from GliomaAILib.assessment.explanation import (
    NO_HEADS,
    NO_TUMOUR,
    ONE_SEQUENCE,
    TISSUE_NOTE,
    explained,
    explanation_notes,
)
from GliomaAILib.assessment.network import NO_READER
from GliomaAILib.assessment.reassess import reassess
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.output.content import report_content
from GliomaAILib.output.document import assessment_document, schema
from GliomaAILib.output.explained import AGAINST, FOR, with_saliency
from GliomaAILib.output.pdf import report_pdf
from GliomaAILib.output.report import report_html
from GliomaAILib.output.write import write_assessment
from GliomaAILib.raw_volume import read_raw
from GliomaAILib.review.explanation import explanation_view, saliency_files
from GliomaAILib.review.risk import risk_view
from GliomaAILib.review.state import ReviewState
from GliomaAILib.scene.port import NOTHING_SALIENT as IN_SCENE
from GliomaAILib.terminal import summary
from GliomaAILib.worker.scene_files import NOTHING_SALIENT, shown_saliency, write_saliency

CPU = EngineConfig(device="cpu", engine="torch", precision="fp32")
QUICK = ExplainConfig(CPU, steps=4)
SETTINGS = settings_of(
    {**UNIFIED, "tasks": ["idh", "risk"]},
    voxel_mm=4.0,
    prior={"idh:mutant": 0.3, "risk": 0.1},
)
IDH = Target("idh", "mutant")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> ModelPack:
    return write_multitask_pack(tmp_path_factory.mktemp("packs") / "unified", SETTINGS)


def study(pack: ModelPack, sequences: tuple[str, ...] = ("t1gd", "flair")) -> Assessment:
    """The template's study with its drawn tumour, and what the pack's network read of it."""
    from assessment_makers import PROVENANCE

    case, prepared, drawn = template_study(sequences=sequences)
    features = Predictor(pack, CPU).predict(prepared).features
    bare = replace(assess(case, prepared, drawn, PROVENANCE), features=features)
    return estimated(bare, EstimateModels(network=TaskReader(pack)))


@pytest.fixture(scope="module")
def told(pack: ModelPack) -> Assessment:
    return explained(study(pack), TaskReader(pack), QUICK)


def document_of(assessment: Assessment) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json.dumps(assessment_document(assessment)))
    validate(document, schema())
    return document


# The document and its files


def test_the_document_says_what_each_sequence_added(told: Assessment) -> None:
    explanation = document_of(told)["explanation"]
    idh, risk = explanation["answers"]
    assert (idh["answer"], risk["answer"]) == ("idh:mutant", "risk")
    assert [one["scale"] for one in idh["importance"]] == [LOG_ODDS, PROBABILITY]
    shown = idh["importance"][1]
    assert set(shown["values"]) == {"t1gd", "flair"}
    assert sum(shown["values"].values()) == pytest.approx(shown["full"] - shown["empty"], abs=2e-3)
    assert idh["probability"] == pytest.approx(shown["full"], abs=1e-3)
    assert (risk["probability"], risk["unit"]) == (None, "log-risk")
    assert idh["saliency"]["unit"] == "log-odds per mL"
    assert idh["check"]["passes"]
    assert explanation["pack"] == "unified"
    assert SIMULATED_ONLY in explanation["notes"]


def test_maps_lie_beside_the_document_in_its_geometry(told: Assessment, tmp_path: Path) -> None:
    older = tmp_path / "out" / "saliency_grade_4.nii.gz"
    older.parent.mkdir()
    older.write_text("of an earlier result")
    written = write_assessment(told, tmp_path / "out")
    document = json.loads(written.document.read_text("utf-8"))
    files = saliency_files(document, written.document.parent)
    assert [file.name for file in files] == ["saliency_idh_mutant.nii.gz", "saliency_risk.nii.gz"]
    segmentation = sitk.ReadImage(str(written.segmentation))
    for file in files:
        image = sitk.ReadImage(str(file))
        assert Grid.of(image).matches(Grid.of(segmentation))
        assert image.GetPixelID() == sitk.sitkFloat32
        assert sitk.GetArrayViewFromImage(image).any()
    assert not older.exists()
    plain = replace(told, explanation=None)
    write_assessment(plain, tmp_path / "out")
    assert not list((tmp_path / "out").glob("saliency*"))


def test_the_scene_gets_steps_about_nothing(told: Assessment, tmp_path: Path) -> None:
    names = write_saliency(told, tmp_path)
    assert set(names) == {"saliency:idh:mutant", "saliency:risk"}
    assert NOTHING_SALIENT == IN_SCENE
    for name in names.values():
        volume = read_raw(tmp_path / name)
        assert volume.array.dtype == np.uint8
        assert volume.array[0, 0, 0] == NOTHING_SALIENT
        assert volume.array.min() < NOTHING_SALIENT < volume.array.max()
    empty = shown_saliency(sitk.Image([3, 3, 3], sitk.sitkFloat32))
    assert set(sitk.GetArrayFromImage(empty).ravel()) == {NOTHING_SALIENT}


# Reports, panel and terminal


def test_every_reader_is_told(told: Assessment) -> None:
    content = report_content(told)
    card = content.explanation
    assert card is not None
    assert [len(one.pictures) for one in card.answers] == [3, 3]
    page = html.unescape(report_html(content))
    assert "What the network's answers come from" in page
    assert 'aria-label="Saliency of “IDH mutant”, axial slice' in page
    assert "How far each sequence moved the answer “risk”" in page
    for note in card.notes:
        assert note in page
    lines = summary(told)
    assert "Explanation, IDH mutant" in lines
    assert "without images)" in lines
    view = risk_view(ReviewState(has_result=True, document=document_of(told)))
    assert view.explanation is not None
    assert [len(one.bars) for one in view.explanation.answers] == [2, 2]
    assert [one.answer for one in view.explanation.maps] == ["idh:mutant", "risk"]
    table = {str(label): str(value) for label, value in view.table}
    assert table["IDH mutant, what FLAIR added"].endswith("points")
    assert table["risk, part of the map inside the tumour"].endswith("%")


def test_the_pdf_says_it(told: Assessment) -> None:
    pdfium = pytest.importorskip("pypdfium2", reason="needs pypdfium2 to read pages")
    pages = pdfium.PdfDocument(io.BytesIO(report_pdf(report_content(told))))
    text = " ".join(" ".join(page.get_textpage().get_text_range() for page in pages).split())
    assert "What the network's answers come from" in text
    assert "IDH mutant: " in text
    assert "higher risk" in text


def test_out_of_date_is_said_in_the_panel(told: Assessment) -> None:
    view = explanation_view(document_of(told)["explanation"], out_of_date=True)
    assert view is not None
    assert "Out of date" in str(view.lines[0])
    assert explanation_view({}, out_of_date=True) is None


def test_for_and_against_have_their_colours() -> None:
    grey = np.full((1, 3), 100, np.uint8)
    found = with_saliency(grey, np.array([[1.0, -1.0, 0.01]], np.float32))[0]
    assert tuple(found[2]) == (100, 100, 100)
    for pixel, colour in ((found[0], FOR), (found[1], AGAINST)):
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert np.abs(pixel.astype(int) - wanted).max() < 40


# What is not shown


def test_a_map_that_fails_its_check_is_left_out_and_said(told: Assessment) -> None:
    explanation = told.explanation
    assert explanation is not None
    failed = replace(explanation.answers[0], check=MapCheck(0.9, 0.95), saliency=None)
    flat = replace(explanation.answers[1], check=None, saliency=None)
    found = replace(told, explanation=replace(explanation, answers=(failed, flat)))
    notes = " ".join(explanation_notes(replace(explanation, answers=(failed, flat)), told.facts))
    assert "No map for IDH mutant: it is too much like" in notes
    assert "No map for risk: it is the same everywhere" in notes
    document = document_of(found)
    assert [one["saliency"] for one in document["explanation"]["answers"]] == [None, None]
    content = report_content(found)
    assert content.explanation is not None
    assert content.explanation.answers[0].pictures == ()
    assert "no map: see the notes" in report_html(content)
    assert report_pdf(content).startswith(b"%PDF")
    view = explanation_view(document["explanation"], out_of_date=False)
    assert view is not None
    assert view.maps == ()


def test_without_a_prior_the_bars_are_missing_and_said(told: Assessment) -> None:
    explanation = told.explanation
    assert explanation is not None
    bare = replace(
        explanation, answers=tuple(replace(one, importances=()) for one in explanation.answers)
    )
    found = replace(told, explanation=bare)
    assert any(
        "for IDH mutant, risk is not known" in n for n in explanation_notes(bare, told.facts)
    )
    view = explanation_view(document_of(found)["explanation"], out_of_date=False)
    assert view is not None
    assert {one.bars for one in view.answers} == {()}
    assert "without images" not in str(view.answers[0].title)
    assert report_pdf(report_content(found)).startswith(b"%PDF")
    assert "Explanation" not in summary(found)


def test_a_coarse_map_is_said(told: Assessment) -> None:
    explanation = told.explanation
    assert explanation is not None
    one = replace(explanation.answers[0], target=Target("codeletion_1p19q", "co-deleted"))
    assert one.saliency is not None
    for gap, expected in ((0.05, False), (-0.5, True)):
        coarse = replace(one, saliency=replace(one.saliency, step=-1.0, gap=gap))
        notes = explanation_notes(replace(explanation, answers=(coarse,)), told.facts)
        said = [note for note in notes if "coarse" in note]
        assert bool(said) is expected
    step = "\N{MINUS SIGN}1.00"
    assert said[0].startswith("The map for 1p/19q co-deleted is coarse")
    assert said[0].endswith(f"step of {step} by 0.50.")


def test_tissue_and_simulation_are_said(told: Assessment) -> None:
    explanation = told.explanation
    assert explanation is not None
    tissue = ClinicalFacts(idh="mutant")
    assert TISSUE_NOTE in explanation_notes(explanation, tissue)
    assert TISSUE_NOTE not in explanation_notes(explanation, ClinicalFacts())
    real = replace(explanation, simulated_only=False)
    assert SIMULATED_ONLY not in explanation_notes(real, tissue)
    assert explanation_notes(explanation, tissue)[0] == SIMULATED_ONLY


def test_one_sequence_is_enough(pack: ModelPack) -> None:
    found = explained(study(pack, ("flair",)), TaskReader(pack), QUICK)
    assert found.explanation is not None
    assert ONE_SEQUENCE in explanation_notes(found.explanation, found.facts)
    assert set(document_of(found)["explanation"]["answers"][0]["importance"][0]["values"]) == {
        "flair"
    }


# Why there is none


def test_what_cannot_be_explained_says_why(pack: ModelPack, told: Assessment) -> None:
    bare, reader = replace(told, explanation=None), TaskReader(pack)
    segmented = replace(bare, features=None, no_features="")
    tiled = replace(bare, features=None, no_features=IN_TILES)
    huge = replace(QUICK, engine=replace(CPU, max_voxels=10))
    for assessment, by, config, why in (
        (segmented, None, QUICK, NO_HEADS),
        (tiled, reader, QUICK, IN_TILES),
        (bare, None, QUICK, NO_READER),
        (bare, reader, huge, "too large to explain"),
    ):
        found = explained(assessment, by, config)
        assert found.explanation is None
        assert why in found.not_explained
        assert why in document_of(found)["not_estimated"]["explanation"]
        assert why in summary(found)
        assert why in html.unescape(report_html(report_content(found)))
        view = risk_view(ReviewState(has_result=True, document=document_of(found)))
        assert any(why in str(line) for line in view.lines)
        assert view.explanation is None


def test_without_a_tumour_there_is_nothing_to_explain(pack: ModelPack) -> None:
    from assessment_makers import PROVENANCE

    case, prepared, drawn = template_study(None, ("flair",))
    features = Predictor(pack, CPU).predict(prepared).features
    bare = replace(assess(case, prepared, drawn, PROVENANCE), features=features)
    found = explained(bare, TaskReader(pack), QUICK)
    assert (found.explanation, found.not_explained) == (None, NO_TUMOUR)


def test_a_reassessment_explains_nothing(told: Assessment) -> None:
    again = reassess(told, told.segmentation)
    assert again.explanation is None
    assert document_of(again)["explanation"] is None


def test_cancel_leaves_no_explanation(pack: ModelPack, told: Assessment) -> None:
    def stop(stage: str, fraction: float) -> None:
        if stage == "saliency":
            raise Cancelled

    with pytest.raises(Cancelled):
        explained(told, TaskReader(pack), QUICK, stop)


def test_importances_are_shown_on_the_scale_that_readers_know() -> None:
    from GliomaAILib.output.explained import importance_texts

    one = SequenceImportance(IDH, PROBABILITY, {"t1": -0.121, "flair": 0.004}, 0.3, 0.18)
    assert importance_texts(one) == (("T1", "\N{MINUS SIGN}12 points"), ("FLAIR", "0 points"))
