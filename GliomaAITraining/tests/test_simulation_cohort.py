"""Cohorts on disk: the same bytes whatever the workers, and the command's errors."""

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk

from gliomaai_training.cli import main
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.simulation import compare
from gliomaai_training.simulation.cohort import CohortConfig, simulate_cohort
from gliomaai_training.simulation.config import SimulationConfig
from gliomaai_training.simulation.patient import simulate_patient
from gliomaai_training.simulation.writer import write_patient

COARSE = SimulationConfig(spacing_mm=3.0)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    simulate_cohort(CohortConfig(patients=2, seed=40, folder=folder, patient=COARSE))
    return folder


def test_bytes_do_not_depend_on_the_number_of_workers(cohort: Path, tmp_path: Path) -> None:
    simulate_cohort(CohortConfig(patients=2, seed=40, folder=tmp_path, workers=2, patient=COARSE))
    assert digests(tmp_path) == digests(cohort)
    assert len(digests(cohort)) == 2 * 6 + 1


def test_table_has_a_row_for_each_patient_and_volumes_of_the_masks(cohort: Path) -> None:
    table = pd.read_csv(cohort / "patients.csv")
    assert table["id"].tolist() == ["sim-000040", "sim-000041"]
    for row in table.to_dict("records"):
        labels = sitk.ReadImage(str(cohort / str(row["id"]) / "seg.nii.gz"))
        counted = (sitk.GetArrayFromImage(labels) == 2).sum() * Grid.of(labels).voxel_ml
        assert counted == pytest.approx(float(row["ed_ml"]), abs=0.01)


def test_files_read_back_with_the_patients_geometry_and_voxels(tmp_path: Path) -> None:
    config = SimulationConfig(spacing_mm=3.0, thick_slices=True, separate_views=True)
    patient = simulate_patient(40, config)
    write_patient(patient, tmp_path / "sim")
    for name, image in patient.sequences.items():
        back = sitk.ReadImage(str(tmp_path / "sim" / f"{name}.nii.gz"))
        assert Grid.of(back).matches(Grid.of(image))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(image))


def test_dicom_series_read_back_with_the_patients_geometry_and_voxels(tmp_path: Path) -> None:
    config = SimulationConfig(spacing_mm=3.0, thick_slices=True, separate_views=True)
    patient = simulate_patient(40, config)
    write_patient(patient, tmp_path / "sim", dicom=True)
    folder = str(tmp_path / "sim" / "dicom")
    reader = sitk.ImageSeriesReader()
    series = reader.GetGDCMSeriesIDs(folder)
    assert len(series) == 4
    matched = set()
    for uid in series:
        files = reader.GetGDCMSeriesFileNames(folder, uid)
        header = pydicom.dcmread(files[0], stop_before_pixels=True)
        image = sitk.ReadImage(files)
        for name, truth in patient.sequences.items():
            if Grid.of(truth).matches(Grid.of(image)):
                np.testing.assert_array_equal(
                    sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(truth)
                )
                assert ("ContrastBolusAgent" in header) == (name == "t1gd")
                matched.add(name)
    assert matched == set(patient.sequences)


def test_existing_patients_are_not_overwritten_but_resumed(
    cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = digests(cohort)
    arguments = ["simulate", "--patients", "2", "--seed", "40", "--out", str(cohort)]
    arguments += ["--spacing", "3"]
    assert main(arguments) == 2
    assert "--resume" in capsys.readouterr().err
    assert main([*arguments, "--resume"]) == 0
    assert digests(cohort) == before


def test_command_leaves_out_what_it_is_told(tmp_path: Path) -> None:
    arguments = ["simulate", "--patients", "1", "--seed", "3", "--out", str(tmp_path)]
    arguments += ["--spacing", "4", "--tumour-free", "--missing", "t1", "flair"]
    assert main(arguments) == 0
    names = {path.name for path in (tmp_path / "sim-000003").iterdir()}
    assert names == {"t1gd.nii.gz", "t2.nii.gz", "seg.nii.gz", "truth.json"}
    assert not sitk.GetArrayFromImage(
        sitk.ReadImage(str(tmp_path / "sim-000003" / "seg.nii.gz"))
    ).any()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--patients", "0"], "at least 1"),
        (["--patients", "1", "--workers", "0"], "workers"),
        (["--patients", "1", "--seed", "-4"], "negative"),
        (["--patients", "1", "--spacing", "9"], "9.0 mm"),
        (["--patients", "1", "--missing", "t1", "t1gd", "t2", "flair"], "at least one"),
    ],
)
def test_wrong_options_end_with_a_message(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["simulate", "--out", str(tmp_path), *options]) == 2
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folder_ends_with_a_message(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    assert main(["simulate", "--patients", "1", "--out", str(blocked)]) == 2
    assert "file" in capsys.readouterr().err


def test_comparison_writes_a_table_and_a_montage(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / "montage.png"
    cases = [str(cohort / "sim-000040"), str(cohort / "sim-000041")]
    assert compare.main([*cases, "--montage", str(picture)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| n = 2 | t1 | t1gd | t2 | flair |"
    assert lines[2].startswith("| WM | 1.00 [1.00, 1.00]")
    assert len(lines) == 8
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_comparison_names_what_a_folder_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare.main([str(tmp_path)]) == 2
    assert "t1.nii.gz" in capsys.readouterr().err
