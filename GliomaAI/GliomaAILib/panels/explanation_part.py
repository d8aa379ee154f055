"""Why the network answers so: what each sequence added, and maps to lay over the images."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from GliomaAILib.panels.build import button, enable, text, words
from GliomaAILib.panels.charts import Canvas, SignedBarChart
from GliomaAILib.panels.desk import Desk
from GliomaAILib.review.explanation import ExplanationView
from GliomaAILib.review.state import ReviewState


def nobody_listens() -> None:
    """Who else shows overlays has to be told; without anybody, nothing is done."""


class ExplanationPart:
    """The button, the bars, the choice of a map, and what has to be said with them."""

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._answers: tuple[str, ...] = ()
        self._labels: tuple[str, ...] = ()
        self.overlay_changed: Callable[[], None] = nobody_listens
        """Called when a map was laid over the images, or taken away."""
        self.widget = qt.QFrame()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        self._button = button(_("Explain"), "", self._explain)
        self._button.objectName = "explainButton"
        layout.addWidget(self._button)
        self._reason = text(name="explainReason")
        layout.addWidget(self._reason)
        self._title = text(_("How far each sequence moved the network's answer"))
        layout.addWidget(self._title)
        self._bars = SignedBarChart("importanceChart")
        layout.addWidget(self._bars.widget)
        self._legend = text(_("Blue: against the answer or for a lower risk. Orange: for it."))
        layout.addWidget(self._legend)
        self._choice_title = qt.QLabel(_("Where an answer comes from, over the images:"))
        layout.addWidget(self._choice_title)
        self._choice = qt.QComboBox()
        self._choice.objectName = "saliencyComboBox"
        self._choice.accessibleName = _("Saliency map over the images")
        self._choice.toolTip = _("Lay the map of one answer over the images, or none")
        self._choice.connect("activated(int)", self._chosen)
        layout.addWidget(self._choice)
        self._words = text(name="explanationText")
        layout.addWidget(self._words)

    @property
    def canvas(self) -> Canvas:
        """That of the bars."""
        return self._bars.canvas

    def bind(self, desk: Desk | None) -> None:
        """Works for another case from now on; None where there is none."""
        self._desk = desk

    def draw(self, state: ReviewState, view: ExplanationView | None) -> None:
        """Shows a state."""
        command = state.commands["explain"]
        enable(self._button, command)
        waits = state.has_result and state.work is None and not command.enabled
        self._reason.text = words(command.why) if waits else ""
        self._reason.visible = waits
        answers = () if view is None else view.answers
        self._bars.draw(answers)
        has_bars = any(one.bars for one in answers)
        self._title.visible = self._legend.visible = has_bars
        maps = () if view is None else view.maps
        self._fill(tuple(one.answer for one in maps), tuple(words(one.words) for one in maps))
        self._words.text = "" if view is None else "\n".join(words(line) for line in view.lines)
        self._words.visible = view is not None
        self.read_overlay()

    def read_overlay(self) -> None:
        """The choice says what the views show."""
        shown = "" if self._desk is None else self._desk.views.saliency
        self._choice.currentIndex = self._answers.index(shown) + 1 if shown in self._answers else 0

    def _fill(self, answers: tuple[str, ...], labels: tuple[str, ...]) -> None:
        self._choice.visible = self._choice_title.visible = bool(answers)
        if (answers, labels) == (self._answers, self._labels):
            return
        self._answers, self._labels = answers, labels
        self._choice.clear()
        for label in (_("No map"), *labels):
            self._choice.addItem(label)

    def _explain(self) -> None:
        if self._desk is not None:
            self._desk.review.explain()

    def _chosen(self, index: int) -> None:
        if self._desk is not None:
            self._desk.views.saliency = self._answers[index - 1] if index > 0 else ""
            self.overlay_changed()
