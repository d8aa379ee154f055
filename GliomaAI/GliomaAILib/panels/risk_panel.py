"""Diagnosis and prognosis: what the models say, and what no model says yet."""

from slicer.i18n import tr as _

from GliomaAILib.panels.build import section, text, words
from GliomaAILib.panels.charts import BarChart, CurveChart
from GliomaAILib.panels.desk import Panel
from GliomaAILib.review.risk import risk_view
from GliomaAILib.review.state import ReviewState


class RiskPanel(Panel):
    """Bars, curves and their numbers, and plain words where there are none."""

    def __init__(self) -> None:
        self.widget, layout = section(_("Diagnosis and prognosis"), collapsed=True)
        self._words = text(name="riskText")
        self._bars, self._curves = BarChart(), CurveChart()
        self._table = text(name="riskTable")
        for widget in (self._words, self._bars.widget, self._curves.widget, self._table):
            layout.addWidget(widget)

    def draw(self, state: ReviewState) -> None:
        """Shows a state."""
        view = risk_view(state)
        self._words.text = "\n".join(words(line) for line in view.lines)
        self._bars.draw(view.bars)
        self._curves.draw(view.curves)
        self._table.text = "\n".join(f"{words(label)}: {value}" for label, value in view.table)
        self._table.visible = bool(view.table)
