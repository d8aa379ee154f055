"""The brain crop that a network reads, and the way back to the grid."""

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.network_input import NetworkInput, brain_box, pad_to_multiple
from gliomaai_training.preprocessing.prepared import Prepared

SHAPE = (20, 25, 30)


def prepared(brain: NDArray[np.bool_], sequences: tuple[str, ...]) -> Prepared:
    generator = np.random.default_rng(0)
    images = {
        name: sitk.GetImageFromArray(generator.uniform(1, 9, brain.shape).astype(np.float32))
        for name in sequences
    }
    mask = sitk.GetImageFromArray(brain.astype(np.uint8))
    grids = {name: Grid.of(image) for name, image in images.items()}
    to_native = {name: sitk.Transform(3, sitk.sitkIdentity) for name in images}
    return Prepared(images, mask, sequences[0], grids, to_native, (), {})


def block(start: tuple[int, int, int], size: tuple[int, int, int]) -> NDArray[np.bool_]:
    brain = np.zeros(SHAPE, bool)
    brain[tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))] = True
    return brain


@given(
    st.tuples(st.integers(0, 8), st.integers(0, 8), st.integers(0, 8)),
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 12)),
    st.sampled_from([4, 8, 16]),
)
@settings(max_examples=30, deadline=None)
def test_what_is_cut_goes_back_to_its_place(
    start: tuple[int, int, int], size: tuple[int, int, int], multiple: int
) -> None:
    brain = block(start, size)
    cut = NetworkInput.of(prepared(brain, ("t1", "flair")), multiple)
    assert all(n % multiple == 0 for n in cut.images.shape[1:])
    restored = cut.restore(cut.brain[None].astype(np.float32), (0.0,))[0]
    assert np.array_equal(restored > 0, brain)


def test_absent_sequences_are_zero_and_flagged() -> None:
    cut = NetworkInput.of(prepared(block((2, 2, 2), (8, 8, 8)), ("t1gd", "t2")), 8)
    assert cut.present.tolist() == [False, True, True, False]
    assert not cut.images[~cut.present].any()
    assert cut.images[cut.present].any(axis=(1, 2, 3)).all()


def test_nothing_outside_the_brain_is_seen() -> None:
    brain = block((2, 2, 2), (8, 9, 10))
    brain[4, 4, 4] = False
    cut = NetworkInput.of(prepared(brain, ("t1",)), 8)
    assert not cut.images[:, ~cut.brain].any()


def test_the_fill_stands_outside_the_crop() -> None:
    cut = NetworkInput.of(prepared(block((3, 3, 3), (8, 8, 8)), ("t1",)), 8)
    whole = cut.restore(np.full((2, 8, 8, 8), 5, np.float32), (1.0, 0.0))
    assert whole[0, 0, 0, 0] == 1
    assert whole[1, 0, 0, 0] == 0
    assert (whole[:, 3:11, 3:11, 3:11] == 5).all()


def test_an_empty_brain_is_refused() -> None:
    with pytest.raises(ValueError, match="empty"):
        brain_box(np.zeros(SHAPE, bool))


def test_padding_keeps_the_beginning() -> None:
    array = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5)
    padded = pad_to_multiple(array, 4)
    assert padded.shape == (2, 4, 4, 8)
    assert np.array_equal(padded[:, :3, :4, :5], array)
