"""Imports point one way, as the design says: read from the imports themselves."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {
    "gliomaai_training": ROOT / "GliomaAITraining",
    "GliomaAILib": ROOT / "GliomaAI",
}

TRAINING = "gliomaai_training"
CLINIC = "GliomaAILib"
QT = ("qt", "ctk", "PySide6", "PythonQt")
TRAME = ("trame", "trame_slicer", "trame_client", "trame_server", "trame_vuetify")
SCENE = ("slicer", "mrml", "vtk", "vtkmodules")
NETWORK = ("torch", "monai", "openvino")

FOUNDATION = ("intake", "assessment", "output")

PARTS: Mapping[str, tuple[str, ...]] = {
    "intake": (),
    "assessment": ("intake",),
    "output": ("assessment", "intake"),
    "worker": ("", *FOUNDATION),
    "scene": ("", *FOUNDATION),
    "review": ("", "scene", "worker", *FOUNDATION),
    "panels": ("", "review", "scene", "worker", *FOUNDATION),
    "web": ("", "review", "scene", "worker", *FOUNDATION),
    "": FOUNDATION,
}
"""Part of GliomaAILib (`""`: the modules at its top): the parts it may import beside itself."""

TOOLKITS: Mapping[str, tuple[str, ...]] = {
    "worker": NETWORK,
    "scene": SCENE,
    "panels": (*QT, "slicer"),
    "web": TRAME,
}
"""Part of GliomaAILib: the toolkits that only it may import."""


def imports(source: str, module: str) -> Iterator[str]:
    """Full names of everything a module imports, wherever in it the import stands."""
    package = module.rpartition(".")[0]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".")
                kept = parents[: len(parents) - node.level + 1]
                base = ".".join([*kept, base] if base else kept)
            # `from GliomaAILib import panels` names a part only in the alias.
            yield from (f"{base}.{alias.name}" for alias in node.names)


def part_of(module: str) -> str:
    """The part of GliomaAILib a module belongs to; `""` for the modules at its top."""
    names = module.split(".")
    return names[1] if len(names) > 1 and names[1] in PARTS else ""


def violations(source: str, module: str) -> list[str]:
    """What a module imports against the rules, in words."""
    allowed = allowed_toolkits(module)
    found = []
    for name in imports(source, module):
        top = name.split(".")[0]
        if top in {*QT, *TRAME, *SCENE} and top not in allowed:
            found.append(f"{module} imports {name}")
        elif module.startswith(TRAINING) and top in {CLINIC, "GliomaAI"}:
            found.append(f"{module} imports {name}: the science knows nothing of the clinic")
        elif module.startswith(CLINIC) and (top in NETWORK) and top not in allowed:
            found.append(f"{module} imports {name}: only {TRAINING} and the worker do")
        elif module.startswith(CLINIC) and top == CLINIC and not may_import(module, name):
            found.append(f"{module} imports {name}: against the direction of imports")
    return found


def allowed_toolkits(module: str) -> tuple[str, ...]:
    if module == "GliomaAI":
        return (*QT, *SCENE)
    return TOOLKITS.get(part_of(module), ()) if module.startswith(CLINIC) else ()


def may_import(module: str, name: str) -> bool:
    """Whether one module of GliomaAILib may import another."""
    here, there = part_of(module), part_of(name)
    if here == there:
        return True
    if there == "":  # constants of the package itself, and its models, are for everyone
        return name in {f"{CLINIC}.__version__", f"{CLINIC}.NOTICE"} or "" in PARTS[here]
    return there in PARTS[here]


def shipped_modules() -> list[tuple[str, Path]]:
    found = []
    for package, folder in PACKAGES.items():
        for file in sorted((folder / package).rglob("*.py")):
            names = list(file.relative_to(folder).with_suffix("").parts)
            # An __init__ keeps its name, so that relative imports resolve as in any module.
            found.append((".".join(names), file))
    entry = ROOT / "GliomaAI" / "GliomaAI.py"
    return [*found, ("GliomaAI", entry)] if entry.is_file() else found


@pytest.mark.parametrize(("module", "file"), shipped_modules(), ids=lambda value: str(value)[-60:])
def test_imports_point_one_way(module: str, file: Path) -> None:
    assert violations(file.read_text("utf-8"), module) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gliomaai_training.inference.predictor", "from GliomaAILib.intake import case"),
        ("gliomaai_training.inference.predictor", "def f():\n    import GliomaAILib"),
        ("gliomaai_training.cli", "import slicer.util"),
        ("gliomaai_training.cli", "import qt"),
        ("gliomaai_training.cli", "from vtk.util import numpy_support"),
        ("GliomaAILib.intake.study", "from GliomaAILib.assessment.assess import assess"),
        ("GliomaAILib.intake.study", "from GliomaAILib import output"),
        ("GliomaAILib.intake.study", "from ..output.write import write_assessment"),
        ("GliomaAILib.intake.study", "import GliomaAILib.cli"),
        ("GliomaAILib.assessment.assess", "from GliomaAILib.output.write import SEGMENTATION"),
        ("GliomaAILib.assessment.assess", "def f():\n    import torch"),
        ("GliomaAILib.output.write", "from GliomaAILib.worker import protocol"),
        ("GliomaAILib.scene.volumes", "import qt"),
        ("GliomaAILib.review.review", "import slicer"),
        ("GliomaAILib.review.review", "from trame.app import get_server"),
        ("GliomaAILib.review.__init__", "from .. import panels"),
        ("GliomaAILib.panels.results", "import trame_slicer"),
        ("GliomaAILib.panels.results", "import vtk"),
        ("GliomaAILib.web.app", "import ctk"),
        ("GliomaAILib.cli", "import qt"),
        ("GliomaAILib.cli", "from GliomaAILib.panels import results"),
        ("GliomaAI", "import trame"),
    ],
)
def test_the_rules_catch_a_violation(module: str, source: str) -> None:
    assert len(violations(source, module)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        (
            "gliomaai_training.networks.blocks",
            "import torch\nfrom gliomaai_training import progress",
        ),
        ("GliomaAILib.assessment.assess", "from GliomaAILib.intake.case import Case"),
        ("GliomaAILib.output.write", "from ..assessment.assessment import Assessment"),
        ("GliomaAILib.output.report", "from GliomaAILib import __version__"),
        ("GliomaAILib.cli", "from GliomaAILib.analysis import analyze_study"),
        ("GliomaAILib.scene.volumes", "import slicer, vtk"),
        ("GliomaAILib.panels.results", "import qt, ctk\nfrom GliomaAILib.review import review"),
        ("GliomaAI", "import slicer, qt\nfrom GliomaAILib.panels import results"),
    ],
)
def test_the_rules_allow_the_design(module: str, source: str) -> None:
    assert violations(source, module) == []


WIDGETS_AND_APPLICATION = ("qMRML", "qSlicer", "util", "app", "modules", "packaging")


def slicer_names(source: str) -> set[str]:
    """The names of `slicer` that a module uses."""
    return {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "slicer"
    }


def test_mrml_stays_in_the_scene() -> None:
    """Panels take widgets and the application from slicer; nodes they get from the scene part."""
    files = [file for module, file in shipped_modules() if part_of(module) == "panels"]
    assert files
    used = set().union(*(slicer_names(file.read_text("utf-8")) for file in files))
    assert {name for name in used if not name.startswith(WIDGETS_AND_APPLICATION)} == set()
    assert slicer_names("import slicer\nnode = slicer.vtkMRMLTextNode()") == {"vtkMRMLTextNode"}


def test_slicer_s_process_gets_nothing_heavy_from_a_review() -> None:
    loaded = loaded_by("import GliomaAILib.review.review, GliomaAILib.worker.client")
    assert loaded & {"torch", "monai", "pandas", "pydicom", "nibabel", "matplotlib"} == set()


def loaded_by(statement: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after a statement."""
    code = f"{statement}\nimport sys\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_the_command_line_starts_without_heavy_imports() -> None:
    for module, heavy in (
        ("GliomaAILib.cli", {"torch", "monai", "SimpleITK", "numpy", "pydicom", "matplotlib"}),
        ("gliomaai_training.cli", {"torch", "monai", "SimpleITK", "numpy", "matplotlib"}),
    ):
        assert loaded_by(f"import {module} as cli; cli.build_parser()") & heavy == set()


def test_a_bad_study_is_refused_without_waiting_for_torch() -> None:
    assert loaded_by("import GliomaAILib.analysis") & {"torch", "monai"} == set()


def test_slicer_could_import_the_clinic_without_torch() -> None:
    modules = [
        name.removesuffix(".__init__")
        for name, _ in shipped_modules()
        if part_of(name) in FOUNDATION and name.startswith(CLINIC)
    ]
    assert len(modules) > len(FOUNDATION)
    loaded = loaded_by("import " + ", ".join(modules))
    assert loaded & {"torch", "monai", "openvino", "matplotlib", "nilearn"} == set()
