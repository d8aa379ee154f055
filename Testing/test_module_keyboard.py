"""The panel without a mouse: Tab goes through it from top to bottom, and nothing holds it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from bench_makers import look, qt
from test_module import Front

SECTIONS = 6
LINE_PX = 12
"""Widgets whose upper edges are no further apart stand in one line."""


@pytest.fixture(scope="module")
def panel() -> Iterator[Any]:
    """The panel with a result, all sections open, so that everything can be used."""
    front = Front()
    front.analysed()
    front.wait()
    widget = front.module.widget_parent
    for kind in ("ctkCollapsibleButton", "ctkCollapsibleGroupBox"):
        for one in widget.findChildren(kind):
            one.collapsed = False
    widget.resize(520, 100)
    look.settle()
    widget.resize(520, widget.layout().totalHeightForWidth(520))
    look.settle()
    yield widget
    front.close()
    assert look.slot_errors == []


def reached(panel: Any) -> list[Any]:
    """What gets the focus, one Tab after the other, until it comes round."""
    panel.activateWindow()
    look.settle()
    first = next(one for one in chain(panel) if takes_tab(one))
    first.setFocus()
    found = [first]
    for _ in range(500):
        focus = qt.QApplication.focusWidget()
        tab = qt.QKeyEvent(qt.QEvent.KeyPress, qt.Qt.Key_Tab, qt.Qt.NoModifier, "\t")
        qt.QApplication.sendEvent(focus, tab)
        focus = qt.QApplication.focusWidget()
        if focus is first:
            return found
        found.append(focus)
    raise AssertionError(f"Tab does not come round: {found[-3:]}")


def chain(widget: Any) -> Iterator[Any]:
    """Every widget of a window, in the order of its focus."""
    one = widget.nextInFocusChain()
    while one is not widget:
        yield one
        one = one.nextInFocusChain()


def takes_tab(one: Any) -> bool:
    return bool(int(one.focusPolicy) & 1) and one.enabled and one.isVisible()


def corner(one: Any, panel: Any) -> tuple[int, int]:
    """The upper left corner of a widget, in pixels from that of the panel."""
    found = one.mapTo(panel, qt.QPoint(0, 0))
    return found.x(), found.y()


def name(one: Any) -> str:
    return str(one.objectName or getattr(one, "text", "") or type(one).__name__)


def test_tab_goes_from_left_to_right_and_from_top_to_bottom(panel: Any) -> None:
    found = reached(panel)
    assert len(found) > 60
    assert len([one for one in found if one.inherits("ctkCollapsibleButton")]) == SECTIONS
    wrong = []
    for one, other in pairwise(found):
        (x, y), (next_x, next_y) = corner(one, panel), corner(other, panel)
        in_line = abs(next_y - y) <= LINE_PX
        if not (next_x > x if in_line else next_y > y):
            wrong.append((name(one), name(other)))
    assert wrong == []


def test_everything_that_can_be_used_is_reached(panel: Any) -> None:
    found = set(map(id, reached(panel)))
    missed = [one for one in chain(panel) if takes_tab(one) and id(one) not in found]
    # The line within a spin box has its focus from the box.
    assert {name(one) for one in missed} <= {"qt_spinbox_lineedit"}


def test_the_table_of_measures_lets_tab_go_on(panel: Any) -> None:
    (table,) = panel.findChildren("QTableWidget", "measuresTable")
    assert table.rowCount > 1
    found = reached(panel)
    assert name(found[found.index(table) + 1]) == "axialButton"


def test_everything_that_can_be_used_has_a_tool_tip(panel: Any) -> None:
    (editor,) = panel.findChildren("qMRMLSegmentEditorWidget")  # Slicer's own

    def tip(one: Any) -> str:
        """Its own, or that of the widget it is a part of."""
        while one is not panel and not one.toolTip:
            one = one.parent()
        return "" if one is panel else str(one.toolTip)

    silent = [
        name(one)
        for one in chain(panel)
        if takes_tab(one) and not editor.isAncestorOf(one)
        if not one.inherits("ctkCollapsibleButton") and not tip(one)
    ]
    assert silent == []
