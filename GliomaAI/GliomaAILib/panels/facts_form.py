"""What the user knows of the patient."""

from collections.abc import Callable
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from gliomaai_training.vocabulary import KPS_STEP
from GliomaAILib.intake.facts import GRADES, VALUES, ClinicalFacts
from GliomaAILib.panels.build import text, words
from GliomaAILib.review.words import word

UNKNOWN_AGE = -1


class FactsForm:
    """Age, sex, KPS, resection, and what tissue told, each of which may be unknown."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called after each change by the user."""
        self._changed = changed
        self._drawing = False
        self.widget = ctk.ctkCollapsibleGroupBox()
        self.widget.objectName = "factsBox"
        self.widget.title = _("Clinical facts")
        self.widget.toolTip = _("What is known of the patient; all of it may be unknown")
        form = qt.QFormLayout(self.widget)
        self.widget.collapsed = True
        self._age = qt.QSpinBox()
        self._age.setRange(UNKNOWN_AGE, 120)
        self._age.specialValueText = _("unknown")
        self._age.setValue(UNKNOWN_AGE)
        self._age.suffix = _(" years")
        self._age.connect("valueChanged(int)", self._tell)
        self._age.toolTip = _("At the examination; from the images' headers where they say it")
        self._add(form, _("Age:"), self._age, "ageSpinBox")
        self._choices: dict[str, Any] = {}
        kps = tuple(range(100, KPS_STEP - 1, -KPS_STEP))
        for name, label, values in (
            ("sex", _("Sex:"), VALUES["sex"]),
            ("kps", _("Karnofsky (KPS):"), kps),
            ("resection", _("Resection, planned or done:"), VALUES["resection"]),
            ("idh", _("IDH, from tissue:"), VALUES["idh"]),
            ("codeletion_1p19q", _("1p/19q, from tissue:"), VALUES["codeletion_1p19q"]),
            ("grade", _("WHO grade, from tissue:"), GRADES),
        ):
            combo = qt.QComboBox()
            combo.addItem(_("unknown"), None)
            for value in values:
                combo.addItem(words(word(str(value))), value)
            combo.toolTip = tool_tip(name)
            combo.connect("currentIndexChanged(int)", self._tell)
            self._choices[name] = combo
            self._add(form, label, combo, f"{name}ComboBox")
        self._problem = text(name="factsProblem")
        self._problem.visible = False
        form.addRow(self._problem)

    def draw(self, facts: ClinicalFacts) -> None:
        """Shows facts, unless what stands there is not possible and waits to be mended."""
        if self._problem.text:
            return
        self._drawing = True
        age = UNKNOWN_AGE if facts.age_years is None else round(facts.age_years)
        if self._age.value != age:
            self._age.setValue(age)
        for name, combo in self._choices.items():
            index = _index(combo, getattr(facts, name))
            if combo.currentIndex != index:
                combo.setCurrentIndex(index)
        self._known_age = facts.age_years
        self._drawing = False
        known = ", ".join(_summary(name, value) for name, value in facts.known.items())
        title = _("Clinical facts")
        self.widget.title = f"{title}: {known}" if known else title

    def read(self) -> ClinicalFacts | None:
        """The facts that stand there; None, with the reason shown, where they are not possible."""
        age = None if self._age.value == UNKNOWN_AGE else float(self._age.value)
        if age is not None and self._known_age is not None and round(self._known_age) == age:
            age = self._known_age  # a header's age in months is not rounded away
        chosen = {name: combo.itemData(combo.currentIndex) for name, combo in self._choices.items()}
        try:
            facts = ClinicalFacts(age, **chosen)
        except ValueError as error:
            self._problem.text = str(error)
            self._problem.visible = True
            return None
        self._problem.text = ""
        self._problem.visible = False
        return facts

    _known_age: float | None = None

    def _add(self, form: Any, label: str, widget: Any, name: str) -> None:
        widget.objectName = name
        widget.accessibleName = label.rstrip(":")
        caption = qt.QLabel(label)
        caption.setBuddy(widget)
        form.addRow(caption, widget)

    def _tell(self, _value: int) -> None:
        if not self._drawing:
            self._changed()


def tool_tip(name: str) -> str:
    """What a fact means, and what it is for."""
    tips = {
        "sex": _("From the images' headers where they say it"),
        "kps": _("Karnofsky performance status: 100 is without complaints"),
        "resection": _("How much of the tumour is or will be taken out"),
    }
    return str(tips.get(name, _("What tissue told goes before the answer of every model")))


def _summary(name: str, value: object) -> str:
    """One fact in a title."""
    texts = {
        "age_years": _("{value:.0f} years"),
        "kps": _("KPS {value}"),
        "resection": _("{value} resection"),
        "idh": _("IDH {value}"),
        "codeletion_1p19q": _("1p/19q {value}"),
        "grade": _("grade {value}"),
    }
    shown = value if isinstance(value, float) else words(word(str(value)))
    return str(texts.get(name, "{value}").format(value=shown))


def _index(combo: Any, value: object) -> int:
    found = (i for i in range(combo.count) if combo.itemData(i) == value)
    return next(found, 0)
