"""Diagnosis and prognosis of a case: which model answers what."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from assessment_makers import template_assessment
from estimate_makers import (
    AGE,
    CONTRAST,
    ET,
    SEX,
    STATE,
    WT,
    cox_model,
    made_up_patients,
    write_packs,
)
from estimated_cases import KNOWN, PARTLY, WOMAN, document_of, of

from gliomaai_training.covariates import MEASURES
from gliomaai_training.diagnosis.covariates import PARTS as PART_VOLUMES
from gliomaai_training.diagnosis.covariates import WHOLE_TUMOUR
from gliomaai_training.findings import Severity
from gliomaai_training.inference.statistical_packs import (
    PrognosisPack,
    Role,
    load_diagnosis_pack,
    load_prognosis_pack,
)
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.survival.cox_prediction import predict
from gliomaai_training.survival.term_plan import TermPlan
from GliomaAILib.analysis import Analyst
from GliomaAILib.assessment import covariates
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.estimate import EstimateModels
from GliomaAILib.assessment.estimates import Basis
from GliomaAILib.assessment.reassess import reassess
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.output.content import report_content
from GliomaAILib.output.pdf import report_pdf
from GliomaAILib.output.report import report_html
from GliomaAILib.review.risk import risk_view
from GliomaAILib.review.state import ReviewState


def test_before_surgery_both_kinds_stand_beside_each_other(
    bare: Assessment, models: EstimateModels
) -> None:
    assessment = of(bare, WOMAN, models)
    prognosis = assessment.estimates.prognosis
    assert prognosis is not None
    assert prognosis.role == "preoperative"
    clinical, imaging = prognosis.estimates
    assert (clinical.model.name, imaging.model.name) == (
        "Before surgery, age and sex",
        "Before surgery with volumes",
    )
    (richer,) = clinical.richer
    assert (richer.model, richer.why) == ("Before surgery with performance", "needs KPS")
    assert imaging.richer == ()
    assert (clinical.model.patients, clinical.model.pack_version) == (600, "0.9.0")
    assert clinical.group is not None
    assert imaging.group in {group.name for group in prognosis.groups}
    assert len(imaging.months) == len(imaging.low) == 61
    for low, middle, high in zip(imaging.low, imaging.survival, imaging.high, strict=True):
        assert 0 <= low <= middle <= high <= 1


def test_what_imaging_was_measured_to_add_stands_beside_the_curves(
    bare: Assessment, models: EstimateModels
) -> None:
    assessment = of(bare, WOMAN, models)
    document = document_of(assessment)
    assert document["prognosis"]["estimates"][0]["evidence"] is None
    assert document["prognosis"]["estimates"][1]["evidence"]["gains"][1]["p"] == 0.0062
    said = document["prognosis"]["imaging_adds"]
    assert said == (
        "Imaging (volumes of the tumour) adds nothing to age and sex in Here (n = 100, 50 deaths: "
        "C 0.700, of which imaging 0.000, 95 % \N{MINUS SIGN}0.020 to +0.020, p = 0.97); adds to "
        "age in There (n = 90, 80 deaths: C 0.730, of which imaging +0.034, 95 % +0.009 to "
        "+0.061, p = 0.006). Measured in patients left out of the fit."
    )
    html = report_html(report_content(assessment))
    assert html.index("</svg>") < html.index("adds nothing to age and sex in Here")
    pdfium = pytest.importorskip("pypdfium2")
    pages = pdfium.PdfDocument(io.BytesIO(report_pdf(report_content(assessment))))
    text = " ".join(page.get_textpage().get_text_range() for page in pages)
    assert "adds nothing to age and sex in Here" in " ".join(text.split())


def test_two_curves_without_evidence_say_so(bare: Assessment, models: EstimateModels) -> None:
    known = of(bare, KNOWN, models).estimates.prognosis
    assert known is not None
    assert len(known.estimates) == 2
    assert known.imaging_adds == "What imaging adds was not measured for this model."
    assert models.prognosis is not None
    clinical = tuple(one for one in models.prognosis.members if one.inputs == "clinical")
    alone = EstimateModels(prognosis=replace(models.prognosis, members=clinical))
    prognosis = of(bare, WOMAN, alone).estimates.prognosis
    assert prognosis is not None
    assert prognosis.imaging_adds == ""


def test_a_known_covariate_brings_the_richer_model(
    bare: Assessment, models: EstimateModels
) -> None:
    assessment = of(bare, replace(WOMAN, kps=80), models)
    prognosis = assessment.estimates.prognosis
    assert prognosis is not None
    assert prognosis.estimates[0].model.name == "Before surgery with performance"


def test_numbers_are_the_model_s_own(bare: Assessment, models: EstimateModels) -> None:
    assert models.prognosis is not None
    assessment = of(bare, WOMAN, models)
    assert assessment.estimates.prognosis is not None
    estimate = assessment.estimates.prognosis.estimates[1]
    (member,) = [m for m in models.prognosis.members if m.model.name == estimate.model.name]
    volumes = assessment.measures.volumes_ml
    patient = {"age_years": 60.0, "sex": "F", "et_ml": volumes["ET"], "wt_ml": volumes["WT"]}
    said = predict(member.model, patient)
    for months, at in estimate.at_months.items():
        assert at is not None
        assert (at.survival, at.low, at.high) == said.landmarks[months]
        assert estimate.survival[months] == pytest.approx(at.survival)
    assert estimate.nomogram is not None
    assert estimate.nomogram.total == pytest.approx(
        sum(axis.points for axis in estimate.nomogram.axes)
    )
    assert [moved.share for moved in estimate.moved] == sorted(
        (moved.share for moved in estimate.moved), reverse=True
    )


def test_tissue_decides_the_state_and_the_models(bare: Assessment, models: EstimateModels) -> None:
    assessment = of(bare, KNOWN, models)
    diagnosis, prognosis = assessment.estimates.diagnosis, assessment.estimates.prognosis
    assert diagnosis is not None
    assert prognosis is not None
    assert (diagnosis.basis, diagnosis.states["A3"], diagnosis.model) == (Basis.TISSUE, 1.0, None)
    assert diagnosis.answers["idh"] == "mutant"
    assert not diagnosis.indeterminate
    assert prognosis.role == "postoperative"
    assert [one.model.name for one in prognosis.estimates] == [
        "After surgery",
        "After surgery with volumes",
    ]
    assert {group.name for group in prognosis.groups} == {"GBM", "A3", "O2"}
    packs = {pack.name for pack in assessment.provenance.model_packs}
    assert packs == {"test-pack", "prognosis"}


def test_an_uncertain_state_is_carried_into_survival(
    bare: Assessment, models: EstimateModels
) -> None:
    assessment = of(bare, PARTLY, models)
    diagnosis, prognosis = assessment.estimates.diagnosis, assessment.estimates.prognosis
    assert diagnosis is not None
    assert prognosis is not None
    assert models.prognosis is not None
    assert diagnosis.basis is Basis.BOTH
    assert diagnosis.states["GBM"] == 0.0
    assert sum(diagnosis.states.values()) == pytest.approx(1.0)
    assert diagnosis.marginals["idh_mutant"] == pytest.approx(1.0)
    assert prognosis.role == "postoperative"
    (member,) = [m for m in models.prognosis.members if m.model.name == "After surgery"]
    # The clinical estimate takes the state from the model that does without images.
    assert models.diagnosis is not None
    told = models.diagnosis.models[1].diagnose({"age_years": 45.0}).probabilities
    left = {state: chance for state, chance in told.items() if state != "GBM"}
    expected = sum(
        chance
        / sum(left.values())
        * member.model.survival({"age_years": [45.0], "sex": ["M"], "who_state": [state]}, 24)[0, 0]
        for state, chance in left.items()
    )
    at = prognosis.estimates[0].at_months[24]
    assert at is not None
    assert at.survival == pytest.approx(expected)


def test_a_clinical_model_with_a_state_from_images_counts_as_imaging(
    bare: Assessment, models: EstimateModels
) -> None:
    assert models.prognosis is not None
    assert models.diagnosis is not None
    only = tuple(m for m in models.prognosis.members if m.model.name == "After surgery")
    by_images = replace(models.diagnosis, models=models.diagnosis.models[:1])
    chosen = EstimateModels(by_images, replace(models.prognosis, members=only))
    prognosis = of(bare, WOMAN, chosen).estimates.prognosis
    assert prognosis is not None
    (estimate,) = prognosis.estimates
    assert (prognosis.role, estimate.model.inputs) == ("postoperative", "clinical+imaging")
    assert any("needs WHO 2021" in one.why for one in prognosis.unavailable)


STATED: dict[str, tuple[Role, Sequence[TermPlan]]] = {
    "Before surgery, age and sex": (Role.PREOPERATIVE, (AGE, SEX)),
    "Before surgery, predicted state": (Role.PREOPERATIVE, (AGE, SEX, STATE)),
    "Before surgery with volumes": (Role.PREOPERATIVE, (AGE, SEX, ET, WT)),
}


def test_before_surgery_the_predicted_state_makes_the_curve(
    bare: Assessment, tmp_path: Path
) -> None:
    write_packs(tmp_path, STATED)
    models = EstimateModels(
        load_diagnosis_pack(tmp_path / "diagnosis"), load_prognosis_pack(tmp_path / "prognosis")
    )
    assessment = of(bare, WOMAN, models)
    diagnosis, prognosis = assessment.estimates.diagnosis, assessment.estimates.prognosis
    assert diagnosis is not None
    assert prognosis is not None
    assert prognosis.role == "preoperative"
    clinical, imaging = prognosis.estimates
    # What is known without images takes no state; with them the pack's order decides.
    assert clinical.model.name == "Before surgery, age and sex"
    assert clinical.made_of == ()
    assert imaging.model.name == "Before surgery, predicted state"
    assert imaging.model.inputs == "clinical+imaging"
    shares = {one.state: one.probability for one in imaging.made_of}
    assert shares == pytest.approx(diagnosis.states)
    assert list(shares.values()) == sorted(shares.values(), reverse=True)
    at = imaging.at_months[24]
    assert at is not None
    alive = [(one.probability, one.at_months[24]) for one in imaging.made_of]
    assert at.survival == pytest.approx(sum(p * (s or 0.0) for p, s in alive))
    # Tissue will tell which state it is: the interval reaches from the worst to the best.
    assert at.low < at.survival < at.high
    likely = [s for p, s in alive if p > 0.05 and s is not None]
    assert at.low < min(likely) + 0.05
    assert at.high > max(likely) - 0.05
    document = document_of(assessment)
    assert document["prognosis"]["estimates"][1]["made_of"][0]["state"] == imaging.made_of[0].state
    tables = report_content(assessment).estimate_tables
    assert tables[0].title == "What the curve is made of"
    assert len(tables[0].rows) == sum(share >= 0.01 for share in shares.values())


def test_weak_evidence_is_indeterminate_and_says_why(
    bare: Assessment, models: EstimateModels
) -> None:
    diagnosis = of(bare, WOMAN, models).estimates.diagnosis
    assert diagnosis is not None
    assert diagnosis.indeterminate
    assert any("sure enough only from 70 % on" in reason for reason in diagnosis.reasons)
    assert diagnosis.model is not None
    assert diagnosis.model.name == "Diagnosis with volumes"
    assert "Nothing in it is true." in diagnosis.limits


def test_what_is_not_known_is_named(bare: Assessment, models: EstimateModels) -> None:
    estimates = of(bare, ClinicalFacts(), models).estimates
    assert estimates.diagnosis is None
    assert estimates.prognosis is None
    assert estimates.absent["diagnosis"].startswith("Without age no model can be used")
    assert estimates.absent["prognosis"].startswith("Without age and sex no model can be used")


def test_values_beyond_the_cohort_are_found(bare: Assessment, models: EstimateModels) -> None:
    assessment = of(bare, ClinicalFacts(93.0, "M"), models)
    found = {f.code: f for f in assessment.findings if f.code.endswith(".extrapolated")}
    assert set(found) == {"diagnosis.extrapolated", "prognosis.extrapolated"}
    assert "age of 93 years" in found["prognosis.extrapolated"].message
    assert found["prognosis.extrapolated"].severity is Severity.WARNING
    assert assessment.estimates.prognosis is not None


def test_values_beyond_the_cohort_are_said_once_for_each_estimate(
    bare: Assessment, models: EstimateModels
) -> None:
    """Both survival models extrapolate; a reader needs one warning, not one in every section."""
    assessment = of(bare, ClinicalFacts(93.0, "M"), models)
    prognosis = assessment.estimates.prognosis
    assert prognosis is not None
    assert [len(one.extrapolated) for one in prognosis.estimates] == [1, 1]
    assert len([f for f in assessment.findings if f.code.endswith(".extrapolated")]) == 2
    content = report_content(assessment)
    assert report_html(content).count("of 93 years: the model saw") == 2
    said = (*content.diagnosis_notes, *content.prognosis_notes)
    assert not any("the model saw" in note for note in said)
    pdfium = pytest.importorskip("pypdfium2", reason="needs pypdfium2 to read pages")
    pages = pdfium.PdfDocument(io.BytesIO(report_pdf(content)))
    text = " ".join(" ".join(page.get_textpage().get_text_range() for page in pages).split())
    assert text.count("of 93 years: the model saw") == 2
    view = risk_view(
        ReviewState(has_result=True, document=document_of(assessment), facts=assessment.facts)
    )
    told = (*view.lines, *view.notes)
    assert not any("the model saw" in str(line) for line in told)


def test_tissue_of_no_state_is_a_finding(bare: Assessment, models: EstimateModels) -> None:
    assessment = of(bare, replace(WOMAN, idh="wild-type", grade=2), models)
    assert assessment.estimates.diagnosis is None
    assert "no WHO 2021 state" in assessment.estimates.absent["diagnosis"]
    assert "diagnosis.contradiction" in {finding.code for finding in assessment.findings}
    prognosis = assessment.estimates.prognosis
    assert prognosis is not None
    assert prognosis.role == "preoperative"


@pytest.mark.parametrize(("temperature", "said"), [(0.15, True), (0.02, False)])
def test_tissue_against_the_images_is_a_finding(
    bare: Assessment, models: EstimateModels, temperature: float, said: bool
) -> None:
    assert models.diagnosis is not None
    sure = tuple(replace(m, temperature=temperature) for m in models.diagnosis.models)
    chosen = replace(models, diagnosis=replace(models.diagnosis, models=sure))
    old = of(bare, ClinicalFacts(80.0, "M"), chosen).estimates.diagnosis
    assert old is not None
    assert not old.indeterminate
    mutant = of(bare, ClinicalFacts(80.0, "M", idh="mutant"), chosen)
    codes = {finding.code for finding in mutant.findings}
    assert ("diagnosis.against_tissue" in codes) is said
    assert ("for impossible" in mutant.estimates.absent.get("diagnosis", "")) is not said


def test_without_a_tumour_nothing_is_estimated(models: EstimateModels) -> None:
    assessment = of(template_assessment(None), WOMAN, models)
    assert (assessment.estimates.diagnosis, assessment.estimates.prognosis) == (None, None)
    assert set(assessment.estimates.absent) == {"diagnosis", "prognosis"}
    assert "No tumour was found" in assessment.estimates.absent["prognosis"]
    assert document_of(assessment)["prognosis"] is None


def test_a_correction_changes_the_estimates(bare: Assessment, installed: Path) -> None:
    analyst = Analyst()
    before = analyst.estimate(bare)
    array = sitk.GetArrayFromImage(bare.segmentation)
    array[array == 2] = 3
    mask = Grid.of(bare.segmentation).image(array)
    after = analyst.reassess(bare, mask, WOMAN)
    assert before.estimates.prognosis is not None
    assert after.estimates.prognosis is not None
    first, second = before.estimates.prognosis, after.estimates.prognosis
    assert first.estimates[0].survival == second.estimates[0].survival  # clinical facts alone
    assert first.estimates[1].survival != second.estimates[1].survival
    assert before.estimates.diagnosis != after.estimates.diagnosis
    again = analyst.reassess(bare, bare.segmentation, KNOWN)
    assert again.estimates.prognosis is not None
    assert again.estimates.prognosis.role == "postoperative"


def test_old_estimates_do_not_outlive_a_correction(bare: Assessment, installed: Path) -> None:
    old = Analyst().estimate(replace(bare, facts=ClinicalFacts(93.0, "M")))
    fresh = reassess(old, bare.segmentation)
    assert fresh.estimates.prognosis is None
    assert not any(f.code.startswith(("diagnosis.", "prognosis.")) for f in fresh.findings)
    assert fresh.provenance == bare.provenance
    assert [pack.name for pack in old.provenance.model_packs][1:] == ["diagnosis", "prognosis"]


def test_measures_have_the_names_and_values_of_the_cohorts(bare: Assessment) -> None:
    values = covariates.of_measures(bare.measures, bare.labels)
    assert tuple(values) == MEASURES
    assert set(WHOLE_TUMOUR) | set(PART_VOLUMES) <= set(values)
    assert values["wt_ml"] == bare.measures.volumes_ml["WT"]
    # A ball of 20 mm: its axes are alike, and four standard deviations are 4/sqrt(5) radii.
    assert values["wt_major_axis_mm"] == pytest.approx(20 * 4 / np.sqrt(5), rel=0.03)
    assert values["wt_elongation"] == pytest.approx(1.0, abs=0.02)
    assert (values["side"], values["crosses_midline"], values["lobe"]) == ("right", "no", "frontal")
    empty = template_assessment(None)
    nothing = covariates.of_measures(empty.measures, empty.labels)
    assert (nothing["wt_ml"], nothing["wt_elongation"], nothing["side"]) == (0.0, None, None)


def test_radiomics_are_measured_where_a_model_asks(bare: Assessment, packs: Path) -> None:
    table, followed = made_up_patients()
    model = cox_model("With contrast", (AGE, CONTRAST), table, followed)
    pack = load_prognosis_pack(packs / "prognosis")
    member = replace(pack.members[2], model=model, role=Role.PREOPERATIVE)
    chosen = EstimateModels(None, PrognosisPack(pack.pack, (member,), {}))
    prognosis = of(bare, WOMAN, chosen).estimates.prognosis
    assert prognosis is not None
    moved = {one.name: one.value for one in prognosis.estimates[-1].moved}
    wanted = covariates.of_radiomics(bare.prepared, bare.labels, [CONTRAST.name], {})
    assert float(moved[CONTRAST.name]) == pytest.approx(float(str(wanted[CONTRAST.name])), rel=1e-3)
    wrong = EstimateModels(None, PrognosisPack(pack.pack, (member,), {"colour": 1}))
    refused = of(bare, WOMAN, wrong)
    assert refused.estimates.prognosis is None
    assert "prognosis.radiomics" in {finding.code for finding in refused.findings}


def test_an_impossible_value_leaves_a_model_out(bare: Assessment, models: EstimateModels) -> None:
    assert models.prognosis is not None
    member = models.prognosis.members[0]
    seen = (20.0, 30.0, 40.0, 45.0, 50.0)
    term = replace(member.model.terms[0], allowed=(0.0, 50.0), reference=40.0, observed=seen)
    young = replace(member.model, terms=(term, *member.model.terms[1:]), name="Of the young")
    members = (replace(member, model=young), *models.prognosis.members[1:])
    chosen = replace(models, prognosis=replace(models.prognosis, members=members))
    prognosis = of(bare, replace(WOMAN, kps=90), chosen).estimates.prognosis
    assert prognosis is not None
    (unused,) = prognosis.estimates[0].richer
    assert "60 years is not possible" in unused.why


def test_models_that_differ_only_in_age_by_group_can_be_used(
    bare: Assessment, models: EstimateModels
) -> None:
    assert models.prognosis is not None
    by_group = covariates.of_diagnosis(of(bare, KNOWN, models).estimates.diagnosis, 45.0)
    assert by_group["age_years_mutant"] == 45.0
    assert by_group["age_years_glioblastoma"] == 50.0
    uncertain = covariates.of_diagnosis(of(bare, WOMAN, models).estimates.diagnosis, 60.0)
    assert "age_years_mutant" not in uncertain
