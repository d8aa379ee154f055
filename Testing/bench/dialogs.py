"""Dialogs are answered by the test, never shown: what would wait for the user is recorded.

    dialogs.answers.append(str(folder))      # the next folder dialog
    dialogs.answers.append(fill_in)          # a function gets the dialog, returns its result
    ...
    assert "no space" in dialogs.shown[-1].text

A dialog nobody answered is cancelled.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.pythonqt import qt


@dataclass(frozen=True)
class Shown:
    """One dialog that the user would have seen."""

    kind: str
    """`QFileDialog.getExistingDirectory`, `errorDisplay`, or the class that was executed."""
    text: str


class Dialogs:
    """What was shown, and what the user will answer, in order."""

    def __init__(self) -> None:
        self.shown: list[Shown] = []
        self.answers: deque[Any] = deque()

    def clear(self) -> None:
        self.shown.clear()
        self.answers.clear()

    def answer(self, kind: str, text: str, cancelled: Any, dialog: Any = None) -> Any:
        """Records a dialog and gives its result."""
        self.shown.append(Shown(kind, text))
        if not self.answers:
            return cancelled
        result = self.answers.popleft()
        return result(dialog) if callable(result) else result


dialogs = Dialogs()


def _static(kind: str, cancelled: Any) -> Any:
    def show(parent: Any = None, *texts: Any) -> Any:
        words = [parent, *texts]
        return dialogs.answer(kind, "\n".join(w for w in words if isinstance(w, str)), cancelled)

    return staticmethod(show)


def _executed(dialog: Any, *_: Any) -> Any:
    texts = [dialog.windowTitle]
    texts += [child.text for child in dialog.findChildren(qt.QLabel)]
    texts += [
        getattr(dialog, name) for name in ("text", "informativeText") if hasattr(dialog, name)
    ]
    words = "\n".join(dict.fromkeys(text for text in texts if text))
    return dialogs.answer(type(dialog).__name__, words, 0, dialog)


def _menu(menu: Any, *_: Any) -> Any:
    words = "\n".join(action.text for action in menu.actions())
    return dialogs.answer(type(menu).__name__, words, None, menu)


def install() -> None:
    """Takes the place of everything in `qt` that would wait for the user."""
    for name in ("getExistingDirectory", "getOpenFileName", "getSaveFileName"):
        setattr(qt.QFileDialog, name, _static(f"QFileDialog.{name}", ""))
    qt.QFileDialog.getOpenFileNames = _static("QFileDialog.getOpenFileNames", [])
    for name in ("information", "question", "warning", "critical", "about"):
        cancelled = qt.QMessageBox.Cancel
        setattr(qt.QMessageBox, name, _static(f"QMessageBox.{name}", cancelled))
    for name in ("getText", "getItem", "getMultiLineText"):
        setattr(qt.QInputDialog, name, _static(f"QInputDialog.{name}", ""))
    for cls, run in ((qt.QDialog, _executed), (qt.QMenu, _menu)):
        for name in ("exec", "exec_"):
            setattr(cls, name, run)
    for cls in (qt.QMessageBox, qt.QFileDialog, qt.QInputDialog, qt.QProgressDialog):
        for name in ("exec", "exec_"):
            setattr(cls, name, _executed)


_MESSAGES = ("errorDisplay", "infoDisplay", "warningDisplay", "messageBox", "delayDisplay")
_QUESTIONS = ("confirmOkCancelDisplay", "confirmYesNoDisplay", "confirmRetryCloseDisplay")


def replace_messages(util: Any) -> None:
    """Takes the place of the messages and questions of `slicer.util`; questions nobody answered
    are answered with False."""

    def recorded(kind: str, cancelled: Any) -> Callable[..., Any]:
        def show(text: str, *_: Any, detailedText: str = "", **__: Any) -> Any:  # noqa: N803
            return dialogs.answer(kind, "\n".join(t for t in (text, detailedText) if t), cancelled)

        return show

    for kind in _MESSAGES:
        setattr(util, kind, _unanswered(recorded(kind, None)))
    for kind in _QUESTIONS:
        setattr(util, kind, recorded(kind, False))


def _unanswered(show: Callable[..., Any]) -> Callable[..., Any]:
    """A message has an OK button only: it takes no answer from the queue."""

    def message(*arguments: Any, **options: Any) -> None:
        waiting, dialogs.answers = dialogs.answers, deque()
        try:
            show(*arguments, **options)
        finally:
            dialogs.answers = waiting

    return message
