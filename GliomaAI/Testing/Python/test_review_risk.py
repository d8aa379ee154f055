"""The risk panel's content: what a pack gives is shown, and nothing is made up."""

import json

from review_fakes import document, labels

from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.review.availability import Situation, commands
from GliomaAILib.review.risk import DASH, TIMES, risk_view
from GliomaAILib.review.state import ReviewState
from GliomaAILib.scene.port import CaseRecord

MODEL = {
    "name": "With volumes",
    "inputs": "clinical+imaging",
    "pack": "prognosis",
    "pack_version": "1.0.0",
    "cohort": "TCGA",
    "patients": 500,
    "events": 300,
    "history": ["recalibrated on others"],
}
DIAGNOSIS = {
    "basis": "model",
    "states": {"GBM": 0.7, "A2": 0.0, "A3": 0.0, "A4": 0.3, "O2": 0.0, "O3": 0.0},
    "marginals": {"idh_mutant": 0.3, "codeleted_1p19q": 0.0, "grade_4": 1.0},
    "answers": {"state": "GBM"},
    "indeterminate": False,
    "reasons": [],
    "model": {**MODEL, "name": "Joint", "pack": "diagnosis", "events": None, "history": []},
    "richer": [{"model": "With radiomics", "why": "needs T1Gd"}],
    "extrapolated": ["age: the model saw 18 to 89 years"],
    "limits": ["For the mix of UCSF."],
}
MONTHS = [0, 12, 24]
AT_12, AT_24 = ({"survival": s, "low": s - 0.1, "high": s + 0.1} for s in (0.6, 0.3))
ESTIMATE = {
    "model": MODEL,
    "months": MONTHS,
    "survival": [1, 0.6, 0.3],
    "low": [1, 0.4, 0.1],
    "high": [1, 0.8, 0.5],
    "at_months": {"12": AT_12, "24": AT_24, "60": None},
    "median_months": 15.0,
    "moved": [
        {
            "name": "age_years",
            "label": "age",
            "value": "60 years",
            "reference": "50 years",
            "hazard_ratio": 1.3,
            "share": 0.8,
        }
    ],
    "nomogram": {
        "axes": [
            {
                "name": "age_years",
                "label": "age",
                "value": "60 years",
                "points": 66.7,
                "ticks": [["20", 0.0], ["80", 100.0]],
            }
        ],
        "total": 66.7,
        "least": 0.0,
        "most": 100.0,
    },
    "group": "Highest third",
    "richer": [],
    "extrapolated": [],
}
CLINICAL = {
    **ESTIMATE,
    "model": {**MODEL, "name": "Age and sex", "inputs": "clinical"},
    "nomogram": None,
    "group": None,
}
GROUP = {"name": "Highest third", "cohort": "TCGA", "patients": 100, "events": 90}
PROGNOSIS = {
    "role": "preoperative",
    "estimates": [CLINICAL, ESTIMATE],
    "groups": [{**GROUP, "months": [0, 24], "survival": [1, 0.2]}],
    "unavailable": [],
}
FACTS = ClinicalFacts(idh="mutant", grade=3)


def state(**more: object) -> ReviewState:
    content = {**json.loads(document(labels())), **more}
    return ReviewState(
        has_result=True,
        document=content,
        facts=ClinicalFacts(idh="mutant", grade=3),
        commands=commands(Situation(CaseRecord(), (), document=content)),
    )


def test_without_models_that_is_what_is_said() -> None:
    view = risk_view(state())
    lines = [str(line) for line in view.lines]
    assert lines[:2] == ["Known from tissue: IDH mutant.", "Known from tissue: WHO grade 3."]
    assert sum("no installed model" in line for line in lines) == 2
    assert (view.bars, view.curves, view.table) == ((), (), ())


def test_before_a_run_there_is_nothing() -> None:
    assert [str(line) for line in risk_view(ReviewState()).lines] == ["Run the analysis first."]


def test_written_points_add_up() -> None:
    """33.4 + 20.4 + 10.4 = 64.2, but 33 + 20 + 10 = 63."""
    scale = ESTIMATE["nomogram"]
    axes = [{**scale["axes"][0], "points": points} for points in (33.4, 20.4, 10.4)]
    estimate = {**ESTIMATE, "nomogram": {**scale, "axes": axes, "total": 64.2}}
    view = risk_view(state(prognosis={**PROGNOSIS, "estimates": [estimate]}))
    numbers = [value for words, value in view.table if "Nomogram points" in str(words)]
    assert numbers == ["33", "20", "10", "63"]
    assert view.nomogram is not None
    assert view.nomogram.total == 64.2


def test_estimates_are_shown() -> None:
    view = risk_view(state(diagnosis=DIAGNOSIS, prognosis=PROGNOSIS))
    first = view.bars[0]
    expected = ("Glioblastoma, IDH-wildtype", 0.7, "70 %")
    assert (str(first.label), first.fraction, first.value) == expected
    assert [str(bar.label) for bar in view.bars[6:]] == [
        "IDH-mutant",
        "1p/19q co-deleted",
        "Grade 4",
    ]
    assert [str(curve.label) for curve in view.curves] == [
        "Clinical facts and imaging",
        "Clinical facts alone",
        "Highest third, n = 100",
    ]
    assert view.curves[0].high == (1, 0.8, 0.5)
    assert (view.curves[2].low, view.curves[2].is_reference) == ((), True)
    assert view.nomogram is not None
    assert view.nomogram.axes[0].ticks[-1] == ("80", 100.0)
    assert [(str(bar.label), bar.value) for bar in view.moved] == [
        ("age: 60 years", f"{TIMES} 1.30")
    ]
    assert [(str(words), value) for words, value in view.table] == [
        ("Clinical facts alone, alive at 12 months", f"60 % (50{DASH}70)"),
        ("Clinical facts alone, alive at 24 months", f"30 % (20{DASH}40)"),
        ("Clinical facts alone, alive at 60 months", DASH),
        ("Clinical facts and imaging, alive at 12 months", f"60 % (50{DASH}70)"),
        ("Clinical facts and imaging, alive at 24 months", f"30 % (20{DASH}40)"),
        ("Clinical facts and imaging, alive at 60 months", DASH),
        ("Nomogram points, age 60 years", "67"),
        ("Nomogram points in all, of 0 to 100", "67"),
        ("Hazard ratio, age: 60 years", f"{TIMES} 1.30 (80 %)"),
    ]
    notes = "\n".join(map(str, view.notes))
    for words in (
        "“With volumes” (Clinical facts and imaging), pack prognosis 1.0.0, fitted on TCGA, "
        "n = 500, 300 events.",
        "“Joint” (Clinical facts and imaging), pack diagnosis 1.0.0, fitted on TCGA, n = 500.",
        "“With radiomics” was not used: needs T1Gd.",
        "The patient's group by “With volumes”: Highest third.",
        "recalibrated on others",
        "For the mix of UCSF.",
    ):
        assert words in notes
    assert not any("no installed model" in str(line) for line in view.lines)


def test_what_a_curve_is_made_of_is_shown() -> None:
    shares = [
        {"state": "GBM", "probability": 0.9, "at_months": {"12": 0.55, "24": 0.2, "60": None}},
        {"state": "O2", "probability": 0.096, "at_months": {"12": 1.0, "24": 0.98, "60": 0.9}},
        {"state": "A4", "probability": 0.004, "at_months": {"12": 0.9, "24": 0.5, "60": 0.1}},
    ]
    estimate = {**ESTIMATE, "made_of": shares}
    view = risk_view(state(prognosis={**PROGNOSIS, "estimates": [CLINICAL, estimate]}))
    shown = [(str(words), value) for words, value in view.table if "Part of" in str(words)]
    assert shown == [
        (
            "Part of the curve: Glioblastoma, IDH-wildtype, 90 % (alive at 12, 24, 60 months)",
            f"55 %, 20 %, {DASH}",
        ),
        (
            "Part of the curve: Oligodendroglioma, grade 2, 10 % (alive at 12, 24, 60 months)",
            "100 %, 98 %, 90 %",
        ),
    ]


def test_what_imaging_adds_stands_beside_the_curves() -> None:
    said = "What imaging was measured to add: it adds nothing."
    view = risk_view(state(prognosis={**PROGNOSIS, "imaging_adds": said}))
    assert str(view.worth) == said
    assert risk_view(state(prognosis={**PROGNOSIS, "imaging_adds": ""})).worth is None
    assert risk_view(state(prognosis=PROGNOSIS)).worth is None  # of an older result


def test_the_reason_for_what_is_missing_is_said() -> None:
    view = risk_view(state(diagnosis=None, prognosis=None, not_estimated={"prognosis": "Why."}))
    lines = [str(line) for line in view.lines]
    assert "No prognosis: Why." in lines
    assert any(line.startswith("Diagnosis: no installed model") for line in lines)


def test_weak_evidence_and_old_results_are_said() -> None:
    doubtful = {**DIAGNOSIS, "indeterminate": True, "reasons": ["WHO state: 40 % only."]}
    weak = state(diagnosis=doubtful, prognosis=PROGNOSIS)
    old = ReviewState(**{**weak.__dict__, "out_of_date": True})
    lines = [str(line) for line in risk_view(old).lines]
    assert "Out of date" in lines[0]
    assert any("Indeterminate" in line for line in lines)
    assert "WHO state: 40 % only." in lines


def test_what_tissue_told_is_no_estimate() -> None:
    told = {**DIAGNOSIS, "basis": "tissue", "model": None, "richer": []}
    lines = [str(line) for line in risk_view(state(diagnosis=told)).lines]
    assert "The diagnosis is as tissue tells; nothing was estimated." in lines
