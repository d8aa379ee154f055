"""Diagnosis and prognosis: what the models say, and what no model says yet."""

from collections.abc import Sequence
from typing import Any

from slicer.i18n import tr as _

from GliomaAILib.panels.build import section, text, words
from GliomaAILib.panels.charts import BarChart, CurveChart, NomogramChart
from GliomaAILib.panels.desk import Desk, Panel
from GliomaAILib.panels.explanation_part import ExplanationPart
from GliomaAILib.review.message import Message
from GliomaAILib.review.risk import risk_view
from GliomaAILib.review.state import ReviewState


class RiskPanel(Panel):
    """Bars, curves, nomogram and their numbers, and plain words where there are none."""

    def __init__(self) -> None:
        self.widget, layout = section(_("Diagnosis and prognosis"), collapsed=True)
        self._words = text(name="riskText")
        layout.addWidget(self._words)
        self._bars, self._curves = BarChart("barChart"), CurveChart()
        self._nomogram, self._moved = NomogramChart(), BarChart("movedChart")
        self._worth = text(name="riskWorth")
        self._network, self._network_words = BarChart("networkChart"), text(name="networkText")
        self._explanation = ExplanationPart()
        self._titles = [
            self._titled(layout, title, *widgets)
            for title, *widgets in (
                (_("Probability of each WHO 2021 state, and what follows"), self._bars.widget),
                (_("Survival over months"), self._curves.widget, self._worth),
                (_("Nomogram: the patient's points"), self._nomogram.widget),
                (_("What moved the risk most"), self._moved.widget),
                (_("The network's own answer"), self._network_words, self._network.widget),
            )
        ]
        layout.addWidget(self._explanation.widget)
        self._table, self._notes = text(name="riskTable"), text(name="riskNotes")
        self._table.accessibleName = _("Numbers of diagnosis and prognosis")
        layout.addWidget(self._table)
        layout.addWidget(self._notes)

    @property
    def has_other_theme(self) -> bool:
        """Whether a chart was painted with the colours of a theme that is gone."""
        charts = (self._bars, self._curves, self._nomogram, self._moved, self._network)
        canvases = (*(chart.canvas for chart in charts), self._explanation.canvas)
        return any(canvas.has_other_theme for canvas in canvases)

    @property
    def explanation(self) -> ExplanationPart:
        """The part that explains the network's answers."""
        return self._explanation

    def bind(self, desk: Desk | None) -> None:
        super().bind(desk)
        self._explanation.bind(desk)

    def draw(self, state: ReviewState) -> None:
        """Shows a state."""
        view = risk_view(state)
        self._words.text = _joined(view.lines)
        self._bars.draw(view.bars)
        self._curves.draw(view.curves)
        self._worth.text = words(view.worth)
        self._worth.visible = view.worth is not None
        self._nomogram.draw(view.nomogram)
        self._moved.draw(view.moved)
        self._network.draw(() if view.network is None else view.network.bars)
        self._network_words.text = "" if view.network is None else _joined(view.network.lines)
        self._network_words.visible = view.network is not None
        self._explanation.draw(state, view.explanation)
        shown = (view.bars, view.curves, view.nomogram, view.moved, view.network)
        for title, content in zip(self._titles, shown, strict=True):
            title.visible = bool(content)
        self._table.text = "\n".join(
            f"{words(label)}: {words(value)}" for label, value in view.table
        )
        self._table.visible = bool(view.table)
        self._notes.text = _joined(view.notes)
        self._notes.visible = bool(view.notes)

    def _titled(self, layout: Any, title: str, *widgets: Any) -> Any:
        heading = text(title)
        heading.visible = False
        for widget in (heading, *widgets):
            layout.addWidget(widget)
        return heading


def _joined(lines: Sequence[Message]) -> str:
    return "\n".join(words(line) for line in lines)
