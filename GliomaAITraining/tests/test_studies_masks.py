"""What is measured of a mask: volumes, foci, side and site."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from study_makers import write_masks

from gliomaai_training.covariates import MEASURES
from gliomaai_training.studies.mask_measures import (
    MEASURES_FILE,
    count_foci,
    measure_folder,
    measure_mask,
    site,
)

VOXEL_MM = (2.0, 2.0, 1.0)


def image_of(labels: NDArray[np.uint8]) -> sitk.Image:
    image = sitk.GetImageFromArray(np.ascontiguousarray(labels.transpose(2, 1, 0)))
    image.SetSpacing(VOXEL_MM)
    return image


def box(shape: tuple[int, int, int], corner: tuple[int, int, int], size: int) -> NDArray[np.bool_]:
    found = np.zeros(shape, bool)
    i, j, k = corner
    found[i : i + size, j : j + size, k : k + size] = True
    return found


def test_volumes_are_in_ml_and_names_are_the_clinics() -> None:
    labels = np.zeros((40, 40, 40), np.uint8)
    labels[box(labels.shape, (5, 5, 5), 10)] = 2
    labels[box(labels.shape, (7, 7, 7), 4)] = 3
    labels[box(labels.shape, (8, 8, 8), 2)] = 1
    found = measure_mask(image_of(labels))
    assert found["wt_ml"] == pytest.approx(4.0)
    assert found["et_ml"] == pytest.approx((64 - 8) * 0.004)
    assert found["ncr_ml"] == pytest.approx(8 * 0.004)
    assert found["tc_ml"] == pytest.approx(64 * 0.004)
    assert found["ed_ml"] == pytest.approx((1000 - 64) * 0.004)
    assert found["enhancing_proportion"] == pytest.approx(56 / 1000)
    places = {"off_midline_mm", "behind_mm", "above_mm"}
    assert set(found) - places <= set(MEASURES)


def test_small_parts_are_no_foci_but_the_largest_is() -> None:
    region = box((30, 30, 30), (2, 2, 2), 5) | box((30, 30, 30), (15, 15, 15), 4)
    assert count_foci(region, 0.004) == 2
    speck = box((30, 30, 30), (2, 2, 2), 5) | box((30, 30, 30), (20, 20, 20), 1)
    assert count_foci(speck, 0.004) == 1
    assert count_foci(box((30, 30, 30), (2, 2, 2), 1), 0.004) == 1
    assert count_foci(np.zeros((3, 3, 3), bool), 0.004) == 0


@pytest.mark.parametrize(
    ("first", "side", "crosses"),
    [(3, "right", "no"), (27, "left", "no"), (16, "both", "yes"), (12, "right", "no")],
)
def test_side_follows_the_middle_of_the_grid(first: int, side: str, crosses: str) -> None:
    """x runs to the left: low indices are on the patient's right."""
    found = site(box((40, 40, 40), (first, 5, 30), 8), VOXEL_MM)
    assert (found.side, found.crosses_midline) == (side, crosses)
    assert found.behind_mm < 0 < found.above_mm


def test_a_folder_is_measured_once(tmp_path: Path) -> None:
    cases = {"P1": "a", "P2": "b"}
    write_masks(tmp_path, ["a", "b"], 1)
    first = measure_folder(tmp_path, cases, tmp_path / "cache")
    (tmp_path / "a.npz").unlink()
    again = measure_folder(tmp_path, cases, tmp_path / "cache")
    assert (tmp_path / "cache" / MEASURES_FILE).is_file()
    np.testing.assert_allclose(first["wt_ml"], again["wt_ml"])
    with pytest.raises(ValueError, match=r"a\.npz holds no mask"):
        measure_folder(tmp_path, {"P1": "a"}, tmp_path / "cache")


def test_an_empty_mask_is_refused() -> None:
    with pytest.raises(ValueError, match="no tumour"):
        measure_mask(image_of(np.zeros((4, 4, 4), np.uint8)))
