"""The module on the bench as a user has it before him, with the real worker process."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from bench import application, look  # the bench first: it sets PySide6 up

from GliomaAILib.worker.client import Worker
from GliomaAILib.worker.protocol import Event, StageProgress

MODULE = Path(__file__).resolve().parents[1] / "GliomaAI" / "GliomaAI.py"
PATIENCE_S = 300.0
"""For what has to happen, on a machine however busy."""


class HeardWorker(Worker):
    """The real worker; what it tells is kept, and it can be killed at a stage."""

    kill_at = ""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.stages: list[str] = []

    def poll(self) -> list[Event]:
        events = super().poll()
        for event in events:
            if isinstance(event, StageProgress):
                self.stages.append(event.stage)
                if event.stage == self.kill_at:
                    self.kill_at = ""
                    os.killpg(self.process_id, signal.SIGKILL)
        return events

    @property
    def process_id(self) -> int:
        """Of the worker's process, which leads its group."""
        if self._process is None:
            raise RuntimeError("no worker runs")
        return self._process._process.pid


class Front:
    """One module, entered; scenes and cases come and go in it."""

    def __init__(self, worker: Callable[..., Any] = HeardWorker) -> None:
        """Starts the application and opens the module; no worker runs yet.

        Args:
            worker: makes what stands in for the worker, from the arguments of `Worker`.
        """
        import slicer

        self.slicer = slicer
        application.start()
        self._patch = mock.patch("GliomaAILib.worker.client.Worker", worker)
        self._patch.start()  # until the end: a reload makes another worker
        begin_s = time.perf_counter()
        self.module = application.load_module(MODULE)
        self.worker: Any = self.panel._worker
        self.module.enter()
        self.entered_after_s = time.perf_counter() - begin_s

    @property
    def scene(self) -> Any:
        return self.slicer.mrmlScene

    @property
    def panel(self) -> Any:
        return self.module.widget.panel

    @property
    def state(self) -> Any:
        return self.panel.review.state

    @property
    def desk(self) -> Any:
        """Scene and views of the case that is shown."""
        return self.panel._desk

    def section(self, name: str) -> Any:
        """A section of the panel by the name of its class."""
        (found,) = [one for one in self.panel._panels if type(one).__name__ == name]
        return found

    def widget(self, name: str) -> Any:
        found = self.module.widget_parent.findChildren("QWidget", name)
        (widget,) = [one for one in found if one.objectName == name]
        return widget

    def notices(self, name: str) -> str:
        """The visible sentences of a list of notices, one a line."""
        labels = self.widget(name).findChildren("QLabel")
        return "\n".join(label.text for label in labels if label.text)

    def at_rest(self) -> bool:
        """Nothing is under way, and nothing is due."""
        return self.state.work is None and not self.panel.review._due

    def wait(self, until: Callable[[], bool] | None = None) -> None:
        look.drive(until or self.at_rest, PATIENCE_S)

    def clear(self) -> None:
        """The user closes the scene."""
        self.scene.Clear(False)
        look.settle()

    def open(self, study: Path) -> None:
        """A study folder is dropped on the case panel."""
        self.wait()
        self.section("CasePanel")._open(study)
        self.wait()

    def click(self, name: str) -> None:
        """Presses a button that must be enabled, and forgets the stages that were told before."""
        button = self.widget(name)
        if not button.enabled:
            raise AssertionError(f"{name} is disabled: {button.toolTip}")
        self.worker.stages.clear()
        button.click()

    def done(self, name: str) -> None:
        """Presses a button and waits until what it began has ended."""
        self.click(name)
        self.wait()

    def run(self) -> None:
        """Runs the analysis to its result."""
        self.done("runButton")
        if not self.state.has_result:
            raise AssertionError(f"no result: {self.state.outcome}")

    def until_stage(self, stage: str) -> None:
        """Waits until the worker tells of a stage."""
        self.wait(lambda: stage in self.worker.stages or self.state.work is None)

    def paint(self, box: tuple[slice, slice, slice], segment: str) -> None:
        """What a brush of the Segment Editor does: voxels (k, j, i) of the reference go to a
        segment and leave the others."""
        import numpy as np

        from GliomaAILib.scene.arrays import local_ijk_to_ras
        from GliomaAILib.scene.label_maps import label_map

        slicer, scene = self.slicer, self.desk.scene
        self.widget("segmentEditor").saveStateForUndo()
        shape = tuple(part.stop - part.start for part in box)
        matrix = local_ijk_to_ras(scene.reference)
        modifier = label_map(np.ones(shape, np.uint8), box, matrix)
        logic = slicer.vtkSlicerSegmentEditorLogic()
        logic.SetMRMLScene(self.scene)
        logic.SetSegmentEditorNode(self.widget("segmentEditor").mrmlSegmentEditorNode())
        logic.ModifySegmentByLabelmap(
            scene.segmentation, segment, modifier, logic.ModificationModeAdd, False, False
        )
        self.wait(lambda: self.state.out_of_date)
        self.wait()

    def close(self) -> None:
        """Slicer ends."""
        self.module.close()
        self._patch.stop()
