"""Perturbed masks and the agreement of features under them."""

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from radiomics_makers import as_image, formula_volume

from gliomaai_training.progress import Cancelled
from gliomaai_training.radiomics.agreement import icc
from gliomaai_training.radiomics.config import RadiomicsConfig
from gliomaai_training.radiomics.images import FeatureCase
from gliomaai_training.radiomics.perturbation import (
    Perturbation,
    PerturbationConfig,
    draw_perturbation,
    perturbed,
)
from gliomaai_training.radiomics.stability import (
    AGREEMENT_COLUMNS,
    perturbation_agreement,
    stable_features,
    table_agreement,
)
from gliomaai_training.vocabulary import REGIONS

SHROUT_AND_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float
)
"""Table 2 of Shrout and Fleiss (1979): six targets, four judges."""


def case(scale: float = 1.0) -> FeatureCase:
    image, labels = formula_volume()
    pad = 6
    return FeatureCase(
        "formula",
        {"t1": as_image(np.pad(image * np.float32(scale), pad, "edge"))},
        as_image(np.pad(labels, pad)),
    )


def voxels(of: FeatureCase, region: str) -> np.ndarray:
    return np.isin(sitk.GetArrayFromImage(of.labels), REGIONS[region])


def test_icc_of_the_textbook() -> None:
    """.29; the interval .019 to .761 is that of R's psych::ICC for this table."""
    found = icc(SHROUT_AND_FLEISS[:, :, None])
    assert found.estimate[0] == pytest.approx(0.2897638, abs=1e-7)
    assert (found.low[0], found.high[0]) == pytest.approx((0.019, 0.761), abs=5e-4)
    assert found.cases[0] == 6


def test_icc_of_identical_constant_and_incomplete_features() -> None:
    values = np.repeat(np.arange(5.0)[:, None, None], 3, axis=1)
    same = icc(values)
    assert (same.estimate[0], same.low[0], same.high[0]) == (1.0, 1.0, 1.0)
    assert np.isnan(icc(np.full((5, 3, 1), 7.1)).estimate[0])
    gap = np.concatenate([SHROUT_AND_FLEISS, SHROUT_AND_FLEISS[:1]])[:, :, None].copy()
    gap[-1, 2, 0] = np.nan
    both = np.concatenate([gap, np.ones_like(gap)], axis=2)
    found = icc(both)
    assert found.estimate[0] == pytest.approx(0.2897638, abs=1e-7)
    assert found.cases.tolist() == [6, 7]
    assert np.isnan(icc(np.full((3, 2, 1), np.nan)).estimate[0])


@given(st.integers(0, 2**31), st.floats(-50, 50), st.floats(0.1, 20))
@settings(max_examples=25, deadline=None)
def test_icc_does_not_depend_on_unit_or_order(seed: int, offset: float, gain: float) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(12, 1, 2)) * 2 + generator.normal(size=(12, 3, 2))
    found = icc(values)
    again = icc((values * gain + offset)[generator.permutation(12)][:, ::-1])
    assert again.estimate == pytest.approx(found.estimate, rel=1e-6)
    assert again.low == pytest.approx(found.low, rel=1e-6, abs=1e-9)
    assert (found.low <= found.estimate).all()
    assert (found.estimate <= found.high).all()


@pytest.mark.parametrize("shape", [(4, 3), (4, 1, 2)])
def test_icc_needs_readings(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="readings"):
        icc(np.zeros(shape))


@pytest.mark.parametrize("change", [-0.28, -0.1, 0.2])
def test_volume_changes_by_what_is_asked(change: float) -> None:
    before = case()
    after = perturbed(before, Perturbation(volume_change=change))
    for region in ("WT", "TC"):
        expected = np.count_nonzero(voxels(before, region)) * (1 + change)
        assert np.count_nonzero(voxels(after, region)) == pytest.approx(expected, rel=0.02)
    smaller, larger = sorted([before, after], key=lambda one: np.count_nonzero(voxels(one, "WT")))
    assert (voxels(larger, "WT") | ~voxels(smaller, "WT")).all()


def test_a_contour_moves_without_the_volume() -> None:
    before = case()
    after = perturbed(before, Perturbation(contour_mm=1.0, contour_seed=3))
    one, two = voxels(before, "WT"), voxels(after, "WT")
    assert np.count_nonzero(one) == np.count_nonzero(two)
    overlap = 2 * np.count_nonzero(one & two) / (np.count_nonzero(one) + np.count_nonzero(two))
    assert 0.7 < overlap < 0.99
    other = perturbed(before, Perturbation(contour_mm=1.0, contour_seed=4))
    assert (voxels(other, "WT") != two).any()


def test_regions_stay_nested_and_the_same_draw_gives_the_same_case() -> None:
    drawn = draw_perturbation(np.random.default_rng(5))
    assert drawn == draw_perturbation(np.random.default_rng(5))
    one, two = perturbed(case(), drawn), perturbed(case(), drawn)
    for region in REGIONS:
        assert (voxels(one, region) == voxels(two, region)).all()
    assert (voxels(one, "TC") <= voxels(one, "WT")).all()
    assert (voxels(one, "ET") <= voxels(one, "TC")).all()


def test_a_turn_keeps_centre_and_volume() -> None:
    before = case()
    after = perturbed(before, Perturbation(rotation_degrees=13.0))
    one, two = (np.argwhere(voxels(one, "WT")) for one in (before, after))
    assert len(two) == pytest.approx(len(one), rel=0.03)
    assert two.mean(axis=0) == pytest.approx(one.mean(axis=0), abs=0.15)
    assert (voxels(before, "WT") != voxels(after, "WT")).any()


def test_a_shift_by_whole_voxels_moves_image_and_mask_together() -> None:
    before = case()
    after = perturbed(before, Perturbation(translation_voxels=(1.0, 0.0, -2.0)))
    expected = np.roll(voxels(before, "WT"), (2, 0, -1), (0, 1, 2))
    assert (voxels(after, "WT") == expected).all()
    inside = [sitk.GetArrayFromImage(of.images["t1"])[voxels(of, "WT")] for of in (before, after)]
    assert inside[1] == pytest.approx(inside[0], rel=1e-4)


def test_an_empty_mask_stays_empty() -> None:
    _, labels = formula_volume()
    empty = FeatureCase("empty", {}, as_image(np.zeros_like(labels)))
    drawn = draw_perturbation(np.random.default_rng(1))
    assert not voxels(perturbed(empty, drawn), "WT").any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"rotation_degrees": -1.0},
        {"translation_voxels": float("nan")},
        {"volume_change": 1.0},
        {"contour_smoothness_mm": 0.0},
    ],
)
def test_impossible_ranges_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PerturbationConfig(**wrong)


RECIPE = RadiomicsConfig(
    regions=("WT",), sequences=("t1",), classes=("shape", "firstorder"), normalisation="none"
)


def test_what_is_stable_under_perturbation() -> None:
    """Brightness that differs between cases is stable; noise of the outline is not."""
    cases = [case(scale) for scale in (0.5, 1.0, 1.5, 2.0)]
    table = perturbation_agreement(cases, np.random.default_rng(0), RECIPE, readings=3)
    assert tuple(table.columns) == AGREEMENT_COLUMNS
    value = table.set_index("feature")["icc"]
    assert value["t1_WT_original_firstorder_Median"] > 0.95
    # All cases have one and the same shape: no agreement can be shown.
    assert not value["WT_original_shape_Sphericity"] > 0.5
    stable = stable_features(table)
    assert "t1_WT_original_firstorder_Median" in stable
    assert "WT_original_shape_Sphericity" not in stable
    assert set(stable_features(table, by_lower_bound=True)) <= set(stable)


def test_agreement_can_be_cancelled() -> None:
    def stop(stage: str, fraction: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        perturbation_agreement([case(), case()], np.random.default_rng(0), RECIPE, 2, stop)


def test_tables_agree_by_case_and_not_by_row() -> None:
    expert = pd.DataFrame({"case": ["a", "b", "c", "d"], "x": [1.0, 2.0, 3.0, 9.0]})
    predicted = expert.iloc[[2, 0, 1]].assign(x=lambda table: table["x"] + 0.01)
    found = table_agreement([expert, predicted], ["x"])
    assert found.loc[0, "cases"] == 3
    assert found.loc[0, "icc"] > 0.99


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ([pd.DataFrame({"case": ["a"], "x": [1.0]})], "two tables"),
        ([pd.DataFrame({"case": ["a", "a"], "x": [1.0, 2.0]})] * 2, "twice"),
        ([pd.DataFrame({"case": ["a"], "x": [1.0]})] * 2, "share 1"),
        ([pd.DataFrame({"case": ["a", "b"], "y": [1.0, 2.0]})] * 2, "lacks"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused(
    tables: list[pd.DataFrame], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        table_agreement(tables, ["x"])
