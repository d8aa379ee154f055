"""Simulated heads: anatomy in its place, any grid, the same seed the same head."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor

from gliomaai_training.simulation.head import Head, HeadConfig, draw_head
from gliomaai_training.simulation.head_atlas import signed_distance
from gliomaai_training.simulation.head_canvas import HeadTissue as T

LESION_TISSUES = (T.TUMOUR, T.TUMOUR_RIM, T.OEDEMA, T.CAVITY)


def grid_mm(spacing_mm: float) -> Tensor:
    """ICBM152 coordinates of an undeformed grid of 200 x 248 x 240 mm around the head."""
    extents = ((-100, 100), (-142, 106), (-130, 110))
    axes = [torch.arange(low + spacing_mm / 2, high, spacing_mm) for low, high in extents]
    return torch.stack(torch.meshgrid(*axes, indexing="ij")).float()


def head_of(seed: int, spacing_mm: float = 4.0, **config: bool) -> Head:
    """A head on the undeformed grid."""
    generator = torch.Generator().manual_seed(seed)
    return draw_head(grid_mm(spacing_mm), generator, HeadConfig(**config))


def test_same_seed_same_head() -> None:
    first, again, other = head_of(1), head_of(1), head_of(2)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.labels, other.labels)


@pytest.mark.parametrize("spacing_mm", [4.0, 3.0])
def test_brain_has_an_adult_volume_on_any_grid(spacing_mm: float) -> None:
    head = head_of(3, spacing_mm)
    volume_ml = int((head.distance_mm < 0).sum()) * spacing_mm**3 / 1000
    # ICBM152 is 8 % larger than people along each axis, and its brain has 1.8 L.
    assert volume_ml == pytest.approx(1830, rel=0.05)


def test_layers_surround_the_brain() -> None:
    head = head_of(4, lesions=False, blobs=False)
    labels, brain = head.labels.numpy(), head.distance_mm.numpy() < 0
    assert set(np.unique(labels[brain])) <= {T.WHITE_MATTER, T.GREY_MATTER, T.INNER_CSF} | {
        T.OUTER_CSF,
        T.VEIN,
        T.DURA,
    }
    outside = ~ndimage.binary_dilation(head.inner_skull_mm.numpy() < 0, iterations=1)
    assert not np.isin(labels[outside], [T.WHITE_MATTER, T.GREY_MATTER]).any()
    skull = np.isin(labels, [T.COMPACT_BONE, T.DIPLOE])
    assert skull.sum() > 0.1 * brain.sum()
    for corner in np.ndindex(2, 2):
        x, y = (-1 if side else 0 for side in corner)
        assert labels[x, y, -1] == T.AIR


def test_two_eyes_in_front_of_the_brain() -> None:
    head = head_of(5, lesions=False, blobs=False)
    x, y, _ = grid_mm(4.0)
    eyes = head.labels == T.EYE
    assert (eyes & (x < -20)).any()
    assert (eyes & (x > 20)).any()
    assert y[eyes].min() > 30


def test_lesions_and_blobs_can_be_left_out() -> None:
    seen = {int(v) for seed in range(6) for v in head_of(seed).labels.unique()}
    assert seen & set(LESION_TISSUES)
    plain = {
        int(v)
        for seed in range(6)
        for v in head_of(seed, lesions=False, blobs=False).labels.unique()
    }
    assert not plain & {*LESION_TISSUES, T.BLOB_1, T.BLOB_2, T.BLOB_3}


def test_distance_follows_the_coordinates() -> None:
    shifted = grid_mm(4.0)
    shifted[2] += 8.0  # two voxels: the head moves down in the grid
    moved = draw_head(shifted, torch.Generator().manual_seed(1))
    still = head_of(1)
    torch.testing.assert_close(moved.distance_mm[..., :-2], still.distance_mm[..., 2:])


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(3, X, Y, Z\)"):
        draw_head(torch.zeros(2, 4, 4, 4), torch.Generator())


def test_signed_distance_agrees_with_scipy() -> None:
    mask = np.zeros((12, 14, 16), bool)
    mask[3:8, 4:9, 2:12] = True
    mask[1, 1, 1] = True
    expected = ndimage.distance_transform_edt(~mask) - ndimage.distance_transform_edt(mask)
    np.testing.assert_allclose(signed_distance(mask), expected, atol=1e-4)
