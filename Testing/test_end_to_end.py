"""From files to files through the command line: good studies, and every bad one a user can give."""

import csv
import gzip
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from jsonschema import validate
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from gliomaai_training.findings import BlockingFindingError, Finding, Severity
from gliomaai_training.inference.model_pack import load_model_pack
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.simulation.config import SimulationConfig
from gliomaai_training.simulation.patient import simulate_patient
from gliomaai_training.simulation.writer import write_patient
from gliomaai_training.vocabulary import NOTICE, SEQUENCES
from GliomaAILib import __version__
from GliomaAILib.cli import ExitCode, main
from GliomaAILib.models import MODELS_VARIABLE, PACK_NAMES
from GliomaAILib.output.document import schema
from GliomaAILib.output.write import STAGE
from GliomaAILib.terminal import StageDisplay

ROOT = Path(__file__).resolve().parents[1]
BROKEN_DICOM = ROOT.parent / "shared" / "data" / "dicom" / "broken"
RESULT_FILES = {"segmentation.nii.gz", "assessment.json", "report.html", "report.pdf"}
WAIT_S = 300

NAME, BIRTH_DATE, PATIENT_ID, PHYSICIAN = "QUISQUAM", "19411224", "ID-4711-0815", "WICHTIG"
"""What the DICOM headers hold and nothing may show."""

FOUND_DICE = 0.5
"""Far below what the shipped model reaches, far above a wrong orientation or a wrong input."""

LATE = 0.9
"""Of the writing: all files are made, none is at its place."""


@pytest.fixture
def image(patient: Path) -> sitk.Image:
    """The patient's T1Gd."""
    return sitk.ReadImage(str(patient / "t1gd.nii.gz"))


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """An empty study folder for a test to fill."""
    folder = tmp_path / "study"
    folder.mkdir()
    return folder


@pytest.fixture
def flair_only(patient: Path, study: Path) -> Path:
    """The smallest legal study, for tests that need a whole run."""
    (study / "flair.nii.gz").write_bytes((patient / "flair.nii.gz").read_bytes())
    return study


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder for the result, which does not exist yet."""
    return tmp_path / "results" / "out"


@pytest.fixture(autouse=True)
def _tiny_packs(packs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MODELS_VARIABLE, str(packs))


def analyze(study: Path, out: Path, *options: str) -> int:
    """Runs the command on stripped input: the tiny packs hold no brain mask network."""
    return main(["analyze", str(study), "--out", str(out), "--brain-mask", "stripped", *options])


def start(study: Path, out: Path, packs: Path, *options: str) -> subprocess.Popen[str]:
    """The same in a process of its own."""
    words = ["analyze", str(study), "--out", str(out), "--brain-mask", "stripped", *options]
    return subprocess.Popen(
        [sys.executable, "-m", "GliomaAILib.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, MODELS_VARIABLE: str(packs)},
        # A background job starts with SIGINT ignored, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def document_of(out: Path) -> dict[str, Any]:
    """`assessment.json`, checked against its schema."""
    document: dict[str, Any] = json.loads((out / "assessment.json").read_text("utf-8"))
    validate(document, schema())
    return document


def codes(document: dict[str, Any]) -> list[str]:
    return [finding["code"] for finding in document["findings"]]


# Good studies


@dataclass(frozen=True)
class Run:
    """A finished process and what it was given."""

    study: Path
    out: Path
    code: int
    stdout: str
    stderr: str


@pytest.fixture(scope="session")
def dicom_run(patient: Path, packs: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One run on a DICOM study with a patient's name in every header, log and all."""
    folder = tmp_path_factory.mktemp("dicom")
    study, out = folder / "study", folder / "results" / "out"
    study.mkdir()
    for number, name in enumerate(SEQUENCES):
        series = sitk.ReadImage(str(patient / f"{name}.nii.gz"))
        write_dicom(study, series, description=f"{NAME} {name}", number=number)
    process = start(study, out, packs, "--verbose", "--debug")
    stdout, stderr = process.communicate(timeout=WAIT_S)
    return Run(study, out, process.returncode, stdout, stderr)


def test_a_study_becomes_its_files(dicom_run: Run) -> None:
    assert dicom_run.code == ExitCode.OK, dicom_run.stderr
    assert {file.name for file in dicom_run.out.iterdir()} == RESULT_FILES
    assert [folder.name for folder in dicom_run.out.parent.iterdir()] == ["out"]


def test_the_run_says_where_the_report_is_and_what_it_is_for(dicom_run: Run) -> None:
    assert str(dicom_run.out / "report.html") in dicom_run.stdout
    assert NOTICE in dicom_run.stdout
    for stage in ("intake", "preprocessing", "inference", "assessment", "output", "total"):
        assert stage in dicom_run.stderr


def test_the_segmentation_has_the_reference_s_geometry(patient: Path, dicom_run: Run) -> None:
    assert document_of(dicom_run.out)["reference"] == "t1gd"
    segmentation = sitk.ReadImage(str(dicom_run.out / "segmentation.nii.gz"))
    reference = sitk.ReadImage(str(patient / "t1gd.nii.gz"))
    assert Grid.of(segmentation).matches(Grid.of(reference))
    assert segmentation.GetPixelID() == sitk.sitkUInt8


def test_the_provenance_names_pack_engine_versions_and_timings(packs: Path, dicom_run: Run) -> None:
    provenance = document_of(dicom_run.out)["provenance"]
    (pack,) = provenance["model_packs"]
    assert pack["sha256"] == load_model_pack(packs / "segmentation").sha256
    assert provenance["engine"]
    assert provenance["software"]["gliomaai"] == __version__
    assert set(provenance["timings_s"]) >= {"intake", "preprocessing", "inference"}


def test_no_identifier_reaches_log_or_result(dicom_run: Run) -> None:
    texts = {"stdout": dicom_run.stdout, "stderr": dicom_run.stderr}
    for name in ("assessment.json", "report.html"):
        texts[name] = (dicom_run.out / name).read_text("utf-8")
    voxels = gzip.decompress((dicom_run.out / "segmentation.nii.gz").read_bytes())
    texts["segmentation.nii.gz"] = voxels.decode("latin-1")
    for identifier in (NAME, BIRTH_DATE, PATIENT_ID, PHYSICIAN):
        assert [name for name, text in texts.items() if identifier.lower() in text.lower()] == []


def test_one_sequence_is_legal_and_says_what_it_costs(
    flair_only: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert analyze(flair_only, out) == ExitCode.OK
    document = document_of(out)
    assert document["reference"] == "flair"
    assert codes(document).count("intake.missing_sequence") == len(SEQUENCES) - 1
    assert "enhancing tumour cannot be told" in capsys.readouterr().out


def test_quiet_says_nothing_and_an_older_result_is_replaced(
    flair_only: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out.mkdir(parents=True)
    (out / "report.html").write_text("old")
    (out / "notes.txt").write_text("mine")
    assert analyze(flair_only, out, "--quiet") == ExitCode.OK
    assert capsys.readouterr() == ("", "")
    assert (out / "report.html").read_text("utf-8") != "old"
    assert {file.name for file in out.iterdir()} == {*RESULT_FILES, "notes.txt"}


def test_the_shipped_models_find_a_simulated_tumour(
    tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MODELS_VARIABLE)
    for name in PACK_NAMES:
        if not (ROOT / "Resources" / "Models" / name / "manifest.json").is_file():
            pytest.skip(f"the pack {name} does not ship yet")
    config = SimulationConfig(spacing_mm=1.5, who_class="GBM")
    write_patient(simulate_patient(11, config), tmp_path / "study")
    assert main(["analyze", str(tmp_path / "study"), "--out", str(out)]) == ExitCode.OK
    found = sitk.ReadImage(str(out / "segmentation.nii.gz")) > 0
    truth = sitk.ReadImage(str(tmp_path / "study" / "seg.nii.gz")) > 0
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(found, truth)
    assert overlap.GetDiceCoefficient() > FOUND_DICE


# Bad input: each has its message and exit code, and leaves nothing


def write(image: sitk.Image, file: Path) -> None:
    sitk.WriteImage(image, str(file))


def with_voxels(image: sitk.Image, array: np.ndarray) -> sitk.Image:
    return Grid.of(image).image(array)


def empty_folder(study: Path, image: sitk.Image) -> None:
    """Nothing in it."""


def no_folder(study: Path, image: sitk.Image) -> None:
    study.rmdir()


def only_text(study: Path, image: sitk.Image) -> None:
    (study / "readme.txt").write_text("no image")


def flat_image(study: Path, image: sitk.Image) -> None:
    write(image[:, :, image.GetDepth() // 2], study / "t1gd.nii.gz")


def one_slice(study: Path, image: sitk.Image) -> None:
    write(image[:, :, 20:21], study / "t1gd.nii.gz")


def all_nan(study: Path, image: sitk.Image) -> None:
    shape = image.GetSize()[::-1]
    write(with_voxels(image, np.full(shape, np.nan, np.float32)), study / "t1gd.nii.gz")


def constant(study: Path, image: sitk.Image) -> None:
    write(with_voxels(image, np.full(image.GetSize()[::-1], 7, np.int16)), study / "t1gd.nii.gz")


def label_image(study: Path, image: sitk.Image) -> None:
    write(sitk.Cast(image > 100, sitk.sitkUInt8), study / "t1gd.nii.gz")


def truncated(study: Path, image: sitk.Image) -> None:
    write(image, study / "whole.nii")
    content = (study / "whole.nii").read_bytes()
    (study / "whole.nii").unlink()
    (study / "t1gd.nii").write_bytes(content[: len(content) // 2])


def truncated_gzip(study: Path, image: sitk.Image) -> None:
    write(image, study / "t1gd.nii.gz")
    content = (study / "t1gd.nii.gz").read_bytes()
    (study / "t1gd.nii.gz").write_bytes(content[: len(content) // 2])


def size_mismatch(study: Path, image: sitk.Image) -> None:
    """A MetaImage header that promises twice the slices its raw file holds."""
    write(image, study / "t1gd.mhd")
    header = (study / "t1gd.mhd").read_text()
    size = " ".join(map(str, image.GetSize()))
    doubled = " ".join(map(str, (*image.GetSize()[:2], 2 * image.GetDepth())))
    assert f"DimSize = {size}" in header
    (study / "t1gd.mhd").write_text(header.replace(f"DimSize = {size}", f"DimSize = {doubled}"))


def no_header(study: Path, image: sitk.Image) -> None:
    with gzip.open(study / "t1gd.nii.gz", "wb") as stream:
        stream.write(b"this is no NIfTI file at all" * 100)


def sheared(study: Path, image: sitk.Image) -> None:
    write(image, study / "t1gd.nrrd")
    content = (study / "t1gd.nrrd").read_bytes()
    begin = content.index(b"space directions:")
    end = content.index(b"\n", begin)
    bad = b"space directions: (3,0,0) (2,3,0) (0,0,3)"
    (study / "t1gd.nrrd").write_bytes(content[:begin] + bad + content[end:])


def ct(study: Path, image: sitk.Image) -> None:
    write_dicom(study, image, modality="CT")


BAD_STUDIES = [
    (no_folder, "study"),
    (empty_folder, "no image"),
    (only_text, "no image"),
    (flat_image, "2D image"),
    (one_slice, "2D image"),
    (all_nan, "NaN"),
    (constant, "same value"),
    (label_image, "label image"),
    (truncated, "truncated"),
    (truncated_gzip, "cut short|truncated"),
    (size_mismatch, "do not match"),
    (no_header, "cannot be read"),
    (sheared, "right angles"),
    (ct, "CT"),
]


@pytest.mark.parametrize(("make", "message"), BAD_STUDIES, ids=lambda v: getattr(v, "__name__", ""))
def test_an_unusable_study_says_why(
    make: Callable[[Path, sitk.Image], None],
    message: str,
    study: Path,
    image: sitk.Image,
    out: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(study, image)
    assert analyze(study, out) == ExitCode.ERROR
    shown = capsys.readouterr().err
    assert any(word in shown for word in message.split("|")), shown
    assert "Traceback" not in shown
    assert not out.parent.exists()


@pytest.mark.parametrize(
    ("series", "message"),
    [
        ("gantrytilting", "tilt"),
        ("slicecount", "slice"),
        ("sliceorientation", "orientation"),
        ("notavolume", ""),
    ],
)
def test_a_broken_series_is_refused_by_name(
    series: str, message: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not BROKEN_DICOM.is_dir():
        pytest.skip(f"no development data at {BROKEN_DICOM}")
    assert analyze(BROKEN_DICOM / series, out) == ExitCode.ERROR
    shown = capsys.readouterr().err
    assert "There is no usable MR sequence" in shown
    assert message in shown
    assert not out.parent.exists()


def test_four_copies_of_one_file_are_a_question(
    patient: Path, study: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (patient / "t2.nii.gz").read_bytes()
    for name in SEQUENCES:
        (study / f"{name}.nii.gz").write_bytes(content)
    assert analyze(study, out) == ExitCode.CHOICE
    shown = capsys.readouterr().err
    assert "same image is there 4 times" in shown
    assert "--t1gd PATH" in shown
    assert len([line for line in shown.splitlines() if line[:1].isdigit()]) == len(SEQUENCES)
    assert not out.parent.exists()


def test_a_choice_answers_the_question(patient: Path, study: Path, out: Path) -> None:
    content = (patient / "t2.nii.gz").read_bytes()
    for name in SEQUENCES:
        (study / f"{name}.nii.gz").write_bytes(content)
    assert analyze(study, out, "--t2", str(study / "t2.nii.gz")) == ExitCode.OK
    assert list(document_of(out)["sequences"]) == ["t2"]


def test_a_choice_that_names_nothing_is_an_error(
    patient: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert analyze(patient, out, "--t2", "nowhere.nii.gz") == ExitCode.ERROR
    assert "The choice for t2 names no usable image" in capsys.readouterr().err


FACTS = ("--age", "54", "--sex", "F", "--kps", "90", "--idh", "mutant", "--1p19q", "co-deleted")


def test_facts_and_the_cohort_s_table(flair_only: Path, out: Path, tmp_path: Path) -> None:
    table = tmp_path / "cohort.csv"
    more = ("--table", str(table), "--case", "case 1")
    assert analyze(flair_only, out, *FACTS, "--resection", "gross total", *more) == ExitCode.OK
    facts = document_of(out)["facts"]
    assert (facts["age_years"], facts["kps"], facts["codeletion_1p19q"]) == (54, 90, "co-deleted")
    (row,) = csv.DictReader(table.open(encoding="utf-8"))
    assert (row["case"], row["resection"], row["grade"]) == ("case 1", "gross total", "")
    assert "gross total" in (out / "report.html").read_text("utf-8")


def test_another_table_is_refused_before_the_work(
    flair_only: Path, out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "cohort.csv"
    table.write_text("id,patient\n")
    code = analyze(flair_only, out, "--table", str(table), "--case", "a")
    assert code == ExitCode.ERROR
    assert "other columns" in capsys.readouterr().err
    assert not out.exists()


def test_unset_orientation_is_a_finding(
    patient: Path, study: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(gzip.decompress((patient / "flair.nii.gz").read_bytes()))
    content[252:256] = bytes(4)  # qform_code and sform_code of the NIfTI-1 header
    (study / "flair.nii").write_bytes(content)
    assert analyze(study, out) == ExitCode.OK
    assert "intake.orientation_unknown" in codes(document_of(out))
    assert "do not trust left and right" in capsys.readouterr().out


def test_a_blocking_finding_has_its_own_exit_code(
    flair_only: Path,
    out: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    finding = Finding("x.y", Severity.BLOCKING, "Nothing can be trusted.", "Scan again.")

    def blocked(*_: object) -> None:
        raise BlockingFindingError(finding)

    monkeypatch.setattr("GliomaAILib.analysis.read_study", blocked)
    assert analyze(flair_only, out) == ExitCode.BLOCKED
    assert "No result: Nothing can be trusted. Scan again." in capsys.readouterr().err
    assert not out.parent.exists()


# Output that cannot be written


def test_output_under_a_file_is_refused_before_the_work(
    patient: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    assert analyze(patient, tmp_path / "file") == ExitCode.ERROR
    assert "is a file, not a folder" in capsys.readouterr().err
    assert analyze(patient, tmp_path / "file" / "out") == ExitCode.ERROR
    assert (tmp_path / "file").read_text() == "mine"


def test_an_unwritable_place_is_refused_before_the_work(
    patient: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even root cannot make a folder in /proc."""
    if not Path("/proc/self").exists():
        pytest.skip("needs a place that nobody can write to")
    assert analyze(patient, Path("/proc/gliomaai")) == ExitCode.ERROR
    shown = capsys.readouterr().err
    assert "cannot be written" in shown
    assert "reading" not in shown


def test_a_full_disk_leaves_nothing(flair_only: Path, out: Path, packs: Path) -> None:
    """A limit on the size of files stands for the full disk: writing fails in the middle."""
    process = start(flair_only, out, packs)
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    _, shown = process.communicate(timeout=WAIT_S)
    assert process.returncode == ExitCode.ERROR, shown
    assert "cannot be written" in shown
    assert "Traceback" not in shown
    assert list(out.parent.iterdir()) == []


# Cancelled


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_a_cancelled_process_leaves_nothing(
    by: signal.Signals, patient: Path, packs: Path, out: Path
) -> None:
    process = start(patient, out, packs)
    assert process.stderr is not None
    first = process.stderr.readline()  # the first stage is done, others follow
    process.send_signal(by)
    _, rest = process.communicate(timeout=WAIT_S)
    assert process.returncode == ExitCode.CANCELLED, first + rest
    assert "Cancelled; nothing was written." in rest
    assert "Traceback" not in rest
    assert not out.parent.exists()


def test_cancelling_while_writing_leaves_nothing(
    flair_only: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = []

    def cancel_late(display: StageDisplay, stage: str, fraction: float) -> None:
        stages.append(stage)
        if stage == STAGE and fraction > LATE:
            raise KeyboardInterrupt

    monkeypatch.setattr(StageDisplay, "__call__", cancel_late)
    assert analyze(flair_only, out) == ExitCode.CANCELLED
    assert stages[-1] == STAGE
    assert list(out.parent.iterdir()) == []


def write_dicom(
    folder: Path,
    image: sitk.Image,
    modality: str = "MR",
    description: str = "t1gd",
    number: int = 0,
) -> None:
    """A series as a scanner writes it, with a patient's name and numbers in the header."""
    series_uid = generate_uid(entropy_srcs=[description, str(number)])
    voxels = sitk.GetArrayFromImage(image).astype(np.uint16)
    direction = np.reshape(image.GetDirection(), (3, 3))
    for k, pixels in enumerate(voxels):
        meta = FileMetaDataset()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        meta.MediaStorageSOPClassUID = CTImageStorage if modality == "CT" else MRImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[series_uid, str(k)])
        slice_ = FileDataset("", {}, file_meta=meta, preamble=bytes(128))
        slice_.SOPClassUID = meta.MediaStorageSOPClassUID
        slice_.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
        slice_.PatientName = f"{NAME}^ERIKA"
        slice_.PatientID = PATIENT_ID
        slice_.PatientBirthDate = BIRTH_DATE
        slice_.ReferringPhysicianName = f"{PHYSICIAN}^DOKTOR"
        slice_.PatientAge = "080Y"
        slice_.PatientSex = "F"
        slice_.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.1"
        slice_.SeriesInstanceUID = series_uid
        slice_.FrameOfReferenceUID = "1.2.826.0.1.3680043.8.498.2"
        slice_.Modality = modality
        slice_.SeriesDescription = description
        slice_.SeriesNumber = number + 1
        slice_.InstanceNumber = k + 1
        slice_.ImageType = ["ORIGINAL", "PRIMARY"]
        slice_.ImagePositionPatient = list(image.TransformIndexToPhysicalPoint((0, 0, k)))
        slice_.ImageOrientationPatient = [*direction[:, 0], *direction[:, 1]]
        slice_.PixelSpacing = [image.GetSpacing()[1], image.GetSpacing()[0]]
        slice_.SliceThickness = image.GetSpacing()[2]
        slice_.Rows, slice_.Columns = pixels.shape
        slice_.SamplesPerPixel = 1
        slice_.PhotometricInterpretation = "MONOCHROME2"
        slice_.BitsAllocated = slice_.BitsStored = 16
        slice_.HighBit = 15
        slice_.PixelRepresentation = 0
        slice_.PixelData = pixels.tobytes()
        pydicom.dcmwrite(folder / f"IM{number}{k:04d}.dcm", slice_, enforce_file_format=True)
