"""What is under way and how the last command ended: above all sections, so that it is seen."""

import qt
from slicer.i18n import tr as _

from GliomaAILib.panels.build import NoticeList, button, enable, row, text, words
from GliomaAILib.panels.desk import Panel
from GliomaAILib.review.state import ReviewState, Work
from GliomaAILib.review.words import word


class StatusPanel(Panel):
    """Progress with Cancel, and the outcome."""

    def __init__(self) -> None:
        self.widget = qt.QFrame()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        self._work = qt.QFrame()
        work_layout = qt.QVBoxLayout(self._work)
        work_layout.setContentsMargins(0, 0, 0, 0)
        self._progress = qt.QProgressBar()
        self._progress.setRange(0, 100)
        self._progress.accessibleName = _("Progress")
        self._cancel = button(_("Cancel"), "", self.given(lambda desk: desk.review.cancel()))
        self._cancel.objectName = "cancelButton"
        work_layout.addLayout(row(self._progress, self._cancel))
        self._stage = text(name="progressText")
        work_layout.addWidget(self._stage)
        layout.addWidget(self._work)
        self._outcome = NoticeList("outcomeNotices")
        layout.addWidget(self._outcome.widget)

    def draw(self, state: ReviewState) -> None:
        """Shows a state."""
        self._work.visible = state.work is not None
        enable(self._cancel, state.commands["cancel"])
        if state.work is not None:
            part = state.work.fraction if state.work.done is None else state.work.done
            self._progress.setValue(round(100 * part))
            self._stage.text = work_text(state.work)
        self._outcome.draw(() if state.outcome is None else (state.outcome,))


def work_text(work: Work) -> str:
    """What is under way, in one line."""
    line = f"{words(work.title)}: {words(word(work.stage))}" if work.stage else words(work.title)
    if work.left_s is None:
        return line
    left_s = max(1, round(work.left_s))
    return str(_("{what}; about {seconds} s left").format(what=line, seconds=left_s))
