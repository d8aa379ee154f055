"""Packs of diagnosis and prognosis: listed, damaged, absent, or for others."""

import shutil
from pathlib import Path

import pytest
from estimated_cases import document_of

from gliomaai_training.findings import Severity
from GliomaAILib.analysis import Analyst
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.cli import main
from GliomaAILib.models import MODELS_VARIABLE


def test_packs_are_listed(installed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "prognosis  version 0.9.0" in out
    assert "After surgery with volumes: postoperative, clinical+imaging, n = 600" in out
    assert "Diagnosis by age: n = 600" in out


def test_packs_that_the_clinic_does_not_use_are_listed_with_their_purpose(
    packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped = Path(__file__).resolve().parents[3] / "Resources" / "Models"
    shutil.copytree(shipped / "diagnosis-ucsf-t1gd", tmp_path / "of-one-hospital")
    shutil.copytree(packs / "prognosis", tmp_path / "further")
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    assert main(["models"]) == 0
    out = capsys.readouterr().out
    assert "of-one-hospital  version 1.0.0" in out
    assert "only for tables of UCSF-PDGM (`gliomaai-train score`), never in the clinic" in out
    assert "age and T1Gd features of UCSF-PDGM: n = 363" in out
    assert "used where it is named only" in out
    (tmp_path / "of-one-hospital" / "LICENSE").write_text("another", "utf-8")
    assert main(["models"]) == 1
    assert "LICENSE is damaged" in capsys.readouterr().err


@pytest.fixture
def damaged(packs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(packs / "prognosis", tmp_path / "prognosis")
    file = tmp_path / "prognosis" / "models" / "model-1.json"
    file.write_text(file.read_text("utf-8") + " ", "utf-8")
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    return tmp_path


def test_a_damaged_pack_is_not_used_and_said(
    bare: Assessment, damaged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assessment = Analyst().estimate(bare)
    assert assessment.estimates.prognosis is None
    assert "is damaged" in assessment.estimates.absent["prognosis"]
    (finding,) = [f for f in assessment.findings if f.code == "prognosis.pack"]
    assert finding.severity is Severity.WARNING
    assert main(["models"]) == 1
    assert "model-1.json is damaged" in capsys.readouterr().err


def test_without_packs_that_is_said(
    bare: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("GliomaAILib.models.pack_folders", lambda: (tmp_path,))
    assessment = Analyst().estimate(bare)
    assert assessment.findings == bare.findings
    assert "No model pack" in assessment.estimates.absent["diagnosis"]
    assert document_of(assessment)["not_estimated"] == assessment.estimates.absent


def test_a_pack_for_one_hospital_is_not_used_and_said(
    bare: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its T1Gd features have the units of that hospital's images."""
    models = Path(__file__).resolve().parents[3] / "Resources" / "Models"
    shutil.copytree(models / "diagnosis-ucsf-t1gd", tmp_path / "diagnosis")
    monkeypatch.setenv(MODELS_VARIABLE, str(tmp_path))
    assessment = Analyst().estimate(bare)
    assert assessment.estimates.diagnosis is None
    assert "is only for UCSF-PDGM" in assessment.estimates.absent["diagnosis"]
    assert "diagnosis.pack" in {finding.code for finding in assessment.findings}
