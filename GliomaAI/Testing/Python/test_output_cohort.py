"""What a case adds to a cohort: a line of a table, and a case to train on."""

import csv
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
from assessment_makers import template_assessment

from gliomaai_training.cohorts.manifest import read_manifest
from gliomaai_training.data.case_store import load_case, store_cases
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.progress import Cancelled
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.reassess import reassess
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.output.cohort_table import (
    COLUMNS,
    CohortTableError,
    append_row,
    check_table,
    cohort_row,
)
from GliomaAILib.output.document import Document, assessment_document
from GliomaAILib.output.folder import OutputError
from GliomaAILib.output.training_case import check_case, save_training_case


@pytest.fixture(scope="module")
def original() -> Assessment:
    return template_assessment()


@pytest.fixture(scope="module")
def corrected(original: Assessment) -> Assessment:
    array = sitk.GetArrayFromImage(original.segmentation)
    array[array == 1] = 3
    facts = ClinicalFacts(kps=80, idh="mutant", codeletion_1p19q="intact", grade=3)
    return reassess(original, Grid.of(original.segmentation).image(array), facts)


@pytest.fixture(scope="module")
def document(corrected: Assessment) -> Document:
    return assessment_document(corrected)


def lines(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_a_line_holds_what_the_document_says(document: Document) -> None:
    row = cohort_row("case-1", document)
    assert tuple(row) == COLUMNS
    assert float(row["WT_ml"]) == document["measures"]["volumes_ml"]["WT"]
    assert float(row["ET_longest_mm"]) == document["measures"]["diameters"]["ET"]["longest_mm"]
    assert (row["kps"], row["idh"], row["grade"], row["sex"]) == ("80", "mutant", "3", "F")
    assert row["corrected"] == "yes"
    assert float(row["dice_with_network_WT"]) == 1.0
    assert "assessment.corrected" in row["findings"].split()
    assert row["model_packs"] == "test-pack=1.0.0"
    assert row["lobe"] == "frontal"


def test_what_is_not_known_is_empty() -> None:
    document = json.loads(json.dumps(assessment_document(template_assessment(None))))
    row = cohort_row("healthy", document)
    for name in ("kps", "WT_longest_mm", "side", "lobe", "rano_region", "dice_with_network_ET"):
        assert row[name] == ""
    assert row["corrected"] == "no"
    assert float(row["WT_ml"]) == 0


def test_cases_add_up_and_the_same_case_is_replaced(document: Document, tmp_path: Path) -> None:
    table = tmp_path / "new" / "cohort.csv"
    for case in ("a", "b, the second", "Ω"):
        append_row(table, cohort_row(case, document))
    changed = {**document, "facts": {**document["facts"], "kps": 50}}
    append_row(table, cohort_row("b, the second", changed))
    rows = lines(table)
    assert [row["case"] for row in rows] == ["a", "b, the second", "Ω"]
    assert [row["kps"] for row in rows] == ["80", "50", "80"]
    assert [file.name for file in table.parent.iterdir()] == ["cohort.csv"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"id,patient\n1,2\n", "other columns"),
        (",".join(reversed(COLUMNS)).encode() + b"\n", "their order"),
        (",".join(COLUMNS).encode() + b"\nshort\n", "another length"),
        (b"\xff\xfe\x00", "no CSV file"),
    ],
)
def test_another_table_is_refused_and_left_alone(
    document: Document, tmp_path: Path, content: bytes, words: str
) -> None:
    table = tmp_path / "table.csv"
    table.write_bytes(content)
    for act in (
        lambda: check_table(table, "a"),
        lambda: append_row(table, cohort_row("a", document)),
    ):
        with pytest.raises(CohortTableError, match=words):
            act()
    assert table.read_bytes() == content


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\nb", "=SUM(A1)", "@x", "-1"])
def test_names_that_cannot_stand_in_a_table_are_refused(document: Document, name: str) -> None:
    with pytest.raises(CohortTableError):
        cohort_row(name, document)


def test_a_table_that_cannot_be_replaced_stays(
    document: Document, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "cohort.csv"
    append_row(table, cohort_row("a", document))
    before = table.read_bytes()

    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        append_row(table, cohort_row("b", document))
    assert table.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["cohort.csv"]


def test_training_reads_the_saved_cases(
    original: Assessment, corrected: Assessment, tmp_path: Path
) -> None:
    cohort = tmp_path / "my cohort"
    for case, assessment in (("case 1", corrected), ("case-2", original)):
        place = save_training_case(assessment, cohort, case)
        assert place.folder == cohort / case
    cases = read_manifest(cohort / "patients.csv", "own")
    assert [(case.case, case.patient) for case in cases] == [("case 1",) * 2, ("case-2",) * 2]
    stored = [load_case(file) for file in store_cases(cases, tmp_path / "store")]
    truth = sitk.GetArrayFromImage(corrected.labels)
    brain = sitk.GetArrayFromImage(corrected.prepared.brain_mask) > 0
    assert stored[0].present.all()
    assert np.array_equal(np.bincount(stored[0].labels.ravel()), _inside(truth, stored[0].labels))
    assert not (stored[0].labels == 1).any()
    assert (stored[1].labels == 1).any()
    assert stored[0].brain.sum() == pytest.approx(brain.sum(), rel=0.01)
    assert stored[0].voxel_mm == corrected.prepared.grid.spacing_mm[::-1]


def _inside(truth: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Label counts of the whole grid, without the background that the crop cuts away."""
    counts = np.bincount(truth.ravel())
    counts[0] -= truth.size - labels.size
    return counts


def test_images_are_stripped_and_on_one_grid(corrected: Assessment, tmp_path: Path) -> None:
    save_training_case(corrected, tmp_path, "a")
    outside = sitk.GetArrayFromImage(corrected.prepared.brain_mask) == 0
    outside &= sitk.GetArrayFromImage(corrected.labels) == 0
    names = {file.name for file in (tmp_path / "a").iterdir()}
    assert names == {f"{name}.nii.gz" for name in (*SEQUENCES, "seg")}
    for name in names:
        image = sitk.ReadImage(str(tmp_path / "a" / name))
        assert Grid.of(image).matches(corrected.prepared.grid)
        assert not sitk.GetArrayFromImage(image)[outside].any()


UNSAFE = ("", ".", "..", ".hidden", "a/b", "a\\b", "/a", "../a", "a ", "a.", "con", "LPT1.x")


@pytest.mark.parametrize("name", [*UNSAFE, "a\nb", "a:b", "x" * 81, "a*"])
def test_unsafe_names_are_refused(original: Assessment, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        save_training_case(original, tmp_path, name)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken_is_refused(original: Assessment, tmp_path: Path) -> None:
    save_training_case(original, tmp_path, "a")
    (tmp_path / "b").mkdir()
    for name in ("a", "A", "b"):
        with pytest.raises(ValueError, match="already"):
            check_case(tmp_path, name)
        with pytest.raises(ValueError, match="already"):
            save_training_case(original, tmp_path, name)


def test_columns_of_an_older_cohort_are_kept(original: Assessment, tmp_path: Path) -> None:
    (tmp_path / "patients.csv").write_text('patient,id,site\nP1,c1,"A, B"\n', "utf-8")
    save_training_case(original, tmp_path, "c2")
    assert lines(tmp_path / "patients.csv") == [
        {"patient": "P1", "id": "c1", "site": "A, B"},
        {"patient": "c2", "id": "c2", "site": ""},
    ]


@pytest.mark.parametrize("content", [b"a,b\n", b"", b"id,patient\nx\n", b"\xff\xfe"])
def test_a_table_of_something_else_is_refused(
    original: Assessment, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "patients.csv").write_bytes(content)
    with pytest.raises(ValueError, match="choose another folder"):
        save_training_case(original, tmp_path, "a")
    assert [file.name for file in tmp_path.iterdir()] == ["patients.csv"]


def test_a_cancelled_or_failed_save_leaves_nothing(
    original: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cancel(stage: str, share: float) -> None:
        if share > 0.5:
            raise Cancelled

    with pytest.raises(Cancelled):
        save_training_case(original, tmp_path / "cohort", "a", cancel)
    assert not list(tmp_path.glob("cohort/**/*"))

    def full(file: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("GliomaAILib.output.training_case.replace_text", full)
    with pytest.raises(OutputError, match="No space"):
        save_training_case(replace(original), tmp_path / "cohort", "a")
    assert not list(tmp_path.glob("cohort/**/*"))
