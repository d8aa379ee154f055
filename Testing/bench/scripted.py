"""What `slicer.ScriptedLoadableModule` gives a module to derive from; it is not in slicer-core."""

# ruff: noqa: N802, N803, N815 - the names are those of Slicer.

import inspect
import sys
import types
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer

from bench.mrml_widgets import qSlicerWidget
from bench.pythonqt import qt


class ModuleParent:
    """The C++ side of a module: what it may set there, and nothing else."""

    __slots__ = (
        "acknowledgementText", "associatedNodeTypes", "categories", "contributors", "dependencies",
        "helpText", "hidden", "icon", "index", "name", "path", "title",
    )  # fmt: skip

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.title, self.path = name, name, str(path)
        self.categories: list[str] = []
        self.dependencies: list[str] = []
        self.contributors: list[str] = []
        self.associatedNodeTypes: list[str] = []
        self.helpText = self.acknowledgementText = ""
        self.hidden, self.index, self.icon = False, -1, None


class ModuleWidgetParent(qSlicerWidget):  # type: ignore[misc,valid-type]
    """The C++ side of a module's widget, with the layout it is put into."""

    moduleName = ""
    isEntered = False

    def __init__(self, name: str) -> None:
        super().__init__()
        self.moduleName = name
        qt.QVBoxLayout(self)


class ScriptedLoadableModule:
    """What a module says about itself."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__
        parent.title = parent.title or self.moduleName

    def resourcePath(self, name: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / name)

    def getDefaultModuleDocumentationLink(self, *_: Any) -> str:
        return ""

    def setup(self) -> None: ...


class ScriptedLoadableModuleWidget:
    """A module's panel; in developer mode the real one puts its reload buttons on top."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.parent = parent or ModuleWidgetParent(self.moduleName)
        self.layout = self.parent.layout()
        self.developerMode = False
        self.logic: Any = None

    def resourcePath(self, name: str) -> str:
        return str(Path(inspect.getfile(type(self))).parent / "Resources" / name)

    def setup(self) -> None: ...

    def enter(self) -> None: ...

    def exit(self) -> None: ...

    def cleanup(self) -> None: ...


class ScriptedLoadableModuleLogic:
    """Keeps one node of parameters, or one for each time it is asked."""

    def __init__(self, parent: Any = None) -> None:
        self.parent = parent
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        found = self.getAllParameterNodes() if self.isSingletonParameterNode else []
        return found[0] if found else self.createParameterNode()

    def getAllParameterNodes(self) -> list[Any]:
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> Any:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return slicer.mrmlScene.AddNode(node)


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A module's own tests; Slicer calls `runTest`."""

    def delayDisplay(self, message: str, requestedDelay: Any = None, msec: Any = None) -> None:
        slicer.util.delayDisplay(message)

    def runTest(self) -> None: ...


language: dict[str, Callable[[str], str]] = {"translated": str}
"""The language of the application: English, unless a test sets another."""


def install() -> None:
    """Makes `slicer.ScriptedLoadableModule` and `slicer.i18n` importable."""
    module = types.ModuleType("slicer.ScriptedLoadableModule", __doc__)
    for cls in (
        ScriptedLoadableModule,
        ScriptedLoadableModuleWidget,
        ScriptedLoadableModuleLogic,
        ScriptedLoadableModuleTest,
    ):
        setattr(module, cls.__name__, cls)
    i18n = types.ModuleType("slicer.i18n")
    # As Slicer's: who imported them keeps them, and the language is looked up with each call.
    i18n.tr = lambda text, *_: language["translated"](text)  # type: ignore[attr-defined]
    i18n.translate = lambda _context, text, *_: language["translated"](text)  # type: ignore[attr-defined]
    slicer.ScriptedLoadableModule, slicer.i18n = module, i18n
    sys.modules[module.__name__], sys.modules[i18n.__name__] = module, i18n
