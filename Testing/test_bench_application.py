"""The bench's application: modules live in it as in Slicer, are looked at and driven."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench_makers import (
    add_volume,
    application,
    dialogs,
    fresh_application,
    look,
    pythonqt,
    qt,
    slicer,
)

UI = """<?xml version="1.0" encoding="UTF-8"?>
<ui version="4.0">
 <class>Sample</class>
 <widget class="qMRMLWidget" name="Sample">
  <layout class="QVBoxLayout">
   <item>
    <widget class="ctkCollapsibleButton" name="inputs">
     <property name="text"><string>Inputs</string></property>
     <layout class="QFormLayout">
      <item row="0" column="1">
       <widget class="qMRMLNodeComboBox" name="volume">
        <property name="nodeTypes">
         <stringlist><string>vtkMRMLScalarVolumeNode</string></stringlist>
        </property>
        <property name="noneEnabled"><bool>true</bool></property>
       </widget>
      </item>
      <item row="1" column="1">
       <widget class="ctkSliderWidget" name="threshold">
        <property name="maximum"><double>500.0</double></property>
        <property name="value"><double>100.0</double></property>
       </widget>
      </item>
     </layout>
    </widget>
   </item>
   <item>
    <widget class="QPushButton" name="apply">
     <property name="enabled"><bool>false</bool></property>
     <property name="text"><string>Apply</string></property>
    </widget>
   </item>
  </layout>
 </widget>
 <connections>
  <connection>
   <sender>Sample</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
   <receiver>volume</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot>
  </connection>
 </connections>
</ui>
"""


SAMPLE = """
import qt, slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import *
from slicer.util import VTKObservationMixin


class Sample(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        parent.title = _("Sample")
        parent.categories = ["Segmentation"]


class SampleWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    def __init__(self, parent=None):
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.told = ["constructed"]

    def setup(self):
        ScriptedLoadableModuleWidget.setup(self)
        widget = slicer.util.loadUI(self.resourcePath("UI/Sample.ui"))
        self.layout.addWidget(widget)
        self.ui = slicer.util.childWidgetVariables(widget)
        widget.setMRMLScene(slicer.mrmlScene)
        self.logic = SampleLogic()
        self.ui.volume.connect("currentNodeChanged(vtkMRMLNode*)", self.chosen)
        self.ui.apply.connect("clicked(bool)", self.run)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.closing)
        self.told.append("setup")

    def chosen(self, node):
        self.ui.apply.enabled = node is not None

    def run(self):
        if slicer.util.confirmOkCancelDisplay("Really?"):
            self.told.append(self.ui.volume.currentNode().GetName())

    def closing(self, caller, event):
        self.told.append("closing")

    def enter(self):
        self.told.append("enter")

    def exit(self):
        self.told.append("exit")

    def cleanup(self):
        self.removeObservers()
        self.told.append("cleanup")


class SampleLogic(ScriptedLoadableModuleLogic):
    pass
"""


@pytest.fixture(autouse=True)
def app() -> Iterator[Any]:
    yield from fresh_application()


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Any]:
    """A small module with a .ui file, loaded."""
    (tmp_path / "Resources" / "UI").mkdir(parents=True)
    (tmp_path / "Resources" / "UI" / "Sample.ui").write_text(UI, "utf-8")
    (tmp_path / "Sample.py").write_text(SAMPLE, "utf-8")
    loaded = application.load_module(tmp_path / "Sample.py")
    yield loaded
    sys.path.remove(str(tmp_path))


def test_a_module_lives_as_in_slicer(sample: Any) -> None:
    widget = sample.widget
    sample.enter()
    assert sample.widget_parent.isEntered
    volume = add_volume("T1 of a patient")
    assert not widget.ui.apply.enabled
    widget.ui.volume.setCurrentNode(volume)
    assert widget.ui.apply.enabled
    widget.ui.apply.click()
    dialogs.answers.append(True)
    widget.ui.apply.click()
    slicer.mrmlScene.Clear()
    sample.close()
    told = ["constructed", "setup", "enter", "T1 of a patient", "closing", "exit", "cleanup"]
    assert widget.told == told
    assert pythonqt.unknown_classes == set()
    assert slicer.modules.sample.title == "Sample"


def test_a_module_is_reloaded(sample: Any) -> None:
    before = sample.widget
    sample.enter()
    sample.reload()
    assert before.told[-2:] == ["enter", "cleanup"]
    assert sample.widget.told == ["constructed", "setup"]
    assert sample.widget_parent.isEntered
    sample.close()


def test_a_module_says_only_what_slicer_knows(sample: Any) -> None:
    with pytest.raises(AttributeError):
        sample.parent.category = "Segmentation"
    sample.close()


def test_an_unknown_widget_of_a_ui_file_is_recorded(tmp_path: Path) -> None:
    file = tmp_path / "odd.ui"
    file.write_text(UI.replace("QPushButton", "qMRMLOddWidget"), "utf-8")
    slicer.util.loadUI(str(file))
    assert pythonqt.unknown_classes == {"qMRMLOddWidget"}
    pythonqt.unknown_classes.clear()


def test_a_logic_keeps_one_node() -> None:
    module = importlib.import_module("slicer.ScriptedLoadableModule")
    logic = type("OneLogic", (module.ScriptedLoadableModuleLogic,), {})()
    node = logic.getParameterNode()
    assert logic.getParameterNode() is node
    assert node.GetAttribute("ModuleName") == "One"


def test_the_layout_manager_has_slice_views(app: Any) -> None:
    manager = app.layoutManager()
    manager.setLayout(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    assert sorted(manager.sliceViewNames()) == ["Green", "Red", "Yellow"]
    composite = manager.sliceWidget("Red").mrmlSliceCompositeNode()
    composite.SetBackgroundVolumeID(add_volume().GetID())
    manager.resetSliceViews()
    assert manager.layout == slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView


def mean_grey(file: Path) -> float:
    image = qt.QImage(str(file))
    points = [(x, y) for x in range(0, image.width(), 7) for y in range(0, image.height(), 7)]
    return sum(qt.QColor(image.pixel(*point)).lightness() for point in points) / len(points)


def test_pictures_are_light_and_dark(sample: Any, tmp_path: Path) -> None:
    panel = sample.widget_parent
    light = look.screenshot(panel, tmp_path / "out" / "light.png", size_px=(320, 200))
    dark = look.screenshot(panel, tmp_path / "out" / "dark.png", dark=True)
    assert mean_grey(dark) < 100 < 180 < mean_grey(light)
    assert qt.QImage(str(light)).width() == 320
    assert not panel.visible
    sample.close()


def test_the_heartbeat_sees_a_loop_that_stands_still() -> None:
    sleep = importlib.import_module("time").sleep
    done: list[int] = []
    qt.QTimer.singleShot(0, lambda: (sleep(0.2), done.append(1)))
    with look.Heartbeat() as heart:
        look.drive(lambda: bool(done))
    assert heart.longest_gap_ms >= 200


def test_driving_ends_in_time_and_at_an_error() -> None:
    with pytest.raises(TimeoutError):
        look.drive(lambda: False, timeout_s=0.05)
    qt.QTimer.singleShot(0, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        look.drive(lambda: False, timeout_s=5)
    pythonqt.slot_errors.clear()


def test_many_calls_do_not_end_the_process() -> None:
    """Before Python 3.12, PySide6 loses a reference to None with each call."""
    label = qt.QLabel()
    for _ in range(20_000):
        label.text = "x"
    assert label.text == "x"
