"""The rules of the Slicer Extensions Index, as far as they can be checked without the network."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
ENTRY = ROOT / "ExtensionsIndex" / "GliomaAI.json"
SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Schemas/"
    "slicer-extension-catalog-entry-schema-v1.0.2.json#"
)
REQUIRED = {"$schema", "category", "scm_url"}
FIELDS: dict[str, type] = {
    "$schema": str,
    "build_dependencies": list,
    "build_subdirectory": str,
    "category": str,
    "dicom_support_rule": str,
    "enabled": bool,
    "scm_revision": str,
    "scm_type": str,
    "scm_url": str,
    "tier": int,
}
"""What version 1.0.2 of the schema knows; nothing else is allowed."""

CATEGORIES = {"Analysis", "Informatics", "Neuroimaging", "Quantification", "Segmentation"}
"""Of the index's closed list, those that could be ours."""

LARGEST_CLONE_BYTES = 100e6
IMPORTED_AT_ONCE = {"slicer", "vtk", "SimpleITK", "numpy", "scipy"}
IMAGES = {".png", ".jpg", ".jpeg", ".gif"}


@pytest.fixture(scope="module")
def entry() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(ENTRY.read_text("utf-8"))
    return content


@pytest.fixture(scope="module")
def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


def metadata(name: str) -> str:
    """What CMakeLists.txt sets, read as the index reads it: from one line, in double quotes."""
    text = (ROOT / "CMakeLists.txt").read_text("utf-8")
    (value,) = re.findall(rf'^set\(EXTENSION_{name} "([^"\n]+)"\)', text, re.MULTILINE)
    return str(value)


def address_of(file: str) -> str:
    """Where a file of the repository can be downloaded."""
    owner_and_name = urlsplit(metadata("HOMEPAGE")).path
    return f"https://raw.githubusercontent.com{owner_and_name}/main/{file}"


def file_at(address: str) -> Path:
    """The file of the repository that an address leads to."""
    start = address_of("")
    assert address.startswith(start), f"{address} is not of {metadata('HOMEPAGE')}"
    return ROOT / address.removeprefix(start)


def test_the_entry_follows_the_schema(entry: dict[str, Any]) -> None:
    assert entry["$schema"] == SCHEMA
    assert set(entry) >= REQUIRED
    assert {name for name, value in entry.items() if type(value) is not FIELDS.get(name)} == set()
    assert all(isinstance(one, str) for one in entry["build_dependencies"])
    assert 1 <= entry["tier"] <= 5


def test_the_entry_is_written_as_the_index_wants_it() -> None:
    data = ENTRY.read_bytes()
    assert b"\r" not in data
    assert data.endswith(b"}\n")


def test_one_name_and_one_address_everywhere(entry: dict[str, Any]) -> None:
    text = (ROOT / "CMakeLists.txt").read_text("utf-8")
    (project,) = re.findall(r"^project\(([^\s)]+)", text, re.MULTILINE)
    assert project == ENTRY.stem
    assert not project.lower().startswith("slicer")
    homepage = metadata("HOMEPAGE")
    assert homepage.startswith("https://")
    assert urlsplit(homepage).path.split("/")[-1] == f"Slicer{project}"
    assert entry["scm_url"] == f"{homepage}.git"
    others = re.findall(r"https://[^\s\"')>]*SlicerGliomaAI[^\s\"')>]*", _texts())
    wrong = [one for one in others if not one.startswith((homepage, address_of("")))]
    assert wrong == []


def _texts() -> str:
    names = ("README.md", "CONTRIBUTING.md", "CITATION.cff", "CHANGELOG.md", "pyproject.toml")
    files = [ROOT / name for name in names] + sorted((ROOT / "docs").glob("*.md"))
    return "\n".join(file.read_text("utf-8") for file in files)


def test_entry_and_build_say_the_same(entry: dict[str, Any]) -> None:
    assert entry["category"] in CATEGORIES
    assert entry["category"] == metadata("CATEGORY")
    assert entry["build_dependencies"] == metadata("DEPENDS").split()


def test_the_description_is_short_and_says_what_it_is_not() -> None:
    description = metadata("DESCRIPTION")
    assert 1 <= description.count(". ") + 1 <= 2
    assert "Research use only" in description
    assert metadata("CONTRIBUTORS") not in ("", "NA")


def test_icon_and_screenshots_are_in_the_repository() -> None:
    icon = file_at(metadata("ICONURL"))
    assert icon.is_file()
    assert icon.read_bytes()[16:24] == (128).to_bytes(4, "big") * 2  # width and height of a PNG
    screenshots = [file_at(address) for address in metadata("SCREENSHOTURLS").split()]
    assert screenshots
    for file in screenshots:
        assert file.is_file(), file
        assert file.suffix in IMAGES


def test_the_licence_is_there_and_named(readme: str) -> None:
    assert "Apache License" in (ROOT / "LICENSE").read_text("utf-8")
    assert "Apache-2.0" in readme
    assert "(LICENSE)" in readme


def test_the_homepage_has_what_it_must_have(readme: str) -> None:
    """Name, image, a sentence for each module, a tutorial on sample data, how to cite."""
    assert re.search(rf"^# {ENTRY.stem}$", readme, re.MULTILINE)
    modules = [file.stem for file in (ROOT / "GliomaAI").glob("*.py")]
    assert modules
    for module in modules:
        assert re.search(rf"\*\*{module}\*\* \w+", readme), f"no sentence on {module}"
    tutorial = re.split(r"^#+ ", readme.split("### Tutorial", 1)[1], flags=re.MULTILINE)[0]
    assert len(re.findall(r"^\d\. ", tutorial, re.MULTILINE)) >= 4
    assert "sample data" in tutorial
    assert "CITATION.cff" in readme


def test_every_picture_of_the_homepage_exists(readme: str) -> None:
    pictures = re.findall(r'!\[[^\]]*\]\(([^)]+)\)|<img src="([^"]+)"', readme)
    assert len(pictures) >= 2
    for picture in pictures:
        assert (ROOT / "".join(picture)).is_file()


def test_a_clone_is_small_enough() -> None:
    if not ((ROOT / ".git").exists() and shutil.which("git")):
        pytest.skip("no git repository")
    usage = ["git", "rev-list", "--objects", "--all", "--disk-usage"]
    listing = ["git", "ls-files"]
    history, files = (
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for command in (usage, listing)
    )
    there = [ROOT / name for name in files.splitlines()]
    tree = sum(file.stat().st_size for file in there if file.is_file())
    assert int(history) + tree < LARGEST_CLONE_BYTES


def test_the_module_s_file_does_nothing_when_it_is_imported() -> None:
    """It defines, and imports what Slicer ships; all else waits until the module is opened."""
    tree = ast.parse((ROOT / "GliomaAI" / "GliomaAI.py").read_text("utf-8"))
    kinds = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)
    others = [node for node in tree.body[1:] if not isinstance(node, kinds)]
    assert [ast.unparse(node) for node in others] == []
    imported = {
        alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {node.module or "" for node in tree.body if isinstance(node, ast.ImportFrom)}
    tops = {name.split(".")[0] for name in imported}
    assert tops - IMPORTED_AT_ONCE - sys.stdlib_module_names == set()


def test_torch_is_left_to_its_extension() -> None:
    from GliomaAILib.worker.requirements import REQUIREMENTS, TORCH, PackageSource, pip_arguments

    torch = [one for one in REQUIREMENTS if one.name == TORCH]
    assert torch
    with pytest.raises(ValueError, match="extension"):
        pip_arguments(torch, PackageSource())
    assert "PyTorch" in metadata("DEPENDS").split()
