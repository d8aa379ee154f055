"""The risk panel's content: what a pack gives is shown, and nothing is made up."""

import json

from review_fakes import document, labels

from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.review.risk import risk_view
from GliomaAILib.review.state import ReviewState

DIAGNOSIS = {
    "states": {"Glioblastoma, IDH-wildtype": 0.7, "Astrocytoma, IDH-mutant, grade 4": 0.3},
    "marginals": {"IDH-mutant": 0.3},
}
MONTHS = [0, 12, 24]
PROGNOSIS = {
    "curves": [
        {
            "name": "This patient",
            "months": MONTHS,
            "survival": [1, 0.6, 0.3],
            "low": [1, 0.4, 0.1],
            "high": [1, 0.8, 0.5],
        },
        {"name": "Clinical only", "months": MONTHS, "survival": [1, 0.55, 0.28]},
    ],
    "survival_at_months": {"This patient": {"12": 0.6, "24": 0.3}},
}
FACTS = ClinicalFacts(idh="mutant", grade=3)


def state(**more: object) -> ReviewState:
    content = {**json.loads(document(labels())), **more}
    return ReviewState(
        has_result=True, document=content, facts=ClinicalFacts(idh="mutant", grade=3)
    )


def test_without_models_that_is_what_is_said() -> None:
    view = risk_view(state())
    lines = [str(line) for line in view.lines]
    assert lines[:2] == ["Known from tissue: IDH mutant.", "Known from tissue: WHO grade 3."]
    assert sum("no installed model" in line for line in lines) == 2
    assert (view.bars, view.curves, view.table) == ((), (), ())


def test_before_a_run_there_is_nothing() -> None:
    assert [str(line) for line in risk_view(ReviewState()).lines] == ["Run the analysis first."]


def test_a_pack_with_models_is_shown_without_a_change_here() -> None:
    view = risk_view(state(diagnosis=DIAGNOSIS, prognosis=PROGNOSIS))
    first = view.bars[0]
    expected = ("Glioblastoma, IDH-wildtype", 0.7, "70 %")
    assert (str(first.label), first.fraction, first.value) == expected
    assert str(view.bars[-1].label) == "IDH-mutant"
    assert view.curves[0].high == (1, 0.8, 0.5)
    assert view.curves[1].low == ()
    assert [(str(words), value) for words, value in view.table] == [
        ("This patient, alive at 12 months", "60 %"),
        ("This patient, alive at 24 months", "30 %"),
    ]
    assert not any("no installed model" in str(line) for line in view.lines)


def test_weak_evidence_and_old_results_are_said() -> None:
    weak = state(diagnosis={**DIAGNOSIS, "indeterminate": True}, prognosis=PROGNOSIS)
    old = ReviewState(**{**weak.__dict__, "out_of_date": True})
    lines = [str(line) for line in risk_view(old).lines]
    assert "Out of date" in lines[0]
    assert any("Indeterminate" in line for line in lines)
