"""The bench's stand-ins bear only names of Slicer's, and do what those do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bench_makers import (
    add_volume,
    ctk,
    fresh_application,
    look,
    pythonqt,
    qt,
    segment_editor,
    slicer,
)

API_FILE = Path(__file__).resolve().parents[2] / "shared" / "slicer-api.json"


@pytest.fixture(autouse=True)
def app() -> Iterator[Any]:
    yield from fresh_application()


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
