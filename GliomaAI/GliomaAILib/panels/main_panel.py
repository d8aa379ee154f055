"""The module's panel: all sections, the case they show, and the timer that drives its review."""

from collections.abc import Callable, Mapping
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from GliomaAILib.panels.build import button, research_only, row, text
from GliomaAILib.panels.case_panel import CasePanel
from GliomaAILib.panels.correction_panel import CorrectionPanel
from GliomaAILib.panels.desk import Desk, Panel
from GliomaAILib.panels.export_panel import ExportPanel
from GliomaAILib.panels.result_panel import ResultPanel
from GliomaAILib.panels.risk_panel import RiskPanel
from GliomaAILib.panels.settings_panel import SettingsPanel
from GliomaAILib.panels.shortcuts import Shortcuts
from GliomaAILib.panels.status_panel import StatusPanel
from GliomaAILib.review.activity import WorkerPort
from GliomaAILib.review.devices import DeviceSearch
from GliomaAILib.review.review import Review
from GliomaAILib.review.state import ReviewState
from GliomaAILib.scene.case_node import MODULE_NAME, case_nodes, create_case, remove_empty_cases
from GliomaAILib.scene.mrml_scene import MRMLCaseScene
from GliomaAILib.scene.views import CaseViews

POLL_MS = 50
CASE_NODE = "vtkMRMLScriptedModuleNode"


class MainPanel:
    """Shows one case at a time; the worker goes from case to case."""

    def __init__(self, layout: Any, scene: Any, worker: WorkerPort, scout: WorkerPort) -> None:
        """Builds everything.

        Args:
            layout: of the module's widget.
            scene: the MRML scene.
            worker: idle; it is closed with the panel.
            scout: another one, which finds out what there is to compute on.
        """
        self._scene = scene
        self._desk: Desk | None = None
        self._entered = False
        self._worker = worker
        self._devices = DeviceSearch(scout)
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._poll)
        self._widget = qt.QWidget()
        layout.addWidget(self._widget)
        inside = qt.QVBoxLayout(self._widget)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(text(research_only(), "noticeText"))
        self._selector = self._case_selector(scene)
        new = button(
            _("New case"),
            _("Keep another patient or another date beside the cases of this scene"),
            lambda: self.show_case(create_case(scene, _("Glioma case"))),
        )
        new.objectName = "newCaseButton"
        self._new = new
        inside.addLayout(row(self._selector, new))
        self._correction = CorrectionPanel(scene)
        self._settings = SettingsPanel(self._settings_changed)
        self._risk, result = RiskPanel(), ResultPanel()
        # The views have room for one overlay: where one comes, the other has gone.
        self._risk.explanation.overlay_changed = result.read_overlay
        result.overlay_changed = self._risk.explanation.read_overlay
        self._panels: tuple[Panel, ...] = (
            StatusPanel(),
            CasePanel(scene),
            result,
            self._correction,
            self._risk,
            ExportPanel(),
            self._settings,
        )
        for panel in self._panels:
            inside.addWidget(panel.widget)
            panel.bind(None)
        inside.addStretch(1)
        self._shortcuts = Shortcuts(self._keys())

    @property
    def review(self) -> Review | None:
        """The review of the case that is shown."""
        return None if self._desk is None else self._desk.review

    def enter(self) -> None:
        """The module comes to the front; where the scene has no case, it gets one."""
        self._entered = True
        if self._desk is None:
            remove_empty_cases(self._scene)
            nodes = case_nodes(self._scene)
            self.show_case(nodes[-1] if nodes else create_case(self._scene, _("Glioma case")))
        self._correction.enter()
        self._shortcuts.install()
        self._look_for_devices()
        self._timer.start()

    def let_go(self) -> None:
        """The scene is about to change as a whole; `enter` takes it up again."""
        self._entered = False
        self.show_case(None)

    def leave(self) -> None:
        """The module goes to the back; what is under way goes on."""
        self._shortcuts.remove()
        self._correction.leave()

    def show_case(self, node: Any) -> None:
        """Shows another case, or none; what is under way for the one before is stopped."""
        if self._desk is not None:
            if node is not None and self._desk.scene.node.GetID() == node.GetID():
                return
            self._desk.review.close()
        self._desk = None if node is None else self._desk_of(node)
        for panel in self._panels:
            panel.bind(self._desk)
        if self._selector.currentNodeID != ("" if node is None else node.GetID()):
            self._selector.setCurrentNode(node)
        if self._desk is not None:
            self._desk.review.listen(self._draw)

    def close(self) -> None:
        """Lets go of everything: the scene, the worker, the timer.

        The widgets go too: on a reload Slicer only hides them, and they would go on following the
        scene.
        """
        self._entered = False
        self._timer.stop()
        self._timer.disconnect("timeout()", self._poll)
        self._shortcuts.remove()
        self.show_case(None)
        self._widget.deleteLater()
        self._settings.installation.close()
        self._devices.close()
        self._worker.close()

    def _keys(self) -> Mapping[str, Callable[[], None]]:
        """What each key does, to the case that is shown; a language may have other keys."""
        given = self._correction.given  # every panel has the same case
        return {
            _("Alt+R"): given(lambda desk: desk.review.run()),
            _("Alt+A"): given(lambda desk: desk.review.reassess()),
            _("Alt+1"): given(lambda desk: desk.views.show_key_image("axial")),
            _("Alt+2"): given(lambda desk: desk.views.show_key_image("coronal")),
            _("Alt+3"): given(lambda desk: desk.views.show_key_image("sagittal")),
        }

    def _desk_of(self, node: Any) -> Desk:
        scene = MRMLCaseScene(node)
        scene.save_state = self._correction.save_state
        review = Review(scene, self._worker, self._settings.settings())
        review.missing = self._settings.installation.problem
        return Desk(review, scene, CaseViews(node))

    def _case_selector(self, scene: Any) -> Any:
        selector = slicer.qMRMLNodeComboBox()
        selector.objectName = "caseSelector"
        selector.nodeTypes = [CASE_NODE]
        selector.addAttribute(CASE_NODE, "ModuleName", MODULE_NAME)
        selector.baseName = _("Glioma case")
        selector.addEnabled = False
        selector.renameEnabled = True
        selector.removeEnabled = True
        selector.noneEnabled = False
        selector.toolTip = _("The case that is shown; a scene can hold several")
        selector.accessibleName = _("Case")
        selector.setMRMLScene(scene)
        selector.connect("currentNodeChanged(vtkMRMLNode*)", self._selected)
        return selector

    def _selected(self, node: Any) -> None:
        # While a scene is closed or opened, the selector wanders from node to node.
        if self._entered:
            self.show_case(node)

    def _settings_changed(self) -> None:
        if self._desk is not None:
            self._desk.review.settings = self._settings.settings()
            self._desk.review.missing = self._settings.installation.problem
        self._look_for_devices()

    def _look_for_devices(self) -> None:
        """Asks once everything is installed; the settings say what is known."""
        if self._entered and self._settings.installation.problem is None:
            self._devices.begin()
        self._draw_devices()

    def _draw_devices(self) -> None:
        self._settings.draw_devices(self._devices.lines(self._settings.settings().device))

    def _poll(self) -> None:
        if self._devices.poll():
            self._draw_devices()
        if self._desk is not None:
            self._desk.review.poll()
        # Widgets get the colours of a new theme one by one, some time after the application's
        # signal, and a style sheet may change them without any.
        if self._desk is not None and self._risk.has_other_theme:
            self._risk.draw(self._desk.review.state)

    def _draw(self, state: ReviewState) -> None:
        # Another case would end what is under way for this one.
        self._selector.enabled = self._new.enabled = state.work is None
        for panel in self._panels:
            panel.draw(state)
