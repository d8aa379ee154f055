"""Correction by hand: the Segment Editor inside the module, and what the correction changes."""

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from GliomaAILib.panels.build import button, enable, row, section, text, words
from GliomaAILib.panels.desk import Desk, Panel
from GliomaAILib.review.state import ReviewState
from GliomaAILib.scene.editor import editor_node

EFFECTS = ("Paint", "Erase", "Threshold", "Islands", "Smoothing", "Scissors", "Draw")
"""In the order of use; the rest of the Segment Editor's effects follow."""


class CorrectionPanel(Panel):
    """The editor, Reassess, Restore, and the audit."""

    def __init__(self, scene: Any) -> None:
        """Builds the section; `scene` is the MRML scene that the editor works in."""
        self._shown: Any = None
        self._in_front = False
        self.widget, layout = section(_("Correction"), collapsed=True)
        self._stale = text(name="outOfDateText")
        layout.addWidget(self._stale)
        self._reassess = button(_("Reassess"), "", self.given(lambda d: d.review.reassess()))
        self._reassess.objectName = "reassessButton"
        self._restore = button(
            _("Restore AI mask"),
            "",
            self.given(lambda d: d.review.restore_network_mask()),
        )
        self._restore.objectName = "restoreButton"
        layout.addLayout(row(self._reassess, self._restore))
        self._compare = qt.QCheckBox(_("Show the outline of the AI mask"))
        self._compare.objectName = "compareBox"
        self._compare.toolTip = _("Compare your mask with the one that the network drew")
        self._compare.connect("toggled(bool)", self._compared)
        layout.addWidget(self._compare)
        self._audit = text(name="auditText")
        layout.addWidget(self._audit)
        self._editor = self._built_editor(scene)
        layout.addWidget(self._editor)

    def bind(self, desk: Desk | None) -> None:
        super().bind(desk)
        self._shown = None
        self._editor.setSegmentationNode(None)
        if desk is None:
            self._let_go()
        elif self._in_front:
            self._take_up()

    def enter(self) -> None:
        """The module comes to the front."""
        self._in_front = True
        self._take_up()

    def leave(self) -> None:
        """The module goes to the back: no effect stays active behind it."""
        self._in_front = False
        self._let_go()

    def _take_up(self) -> None:
        """Views and keys are the editor's."""
        self._editor.setupViewObservations()
        if slicer.util.mainWindow() is not None:  # which has the keys
            self._editor.installKeyboardShortcuts()

    def _let_go(self) -> None:
        self._editor.setActiveEffect(None)
        self._editor.uninstallKeyboardShortcuts()
        self._editor.removeViewObservations()

    def save_state(self) -> None:
        """Makes what comes next one step that the editor can undo."""
        self._editor.saveStateForUndo()

    def draw(self, state: ReviewState) -> None:
        enable(self._reassess, state.commands["reassess"])
        enable(self._restore, state.commands["restore"])
        self._stale.visible = state.out_of_date
        if state.out_of_date:
            self._stale.text = "⚠ " + _(
                "Out of date: mask or clinical facts were changed. Press Reassess."
            )
        self._compare.enabled = state.has_result
        self._audit.text = "\n".join(words(line) for line in state.audit)
        self._audit.visible = bool(state.audit)
        self._editor.enabled = state.has_result and state.work is None
        self._edit(state)

    def _edit(self, state: ReviewState) -> None:
        """Gives the editor the mask; with each new run, so that Undo does not reach behind it."""
        if self._desk is None:
            return
        node = self._desk.scene.segmentation if state.has_result else None
        shown = None if node is None else (node.GetID(), state.analysis)
        if shown == self._shown:
            return
        self._shown = shown
        self._editor.setSegmentationNode(None)
        if node is not None:
            self._editor.setSegmentationNode(node)
            self._editor.setSourceVolumeNode(self._desk.scene.reference)

    def _built_editor(self, scene: Any) -> Any:
        editor = slicer.qMRMLSegmentEditorWidget()
        editor.objectName = "segmentEditor"
        editor.maximumNumberOfUndoStates = 20
        editor.autoShowSourceVolumeNode = False  # the views show the four sequences already
        editor.setMRMLSegmentEditorNode(
            editor_node(scene)
        )  # before the scene, or the editor makes its own
        editor.setMRMLScene(scene)
        editor.setEffectNameOrder(list(EFFECTS))
        editor.segmentationNodeSelectorVisible = False
        editor.sourceVolumeNodeSelectorVisible = False
        editor.addRemoveSegmentButtonsVisible = False
        editor.switchToSegmentationsButtonVisible = False
        for table in editor.findChildren("QTableView"):
            table.tabKeyNavigation = False  # or Tab would never leave it
        return editor

    def _compared(self, on: bool) -> None:
        if self._desk is not None:
            self._desk.views.network_outline = on
