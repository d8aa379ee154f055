"""Keys for what is done most often, as long as the module is in front."""

from collections.abc import Callable, Mapping
from typing import Any

import qt
import slicer


class Shortcuts:
    """Keys of the main window; the module gives them back when it is left."""

    def __init__(self, commands: Mapping[str, Callable[[], None]]) -> None:
        """`commands`: what each key does, by its name as Qt writes it (`Alt+R`)."""
        self._commands = commands
        self._active: list[Any] = []

    def install(self) -> None:
        """Takes the keys; without a main window there are none."""
        window = slicer.util.mainWindow()
        if window is None or self._active:
            return
        for key, command in self._commands.items():
            action = qt.QAction(window)
            action.setShortcut(qt.QKeySequence(key))
            action.connect("triggered()", command)
            window.addAction(action)
            self._active.append(action)

    def remove(self) -> None:
        """Gives the keys back."""
        for action in self._active:
            action.parent().removeAction(action)
            action.deleteLater()
        self._active.clear()
