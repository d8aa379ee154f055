"""Packs of statistical models: from study files to what the clinic reads back."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pack_makers import NOTES, PATIENTS, age_term, cox, followed, joint

from gliomaai_training.cli import main
from gliomaai_training.covariates import (
    CLINICAL,
    MEASURES,
    age_in_groups,
    is_clinical,
    is_known,
    radiomics_name,
)
from gliomaai_training.inference.model_pack import (
    CARD,
    METADATA,
    ModelPackError,
    load_model_pack,
    sha256_of,
)
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.inference.statistical_packs import (
    Inputs,
    Role,
    load_diagnosis_pack,
    load_prognosis_pack,
)
from gliomaai_training.radiomics.extract import DEFAULT_RECIPE, feature_columns
from gliomaai_training.survival.cox_model import write_cox_model
from gliomaai_training.survival.outcome import Outcome
from gliomaai_training.survival.reference_groups import (
    ReferenceGroup,
    ReferenceGroups,
    observed_groups,
    read_reference_groups,
    risk_groups,
    write_reference_groups,
)
from gliomaai_training.vocabulary import NOTICE


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    folder = tmp_path / "studies"
    (folder / "after" / "models").mkdir(parents=True)
    write_cox_model(cox(), folder / "after" / "models" / "cox.json")
    risk = np.random.default_rng(2).normal(size=PATIENTS)
    write_reference_groups(risk_groups("nobody", risk, followed(2)), folder / "groups.json")
    (folder / "joint.json").write_text(json.dumps([joint().document()]), "utf-8")
    (folder / "after" / "table.md").write_text("| Harrell C |\n|-|\n| .72 |\n", "utf-8")
    (folder / "after" / "picture.png").write_bytes(b"png")
    (tmp_path / "LICENSE").write_text("Apache-2.0\n")
    return folder


def plan(studies: Path, text: str) -> Path:
    file = studies.parent / "plan.yaml"
    file.write_text(text + NOTES, "utf-8")
    return file


PROGNOSIS = """task: prognosis
models:
- {file: after/models/cox.json, role: postoperative, groups: groups.json}
sections:
- {title: Discrimination, file: after/table.md}
- {title: Calibration, file: after/picture.png}
"""


def pack(studies: Path, text: str, name: str = "prognosis") -> int:
    out, licence = studies.parent / name, studies.parent / "LICENSE"
    arguments = ["--studies", str(studies), "--out", str(out), "--version", "1.0.0"]
    file = str(plan(studies, text))
    return main(["pack-models", file, *arguments, "--licence", str(licence)])


def test_the_command_packs_models_with_their_card(
    studies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack(studies, PROGNOSIS) == 0
    folder = studies.parent / "prognosis"
    assert capsys.readouterr().out.split()[:2] == ["prognosis", "1.0.0"]
    found = load_prognosis_pack(folder)
    (member,) = found.members
    assert member.model.document() == cox().document()
    assert (member.role, member.inputs) == (Role.POSTOPERATIVE, Inputs.CLINICAL)
    assert member.groups == read_reference_groups(studies / "groups.json")
    assert found.covariates == {"age_years"}
    card = (folder / CARD).read_text("utf-8")
    row = f"| by age | postoperative | clinical | nobody | 60 | {cox().events} | age |"
    for words in (
        NOTICE,
        row,
        "`by age`: Recalibrated on nobody.",
        "| .72 |",
        "after-picture.png",
        "Nobody.",
    ):
        assert words in card
    assert (folder / "docs" / "after-picture.png").read_bytes() == b"png"


def test_diagnosis_models_are_packed_too(studies: Path) -> None:
    assert pack(studies, "task: diagnosis\nmodels: [{file: joint.json}]\n", "diagnosis") == 0
    found = load_diagnosis_pack(studies.parent / "diagnosis")
    assert [model.document() for model in found.models] == [joint().document()]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("task: prognosis\nmodels: []\n", "names no model"),
        ("task: prognosis\nmodels: [{file: after/models/cox.json}]\n", "needs a role"),
        ("task: diagnosis\nmodels: [{file: joint.json, role: preoperative}]\n", "has a role"),
        ("task: prognosis\nmodels: [{file: joint.json, role: preoperative}]\n", "needs 'gliomaai"),
        ("task: prognosis\nmodels: [{file: none.json, role: preoperative}]\n", "none.json"),
        ("task: prognosis\nmodels: [{file: a.json, role: sometimes}]\n", "is no plan"),
        ("task: grading\nmodels: []\n", "is no plan"),
        ("task: prognosis\nmodels: []\nmore: 1\n", "is no plan"),
        ("", "is no plan"),
    ],
)
def test_a_wrong_plan_is_refused(
    studies: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    assert pack(studies, text) == 1
    assert words in capsys.readouterr().err
    assert not (studies.parent / "prognosis").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [("mgmt", "which the clinic never knows"), ("t1_WT_original_glcm_Contrast", "the recipe")],
)
def test_a_model_that_could_never_be_used_is_refused(
    studies: Path, capsys: pytest.CaptureFixture[str], name: str, words: str
) -> None:
    write_cox_model(cox("odd", age_term(name)), studies / "odd.json")
    text = "task: prognosis\nmodels: [{file: odd.json, role: preoperative}]\n"
    assert pack(studies, text) == 1
    assert words in capsys.readouterr().err


def test_two_models_of_one_name_are_refused(
    studies: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cox_model(cox(), studies / "again.json")
    more = "- {file: again.json, role: preoperative}\nsections:"
    assert pack(studies, PROGNOSIS.replace("sections:", more)) == 1
    assert "several models are called by age" in capsys.readouterr().err


def changed_metadata(folder: Path, change: dict[str, Any]) -> None:
    """A pack whose section says something else, with hashes that fit."""
    metadata = json.loads((folder / METADATA).read_text("utf-8"))
    metadata["gliomaai"] |= change
    (folder / METADATA).write_text(json.dumps(metadata), "utf-8")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["sha256"][METADATA] = sha256_of(folder / METADATA)
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "install the GliomaAI that the pack belongs to"),
        ({"task": "segmentation"}, "not prognosis"),
        ({"models": []}, "holds no model"),
        ({"models": 3}, "cannot be read"),
        ({"models": [{"role": "postoperative"}]}, "needs file"),
        ({"models": [{"file": "models/x.json", "role": "x"}]}, "cannot be read"),
        ({"models": [{"file": "models/x.json", "role": "postoperative", "a": 1}]}, "has no a"),
        ({"models": [{"file": "../LICENSE", "role": "postoperative"}]}, "does not lie in"),
        ({"models": [{"file": "models/../../a.json", "role": "postoperative"}]}, "does not lie"),
        ({"models": [{"file": "models/none.json", "role": "postoperative"}]}, "cannot be read"),
        ({"models": [{"file": "models/groups.json", "role": "postoperative"}]}, "Cox model"),
        ({"radiomics": 3}, "recipe"),
    ],
)
def test_a_pack_that_says_nonsense_is_refused(
    studies: Path, change: dict[str, Any], words: str
) -> None:
    pack(studies, PROGNOSIS)
    folder = studies.parent / "prognosis"
    changed_metadata(folder, change)
    with pytest.raises(ModelPackError, match=words):
        load_prognosis_pack(folder)


def test_a_model_of_a_later_version_is_refused(studies: Path) -> None:
    pack(studies, PROGNOSIS)
    folder = studies.parent / "prognosis"
    file = folder / "models" / "after-cox.json"
    file.write_text(json.dumps(cox().document() | {"version": 99}), "utf-8")
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["sha256"]["models/after-cox.json"] = sha256_of(file)
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(ModelPackError, match="of version 99"):
        load_prognosis_pack(folder)


def test_a_damaged_model_is_refused(studies: Path) -> None:
    pack(studies, PROGNOSIS)
    file = studies.parent / "prognosis" / "models" / "after-cox.json"
    file.write_text(file.read_text("utf-8").replace("0.03", "0.04"), "utf-8")
    with pytest.raises(ModelPackError, match="is damaged"):
        load_prognosis_pack(studies.parent / "prognosis")


def test_a_pack_of_models_is_no_network(studies: Path) -> None:
    pack(studies, PROGNOSIS)
    found = load_model_pack(studies.parent / "prognosis")
    with pytest.raises(ModelPackError, match="holds no network"):
        found.weights()
    with pytest.raises(ModelPackError, match="not for segmentation"):
        Predictor(found)


def test_names_of_covariates() -> None:
    for name in feature_columns(DEFAULT_RECIPE):
        parts = radiomics_name(name)
        assert parts is not None
        assert name.startswith(f"{parts.sequence}_" if parts.sequence else parts.region)
    assert all(map(is_known, (*CLINICAL, *MEASURES)))
    assert is_clinical("who_state")
    assert not is_clinical("wt_ml")
    assert not any(map(is_known, ("mgmt", "WT_original_glcm_Contrast", "t1_WT_original_shape_X")))
    assert age_in_groups(70.0, "GBM") == {
        "age_years_glioblastoma": 70.0,
        "age_years_mutant": 50.0,
    }
    assert age_in_groups(30.0, "O2") == {"age_years_glioblastoma": 50.0, "age_years_mutant": 30.0}


def test_risk_groups_tell_where_a_patient_belongs() -> None:
    risk = np.arange(90.0)
    followed = Outcome(100.0 - risk, np.ones(90, bool))
    groups = risk_groups("nobody", risk, followed)
    assert [group.patients for group in groups.groups] == [30, 30, 30]
    assert [groups.of_risk(r).name for r in (-9.0, 45.0, 1e9)] == [  # type: ignore[union-attr]
        group.name for group in groups.groups
    ]
    at_year = [group.survival[group.months.index(12.0)] for group in groups.groups]
    assert at_year == sorted(at_year, reverse=True)
    assert groups.groups[0].survival[0] == 1.0
    assert groups.groups[-1].survival[-1] == pytest.approx(0.0)


def test_groups_by_state_have_no_place_for_a_risk(tmp_path: Path) -> None:
    followed = Outcome(np.arange(1.0, 21.0), np.ones(20, bool))
    groups = observed_groups("nobody", {"A2": followed})
    assert groups.of_risk(0.0) is None
    write_reference_groups(groups, tmp_path / "g.json")
    assert read_reference_groups(tmp_path / "g.json") == groups


def test_wrong_groups_are_refused(tmp_path: Path) -> None:
    few = Outcome(np.arange(1.0, 10.0), np.ones(9, bool))
    with pytest.raises(ValueError, match="a curve needs 10"):
        observed_groups("nobody", {"A2": few})
    with pytest.raises(ValueError, match="too coarse"):
        risk_groups("nobody", np.zeros(60), Outcome(np.ones(60), np.ones(60, bool)))
    for months, survival in (((0, 1), (1,)), ((1, 2), (1, 0.5)), ((0, 1), (0.5, 0.6))):
        with pytest.raises(ValueError, match="group 'x'"):
            ReferenceGroup("x", 10, 5, months, survival)
    for text, words in (("{", "cannot be read"), ("[]", "no reference"), ("{}", "needs 'gliomaai")):
        (tmp_path / "g.json").write_text(text)
        with pytest.raises(ValueError, match=words):
            read_reference_groups(tmp_path / "g.json")
    broken = ReferenceGroups("nobody", ()).document() | {"groups": [{"name": "x"}]}
    with pytest.raises(ValueError, match="cannot be read"):
        ReferenceGroups.from_document(broken)
