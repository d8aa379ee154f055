"""The files of a result: complete and right, or not there at all."""

import errno
import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import SimpleITK as sitk
from assessment_makers import HOSTILE, assessment_with, template_assessment

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.progress import Cancelled
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.measures import measure
from GliomaAILib.intake.case import Source
from GliomaAILib.output import folder as folders
from GliomaAILib.output import write
from GliomaAILib.output.document import assessment_document, document_bytes, schema
from GliomaAILib.output.write import OutputError, write_assessment


@pytest.fixture(scope="module")
def assessment() -> Assessment:
    return template_assessment()


@pytest.fixture(scope="module")
def healthy() -> Assessment:
    return template_assessment(None)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short reports, for tests of how files are written, not of what stands in them."""
    monkeypatch.setattr("GliomaAILib.output.content.report_content", lambda _: None)
    monkeypatch.setattr("GliomaAILib.output.report.report_html", lambda _: "<!doctype html>")
    monkeypatch.setattr("GliomaAILib.output.pdf.report_pdf", lambda _: b"%PDF")


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_everything_is_written_and_nothing_else(assessment: Assessment, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "result"
    seen: list[float] = []
    files = write_assessment(assessment, folder, lambda stage, share: seen.append(share))
    names = {"segmentation.nii.gz", "assessment.json", "report.html", "report.pdf"}
    assert set(content(folder)) == names
    assert files.segmentation == folder / "segmentation.nii.gz"
    assert list(folder.parent.iterdir()) == [folder]
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_same_assessment_same_bytes(assessment: Assessment, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_assessment(assessment, tmp_path / name)
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.usefixtures("quick")
def test_segmentation_keeps_its_geometry_and_values(assessment: Assessment, tmp_path: Path) -> None:
    oblique = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.4).GetMatrix()
    grid = Grid((9, 8, 7), (0.7, 1.3, 5.0), (11.0, -22.0, 33.0), oblique)
    array = np.random.default_rng(1).integers(0, 4, (7, 8, 9)).astype(np.uint8)
    native = grid.image(array)
    native.SetMetaData("0010|0010", "DOE^JANE")
    files = write_assessment(replace(assessment, segmentation=native), tmp_path / "out")
    found = sitk.ReadImage(str(files.segmentation))
    assert found.GetPixelID() == sitk.sitkUInt8
    assert (sitk.GetArrayFromImage(found) == array).all()
    assert Grid.of(found).matches(grid)
    assert b"DOE" not in gzip.decompress(files.segmentation.read_bytes())


@pytest.mark.usefixtures("quick")
def test_document_follows_its_schema(
    assessment: Assessment, healthy: Assessment, tmp_path: Path
) -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    for number, one in enumerate((assessment, healthy, assessment_with(assessment, HOSTILE))):
        files = write_assessment(one, tmp_path / str(number))
        jsonschema.validate(json.loads(files.document.read_text("utf-8")), schema())


def test_schema_refuses_what_is_not_a_result(assessment: Assessment) -> None:
    document = assessment_document(assessment)
    for change in (
        {"schema_version": "9"},
        {"surprise": 1},
        {"reference": "t9"},
        {"measures": {}},
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**document, **change}, schema())


@pytest.mark.usefixtures("quick")
def test_document_says_what_the_mask_holds(assessment: Assessment, tmp_path: Path) -> None:
    files = write_assessment(assessment, tmp_path / "out")
    document = json.loads(files.document.read_text("utf-8"))
    mask = sitk.ReadImage(str(files.segmentation))
    again = measure(mask).volumes_ml
    for name, ml in document["segmentation"]["volumes_ml"].items():
        assert ml == pytest.approx(again[name], abs=1e-3)
    assert document["measures"]["volumes_ml"]["WT"] == pytest.approx(again["WT"], abs=1e-3)


def test_document_holds_no_file_names(assessment: Assessment) -> None:
    named = Source(("DOE_JANE/IM1",), "a" * 64, "DICOM", "AX T1", 1.0, ("header",), "1.2.3")
    sources = {**assessment.sources, "t1": named}
    text = document_bytes(assessment_document(replace(assessment, sources=sources))).decode()
    assert "AX T1" in text
    assert "DOE" not in text


def test_numbers_that_are_none_are_refused(assessment: Assessment, tmp_path: Path) -> None:
    broken = replace(assessment.measures, brain_ml=float("nan"))
    with pytest.raises(ValueError, match="nan"):
        write_assessment(replace(assessment, measures=broken), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_older_results_are_replaced_and_other_files_kept(
    assessment: Assessment, tmp_path: Path
) -> None:
    for name in ("notes.txt", "report.html", "assessment.json"):
        (tmp_path / name).write_text("old")
    write_assessment(assessment, tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "old"
    assert (tmp_path / "report.html").read_text("utf-8").startswith("<!doctype html>")
    assert len(content(tmp_path)) == 5


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("existing", [False, True])
@pytest.mark.parametrize("at", [0.0, 0.5, 0.9])
def test_a_cancelled_run_leaves_nothing(
    assessment: Assessment, tmp_path: Path, existing: bool, at: float
) -> None:
    folder = tmp_path / "out"
    if existing:
        folder.mkdir()
        (folder / "report.html").write_text("old")

    def cancel(stage: str, share: float) -> None:
        if share >= at:
            raise Cancelled

    with pytest.raises(Cancelled):
        write_assessment(assessment, folder, cancel)
    if existing:
        assert content(folder) == {"report.html": b"old"}
    else:
        assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_a_full_disk_is_said_and_leaves_the_old_result(
    assessment: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "assessment.json").write_text("old")

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"No space left.*Choose another folder"):
        write_assessment(assessment, folder)
    assert content(folder) == {"assessment.json": b"old"}


@pytest.mark.usefixtures("quick")
def test_a_disk_that_fills_up_under_the_segmentation_is_said(
    assessment: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> None:
        raise RuntimeError("sitk::ERROR: could not write")

    monkeypatch.setattr(write.sitk, "WriteImage", full)
    with pytest.raises(OutputError, match="disk full"):
        write_assessment(assessment, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_a_file_in_the_way_is_said(assessment: Assessment, tmp_path: Path) -> None:
    blocker = tmp_path / "out"
    blocker.write_text("mine")
    for folder in (blocker, blocker / "deeper"):
        with pytest.raises(OutputError, match="cannot be written"):
            write_assessment(assessment, folder)
    assert blocker.read_text() == "mine"


@pytest.mark.usefixtures("quick")
def test_a_folder_that_cannot_be_written_is_said(
    assessment: Assessment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*arguments: Any, **options: Any) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(folders.tempfile, "mkdtemp", denied)
    with pytest.raises(OutputError, match=r"Permission denied.*permissions"):
        write_assessment(assessment, tmp_path)
