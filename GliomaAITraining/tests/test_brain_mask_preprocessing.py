"""Brain masks in any geometry, their fusion, and what they say of stripped input."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gliomaai_training.findings import Severity
from gliomaai_training.preprocessing.brain_mask import (
    cleaned,
    fuse,
    is_stripped,
    logit_on,
    network_logit,
    stripped_mask,
)
from gliomaai_training.preprocessing.geometry import Grid

RADIUS_MM = 62.0
CENTRE_LPS_MM = np.array([12.0, -25.0, 31.0])


class BrightIsBrain(nn.Module):
    """Stands for the network: whatever is bright is brain."""

    def forward(self, image: Tensor) -> Tensor:
        """Logits shaped like the image."""
        return 20 * (image - 0.5)


def ball_image(
    spacing_mm: tuple[float, ...], direction: np.ndarray, background: float
) -> sitk.Image:
    """A bright ball at a known place, in an image of any geometry that covers 200 mm."""
    size = [int(200 / step) for step in spacing_mm]
    scaled = direction * np.asarray(spacing_mm)
    middle = (np.asarray(size) - 1) / 2
    origin = CENTRE_LPS_MM + np.array([3.0, -4.0, 5.0]) - scaled @ middle
    index = np.stack(np.meshgrid(*[np.arange(n) for n in size], indexing="ij"), axis=-1)
    points = index @ scaled.T + origin
    inside = np.linalg.norm(points - CENTRE_LPS_MM, axis=-1) < RADIUS_MM
    array = np.where(inside, 400.0, background).astype(np.float32)
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.transpose(2, 1, 0)))
    image.SetSpacing(spacing_mm)
    image.SetOrigin(origin)
    image.SetDirection(direction.ravel())
    return image


def rotation(axis: int, degrees: float) -> np.ndarray:
    """A rotation matrix about a coordinate axis."""
    turn = np.eye(3)
    i, j = [other for other in range(3) if other != axis]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn[i, i], turn[i, j], turn[j, i], turn[j, j] = c, -s, s, c
    return turn


def array_image(array: np.ndarray, spacing_mm: float = 3.0) -> sitk.Image:
    """An image of cubic voxels along the patient's axes, LPS."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((spacing_mm,) * 3)
    return image


@given(
    order=st.permutations([0, 1, 2]),
    signs=st.tuples(*[st.sampled_from([-1, 1])] * 3),
    angles=st.tuples(*[st.floats(-30, 30)] * 2),
    thick=st.floats(1.0, 6.5),
)
@settings(max_examples=15, deadline=None)
def test_logits_lie_where_the_anatomy_is(
    order: list[int], signs: tuple[int, ...], angles: tuple[float, float], thick: float
) -> None:
    direction = rotation(0, angles[0]) @ rotation(2, angles[1]) @ np.diag(signs)[:, order]
    image = ball_image((1.7, 1.3, thick), direction, background=0)
    logit = network_logit(BrightIsBrain(), image)
    found = np.argwhere(sitk.GetArrayFromImage(logit) > 0)[:, ::-1].astype(float)
    centre = np.mean([logit.TransformContinuousIndexToPhysicalPoint(row) for row in found[::7]], 0)
    np.testing.assert_allclose(centre, CENTRE_LPS_MM, atol=2.0)
    volume_ml = len(found) * 0.027
    assert volume_ml == pytest.approx(4 / 3 * np.pi * RADIUS_MM**3 / 1000, rel=0.08)


def test_logits_cover_the_field_of_view() -> None:
    image = ball_image((1.0, 1.0, 6.5), rotation(0, 12), background=20)
    logit = network_logit(BrightIsBrain(), image)
    native = sitk.GetArrayFromImage(logit_on(logit, Grid.of(image)))
    assert not np.isnan(native[1:-1]).any()
    found = native > 0
    truth = sitk.GetArrayFromImage(image) > 200
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (sitk.Image(64, 64, sitk.sitkFloat32), "three-dimensional"),
        (sitk.Image([64, 64, 2], sitk.sitkFloat32), "too small"),
        (sitk.Image([32, 32, 32], sitk.sitkFloat32), "no signal"),
        (sitk.Image([32, 32, 32], sitk.sitkFloat32) + 7.0, "no signal"),
        (sitk.Image([32, 32, 32], sitk.sitkFloat32) + float("nan"), "no signal"),
        (sitk.Image([32, 32, 32], sitk.sitkVectorFloat32, 3), "one value a voxel"),
    ],
)
def test_images_without_a_head_are_refused(image: sitk.Image, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        network_logit(BrightIsBrain(), image)


def logits_of(found: np.ndarray, strength: float = 4.0) -> sitk.Image:
    """Logits that are sure of a mask."""
    return array_image(np.where(found, strength, -strength).astype(np.float32))


def box(size: int = 38) -> np.ndarray:
    """A cube of `size` voxels of 27 mm3: 1,482 mL at 38."""
    found = np.zeros((50, 50, 50), bool)
    found[5 : 5 + size, 5 : 5 + size, 5 : 5 + size] = True
    return found


def test_fusion_follows_the_mean_logit() -> None:
    sure, weak = box(), np.roll(box(), 4, axis=0)
    fused = fuse({"t1": logits_of(sure), "flair": logits_of(weak, 1.0)})
    np.testing.assert_array_equal(sitk.GetArrayFromImage(fused.mask), sure)
    assert fused.volume_ml == pytest.approx(38**3 * 0.027)
    assert fused.agreement == {("t1", "flair"): pytest.approx(34 / 38)}
    assert [finding.code for finding in fused.findings] == ["brain_mask.disagreement"]
    assert fused.findings[0].sequences == ("t1", "flair")


def test_sequences_that_do_not_see_have_no_say() -> None:
    half = np.full(box().shape, -9.0, np.float32)
    half[:25] = np.nan
    fused = fuse({"t1": logits_of(box(), 1.0), "t2": array_image(half)})
    mask = sitk.GetArrayFromImage(fused.mask) > 0
    np.testing.assert_array_equal(mask[:25], box()[:25])
    assert not mask[25:].any()


def test_fusion_keeps_one_piece_without_holes() -> None:
    found = box()
    found[20, 20, 20] = False
    found[48:, 48:, 48:] = True
    mask = sitk.GetArrayFromImage(fuse({"t1": logits_of(found)}).mask)
    np.testing.assert_array_equal(mask, box())
    assert not cleaned(np.zeros((4, 4, 4), bool)).any()


@pytest.mark.parametrize(
    ("size", "implausible"), [(31, True), (33, False), (41, False), (43, True)]
)
def test_implausible_volumes_are_reported(size: int, implausible: bool) -> None:
    findings = fuse({"t1": logits_of(box(size))}).findings
    assert [f.code for f in findings] == (["brain_mask.volume"] if implausible else [])
    assert all(f.severity is Severity.WARNING for f in findings)


def test_fusion_needs_logits_on_one_grid() -> None:
    with pytest.raises(ValueError, match="no sequence"):
        fuse({})
    other = logits_of(box())
    other.SetOrigin((0, 0, 1))
    with pytest.raises(ValueError, match="t2 lie on another grid"):
        fuse({"t1": logits_of(box()), "t2": other})


@pytest.mark.parametrize("noise", [0.0, 3.0])
def test_stripped_and_raw_heads_are_told_apart(noise: float) -> None:
    generator = np.random.default_rng(0)
    index = np.stack(np.meshgrid(*[np.arange(60) - 29.5] * 3, indexing="ij"))
    radius = np.linalg.norm(index, axis=0) * 3.0
    brain, scalp = radius < 60, (radius > 72) & (radius < 82)
    logit = array_image(np.where(brain, 4.0, -4.0).astype(np.float32))
    for raw in (False, True):
        array = 100.0 * brain + 90.0 * scalp * raw + np.abs(generator.normal(0, noise, brain.shape))
        image = array_image(array.astype(np.float32))
        own = sitk.DICOMOrient(logit, "RAS")
        assert is_stripped(image, own) is not raw


def test_stripping_is_judged_on_the_same_image() -> None:
    image = array_image(np.pad(np.full((20, 20, 20), 9, np.float32), 5))
    with pytest.raises(ValueError, match="another image"):
        is_stripped(image, array_image(np.zeros((8, 8, 8), np.float32)))


def test_stripped_mask_is_the_outline() -> None:
    array = np.zeros((20, 22, 24), np.float32)
    array[4:16, 5:17, 6:18] = 50
    array[8, 9, 10] = 0  # a dark ventricle voxel is brain
    array[0, 0, 0] = np.nan
    array[19, 21, 23] = 3  # a speck is not
    image = array_image(array, 1.0)
    image.SetDirection(rotation(1, 20).ravel())
    mask = stripped_mask(image)
    assert Grid.of(mask).matches(Grid.of(image))
    expected = np.zeros(array.shape, np.uint8)
    expected[4:16, 5:17, 6:18] = 1
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), expected)
    with pytest.raises(ValueError, match="no signal"):
        stripped_mask(array_image(np.zeros((4, 4, 4), np.float32)))


def test_every_pair_of_sequences_is_compared() -> None:
    names = ("t1", "t1gd", "t2", "flair")
    fused = fuse({name: logits_of(box()) for name in names})
    assert set(fused.agreement) == set(itertools.combinations(names, 2))
    assert set(fused.agreement.values()) == {1.0}
    assert fused.findings == ()


def test_logits_move_with_the_registration() -> None:
    logit = logits_of(box())
    shift = sitk.TranslationTransform(3, (0.0, 0.0, 6.0))
    moved = sitk.GetArrayFromImage(logit_on(logit, Grid.of(logit), shift))
    np.testing.assert_allclose(moved[:48], sitk.GetArrayFromImage(logit)[2:])
    assert np.isnan(moved[49:]).all()
