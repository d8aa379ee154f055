"""Slicer without its window: a MRML scene with the logics that desktop Slicer has, on slicer-core.

`start` gives `slicer.app`, `slicer.modules` and `slicer.mrmlScene` what the module uses of them.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import slicer
import vtk

LOGICS = {
    "colors": ("Colors", "vtkSlicerColorLogic"),
    "volumes": ("Volumes", "vtkSlicerVolumesLogic"),
    "segmentations": ("Segmentations", "vtkSlicerSegmentationsModuleLogic"),
    "subjecthierarchy": ("SubjectHierarchy", "vtkSlicerSubjectHierarchyModuleLogic"),
    "markups": ("Markups", "vtkSlicerMarkupsLogic"),
}
"""Module by its name in `slicer.modules`: what it is called, and the class of its logic."""


class HeadlessApp:
    """What `slicer.app` offers without Qt."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="gliomaai-scene-")  # goes with the app
        self.temporaryPath = self._folder.name
        self.scene = slicer.vtkMRMLScene()
        self._logic = slicer.vtkSlicerApplicationLogic()
        self._logic.SetMRMLScene(self.scene)
        self._logic.GetColorLogic().SetMRMLScene(self.scene)
        with _quiet():  # slicer-core comes without the files of some colour tables
            self._logic.GetColorLogic().AddDefaultColorNodes()
        self._logic.SetSliceLogics(vtk.vtkCollection())
        self._logic.SetViewLogics(vtk.vtkCollection())
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(self.scene, True)
        self._add_remote_io()

    def applicationLogic(self) -> Any:  # noqa: N802
        """As in Slicer."""
        return self._logic

    def mrmlScene(self) -> Any:  # noqa: N802
        """As in Slicer."""
        return self.scene

    def _add_remote_io(self) -> None:
        """Reading an .mrb file asks for a cache folder."""
        remote = self._remote = slicer.vtkMRMLRemoteIOLogic()
        remote.SetMRMLScene(self.scene)
        remote.SetMRMLApplicationLogic(self._logic)
        remote.GetCacheManager().SetRemoteCacheDirectory(self.temporaryPath)
        data = self._data = slicer.vtkDataIOManagerLogic()
        data.SetMRMLScene(self.scene)
        data.SetMRMLApplicationLogic(self._logic)
        data.SetAndObserveDataIOManager(remote.GetDataIOManager())
        remote.AddDataIOToScene()


@contextmanager
def _quiet() -> Iterator[None]:
    vtk.vtkObject.GlobalWarningDisplayOff()
    try:
        yield
    finally:
        vtk.vtkObject.GlobalWarningDisplayOn()


class _Module:
    def __init__(self, logic: Any) -> None:
        self._logic = logic

    def logic(self) -> Any:
        return self._logic


def start() -> HeadlessApp:
    """Starts the application with an empty scene; the one before is let go of."""
    app = HeadlessApp()
    slicer.app, slicer.mrmlScene, slicer.modules = app, app.scene, SimpleNamespace()
    for key, (name, kind) in LOGICS.items():
        logic = getattr(slicer, kind)()
        logic.SetMRMLApplicationLogic(app.applicationLogic())
        logic.SetMRMLScene(app.scene)
        app.applicationLogic().SetModuleLogic(name, logic)
        setattr(slicer.modules, key, _Module(logic))
    return app


def add_layout(app: HeadlessApp) -> Any:
    """Gives the scene a layout node, which makes the views of a layout that is chosen.

    Returns:
        Its logic; keep it as long as the layout is used.
    """
    logic = slicer.vtkMRMLLayoutLogic()
    logic.SetMRMLApplicationLogic(app.applicationLogic())
    logic.SetMRMLScene(app.scene)
    return logic


def add_slice_logics(app: HeadlessApp) -> None:
    """What a desktop's slice widgets do: a logic, and with it a composite node, for each view."""
    logics = app.applicationLogic().GetSliceLogics()
    known = {logics.GetItemAsObject(i).GetSliceNode() for i in range(logics.GetNumberOfItems())}
    nodes = app.scene.GetNodesByClass("vtkMRMLSliceNode")
    nodes.UnRegister(None)
    for index in range(nodes.GetNumberOfItems()):
        node = nodes.GetItemAsObject(index)
        if node in known:
            continue
        logic = slicer.vtkMRMLSliceLogic()
        logic.SetMRMLApplicationLogic(app.applicationLogic())
        logics.AddItem(logic)
        logic.SetMRMLScene(app.scene)
        logic.SetSliceNode(node)
        logic.ResizeSliceNode(256, 256)
