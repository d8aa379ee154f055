"""A place in the patient keeps its coordinates on the way to the common grid and back."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import LPS_FROM_RAS, Grid
from gliomaai_training.preprocessing.native import (
    labels_to_common,
    labels_to_native,
    probabilities_to_native_labels,
)
from gliomaai_training.preprocessing.orientation import to_lps
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.preprocessing.resampling import common_grid, is_common, resample

# In steps: direction cosines as small as 1e-297 break ITK's inverse, and no file holds them.
ANGLES = st.tuples(*[st.integers(-500, 500).map(lambda angle: angle / 1000)] * 3)
ORDERS = st.permutations(range(3))
SIGNS = st.tuples(*[st.sampled_from((-1, 1))] * 3)
SIZES = st.tuples(*[st.integers(3, 9)] * 3)


def spacings(low: float, high: float) -> st.SearchStrategy[tuple[float, ...]]:
    return st.tuples(*[st.floats(low, high)] * 3)


@st.composite
def grids(draw: st.DrawFn, low: float, high: float) -> Grid:
    """Any oblique, flipped, anisotropic geometry."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*draw(ANGLES))
    signed = np.eye(3)[:, draw(ORDERS)] * draw(SIGNS)
    direction = np.reshape(turn.GetMatrix(), (3, 3)) @ signed
    return Grid(
        size=draw(SIZES),
        spacing_mm=draw(spacings(low, high)),
        origin_mm=draw(st.tuples(*[st.floats(-150, 150)] * 3)),
        direction=tuple(direction.ravel()),
    )


def prepared_on(native: Grid, to_native: sitk.Transform | None = None) -> Prepared:
    """A study of one sequence, as `prepare` would leave it."""
    image = native.image(np.ones(native.size[::-1], np.float32))
    grid = common_grid(Grid.of(to_lps(image)))
    return Prepared(
        sequences={"t1": resample(to_lps(image), grid)},
        brain_mask=grid.image(np.ones(grid.size[::-1], np.uint8)),
        reference="t1",
        native_grids={"t1": native},
        to_native={"t1": to_native or sitk.Transform(3, sitk.sitkIdentity)},
        findings=(),
        steps={},
    )


def marker(grid: Grid, place: tuple[float, ...]) -> tuple[sitk.Image, NDArray[np.float64]]:
    """Labels with one voxel set, and that voxel's centre in RAS mm."""
    index = [int(share * length) for share, length in zip(place, grid.size, strict=True)]
    array = np.zeros(grid.size[::-1], np.uint8)
    array[tuple(reversed(index))] = 3
    return grid.image(array), (grid.ijk_to_ras @ [*index, 1.0])[:3]


def centre_ras(labels: sitk.Image) -> NDArray[np.float64]:
    index = np.argwhere(sitk.GetArrayFromImage(labels) > 0).mean(axis=0)[::-1]
    centre: NDArray[np.float64] = (Grid.of(labels).ijk_to_ras @ [*index, 1.0])[:3]
    return centre


PLACES = st.tuples(*[st.floats(0, 0.999)] * 3)


@settings(deadline=None, max_examples=25)
@given(native=grids(1.0, 6.0), place=PLACES)
def test_a_voxel_of_1_mm_or_more_lands_at_its_place_and_returns_exactly(
    native: Grid, place: tuple[float, ...]
) -> None:
    prepared = prepared_on(native)
    labels, ras = marker(native, place)
    common = labels_to_common(labels, prepared, "t1")
    # Whole common voxels stand for the native one: half of one is the best that can be.
    assert np.abs(np.linalg.norm(centre_ras(common) - ras)) <= 0.5 * np.sqrt(3) + 1e-6
    back = labels_to_native(common, prepared, "t1")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), sitk.GetArrayFromImage(labels))
    assert Grid.of(back).matches(native)


@settings(deadline=None, max_examples=25)
@given(native=grids(0.4, 0.98), seed=st.integers(0, 1000))
def test_on_a_finer_native_grid_every_common_voxel_survives(native: Grid, seed: int) -> None:
    prepared = prepared_on(native)
    shape = prepared.grid.size[::-1]
    labels = np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)
    fine = labels_to_native(prepared.grid.image(labels), prepared, "t1")
    back = labels_to_common(fine, prepared, "t1")
    np.testing.assert_array_equal(sitk.GetArrayFromImage(back), labels)


@settings(deadline=None, max_examples=25)
@given(native=grids(1.0, 1.0), seed=st.integers(0, 1000))
def test_a_1_mm_image_is_only_reordered(native: Grid, seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=native.size[::-1]).astype(np.float32)
    prepared = prepared_on(native)
    common = to_lps(native.image(values))
    assert Grid.of(common).matches(prepared.grid)
    np.testing.assert_array_equal(
        np.sort(sitk.GetArrayFromImage(common).ravel()), np.sort(values.ravel())
    )
    probabilities = generator.dirichlet(np.ones(4), prepared.grid.size[::-1])
    probabilities = np.moveaxis(probabilities, -1, 0).astype(np.float32)
    labels = prepared.grid.image(probabilities.argmax(axis=0).astype(np.uint8))
    native_labels = probabilities_to_native_labels(probabilities, prepared, "t1")
    np.testing.assert_array_equal(
        sitk.GetArrayFromImage(native_labels),
        sitk.GetArrayFromImage(labels_to_native(labels, prepared, "t1")),
    )


@settings(deadline=None, max_examples=25)
@given(native=grids(0.7, 5.0))
def test_left_stays_left(native: Grid) -> None:
    """The outermost native voxel on the patient's left is the outermost on the common grid."""
    prepared = prepared_on(native)
    index = np.argwhere(np.ones(native.size))
    ras = index @ native.ijk_to_ras[:3, :3].T + native.ijk_to_ras[:3, 3]
    middle = ras.mean(axis=0)
    array = np.zeros(native.size, np.uint8)
    array[tuple(index[ras[:, 0] < middle[0]].T)] = 1
    common = labels_to_common(native.image(array.transpose(2, 1, 0)), prepared, "t1")
    assert centre_ras(common)[0] < middle[0]
    # i points to the left, so the left half has the larger i.
    inside = sitk.GetArrayFromImage(common) > 0
    i = np.arange(inside.shape[2])
    assert (inside.sum(axis=(0, 1)) * i).sum() / inside.sum() > (inside.shape[2] - 1) / 2


@settings(deadline=None, max_examples=15)
@given(native=grids(1.0, 5.0), place=PLACES, angles=ANGLES)
def test_a_registered_sequence_has_its_own_way_there_and_back(
    native: Grid, place: tuple[float, ...], angles: tuple[float, float, float]
) -> None:
    labels, ras = marker(native, place)
    motion = sitk.Euler3DTransform()
    motion.SetRotation(*angles)
    motion.SetTranslation((5.0, -7.0, 3.0))
    moved = LPS_FROM_RAS[:3, :3] @ np.asarray(
        motion.GetInverse().TransformPoint((LPS_FROM_RAS[:3, :3] @ ras).tolist())
    )
    still = prepared_on(native)
    half = 25.0  # a common grid around the place where the marker must arrive
    lps = LPS_FROM_RAS[:3, :3] @ moved
    grid = Grid((51, 51, 51), (1.0, 1.0, 1.0), tuple(lps - half), tuple(np.eye(3).ravel()))
    prepared = Prepared(
        sequences=still.sequences,
        brain_mask=grid.image(np.ones(grid.size[::-1], np.uint8)),
        reference="t1gd",
        native_grids={"t1": native},
        to_native={"t1": motion},
        findings=(),
        steps={},
    )
    common = labels_to_common(labels, prepared, "t1")
    assert np.linalg.norm(centre_ras(common) - moved) < 0.75
    back = labels_to_native(common, prepared, "t1")
    assert np.argmax(sitk.GetArrayFromImage(back)) == np.argmax(sitk.GetArrayFromImage(labels))


def sphere(grid: Grid, radius_mm: float) -> NDArray[np.float32]:
    """Signed distance inside a sphere at the grid's centre, mm, (k, j, i)."""
    index = np.argwhere(np.ones(grid.size))
    points = index @ grid.ijk_to_lps[:3, :3].T + grid.ijk_to_lps[:3, 3]
    distance = np.linalg.norm(points - points.mean(axis=0), axis=1)
    return (radius_mm - distance).reshape(grid.size).transpose(2, 1, 0).astype(np.float32)


def test_borders_from_probabilities_are_smoother_than_from_labels() -> None:
    native = Grid((60, 60, 60), (0.4, 0.4, 0.4), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    prepared = prepared_on(native)
    tumour = 1 / (1 + np.exp(-sphere(prepared.grid, 7.3)))
    probabilities = np.stack([1 - tumour, 0 * tumour, 0 * tumour, tumour]).astype(np.float32)
    truth = sphere(native, 7.3) > 0
    smooth = sitk.GetArrayFromImage(probabilities_to_native_labels(probabilities, prepared, "t1"))
    labels = prepared.grid.image(probabilities.argmax(axis=0).astype(np.uint8))
    rough = sitk.GetArrayFromImage(labels_to_native(labels, prepared, "t1"))
    assert set(np.unique(smooth)) == {0, 3}
    errors = [int(((found == 3) != truth).sum()) for found in (smooth, rough)]
    assert errors[0] < 0.5 * errors[1]


def test_the_box_around_the_tumour_changes_nothing() -> None:
    """The same as resampling whole probability images and taking the largest."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(0.2, -0.1, 0.3)
    native = Grid((30, 25, 9), (0.8, 0.8, 3.0), (-12.0, -10.0, -13.0), turn.GetMatrix())
    prepared = prepared_on(native)
    generator = np.random.default_rng(5)
    probabilities = generator.dirichlet(np.ones(4), prepared.grid.size[::-1])
    probabilities[:6] = probabilities[-4:] = (1.0, 0.0, 0.0, 0.0)
    probabilities = np.moveaxis(probabilities, -1, 0).astype(np.float32)
    found = probabilities_to_native_labels(probabilities, prepared, "t1")
    whole = [
        sitk.GetArrayFromImage(resample(prepared.grid.image(values), native))
        for values in np.ascontiguousarray(probabilities)
    ]
    expected = np.argmax(whole, axis=0)
    agreement = (sitk.GetArrayFromImage(found) == expected).mean()
    assert agreement > 0.9999  # rounding may break a tie the other way


def test_no_tumour_gives_empty_labels_on_the_native_grid() -> None:
    native = Grid((6, 6, 6), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    prepared = prepared_on(native)
    nothing = np.zeros((4, *prepared.grid.size[::-1]), np.float32)
    nothing[0] = 1
    labels = probabilities_to_native_labels(nothing, prepared, "t1")
    assert Grid.of(labels).matches(native)
    assert not sitk.GetArrayFromImage(labels).any()


def test_wrong_grids_and_sequences_are_refused() -> None:
    native = Grid((6, 6, 6), (2.0, 2.0, 2.0), (0.0, 0.0, 0.0), tuple(np.eye(3).ravel()))
    prepared = prepared_on(native)
    on_native = native.image(np.zeros((6, 6, 6), np.uint8))
    with pytest.raises(ValueError, match="not on the common grid"):
        labels_to_native(on_native, prepared, "t1")
    with pytest.raises(ValueError, match="no sequence 'flair'"):
        labels_to_common(on_native, prepared, "flair")
    with pytest.raises(ValueError, match="not on the native grid of t1"):
        labels_to_common(prepared.brain_mask, prepared, "t1")
    with pytest.raises(ValueError, match="shape"):
        probabilities_to_native_labels(np.zeros((4, 6, 6, 6), np.float32), prepared, "t1")


@settings(deadline=None, max_examples=25)
@given(native=grids(0.3, 7.0))
def test_the_common_grid_covers_the_reference(native: Grid) -> None:
    grid = common_grid(native)
    extent = np.asarray(native.size) * native.spacing_mm
    assert np.abs(np.asarray(grid.size) - extent).max() <= 0.5 + 1e-9 or is_common(native)
    middles = [
        (geometry.ijk_to_lps @ [*(np.asarray(geometry.size) - 1) / 2, 1.0])[:3]
        for geometry in (native, grid)
    ]
    np.testing.assert_allclose(middles[0], middles[1], atol=1e-6)
