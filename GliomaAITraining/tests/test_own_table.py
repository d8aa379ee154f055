"""A researcher's own cohort: what its columns mean, and what cannot be."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from clinical_makers import write_csv
from cohort_makers import write_cohort
from multitask_makers import TINY

from gliomaai_training.cli import main
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.own_table import COLUMNS, read_own_table
from gliomaai_training.data.targets import CLASSES, patient_targets
from gliomaai_training.diagnosis.states import LABELS
from gliomaai_training.networks.build import build_network
from gliomaai_training.training.cases import (
    DealtCases,
    TrainingCases,
    dealt_cases,
    dealt_cohorts,
    lesson,
    training_cases,
)
from gliomaai_training.training.config import FitConfig
from gliomaai_training.training.run_folder import read_run
from gliomaai_training.training.student_stage import student_patients

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cohorts.md"
Row = dict[str, str]


def read(folder: Path, *rows: Row, columns: tuple[str, ...] = COLUMNS) -> ClinicalCohort:
    """What is read of patients P0, P1 ..., where a row does not name another."""
    file = folder / "patients.csv"
    named = [{"id": f"scan-{n}", "patient": f"P{n}"} | row for n, row in enumerate(rows)]
    write_csv(file, columns, named)
    return read_own_table(file, "ours")


@pytest.mark.parametrize(
    ("row", "possible"),
    [
        ({"who_state": "A3"}, ("A3",)),
        ({"who_state": "O3 O2"}, ("O2", "O3")),
        ({"who_state": "Glioblastoma, IDH-wildtype"}, ("GBM",)),
        ({"who_state": "NEC", "reported_grade": "3"}, ("NEC",)),
        ({"who_state": "GBM", "reported_grade": "2"}, ("GBM",)),
        ({"idh": "mutant"}, ("A2", "A3", "A4", "O2", "O3")),
        ({"idh": "WT"}, ("GBM", "NEC")),
        ({"idh": "wild-type", "grade": "4"}, ("GBM",)),
        ({"codeletion_1p19q": "codel"}, ("O2", "O3")),
        ({"idh": "Mutant", "codeletion_1p19q": "non-codel", "grade": "2"}, ("A2",)),
        ({"idh": "Mutant", "codeletion_1p19q": "intact", "reported_grade": "G2"}, ("A2", "A4")),
        ({"grade": "4.0"}, ("GBM", "A4")),
        ({"codeletion_1p19q": "co-deleted", "reported_grade": "4"}, ("O3",)),
        ({"who_state": "A2 A4", "grade": "4"}, ("A4",)),
        ({"age_years": "50"}, ()),
        ({"who_state": "NA", "idh": " "}, ()),
    ],
)
def test_what_a_row_leaves_possible(tmp_path: Path, row: Row, possible: tuple[str, ...]) -> None:
    other = {"months": "10", "event": "1"}
    found = read(tmp_path, row | {"sex": "F"}, other).patients.iloc[0]
    assert (found["possible_states"] or "") == " ".join(possible)


def test_targets_of_all_tasks(tmp_path: Path) -> None:
    """A state decides the facts that it is defined by, and unknown stays unknown."""
    targets = patient_targets(
        read(
            tmp_path,
            {"who_state": "A3", "months": "30.5", "event": "alive"},
            {"who_state": "GBM", "reported_grade": "4", "months": "9", "event": "dead"},
            {"idh": "mutant", "event": "1"},
        )
    )
    chosen = {
        case: {
            task: {name for name, can in zip(CLASSES[task], one.possible[task], strict=True) if can}
            for task in CLASSES
        }
        for case, one in targets.items()
    }
    everything = {task: set(classes) for task, classes in CLASSES.items()}
    assert chosen["scan-0"] == everything | {
        "state": {"A3"}, "idh": {"mutant"}, "codeletion_1p19q": {"intact"}, "grade": {"3"},
    }  # fmt: skip
    assert chosen["scan-1"] == {
        "state": {"GBM"}, "idh": {"wild-type"}, "codeletion_1p19q": {"intact"}, "grade": {"4"},
        "histology": {"glioblastoma"},
    }  # fmt: skip
    assert chosen["scan-2"]["idh"] == {"mutant"}
    assert chosen["scan-2"]["codeletion_1p19q"] == everything["codeletion_1p19q"]
    assert (targets["scan-0"].months, targets["scan-0"].event) == (30.5, False)
    assert (targets["scan-1"].months, targets["scan-1"].event) == (9.0, True)
    assert np.isnan(targets["scan-2"].months)  # a death at an unknown time tells nothing


def test_other_names_of_columns_and_spaces_are_understood(tmp_path: Path) -> None:
    columns = ("id", "patient", " state ", "age", "codel_1p19q", "extent_of_resection", "hospital")
    row = {" state ": "O2", "age": "44.5", "codel_1p19q": "codel", "extent_of_resection": "GTR"}
    found = read(tmp_path, row | {"hospital": "somewhere"}, columns=columns).patients.iloc[0]
    assert (found["who_state"], found["age_years"]) == ("O2", 44.5)
    assert (found["codeletion_1p19q"], found["resection"]) == ("co-deleted", "gross total")


def test_a_second_scan_brings_images_alone(tmp_path: Path) -> None:
    second = {"id": "later", "patient": "P0"}
    assert read(tmp_path, {"who_state": "A2"}, second).patients["case"].tolist() == ["scan-0"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"who_state": "A5"}, "column state, row 1: 'A5' is none of GBM, A2, A3, A4, O2, O3, NEC"),
        ({"idh": "positive"}, "column idh, row 1: 'positive' is not mapped; known spellings are"),
        ({"grade": "1"}, "column grade, row 1: '1' is not mapped"),
        ({"months": "-1", "event": "1"}, "column months, row 1: -1 is not possible"),
        ({"months": "long", "event": "1"}, "column months, row 1: 'long' is no number"),
        ({"months": "12"}, "row 1: 12 months without an event: say 1 for death, 0 for alive"),
        ({"event": "yes"}, "column event, row 1: 'yes' is not mapped"),
        (
            {"idh": "wild-type", "codeletion_1p19q": "co-deleted"},
            "row 1: IDH wild-type with 1p/19q co-deletion is no WHO 2021 state",
        ),
        ({"idh": "wild-type", "grade": "2"}, "row 1: no WHO 2021 state .* column reported_grade"),
        ({"codeletion_1p19q": "co-deleted", "grade": "4"}, "row 1: no WHO 2021 state"),
        ({"who_state": "A2", "idh": "wild-type"}, "row 1: state A2, IDH wild-type: no tumour of"),
        ({"who_state": "NEC", "grade": "2"}, "state NEC, grade 2: .* column reported_grade"),
        ({"age_years": "400"}, "column age_years, row 1: 400 is not possible, it is 0 to 120"),
        ({"kps": "85"}, "column kps, row 1: '85' is not mapped"),
        ({"id": ""}, "id is missing in 1 rows; it names the folder of the images"),
        ({"sex": "F"}, "tells of nobody's diagnosis or survival: fill who_state, idh,"),
    ],
)
def test_what_cannot_be_is_refused(tmp_path: Path, row: Row, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(tmp_path, row)


def test_tables_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tells of 1 patients in more than one row"):
        read(tmp_path, {"who_state": "A2"}, {"patient": "P0", "who_state": "A3"})
    both = ("id", "patient", "state", "who_state")
    with pytest.raises(ValueError, match="has who_state twice, perhaps under two names"):
        read(tmp_path, {"state": "A2", "who_state": "A2"}, columns=both)
    (tmp_path / "bare.csv").write_text("id,who_state\nscan-0,A2\n")
    with pytest.raises(ValueError, match=r"bare\.csv lacks the columns patient"):
        read_own_table(tmp_path / "bare.csv", "ours")
    with pytest.raises(ValueError, match=r"there is no .*none\.csv"):
        read_own_table(tmp_path / "none.csv", "ours")


def test_messages_do_not_name_patients(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="row 1") as refused:
        read(tmp_path, {"patient": "Doe", "id": "Doe-1", "who_state": "A2", "idh": "wild-type"})
    assert "Doe" not in str(refused.value)


def test_the_documents_example_is_read(tmp_path: Path) -> None:
    lines = [line.strip() for line in DOCUMENT.read_text(encoding="utf-8").splitlines()]
    first = lines.index("id,patient,state,idh,codeletion_1p19q,grade,reported_grade,months,event")
    (tmp_path / "patients.csv").write_text("\n".join(lines[first : lines.index("", first)]))
    found = read_own_table(tmp_path / "patients.csv", "ours").patients
    assert found["possible_states"].tolist() == ["GBM", "A3", "A2 A4"]


# In a training


def own_cohort(folder: Path, patients: list[str], seed: int, **columns: object) -> None:
    """Images of these patients, cases named after the folder, and what is known of them."""
    table = write_cohort(folder, patients, seed)
    rows = pd.read_csv(table)
    for case in rows["id"]:
        (folder / case).rename(folder / f"{folder.name}-{case}")
    rows["id"] = f"{folder.name}-" + rows["id"]
    rows.assign(**columns).to_csv(table, index=False)


def recipe(*names: str, **changes: object) -> FitConfig:
    cohorts = [{"name": n, "table": f"{n}/cohort.csv", "clinical": "table"} for n in names]
    network = {"architecture": "multitask", "segmentation": "small", "tasks": ["state", "risk"]}
    fields = {"name": "own", "network": network, "cohorts": cohorts, "phases": [{"steps": 1}]}
    return FitConfig(**{**fields, "folds": 3, **changes})  # type: ignore[arg-type]


def test_an_own_cohort_teaches_the_tasks(tmp_path: Path) -> None:
    own_cohort(
        tmp_path / "ours",
        [f"P{n}" for n in range(6)],
        1,
        state=["GBM", "A2", "O3", "", "", "A4"],
        idh=["", "", "", "mutant", "", ""],
        months=[5, 30, 60, "", "", 20],
        event=[1, 0, 0, "", "", 1],
    )
    found: TrainingCases = training_cases(recipe("ours"), tmp_path, tmp_path / "store", None)
    targets = found.training.targets
    assert targets is not None
    known = {case[-2:]: int(one.possible["state"].sum()) for case, one in targets.items()}
    assert known == {"00": 1, "01": 1, "02": 1, "03": 5, "04": len(LABELS), "05": 1}
    told = lesson(recipe("ours"), tmp_path, None).cohort
    assert (told.words, told.patients, told.simulated_only) == ("patients of ours", 5, False)


def test_a_multitask_network_is_trained_on_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    states = ["GBM", "A2", "O3"]
    own_cohort(tmp_path / "ours", ["P0", "P1", "P2"], 1, state=states, months=9, event=[1, 0, 1])
    multitask = {"architecture": "multitask", "segmentation": TINY, "tasks": ["state", "risk"]}
    content = {"name": "own", "network": multitask, "objective": {"kind": "multitask"}}
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(content | {"cohorts": [], "phases": [{"steps": 1}]}))
    asked = ["fit", str(file), "--data", str(tmp_path), "--out", str(tmp_path / "run")]
    asked += ["--device", "cpu", "--set"]
    own = "cohorts=[{name: our hospital, table: ours/cohort.csv, clinical: table}]"
    assert main([*asked, own]) == 0
    assert read_run(tmp_path / "run").checkpoint.finished
    rows = pd.read_csv(tmp_path / "ours" / "cohort.csv")
    rows.assign(idh="wild-type").to_csv(tmp_path / "ours" / "cohort.csv", index=False)
    asked[5] = str(tmp_path / "other")
    assert main([*asked, own]) == 1
    assert "row 2: state A2, IDH wild-type: no tumour of WHO 2021" in capsys.readouterr().err


@pytest.mark.parametrize("fold", [0, 1, 2])
def test_a_person_who_is_held_out_in_one_cohort_is_not_learnt_from_in_another(
    tmp_path: Path, fold: int
) -> None:
    """P0 to P5 are X0 to X5 of the other cohort, which deals them by another name."""
    people = [f"P{n}" for n in range(6)]
    other = [f"X{(5 * n + 2) % 6}" for n in range(6)]
    own_cohort(tmp_path / "one", people, 1, state="GBM")
    own_cohort(
        tmp_path / "two", [*other, "Y"], 2, aliases=[f"P{n[1:]}" for n in other] + [""], idh="WT"
    )
    config = recipe("one", "two", validation_patients=1)
    found = training_cases(config, tmp_path, tmp_path / "store", fold)
    dealt = [part for _, part in dealt_cohorts(config, tmp_path, fold)]
    blind = [dealt_cases(cohort, config, tmp_path, fold) for cohort in config.cohorts]
    assert persons(blind, "training") & (persons(blind, "test") | persons(blind, "validation"))
    assert not persons(dealt, "training") & (persons(dealt, "test") | persons(dealt, "validation"))
    assert not persons(dealt, "validation") & persons(dealt, "test")
    assert persons(dealt, "test") == persons(blind, "test")
    learnt = {case.patient.replace("X", "P") for case in found.training.cases}
    assert learnt == persons(dealt, "training")
    assert found.person_of["X3"] == found.person_of["P3"] == "P3"


def persons(dealt: list[DealtCases], part: str) -> set[str]:
    cases = [case for one in dealt for case in getattr(one, part)]
    return {case.patient.replace("X", "P") for case in cases}


def test_a_planted_person_is_found_by_the_students_stage(tmp_path: Path) -> None:
    """Whoever is held out under another name stops the stage before a teacher says a word."""
    own_cohort(tmp_path / "ours", ["P0", "P1", "P2"], 1, months=9, event=1)
    config = recipe("ours", objective={"kind": "student"}, validation_patients=1)
    cases = training_cases(config, tmp_path, tmp_path / "store", None)
    planted = replace(
        cases,
        held_out=cases.held_out | {"TCGA-0"},
        person_of={"TCGA-0": "one", cases.training.cases[0].patient: "one"},
    )
    network = build_network(config.network).state_dict()
    with pytest.raises(ValueError, match="1 patients are in training and held out at once"):
        student_patients(config, planted, tmp_path / "run", torch.device("cpu"), network)
    assert not (tmp_path / "run").exists()
