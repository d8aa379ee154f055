"""What the worker needs beyond what Slicer ships, and how it is installed.

Nothing beyond the standard library is imported.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from GliomaAILib.worker.launch import python_program

TORCH = "torch"
"""Never installed from an index by pip: Slicer's PyTorch extension finds the build for the graphics
card. Who brings a folder of wheels has chosen the build himself."""


@dataclass(frozen=True)
class Requirement:
    """One distribution."""

    name: str
    at_least: str
    size_mb: int
    """Of a wheel for Linux and Python 3.11 (torch: CPU build), at least 1; what the distribution
    needs itself comes on top."""


REQUIREMENTS = (
    Requirement("numpy", "1.26", 17),
    Requirement("scipy", "1.13", 35),
    Requirement("SimpleITK", "2.4", 53),
    Requirement("pydicom", "2.4.4", 2),
    Requirement(TORCH, "2.4", 192),
    Requirement("monai", "1.4", 2),
    Requirement("nibabel", "5.2", 3),
    Requirement("nilearn", "0.11", 12),
    Requirement("pandas", "2.2", 12),
    Requirement("pydantic", "2.7", 1),
    Requirement("PyYAML", "6", 1),
    Requirement("safetensors", "0.4", 1),
    Requirement("matplotlib", "3.8", 10),
    Requirement("tqdm", "4.66", 1),
    Requirement("Jinja2", "3.1", 1),
    Requirement("Pillow", "10", 7),
    Requirement("contourpy", "1.2", 1),
    Requirement("reportlab", "4", 2),
)
"""The dependencies of both distributions; a test holds them against the project files."""


def missing(requirements: Sequence[Requirement] = REQUIREMENTS) -> tuple[Requirement, ...]:
    """The requirements that are not installed, or too old."""
    return tuple(one for one in requirements if not _installed(one))


def _installed(requirement: Requirement) -> bool:
    try:
        version = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return False
    return _numbers(version) >= _numbers(requirement.at_least)


def _numbers(version: str) -> tuple[int, ...]:
    release = re.match(r"\d+(\.\d+)*", version)
    return tuple(int(part) for part in release.group().split(".")) if release else ()


@dataclass(frozen=True)
class PackageSource:
    """Where packages come from."""

    wheel_folder: Path | None = None
    """A folder of wheels; then nothing is asked of the network."""
    proxy: str = ""
    """As pip takes it, `http://user:password@host:port`; empty for the system's."""

    @property
    def options(self) -> list[str]:
        """Options of `pip install`."""
        options = ["--disable-pip-version-check", "--no-input"]
        if self.wheel_folder is not None:
            options += ["--no-index", "--find-links", str(self.wheel_folder)]
        if self.proxy:
            options += ["--proxy", self.proxy]
        return options

    @property
    def environment(self) -> Mapping[str, str]:
        """The same proxy for a program that runs pip itself, as the PyTorch extension does."""
        return {"PIP_PROXY": self.proxy} if self.proxy else {}


def pip_arguments(requirements: Sequence[Requirement], source: PackageSource) -> list[str]:
    """What follows `pip install` to install requirements.

    What is there already is asked for at the very version it has: no new package may bring another
    numpy than Slicer's, or another torch than the one that was found for the graphics card.

    Raises:
        ValueError: torch is among them, and no folder of wheels to take it from.
    """
    if source.wheel_folder is None and any(one.name == TORCH for one in requirements):
        raise ValueError("torch comes from Slicer's PyTorch extension, not from an index by pip")
    wanted = {one.name for one in requirements}
    kept = [
        f"{one.name}=={metadata.version(one.name)}"
        for one in REQUIREMENTS
        if one.name not in wanted and _installed(one)
    ]
    return [*source.options, *kept, *(f"{one.name}>={one.at_least}" for one in requirements)]


def pip_command(arguments: Sequence[str]) -> list[str]:
    """The command that runs `pip install` with these arguments."""
    return [python_program(), "-m", "pip", "install", *arguments]
