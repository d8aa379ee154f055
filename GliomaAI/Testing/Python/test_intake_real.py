"""Intake on real studies: skipped where the development data are absent."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.errors import StudyError
from GliomaAILib.intake.study import read_study

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="development data are not at hand")


def test_a_real_study_is_recognised_without_a_question() -> None:
    case = read_study(DATA / "dicom" / "study-01")
    assert {name: source.description for name, source in case.sources.items()} == {
        "t1": "AX T1",
        "t1gd": "AX T1 +C",
        "t2": "AX T2 FSE",
        "flair": "AX FLAIR",
    }
    assert case.findings == ()
    for image in case.sequences.values():
        assert image.GetSize() == (256, 256, 23)
        np.testing.assert_allclose(image.GetSpacing(), (0.78125, 0.78125, 6.5))


@pytest.mark.parametrize("codec", ["j2k", "jpeg", "jpegls", "rle"])
def test_compressed_series_equal_their_truth_voxel_for_voxel(codec: str) -> None:
    folder = DATA / "dicom" / "compressed" / f"compressed_{codec}"
    image = read_study(folder / "001").sequences["flair"]
    truth = sitk.ReadImage(str(folder / "001_ground_truth.nii.gz"))
    assert image.GetNumberOfPixels() == truth.GetNumberOfPixels()
    same_place = sitk.Resample(image, truth, sitk.Transform(), sitk.sitkNearestNeighbor)
    np.testing.assert_array_equal(*[sitk.GetArrayFromImage(i) for i in (same_place, truth)])


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gantrytilting", "gantry tilt: its slices are sheared by 14.0 degrees"),
        ("slicecount", "too few slices: 2 slices, at least 4 are needed"),
        ("sliceorientation", "mixed orientation: its slices lie in 2 orientations"),
        ("notavolume", "not a volume: all its slices lie at the same place"),
    ],
)
def test_a_broken_series_is_refused_with_its_reason(name: str, reason: str) -> None:
    with pytest.raises(StudyError, match=reason):
        read_study(DATA / "dicom" / "broken" / name / "001")


def test_broken_series_beside_a_good_study_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    for path in [DATA / "dicom" / "study-01", *(DATA / "dicom" / "broken").glob("*/001")]:
        shutil.copytree(path, tmp_path / path.parent.name / path.name)
    case = read_study(tmp_path)
    assert set(case.sequences) == set(SEQUENCES)
    refused = " ".join(finding.message for finding in case.findings)
    for word in ("gantry tilt", "too few slices", "mixed orientation", "not a volume"):
        assert word in refused


@pytest.mark.parametrize("number", ["003", "017"])
def test_a_case_without_telling_names_is_recognised_by_its_voxels(
    tmp_path: Path, number: str
) -> None:
    hidden = {"t2": "a", "t1gd": "b", "flair": "c", "t1": "d"}
    for sequence, letter in hidden.items():
        source = DATA / "volumes" / f"vol-{number}" / f"{sequence}.nii.gz"
        shutil.copy(source, tmp_path / f"{letter}.nii.gz")
    case = read_study(tmp_path)
    assert {name: source.file_names[0][0] for name, source in case.sources.items()} == hidden


def test_a_named_case_with_its_segmentation_is_recognised() -> None:
    case = read_study(DATA / "volumes" / "vol-003")
    assert {name: source.file_names for name, source in case.sources.items()} == {
        name: (f"{name}.nii.gz",) for name in SEQUENCES
    }
    assert [finding.code for finding in case.findings] == ["intake.refused.segmentation"]
