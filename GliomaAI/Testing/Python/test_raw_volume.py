"""Volumes between the processes: nothing changes on the way, and what is cut short is refused."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st

from GliomaAILib.raw_volume import RawVolume, read_raw, write_raw

OBLIQUE = np.array(
    [[0.9, 0.1, 0.0, -80.5], [-0.1, 0.9, 0.3, 33.25], [0.0, -0.3, 4.5, 7.0], [0.0, 0.0, 0.0, 1.0]]
)


def volume(dtype: str = "int16", shape: tuple[int, int, int] = (2, 3, 4)) -> RawVolume:
    count = int(np.prod(shape))
    return RawVolume(np.arange(count).reshape(shape).astype(dtype), OBLIQUE)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64", ">i2"]
)
def test_a_volume_comes_back_as_it_was(tmp_path: Path, dtype: str) -> None:
    original = volume(dtype)
    write_raw(original, tmp_path / "v.nrrd")
    back = read_raw(tmp_path / "v.nrrd")
    assert back.same_grid(original, tolerance_mm=0)
    assert np.array_equal(back.array, original.array)


def test_other_programs_read_it_at_the_same_place(tmp_path: Path) -> None:
    orthogonal = np.diag([-0.5, 0.7, 3.0, 1.0])
    orthogonal[:3, 3] = (10, -20, 30)
    write_raw(RawVolume(volume().array, orthogonal), tmp_path / "v.nrrd")
    image = sitk.ReadImage(tmp_path / "v.nrrd")
    assert np.array_equal(sitk.GetArrayFromImage(image), volume().array)
    left_posterior = np.array(image.TransformIndexToPhysicalPoint((1, 2, 1)))
    assert np.allclose(left_posterior * (-1, -1, 1), (orthogonal @ (1, 2, 1, 1))[:3])


@given(st.integers(min_value=1, max_value=47))
def test_a_file_that_is_cut_short_is_refused(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    file = tmp_path_factory.mktemp("raw") / "v.nrrd"
    write_raw(volume(), file)
    file.write_bytes(file.read_bytes()[:-cut])
    with pytest.raises(ValueError, match="cut short"):
        read_raw(file)


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "v.nrrd").write_text("hello")
    with pytest.raises(ValueError, match="no volume"):
        read_raw(tmp_path / "v.nrrd")


@pytest.mark.parametrize("array", [np.zeros((2, 2)), np.zeros((2, 2, 2), complex)])
def test_what_is_no_scalar_volume_is_not_written(tmp_path: Path, array: np.ndarray) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        write_raw(RawVolume(array, OBLIQUE), tmp_path / "v.nrrd")


def test_grids_are_compared_at_their_corners() -> None:
    moved = OBLIQUE.copy()
    moved[0, 3] += 0.5
    assert not volume().same_grid(RawVolume(volume().array, moved))
    assert not volume().same_grid(volume(shape=(2, 3, 5)))
    assert volume().same_grid(volume("uint8"))
