"""GliomaAI in 3D Slicer: glioma segmentation and assessment. Research use only."""

import importlib.util
import shutil
import sys
import time
import unittest
from collections.abc import Callable
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin


class GliomaAI(ScriptedLoadableModule):  # type: ignore[misc]
    """What Slicer shows of the module before it is opened."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("GliomaAI")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = ["Markups", "Segmentations", "SegmentEditor", "Volumes"]
        self.parent.contributors = ["GliomaAI contributors"]
        self.parent.helpText = _(
            "Segments gliomas in brain MR studies (T1, T1Gd, T2, FLAIR, any of them), measures "
            "them, lets you correct the mask and reassess, and exports report and segmentation. "
            "Research use only: not a medical device."
        )
        self.parent.acknowledgementText = _(
            "The anatomical template is ICBM 152 (2009a), McConnell Brain Imaging Centre."
        )
        slicer.app.connect("startupCompleted()", register_layouts)


def register_layouts() -> None:
    """Makes the layouts known before the module is opened: a saved scene may ask for one of them,
    and a window that does not know it stays empty."""
    find_training_package()
    from GliomaAILib.scene import layout

    layout.register_layouts(slicer.mrmlScene)


class GliomaAIWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):  # type: ignore[misc]
    """The module's panel in Slicer's life cycle."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.panel: Any = None

    def setup(self) -> None:
        """Called once, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        find_training_package()
        from GliomaAILib.panels.main_panel import MainPanel
        from GliomaAILib.worker.client import Worker
        from GliomaAILib.worker.launch import worker_command, worker_environment

        scene = slicer.mrmlScene
        worker, scout = (Worker(worker_command(), worker_environment()) for _ in range(2))
        self.panel = MainPanel(self.layout, scene, worker, scout)
        for event, method in (
            (scene.StartCloseEvent, self.onSceneStartClose),
            (scene.EndCloseEvent, self.onSceneEndClose),
            (scene.StartImportEvent, self.onSceneStartClose),
            (scene.EndImportEvent, self.onSceneEndClose),
        ):
            self.addObserver(scene, event, method)
        # A module that is reloaded is not entered again; a parent that is no module's has no such.
        if getattr(self.parent, "isEntered", False):
            self.panel.enter()

    def enter(self) -> None:
        """Called each time the module is opened."""
        if self.panel is not None:  # where it could not be set up, Slicer has said why
            self.panel.enter()

    def exit(self) -> None:
        """Called each time another module is opened."""
        if self.panel is not None:
            self.panel.leave()

    def cleanup(self) -> None:
        """Called when Slicer closes, or the module is reloaded."""
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()
            self.panel = None

    def onReload(self) -> None:  # noqa: N802 - Slicer's names
        """The developer's Reload: the package is read again, not this file alone."""
        for name in [name for name in sys.modules if name.split(".")[0] == "GliomaAILib"]:
            del sys.modules[name]
        ScriptedLoadableModuleWidget.onReload(self)

    def onSceneStartClose(self, _caller: Any, _event: Any) -> None:  # noqa: N802
        """The scene is about to lose its nodes, or to get others."""
        self.panel.let_go()

    def onSceneEndClose(self, _caller: Any, _event: Any) -> None:  # noqa: N802
        """The scene is empty, or has the nodes of a file."""
        if self.parent.isEntered:
            self.panel.enter()


def find_training_package() -> None:
    """Lets `gliomaai_training` be imported when the module runs from the source tree."""
    if importlib.util.find_spec("gliomaai_training") is None:
        sys.path.append(str(Path(__file__).resolve().parents[1] / "GliomaAITraining"))


class GliomaAITest(ScriptedLoadableModuleTest):  # type: ignore[misc]
    """What only a real Slicer can tell, on a synthetic patient that is made on the spot."""

    def setUp(self) -> None:
        """An empty scene with the module in front."""
        slicer.mrmlScene.Clear(False)
        slicer.util.selectModule("GliomaAI")
        self.panel = slicer.modules.GliomaAIWidget.panel

    def runTest(self, **_options: Any) -> None:  # noqa: N802 - Slicer's name
        """The developer's "Reload and Test"; `slicer.testing` runs each test by itself."""
        self.setUp()
        try:
            self.test_synthetic_patient()
        except unittest.SkipTest as skipped:
            self.delayDisplay(str(skipped))

    def test_synthetic_patient(self) -> None:
        """Make, run, correct, reassess, restore, export."""
        review = self.panel.review
        if review.missing is not None:
            self.skipTest(str(review.missing))
        review.open_sample()
        self.wait_until(lambda: review.state.work is None)
        self.assertTrue(review.state.commands["run"].enabled)
        review.run()
        self.wait_until(lambda: review.state.work is None)
        self.assertTrue(review.state.has_result, str(review.state.outcome))
        self.erase_enhancing_tumour()
        self.wait_until(lambda: review.state.out_of_date)
        review.reassess()
        self.wait_until(lambda: review.state.work is None)
        self.assertTrue(review.state.corrected)
        review.restore_network_mask()
        self.assertFalse(review.state.corrected)
        self.export(review)

    def erase_enhancing_tumour(self) -> None:
        """An edit as the Segment Editor makes it."""
        (node,) = [
            node
            for node in slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
            if not node.GetHideFromEditors()
        ]
        mask = slicer.util.arrayFromSegmentBinaryLabelmap(node, "ET")
        slicer.util.updateSegmentBinaryLabelmapFromArray(0 * mask, node, "ET")

    def export(self, review: Any) -> None:
        """Everything into one folder."""
        from GliomaAILib.review.export import ExportRequest

        folder = Path(slicer.app.temporaryPath) / "GliomaAI export"
        shutil.rmtree(folder, ignore_errors=True)
        kinds = ("html", "pdf", "nifti", "json", "seg.nrrd", "stl", "mrb", "csv")
        review.export(ExportRequest(folder, "case", kinds))
        self.wait_until(lambda: review.state.work is None)
        self.assertGreater(len(list((folder / "case").iterdir())), len(kinds) - 2)

    def wait_until(self, so: Callable[[], bool], timeout_s: float = 300.0) -> None:
        """Lets Slicer work until something is so."""
        end_s = time.monotonic() + timeout_s
        while not so():
            self.assertLess(time.monotonic(), end_s, "it takes too long")
            slicer.app.processEvents()
            time.sleep(0.01)
