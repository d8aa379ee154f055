"""A study folder becomes a Case: recognition, refusals, questions and findings."""

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from intake_makers import (
    SeriesRecipe,
    head,
    image_of,
    set_tag,
    slice_position,
    write_enhanced,
    write_head,
    write_series,
    write_study,
)
from numpy.typing import NDArray

from gliomaai_training.findings import Severity
from gliomaai_training.progress import Cancelled
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.case import Case
from GliomaAILib.intake.errors import AmbiguousStudyError, StudyError
from GliomaAILib.intake.study import read_study

FOUR_FILES = {"t1.nii.gz": "t1", "t1gd.nii.gz": "t1gd", "t2.nii.gz": "t2", "flair.nii.gz": "flair"}
FOUR_SERIES = {"AX T1": "t1", "AX T1 +C": "t1gd", "AX T2 FSE": "t2", "AX FLAIR": "flair"}


def codes(case: Case) -> set[str]:
    return {finding.code for finding in case.findings}


def message(case: Case, code: str) -> str:
    return " ".join(finding.message for finding in case.findings if finding.code == code)


def write_dicom_study(folder: Path, series: dict[str, str] | None = None) -> Path:
    for index, (description, sequence) in enumerate((series or FOUR_SERIES).items()):
        recipe = SeriesRecipe(description, tags={"SeriesNumber": index + 2})
        write_series(folder, head(sequence, seed=index), recipe)
    return folder


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
def test_four_named_files_are_four_sequences(tmp_path: Path, suffix: str) -> None:
    names = {name.replace(".nii.gz", suffix): kind for name, kind in FOUR_FILES.items()}
    case = read_study(write_study(tmp_path, names))
    assert tuple(case.sequences) == SEQUENCES
    assert {name: source.file_names for name, source in case.sources.items()} == {
        kind: (name,) for name, kind in names.items()
    }
    assert min(source.confidence for source in case.sources.values()) >= 0.7
    assert case.findings == ()


def test_a_flat_dicom_export_is_sorted_into_its_series(tmp_path: Path) -> None:
    case = read_study(write_dicom_study(tmp_path))
    assert {name: source.description for name, source in case.sources.items()} == {
        kind: description for description, kind in FOUR_SERIES.items()
    }
    for name, source in case.sources.items():
        assert len(source.file_names) == 30
        assert source.format == "DICOM"
        assert len(source.sha256) == 64
        assert source.evidence
        expected = head(name, seed=SEQUENCES.index(name))
        np.testing.assert_array_equal(sitk.GetArrayFromImage(case.sequences[name]), expected)


def test_one_slice_stands_for_its_folder(tmp_path: Path) -> None:
    write_dicom_study(tmp_path, {"AX FLAIR": "flair"})
    case = read_study(sorted(tmp_path.glob("*.dcm"))[3])
    assert case.sequences["flair"].GetSize() == (48, 56, 30)


def test_an_enhanced_file_is_read(tmp_path: Path) -> None:
    array = head("t2")
    order = [*range(0, 30, 2), *range(1, 30, 2)]
    write_enhanced(tmp_path / "e.dcm", array, SeriesRecipe("T2W TSE", order=order))
    case = read_study(tmp_path)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(case.sequences["t2"]), array)


def test_one_sequence_is_legal_and_what_is_missing_is_told(tmp_path: Path) -> None:
    case = read_study(write_head(tmp_path / "flair.nii.gz", "flair"))
    assert list(case.sequences) == ["flair"]
    missing = [f for f in case.findings if f.code == "intake.missing_sequence"]
    assert [f.sequences for f in missing] == [("t1",), ("t1gd",), ("t2",)]
    assert "enhancing tumour" in missing[1].message


@pytest.mark.parametrize("absent", SEQUENCES)
def test_three_sequences_are_legal(tmp_path: Path, absent: str) -> None:
    names = {name: kind for name, kind in FOUR_FILES.items() if kind != absent}
    case = read_study(write_study(tmp_path, names))
    assert set(case.sequences) == set(SEQUENCES) - {absent}
    assert [f.sequences for f in case.findings] == [(absent,)]


def test_an_empty_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"no image in .*Give a folder with the MR study"):
        read_study(tmp_path)


def test_a_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="'nowhere' does not exist"):
        read_study(tmp_path / "nowhere")


def test_a_folder_without_any_image_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(StudyError, match="no image"):
        read_study(tmp_path)


def test_four_copies_of_one_file_are_a_question(tmp_path: Path) -> None:
    first = write_head(tmp_path / "t1.nii.gz", "t1gd")
    for name in ("t1gd", "t2", "flair"):
        shutil.copy(first, tmp_path / f"{name}.nii.gz")
    with pytest.raises(AmbiguousStudyError, match="same image is there 4 times"):
        read_study(tmp_path)


def test_a_copy_under_the_same_name_is_used_once(tmp_path: Path) -> None:
    write_study(tmp_path, FOUR_FILES)
    (tmp_path / "backup").mkdir()
    shutil.copy(tmp_path / "t2.nii.gz", tmp_path / "backup" / "t2.nii.gz")
    case = read_study(tmp_path)
    assert set(case.sequences) == set(SEQUENCES)
    assert "2 times" in message(case, "intake.duplicate")


def test_a_slice_exported_twice_is_read_once(tmp_path: Path) -> None:
    write_dicom_study(tmp_path, {"AX FLAIR": "flair"})
    first = sorted(tmp_path.glob("*.dcm"))[0]
    shutil.copy(first, tmp_path / "again.dcm")
    assert read_study(tmp_path).sequences["flair"].GetSize() == (48, 56, 30)


def test_ct_is_refused_by_name(tmp_path: Path) -> None:
    write_series(tmp_path, head("t1"), SeriesRecipe("CCT nativ", tags={"Modality": "CT"}))
    with pytest.raises(StudyError, match="'CCT nativ' is not used: it is CT, not MR"):
        read_study(tmp_path)


def test_a_picture_is_refused(tmp_path: Path) -> None:
    sitk.WriteImage(sitk.GetImageFromArray(head("t1")[10]), str(tmp_path / "t1.nii.gz"))
    (tmp_path / "shot.png").write_bytes(b"\x89PNG")
    with pytest.raises(StudyError, match=r"'t1.nii.gz' is not used: it is a 2D image") as error:
        read_study(tmp_path)
    assert "'shot.png' is not used: it is a 2D image" in str(error.value)


def test_a_four_dimensional_file_is_refused(tmp_path: Path) -> None:
    series = sitk.JoinSeries([image_of(head("t2", seed=n)) for n in range(3)])
    sitk.WriteImage(series, str(tmp_path / "t2.nii.gz"))
    with pytest.raises(StudyError, match="it holds 3 volumes in time; save one of them alone"):
        read_study(tmp_path)


def test_voxels_that_are_no_numbers_are_repaired_and_told(tmp_path: Path) -> None:
    array = head("flair").astype(np.float32)
    array[:2] = np.nan
    array[5, 5, 5] = np.inf
    sitk.WriteImage(image_of(array), str(tmp_path / "flair.nii.gz"))
    case = read_study(tmp_path)
    voxels = sitk.GetArrayFromImage(case.sequences["flair"])
    np.testing.assert_array_equal(voxels, np.where(np.isfinite(array), array, 0))
    assert "6.7 % of the voxels" in message(case, "intake.not_finite")


def test_an_image_of_nothing_but_nan_is_refused(tmp_path: Path) -> None:
    array = np.full((20, 20, 20), np.nan, dtype=np.float32)
    sitk.WriteImage(image_of(array), str(tmp_path / "flair.nii.gz"))
    with pytest.raises(StudyError, match=r"only 0.0 % of its voxels are numbers"):
        read_study(tmp_path)


def test_a_constant_image_is_refused_and_the_rest_goes_on(tmp_path: Path) -> None:
    write_study(tmp_path, FOUR_FILES)
    sitk.WriteImage(image_of(np.full((20, 20, 20), 7, np.int16)), str(tmp_path / "t2.nii.gz"))
    case = read_study(tmp_path)
    assert set(case.sequences) == {"t1", "t1gd", "flair"}
    assert message(case, "intake.refused.constant") == (
        "'t2.nii.gz' is not used: all its voxels hold the same value (7)."
    )


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_truncated_nifti_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write_head(tmp_path / f"t1{suffix}", "t1")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(StudyError, match="it is truncated"):
        read_study(tmp_path)


def test_a_nifti_of_several_gzip_members_is_read(tmp_path: Path) -> None:
    path = write_head(tmp_path / "flair.nii.gz", "flair")
    data = gzip.decompress(path.read_bytes())
    path.write_bytes(gzip.compress(data[:5000]) + gzip.compress(data[5000:]))
    voxels = sitk.GetArrayFromImage(read_study(tmp_path).sequences["flair"])
    np.testing.assert_array_equal(voxels, head("flair"))


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_a_header_that_promises_more_than_the_data_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t1{suffix}"
    sitk.WriteImage(image_of(head("t1")), str(path), useCompression=False)
    if suffix == ".nii.gz":
        data = bytearray(gzip.decompress(path.read_bytes()))
        data[46:48] = (300).to_bytes(2, "little")
        path.write_bytes(gzip.compress(bytes(data)))
    else:
        path.write_bytes(path.read_bytes().replace(b"48 56 30", b"48 56 99"))
    with pytest.raises(StudyError, match=r"truncated|header and its data do not match"):
        read_study(tmp_path)


def test_a_file_that_is_no_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t1.nii.gz").write_bytes(b"not an image at all" * 50)
    with pytest.raises(StudyError, match=r"'t1.nii.gz' is not used: it cannot be read"):
        read_study(tmp_path)


def test_a_damaged_dicom_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.dcm").write_bytes(b"\0" * 128 + b"DICM" + b"\xff" * 40)
    with pytest.raises(StudyError, match=r"damaged DICOM files|no image|no usable"):
        read_study(tmp_path)


def write_nifti(path: Path, qform: tuple[float, int], sform: tuple[float, int]) -> None:
    """A FLAIR whose two matrices have the given sign of the left-right axis and code."""
    import nibabel

    image = nibabel.Nifti1Image(head("flair").transpose(2, 1, 0), None)
    for setter, (sign, code) in ((image.set_qform, qform), (image.set_sform, sform)):
        setter(np.diag([3.5 * sign, 3.5, 5.0, 1.0]), code)
    nibabel.save(image, path)


def test_an_orientation_that_is_not_given_is_told(tmp_path: Path) -> None:
    write_nifti(tmp_path / "flair.nii.gz", (1, 0), (1, 0))
    case = read_study(tmp_path)
    assert "does not say how it is oriented" in message(case, "intake.orientation_unknown")


def test_orientations_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    write_nifti(tmp_path / "flair.nii.gz", (1, 1), (-1, 1))
    case = read_study(tmp_path)
    assert "two different orientations" in message(case, "intake.orientation_contradiction")


def test_a_usual_orientation_raises_no_finding(tmp_path: Path) -> None:
    write_nifti(tmp_path / "flair.nii.gz", (1, 1), (1, 1))
    assert {code for code in codes(read_study(tmp_path)) if "orientation" in code} == set()


def test_segmentations_and_maps_are_not_taken_for_sequences(tmp_path: Path) -> None:
    write_study(tmp_path, FOUR_FILES)
    labels = (head("t1gd") > 900).astype(np.uint8) * 3
    for name in ("seg", "tumour", "t1_mask"):
        sitk.WriteImage(image_of(labels), str(tmp_path / f"{name}.nii.gz"))
    for name in ("ADC", "rCBV", "SWI"):
        write_head(tmp_path / f"{name}.nii.gz", "t2", seed=9)
    case = read_study(tmp_path)
    assert [source.file_names for source in case.sources.values()] == [
        (name,) for name in FOUR_FILES
    ]
    assert {f.severity for f in case.findings} == {Severity.INFO}
    assert "label image" in message(case, "intake.refused.label_image")
    assert "a diffusion image or map" in message(case, "intake.refused.diffusion")


def test_a_localiser_is_refused_by_name_and_the_rest_goes_on(tmp_path: Path) -> None:
    write_dicom_study(tmp_path)
    write_series(tmp_path, head("t2")[::8], SeriesRecipe("3-plane loc", spacing_mm=(3.5, 3.5, 40)))
    case = read_study(tmp_path)
    assert set(case.sequences) == set(SEQUENCES)
    assert "'3-plane loc' is not used: it is a localiser" in message(
        case, "intake.refused.localiser"
    )


SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def _tilted(recipe: SeriesRecipe, index: int) -> NDArray[np.float64]:
    return slice_position(recipe, index) + np.array([0, 1.2 * index, 0])


def _uneven(recipe: SeriesRecipe, index: int) -> NDArray[np.float64]:
    return slice_position(recipe, index) + np.array([0, 0, 1.4 * (index % 3 == 1)])


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (_tilted, "gantry tilt: its slices are sheared by 13.5 degrees"),
        (_uneven, "uneven slices: distances from"),
        (lambda recipe, _: slice_position(recipe, 0), "all its slices lie at the same place"),
        (lambda recipe, n: slice_position(recipe, 3 * n), "its slices are 15 mm apart"),
        (lambda recipe, n: slice_position(recipe, n + 2 * (n > 9)), "missing slices: 2 between"),
    ],
)
def test_slices_that_are_no_grid_are_refused(tmp_path: Path, place, reason: str) -> None:  # type: ignore[no-untyped-def]
    plain = SeriesRecipe("AX FLAIR")
    recipe = SeriesRecipe("AX FLAIR", slice_positions_mm=[place(plain, n) for n in range(30)])
    write_series(tmp_path, head("flair"), recipe)
    with pytest.raises(StudyError, match=f"'AX FLAIR' is not used: .*{reason}"):
        read_study(tmp_path)


def test_mixed_orientations_are_refused(tmp_path: Path) -> None:
    paths = write_series(tmp_path, head("flair")[:8], SeriesRecipe("AX FLAIR"))
    for path in paths[:4]:
        set_tag(path, "ImageOrientationPatient", list(SAGITTAL))
    with pytest.raises(StudyError, match="mixed orientation: its slices lie in 2 orientations"):
        read_study(tmp_path)


def test_echoes_of_one_series_are_told_apart(tmp_path: Path) -> None:
    shared: dict[str, object] = {"SeriesInstanceUID": "1.2.3", "RepetitionTime": 4000}
    for echo, sequence in ((20, "t1"), (95, "t2")):
        recipe = SeriesRecipe("AX T2 TSE 2 echoes", tags={**shared, "EchoTime": echo})
        write_series(tmp_path, head(sequence, seed=echo), recipe)
    case = read_study(tmp_path)
    assert "echo time 95 ms" in case.sources["t2"].description


def test_passes_before_and_after_contrast_in_one_series_are_told_apart(tmp_path: Path) -> None:
    for number, sequence in ((1, "t1"), (2, "t1gd")):
        tags: dict[str, object] = {"SeriesInstanceUID": "1.2.3", "AcquisitionNumber": number}
        write_series(tmp_path, head(sequence, seed=number), SeriesRecipe("AX T1", tags=tags))
    case = read_study(tmp_path)
    assert "pass 1" in case.sources["t1"].description
    assert "pass 2" in case.sources["t1gd"].description


def test_thin_slices_are_preferred_and_that_is_told(tmp_path: Path) -> None:
    write_study(tmp_path, FOUR_FILES)
    thick = sitk.BinShrink(image_of(head("t1gd", seed=5)), [1, 1, 2])
    sitk.WriteImage(thick, str(tmp_path / "t1gd_thick.nii.gz"))
    case = read_study(tmp_path)
    assert case.sources["t1gd"].file_names == ("t1gd.nii.gz",)
    told = message(case, "intake.several_candidates")
    assert "because its voxels are thinner" in told
    assert "'t1gd_thick.nii.gz'" in told


def test_the_original_is_preferred_to_what_was_made_from_it(tmp_path: Path) -> None:
    names = {"P4_T1.nii.gz": "t1", "P4_T1_bias.nii.gz": "t1", "P4_T2.nii.gz": "t2"}
    case = read_study(write_study(tmp_path, names))
    assert case.sources["t1"].file_names == ("P4_T1.nii.gz",)
    assert "original, not derived" in message(case, "intake.several_candidates")


def test_two_equal_candidates_are_a_question_with_a_table(tmp_path: Path) -> None:
    write_study(tmp_path, {**FOUR_FILES, "flair_2.nii.gz": "flair"})
    with pytest.raises(AmbiguousStudyError, match="2 images could be flair") as error:
        read_study(tmp_path)
    table = error.value.table()
    assert [row.number for row in error.value.candidates] == [1, 2, 3, 4, 5]
    for word in ("sequence", "confidence", "spacing mm", "flair_2.nii.gz", "--t1gd PATH"):
        assert word in table


@pytest.mark.parametrize("choice", ["2", "flair_2.nii.gz", "absolute"])
def test_a_choice_settles_the_question(tmp_path: Path, choice: str) -> None:
    write_study(tmp_path, {**FOUR_FILES, "flair_2.nii.gz": "flair"})
    value = str(tmp_path / "flair_2.nii.gz") if choice == "absolute" else choice
    case = read_study(tmp_path, {"flair": value})
    chosen = "flair_2.nii.gz"
    assert case.sources["flair"].file_names == (chosen,)
    assert case.sources["flair"].confidence == 1
    assert set(case.sequences) == set(SEQUENCES)


def test_a_series_is_chosen_by_its_folder_or_its_number(tmp_path: Path) -> None:
    for name in ("first", "second"):
        recipe = SeriesRecipe("AX FLAIR")
        write_series(tmp_path / name, head("flair", seed=len(name)), recipe)
    with pytest.raises(AmbiguousStudyError) as error:
        read_study(tmp_path)
    assert len(error.value.candidates) == 2
    by_folder = read_study(tmp_path, {"flair": str(tmp_path / "second")})
    uid = by_folder.sources["flair"].series_uid
    assert by_folder.sources["flair"].file_names[0].startswith("second/")
    assert uid is not None
    assert read_study(tmp_path, {"flair": uid}).sources == by_folder.sources


def test_a_file_outside_the_folder_can_be_chosen(tmp_path: Path) -> None:
    write_study(tmp_path / "study", {"t1.nii.gz": "t1", "t2.nii.gz": "t2"})
    elsewhere = write_head(tmp_path / "elsewhere" / "x.nii.gz", "flair")
    case = read_study(tmp_path / "study", {"flair": str(elsewhere)})
    assert case.sources["flair"].file_names == ("x.nii.gz",)


@pytest.mark.parametrize("value", ["99", "nothing.nii.gz", "1.2.3.4"])
def test_a_choice_of_nothing_is_an_error(tmp_path: Path, value: str) -> None:
    write_study(tmp_path, FOUR_FILES)
    with pytest.raises(StudyError, match="choice for t2 names no usable image"):
        read_study(tmp_path, {"t2": value})


def test_one_image_cannot_be_chosen_twice(tmp_path: Path) -> None:
    write_study(tmp_path, FOUR_FILES)
    with pytest.raises(StudyError, match="same image was chosen"):
        read_study(tmp_path, {"t2": "t1.nii.gz", "flair": "t1.nii.gz"})


def test_an_unknown_sequence_cannot_be_chosen(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"Unknown sequence \['pd'\]"):
        read_study(tmp_path, {"pd": "x"})


def test_two_patients_in_one_folder_are_a_question(tmp_path: Path) -> None:
    write_series(tmp_path / "a", head("t1"), SeriesRecipe("AX T1"))
    other = {"PatientName": "Roe^Richard", "PatientID": "0815"}
    write_series(tmp_path / "b", head("t2"), SeriesRecipe("AX T2", patient=other))
    with pytest.raises(AmbiguousStudyError, match="2 different patients") as error:
        read_study(tmp_path)
    assert "Roe" not in error.value.table() + str(error.value)
    case = read_study(tmp_path, {"t2": str(tmp_path / "b")})
    assert list(case.sequences) == ["t2"]
    assert "only those of the one that was named" in message(case, "intake.several_examinations")


def test_images_of_two_patients_cannot_be_chosen_together(tmp_path: Path) -> None:
    write_series(tmp_path / "a", head("t1"), SeriesRecipe("AX T1"))
    other = {"PatientName": "Roe^Richard", "PatientID": "0815"}
    write_series(tmp_path / "b", head("t2"), SeriesRecipe("AX T2", patient=other))
    with pytest.raises(StudyError, match="of 2 different patients"):
        read_study(tmp_path, {"t1": str(tmp_path / "a"), "t2": str(tmp_path / "b")})


def test_two_examinations_are_a_question(tmp_path: Path) -> None:
    for day in ("20240105", "20240611"):
        recipe = SeriesRecipe("AX FLAIR", tags={"StudyDate": day}, study_uid=f"1.2.{day}")
        write_series(tmp_path / day, head("flair", seed=int(day)), recipe)
    with pytest.raises(AmbiguousStudyError, match="2 different examinations"):
        read_study(tmp_path)


def test_age_and_sex_come_from_the_headers(tmp_path: Path) -> None:
    tags: dict[str, object] = {"PatientAge": "054Y", "PatientSex": "F"}
    write_series(tmp_path, head("flair"), SeriesRecipe("AX FLAIR", tags=tags))
    facts = read_study(tmp_path).facts
    assert (facts.age_years, facts.sex) == (54, "F")


def test_age_comes_from_the_birth_date_when_it_is_not_given(tmp_path: Path) -> None:
    patient = {"PatientName": "Doe^J", "PatientID": "1", "PatientBirthDate": "19640105"}
    write_series(tmp_path, head("flair"), SeriesRecipe("AX FLAIR", patient=patient))
    assert read_study(tmp_path).facts.age_years == pytest.approx(60)


def test_a_cancelled_run_stops(tmp_path: Path) -> None:
    def stop(stage: str, fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        read_study(write_study(tmp_path, {"t1.nii.gz": "t1"}), progress=stop)


def test_progress_grows_to_one(tmp_path: Path) -> None:
    told: list[float] = []
    read_study(write_dicom_study(tmp_path), progress=lambda stage, done: told.append(done))
    assert told == sorted(told)
    assert told[-1] == 1
