"""HD-BET, where the user has installed it and asks for it: run as a process of its own.

HD-BET (Isensee et al., Hum Brain Mapp 2019, doi:10.1002/hbm.24750) is not among this package's
dependencies: it brings nnU-Net and fetches its weights at its first run.
"""

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from gliomaai_training.preprocessing.geometry import Grid

EXECUTABLE = "hd-bet"
ERROR_TAIL = 400
"""How many characters of the program's last words an error repeats."""


class HdBetError(RuntimeError):
    """HD-BET is not installed, or it failed."""


@dataclass(frozen=True)
class HdBetConfig:
    """How HD-BET is run."""

    device: str = "cpu"
    """`cpu`, `cuda` or `mps`, in HD-BET's words."""
    mirror: bool = False
    """Test-time mirroring: slower by far on a CPU, slightly better."""
    timeout_s: float = 1800.0


def hd_bet_mask(image: sitk.Image, config: HdBetConfig | None = None) -> sitk.Image:
    """The brain mask that HD-BET 2 makes of one sequence.

    Args:
        image: one sequence in its native geometry.
        config: how HD-BET is run.

    Returns:
        UInt8 image on the image's own grid, 1 inside the brain.

    Raises:
        HdBetError: HD-BET is not installed, fails, takes too long, or leaves no mask.
    """
    config = config or HdBetConfig()
    program = shutil.which(EXECUTABLE)
    if program is None:
        raise HdBetError(
            f"{EXECUTABLE} is not installed; install HD-BET 2 beside GliomaAI, "
            "or use the brain mask network"
        )
    with tempfile.TemporaryDirectory(prefix="hd-bet-") as scratch:
        source, target = Path(scratch) / "image.nii.gz", Path(scratch) / "brain.nii.gz"
        sitk.WriteImage(image, str(source))
        _run([program, *_options(source, target, config)], config.timeout_s)
        made = target.with_name("brain_bet.nii.gz")
        if not made.is_file():
            raise HdBetError(f"{EXECUTABLE} ended without writing a mask")
        mask = sitk.GetArrayFromImage(sitk.ReadImage(str(made))) > 0
    grid = Grid.of(image)
    if mask.shape != grid.size[::-1]:
        raise HdBetError(f"{EXECUTABLE} wrote a mask of shape {mask.shape[::-1]}, not {grid.size}")
    return grid.image(mask.astype(np.uint8))


def _options(source: Path, target: Path, config: HdBetConfig) -> list[str]:
    options = ["-i", str(source), "-o", str(target), "-device", config.device]
    options += ["--save_bet_mask", "--no_bet_image"]
    return options if config.mirror else [*options, "--disable_tta"]


def _run(command: list[str], limit_s: float) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise HdBetError(f"{EXECUTABLE} took longer than {limit_s:.0f} s") from error
    if done.returncode != 0:
        raise HdBetError(
            f"{EXECUTABLE} failed with exit code {done.returncode}: "
            f"{done.stderr.strip()[-ERROR_TAIL:]}"
        )
