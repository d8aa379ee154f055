"""Left stays left: a marker is read back at its place through every format and orientation."""

import tempfile
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake_makers import (
    SeriesRecipe,
    image_of,
    set_tag,
    slice_position,
    write_enhanced,
    write_series,
)
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from gliomaai_training.preprocessing.geometry import Grid
from GliomaAILib.intake.study import read_study

SHAPE = (9, 12, 10)
MARKER = (6, 3, 8)
"""k, j, i: off the middle on every axis."""

FLIPS = st.permutations([0, 1, 2]).flatmap(
    lambda order: st.tuples(*[st.sampled_from([1.0, -1.0])] * 3).map(
        lambda signs: np.eye(3)[list(order)] * np.array(signs)[:, None]
    )
)
TILTS = st.tuples(*[st.floats(-25, 25)] * 3)
SPACINGS = st.tuples(st.floats(0.4, 2.0), st.floats(0.4, 2.0), st.floats(0.8, 7.0))
ORIGINS = st.tuples(*[st.floats(-150, 150)] * 3)
EXAMPLES = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _axes(flip: NDArray[np.float64], tilt: tuple[float, ...]) -> NDArray[np.float64]:
    """Orthonormal columns, right- or left-handed, oblique."""
    matrix: NDArray[np.float64] = Rotation.from_euler("xyz", tilt, degrees=True).as_matrix() @ flip
    return matrix


def _marked() -> NDArray[np.int16]:
    array = np.random.default_rng(0).integers(10, 400, SHAPE).astype(np.int16)
    array[MARKER] = 3000
    return array


def _marker_ras_mm(image: sitk.Image) -> NDArray[np.float64]:
    k, j, i = np.unravel_index(np.argmax(sitk.GetArrayViewFromImage(image)), image.GetSize()[::-1])
    point: NDArray[np.float64] = (Grid.of(image).ijk_to_ras @ [i, j, k, 1])[:3]
    return point


def _read_one(folder: Path) -> sitk.Image:
    case = read_study(folder)
    assert list(case.sequences) == ["flair"]
    return case.sequences["flair"]


@EXAMPLES
@given(
    flip=FLIPS,
    tilt=TILTS,
    spacing=SPACINGS,
    origin=ORIGINS,
    suffix=st.sampled_from([".nii.gz", ".nrrd", ".mha"]),
)
def test_a_marker_keeps_its_place_in_image_files(
    flip: NDArray[np.float64],
    tilt: tuple[float, ...],
    spacing: tuple[float, ...],
    origin: tuple[float, ...],
    suffix: str,
) -> None:
    axes = _axes(flip, tilt)
    k, j, i = MARKER
    expected_lps = np.array(origin) + axes @ (np.array(spacing) * (i, j, k))
    image = image_of(_marked(), spacing, origin, axes.reshape(-1))
    with tempfile.TemporaryDirectory() as folder:
        sitk.WriteImage(image, str(Path(folder) / f"flair{suffix}"))
        found = _marker_ras_mm(_read_one(Path(folder)))
    np.testing.assert_allclose(found, expected_lps * (-1, -1, 1), atol=2e-3)


@EXAMPLES
@given(
    flip=FLIPS,
    tilt=TILTS,
    spacing=SPACINGS,
    origin=ORIGINS,
    order=st.permutations(range(SHAPE[0])),
    enhanced=st.booleans(),
)
def test_a_marker_keeps_its_place_in_dicom(
    flip: NDArray[np.float64],
    tilt: tuple[float, ...],
    spacing: tuple[float, float, float],
    origin: tuple[float, ...],
    order: list[int],
    enhanced: bool,
) -> None:
    axes = _axes(flip, tilt)
    recipe = SeriesRecipe(
        description="AX FLAIR",
        orientation=[*axes[:, 0], *axes[:, 1]],
        position_mm=origin,
        spacing_mm=spacing,
        order=order,
    )
    k, j, i = MARKER
    in_plane = axes[:, 0] * spacing[0] * i + axes[:, 1] * spacing[1] * j
    expected_lps = slice_position(recipe, k) + in_plane
    with tempfile.TemporaryDirectory() as folder:
        if enhanced:
            write_enhanced(Path(folder) / "study" / "one.dcm", _marked(), recipe)
        else:
            write_series(Path(folder), _marked(), recipe)
        image = _read_one(Path(folder))
    np.testing.assert_allclose(_marker_ras_mm(image), expected_lps * (-1, -1, 1), atol=2e-3)
    assert np.linalg.det(np.reshape(image.GetDirection(), (3, 3))) == pytest.approx(1, abs=1e-6)


def test_slices_written_backwards_give_the_same_image(tmp_path: Path) -> None:
    images = []
    for name, order in (("up", range(9)), ("down", range(8, -1, -1))):
        write_series(tmp_path / name, _marked(), SeriesRecipe("FLAIR", order=list(order)))
        images.append(_read_one(tmp_path / name))
    assert Grid.of(images[0]) == Grid.of(images[1])
    np.testing.assert_array_equal(*[sitk.GetArrayFromImage(image) for image in images])


def test_rescale_slopes_are_applied_slice_by_slice(tmp_path: Path) -> None:
    array = _marked()
    paths = write_series(tmp_path, array, SeriesRecipe("FLAIR"))
    for index, path in enumerate(paths):
        set_tag(path, "RescaleSlope", 1.0 + 0.25 * index)
        set_tag(path, "RescaleIntercept", -2.0)
    image = _read_one(tmp_path)
    slopes = 1.0 + 0.25 * np.arange(len(array))
    expected = array * slopes[:, None, None] - 2.0
    np.testing.assert_allclose(sitk.GetArrayFromImage(image), expected, rtol=1e-6)


def test_rescale_slopes_of_an_enhanced_file_are_applied_frame_by_frame(tmp_path: Path) -> None:
    array = _marked()
    order = list(range(8, -1, -1))
    path = write_enhanced(tmp_path / "e.dcm", array, SeriesRecipe("FLAIR", order=order))
    dataset = pydicom.dcmread(path)
    for index, frame in zip(order, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        frame.PixelValueTransformationSequence[0].RescaleSlope = 2.0 + 0.5 * index
        frame.PixelValueTransformationSequence[0].RescaleIntercept = 3.0
    dataset.save_as(path)
    slopes = 2.0 + 0.5 * np.arange(len(array))
    expected = array * slopes[:, None, None] + 3.0
    np.testing.assert_allclose(sitk.GetArrayFromImage(_read_one(tmp_path)), expected, rtol=1e-6)


def test_images_carry_no_header_fields(tmp_path: Path) -> None:
    write_series(tmp_path / "dicom", _marked(), SeriesRecipe("FLAIR"))
    write_enhanced(tmp_path / "enhanced" / "e.dcm", _marked(), SeriesRecipe("FLAIR"))
    image = image_of(_marked())
    image.SetMetaData("patient", "Doe^Jane")
    (tmp_path / "files").mkdir()
    sitk.WriteImage(image, str(tmp_path / "files" / "flair.nrrd"))
    for name in ("dicom", "enhanced", "files"):
        assert _read_one(tmp_path / name).GetMetaDataKeys() == ()
