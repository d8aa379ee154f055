"""Measures against shapes whose truth is known."""

import math

import numpy as np
import pytest
import SimpleITK as sitk
from assessment_makers import IDENTITY, ball, grid_of, points_lps
from hypothesis import given, settings
from hypothesis import strategies as st

from gliomaai_training.preprocessing.geometry import Grid
from GliomaAILib.assessment.diameters import diameters
from GliomaAILib.assessment.measures import measure

SPACINGS = st.tuples(st.floats(0.5, 1.5), st.floats(0.5, 1.5), st.floats(0.8, 4.0))


def turned(points: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along axes turned in the axial plane, around the points' centre."""
    centred = points - points.reshape(-1, 3).mean(axis=0)
    x, y = centred[..., 0], centred[..., 1]
    return (
        x * math.cos(angle) + y * math.sin(angle),
        -x * math.sin(angle) + y * math.cos(angle),
    )


@settings(max_examples=15, deadline=None)
@given(
    spacing=SPACINGS,
    angle=st.floats(0, math.pi),
    half_long=st.floats(14, 22),
    ratio=st.floats(0.4, 0.85),
)
def test_diameters_of_a_turned_ellipsoid(
    spacing: tuple[float, float, float], angle: float, half_long: float, ratio: float
) -> None:
    half_short = half_long * ratio
    grid = grid_of(tuple(math.ceil(52 / mm) for mm in spacing), spacing)
    points = points_lps(grid)
    along, across = turned(points, angle)
    depth = (points[..., 2] - points[..., 2].mean()) / 12.0
    inside = (along / half_long) ** 2 + (across / half_short) ** 2 + depth**2 <= 1
    pair = diameters(inside, inside, grid)
    # No slice need pass through the very middle: the nearest lies half a slice away.
    shrink = math.sqrt(1 - min(1.0, spacing[2] / 2 / 12.0) ** 2)
    voxel = math.hypot(*spacing[:2])
    assert pair is not None
    assert 2 * half_long * shrink - voxel <= pair.longest_mm <= 2 * half_long + voxel
    assert 2 * half_short * shrink - voxel <= pair.perpendicular_mm <= 2 * half_short + voxel


@settings(max_examples=15, deadline=None)
@given(spacing=SPACINGS, angle=st.floats(0, math.pi))
def test_diameters_of_a_turned_box(spacing: tuple[float, float, float], angle: float) -> None:
    long, short = 30.0, 12.0
    grid = grid_of(tuple(math.ceil(44 / mm) for mm in spacing), spacing)
    along, across = turned(points_lps(grid), angle)
    inside = (np.abs(along) <= long / 2) & (np.abs(across) <= short / 2)
    pair = diameters(inside, inside, grid)
    voxel = math.hypot(*spacing[:2])
    assert pair is not None
    assert pair.longest_mm == pytest.approx(math.hypot(long, short), abs=voxel)
    # Perpendicular to the diagonal, the chord runs from long side to long side.
    assert pair.perpendicular_mm == pytest.approx(
        short * math.hypot(long, short) / long, abs=1.5 * voxel
    )


def test_diameters_are_perpendicular_and_end_where_they_say() -> None:
    spacing = (0.7, 1.3, 3.0)
    oblique = sitk.Euler3DTransform((0, 0, 0), 0.3, -0.2, 0.4).GetMatrix()
    grid = Grid((60, 40, 12), spacing, (10.0, -20.0, 30.0), oblique)
    rng = np.random.default_rng(7)
    region = rng.random(grid.size[::-1]) > 0.999
    region[4:8, 12:22, 15:40] = True
    pair = diameters(region, region, grid)
    assert pair is not None
    long = np.subtract(*pair.longest_ends_ras_mm)
    across = np.subtract(*pair.perpendicular_ends_ras_mm)
    assert np.linalg.norm(long) == pytest.approx(pair.longest_mm)
    assert np.linalg.norm(across) == pytest.approx(pair.perpendicular_mm)
    assert abs(long @ across) < 1e-6
    normal = np.reshape(oblique, (3, 3))[:, 2] * [-1, -1, 1]
    assert abs(long @ normal) < 1e-6


def test_a_broken_rim_is_one_lesion() -> None:
    grid = grid_of((60, 60, 3))
    core = ball(grid, (30.0, 30.0, 1.0), 20.0)
    rim = core & ~ball(grid, (30.0, 30.0, 1.0), 15.0)
    rim[:, 26:35, :] = False  # two halves
    pair = diameters(rim, core, grid)
    apart = diameters(rim, rim, grid)
    assert pair is not None
    assert apart is not None
    assert pair.perpendicular_mm > 30 > apart.perpendicular_mm


def test_one_voxel_has_the_diameters_of_a_voxel() -> None:
    region = np.zeros((3, 3, 3), bool)
    region[1, 1, 1] = True
    pair = diameters(region, region, grid_of((3, 3, 3), (1.0, 1.0, 1.0)))
    assert pair is not None
    assert pair.longest_mm == pytest.approx(1.0)
    assert not pair.measurable


@settings(max_examples=15, deadline=None)
@given(spacing=SPACINGS, seed=st.integers(0, 2**31))
def test_volumes_are_voxels_times_spacing(spacing: tuple[float, float, float], seed: int) -> None:
    labels = np.random.default_rng(seed).integers(0, 4, (5, 6, 7)).astype(np.uint8)
    found = measure(grid_of((7, 6, 5), spacing).image(labels)).volumes_ml
    voxel_ml = math.prod(spacing) / 1000
    for name, values in {"NCR": [1], "ED": [2], "ET": [3], "TC": [1, 3], "WT": [1, 2, 3]}.items():
        assert found[name] == pytest.approx(np.isin(labels, values).sum() * voxel_ml)


def test_no_tumour_is_a_result() -> None:
    grid = grid_of((20, 20, 20))
    empty = grid.image(np.zeros(grid.size[::-1], np.uint8))
    brain = grid.image(ball(grid, (10, 10, 10), 8).astype(np.uint8))
    for mask in (None, brain, empty):
        found = measure(empty, mask)
        assert set(found.volumes_ml.values()) == {0.0}
        assert found.diameters == {}
        assert found.foci == {"WT": (), "TC": ()}
        assert found.centre_ras_mm is None
        assert found.laterality is None
        assert found.rano_region is None
        assert found.enhancing_proportion is None


def test_proportions_and_the_region_of_rano() -> None:
    grid = grid_of((30, 30, 6))
    labels = np.zeros(grid.size[::-1], np.uint8)
    labels[1:3, 2:12, 2:12] = 2
    without = measure(grid.image(labels))
    assert without.rano_region == "WT"
    assert without.enhancing_proportion == 0.0
    assert without.enhancing_proportion_of_core is None
    labels[1, 4:9, 4:9] = 3
    labels[2, 4:9, 4:9] = 1
    enhancing = measure(grid.image(labels))
    assert enhancing.rano_region == "ET"
    assert enhancing.enhancing_proportion == pytest.approx(25 / 200)
    assert enhancing.necrotic_proportion == pytest.approx(25 / 200)
    assert enhancing.enhancing_proportion_of_core == pytest.approx(0.5)


@settings(max_examples=10, deadline=None)
@given(
    gaps=st.lists(st.integers(3, 9), min_size=0, max_size=3),
    spacing=st.tuples(st.floats(0.8, 2.0), st.floats(0.8, 2.0), st.floats(0.8, 2.0)),
)
def test_foci_are_counted_with_their_distance(
    gaps: list[int], spacing: tuple[float, float, float]
) -> None:
    labels = np.zeros((12, 12, 14 + sum(gaps) + 6 * len(gaps)), np.uint8)
    labels[1:11, 1:11, 1:11] = 1  # the largest
    place = 10
    for gap in gaps:
        labels[2:8, 2:8, place + gap : place + gap + 6] = 1
        place += gap + 6
    labels[11, 11, 0] = 1  # one voxel, touching nothing: below the threshold
    grid = grid_of(labels.shape[::-1], spacing)
    parts = measure(grid.image(labels)).foci["WT"]
    assert len(parts) == 1 + len(gaps)
    assert parts[0].distance_to_main_mm is None
    if gaps:
        nearest = min(part.distance_to_main_mm or 0.0 for part in parts[1:])
        assert nearest == pytest.approx(gaps[0] * spacing[0])


def test_parts_that_touch_at_a_corner_are_one_focus() -> None:
    labels = np.zeros((12, 12, 12), np.uint8)
    labels[:6, :6, :6] = 1
    labels[6:, 6:, 6:] = 1
    assert len(measure(grid_of((12, 12, 12)).image(labels)).foci["WT"]) == 1


def test_unknown_labels_and_other_grids_are_refused() -> None:
    grid = grid_of((4, 4, 4))
    with pytest.raises(ValueError, match=r"\[4\]"):
        measure(grid.image(np.full((4, 4, 4), 4, np.uint8)))
    labels = grid.image(np.zeros((4, 4, 4), np.uint8))
    with pytest.raises(ValueError, match="another grid"):
        measure(labels, grid_of((4, 4, 4), (2.0, 1.0, 1.0)).image(np.ones((4, 4, 4), np.uint8)))
    with pytest.raises(ValueError, match="dimensions"):
        measure(sitk.Image(4, 4, sitk.sitkUInt8))


def head(tumour_x_lps: float) -> tuple[sitk.Image, sitk.Image]:
    """A brain with a tumour at some LPS x; the brain is longer than it is wide."""
    grid = grid_of((84, 100, 76), (2.0, 2.0, 2.0), (-83.0, -99.0, -75.0), IDENTITY)
    x, y, z = np.moveaxis(points_lps(grid), -1, 0)
    brain = (x / 66) ** 2 + (y / 84) ** 2 + (z / 60) ** 2 <= 1
    # A flat base and a blunt front, so that the mid-sagittal plane is the only mirror.
    brain &= (z > -38) & (y > -70)
    tumour = ball(grid, (tumour_x_lps, -10.0, 10.0), 15.0)
    return grid.image(tumour.astype(np.uint8) * 3), grid.image(brain.astype(np.uint8))


def reordered(image: sitk.Image, order: list[int], flips: list[bool]) -> sitk.Image:
    """The same voxels at the same places, stored along other axes."""
    return sitk.Flip(sitk.PermuteAxes(image, order), flips)


@settings(max_examples=8, deadline=None)
@given(
    order=st.permutations([0, 1, 2]),
    flips=st.lists(st.booleans(), min_size=3, max_size=3),
    left=st.booleans(),
)
def test_left_stays_left_under_any_axes(order: list[int], flips: list[bool], left: bool) -> None:
    labels, brain = head(30.0 if left else -30.0)
    found = measure(reordered(labels, order, flips), reordered(brain, order, flips))
    assert found.laterality is not None
    assert found.laterality.side == ("left" if left else "right")
    assert not found.laterality.crosses_midline
    assert found.centre_ras_mm == pytest.approx((-30.0 if left else 30.0, 10.0, 10.0), abs=0.5)


@pytest.mark.parametrize(("yaw", "roll"), [(0.3, 0.0), (0.0, -0.25), (-0.2, 0.2)])
def test_side_follows_a_turned_head(yaw: float, roll: float) -> None:
    labels, brain = head(16.0)
    turn = sitk.Euler3DTransform((0.0, 0.0, 0.0), 0.0, roll, yaw)
    moved = [sitk.Resample(one, one, turn, sitk.sitkNearestNeighbor, 0) for one in (labels, brain)]
    upright = measure(labels, brain).laterality
    found = measure(*moved).laterality
    assert upright is not None
    assert found is not None
    assert found.side == "left"
    assert found.left_share == pytest.approx(upright.left_share, abs=0.05)


def test_midline_crossing() -> None:
    found = measure(*head(6.0)).laterality
    assert found is not None
    assert found.crosses_midline
    assert found.side == "both"
