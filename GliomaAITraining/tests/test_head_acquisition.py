"""How a simulated head is seen: contrast, field of view, slices, and the network's grid."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from gliomaai_training.preprocessing.brain_mask_grid import (
    CLIP,
    NETWORK_SPACING_MM,
    coarse_centres_mm,
    coarse_size,
    linear_matrix,
    normalised,
    padded_size,
    resampling_matrix,
)
from gliomaai_training.simulation.head_acquisition import (
    DRAWING_SPACING_MM,
    draw_field_of_view,
    draw_samples,
)
from gliomaai_training.simulation.head_canvas import Draw
from gliomaai_training.simulation.head_canvas import HeadTissue as T
from gliomaai_training.simulation.head_contrast import (
    TYPICAL_INTENSITY,
    draw_contrast,
    random_curve,
)


def draw_of(seed: int) -> Draw:
    """Random draws from a seed."""
    return Draw(torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def labels() -> torch.Tensor:
    """A box of tissue in air, on the drawing grid."""
    labels = torch.zeros(96, 96, 96, dtype=torch.uint8)
    labels[16:80, 8:88, 4:76] = int(T.SKIN)
    return labels


def test_samples_repeat_and_share_their_head() -> None:
    one, two = draw_samples(11, 2), draw_samples(11, 2)
    for first, again in zip(one, two, strict=True):
        assert torch.equal(first.image, again.image)
        assert torch.equal(first.target, again.target)
    assert one[0].image.shape != one[1].image.shape or not torch.equal(one[0].image, one[1].image)
    for sample in one:
        assert sample.image.shape == sample.target.shape
        assert 0 <= float(sample.image.min()) <= float(sample.image.max()) <= CLIP
        assert float(sample.target.min()) >= 0
        assert 0.5 < float(sample.target.max()) <= 1


def test_fields_of_view_stay_in_the_drawing(labels: torch.Tensor) -> None:
    for seed in range(60):
        for axis, size in zip(draw_field_of_view(labels, draw_of(seed)), labels.shape, strict=True):
            last_mm = axis.first_mm + (axis.count - 1) * axis.step_mm
            assert axis.count >= 4
            half_mm = size * DRAWING_SPACING_MM / 2
            assert axis.first_mm >= -half_mm
            assert last_mm <= half_mm + axis.step_mm


def test_thick_slices_are_mostly_axial(labels: torch.Tensor) -> None:
    thick = [
        [axis.step_mm > 2.4 for axis in draw_field_of_view(labels, draw_of(seed))]
        for seed in range(150)
    ]
    share = np.mean(thick, axis=0)
    assert 0.35 < share[2] < 0.6
    assert max(share[:2]) < 0.25
    assert max(sum(axes) for axes in thick) == 1


def test_contrast_covers_every_tissue() -> None:
    for seed in range(50):
        contrast = draw_contrast(draw_of(seed))
        assert contrast.mean.shape == contrast.spread.shape == (len(T),)
        assert float(contrast.mean.min()) >= 0
        assert float(contrast.mean.max()) <= 1.3
        assert float(contrast.spread.min()) >= 0
    named = {*TYPICAL_INTENSITY, T.AIR, T.BLOB_1, T.BLOB_2, T.BLOB_3}
    assert named == set(T)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_random_curve_keeps_air_at_zero(seed: int) -> None:
    volume = torch.rand(6, 6, 6, generator=torch.Generator().manual_seed(seed))
    volume[0] = 0
    curved = random_curve(volume, draw_of(seed))
    assert float(curved[0].abs().max()) == 0
    assert float(curved.min()) >= 0


@given(count=st.integers(1, 300), spacing_mm=st.floats(0.3, 9))
@settings(max_examples=80, deadline=None)
def test_resampling_keeps_constants_and_ramps(count: int, spacing_mm: float) -> None:
    matrix = resampling_matrix(count, spacing_mm)
    assert matrix.shape == (coarse_size(count, spacing_mm), count)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-5)
    voxels = (np.arange(count) - (count - 1) / 2) * spacing_mm
    centres = coarse_centres_mm(count, spacing_mm)
    reach = NETWORK_SPACING_MM / 2 if spacing_mm < NETWORK_SPACING_MM else 0.0
    inner = (centres - reach >= voxels[0]) & (centres + reach <= voxels[-1])
    ramp = matrix.astype(np.float64) @ voxels
    np.testing.assert_allclose(ramp[inner], centres[inner], atol=max(spacing_mm, 1) * 0.26)


def test_linear_matrix_interpolates() -> None:
    matrix = linear_matrix(np.array([0.0, 4.0, 8.0]), np.array([-3.0, 1.0, 4.0, 7.0, 20.0]))
    np.testing.assert_allclose(matrix @ [10, 20, 40], [10, 12.5, 20, 35, 40])


def test_normalisation_ignores_scale_and_bad_values() -> None:
    volume = torch.rand(20, 20, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(normalised(volume), normalised(volume * 700))
    volume[0, 0, :3] = torch.tensor([float("nan"), float("inf"), -5.0])
    assert bool(torch.isfinite(normalised(volume)).all())
    assert float(normalised(volume).min()) == 0
    assert float(normalised(torch.zeros(4, 4, 4)).max()) == 0


@given(size=st.integers(1, 500))
def test_padded_sizes_suit_the_network(size: int) -> None:
    assert padded_size(size) % 8 == 0
    assert 0 <= padded_size(size) - size < 8
