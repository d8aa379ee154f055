"""Dice, HD95 and lesion-wise Dice against MONAI, brute force and cases worked by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.distance import cdist

from gliomaai_training.evaluation.segmentation_metrics import (
    HD95_ONE_EMPTY_MM,
    case_scores,
    dice,
    hd95_mm,
    lesion_dice,
)
from gliomaai_training.vocabulary import Label

UNIT = (1.0, 1.0, 1.0)
MASKS = arrays(np.bool_, (5, 6, 7))


def cube(
    *corners: tuple[int, int], shape: tuple[int, int, int] = (40, 40, 40)
) -> NDArray[np.bool_]:
    mask = np.zeros(shape, np.bool_)
    mask[tuple(slice(low, high) for low, high in corners)] = True
    return mask


def blobs(seed: int) -> NDArray[np.bool_]:
    noise = np.random.default_rng(seed).standard_normal((24, 28, 32))
    return np.asarray(ndimage.gaussian_filter(noise, 3) > 0.03)


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
@pytest.mark.parametrize("spacing_mm", [UNIT, (3.0, 0.9, 1.1)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_dice_and_hd95_are_monais(seed: int, spacing_mm: tuple[float, float, float]) -> None:
    metrics = pytest.importorskip("monai.metrics")
    import torch

    ours, theirs = blobs(seed), blobs(seed + 100)
    first, second = (torch.from_numpy(mask)[None, None].float() for mask in (ours, theirs))
    expected = metrics.compute_hausdorff_distance(
        first, second, include_background=True, percentile=95, spacing=spacing_mm
    )
    assert hd95_mm(ours, theirs, spacing_mm) == pytest.approx(expected.item(), abs=1e-4)
    overlap = metrics.compute_dice(first, second, include_background=True)
    assert dice(ours, theirs) == pytest.approx(overlap.item(), abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(MASKS, MASKS, st.tuples(*[st.floats(0.3, 6)] * 3))
def test_hd95_is_brute_forces(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> None:
    if not ours.any() or not theirs.any():
        return
    points = []
    for mask in (ours, theirs):
        padded = np.pad(mask, 1)
        neighbours = np.stack(
            [np.roll(padded, step, axis) for axis in range(3) for step in (-1, 1)]
        )
        inner = np.asarray(neighbours.all(axis=0))[1:-1, 1:-1, 1:-1]
        points.append(np.argwhere(mask & ~inner) * spacing_mm)
    distances = cdist(points[0], points[1])
    expected = max(np.percentile(distances.min(axis=axis), 95) for axis in (0, 1))
    assert hd95_mm(ours, theirs, spacing_mm) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(MASKS, MASKS)
def test_scores_are_bounded_and_order_does_not_matter_to_dice_and_hd95(
    ours: NDArray[np.bool_], theirs: NDArray[np.bool_]
) -> None:
    assert dice(ours, theirs) == dice(theirs, ours)
    assert hd95_mm(ours, theirs, UNIT) == hd95_mm(theirs, ours, UNIT)
    assert 0 <= dice(ours, theirs) <= 1
    assert 0 <= lesion_dice(ours, theirs, UNIT) <= 1
    assert lesion_dice(ours, ours, UNIT) == 1
    assert hd95_mm(ours, ours, UNIT) == 0


def test_empty_masks_follow_the_rules() -> None:
    empty, full = np.zeros((40, 40, 40), np.bool_), cube((5, 15), (5, 15), (5, 15))
    assert dice(empty, empty) == 1
    assert dice(full, empty) == dice(empty, full) == 0
    assert hd95_mm(empty, empty, UNIT) == 0
    assert hd95_mm(full, empty, UNIT) == hd95_mm(empty, full, UNIT) == HD95_ONE_EMPTY_MM
    assert lesion_dice(empty, empty, UNIT) == 1
    assert lesion_dice(full, empty, UNIT) == lesion_dice(empty, full, UNIT) == 0


def test_hd95_is_in_millimetres_along_each_axis() -> None:
    thin = np.zeros((10, 10, 10), np.bool_)
    for axis, expected in enumerate((5.0 * 3, 0.5 * 3, 2.0 * 3)):
        ours, theirs = thin.copy(), thin.copy()
        ours[5, 5, 5] = True
        theirs[tuple(8 if index == axis else 5 for index in range(3))] = True
        assert hd95_mm(ours, theirs, (5.0, 0.5, 2.0)) == pytest.approx(expected)


BIG = cube((2, 14), (2, 14), (2, 14))
FAR = cube((25, 33), (25, 33), (25, 33))


@pytest.mark.parametrize(
    ("predicted", "truth", "expected"),
    [
        (BIG, BIG | FAR, 1 / 2),  # one lesion of two missed
        (BIG | FAR, BIG, 1 / 2),  # one focus invented
        (BIG | FAR, BIG | FAR, 1),
        (FAR, BIG, 0),  # one missed, one invented
        # A truth of 27 mm3 is not judged, whether found or not.
        (BIG, BIG | cube((30, 33), (30, 33), (30, 33)), 1),
        (BIG | cube((30, 33), (30, 33), (30, 33)), BIG | cube((30, 33), (30, 33), (30, 33)), 1),
        # Foci of the truth 4 voxels apart are one lesion; half of it found scores its Dice, 2/3.
        (BIG, BIG | cube((18, 30), (2, 14), (2, 14)), 2 / 3),
        # A focus beside the lesion, within its dilation, belongs to it.
        (BIG | cube((15, 16), (2, 14), (2, 14)), BIG, 2 * 12**3 / (2 * 12**3 + 144)),
    ],
)
def test_lesion_dice_by_hand(
    predicted: NDArray[np.bool_], truth: NDArray[np.bool_], expected: float
) -> None:
    assert lesion_dice(predicted, truth, UNIT) == pytest.approx(expected)


def test_lesion_minimum_is_a_volume_not_a_count() -> None:
    small = cube((30, 33), (30, 33), (30, 33))
    assert lesion_dice(BIG, BIG | small, UNIT) == 1
    assert lesion_dice(BIG, BIG | small, (2.0, 1.0, 1.0)) == pytest.approx(1 / 2)


def test_case_scores_are_by_region_and_in_ml() -> None:
    truth = np.zeros((20, 20, 20), np.uint8)
    truth[2:12, 2:12, 2:12] = Label.ED
    truth[4:8, 4:8, 4:8] = Label.NCR
    truth[4:8, 4:8, 4:6] = Label.ET
    predicted = truth.copy()
    predicted[predicted == Label.ET] = Label.NCR
    scores = {score.region: score for score in case_scores(predicted, truth, (2.0, 1.0, 1.0))}
    assert list(scores) == ["WT", "TC", "ET"]
    assert (scores["WT"].dice, scores["TC"].dice, scores["ET"].dice) == (1, 1, 0)
    assert scores["ET"].hd95_mm == HD95_ONE_EMPTY_MM
    assert scores["WT"].truth_ml == pytest.approx(2.0)
    assert scores["TC"].predicted_ml == pytest.approx(0.128)
    assert scores["ET"].predicted_ml == 0
    assert scores["ET"].truth_ml == pytest.approx(0.064)


@pytest.mark.parametrize(
    ("ours", "theirs", "spacing_mm", "message"),
    [
        (np.zeros((3, 3, 3)), np.zeros((3, 3, 4)), UNIT, r"\(3, 3, 4\)"),
        (np.zeros((3, 3)), np.zeros((3, 3)), UNIT, r"\(3, 3\)"),
        (np.zeros((3, 3, 3)), np.zeros((3, 3, 3)), (1.0, 0.0, 1.0), "positive lengths"),
    ],
)
def test_wrong_input_is_refused(
    ours: NDArray[np.float64],
    theirs: NDArray[np.float64],
    spacing_mm: tuple[float, float, float],
    message: str,
) -> None:
    with pytest.raises(ValueError, match=message):
        case_scores(ours.astype(np.uint8), theirs.astype(np.uint8), spacing_mm)
    with pytest.raises(ValueError, match=message):
        hd95_mm(ours > 0, theirs > 0, spacing_mm)
