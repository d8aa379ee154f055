"""Looking at a widget and driving it: pictures, the heartbeat of the event loop, waiting."""

import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from bench.pythonqt import qt, slot_errors

_BEAT_MS = 10
_LIGHT = {
    "Window": "#f0f0f0", "WindowText": "#000000", "Base": "#ffffff", "AlternateBase": "#f5f5f5",
    "Text": "#000000", "Button": "#f0f0f0", "ButtonText": "#000000", "ToolTipBase": "#ffffdc",
    "ToolTipText": "#000000", "PlaceholderText": "#808080", "Highlight": "#308cc6",
    "HighlightedText": "#ffffff", "Link": "#0057ae", "Mid": "#b8b8b8",
}  # fmt: skip
_DARK = {
    "Window": "#323232", "WindowText": "#e6e6e6", "Base": "#242424", "AlternateBase": "#2c2c2c",
    "Text": "#e6e6e6", "Button": "#3c3c3c", "ButtonText": "#e6e6e6", "ToolTipBase": "#3c3c3c",
    "ToolTipText": "#e6e6e6", "PlaceholderText": "#8c8c8c", "Highlight": "#2a82da",
    "HighlightedText": "#ffffff", "Link": "#6cb4ff", "Mid": "#505050",
}  # fmt: skip
_GREYED = ("WindowText", "Text", "ButtonText")


def use_palette(dark: bool) -> None:
    """Gives the application the colours of a light or a dark theme."""
    palette = qt.QPalette()
    for role, colour in (_DARK if dark else _LIGHT).items():
        palette.setColor(getattr(qt.QPalette, role), qt.QColor(colour))
    for role in _GREYED:
        palette.setColor(qt.QPalette.Disabled, getattr(qt.QPalette, role), qt.QColor("#8a8a8a"))
    qt.QApplication.setPalette(palette)
    settle()


def settle(rounds: int = 5) -> None:
    """Processes what is waiting, and what that brings, without waiting for anything new."""
    for _ in range(rounds):
        qt.QApplication.sendPostedEvents(None, qt.QEvent.DeferredDelete)
        qt.QApplication.processEvents()


def screenshot(
    widget: Any, file: Path, dark: bool = False, size_px: tuple[int, int] | None = None
) -> Path:
    """Writes a picture of a widget as PNG, in a light or a dark theme.

    Args:
        widget: shown for the picture, and hidden again if it was.
        file: its folder is made.
        dark: whether to use the dark palette; the light one is back afterwards.
        size_px: width and height; without, its size, or the size it asks for if never shown.
    """
    was_visible = widget.visible
    use_palette(dark)
    if size_px is not None:
        widget.resize(*size_px)
    elif not was_visible:
        widget.adjustSize()
    widget.show()
    settle()
    file.parent.mkdir(parents=True, exist_ok=True)
    done = widget.grab().save(str(file))
    widget.setVisible(was_visible)
    use_palette(dark=False)
    if not done:
        raise OSError(f"cannot write {file}")
    return file


class Heartbeat:
    """How long the event loop stood still: a timer of 10 ms, and the longest time between beats.

    Where other programs have the processor, that says little of the code; the processor time that
    this thread took between beats is told beside it.

    with Heartbeat() as heart:
        drive(lambda: done)
    assert heart.longest_gap_ms < 50
    """

    def __init__(self) -> None:
        self._timer = qt.QTimer()
        self._timer.timerType = qt.Qt.PreciseTimer
        self._timer.timeout.connect(self._beat)
        self._last_s = self._last_cpu_s = 0.0
        self.gaps_ms: list[float] = []
        self.busy_ms: list[float] = []

    @property
    def longest_gap_ms(self) -> float:
        return max(self.gaps_ms, default=0.0)

    @property
    def longest_busy_ms(self) -> float:
        """The most processor time of this thread between two beats."""
        return max(self.busy_ms, default=0.0)

    def __enter__(self) -> "Heartbeat":
        self._last_s, self._last_cpu_s = time.perf_counter(), time.thread_time()
        self._timer.start(_BEAT_MS)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._beat()  # standing still until the end counts too
        self._timer.stop()

    def _beat(self) -> None:
        now_s, now_cpu_s = time.perf_counter(), time.thread_time()
        self.gaps_ms.append((now_s - self._last_s) * 1000)
        self.busy_ms.append((now_cpu_s - self._last_cpu_s) * 1000)
        self._last_s, self._last_cpu_s = now_s, now_cpu_s


def drive(until: Callable[[], bool], timeout_s: float = 30.0) -> None:
    """Runs the event loop until something is so.

    Raises:
        TimeoutError: it is not so in time.
        Exception: the first one that a slot ended with meanwhile.
    """
    known = len(slot_errors)
    deadline_s = time.monotonic() + timeout_s
    loop, timer = qt.QEventLoop(), qt.QTimer()
    state = {"met": bool(until())}

    def check() -> None:
        try:
            state["met"] = bool(until())
        except Exception:
            loop.quit()
            raise
        if state["met"] or len(slot_errors) > known or time.monotonic() > deadline_s:
            loop.quit()

    if not state["met"]:
        timer.timeout.connect(check)
        timer.start(5)
        loop.exec()
        timer.stop()
    if len(slot_errors) > known:
        raise slot_errors[known]
    if not state["met"]:
        raise TimeoutError(f"not so after {timeout_s:g} s")
