# ruff: noqa: N801, N802, N815 - the names are those of CTK and Slicer.
"""Stand-ins for the Segment Editor and the table of segments, over real segmentations."""

from typing import Any

import slicer
from PySide6.QtCore import Property, QItemSelection, Signal, Slot

from bench.mrml_widgets import Observations, qMRMLWidget, stand_in
from bench.pythonqt import qt
from bench.widgets import stored

EFFECTS = (
    "Threshold", "Paint", "Draw", "Erase", "Level tracing", "Grow from seeds",
    "Fill between slices", "Margin", "Hollow", "Smoothing", "Scissors", "Islands",
    "Logical operators", "Mask volume",
)  # fmt: skip


def calls(widget: Any) -> list[str]:
    """What was asked of a Segment Editor that leaves no trace here, in order."""
    return list(widget.__dict__.setdefault("_calls", []))


@stand_in
class qMRMLSegmentsTableView(qMRMLWidget):
    """Names and colours of the segments."""

    selectionChanged = Signal(QItemSelection, QItemSelection)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._node: Any = None
        self._hidden: list[str] = []
        self._observations = Observations(self)
        self._table = qt.QTableWidget(0, 1)
        self._table.horizontalHeader().setStretchLastSection(True)
        self._table.setHorizontalHeaderLabels(["Name"])
        self._table.verticalHeader().hide()
        self._table.setSelectionBehavior(qt.QAbstractItemView.SelectRows)
        self._table.setMaximumHeight(130)
        layout = qt.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        self._table.selectionModel().selectionChanged.connect(self._selected)

    headerVisible = stored(bool, "headerVisible", True)
    visibilityColumnVisible = stored(bool, "visibilityColumnVisible", True)
    colorColumnVisible = stored(bool, "colorColumnVisible", True)
    opacityColumnVisible = stored(bool, "opacityColumnVisible", False)
    statusColumnVisible = stored(bool, "statusColumnVisible", False)
    layerColumnVisible = stored(bool, "layerColumnVisible", False)
    filterBarVisible = stored(bool, "filterBarVisible", False)
    readOnly = stored(bool, "readOnly", False)
    jumpToSelectedSegmentEnabled = stored(bool, "jumpToSelectedSegmentEnabled", False)
    selectionMode = stored(int, "selectionMode", 3)
    textFilter = stored(str, "textFilter", "")
    segmentCount = Property(int, lambda self: len(self._ids()))

    def _property_changed(self, name: str) -> None:
        if name == "headerVisible":
            self._table.horizontalHeader().setVisible(self.headerVisible)

    @Slot(object)
    def setSegmentationNode(self, node: Any) -> None:
        self._observations.clear()
        self._node = node
        if node is not None:
            for name in ("SegmentAdded", "SegmentRemoved", "SegmentModified"):
                event = getattr(slicer.vtkSegmentation, name)
                self._observations.add(node.GetSegmentation(), event, "_fill")
        self._fill()

    def segmentationNode(self) -> Any:
        return self._node

    def setHideSegments(self, ids: list[str]) -> None:
        self._hidden = list(ids)
        self._fill()

    def hideSegments(self) -> list[str]:
        return list(self._hidden)

    def displayedSegmentIDs(self) -> list[str]:
        return self._ids()

    def rowForSegmentID(self, segment_id: str) -> int:
        return self._ids().index(segment_id)

    def segmentIDForRow(self, row: int) -> str:
        return self._ids()[row]

    def selectedSegmentIDs(self) -> list[str]:
        rows = sorted({index.row() for index in self._table.selectedIndexes()})
        return [self._ids()[row] for row in rows]

    def setSelectedSegmentIDs(self, ids: list[str]) -> None:
        self._table.clearSelection()
        for segment_id in ids:
            self._table.selectRow(self.rowForSegmentID(segment_id))

    def clearSelection(self) -> None:
        self._table.clearSelection()

    def _ids(self) -> list[str]:
        if self._node is None:
            return []
        all_ids = self._node.GetSegmentation().GetSegmentIDs()
        return [segment_id for segment_id in all_ids if segment_id not in self._hidden]

    def _selected(self, *selection: Any) -> None:
        self.selectionChanged.emit(*selection)

    def _fill(self) -> None:
        ids = self._ids()
        self._table.setRowCount(len(ids))
        for index, segment_id in enumerate(ids):
            segment = self._node.GetSegmentation().GetSegment(segment_id)
            item = qt.QTableWidgetItem(segment.GetName())
            swatch = qt.QPixmap(14, 14)
            swatch.fill(qt.QColor.fromRgbF(*segment.GetColor()))
            item.setIcon(qt.QIcon(swatch))
            self._table.setItem(index, 0, item)


class _Effect(qt.QObject):
    """An effect: its parameters are kept in the editor's node, as the real ones do."""

    def __init__(self, name: str, editor: Any) -> None:
        super().__init__(editor)
        self._editor = editor
        self.__dict__["_name"] = name

    name = Property(str, lambda self: self.__dict__["_name"])

    def setParameter(self, name: str, value: Any) -> None:
        node = self._editor.mrmlSegmentEditorNode()
        node.SetAttribute(f"{self.name}.{name}", str(value))

    def parameter(self, name: str) -> str:
        return self._editor.mrmlSegmentEditorNode().GetAttribute(f"{self.name}.{name}") or ""


@stand_in
class qMRMLSegmentEditorWidget(qMRMLWidget):
    """The editor without its effects: nodes, choice of effect, undo and redo are real."""

    currentSegmentIDChanged = Signal(str)
    segmentationNodeChanged = Signal(object)
    sourceVolumeNodeChanged = Signal(object)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._node: Any = None
        self._order = list(EFFECTS)
        self._effects = {name: _Effect(name, self) for name in EFFECTS}
        self._history = slicer.vtkSegmentationHistory()
        self._table = qMRMLSegmentsTableView()
        self._buttons: dict[str, Any] = {}
        self._lay_out()

    readOnly = stored(bool, "readOnly", False)
    effectColumnCount = stored(int, "effectColumnCount", 2)
    maximumNumberOfUndoStates = stored(int, "maximumNumberOfUndoStates", 10)
    undoEnabled = stored(bool, "undoEnabled", True)
    unorderedEffectsVisible = stored(bool, "unorderedEffectsVisible", True)
    maskingSectionVisible = stored(bool, "maskingSectionVisible", True)
    addRemoveSegmentButtonsVisible = stored(bool, "addRemoveSegmentButtonsVisible", True)
    segmentationNodeSelectorVisible = stored(bool, "segmentationNodeSelectorVisible", True)
    sourceVolumeNodeSelectorVisible = stored(bool, "sourceVolumeNodeSelectorVisible", True)
    show3DButtonVisible = stored(bool, "show3DButtonVisible", True)
    specifyGeometryButtonVisible = stored(bool, "specifyGeometryButtonVisible", True)
    switchToSegmentationsButtonVisible = stored(bool, "switchToSegmentationsButtonVisible", True)
    autoShowSourceVolumeNode = stored(bool, "autoShowSourceVolumeNode", True)
    jumpToSelectedSegmentEnabled = stored(bool, "jumpToSelectedSegmentEnabled", False)

    @Slot(object)
    def setMRMLScene(self, scene: Any) -> None:
        if scene is not None and self._node is None:
            raise RuntimeError("setMRMLSegmentEditorNode comes before setMRMLScene")
        super().setMRMLScene(scene)

    @Slot(object)
    def setMRMLSegmentEditorNode(self, node: Any) -> None:
        self._node = node
        self.updateWidgetFromMRML()

    def mrmlSegmentEditorNode(self) -> Any:
        return self._node

    def segmentationNode(self) -> Any:
        return self._node.GetSegmentationNode() if self._node else None

    def sourceVolumeNode(self) -> Any:
        return self._node.GetSourceVolumeNode() if self._node else None

    @Slot(object)
    def setSegmentationNode(self, node: Any) -> None:
        self._needs_node().SetAndObserveSegmentationNode(node)
        self._history.SetSegmentation(node.GetSegmentation() if node else None)
        self._table.setSegmentationNode(node)
        ids = node.GetSegmentation().GetSegmentIDs() if node else ()
        self.setCurrentSegmentID(ids[0] if ids else "")
        self.segmentationNodeChanged.emit(node)

    @Slot(object)
    def setSourceVolumeNode(self, node: Any) -> None:
        self._needs_node().SetAndObserveSourceVolumeNode(node)
        self.sourceVolumeNodeChanged.emit(node)

    def currentSegmentID(self) -> str:
        return self._node.GetSelectedSegmentID() or "" if self._node else ""

    def setCurrentSegmentID(self, segment_id: str) -> None:
        self._needs_node().SetSelectedSegmentID(segment_id)
        self.currentSegmentIDChanged.emit(segment_id)

    def availableEffectNames(self) -> list[str]:
        return list(EFFECTS)

    def effectNameOrder(self) -> list[str]:
        return list(self._order)

    def setEffectNameOrder(self, order: list[str]) -> None:
        self._order = list(order)
        self.updateEffectList()

    def updateEffectList(self) -> None:
        for name, button in self._buttons.items():
            button.setVisible(name in self._order or self.unorderedEffectsVisible)

    def effectByName(self, name: str) -> Any:
        return self._effects.get(name)

    def activeEffect(self) -> Any:
        return self._effects.get(self._node.GetActiveEffectName()) if self._node else None

    def setActiveEffect(self, effect: Any) -> None:
        self._needs_node().SetActiveEffectName(effect.name if effect is not None else "")
        for name, button in self._buttons.items():
            button.setChecked(effect is not None and name == effect.name)

    @Slot(str)
    def setActiveEffectByName(self, name: str) -> None:
        if name and name not in self._effects:
            raise ValueError(f"there is no effect {name!r}")
        self.setActiveEffect(self._effects.get(name))

    def saveStateForUndo(self) -> None:
        self._history.SaveState()

    def undo(self) -> None:
        self._history.RestorePreviousState()

    def redo(self) -> None:
        self._history.RestoreNextState()

    def updateWidgetFromMRML(self) -> None:
        self._table.setSegmentationNode(self.segmentationNode())

    def setMaximumNumberOfUndoStates(self, count: int) -> None:
        self.maximumNumberOfUndoStates = count
        self._history.SetMaximumNumberOfStates(count)

    def setReadOnly(self, read_only: bool) -> None:
        self.readOnly = read_only

    def installKeyboardShortcuts(self, *_: Any) -> None:
        self._note("installKeyboardShortcuts")

    def uninstallKeyboardShortcuts(self) -> None:
        self._note("uninstallKeyboardShortcuts")

    def setupViewObservations(self) -> None:
        self._note("setupViewObservations")

    def removeViewObservations(self) -> None:
        self._note("removeViewObservations")

    def rotateSliceViewsToSegmentation(self) -> None:
        self._note("rotateSliceViewsToSegmentation")

    def _note(self, name: str) -> None:
        self.__dict__.setdefault("_calls", []).append(name)

    def _needs_node(self) -> Any:
        if self._node is None:
            raise RuntimeError("the editor has no node yet: call setMRMLSegmentEditorNode first")
        return self._node

    def _lay_out(self) -> None:
        layout, grid = qt.QVBoxLayout(self), qt.QGridLayout()
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._table)
        layout.addLayout(grid)
        for index, name in enumerate(EFFECTS):
            button = self._buttons[name] = qt.QToolButton()
            button.text, button.checkable = name, True
            button.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
            button.clicked.connect(lambda _=False, name=name: self.setActiveEffectByName(name))
            grid.addWidget(button, index // 3, index % 3)
        for column, (text, action) in enumerate((("Undo", self.undo), ("Redo", self.redo))):
            button = qt.QToolButton()
            button.text = text
            button.clicked.connect(lambda _=False, action=action: action())
            grid.addWidget(button, len(EFFECTS) // 3 + 1, column)
