"""The bench itself: it behaves like PythonQt, and its stand-ins bear only names of Slicer's."""

import importlib
import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

TESTING = Path(__file__).resolve().parent
API_FILE = TESTING.parents[1] / "shared" / "slicer-api.json"

for needed, package in (("PySide6", "PySide6-Essentials"), ("slicer", "slicer-core")):
    if find_spec(needed) is None:  # PySide6 itself must not be imported before the bench
        pytest.skip(f"the bench needs {package}", allow_module_level=True)
if str(TESTING) not in sys.path:
    sys.path.insert(0, str(TESTING))

application = importlib.import_module("bench.application")
look = importlib.import_module("bench.look")
pythonqt = importlib.import_module("bench.pythonqt")
dialogs = importlib.import_module("bench.dialogs").dialogs
segment_editor = importlib.import_module("bench.segment_editor")
qt, ctk = pythonqt.qt, pythonqt.ctk
slicer = importlib.import_module("slicer")

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
    """A fresh application; no slot may have ended with an error."""
    pythonqt.slot_errors.clear()
    yield application.start()
    errors = list(pythonqt.slot_errors)
    pythonqt.slot_errors.clear()
    assert errors == []


@pytest.fixture
def sample(tmp_path: Path) -> Iterator[Any]:
    """A small module with a .ui file, loaded."""
    (tmp_path / "Resources" / "UI").mkdir(parents=True)
    (tmp_path / "Resources" / "UI" / "Sample.ui").write_text(UI, "utf-8")
    (tmp_path / "Sample.py").write_text(SAMPLE, "utf-8")
    loaded = application.load_module(tmp_path / "Sample.py")
    yield loaded
    sys.path.remove(str(tmp_path))


def add_volume(name: str = "T1", kind: str = "vtkMRMLScalarVolumeNode") -> Any:
    return slicer.mrmlScene.AddNewNodeByClass(kind, name)


# PythonQt


def test_properties_are_attributes() -> None:
    button = qt.QPushButton("Run")
    assert button.text == "Run"
    button.text, button.enabled = "Stop", False
    assert (button.text, button.isEnabled()) == ("Stop", False)
    button.setEnabled(True)
    assert button.enabled


@pytest.mark.parametrize("name", ["text", "enabled", "width", "toolTip", "sizeHint"])
def test_a_property_cannot_be_called(name: str) -> None:
    button = qt.QPushButton("Run")
    with pytest.raises(TypeError):
        getattr(button, name)()


def test_lists_and_layouts_have_their_properties_too() -> None:
    box, outer = qt.QComboBox(), qt.QWidget()
    box.addItem("one", 1)
    box.addItem("two", 2)
    box.currentIndex = 1
    assert (box.count, box.currentText, box.currentData) == (2, "two", 2)
    layout = qt.QVBoxLayout(outer)
    layout.spacing = 11
    layout.addWidget(box)
    assert (layout.spacing, layout.count()) == (11, 1)
    assert outer.layout() is layout
    assert outer.sizeHint.height() >= box.minimumSizeHint.height()


def test_a_value_that_a_property_does_not_take_is_refused() -> None:
    with pytest.raises(ValueError, match="maximum"):
        qt.QSlider().maximum = "many"


def test_an_attribute_that_is_no_property_is_refused() -> None:
    own = type("Own", (qt.QLabel,), {})()
    own.anything = 3  # as for any class in Python
    with pytest.raises(AttributeError, match="tooltip"):
        qt.QLabel().tooltip = "x"
    with pytest.raises(AttributeError, match="directories"):
        ctk.ctkDirectoryButton().directories = "x"


def test_slots_get_as_many_arguments_as_they_take() -> None:
    button, got = qt.QPushButton(), []
    button.checkable = True
    button.connect("clicked()", lambda: got.append("none"))
    button.connect("clicked(bool)", got.append)
    button.connect("toggled(bool)", lambda: got.append("fewer"))
    button.connect("toggled(bool)", lambda *all_of: got.append(all_of))
    button.click()
    assert sorted(map(str, got)) == ["(True,)", "True", "fewer", "none"]


def test_a_connection_ends() -> None:
    button, got = qt.QPushButton(), []
    button.connect("clicked(bool)", got.append)
    assert button.disconnect("clicked(bool)", got.append)
    assert not button.disconnect("clicked(bool)", got.append)
    button.click()
    assert got == []


@pytest.mark.parametrize("signature", ["pressd()", "clicked(int)", "clicked"])
def test_a_signal_that_is_not_there_cannot_be_connected(signature: str) -> None:
    with pytest.raises(ValueError, match="no signal"):
        qt.QPushButton().connect(signature, print)


def test_the_error_of_a_slot_is_kept() -> None:
    button = qt.QPushButton()
    button.connect("clicked()", lambda: 1 / 0)
    button.click()
    assert [type(error) for error in pythonqt.slot_errors] == [ZeroDivisionError]
    pythonqt.slot_errors.clear()


def test_enumerations_are_integers() -> None:
    assert qt.Qt.Checked == 2
    label = qt.QLabel()
    label.alignment = int(qt.Qt.AlignRight)
    assert label.alignment == qt.Qt.AlignRight
    label.setAlignment(qt.Qt.AlignLeft | qt.Qt.AlignTop)
    assert label.alignment == 0x21


def test_children_are_found_by_class_name_and_deleted() -> None:
    outer = qt.QWidget()
    label = qt.QLabel("x", outer)
    label.objectName = "title"
    assert outer.findChild("QLabel", "title") is label
    assert outer.findChildren(qt.QLabel) == [label]
    assert (label.name, label.className()) == ("title", "QLabel")
    label.delete()
    assert outer.findChildren("QLabel") == []


def test_timers_run_once_and_again() -> None:
    got: list[str] = []
    timer = qt.QTimer()
    timer.connect("timeout()", lambda: got.append("again"))
    timer.start(1)
    qt.QTimer.singleShot(0, lambda: got.append("once"))
    look.drive(lambda: got.count("again") >= 2 and "once" in got)
    timer.stop()
    assert not timer.active
    assert got.count("once") == 1


def test_a_picture_can_be_painted() -> None:
    pixmap = qt.QPixmap(8, 8)
    pixmap.fill(qt.QColor("white"))
    painter = qt.QPainter(pixmap)
    painter.fillRect(0, 0, 4, 8, qt.QColor("red"))
    painter.end()
    image = pixmap.toImage()
    assert qt.QColor(image.pixel(1, 1)) == qt.QColor("red")
    assert qt.QColor(image.pixel(6, 1)) == qt.QColor("white")


def test_settings_are_kept_apart_from_everybody_s_own() -> None:
    qt.QSettings().setValue("GliomaAI/folder", "here")
    assert slicer.util.settingsValue("GliomaAI/folder", "") == "here"
    assert slicer.app.userSettings().value("GliomaAI/folder") == "here"
    assert "bench-settings" in qt.QSettings().fileName()


# Dialogs


def test_dialogs_are_answered_and_recorded() -> None:
    dialogs.answers.extend(["folder", True, lambda dialog: dialog.windowTitle])
    assert qt.QFileDialog.getExistingDirectory(None, "Which?") == "folder"
    slicer.util.errorDisplay("It went wrong.")  # a message takes no answer
    assert slicer.util.confirmYesNoDisplay("Sure?")
    dialog = qt.QDialog()
    dialog.windowTitle = "About"
    assert dialog.exec_() == "About"
    assert qt.QFileDialog.getOpenFileName(None, "Nobody answers") == ""
    texts = [shown.text for shown in dialogs.shown]
    assert texts == ["Which?", "It went wrong.", "Sure?", "About", "Nobody answers"]


# Stand-ins


def bases_of(name: str, classes: dict[str, Any]) -> list[str]:
    return [name, *classes[name]["bases"]]


def signals_of(entry: dict[str, Any]) -> list[dict[str, Any]]:
    return list(entry.get("signals", []))


def signals_declared_by(cls: Any) -> set[str]:
    """Signatures of the public signals of a stand-in, as PythonQt has to show them."""
    meta = cls.staticMetaObject
    methods = [meta.method(index) for index in range(meta.methodOffset(), meta.methodCount())]
    found = {
        method.methodSignature().data().decode()
        for method in methods
        if method.methodType() == qt.QMetaMethod.Signal
    }
    return {s for s in found if not s.startswith("_")} | set(vars(cls).get("_cpp_signals", {}))


def public_names(name: str, classes: dict[str, Any]) -> set[str]:
    """Everything Slicer shows on an object of a class."""
    names = set()
    for base in bases_of(name, classes):
        entry = classes[base]
        names |= {*entry.get("properties", {}), *(entry.get("pythonMethods") or [])}
        names |= {value for values in entry.get("enums", {}).values() for value in values}
        names |= {s["signature"].partition("(")[0] for s in signals_of(entry)}
        names |= {s["signature"].partition("(")[0] for s in entry.get("slots", [])}
    return names


@pytest.mark.parametrize("name", sorted(pythonqt.STAND_INS))
def test_a_stand_in_has_only_names_of_the_real_one(name: str) -> None:
    if not API_FILE.is_file():
        pytest.skip(f"no {API_FILE.name} beside the repository")
    classes = json.loads(API_FILE.read_text("utf-8"))["classes"]
    real = public_names(name, classes)
    signals = {s["signature"] for b in bases_of(name, classes) for s in signals_of(classes[b])}
    declared = {pythonqt.as_declared(signature) for signature in signals}
    for cls in pythonqt.STAND_INS[name].__mro__:
        if cls.__module__.startswith("bench."):
            own = {n for n in vars(cls) if not n.startswith("_") and n != "staticMetaObject"}
            assert own <= real
            assert signals_declared_by(cls) <= declared


def test_a_collapsed_button_hides_what_is_in_it() -> None:
    button = ctk.ctkCollapsibleButton()
    button.text = "Inputs"
    layout, told = qt.QVBoxLayout(button), []
    shown, hidden = qt.QLabel("shown"), qt.QLabel("hidden")
    for label in (shown, hidden):
        layout.addWidget(label)
    hidden.hide()
    button.connect("contentsCollapsed(bool)", told.append)
    button.show()
    look.settle()
    open_height = button.sizeHint.height()
    button.collapsed = True
    assert (shown.visible, button.checked, told) == (False, False, [True])
    assert button.sizeHint.height() < open_height
    button.collapsed = False
    assert (shown.visible, hidden.visible) == (True, False)


def test_a_node_box_follows_the_scene() -> None:
    box, told = slicer.qMRMLNodeComboBox(), []
    box.nodeTypes, box.noneEnabled = ["vtkMRMLScalarVolumeNode"], True
    box.setMRMLScene(slicer.mrmlScene)
    box.connect("currentNodeChanged(vtkMRMLNode*)", told.append)
    box.connect("currentNodeChanged(bool)", told.append)
    first = add_volume("first")
    assert (box.nodeCount(), box.currentNode()) == (1, None)
    add_volume("a model", "vtkMRMLModelNode")
    assert box.nodeCount() == 1
    box.setCurrentNode(first)
    assert told == [first, True]
    assert box.currentNodeID == first.GetID()
    first.SetName("renamed")
    assert box.findChild(qt.QComboBox).currentText == "renamed"
    slicer.mrmlScene.Clear()
    assert (box.nodeCount(), box.currentNodeID) == (0, "")
    assert told[-2:] == [None, False]


def test_a_node_box_without_none_takes_the_first() -> None:
    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.setMRMLScene(slicer.mrmlScene)
    first, second = add_volume("first"), add_volume("second")
    assert box.currentNode() is first
    slicer.mrmlScene.RemoveNode(first)
    assert box.currentNode() is second


def test_a_node_box_filters() -> None:
    box = slicer.qMRMLNodeComboBox()
    box.nodeTypes = ["vtkMRMLScalarVolumeNode"]
    box.addAttribute("vtkMRMLScalarVolumeNode", "Sequence", "T1")
    box.setMRMLScene(slicer.mrmlScene)
    with_it, hidden = add_volume(), add_volume()
    add_volume("label map", "vtkMRMLLabelMapVolumeNode").SetAttribute("Sequence", "T1")
    for node in (with_it, hidden):
        node.SetAttribute("Sequence", "T1")
    hidden.SetHideFromEditors(True)
    add_volume("late")
    assert box.nodeCount() == 2
    box.showChildNodeTypes = False
    assert [box.nodeFromIndex(0), box.nodeCount()] == [with_it, 1]


def segmentation_node() -> Any:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "tumour")
    for name in ("NCR", "ED"):
        node.GetSegmentation().AddEmptySegment(name, name)
    return node


def test_the_segment_editor_wants_its_node_before_the_scene() -> None:
    editor = slicer.qMRMLSegmentEditorWidget()
    with pytest.raises(RuntimeError, match="before"):
        editor.setMRMLScene(slicer.mrmlScene)


def test_the_segment_editor_keeps_its_choices_in_its_node() -> None:
    node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode")
    editor, segmentation, told = slicer.qMRMLSegmentEditorWidget(), segmentation_node(), []
    editor.setMRMLSegmentEditorNode(node)
    editor.setMRMLScene(slicer.mrmlScene)
    editor.connect("currentSegmentIDChanged(QString)", told.append)
    editor.setSegmentationNode(segmentation)
    editor.setSourceVolumeNode(add_volume())
    editor.setActiveEffectByName("Paint")
    assert node.GetSegmentationNode() is segmentation
    assert (editor.activeEffect().name, node.GetActiveEffectName()) == ("Paint", "Paint")
    assert (editor.currentSegmentID(), told) == ("NCR", ["NCR"])
    with pytest.raises(ValueError, match="no effect"):
        editor.setActiveEffectByName("Paintbrush")
    editor.setActiveEffect(None)
    assert editor.activeEffect() is None
    editor.installKeyboardShortcuts()
    assert segment_editor.calls(editor) == ["installKeyboardShortcuts"]


def test_the_segment_editor_undoes_and_redoes() -> None:
    editor, segmentation = slicer.qMRMLSegmentEditorWidget(), segmentation_node()
    editor.setMRMLSegmentEditorNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentEditorNode"))
    editor.setSegmentationNode(segmentation)
    editor.saveStateForUndo()
    segmentation.GetSegmentation().GetSegment("ED").SetName("changed")

    def name() -> str:
        return str(segmentation.GetSegmentation().GetSegment("ED").GetName())

    editor.undo()
    assert name() == "ED"
    editor.redo()
    assert name() == "changed"


def test_the_table_of_segments_follows_them() -> None:
    table, node = slicer.qMRMLSegmentsTableView(), segmentation_node()
    table.setSegmentationNode(node)
    node.GetSegmentation().AddEmptySegment("ET", "ET")
    assert table.segmentCount == 3
    table.setHideSegments(["ED"])
    table.setSelectedSegmentIDs(["ET"])
    assert (table.displayedSegmentIDs(), table.selectedSegmentIDs()) == (["NCR", "ET"], ["ET"])


# Application


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


# Looking and driving


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
