"""What the worker needs: complete, found out without guessing, and installed with consent only."""

import os
import re
import sys
import time
import tomllib
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


def test_pip_works_without_a_network_and_behind_a_proxy(tmp_path: Path) -> None:
    wanted = (Requirement("monai", "1.4", 2),)
    assert pip_command(wanted, PackageSource())[-1] == "monai>=1.4"
    offline = pip_command(wanted, PackageSource(tmp_path))
    assert "--no-index" in offline
    assert str(tmp_path) in offline
    assert "http://host:1" in pip_command(wanted, PackageSource(proxy="http://host:1"))


def test_torch_is_never_installed_by_pip() -> None:
    with pytest.raises(ValueError, match="PyTorch extension"):
        pip_command((Requirement(TORCH, "2", 1),), PackageSource())


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
    wanted = (Requirement("surely-not-there", "1", 1),)
    installation = Installation(pip_command(wanted, PackageSource(tmp_path)))
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
    wanted = (Requirement("monai", "1.4", 2),)
    assert pip_command(wanted, PackageSource())[0] == str(launcher)
