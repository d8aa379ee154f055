"""The bench behaves like PythonQt."""

from collections.abc import Iterator
from typing import Any

import pytest
from bench_makers import ctk, dialogs, fresh_application, look, pythonqt, qt, slicer


@pytest.fixture(autouse=True)
def app() -> Iterator[Any]:
    yield from fresh_application()


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
