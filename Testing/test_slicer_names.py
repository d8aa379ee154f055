"""Every name of Qt, CTK and Slicer in the module's face exists in a real Slicer."""

import importlib
import sys
from pathlib import Path
from typing import Any

import pytest

TESTING = Path(__file__).resolve().parent
ROOT = TESTING.parent
MODULE = ROOT / "GliomaAI"
API_FILE = ROOT.parent / "shared" / "slicer-api.json"
OWN_MODULES = frozenset({"gliomaai", "GliomaAIInstance", "GliomaAIWidget"})

if str(TESTING) not in sys.path:
    sys.path.insert(0, str(TESTING))
names = importlib.import_module("bench.names")

SOURCES = [
    file
    for file in (
        MODULE / "GliomaAI.py",
        *sorted((MODULE / "GliomaAILib" / "panels").rglob("*.py")),
        *sorted((MODULE / "GliomaAILib" / "scene").rglob("*.py")),
    )
    if file.is_file()
]
FORMS = MODULE / "Resources" / "UI"
"""Where forms would lie: the panels are built in code so far."""


@pytest.fixture(scope="module")
def api() -> Any:
    """What a real Slicer shows."""
    if not API_FILE.is_file():
        pytest.skip(f"{API_FILE.name}, the names of a real Slicer, is not beside the repository")
    return names.Api.read(API_FILE)


def name_of(file: Path) -> str:
    return file.relative_to(MODULE).as_posix()


@pytest.mark.parametrize("file", SOURCES, ids=name_of)
def test_a_source_says_only_what_slicer_knows(file: Path, api: Any) -> None:
    assert names.unknown_in_source(file.read_text("utf-8"), api, OWN_MODULES) == []


@pytest.mark.parametrize(
    "source",
    [
        "qt.QPushBotton('x')",
        "ctk.ctkCollapsibleButon()",
        "ctk.QLabel()",
        "qt.ctkComboBox()",
        "qt.QTextCodec()",
        "qt.Qt.AlignRihgt",
        "qt.QMessageBox.Maybe",
        "qt.QFileDialog.getExistingFolder()",
        "from qt import QPushBotton",
        "slicer.qMRMLNodeComboBoxes()",
        "slicer.vtkMRMLGliomaNode()",
        "slicer.gliomas",
        "slicer.util.loadGlioma('x')",
        "from slicer.util import loadGlioma",
        "slicer.app.temporaryPaths",
        "slicer.modules.glioma",
        "anything.connect('pressd()', f)",
        "anything.connect('currentIndexChanged(QString)', f)",
        "b = qt.QPushButton()\ndef f():\n    b = qt.QPushButton()\n    b.setTextt('x')",
        "def f():\n    b = qt.QPushButton()\n    return b.text()",
        "def f():\n    b = qt.QPushButton()\n    b.tooltip = 'x'",
        "def f():\n    b = qt.QPushButton()\n    b.width = 3",
        "def f():\n    b = qt.QPushButton()\n    b.connect('currentIndexChanged(int)', f)",
        "def f():\n    b = qt.QPushButton()\n    b.pressd.connect(f)",
        "def f():\n    a, b = qt.QLabel(), qt.QLineEdit()\n    b.wordWrap = True",
        "class A:\n    def __init__(self):\n        self.box = slicer.qMRMLNodeComboBox()\n"
        "    def f(self):\n        self.box.setNodeTypes(['x'])",
        "class A:\n    def __init__(self):\n        self.box = slicer.qMRMLNodeComboBox()\n"
        "    def f(self):\n        return self.box.currentNodeID()",
    ],
)
def test_a_wrong_name_in_a_source_is_found(source: str, api: Any) -> None:
    assert len(names.unknown_in_source(source, api)) == 1


@pytest.mark.parametrize(
    "source",
    [
        "qt.QPushButton('x').setText(qt.Qt.AlignRight)",
        "qt.QTimer.singleShot(0, f)\nqt.QMessageBox.Yes\nqt.QSizePolicy.Expanding",
        "qt.QDialog().exec_()",
        "slicer.modules.gliomaai\nslicer.modules.volumes.logic()",
        "slicer.app.connect('startupCompleted()', f)",
        "anything.connect('currentNodeChanged( vtkMRMLNode* )', f)",
        "def f():\n    b = qt.QPushButton()\n    b.text = b.toolTip\n    b.clicked.connect(f)",
        "def f(b):\n    b.anything()",
        "def f():\n    b = qt.QPushButton()\n    b = something()\n    b.anything()",
        "def f():\n    t = qt.QTimer()\n    t.singleShot = True\n    t.isActive()",
        "def f():\n    for b in qt.QLabel(), 3:\n        b.anything()",
        "from slicer.util import VTKObservationMixin",
        "from slicer.i18n import tr as _",
    ],
)
def test_a_right_name_in_a_source_is_not(source: str, api: Any) -> None:
    assert names.unknown_in_source(source, api, OWN_MODULES) == []


FORM = """<ui version="4.0"><class>A</class>
 <widget class="qMRMLWidget" name="A">
  <layout class="QVBoxLayout"><property name="leftMargin"><number>0</number></property>
   <item><widget class="qMRMLNodeComboBox" name="box">
    <property name="nodeTypes"><stringlist/></property>
    <property name="SlicerParameterName" stdset="0"><string>x</string></property>
   </widget></item>
   <item><widget class="QPushButton" name="run"><property name="text"/></widget></item>
  </layout>
 </widget>
 <connections><connection>
  <sender>A</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
  <receiver>box</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot>
 </connection></connections></ui>"""


def test_a_right_form_passes(api: Any) -> None:
    assert names.unknown_in_ui(FORM, api) == []


def wrong_forms(folder: Path, api: Any) -> dict[str, list[str]]:
    """What the forms of a folder say that Slicer does not know, by their names."""
    said = {
        file.name: names.unknown_in_ui(file.read_text("utf-8"), api)
        for file in sorted(folder.rglob("*.ui"))
    }
    return {name: wrong for name, wrong in said.items() if wrong}


def test_every_form_says_only_what_slicer_knows(api: Any, tmp_path: Path) -> None:
    assert wrong_forms(FORMS, api) == {}
    (tmp_path / "deeper").mkdir()
    (tmp_path / "right.ui").write_text(FORM, "utf-8")
    wrong = FORM.replace("QPushButton", "QPushBotton")
    (tmp_path / "deeper" / "wrong.ui").write_text(wrong, "utf-8")
    assert wrong_forms(tmp_path, api) == {"wrong.ui": ["class QPushBotton"]}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('class="QPushButton"', 'class="ctkPushBotton"'),
        ('class="QVBoxLayout"', 'class="QVerticalLayout"'),
        ('name="text"', 'name="caption"'),
        ('name="leftMargin"', 'name="outerMargin"'),
        (' stdset="0"', ""),
        ("mrmlSceneChanged(", "sceneChanged("),
        ("<slot>setMRMLScene(", "<slot>setScene("),
        ("<receiver>box", "<receiver>boxes"),
    ],
)
def test_a_wrong_name_in_a_form_is_found(right: str, wrong: str, api: Any) -> None:
    assert len(names.unknown_in_ui(FORM.replace(right, wrong), api)) == 1
