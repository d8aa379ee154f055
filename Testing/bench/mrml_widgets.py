# ruff: noqa: N801, N802, N815 - the names are those of CTK and Slicer.
"""Stand-ins for the qMRML widgets over the real scene of slicer-core.

The names are those of the real widgets (`Testing/test_bench_widgets.py` holds them against
Slicer's); what a stand-in needs for itself begins with an underscore.
"""

import weakref
from typing import Any

import shiboken6
import slicer
from PySide6.QtCore import Property, Signal, Slot

from bench import pythonqt
from bench.pythonqt import qt
from bench.widgets import ctkMenuButton, ctkSliderWidget, row, stored

_MODIFIED = "ModifiedEvent"


def stand_in(cls: type) -> type:
    """Registers a stand-in: in `slicer`, and for .ui files."""
    pythonqt.STAND_INS[cls.__name__] = cls
    setattr(slicer, cls.__name__, cls)
    return cls


_CALLS: list[Any] = []
"""Functions that VTK was given. The garbage collector empties a function before the VTK object
that still calls it as it goes, and Python crashes; so these never become garbage."""


class Observations:
    """Observers through which a widget follows VTK objects; they end with the widget."""

    def __init__(self, widget: Any) -> None:
        # VTK keeps its observers: they must not keep the widget, nor outlive its C++ part.
        self._widget = weakref.ref(widget)
        self._tags: list[tuple[Any, int]] = []

    def add(self, observed: Any, event: Any, method: str) -> None:
        widget_of = self._widget

        def call(*_: Any) -> None:
            widget = widget_of()
            if widget is not None and shiboken6.isValid(widget):
                getattr(widget, method)()

        _CALLS.append(call)
        self._tags.append((observed, observed.AddObserver(event, call)))

    def clear(self) -> None:
        for observed, tag in self._tags:
            observed.RemoveObserver(tag)
        self._tags.clear()


class _SceneWidget(qt.QWidget):
    """A widget that is given the scene."""

    mrmlSceneChanged = Signal(object)
    _scene: Any = None

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, qt.QWidget)])

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


@stand_in
class qMRMLWidget(_SceneWidget):
    """The base of most; passes the scene on through connections of a .ui file."""

    def mrmlScene(self) -> Any:
        return self._scene


@stand_in
class qSlicerWidget(_SceneWidget):
    """The base of module widgets."""


@stand_in
class qMRMLNodeComboBox(qt.QWidget):
    """A list of the scene's nodes of some types."""

    currentNodeChanged = Signal(object)
    _validity = Signal(bool)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    currentNodeRenamed = Signal(str)
    _cpp_signals = {"currentNodeChanged(bool)": "_validity"}  # noqa: RUF012

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, qt.QWidget)])
        self._scene: Any = None
        self._ids: list[str] = []
        self._current = ""
        self._attributes: dict[tuple[str, str], Any] = {}
        self._labels: dict[str, str] = {}
        self._of_scene, self._of_nodes = Observations(self), Observations(self)
        self._box = qt.QComboBox()
        self._box.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
        row(self).addWidget(self._box)
        self._box.currentIndexChanged.connect(self._chosen)
        self._box.activated.connect(lambda _: self.nodeActivated.emit(self.currentNode()))

    def _property_changed(self, name: str) -> None:
        self._fill()

    nodeTypes = stored("QStringList", "nodeTypes", [])
    hideChildNodeTypes = stored("QStringList", "hideChildNodeTypes", [])
    showChildNodeTypes = stored(bool, "showChildNodeTypes", True)
    showHidden = stored(bool, "showHidden", False)
    noneEnabled = stored(bool, "noneEnabled", False)
    noneDisplay = stored(str, "noneDisplay", "None")
    addEnabled = stored(bool, "addEnabled", True)
    removeEnabled = stored(bool, "removeEnabled", True)
    editEnabled = stored(bool, "editEnabled", False)
    renameEnabled = stored(bool, "renameEnabled", False)
    baseName = stored(str, "baseName", "")
    selectNodeUponCreation = stored(bool, "selectNodeUponCreation", True)

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        self._of_scene.clear()
        self._scene = scene
        if scene is not None:
            for name in ("NodeAdded", "NodeRemoved", "EndClose", "EndImport", "EndBatchProcess"):
                self._of_scene.add(scene, getattr(scene, f"{name}Event"), "_fill")
        self._fill()

    def mrmlScene(self) -> Any:
        return self._scene

    def addAttribute(self, node_type: str, name: str, value: Any = None) -> None:
        """Only nodes of the type with this attribute, or this value of it, are listed."""
        self._attributes[node_type, name] = value
        self._fill()

    def removeAttribute(self, node_type: str, name: str) -> None:
        self._attributes.pop((node_type, name), None)
        self._fill()

    def currentNode(self) -> Any:
        return self._scene.GetNodeByID(self._current) if self._scene and self._current else None

    @Slot(object)
    def setCurrentNode(self, node: Any) -> None:
        self.setCurrentNodeID(node if isinstance(node, str) else node.GetID() if node else "")

    @Slot(str)
    def setCurrentNodeID(self, node_id: str) -> None:
        wanted = node_id or ""
        self._box.setCurrentIndex(self._ids.index(wanted) if wanted in self._ids else -1)

    def setCurrentNodeIndex(self, index: int) -> None:
        self._box.setCurrentIndex(index + int(self.noneEnabled))

    currentNodeID = Property(str, lambda self: self._current, setCurrentNodeID)
    currentNodeId = Property(str, lambda self: self._current, setCurrentNodeID)

    def nodeCount(self) -> int:
        return len([node_id for node_id in self._ids if node_id])

    def nodeFromIndex(self, index: int) -> Any:
        return self._scene.GetNodeByID([node_id for node_id in self._ids if node_id][index])

    def nodeTypeLabel(self, node_type: str) -> str:
        return self._labels.get(node_type, node_type)

    def setNodeTypeLabel(self, label: str, node_type: str) -> None:
        self._labels[node_type] = label

    def addNode(self, node_type: str = "") -> Any:
        name = self._scene.GenerateUniqueName(self.baseName or "node")
        node = self._scene.AddNewNodeByClass(node_type or self.nodeTypes[0], name)
        if self.selectNodeUponCreation:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        if (node := self.currentNode()) is not None:
            self._scene.RemoveNode(node)

    def _lists(self, node: Any) -> bool:
        if node.GetHideFromEditors() and not self.showHidden:
            return False
        if any(node.IsA(hidden) for hidden in self.hideChildNodeTypes):
            return False
        kind = next((t for t in self.nodeTypes if self._is_of(node, t)), None)
        return kind is not None and all(
            node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name))
            for (node_type, name), value in self._wanted_attributes()
            if node_type == kind
        )

    def _is_of(self, node: Any, node_type: str) -> bool:
        same = node.GetClassName() == node_type
        return same or bool(self.showChildNodeTypes and node.IsA(node_type))

    def _wanted_attributes(self) -> Any:
        return [(k, None if v is None else str(v)) for k, v in self._attributes.items()]

    def _fill(self) -> None:
        scene = self._scene
        if scene is not None and (scene.IsClosing() or scene.IsBatchProcessing()):
            return
        count = scene.GetNumberOfNodes() if scene is not None else 0
        nodes = [scene.GetNthNode(index) for index in range(count)]
        nodes = [node for node in nodes if self._lists(node)]
        ids = ([""] if self.noneEnabled else []) + [node.GetID() for node in nodes]
        self._of_nodes.clear()
        for node in nodes:
            self._of_nodes.add(node, _MODIFIED, "_renamed")
        before = self._ids.index(self._current) if self._current in self._ids else -1
        if self._current not in ids or (not self._current and not self.noneEnabled):
            # As a QComboBox whose chosen row goes: the one that comes into its place.
            self._current = ids[max(0, min(before, len(ids) - 1))] if ids else ""
            changed = True
        else:
            changed = False
        blocked = self._box.blockSignals(True)
        self._box.clear()
        self._box.addItems([self.noneDisplay] * int(self.noneEnabled))
        self._box.addItems([node.GetName() for node in nodes])
        self._ids = ids
        self._box.setCurrentIndex(ids.index(self._current) if self._current in ids else -1)
        self._box.blockSignals(blocked)
        if changed:
            self._tell()

    def _renamed(self) -> None:
        for index, node_id in enumerate(self._ids):
            node = self._scene.GetNodeByID(node_id) if node_id else None
            if node is not None and node.GetName() != self._box.itemText(index):
                self._box.setItemText(index, node.GetName())
                if node_id == self._current:
                    self.currentNodeRenamed.emit(node.GetName())

    def _chosen(self, index: int) -> None:
        chosen = self._ids[index] if 0 <= index < len(self._ids) else ""
        if chosen != self._current:
            self._current = chosen
            self._tell()

    def _tell(self) -> None:
        node = self.currentNode()
        self.currentNodeChanged.emit(node)
        self._validity.emit(node is not None)
        self.currentNodeIDChanged.emit(self._current)


@stand_in
class qMRMLSliderWidget(ctkSliderWidget):
    """A slider that would take its unit from the scene."""

    _scene: Any = None
    quantity = stored(str, "quantity", "")
    unitAwareProperties = stored(int, "unitAwareProperties", 0)

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        self._scene = scene

    def mrmlScene(self) -> Any:
        return self._scene

    @Slot(str)
    def setQuantity(self, quantity: str) -> None:
        self.quantity = quantity


@stand_in
class qMRMLSegmentationShow3DButton(ctkMenuButton):
    """Makes the closed surfaces of a segmentation and shows them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, qt.QWidget)])
        self._segmentation: Any = None
        self.setText("Show 3D")
        self.setCheckable(True)
        self.toggled.connect(self._show)

    locked = stored(bool, "locked", False)

    def segmentationNode(self) -> Any:
        return self._segmentation

    @Slot(object)
    def setSegmentationNode(self, node: Any) -> None:
        self._segmentation = node
        self.setEnabled(node is not None)

    def setLocked(self, locked: bool) -> None:
        self.locked = locked

    def _show(self, shown: bool) -> None:
        node = self._segmentation
        if node is None or self.locked:
            return
        if shown:
            node.CreateClosedSurfaceRepresentation()
        else:
            node.RemoveClosedSurfaceRepresentation()
