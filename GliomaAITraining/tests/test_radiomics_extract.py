"""Radiomics of a case: what is measured, what is unknown, and what is refused."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from radiomics_makers import SPACING_MM, as_image, formula_volume

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.radiomics import glcm
from gliomaai_training.radiomics.config import (
    Discretisation,
    FilterConfig,
    RadiomicsConfig,
    config_from_json,
)
from gliomaai_training.radiomics.discretise import grey_levels
from gliomaai_training.radiomics.extract import RegionState, extract, feature_columns
from gliomaai_training.radiomics.images import FeatureCase, measured_grid, measured_masks
from gliomaai_training.radiomics.mesh import mesh_volume_and_area
from gliomaai_training.radiomics.shape import shape_features

SMALL = RadiomicsConfig(regions=("WT", "ET"), sequences=("t1",), normalisation="none")


def formula_case(labels: np.ndarray | None = None) -> FeatureCase:
    image, own = formula_volume()
    return FeatureCase(
        "formula", {"t1": as_image(image)}, as_image(own if labels is None else labels)
    )


def labels_of(*voxels: tuple[int, int, int], label: int = 3) -> np.ndarray:
    labels = np.zeros_like(formula_volume()[1])
    for voxel in voxels:
        labels[voxel] = label
    return labels


def known(values: dict[str, float] | object, part: str) -> list[str]:
    return [name for name, value in dict(values).items() if part in name and np.isfinite(value)]  # type: ignore[call-overload]


def test_an_empty_region_has_no_volume_and_is_otherwise_unknown() -> None:
    found = extract(formula_case(labels_of()), SMALL)
    assert found.states == {"WT": RegionState.EMPTY, "ET": RegionState.EMPTY}
    assert list(found.values) == list(feature_columns(SMALL))
    finite = {name: value for name, value in found.values.items() if np.isfinite(value)}
    assert set(finite) == {
        f"{region}_original_shape_{name}"
        for region in ("WT", "ET")
        for name in ("MeshVolume", "VoxelVolume", "SurfaceArea")
    }
    assert set(finite.values()) == {0.0}


@pytest.mark.parametrize(
    "voxels",
    [
        [(5, 5, 5)],
        [(5, 5, 5), (5, 5, 6)],
        [(5, 5, 5), (7, 9, 11)],
        [(0, 0, 0), (25, 29, 21)],
        [(5, y, x) for y in range(3) for x in range(4)],
    ],
    ids=["one voxel", "a line", "two apart", "two corners of the image", "a plate"],
)
@pytest.mark.parametrize("minimum_voxels", [27, 1])
def test_tiny_regions_are_measured_as_far_as_they_go(
    voxels: list[tuple[int, int, int]], minimum_voxels: int
) -> None:
    recipe = RadiomicsConfig(
        regions=("ET",), sequences=("t1",), normalisation="none", minimum_voxels=minimum_voxels
    )
    found = extract(formula_case(labels_of(*voxels)), recipe)
    measured = minimum_voxels == 1
    assert found.states["ET"] is (RegionState.MEASURED if measured else RegionState.SHAPE_ONLY)
    assert found.voxels["ET"] == len(voxels)
    assert found.values["ET_original_shape_VoxelVolume"] == pytest.approx(
        len(voxels) * np.prod(SPACING_MM)
    )
    # Of two voxels none lies between the percentiles of the robust deviation.
    intensities = 18 - (len(voxels) == 2) if measured else 0
    assert len(known(found.values, "_firstorder_")) == intensities


def test_a_single_voxel_is_an_octahedron() -> None:
    mask = np.zeros((3, 3, 3), bool)
    mask[1, 1, 1] = True
    features = shape_features(mask, (1.0, 1.0, 1.0))
    assert features["MeshVolume"] == pytest.approx(1 / 6)
    assert features["SurfaceArea"] == pytest.approx(np.sqrt(3))
    assert features["Maximum3DDiameter"] == 1.0
    assert features["MajorAxisLength"] == 0.0
    assert np.isnan(features["Elongation"])


def test_a_flat_image_has_texture_without_contrast() -> None:
    _, labels = formula_volume()
    image = np.full(labels.shape, 50.0, np.float32)
    case = FeatureCase("flat", {"t1": as_image(image)}, as_image(labels))
    values = extract(case, SMALL).values
    assert all(np.isfinite(value) for value in values.values())
    for name, expected in (
        ("glcm_Contrast", 0),
        ("glcm_Correlation", 1),
        ("glcm_MCC", 1),
        ("glcm_Imc1", 0),
        ("firstorder_Entropy", 0),
        ("firstorder_Skewness", 0),
        ("glrlm_GrayLevelNonUniformityNormalized", 1),
        ("ngtdm_Coarseness", 1e6),
    ):
        assert values[f"t1_WT_original_{name}"] == expected


def test_an_absent_sequence_is_unknown_and_keeps_its_columns() -> None:
    recipe = RadiomicsConfig(regions=("WT",), sequences=("t1", "t2"), normalisation="none")
    values = extract(formula_case(), recipe).values
    assert len(values) == 14 + 2 * 93
    assert known(values, "t2_WT_") == []
    assert len(known(values, "t1_WT_")) == 93


def test_a_mask_alone_has_a_shape() -> None:
    case = FeatureCase("mask", {}, as_image(formula_volume()[1]))
    values = extract(case, RadiomicsConfig(classes=("shape",))).values
    assert len(values) == 5 * 14
    assert all(np.isfinite(value) for value in values.values())


@given(st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_shape_does_not_change_with_place_turn_or_mirror(seed: int) -> None:
    generator = np.random.default_rng(seed)
    mask = np.zeros((9, 9, 9), bool)
    mask[2:-2, 2:-2, 2:-2] = generator.random((5, 5, 5)) < 0.7
    mask[4, 4, 4] = True
    reference = shape_features(mask, (1.0, 1.0, 1.0))
    turned = shape_features(np.rot90(mask, axes=(1, 2))[::-1].copy(), (1.0, 1.0, 1.0))
    exact = ["Maximum3DDiameter", "MajorAxisLength", "LeastAxisLength", "VoxelVolume"]
    for name in [*exact, "SurfaceArea"]:
        tolerance = 1e-9 if name in exact else 0.05
        assert turned[name] == pytest.approx(reference[name], rel=tolerance)


def test_a_ball_s_mesh_is_nearly_a_ball() -> None:
    distance = np.linalg.norm(np.indices((45, 45, 45)) - 22.0, axis=0)
    volume, area = mesh_volume_and_area(distance <= 20.0, (2.0, 2.0, 2.0))
    assert volume == pytest.approx(4 / 3 * np.pi * 40.0**3, rel=0.01)
    assert area == pytest.approx(4 * np.pi * 40.0**2, rel=0.1)


def test_diameters_are_those_of_all_pairs() -> None:
    mask = np.pad(formula_volume()[1] > 0, 1)
    features = shape_features(mask, (2.0, 0.9, 1.2))
    points = []
    for axis in range(3):
        edges = np.argwhere(np.diff(mask.astype(int), axis=axis)) + np.eye(3)[axis] / 2
        points.append(edges)
    places = np.concatenate(points)
    chosen = places * (2.0, 0.9, 1.2)
    best = [0.0] * 4
    for place, point in zip(places, chosen, strict=True):
        distance = np.linalg.norm(chosen - point, axis=1)
        best[3] = max(best[3], distance.max())
        for axis in range(3):
            best[axis] = max(best[axis], distance[places[:, axis] == place[axis]].max())
    names = [f"Maximum2DDiameter{plane}" for plane in ("Slice", "Column", "Row")]
    found = [features[name] for name in [*names, "Maximum3DDiameter"]]
    assert found == pytest.approx(best, rel=1e-12)


def test_resampling_keeps_centre_and_volume() -> None:
    _, labels = formula_volume()
    grid = Grid.of(as_image(labels))
    finer = measured_grid(grid, 1.0)
    assert finer.spacing_mm == (1.0, 1.0, 1.0)
    assert all(np.multiply(finer.size, 1.0) >= np.multiply(grid.size, grid.spacing_mm) - 1e-6)
    ends = [(g.ijk_to_lps @ [*((np.array(g.size) - 1) / 2), 1])[:3] for g in (grid, finer)]
    assert ends[0] == pytest.approx(ends[1])
    recipe = RadiomicsConfig(regions=("WT", "TC"), sequences=("t1",), voxel_mm=1.0)
    values = extract(formula_case(), recipe).values
    native = extract(
        formula_case(), RadiomicsConfig(regions=("WT", "TC"), sequences=("t1",))
    ).values
    for region in ("WT", "TC"):
        name = f"{region}_original_shape_VoxelVolume"
        assert values[name] == pytest.approx(native[name], rel=0.1)


def test_only_the_tumour_and_its_margin_are_looked_at() -> None:
    masks = measured_masks(formula_case(labels_of((10, 12, 8))), RadiomicsConfig(margin_mm=4.0))
    assert [edge.stop - edge.start for edge in masks.box] == [1 + 2 * 2, 1 + 2 * 5, 1 + 2 * 4]


def test_a_margin_wide_enough_gives_the_filter_of_the_whole_image() -> None:
    image, labels = formula_volume()
    wide = np.pad(image, 25, "reflect")
    case = FeatureCase(
        "wide", {"t1": as_image(wide, (1, 1, 1))}, as_image(np.pad(labels, 25), (1, 1, 1))
    )
    values = []
    for margin_mm in (12.0, 1000.0):
        recipe = RadiomicsConfig(
            regions=("WT",),
            sequences=("t1",),
            classes=("firstorder",),
            normalisation="none",
            filters=FilterConfig((2.0,)),
            margin_mm=margin_mm,
        )
        values.append(extract(case, recipe).values["t1_WT_log-sigma-2-0-mm-3D_firstorder_Variance"])
    assert values[0] == pytest.approx(values[1], rel=1e-3)


def test_normalisation_takes_gain_and_offset_away() -> None:
    image, labels = formula_volume()
    recipe = RadiomicsConfig(regions=("WT",), sequences=("t1",))
    one = extract(FeatureCase("a", {"t1": as_image(image)}, as_image(labels)), recipe).values
    two = extract(
        FeatureCase("b", {"t1": as_image((image * 7 + 900).astype(np.float32))}, as_image(labels)),
        recipe,
    ).values
    for name in ("firstorder_Mean", "firstorder_Variance", "glcm_Contrast"):
        column = f"t1_WT_original_{name}"
        assert one[column] == pytest.approx(two[column], rel=1e-3)


def test_outliers_are_clipped() -> None:
    recipe = RadiomicsConfig(regions=("WT",), sequences=("t1",), outlier_sd=1.0, scale=10.0)
    values = extract(formula_case(), recipe).values
    assert values["t1_WT_original_firstorder_Maximum"] == pytest.approx(10.0)


@pytest.mark.parametrize(
    ("values", "config", "levels"),
    [
        ([0.0, 24.9, 25.0, 60.0], Discretisation(25.0), [1, 1, 2, 3]),
        ([-30.0, -25.0, 0.0, 1.0], Discretisation(25.0), [1, 2, 3, 3]),
        ([0.0, 1.0, 2.0, 4.0], Discretisation(None, 4), [1, 2, 3, 4]),
        ([5.0, 5.0], Discretisation(None, 8), [1, 1]),
        ([50.0, 50.0], Discretisation(25.0), [1, 1]),
    ],
)
def test_grey_levels(values: list[float], config: Discretisation, levels: list[int]) -> None:
    assert grey_levels(np.array(values), config).tolist() == levels


@given(st.lists(st.integers(-500, 500), min_size=2, max_size=40), st.integers(-20, 20))
@settings(max_examples=50, deadline=None)
def test_levels_of_a_fixed_width_move_with_the_intensities(values: list[int], bins: int) -> None:
    """A shift by whole bins changes nothing, and levels begin at 1."""
    array = np.array(values, float)
    levels = grey_levels(array, Discretisation(25.0))
    assert levels.min() == 1
    assert (grey_levels(array + 25.0 * bins, Discretisation(25.0)) == levels).all()


def test_many_grey_levels_give_the_same_features_as_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above some number of levels pairs and eigenvalues are found in another way."""
    fine = RadiomicsConfig(
        regions=("WT",),
        sequences=("t1",),
        classes=("glcm",),
        normalisation="none",
        discretisation=Discretisation(2.0),
    )
    usual = extract(formula_case(), fine).values
    monkeypatch.setattr(glcm, "FEW", 3)
    monkeypatch.setattr(glcm, "DENSE", 3)
    assert dict(extract(formula_case(), fine).values) == pytest.approx(dict(usual), rel=1e-9)


def test_images_of_another_grid_are_refused() -> None:
    image, labels = formula_volume()
    with pytest.raises(ValueError, match="different grids"):
        FeatureCase("x", {"t1": as_image(image[1:])}, as_image(labels))


def test_an_image_without_contrast_cannot_be_normalised() -> None:
    _, labels = formula_volume()
    image = as_image(np.full(labels.shape, 3.0, np.float32))
    with pytest.raises(ValueError, match="without any contrast"):
        extract(FeatureCase("x", {"t1": image}, as_image(labels)))


def test_intensities_that_are_not_finite_are_refused() -> None:
    image, labels = formula_volume()
    image[labels > 0] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        extract(FeatureCase("x", {"t1": as_image(image)}, as_image(labels)), SMALL)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"regions": ("CORE",)}, "CORE"),
        ({"regions": ("WT", "WT")}, "twice"),
        ({"sequences": ("dwi",)}, "dwi"),
        ({"classes": ("wavelet",)}, "wavelet"),
        ({"normalisation": "white stripe"}, "white stripe"),
        ({"interpolation": "nearest"}, "nearest"),
        ({"voxel_mm": 0.0}, "voxel_mm"),
        ({"minimum_voxels": 0}, "minimum_voxels"),
        ({"margin_mm": -1.0}, "margin"),
    ],
)
def test_an_impossible_recipe_is_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RadiomicsConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "make",
    [
        lambda: Discretisation(25.0, 16),
        lambda: Discretisation(None, None),
        lambda: Discretisation(-1.0),
        lambda: Discretisation(None, 1),
        lambda: FilterConfig((0.0,)),
        lambda: config_from_json({"bins": 3}),
        lambda: config_from_json({"discretisation": {"width": 3}}),
    ],
)
def test_an_impossible_part_of_a_recipe_is_refused(make: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        make()  # type: ignore[operator]


def test_an_unknown_wavelet_is_refused() -> None:
    recipe = RadiomicsConfig(sequences=("t1",), filters=FilterConfig(wavelet="ripple"))
    with pytest.raises(ValueError, match="ripple"):
        extract(formula_case(), recipe)


def test_a_recipe_survives_json() -> None:
    recipe = RadiomicsConfig(
        regions=("ET", "WT"),
        discretisation=Discretisation(None, 32),
        filters=FilterConfig((1.0, 2.5), "coif1"),
        voxel_mm=1.0,
    )
    again = config_from_json(json.loads(json.dumps(recipe.to_json())))
    assert again == recipe
    assert again.fingerprint() == recipe.fingerprint()
    assert recipe.fingerprint() != RadiomicsConfig().fingerprint()
