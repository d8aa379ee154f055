"""The bench for its own tests, which are skipped where it cannot be."""

import importlib
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

TESTING = Path(__file__).resolve().parent

for needed, package in (("PySide6", "PySide6-Essentials"), ("slicer", "slicer-core")):
    if find_spec(needed) is None:  # PySide6 itself must not be imported before the bench
        pytest.skip(f"the bench needs {package}", allow_module_level=True)
if str(TESTING) not in sys.path:
    sys.path.insert(0, str(TESTING))

application = importlib.import_module("bench.application")
look = importlib.import_module("bench.look")
pythonqt = importlib.import_module("bench.pythonqt")
dialogs = importlib.import_module("bench.dialogs").dialogs
segment_editor = importlib.import_module("bench.segment_editor")
qt, ctk = pythonqt.qt, pythonqt.ctk
slicer = importlib.import_module("slicer")


def fresh_application() -> Iterator[Any]:
    """A fresh application; no slot may have ended with an error."""
    pythonqt.slot_errors.clear()
    yield application.start()
    errors = list(pythonqt.slot_errors)
    pythonqt.slot_errors.clear()
    assert errors == []


def add_volume(name: str = "T1", kind: str = "vtkMRMLScalarVolumeNode") -> Any:
    """A node of the scene."""
    return slicer.mrmlScene.AddNewNodeByClass(kind, name)
