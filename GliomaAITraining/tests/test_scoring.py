"""Tables of patients scored by packs: which model answers, and what a wrong table is told."""

import json
from pathlib import Path

import pandas as pd
import pytest
from pack_makers import NOTES, age_term, cox, joint

from gliomaai_training.cli import main
from gliomaai_training.diagnosis.joint_model import (
    JointModel,
    NotForThisPatientError,
    Restriction,
)
from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.inference.model_pack import ModelPackError, load_model_pack
from gliomaai_training.inference.scoring import open_pack
from gliomaai_training.inference.statistical_packs import DiagnosisPack, load_diagnosis_pack
from gliomaai_training.survival.cox_model import CoxModel
from gliomaai_training.survival.cox_prediction import predict
from gliomaai_training.survival.terms import CategoricalTerm, NumericTerm

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
SCANNER = Restriction("HERE", "in this scanner's units", most_beyond=0.5)

AGE = age_term()
STATE = CategoricalTerm("who_state", "WHO state", WHO_STATES, "GBM", (10,) * 6)
RESECTION = CategoricalTerm("resection", "resection", ("biopsy", "gross total"), "biopsy", (30, 30))
VOLUME = NumericTerm(
    "wt_ml", "whole tumour", "mL", 30.0, (0.0, 2000.0), (1.0, 9.0, 30.0, 70.0, 300.0)
)


def feature(number: int) -> NumericTerm:
    """One of a scanner's features: 90 to 110 there."""
    name = f"original_glcm_{number}"
    seen = (90.0, 95.0, 100.0, 105.0, 110.0)
    return NumericTerm(name, name, "", 100.0, (-1e300, 1e300), seen, 5.0, "arsinh")


def packed(folder: Path, plan: str, models: dict[str, CoxModel | JointModel]) -> int:
    """Packs models as the command does; the pack is called as the folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    for name, model in models.items():
        (folder.parent / f"{name}.json").write_text(json.dumps(model.document()), "utf-8")
    (folder.parent / "plan.yaml").write_text(plan + NOTES, "utf-8")
    (folder.parent / "LICENSE").write_text("Apache-2.0\n", "utf-8")
    arguments = ["--studies", str(folder.parent), "--out", str(folder), "--version", "1.0.0"]
    plan_file, licence = str(folder.parent / "plan.yaml"), str(folder.parent / "LICENSE")
    return main(["pack-models", plan_file, *arguments, "--licence", licence])


@pytest.fixture(scope="module")
def prognosis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "prognosis"
    plan = """task: prognosis
models:
- {file: full.json, role: postoperative}
- {file: state.json, role: postoperative}
- {file: age.json, role: preoperative}
- {file: volume.json, role: preoperative}
"""
    models: dict[str, CoxModel | JointModel] = {
        "full": cox("age, state, resection", AGE, STATE, RESECTION),
        "state": cox("age, state", AGE, STATE),
        "age": cox("age", AGE),
        "volume": cox("age, volume", AGE, VOLUME),
    }
    assert packed(folder, plan, models) == 0
    return folder


@pytest.fixture(scope="module")
def diagnosis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("packs") / "here"
    plan = "task: diagnosis\nonly_for: HERE\nmodels: [{file: here.json}, {file: age.json}]\n"
    here = joint("age and features", AGE, *map(feature, range(4)), only_for=SCANNER)
    assert packed(folder, plan, {"here": here, "age": joint("age", AGE)}) == 0
    return folder


def scored(pack: Path, tmp_path: Path, table: str, *options: str) -> pd.DataFrame:
    """What the command writes of a table given as text."""
    file, out = tmp_path / "table.csv", tmp_path / "scores" / "out.csv"
    file.write_text(table, "utf-8")
    assert main(["score", str(pack), str(file), "--out", str(out), *options]) == 0
    return pd.read_csv(out, keep_default_na=False)


def test_survival_is_the_models_own(prognosis: Path, tmp_path: Path) -> None:
    found = scored(prognosis, tmp_path, "patient,age,state,resection\na,61,GBM,biopsy\n")
    (row,) = found.to_dict("records")
    known = {"age_years": 61.0, "who_state": "GBM", "resection": "biopsy"}
    said = predict(cox("age, state, resection", AGE, STATE, RESECTION), known)
    assert (row["patient"], row["model"]) == ("a", "age, state, resection")
    assert (row["role"], row["inputs"], row["problem"]) == ("postoperative", "clinical", "")
    assert row["linear_predictor"] == pytest.approx(said.risk)
    for months in (12, 24, 60):
        told = [float(row[f"survival_{months}_months{end}"]) for end in ("", "_low", "_high")]
        assert told == pytest.approx(said.landmarks[float(months)])


def test_a_reduced_model_is_used_and_named(prognosis: Path, tmp_path: Path) -> None:
    table = "patient,age,state,resection\na,61,GBM,\nb,61,,\nc,61,O2,none\nd,,GBM,biopsy\n"
    found = scored(prognosis, tmp_path, table)
    assert found["model"].tolist() == ["age, state", "age", "age, state", ""]
    assert found["not_used"][0] == "age, state, resection: needs resection"
    assert found["role"][1] == "preoperative"
    assert "without wt_ml no model can be used" in found["not_used"][1]
    # A word of the project that this model has never seen.
    assert "'none' was never seen; known are biopsy, gross total" in found["not_used"][2]
    assert found["problem"][3] == "without age_years no model can be used"


def test_imaging_stands_beside_the_clinical_facts(prognosis: Path, tmp_path: Path) -> None:
    shape = dict.fromkeys(("MajorAxisLength", "Elongation", "Flatness"), "0.5")
    names = ",".join(f"original_shape_{name}" for name in ("VoxelVolume", *shape))
    table = f"patient,age,{names}\na,50,42000,{','.join(shape.values())}\n"
    found = scored(prognosis, tmp_path, table)
    assert found["inputs"].tolist() == ["clinical", "clinical+imaging"]
    said = predict(cox("age, volume", AGE, VOLUME), {"age_years": 50.0, "wt_ml": 42.0})
    assert float(found["linear_predictor"][1]) == pytest.approx(said.risk)


def test_the_state_follows_from_tissue_and_may_be_uncertain(
    prognosis: Path, tmp_path: Path
) -> None:
    table = "age,idh,codel_1p19q,grade\n40,mutant,co-deletion,3\n40,WT,,\n40,wild-type,,2\n"
    found = scored(prognosis, tmp_path, table)
    assert found["patient"].astype(str).tolist() == ["1", "2", "3"]
    assert found["model"].tolist() == ["age, state", "age, state", "age"]
    assert found["linear_predictor"][0] != found["linear_predictor"][1]
    chances = "age," + ",".join(f"probability_{s}" for s in WHO_STATES) + "\n40,.5,.1,.1,.1,.1,.1\n"
    found = scored(prognosis, tmp_path, chances, "--role", "postoperative")
    assert found["model"].tolist() == ["age, state"]


@pytest.mark.parametrize(
    ("cells", "problem"),
    [
        ("400,GBM,", "age of 400 years is not possible: it lies between 0 and 120 years"),
        ("-1,GBM,", "age of -1 years is not possible"),
        ("old,GBM,", "age must be a number, not 'old'"),
        ("inf,GBM,", "age of inf years is not possible"),
        ("61,A5,", "WHO state 'A5' was never seen; known are GBM, A2"),
        ("61,GBM,some", "resection 'some' was never seen; known are none, biopsy"),
    ],
)
def test_a_mistake_in_a_row_is_said_there(
    prognosis: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    cells: str,
    problem: str,
) -> None:
    table = f"patient,age,state,resection\nsecret,{cells}\nb,50,GBM,\n"
    found = scored(prognosis, tmp_path, table)
    assert found["problem"][0].startswith(problem)
    assert (found["model"][0], found["model"][1]) == ("", "age, state")
    assert found["linear_predictor"][0] == ""
    told = capsys.readouterr().out
    assert f"1 without a result: {problem}" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("patient,weight\na,70\n", "nobody could be scored: without age_years no model can"),
        ("patient,age\na,400\n", "nobody could be scored: age of 400 years"),
        ("patient,age\na,40\na,50\n", "lists patients more than once"),
        ("patient,age,age_years\na,40,40\n", "has age_years twice, perhaps under two names"),
        ("patient,age\n", "has no rows"),
    ],
)
def test_a_table_that_cannot_be_scored_is_refused(
    prognosis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, message: str
) -> None:
    file, out = tmp_path / "table.csv", tmp_path / "out.csv"
    file.write_text(table, "utf-8")
    assert main(["score", str(prognosis), str(file), "--out", str(out)]) == 1
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_files_that_are_wrong(
    prognosis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = tmp_path / "table.csv", tmp_path / "out.csv"
    for arguments, message in (
        ([str(prognosis), str(file), "--out", str(out)], "there is no"),
        ([str(tmp_path), str(file), "--out", str(out)], "is no model pack"),
        ([str(prognosis), str(file), "--out", str(file)], "is a table of patients"),
    ):
        assert main(["score", *arguments]) == 1
        assert message in capsys.readouterr().err


def test_tables_are_joined_by_patient(prognosis: Path, tmp_path: Path) -> None:
    more = tmp_path / "more.csv"
    more.write_text("patient,extent_of_resection\nb,GTR\n", "utf-8")
    found = scored(prognosis, tmp_path, "patient,age,state\na,50,GBM\nb,50,GBM\n", "--role",
                   "postoperative")  # fmt: skip
    assert set(found["model"]) == {"age, state"}
    out = tmp_path / "both.csv"
    tables = [str(tmp_path / "table.csv"), str(more)]
    assert main(["score", str(prognosis), *tables, "--out", str(out)]) == 0
    assert pd.read_csv(out)["model"].tolist() == ["age, state", "age, state, resection"]


def test_tables_that_cannot_be_joined(
    prognosis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "a.csv", tmp_path / "b.csv"
    first.write_text("patient,age\na,50\n", "utf-8")
    for text, message in (
        ("age\n50\n", "no column 'patient'"),
        ("patient,age\na,1\n", "both have"),
    ):
        second.write_text(text, "utf-8")
        out = str(tmp_path / "out.csv")
        assert main(["score", str(prognosis), str(first), str(second), "--out", out]) == 1
        assert message in capsys.readouterr().err


FEATURES = ",".join(f"original_glcm_{number}" for number in range(4))


def test_a_restricted_model_answers_within_its_units(diagnosis: Path, tmp_path: Path) -> None:
    table = f"patient,age,{FEATURES}\na,50,99,101,100,98\nb,50,3,4,2,101\nc,50,99,101,,98\n"
    found = scored(diagnosis, tmp_path, table)
    assert found["model"].tolist() == ["age and features", "age", "age"]
    assert found["only_for"].tolist() == ["HERE", "", ""]
    assert found["not_used"][1].startswith(
        "age and features: 60 % of the numbers lie beyond all that age and features was fitted on"
    )
    assert found["not_used"][2] == "age and features: needs original_glcm_2"
    model = joint("age and features", AGE, *map(feature, range(4)), only_for=SCANNER)
    cells = dict(zip(FEATURES.split(","), (99.0, 101.0, 100.0, 98.0), strict=True))
    said = model.diagnose({"age_years": 50.0, **cells})
    for state, chance in said.probabilities.items():
        assert float(found[f"probability_{state}"][0]) == pytest.approx(chance)
    assert float(found["probability_idh_mutant"][0]) == pytest.approx(said.idh_mutant)
    assert found["answer_idh"][0] == said.answers["idh"].value


def test_the_clinic_does_not_open_a_restricted_pack(diagnosis: Path) -> None:
    with pytest.raises(ModelPackError, match="is only for HERE: in this scanner's units"):
        load_diagnosis_pack(diagnosis)
    found = open_pack(diagnosis)
    assert isinstance(found, DiagnosisPack)
    assert [one.only_for for one in found.models] == [SCANNER, None]
    assert load_model_pack(diagnosis).settings["only_for"] == "HERE"


def test_a_restricted_model_is_not_packed_by_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here = joint("h", AGE, feature(1), only_for=SCANNER)
    for words, model, message in (
        ("", here, "say `only_for: HERE`"),
        ("only_for: THERE\n", here, "h is only for HERE"),
        ("only_for: HERE\n", joint("g", AGE), "no model of the plan is only for HERE"),
        ("", joint("f", AGE, feature(1)), "which the clinic never knows"),
    ):
        plan = f"task: diagnosis\n{words}models: [{{file: m.json}}]\n"
        assert packed(tmp_path / "pack", plan, {"m": model}) == 1
        assert message in capsys.readouterr().err
        assert not (tmp_path / "pack").exists()


def test_a_restriction_comes_back_from_json() -> None:
    here = joint("h", AGE, feature(1), only_for=SCANNER)
    back = JointModel.from_document(json.loads(json.dumps(here.document())))
    assert back.only_for == SCANNER
    assert back.document() == here.document()
    assert JointModel.from_document(joint("g", AGE).document()).only_for is None
    for wrong in ({"patients": "X"}, {"patients": "", "reason": "", "most_beyond": 0.5}):
        with pytest.raises(ValueError, match=r"cannot be read|no restriction"):
            JointModel.from_document(here.document() | {"only_for": wrong})
    with pytest.raises(NotForThisPatientError, match="67 % of the numbers"):
        joint("h", AGE, feature(1), feature(2), only_for=SCANNER).diagnose(
            {"age_years": 50.0, "original_glcm_1": 0.0, "original_glcm_2": 1e9}
        )


SHIPPED = ROOT / "Resources" / "Models" / "diagnosis-ucsf-t1gd"
TABLE = DATA / "tables" / "ucsf_pdgm_radiomics_t1gd.csv"


@pytest.mark.skipif(not TABLE.is_file(), reason="the real tables (../shared/data) are not here")
def test_the_shipped_pack_scores_the_published_table(tmp_path: Path) -> None:
    """In 40 patients it was fitted on, and with features in units of another scanner."""
    clinical = pd.read_csv(DATA / "tables" / "ucsf_pdgm_clinical.csv")[["patient", "age"]]
    table = pd.read_csv(TABLE).merge(clinical, on="patient").iloc[::9]
    found = scored(SHIPPED, tmp_path, table.to_csv(index=False))
    assert (found["only_for"] == "UCSF-PDGM").mean() > 0.95
    features = [name for name in table if name.startswith("original_")]
    intensities = [name for name in features if "_shape_" not in name]
    table[intensities] *= 0.01
    found = scored(SHIPPED, tmp_path, table.to_csv(index=False))
    assert (found["only_for"] == "").all()
    assert (found["not_used"].str.contains("only for UCSF-PDGM")).all()
    # The form of the tumour is in millimetres and comparable.
    assert set(found["model"]) == {"age, tumour volume and axes"}
