"""Small parts of which the panels are built."""

from collections.abc import Callable
from functools import partial
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _
from slicer.i18n import translate

from gliomaai_training.findings import Severity
from GliomaAILib.review.message import CONTEXT, Message
from GliomaAILib.review.state import Command, Notice

MARKS = {Severity.INFO: "ℹ", Severity.WARNING: "⚠", Severity.BLOCKING: "⛔"}  # noqa: RUF001
"""Before the word, so that colour is never all that tells them apart."""


def words(message: Message | str | None) -> str:
    """A sentence of the review in the user's language; a text that is none stays as it is."""
    if not isinstance(message, Message):
        return message or ""
    return message.rendered(partial(translate, CONTEXT))


def research_only() -> str:
    """What stands wherever a result is shown; in English it is `vocabulary.NOTICE`."""
    return str(
        _("Research use only. Not a medical device; not for diagnosis or treatment decisions.")
    )


def severity_word(severity: Severity) -> str:
    """The severity as a translated word."""
    names = {
        Severity.INFO: _("Note"),
        Severity.WARNING: _("Warning"),
        Severity.BLOCKING: _("Stopped"),
    }
    return str(names[severity])


def section(title: str, collapsed: bool = False) -> tuple[Any, Any]:
    """A collapsible section and the layout of its content."""
    widget = ctk.ctkCollapsibleButton()
    widget.text = title
    layout = qt.QVBoxLayout(widget)
    widget.collapsed = collapsed
    return widget, layout


def button(text: str, tool_tip: str, action: Callable[[], None]) -> Any:
    """A push button; what `action` is given by the signal is left out."""
    widget = qt.QPushButton(text)
    widget.toolTip = tool_tip
    widget.connect("clicked()", action)
    return widget


def row(*widgets: Any) -> Any:
    """Widgets side by side."""
    layout = qt.QHBoxLayout()
    for widget in widgets:
        layout.addWidget(widget)
    return layout


def text(content: str = "", name: str = "") -> Any:
    """A text that wraps and that can be selected; its content is never taken for markup."""
    label = qt.QLabel(content)
    label.textFormat = qt.Qt.PlainText
    label.wordWrap = True
    label.textInteractionFlags = qt.Qt.TextSelectableByMouse
    label.objectName = name
    return label


def enable(widget: Any, command: Command) -> None:
    """Enables a button; its tool tip says what it does, or what it waits for."""
    widget.enabled = command.enabled
    widget.toolTip = words(command.why)
    widget.accessibleDescription = words(command.why)


def notice_text(notice: Notice) -> str:
    """A notice as one paragraph: mark, word, sentence, what to do."""
    parts = [
        f"{MARKS[notice.severity]} {severity_word(notice.severity)}:",
        words(notice.message),
        words(notice.action),
    ]
    return " ".join(part for part in parts if part)


class NoticeList:
    """Notices one below the other."""

    def __init__(self, name: str) -> None:
        self.widget = qt.QFrame()
        self.widget.objectName = name
        self._layout = qt.QVBoxLayout(self.widget)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._labels: list[Any] = []
        self.draw(())

    def draw(self, notices: tuple[Notice, ...]) -> None:
        """Shows these notices, and no others."""
        while len(self._labels) < len(notices):
            self._labels.append(text())
            self._layout.addWidget(self._labels[-1])
        for index, label in enumerate(self._labels):
            label.visible = index < len(notices)
            label.text = (
                notice_text(notices[index]) if label.visible or index < len(notices) else ""
            )
        self.widget.visible = bool(notices)
