"""The buttons and boxes by which a result is looked at, over the real scene."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import scene_app
from bench_makers import look, qt
from test_module import Front

from GliomaAILib.scene.case_node import DIAMETER, NETWORK_SEGMENTATION, UNCERTAINTY, referenced


@pytest.fixture(scope="module")
def front() -> Iterator[Front]:
    """A result in sight: the boxes are ticked as the views are."""
    front = Front()
    front.analysed()
    front.wait(lambda: len(sequence_slices(front)) == 4)
    front.wait(lambda: sequence_slices(front)[0].GetOrientation() == "Axial")
    scene_app.add_slice_logics(front.slicer.app._headless)  # as a window does with each slice view
    yield front
    front.close()
    assert look.slot_errors == []


def shown(front: Front, role: str) -> list[Any]:
    """The nodes of a role that can be seen."""
    nodes = referenced(front.desk.scene.node, role)
    return [node for node in nodes if node.GetDisplayVisibility()]


def sequence_slices(front: Front) -> list[Any]:
    from GliomaAILib.scene import layout

    return list(layout.slice_nodes(front.scene).values())


def test_the_tour_goes_through_the_planes(front: Front) -> None:
    front.widget("coronalButton").click()
    assert {node.GetOrientation() for node in sequence_slices(front)} == {"Coronal"}
    window = front.slicer.util.mainWindow()
    keys = {action.shortcut.toString(): action for action in window.actions()}
    keys["Alt+3"].trigger()
    assert {node.GetOrientation() for node in sequence_slices(front)} == {"Sagittal"}


def test_the_diameters_are_drawn_where_they_were_measured(front: Front) -> None:
    box, lines = front.widget("diametersBox"), shown(front, DIAMETER)
    assert [line.GetName() for line in lines] == [
        "Longest diameter 12 mm",
        "Perpendicular diameter 9 mm",
    ]
    assert all(line.GetLocked() for line in lines)
    box.click()
    assert shown(front, DIAMETER) == []
    front.widget("ranoButton").click()
    assert box.checked
    assert len(shown(front, DIAMETER)) == 2
    height = [0.0, 0.0, 0.0]
    lines[0].GetNthControlPointPositionWorld(0, height)
    for node in sequence_slices(front):
        assert node.GetOrientation() == "Axial"
        assert node.GetSliceToRAS().GetElement(2, 3) == pytest.approx(height[2])


def test_the_ai_mask_is_compared_as_an_outline(front: Front) -> None:
    assert shown(front, NETWORK_SEGMENTATION) == []
    box = front.widget("compareBox")
    box.click()
    (network,) = shown(front, NETWORK_SEGMENTATION)
    display = network.GetDisplayNode()
    assert display.GetVisibility2DOutline()
    assert not display.GetVisibility2DFill()
    box.click()
    assert shown(front, NETWORK_SEGMENTATION) == []


def test_looks_follow_the_controls(front: Front) -> None:
    display = front.desk.scene.segmentation.GetDisplayNode()
    outline, before = front.widget("outlineBox"), display.GetVisibility2DOutline()
    outline.click()
    assert display.GetVisibility2DOutline() != before
    front.section("ResultPanel")._opacity.value = 0.25
    assert display.GetOpacity2DFill() == 0.25
    front.widget("uncertaintyBox").click()
    (overlay,) = referenced(front.desk.scene.node, UNCERTAINTY)
    assert front.desk.views.uncertainty
    assert overlay.GetHideFromEditors()
    front.widget("surfaceBox").click()
    assert front.desk.views.surface
    assert not front.state.out_of_date  # looking is no edit


def test_a_second_run_is_not_begun(front: Front) -> None:
    front.worker.waits = True
    runs = len(front.worker.jobs)
    window = front.slicer.util.mainWindow()
    (key,) = [one for one in window.actions() if one.shortcut.toString() == "Alt+R"]
    key.trigger()
    front.wait(lambda: front.state.work is not None and front.state.work.stage == "segmentation")
    assert not front.widget("runButton").enabled
    assert not front.widget("newCaseButton").enabled
    for again in (key.trigger, front.widget("runButton").click, front.panel.review.run):
        again()
        look.settle()
    assert len(front.worker.jobs) == runs + 1
    front.worker.waits = False
    front.wait()
    assert front.state.has_result


def test_a_folder_is_dropped_on_the_case(front: Front, tmp_path: Path) -> None:
    (frame,) = [
        one for one in front.section("CasePanel").widget.findChildren(qt.QFrame) if one.acceptDrops
    ]
    jobs = len(front.worker.jobs)
    assert taken(frame.dragEnterEvent, qt.QDragEnterEvent, "https://example.org/study") is False
    assert taken(frame.dropEvent, qt.QDropEvent, "https://example.org/study") is False
    url = qt.QUrl.fromLocalFile(str(tmp_path)).toString()
    assert taken(frame.dragEnterEvent, qt.QDragEnterEvent, url)
    assert len(front.worker.jobs) == jobs
    assert taken(frame.dropEvent, qt.QDropEvent, url)
    front.wait()
    assert front.worker.jobs[jobs].study == str(tmp_path)


def taken(handler: Callable[[Any], None], kind: Any, url: str) -> bool:
    """Whether a widget accepts what is dragged over it, or dropped on it."""
    dragged = qt.QMimeData()
    dragged.setUrls([qt.QUrl(url)])
    place = qt.QPoint(1, 1)
    event = kind(place, qt.Qt.CopyAction, dragged, qt.Qt.LeftButton, qt.Qt.NoModifier)
    event.ignore()
    handler(event)
    return bool(event.isAccepted())
