"""A Slicer application without Slicer: `slicer.app`, `slicer.util` and a module loaded as it does.

app = application.start()                       # an empty scene
module = application.load_module(path)          # imported, constructed, set up
module.enter()
module.widget.ui.runButton.click()
look.drive(lambda: module.widget.ui.runButton.enabled, timeout_s=60)
module.close()
"""

# ruff: noqa: N802, N815 - the names are those of Slicer.

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import scene_app
import slicer
import slicer.util
from PySide6.QtCore import Signal

from bench import dialogs, mrml_widgets, scripted, segment_editor, widgets
from bench.pythonqt import qt

__all__ = ["LoadedModule", "load_module", "mrml_widgets", "segment_editor", "start", "widgets"]

_main_window: Any = None
_started: list[Any] = []
"""Applications so far: a scene that the garbage collector ends calls observers that are gone."""


class _SliceWidget:
    """A slice view without a view."""

    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def sliceLogic(self) -> Any:
        return self._logic

    def mrmlSliceNode(self) -> Any:
        return self._logic.GetSliceNode()

    def mrmlSliceCompositeNode(self) -> Any:
        return self._logic.GetSliceCompositeNode()

    def fitSliceToBackground(self) -> None:
        self._logic.FitSliceToBackground(256, 256)


class _ThreeDView:
    def resetFocalPoint(self) -> None: ...

    def resetCamera(self) -> None: ...


class _ThreeDWidget:
    def __init__(self, node: Any) -> None:
        self._node = node

    def mrmlViewNode(self) -> Any:
        return self._node

    def threeDView(self) -> Any:
        return _ThreeDView()


class LayoutManager(qt.QObject):
    """The layout and its slice views, over the real layout node."""

    layoutChanged = Signal(int)

    def __init__(self, app: Any, parent: Any) -> None:
        super().__init__(parent)
        self._app = app
        self._logic = slicer.vtkMRMLLayoutLogic()
        self._logic.SetMRMLApplicationLogic(app.applicationLogic())
        self._logic.SetMRMLScene(app.scene)

    @property
    def layout(self) -> int:
        return int(self._logic.GetLayoutNode().GetViewArrangement())

    @layout.setter
    def layout(self, arrangement: int) -> None:
        self.setLayout(arrangement)

    def setLayout(self, arrangement: int) -> None:
        self._logic.GetLayoutNode().SetViewArrangement(arrangement)
        scene_app.add_slice_logics(self._app)
        self.layoutChanged.emit(arrangement)

    def layoutLogic(self) -> Any:
        return self._logic

    def mrmlSliceLogics(self) -> Any:
        return self._app.applicationLogic().GetSliceLogics()

    def sliceViewNames(self) -> list[str]:
        return [logic.GetSliceNode().GetLayoutName() for logic in self._shown()]

    def sliceWidget(self, name: str) -> Any:
        for logic in self._logics():
            if logic.GetSliceNode().GetLayoutName() == name:
                return _SliceWidget(logic)
        return None

    @property
    def threeDViewCount(self) -> int:
        return len(slicer.util.getNodesByClass("vtkMRMLViewNode"))

    def threeDWidget(self, index: int) -> Any:
        return _ThreeDWidget(slicer.util.getNodesByClass("vtkMRMLViewNode")[index])

    def resetSliceViews(self) -> None:
        for logic in self._shown():
            logic.FitSliceToBackground(256, 256)

    def resetThreeDViews(self) -> None: ...

    def pauseRender(self) -> None: ...

    def resumeRender(self) -> None: ...

    def _logics(self) -> list[Any]:
        logics = self.mrmlSliceLogics()
        found = [logics.GetItemAsObject(index) for index in range(logics.GetNumberOfItems())]
        return [logic for logic in found if logic.GetSliceNode() is not None]

    def _shown(self) -> list[Any]:
        views = self._logic.GetViewNodes()  # of the layout that is chosen
        return [logic for logic in self._logics() if views.IsItemPresent(logic.GetSliceNode())]


class Application(qt.QObject):
    """`slicer.app`: the headless application of the scene, and what needs Qt."""

    startupCompleted = Signal()
    lastWindowClosed = Signal()
    aboutToQuit = Signal()

    applicationName = mainApplicationName = "Slicer"
    majorVersion, minorVersion = 5, 12
    revision = repositoryRevision = "bench"
    launcherExecutableFilePath = ""
    dicomDatabase = None
    slicerHome = ""

    def __init__(self, headless: Any) -> None:
        super().__init__()
        self._headless = headless
        self._layouts = LayoutManager(headless, self)
        self.slicerHome = headless.temporaryPath

    def __getattr__(self, name: str) -> Any:
        headless = self.__dict__.get("_headless")
        if headless is None:
            raise AttributeError(name)
        return getattr(headless, name)

    def testingEnabled(self) -> bool:
        return False

    def layoutManager(self) -> Any:
        return self._layouts

    def userSettings(self) -> Any:
        return qt.QSettings()

    settings = revisionUserSettings = userSettings

    def processEvents(self, *arguments: Any) -> None:
        qt.QApplication.processEvents(*arguments)

    def topLevelWidgets(self) -> list[Any]:
        return list(qt.QApplication.topLevelWidgets())

    def palette(self) -> Any:
        return qt.QApplication.palette()

    def style(self) -> Any:
        return qt.QApplication.style()

    def font(self) -> Any:
        return qt.QApplication.font()

    def clipboard(self) -> Any:
        return qt.QApplication.clipboard()

    def startupEnvironment(self) -> Any:
        return qt.QProcessEnvironment.systemEnvironment()

    def setOverrideCursor(self, cursor: Any) -> None:
        qt.QApplication.setOverrideCursor(cursor)

    def restoreOverrideCursor(self) -> None:
        qt.QApplication.restoreOverrideCursor()

    def pauseRender(self) -> None: ...

    def resumeRender(self) -> None: ...

    def openSettingsDialog(self, panel: str = "") -> None:
        dialogs.dialogs.answer("openSettingsDialog", panel, None)


class LoadedModule:
    """A scripted module as Slicer holds it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = path.stem
        self._construct()

    def _construct(self) -> None:
        """Imports the file and makes module and widget, as at start."""
        self.python_module = _import_file(self.name, self.path)
        self.parent = scripted.ModuleParent(self.name, self.path)
        self.module = getattr(self.python_module, self.name)(self.parent)
        setattr(slicer.modules, self.name.lower(), self.parent)
        setattr(slicer.modules, f"{self.name}Instance", self.module)
        self.widget_parent = scripted.ModuleWidgetParent(self.name)
        self.widget_parent.setMRMLScene(slicer.mrmlScene)
        self._make_widget()

    def _make_widget(self) -> None:
        self.widget = getattr(self.python_module, f"{self.name}Widget")(self.widget_parent)
        setattr(slicer.modules, f"{self.name}Widget", self.widget)
        self.widget.setup()

    def enter(self) -> None:
        """The user chooses the module."""
        self.widget_parent.isEntered = True
        self.widget.enter()
        self.widget_parent.show()
        qt.QApplication.processEvents()

    def exit(self) -> None:
        """The user chooses another module."""
        self.widget_parent.isEntered = False
        self.widget.exit()
        self.widget_parent.hide()

    def close(self) -> None:
        """Slicer ends: exit where entered, then cleanup."""
        if self.widget_parent.isEntered:
            self.exit()
        self.widget.cleanup()
        self.widget_parent.delete()

    def reload(self) -> None:
        """The developer's Reload button: the widget in front is hidden, cleaned up and made anew
        in the same parent, without being left or entered."""
        self.python_module = _import_file(self.name, self.path)
        for child in self.widget_parent.findChildren("QWidget"):
            child.hide()
        self.widget.cleanup()
        layout = self.widget_parent.layout()
        while layout.count():
            layout.takeAt(0)
        self._make_widget()
        qt.QApplication.processEvents()


def _import_file(name: str, path: Path) -> Any:
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def load_module(path: str | os.PathLike[str]) -> LoadedModule:
    """Loads a scripted module's file: import, module, widget with parent, `setup`."""
    return LoadedModule(Path(path))


def start() -> Application:
    """Starts with an empty scene; dialogs, and the application before, are let go of."""
    global _main_window
    dialogs.install()
    dialogs.dialogs.clear()
    if _started:
        _started[-1].scene.Clear(0)
    headless = scene_app.start()
    _started.append(headless)
    slicer.app = Application(headless)
    dialogs.replace_messages(slicer.util)
    scripted.install()
    if _main_window is None:
        _main_window = qt.QMainWindow()
        _main_window.objectName = "qSlicerMainWindow"
    return slicer.app
