"""HD-BET as a process of its own: a stand-in on the search path plays its part."""

import stat
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.hd_bet import (
    HdBetConfig,
    HdBetError,
    hd_bet_mask,
)

MASK_OF_BRIGHT_VOXELS = """
import SimpleITK as sitk
words = sys.argv[1:]
if not {"--save_bet_mask", "--no_bet_image", "--disable_tta"} <= set(words):
    sys.exit("an option is missing")
options = {word: words[words.index(word) + 1] for word in ("-i", "-o", "-device")}
image = sitk.ReadImage(options["-i"])
sitk.WriteImage(sitk.Cast(image > 50, sitk.sitkUInt8), options["-o"][:-7] + "_bet.nii.gz")
"""


@pytest.fixture
def image() -> sitk.Image:
    """An oblique, anisotropic image with a bright box."""
    array = np.zeros((6, 8, 10), np.float32)
    array[2:4, 3:6, 1:5] = 100
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.9, 1.1, 5.0))
    image.SetOrigin((-10.0, 20.0, 30.0))
    image.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, 1))
    return image


def install(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Puts a stand-in for `hd-bet` on the search path, alone."""
    program = folder / "hd-bet"
    program.write_text(f"#!{sys.executable}\nimport sys\n{script}", "utf-8")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))


def test_absent_program_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: sitk.Image
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HdBetError, match="not installed"):
        hd_bet_mask(image)


def test_mask_has_the_image_geometry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: sitk.Image
) -> None:
    install(tmp_path, monkeypatch, MASK_OF_BRIGHT_VOXELS)
    mask = hd_bet_mask(image)
    assert Grid.of(mask).matches(Grid.of(image))
    assert mask.GetPixelID() == sitk.sitkUInt8
    np.testing.assert_array_equal(sitk.GetArrayFromImage(mask), sitk.GetArrayFromImage(image) > 50)


def test_failure_repeats_the_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: sitk.Image
) -> None:
    install(tmp_path, monkeypatch, "sys.exit('no weights found')")
    with pytest.raises(HdBetError, match=r"exit code 1: no weights found"):
        hd_bet_mask(image)


def test_missing_mask_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: sitk.Image
) -> None:
    install(tmp_path, monkeypatch, "sys.exit(0)")
    with pytest.raises(HdBetError, match="without writing a mask"):
        hd_bet_mask(image)


def test_endless_run_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image: sitk.Image
) -> None:
    install(tmp_path, monkeypatch, "import time; time.sleep(60)")
    with pytest.raises(HdBetError, match="longer than"):
        hd_bet_mask(image, HdBetConfig(timeout_s=0.5))
