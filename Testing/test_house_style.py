"""What the linter does not count: short functions, small modules, unique test names, clean text."""

import ast
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LONGEST_FUNCTION = 50
"""Lines without the docstring; the house asks for about 40."""
LONGEST_MODULE = 400
"""Lines; the house asks for fewer than 350."""

SOURCES = [
    *sorted((ROOT / "GliomaAITraining" / "gliomaai_training").rglob("*.py")),
    *sorted((ROOT / "GliomaAI" / "GliomaAILib").rglob("*.py")),
]
TESTS = [
    file
    for folder in ("GliomaAITraining/tests", "GliomaAI/Testing/Python", "Testing")
    for file in sorted((ROOT / folder).rglob("*.py"))
]
TEXT_SUFFIXES = {".py", ".md", ".toml", ".txt", ".cmake", ".cff", ".yaml", ".json", ".html", ""}


def lengths(source: str) -> dict[str, int]:
    """Lines of each function without its docstring."""
    found = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0]
            begin = node.lineno
            if ast.get_docstring(node) is not None and first.end_lineno is not None:
                begin += first.end_lineno - first.lineno + 1
            found[node.name] = (node.end_lineno or begin) - begin + 1
    return found


def name_of(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_functions_and_modules_are_short(file: Path) -> None:
    source = file.read_text("utf-8")
    assert {n: k for n, k in lengths(source).items() if k > LONGEST_FUNCTION} == {}
    assert len(source.splitlines()) <= LONGEST_MODULE


def test_the_length_of_a_function_is_counted_without_its_docstring() -> None:
    source = 'def f():\n    """One.\n\n    Two.\n    """\n    return 1\n\n\ndef g(): return 2\n'
    assert lengths(source) == {"f": 2, "g": 1}


def test_test_files_have_unique_names() -> None:
    """So that a failure names one file, whichever suite it is in."""
    names = Counter(file.name for file in TESTS if file.name.startswith("test_"))
    assert [name for name, count in names.items() if count > 1] == []


def tracked_texts() -> list[Path]:
    if not ((ROOT / ".git").exists() and shutil.which("git")):
        return [*SOURCES, *TESTS]
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True)
    files = [ROOT / line for line in done.stdout.splitlines()]
    return [file for file in files if file.suffix in TEXT_SUFFIXES and file.is_file()]


def test_no_file_names_somebody_s_machine() -> None:
    """Paths of home and scratch folders work on one machine only."""
    own = re.compile(r"/(?:root|home/\w+|work)/|/tmp/\w|[A-Z]:\\Users")
    guilty = [
        f"{name_of(file)}:{number}"
        for file in tracked_texts()
        if file != Path(__file__).resolve()
        for number, line in enumerate(file.read_text("utf-8", "replace").splitlines(), 1)
        if own.search(line)
    ]
    assert guilty == []
