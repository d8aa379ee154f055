"""The module's panel on the bench: real widget code, real MRML, a worker that answers at once."""

import importlib
import itertools
import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

if find_spec("PySide6") is None or find_spec("slicer") is None:
    pytest.skip("the bench needs the extra [slicer]", allow_module_level=True)

import module_front  # before PySide6: it sets the bench up
import shiboken6
from bench import look, segment_editor
from review_fakes import FakeWorker, failed, found, jobs_of, labels, raw

names = importlib.import_module("bench.names")

API_FILE = Path(__file__).resolve().parents[2] / "shared" / "slicer-api.json"
NAMES = ("T1", "T1 Gd", "T2", "FLAIR")
NOT_OURS = {"CPU", "CUDA", "T1Gd", "T1Gd:", "FLAIR:", *NAMES, "None", "named so"}
"""The same in every language, Slicer's own, or said by the worker."""


class Front(module_front.Front):
    """The module with a worker that answers at once, and what a test does with it."""

    def __init__(self) -> None:
        super().__init__(lambda *_: FakeWorker())

    def choose(self, sequence: str, node: Any) -> None:
        selector = self.widget(f"{sequence}Selector")
        selector.setCurrentNode(node)
        selector.nodeActivated.emit(node)

    def load_volumes(self) -> None:
        from scene_makers import add_volume

        for name in NAMES:
            add_volume(self.scene, name, raw(np.arange(120, dtype=np.int16).reshape(6, 5, 4)))

    def analysed(self) -> None:
        self.load_volumes()
        self.wait(lambda: self.state.commands["run"].enabled)
        self.widget("runButton").click()
        self.wait(lambda: self.state.has_result and self.state.work is None)

    def paint(self, et: int) -> None:
        from GliomaAILib.scene.label_maps import part_of
        from GliomaAILib.scene.segmentation import set_labels

        desk = self.panel._desk
        set_labels(desk.scene.segmentation, part_of(labels(et=et).array), desk.scene.reference)
        self.wait(lambda: self.state.out_of_date)
        self.wait()


@pytest.fixture
def front() -> Iterator[Front]:
    front = Front()
    yield front
    front.close()
    assert look.slot_errors == []


def test_an_empty_scene_says_what_to_do(front: Front) -> None:
    assert not front.widget("runButton").enabled
    assert "open a study folder" in front.widget("runReason").text
    assert front.widget("caseSelector").currentNode().GetName() == "Glioma case"


def test_loaded_volumes_fill_the_selectors(front: Front) -> None:
    front.load_volumes()
    front.wait(lambda: front.state.commands["run"].enabled)
    chosen = [front.widget(f"{s}Selector").currentNode().GetName() for s in ("t1", "t1gd", "t2")]
    assert chosen == ["T1", "T1 Gd", "T2"]
    front.choose("t2", None)
    front.wait()
    assert front.state.sequences["t2"].by_hand
    assert front.widget("t2Selector").currentNode() is None


def test_a_deleted_volume_is_no_choice_of_the_user(front: Front) -> None:
    front.load_volumes()
    front.wait(lambda: front.state.commands["run"].enabled)
    front.worker.found = found(t1="1", t1gd="2", flair="3")
    front.scene.RemoveNode(front.widget("t2Selector").currentNode())
    front.wait(lambda: front.state.sequences["t2"].volume == "")
    front.wait()
    assert not any(choice.by_hand for choice in front.state.sequences.values())
    assert front.widget("t2Selector").currentNode() is None


def test_a_run_fills_table_and_scene(front: Front) -> None:
    front.analysed()
    table = front.widget("measuresTable")
    assert table.item(0, 0).text() == "Whole tumour (WT)"
    assert table.item(0, 1).text() == "0.0 mL"
    assert front.panel._desk.scene.segmentation is not None
    assert front.widget("segmentEditor").segmentationNode() is front.panel._desk.scene.segmentation
    assert "The mask is unsure." in front.widget("resultNotices").findChildren("QLabel")[0].text


def test_an_edit_is_seen_reassessed_and_taken_back(front: Front) -> None:
    front.analysed()
    front.paint(et=100)
    stale, reassess = front.widget("outOfDateText"), front.widget("reassessButton")
    assert "Out of date" in stale.text
    assert reassess.enabled
    table = front.widget("measuresTable")
    assert (table.item(2, 1).text(), table.item(2, 2).text()) == ("0.2 mL", "0.0 mL")
    reassess.click()
    front.wait(lambda: front.state.corrected and front.state.work is None)
    assert "ET: 4 voxels added" in front.widget("auditText").text
    front.widget("restoreButton").click()
    front.wait(lambda: not front.state.corrected)
    front.wait()
    assert not front.state.out_of_date
    assert table.item(2, 1).text() == "0.0 mL"


def test_a_crash_is_a_message_and_the_scene_is_as_before(front: Front) -> None:
    from GliomaAILib.worker.protocol import FailureReason

    front.load_volumes()
    front.wait(lambda: front.state.commands["run"].enabled)
    nodes = front.scene.GetNumberOfNodes()
    front.worker.failure = failed(FailureReason.CRASH, "The analysis stopped unexpectedly.")
    front.widget("runButton").click()
    front.wait(lambda: front.state.outcome is not None)
    assert "stopped unexpectedly" in front.widget("outcomeNotices").findChildren("QLabel")[0].text
    assert front.scene.GetNumberOfNodes() == nodes
    assert front.widget("runButton").enabled


def test_cancel_shows_progress_and_leaves_the_scene_clean(front: Front) -> None:
    front.load_volumes()
    front.wait(lambda: front.state.commands["run"].enabled)
    nodes = front.scene.GetNumberOfNodes()
    front.worker.waits = True
    front.widget("runButton").click()
    front.wait(lambda: front.state.work is not None and front.state.work.stage == "segmentation")
    assert "segmentation" in front.widget("progressText").text
    front.widget("cancelButton").click()
    front.wait(lambda: front.state.work is None)
    assert front.scene.GetNumberOfNodes() == nodes


def test_a_scene_closed_during_a_run_starts_afresh(front: Front) -> None:
    front.load_volumes()
    front.wait(lambda: front.state.commands["run"].enabled)
    front.worker.waits = True
    front.widget("runButton").click()
    front.wait(lambda: front.state.work is not None and front.state.work.stage == "segmentation")
    front.scene.Clear(False)
    look.settle()
    assert front.worker.closed
    assert front.state.work is None
    assert not front.state.has_result
    assert "No volume is loaded" in front.widget("runReason").text


def test_a_saved_scene_is_live_again(front: Front, tmp_path: Path) -> None:
    front.analysed()
    front.paint(et=100)
    file = tmp_path / "scene ü.mrb"
    assert front.scene.WriteToMRB(str(file))
    front.scene.Clear(False)
    assert front.scene.ReadFromMRB(str(file), False)
    look.settle()
    front.wait(lambda: front.state.has_result)
    front.wait()
    assert front.state.out_of_date
    front.widget("reassessButton").click()
    front.wait(lambda: front.state.corrected and front.state.work is None)


def test_two_cases_keep_their_own_results(front: Front) -> None:
    front.analysed()
    first = front.panel._desk.scene.node
    front.widget("newCaseButton").click()
    front.wait()
    assert not front.state.has_result
    front.widget("caseSelector").setCurrentNode(first)
    front.wait(lambda: front.state.has_result)


def test_impossible_facts_are_refused_with_the_reason(front: Front) -> None:
    front.widget("idhComboBox").currentIndex = 2
    front.widget("codeletion_1p19qComboBox").currentIndex = 1
    assert "no WHO 2021 state" in front.widget("factsProblem").text
    assert front.state.facts.codeletion_1p19q is None
    front.widget("idhComboBox").currentIndex = 1
    assert front.widget("factsProblem").text == ""
    assert (front.state.facts.idh, front.state.facts.codeletion_1p19q) == ("mutant", "co-deleted")


def test_export_writes_what_is_ticked(front: Front, tmp_path: Path) -> None:
    front.analysed()
    panel = front.section("ExportPanel")
    panel._folder.currentPath = str(tmp_path)
    front.widget("exportName").text = "case 1"
    front.widget("stlBox").checked = False
    front.widget("exportButton").click()
    front.wait(lambda: front.state.outcome is not None)
    names = {file.name for file in (tmp_path / "case 1").iterdir()}
    assert {"report.html", "report.pdf", "assessment.json", "segmentation.nii.gz"} <= names
    assert any(name.endswith(".seg.nrrd") for name in names)
    assert (tmp_path / "cohort.csv").is_file()


def test_nothing_is_observed_after_the_module_is_gone() -> None:
    front = Front()
    front.load_volumes()
    widget, desk = front.module.widget, front.panel._desk
    front.close()
    assert widget.Observations == []
    assert desk.scene._watch is None
    assert front.worker.closed
    jobs = len(front.worker.jobs)
    front.load_volumes()
    front.scene.Clear(False)
    look.settle()
    assert len(front.worker.jobs) == jobs


def test_reload_builds_the_panel_anew(front: Front) -> None:
    front.analysed()
    before = front.panel
    front.module.reload()
    look.settle()
    front.wait(lambda: front.state.has_result)
    assert not shiboken6.isValid(before._widget)
    # What Slicer keeps of the panel before neither follows the scene nor looks for answers.
    front.widget("newCaseButton").click()
    look.settle()
    assert before.review is None
    assert not before._timer.isActive()


def test_the_editor_works_on_after_the_last_case_was_deleted(front: Front) -> None:
    editor = front.widget("segmentEditor")
    front.scene.RemoveNode(front.widget("caseSelector").currentNode())
    look.settle()
    assert segment_editor.calls(editor)[-1] == "removeViewObservations"
    front.widget("newCaseButton").click()
    assert "setupViewObservations" in segment_editor.calls(editor)[-2:]
    front.module.exit()
    front.widget("newCaseButton").click()
    assert segment_editor.calls(editor)[-1] == "removeViewObservations"


def test_charts_take_a_new_theme(front: Front) -> None:
    from GliomaAILib.review.message import verbatim
    from GliomaAILib.review.risk import Bar, RiskView

    def darkest() -> int:
        image = front.widget("barChart").pixmap.toImage()
        places = itertools.product(range(0, image.width(), 2), range(image.height()))
        colours = (image.pixelColor(*place) for place in places)
        return min(colour.value() for colour in colours if colour.alpha() == 255)

    view = RiskView((), bars=(Bar(verbatim("Glioblastoma"), 0.5, "50 %"),))
    with mock.patch("GliomaAILib.panels.risk_panel.risk_view", return_value=view):
        front.analysed()
        assert darkest() < 60  # words in black
        try:
            look.use_palette(dark=True)
            front.wait(lambda: darkest() >= 60)
        finally:
            look.use_palette(dark=False)
        front.wait(lambda: darkest() < 60)


def test_a_scene_s_layout_is_known_before_the_module_is_opened(front: Front) -> None:
    from GliomaAILib.scene import layout

    logic = front.slicer.vtkMRMLLayoutLogic()
    scene = front.slicer.vtkMRMLScene()
    logic.SetMRMLScene(scene)
    node = logic.GetLayoutNode()
    node.SetViewArrangement(layout.SEQUENCES_LAYOUT)  # as a scene file asks for it
    assert not node.GetCurrentLayoutDescription()
    with mock.patch.object(front.slicer, "mrmlScene", scene):
        front.slicer.app.startupCompleted.emit()
    assert "GliomaAI-flair" in node.GetCurrentLayoutDescription()


def test_nothing_installed_says_what_and_how_large(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    from GliomaAILib.worker.requirements import Requirement

    absent = (Requirement("surely-not-installed", "1", 7),)
    monkeypatch.setattr("GliomaAILib.panels.installation.missing", lambda: absent)
    front.panel._settings.installation.refresh()
    front.panel._settings_changed()
    front.load_volumes()
    front.wait()
    assert "surely-not-installed" in front.widget("missingText").text
    assert "7 MB" in front.widget("missingText").text
    assert "surely-not-installed" in front.widget("runReason").text
    assert jobs_of(front.worker, object) == []


def test_devices_are_known_before_the_first_run(front: Front) -> None:
    text = front.widget("devicesText")
    front.wait(lambda: "8 cores" in text.text)
    assert "Automatic takes CPU" in text.text
    assert jobs_of(front.worker, object) == []
    combo = front.widget("deviceComboBox")
    combo.currentIndex = combo.findData("cuda")
    assert "CUDA is chosen and was not found" in text.text
    combo.currentIndex = combo.findData("auto")
    front.module.exit()
    front.module.enter()
    assert "8 cores" in text.text


def test_nothing_is_asked_before_everything_is_installed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from GliomaAILib.worker.requirements import Requirement

    absent = [Requirement("surely-not-installed", "1", 7)]
    monkeypatch.setattr("GliomaAILib.panels.installation.missing", lambda: absent)
    front = Front()
    assert "not known yet" in front.widget("devicesText").text
    absent.clear()
    front.panel._settings.installation.install()
    front.wait(lambda: "8 cores" in front.widget("devicesText").text)
    front.close()


def test_keys_are_the_module_s_only_while_it_is_in_front(front: Front) -> None:
    front.load_volumes()
    front.wait(lambda: front.state.commands["run"].enabled)
    window = front.slicer.util.mainWindow()
    keys = {action.shortcut.toString(): action for action in window.actions()}
    assert {"Alt+R", "Alt+A", "Alt+1", "Alt+2", "Alt+3"} == set(keys)
    keys["Alt+R"].trigger()
    front.wait(lambda: front.state.has_result)
    front.module.exit()
    assert window.actions() == []


def shown_texts(widget: Any) -> set[str]:
    """Everything that can be read in a widget and its children."""
    from bench.pythonqt import qt

    found = set()
    for one in widget.findChildren(qt.QWidget):
        for name in ("text", "title", "toolTip", "accessibleName", "placeholderText", "suffix"):
            found.add(getattr(one, name, ""))
        if isinstance(one, qt.QComboBox):
            found |= {one.itemText(index) for index in range(one.count)}
        if isinstance(one, qt.QTableWidget):
            cells = [
                (row, column) for row in range(one.rowCount) for column in range(one.columnCount)
            ]
            found |= {one.item(*cell).text() for cell in cells if one.item(*cell)}
            found |= {one.horizontalHeaderItem(n).text() for n in range(one.columnCount)}
    return {text for text in found if isinstance(text, str) and re.search("[A-Za-z]{2}", text)}


def test_everything_that_is_read_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a language in which every sentence stands in brackets."""
    from bench.scripted import language

    monkeypatch.setitem(language, "translated", lambda text: f"[{text}]")
    front = Front()
    front.analysed()
    front.paint(et=100)
    front.widget("reassessButton").click()
    front.wait(lambda: front.state.corrected)
    front.wait()
    texts = set().union(*(shown_texts(panel.widget) for panel in front.panel._panels))
    of_slicer = shown_texts(front.widget("segmentEditor"))
    front.close()
    assert len(texts - of_slicer) > 80
    unknown = {text for text in texts - of_slicer - NOT_OURS if "[" not in text}
    unknown = {text for text in unknown if not Path(text).is_absolute()}
    assert {text for text in unknown if not re.fullmatch(r"[\d. x]+ (mL|mm|mm²|%)", text)} == set()


def test_a_synthetic_patient_is_asked_for_with_one_button(front: Front) -> None:
    front.widget("sampleButton").click()
    front.wait()
    assert [type(job).__name__ for job in front.worker.jobs][:2] == ["Simulate", "Inspect"]


def test_the_model_card_can_be_read(front: Front) -> None:
    from bench.dialogs import dialogs

    front.widget("modelCardButton").click()
    assert dialogs.shown, "no dialog"


def test_risk_charts_are_drawn_with_their_numbers_in_words(front: Front) -> None:
    from test_review_risk import DIAGNOSIS, PROGNOSIS, state

    risk = front.section("RiskPanel")
    risk.draw(state(diagnosis=DIAGNOSIS, prognosis=PROGNOSIS))
    bars, curves = front.widget("barChart"), front.widget("curveChart")
    assert "Glioblastoma, IDH-wildtype: 70 %" in bars.accessibleDescription
    assert not bars.pixmap.isNull()
    assert not curves.pixmap.isNull()
    assert "alive at 12 months: 60 %" in front.widget("riskTable").text
    for name in ("nomogramChart", "movedChart"):
        assert not front.widget(name).pixmap.isNull()
    assert "age 60 years: 67" in front.widget("nomogramChart").accessibleDescription
    assert "n = 500, 300 events" in front.widget("riskNotes").text
    risk.draw(state())
    assert front.widget("nomogramChart").visible is False
    assert front.widget("riskNotes").visible is False


def test_every_name_on_a_widget_is_one_of_slicer_s(
    front: Front, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What no reading of the source tells: names on widgets that came out of functions."""
    from PySide6.QtCore import QObject

    if not API_FILE.is_file():
        pytest.skip(f"{API_FILE.name}, the names of a real Slicer, is not beside the repository")
    api = names.Api.read(API_FILE)
    asked: dict[tuple[str, str], bool] = {}
    """Whether there is the name, by class and name."""
    plain = QObject.__getattribute__

    def noted(self: Any, name: str) -> Any:
        code = sys._getframe(1).f_code
        # Names in the code: shiboken looks for overrides of virtual methods here too.
        if "/panels/" in Path(code.co_filename).as_posix() and name in code.co_names:
            kinds = [kind.__name__ for kind in type(self).__mro__ if kind.__name__ in api.classes]
            # The file knows some classes without their bases.
            asked[kinds[0], name] = any(api.has(kind, name) for kind in kinds)
        return plain(self, name)

    monkeypatch.setattr(QObject, "__getattribute__", noted)
    front.module.reload()
    front.analysed()
    front.paint(et=100)
    front.widget("reassessButton").click()
    front.wait(lambda: front.state.corrected and front.state.work is None)
    front.widget("exportName").text = "case"
    front.section("ExportPanel")._folder.currentPath = str(tmp_path)
    front.widget("exportButton").click()
    front.wait()
    front.widget("modelCardButton").click()
    front.module.exit()
    front.module.enter()
    assert {("qMRMLSegmentEditorWidget", "setupViewObservations"), ("QLabel", "text")} <= set(asked)
    application = {name for kind, name in asked if kind == "QObject"}
    assert application <= {*api.data["slicer.app"], "connect", "disconnect"}
    wrong = [(kind, name) for (kind, name), right in asked.items() if not right]
    assert [one for one in wrong if one[0] != "QObject"] == []
