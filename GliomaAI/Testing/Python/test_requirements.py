"""What the worker needs: complete, found out without guessing, and installed with consent only."""

import os
import re
import sys
import time
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from GliomaAILib.worker.installation import Installation
from GliomaAILib.worker.launch import worker_command, worker_environment
from GliomaAILib.worker.requirements import (
    REQUIREMENTS,
    TORCH,
    PackageSource,
    Requirement,
    missing,
    pip_arguments,
    pip_command,
)

ROOT = Path(__file__).resolve().parents[3]


def declared() -> dict[str, str]:
    found = {}
    for folder in (ROOT, ROOT / "GliomaAITraining"):
        project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
        for line in project["dependencies"]:
            name, version = re.match(r"([\w-]+)[>=]=(.*)", line).groups()
            found[name] = version
    return found


def test_the_list_is_that_of_the_project_files() -> None:
    expected = {name: v for name, v in declared().items() if not name.startswith("gliomaai")}
    assert {one.name: one.at_least for one in REQUIREMENTS} == expected


def test_here_nothing_is_missing() -> None:
    assert missing() == ()


def test_what_is_absent_or_too_old_is_missing() -> None:
    absent = Requirement("surely-not-there", "1", 1)
    old = Requirement("numpy", "999.1", 1)
    assert missing((absent, old, Requirement("numpy", "1.0", 1))) == (absent, old)


WANTED = (Requirement("surely-not-there", "1", 1),)


def test_pip_works_without_a_network_and_behind_a_proxy(tmp_path: Path) -> None:
    assert pip_arguments(WANTED, PackageSource())[-1] == "surely-not-there>=1"
    from_folder = pip_arguments(WANTED, PackageSource(tmp_path))
    assert "--no-index" in from_folder
    assert from_folder[from_folder.index("--find-links") + 1] == str(tmp_path)
    behind = PackageSource(proxy="http://host:1")
    assert "http://host:1" in pip_arguments(WANTED, behind)
    assert behind.environment == {"PIP_PROXY": "http://host:1"}
    assert PackageSource().environment == {}


def test_what_is_there_stays_as_it_is() -> None:
    """monai, for one, would bring another torch than the one for the graphics card."""
    arguments = pip_arguments(WANTED, PackageSource())
    for name in ("numpy", "SimpleITK", TORCH):
        assert f"{name}=={metadata.version(name)}" in arguments
    too_old = (Requirement("numpy", "999", 1),)
    assert [one for one in pip_arguments(too_old, PackageSource()) if "numpy" in one] == [
        "numpy>=999"
    ]


def test_torch_comes_from_no_index_by_pip(tmp_path: Path) -> None:
    torch = (Requirement(TORCH, "2", 1),)
    with pytest.raises(ValueError, match="PyTorch extension"):
        pip_arguments(torch, PackageSource())
    assert pip_arguments(torch, PackageSource(tmp_path))[-1] == "torch>=2"


def wheel(folder: Path, name: str) -> None:
    """The smallest wheel that pip takes."""
    information = f"{name}-1.0.dist-info"
    texts = {
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for path, content in texts.items():
            archive.writestr(path, content)
        archive.writestr(f"{information}/RECORD", "".join(f"{path},,\n" for path in texts))


def test_a_folder_of_wheels_is_enough(tmp_path: Path) -> None:
    (folder := tmp_path / "Räder und mehr").mkdir()
    wheel(folder, "surely_not_there")
    arguments = ["--dry-run", *pip_arguments(WANTED, PackageSource(folder))]
    installation = Installation(pip_command(arguments))
    lines = finished(installation)
    assert installation.exit_code == 0, lines
    assert lines[-1] == "Would install surely_not_there-1.0"  # and no other numpy, no other torch


def finished(installation: Installation) -> list[str]:
    lines = []
    for _ in range(3000):
        code = installation.exit_code
        lines += installation.lines()
        if code is not None:
            return lines
        time.sleep(0.01)
    raise TimeoutError


def test_an_installation_tells_what_it_does_and_how_it_ended() -> None:
    good = Installation([sys.executable, "-c", "print('one\\ntwo')"])
    assert finished(good) == ["one", "two"]
    assert good.exit_code == 0
    bad = Installation([sys.executable, "-c", "import sys; sys.exit('no such wheel')"])
    assert finished(bad) == ["no such wheel"]
    assert bad.exit_code == 1


def test_a_folder_without_wheels_fails_without_asking_the_network(tmp_path: Path) -> None:
    installation = Installation(pip_command(pip_arguments(WANTED, PackageSource(tmp_path))))
    lines = finished(installation)
    assert installation.exit_code not in (0, None)
    assert any("surely-not-there" in line for line in lines)


def test_an_installation_can_be_cancelled() -> None:
    installation = Installation([sys.executable, "-c", "import time; time.sleep(600)"])
    installation.cancel()
    finished(installation)
    assert installation.exit_code not in (0, None)


def test_the_worker_finds_both_packages() -> None:
    folders = worker_environment()["PYTHONPATH"]
    assert str(ROOT / "GliomaAI") in folders
    assert str(ROOT / "GliomaAITraining") in folders
    assert worker_command() == [sys.executable, "-m", "GliomaAILib.worker"]


def test_in_slicer_its_own_launcher_runs_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ending = ".exe" if os.name == "nt" else ""
    launcher = tmp_path / f"PythonSlicer{ending}"
    launcher.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert worker_command()[0] == str(launcher)
    assert pip_command([])[0] == str(launcher)
