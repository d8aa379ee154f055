"""A multi-task network's own answer in the clinic: beside the models, corrected masks, honesty."""

import html
import io
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from assessment_makers import PROVENANCE, template_study
from estimate_makers import write_packs
from jsonschema import validate
from multitask_makers import APART, COHORT, UNIFIED, settings_of, write_multitask_pack

from gliomaai_training.diagnosis.states import LABELS
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.model_pack import ModelPack
from gliomaai_training.inference.predictor import IN_TILES, Predictor
from gliomaai_training.inference.statistical_packs import (
    load_diagnosis_pack,
    load_prognosis_pack,
)
from gliomaai_training.inference.task_heads import TaskReader
from GliomaAILib.assessment.assess import assess
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.estimate import NO_TUMOUR, EstimateModels, estimated
from GliomaAILib.assessment.estimates import SIMULATED_ONLY, Basis, NetworkEstimate
from GliomaAILib.assessment.network import (
    ANSWERS_ALONE,
    NO_CURVE,
    NO_ONE_TUMOUR,
    NO_READER,
    NOT_MEASURED,
)
from GliomaAILib.assessment.reassess import reassess
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.output.content import report_content
from GliomaAILib.output.document import assessment_document, schema
from GliomaAILib.output.pdf import report_pdf
from GliomaAILib.output.report import report_html
from GliomaAILib.review.risk import risk_view
from GliomaAILib.review.state import ReviewState
from GliomaAILib.terminal import summary

CPU = EngineConfig(device="cpu", engine="torch", precision="fp32")
REAL = {**COHORT, "words": "900 patients of somewhere", "simulated_only": False}
EVIDENCE = ["IDH AUC 0.90 (0.85 to 0.95) in 200 patients left out."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packs")


@pytest.fixture(scope="module")
def pack(folder: Path) -> ModelPack:
    return write_multitask_pack(folder / "unified", settings_of(voxel_mm=1.5))


@pytest.fixture(scope="module")
def statistical(folder: Path) -> EstimateModels:
    write_packs(folder)
    return EstimateModels(
        load_diagnosis_pack(folder / "diagnosis"), load_prognosis_pack(folder / "prognosis")
    )


@lru_cache(maxsize=1)
def template() -> Assessment:
    """The template's study with its drawn tumour, before any network."""
    case, prepared, drawn = template_study()
    return assess(case, prepared, drawn, PROVENANCE)


def run(pack: ModelPack) -> Assessment:
    """The same with what the pack's network read of it."""
    given = Predictor(pack, CPU).predict(template().prepared)
    return replace(template(), features=given.features, no_features=given.no_features)


@pytest.fixture(scope="module")
def bare(pack: ModelPack) -> Assessment:
    return run(pack)


def told(assessment: Assessment, pack: ModelPack, facts: ClinicalFacts | None = None) -> Assessment:
    known = assessment.facts if facts is None else facts
    return estimated(replace(assessment, facts=known), EstimateModels(network=TaskReader(pack)))


def network_of(assessment: Assessment) -> NetworkEstimate:
    assert assessment.estimates.network is not None
    return assessment.estimates.network


def painted(assessment: Assessment) -> sitk.Image:
    """The mask with a block of enhancing tumour added."""
    array = sitk.GetArrayFromImage(assessment.segmentation)
    k, j, i = (int(axis.mean()) for axis in array.nonzero())
    array[k - 8 : k + 8, j - 18 : j - 2, i - 8 : i + 8] = 3
    mask = sitk.GetImageFromArray(array)
    mask.CopyInformation(assessment.segmentation)
    return mask


# What it says


def test_states_sum_and_what_follows_fits(bare: Assessment, pack: ModelPack) -> None:
    said = network_of(told(bare, pack))
    assert said.diagnosis is not None
    assert said.diagnosis.basis is Basis.MODEL
    assert tuple(said.diagnosis.states) == LABELS
    assert sum(said.diagnosis.states.values()) == pytest.approx(1)
    facts = said.diagnosis.marginals
    assert facts["codeleted_1p19q"] <= facts["idh_mutant"]
    assert (said.pack, said.pack_version, said.patients) == ("unified", "0.0.1", 300)
    assert said.alone == {}
    assert said.survival is not None
    assert said.survival.model.inputs == "network"
    assert said.survival.survival[0] == 1
    assert NOT_MEASURED in said.notes


def test_an_unedited_mask_gives_identical_numbers(bare: Assessment, pack: ModelPack) -> None:
    first = told(bare, pack)
    again = told(reassess(bare, first.segmentation), pack)
    assert network_of(again) == network_of(first)


def test_a_corrected_mask_changes_the_answer(bare: Assessment, pack: ModelPack) -> None:
    first, corrected = told(bare, pack), told(reassess(bare, painted(bare)), pack)
    before, after = network_of(first), network_of(corrected)
    assert corrected.correction is not None
    assert before.log_risk is not None
    assert after.log_risk is not None
    assert abs(after.log_risk - before.log_risk) > 1e-3
    assert before.survival is not None
    assert after.survival is not None
    assert after.survival.survival != before.survival.survival
    back = told(reassess(bare, first.segmentation), pack)
    assert network_of(back) == before


def test_the_statistical_models_do_not_hear_it(
    bare: Assessment, pack: ModelPack, statistical: EstimateModels
) -> None:
    alone = estimated(bare, statistical).estimates
    both = estimated(bare, replace(statistical, network=TaskReader(pack))).estimates
    assert both.diagnosis == alone.diagnosis
    assert both.prognosis == alone.prognosis
    assert both.prognosis is not None
    assert both.network is not None
    assert both.curves == (*both.prognosis.estimates, both.network.survival)


# Tissue


def test_tissue_restricts_and_renormalises(bare: Assessment, pack: ModelPack) -> None:
    free = network_of(told(bare, pack)).diagnosis
    held = network_of(told(bare, pack, ClinicalFacts(idh="mutant"))).diagnosis
    assert free is not None
    assert held is not None
    assert held.basis is Basis.BOTH
    assert held.states["GBM"] == held.states["NEC"] == 0
    share = 1 - free.states["GBM"] - free.states["NEC"]
    assert held.left_by_tissue == pytest.approx(share)
    for state in ("A2", "A3", "A4", "O2", "O3"):
        assert held.states[state] == pytest.approx(free.states[state] / share)
    assert held.marginals["idh_mutant"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("facts", "left"),
    [
        (ClinicalFacts(grade=4), {"GBM", "A4"}),
        (ClinicalFacts(grade=2), {"A2", "O2", "NEC"}),
        (ClinicalFacts(codeletion_1p19q="co-deleted"), {"O2", "O3"}),
        (ClinicalFacts(codeletion_1p19q="intact"), {"GBM", "A2", "A3", "A4", "NEC"}),
    ],
)
def test_what_tissue_leaves(
    bare: Assessment, pack: ModelPack, facts: ClinicalFacts, left: set[str]
) -> None:
    diagnosis = network_of(told(bare, pack, facts)).diagnosis
    assert diagnosis is not None
    assert {state for state, chance in diagnosis.states.items() if chance > 0} == left


def test_where_tissue_decides_the_network_is_not_asked(bare: Assessment, pack: ModelPack) -> None:
    facts = ClinicalFacts(idh="mutant", codeletion_1p19q="co-deleted", grade=3)
    said = network_of(told(bare, pack, facts))
    assert said.diagnosis is not None
    assert said.diagnosis.basis is Basis.TISSUE
    assert said.diagnosis.states["O3"] == 1
    assert "The state is as tissue tells; the network was not asked." in said.notes
    assert said.log_risk == network_of(told(bare, pack)).log_risk
    assert any("what tissue told does not move it" in note for note in said.notes)


def test_tissue_of_no_state_leaves_the_diagnosis_out(bare: Assessment, pack: ModelPack) -> None:
    # Facts that contradict each other come from a header and a user, not from one of them.
    facts = ClinicalFacts(idh="wild-type", grade=2)
    said = network_of(told(bare, pack, facts))
    assert said.diagnosis is None
    assert any("the network's diagnosis is left out" in note for note in said.notes)
    assert said.survival is not None


def test_tissue_against_the_network_is_a_finding(folder: Path) -> None:
    """The head's bias is set so that it is sure of glioblastoma."""
    import torch

    bias = torch.full((len(LABELS),), -9.0)
    bias[0] = 9.0
    pack = write_multitask_pack(folder / "sure", settings_of(), {"heads.state.5.bias": bias})
    found = told(run(pack), pack, ClinicalFacts(idh="mutant"))
    assert "network.against_tissue" in [finding.code for finding in found.findings]


# Honesty


def pack_saying(folder: Path, states: dict[str, float]) -> ModelPack:
    """A pack whose state head gives everybody these probabilities, and the rest of 1 in tenths of
    a percent at most."""
    import torch

    head = {
        "heads.state.5.weight": torch.zeros(len(LABELS), UNIFIED["hidden_width"]),
        "heads.state.5.bias": torch.tensor([np.log(states.get(one, 1e-4)) for one in LABELS]),
    }
    return write_multitask_pack(folder, settings_of(voxel_mm=3.0), head)


@pytest.mark.parametrize(
    ("states", "call", "more"),
    [
        (
            {"O3": 0.6, "GBM": 0.3, "A3": 0.1},
            "Likeliest state: Oligodendroglioma, grade 3 (60 %).",
            "",
        ),
        ({"NEC": 0.7, "GBM": 0.3}, "Likeliest state: IDH-wildtype glioma, NEC (70 %).", ""),
        (  # co-deleted 51 %, yet no grade is likelier than 4
            {"GBM": 0.44, "O2": 0.26, "O3": 0.25, "A2": 0.05},
            "Likeliest state: Glioblastoma, IDH-wildtype (44 %).",
            f" {NO_ONE_TUMOUR}",
        ),
        (  # mutant 70 %, each of its grades less likely than glioblastoma
            {"GBM": 0.3, "A2": 0.25, "A3": 0.2, "A4": 0.25},
            "Likeliest state: Glioblastoma, IDH-wildtype (30 %).",
            " No state stands out: question by question, the answers are those of Astrocytoma, "
            "IDH-mutant, grade 4.",
        ),
    ],
)
def test_the_call_is_a_state(
    tmp_path: Path, states: dict[str, float], call: str, more: str
) -> None:
    """Marginals may contradict each other where no state is likely; what is said may not."""
    pack = pack_saying(tmp_path / "saying", states)
    said = network_of(told(run(pack), pack))
    assert f"{call}{more}" in said.notes


def test_simulated_patients_are_said_everywhere(bare: Assessment, pack: ModelPack) -> None:
    found = told(bare, pack)
    document = assessment_document(found)
    content = report_content(found)
    page = report_html(content)
    said = SIMULATED_ONLY
    assert network_of(found).notes[0] == said
    assert [f.code for f in found.findings if said in f.message] == ["network.simulated"]
    assert document["network"]["simulated_only"] is True
    assert said in page
    assert page.count("learnt from simulated patients") >= 4  # card, curve's key, table, finding
    assert summary(found).count(said) >= 3
    view = risk_view(ReviewState(has_result=True, document=document))
    assert view.network is not None
    assert str(view.network.lines[0]) == said
    assert "learnt from simulated patients" in str(view.curves[-1].label)


def test_real_patients_and_evidence_are_said(folder: Path) -> None:
    pack = write_multitask_pack(folder / "real", settings_of(cohort=REAL, evidence=EVIDENCE))
    found = told(run(pack), pack)
    assert "network.simulated" not in [finding.code for finding in found.findings]
    page = report_html(report_content(found))
    assert "simulated" not in page
    assert EVIDENCE[0] in page
    assert "900 patients of somewhere" in page


def test_heads_that_answer_alone_say_so(folder: Path) -> None:
    pack = write_multitask_pack(folder / "apart", settings_of(APART))
    assessment = run(pack)
    said = network_of(told(assessment, pack))
    assert said.diagnosis is None
    assert said.survival is None
    assert said.log_risk is None
    assert set(said.alone) == {
        "idh_mutant", "codeleted_1p19q", "grade_2", "grade_3", "grade_4", "histology_glioblastoma",
    }  # fmt: skip
    assert any(note.startswith(ANSWERS_ALONE) for note in said.notes)
    held = network_of(told(assessment, pack, ClinicalFacts(codeletion_1p19q="co-deleted"))).alone
    assert (held["idh_mutant"], held["codeleted_1p19q"], held["grade_4"]) == (1, 1, 0)
    assert held["grade_2"] + held["grade_3"] == pytest.approx(1)
    low = network_of(told(assessment, pack, ClinicalFacts(grade=2))).alone
    assert (low["grade_2"], low["histology_glioblastoma"]) == (1, 0)
    validate(assessment_document(told(assessment, pack)), schema())


def test_a_risk_without_a_curve_is_a_number(folder: Path) -> None:
    pack = write_multitask_pack(folder / "bare-risk", settings_of(survival=None))
    found = told(run(pack), pack)
    said = network_of(found)
    assert said.survival is None
    assert said.log_risk is not None
    assert any(NO_CURVE in note for note in said.notes)
    assert found.estimates.curves == ()
    validate(assessment_document(found), schema())
    assert report_content(found).survival is None


# What is not there


def test_a_segmentation_pack_says_nothing_of_heads() -> None:
    found = estimated(template(), EstimateModels())
    assert found.estimates.network is None
    assert set(found.estimates.absent) == {"diagnosis", "prognosis"}


def test_tiles_and_a_lost_pack_are_reasons(bare: Assessment, pack: ModelPack) -> None:
    tiled = replace(bare, features=None, no_features=IN_TILES)
    assert told(tiled, pack).estimates.absent["network"] == IN_TILES
    lost = estimated(bare, EstimateModels())
    assert lost.estimates.absent["network"] == NO_READER
    validate(assessment_document(lost), schema())
    assert NO_READER in html.unescape(report_html(report_content(lost)))
    view = risk_view(ReviewState(has_result=True, document=assessment_document(lost)))
    assert any(NO_READER in str(line) for line in view.lines)


def test_features_of_another_pack_are_not_read(bare: Assessment, folder: Path) -> None:
    other = write_multitask_pack(folder / "other", settings_of(voxel_mm=2.0))
    assert "another model pack" in told(bare, other).estimates.absent["network"]


def test_without_a_tumour_nothing_is_estimated(pack: ModelPack) -> None:
    case, prepared, drawn = template_study(None)
    given = Predictor(pack, CPU).predict(prepared)
    prediction = replace(drawn, features=given.features)
    found = told(assess(case, prepared, prediction, PROVENANCE), pack)
    assert found.estimates.network is None
    assert found.estimates.absent["network"] == NO_TUMOUR


# Reports


def test_document_and_reports_hold_it(
    bare: Assessment, pack: ModelPack, statistical: EstimateModels
) -> None:
    found = estimated(bare, replace(statistical, network=TaskReader(pack)))
    document = assessment_document(found)
    validate(document, schema())
    assert set(document["network"]["diagnosis"]["states"]) == set(LABELS)
    content = report_content(found)
    assert content.survival is not None
    assert content.survival_table is not None
    assert len(content.survival_table.columns) == 4
    assert [line.label for line in content.survival.lines][-1].startswith("Network")
    assert content.network is not None
    assert len(content.network.rows) == 12
    page = report_html(content)
    assert "Network's own answer" in html.unescape(page)
    assert "IDH-wildtype glioma, NEC" in page
    assert report_pdf(content).startswith(b"%PDF")
    view = risk_view(ReviewState(has_result=True, document=document))
    assert view.network is not None
    assert len(view.network.bars) == 12
    assert len([curve for curve in view.curves if not curve.is_reference]) == 3
    lines = summary(found)
    assert "Network alone, diagnosis (model)" in lines
    assert "Network alone, log-risk" in lines


def test_the_pdf_says_it(bare: Assessment, pack: ModelPack) -> None:
    pdfium = pytest.importorskip("pypdfium2", reason="needs pypdfium2 to read pages")
    pages = pdfium.PdfDocument(io.BytesIO(report_pdf(report_content(told(bare, pack)))))
    text = " ".join(" ".join(page.get_textpage().get_text_range() for page in pages).split())
    assert SIMULATED_ONLY in text
    assert "IDH-wildtype glioma, NEC" in text


def test_numbers_are_the_pack_s_own(bare: Assessment, pack: ModelPack) -> None:
    from gliomaai_training.survival.cox_prediction import predict
    from gliomaai_training.survival.log_risk import LOG_RISK

    said = network_of(told(bare, pack))
    labels: Any = sitk.GetArrayFromImage(bare.labels)
    reader = TaskReader(pack)
    assert bare.features is not None
    read = reader.read(bare.features, labels)
    assert said.log_risk == read.log_risk
    assert said.diagnosis is not None
    assert said.diagnosis.states == pytest.approx(read.probabilities["state"])
    assert said.survival is not None
    model = reader.settings.survival
    assert model is not None
    expected = predict(model, {LOG_RISK: read.log_risk}).landmarks[12.0]
    at = said.survival.at_months[12]
    assert at is not None
    assert expected is not None
    np.testing.assert_allclose((at.survival, at.low, at.high), expected)
