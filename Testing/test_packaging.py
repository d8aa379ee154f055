"""What is in the repository is in the extension and in the wheels, and nothing else is."""

import ast
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTED_MODULES = "lib/Slicer-5.12/qt-scripted-modules"


def shipped(folder: str) -> set[str]:
    """Files under a folder of the repository, relative to it, without what git ignores."""
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", folder]
    if (ROOT / ".git").exists() and shutil.which("git"):
        done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
        files = [ROOT / line for line in done.stdout.splitlines()]
    else:
        files = [
            path
            for path in (ROOT / folder).rglob("*")
            if not any(
                part.startswith((".", "__pycache__")) for part in path.relative_to(ROOT).parts
            )
        ]
    return {path.relative_to(ROOT / folder).as_posix() for path in files if path.is_file()}


def under(prefix: str, names: set[str]) -> set[str]:
    return {f"{prefix}/{name}" for name in names}


def shipped_with_slicer() -> set[str]:
    """The files of the Slicer module, relative to its folder."""
    found = under("GliomaAILib", shipped("GliomaAI/GliomaAILib"))
    return found | under("Resources", shipped("GliomaAI/Resources")) | {"GliomaAI.py"}


def cmake_list(file: Path, variable: str) -> list[str]:
    """The words of `set(variable ...)`."""
    match = re.search(rf"set\({variable}\s([^)]*)\)", file.read_text("utf-8"))
    assert match, f"{file} does not set {variable}"
    return match.group(1).split()


def test_cmake_lists_every_file_of_the_clinic() -> None:
    file = ROOT / "GliomaAI" / "CMakeLists.txt"
    listed = cmake_list(file, "_scripts") + cmake_list(file, "_resources")
    assert listed == list(dict.fromkeys(listed)), "a file is listed twice"
    assert set(listed) == shipped_with_slicer()


def test_slicer_finds_no_stray_module() -> None:
    """Slicer takes every Python file beside GliomaAI.py for a module."""
    assert {path.name for path in (ROOT / "GliomaAI").glob("*.py")} <= {"GliomaAI.py"}


@pytest.fixture(scope="module")
def extension_archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension, configured, built and packaged against our stand-in for Slicer."""
    if not (shutil.which("cmake") and (shutil.which("c++") or shutil.which("cl"))):
        pytest.skip("packaging the extension needs cmake and a C++ compiler")
    build = tmp_path_factory.mktemp("extension")
    stand_in = ROOT / "Testing" / "cmake"
    for command in (
        ["cmake", "-S", ROOT, "-B", build, f"-DSlicer_DIR={stand_in}"],
        ["cmake", "--build", build],
        ["cmake", "--build", build, "--target", "package"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return build / "GliomaAI.tar.gz"


def test_the_extension_holds_every_file(extension_archive: Path) -> None:
    with tarfile.open(extension_archive) as archive:
        packed = {member.name.removeprefix("./") for member in archive if member.isfile()}
    expected = shipped_with_slicer()
    expected |= under("gliomaai_training", shipped("GliomaAITraining/gliomaai_training"))
    expected |= under("Resources/Models", shipped("Resources/Models"))
    modules = {
        name.removeprefix(SCRIPTED_MODULES + "/")
        for name in packed
        if name.startswith(SCRIPTED_MODULES)
    }
    assert modules == expected
    assert packed - under(SCRIPTED_MODULES, modules) == {"share/Slicer-5.12/GliomaAI.json"}


def test_the_installed_extension_finds_its_models(extension_archive: Path, tmp_path: Path) -> None:
    with tarfile.open(extension_archive) as archive:
        archive.extractall(tmp_path, filter="data")
    installed = tmp_path / SCRIPTED_MODULES
    code = (
        "from GliomaAILib.models import pack_folders\n"
        "import sys; sys.stdout.write(str([f for f in pack_folders() if f.is_dir()][0]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=installed,
        env={"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(done.stdout) == installed / "Resources" / "Models"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both distributions as wheels."""
    out = tmp_path_factory.mktemp("wheels")
    for folder in (ROOT, ROOT / "GliomaAITraining"):
        command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation"]
        done = subprocess.run(
            [*command, "--quiet", "--wheel-dir", out, folder], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    return out


def content(wheels: Path, distribution: str) -> set[str]:
    """A wheel's files, without its own metadata."""
    (wheel,) = wheels.glob(f"{distribution}-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if ".dist-info/" not in name}


def test_the_clinic_s_wheel_holds_its_package_and_the_models(wheels: Path) -> None:
    expected = under("GliomaAILib", shipped("GliomaAI/GliomaAILib"))
    expected |= under("GliomaAILib/Resources/Models", shipped("Resources/Models"))
    assert content(wheels, "gliomaai") == expected


def test_the_training_wheel_holds_its_package(wheels: Path) -> None:
    expected = under("gliomaai_training", shipped("GliomaAITraining/gliomaai_training"))
    assert content(wheels, "gliomaai_training") == expected


def test_the_wheels_work_when_installed(wheels: Path, tmp_path: Path) -> None:
    """Unpacked side by side, as pip does it, away from the source tree."""
    for wheel in wheels.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path)
    # -I and -S would hide the dependencies; the unpacked wheels come first on the path instead.
    code = (
        "import GliomaAILib, gliomaai_training, sys\n"
        "from GliomaAILib.models import pack_folders\n"
        "folder = [f for f in pack_folders() if f.is_dir()][0]\n"
        "places = [GliomaAILib.__file__, gliomaai_training.__file__, str(folder)]\n"
        "sys.stdout.write('\\n'.join(places))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(Path(line).is_relative_to(tmp_path) for line in done.stdout.splitlines())


DISTRIBUTIONS = {
    "GliomaAILib": "gliomaai",
    "PIL": "pillow",
    "gliomaai_training": "gliomaai-training",
    "pywt": "pywavelets",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
"""Distribution by import name, where they differ."""

SLICER_S_OWN = {"slicer", "vtk", "qt", "ctk", "PyTorchUtils"}
"""What the application around the module brings."""


@pytest.mark.parametrize(
    ("package", "project"),
    [("GliomaAI/GliomaAILib", "."), ("GliomaAITraining/gliomaai_training", "GliomaAITraining")],
)
def test_every_import_is_a_declared_dependency(package: str, project: str) -> None:
    settings = tomllib.loads((ROOT / project / "pyproject.toml").read_text("utf-8"))["project"]
    optional = settings.get("optional-dependencies", {})
    lines = [*settings["dependencies"], *(line for extra in optional.values() for line in extra)]
    declared = {re.split(r"[^\w-]", line)[0].lower() for line in lines} | {settings["name"]}
    imported = set()
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                imported.add(node.module.split(".")[0])
    imported -= SLICER_S_OWN | sys.stdlib_module_names
    needed = {DISTRIBUTIONS.get(name, name.lower()) for name in imported}
    assert needed - declared == set()


def test_one_version_everywhere() -> None:
    projects = [
        tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
        for folder in (ROOT, ROOT / "GliomaAITraining")
    ]
    version = projects[0]["version"]
    assert projects[1]["version"] == version
    assert f"gliomaai-training=={version}" in projects[0]["dependencies"]
    assert projects[0]["optional-dependencies"]["openvino"] == [
        f"gliomaai-training[openvino]=={version}"
    ]
    for file in (
        "GliomaAI/GliomaAILib/__init__.py",
        "GliomaAITraining/gliomaai_training/__init__.py",
    ):
        assert f'__version__ = "{version}"' in (ROOT / file).read_text("utf-8")
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f"## [{version}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_both_distributions_carry_the_licence() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
    assert (ROOT / "GliomaAITraining" / "LICENSE").read_text("utf-8") == text
