"""The case: which volume is which sequence, what is known of the patient, and the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.panels.build import NoticeList, button, enable, row, section, text, words
from GliomaAILib.panels.desk import Panel
from GliomaAILib.panels.facts_form import FactsForm
from GliomaAILib.review.availability import NAMES
from GliomaAILib.review.state import ReviewState, SequenceChoice

VOLUME = "vtkMRMLScalarVolumeNode"


class CasePanel(Panel):
    """Sequence selectors, clinical facts, findings and the run."""

    def __init__(self, scene: Any) -> None:
        """Builds the section; `scene` is the MRML scene of the selectors."""
        self.widget, layout = section(_("Case"))
        self._opening = False
        self._selectors: dict[str, Any] = {}
        self._confidences: dict[str, Any] = {}
        drop = DropFrame(self._open)
        drop_layout = qt.QVBoxLayout(drop)
        drop_layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(drop)
        drop_layout.addLayout(self._study_row())
        form = qt.QFormLayout()
        drop_layout.addLayout(form)  # first: what is put into it has a parent then
        self._fill_sequence_form(form, scene)
        self._facts = FactsForm(self._facts_changed)
        layout.addWidget(self._facts.widget)
        self._notices = NoticeList("caseNotices")
        layout.addWidget(self._notices.widget)
        self._run = button(_("Run"), "", self.given(lambda d: d.review.run()))
        self._run.objectName = "runButton"
        layout.addWidget(self._run)
        self._why = text(name="runReason")
        layout.addWidget(self._why)

    def draw(self, state: ReviewState) -> None:
        for name in SEQUENCES:
            self._draw_choice(name, state.sequences[name])
        self._facts.draw(state.facts)
        self._notices.draw(() if state.has_result else state.notices)
        run = state.commands["run"]
        enable(self._run, run)
        self._why.text = "" if run.enabled or state.work else words(run.why)
        self._why.visible = bool(self._why.text)
        idle = state.work is None
        if idle and self._opening:
            self._opened()
        self._open_button.enabled = idle
        self._recognise_button.enabled = idle
        self._sample_button.enabled = idle

    def _study_row(self) -> Any:
        self._open_button = button(
            _("Open study folder..."),
            _("Load a folder of DICOM, NIfTI, NRRD or MetaImage files. You may also drop it here."),
            self._choose_folder,
        )
        self._recognise_button = button(
            _("Recognise again"),
            _("Find out anew which loaded volume is which sequence; your choices are forgotten."),
            self.given(lambda d: d.review.recognise()),
        )
        self._sample_button = button(
            _("Try a synthetic patient"),
            _("Make a simulated patient and load it; nothing is downloaded"),
            self._open_sample,
        )
        self._sample_button.objectName = "sampleButton"
        return row(self._open_button, self._sample_button, self._recognise_button)

    def _fill_sequence_form(self, form: Any, scene: Any) -> None:
        for name in SEQUENCES:
            selector = slicer.qMRMLNodeComboBox()
            selector.objectName = f"{name}Selector"
            selector.nodeTypes = [VOLUME]
            selector.showChildNodeTypes = False
            selector.addEnabled = False
            selector.removeEnabled = False
            selector.noneEnabled = True
            selector.toolTip = _("The volume that is taken for {name}").format(name=NAMES[name])
            selector.accessibleName = NAMES[name]
            selector.setMRMLScene(scene)
            # Only the user's choice counts: a selector also wanders when nodes come and go.
            selector.connect("nodeActivated(vtkMRMLNode*)", self._chooser(name))
            confidence = qt.QLabel()
            confidence.minimumWidth = 70
            self._selectors[name], self._confidences[name] = selector, confidence
            label = qt.QLabel(f"{NAMES[name]}:")
            label.setBuddy(selector)
            form.addRow(label, row(selector, confidence))

    def _chooser(self, sequence: str) -> Callable[[Any], None]:
        def choose(node: Any) -> None:
            if self._desk is not None:
                self._desk.review.choose(sequence, "" if node is None else node.GetID())

        return choose

    def _draw_choice(self, name: str, choice: SequenceChoice) -> None:
        selector, confidence = self._selectors[name], self._confidences[name]
        if (selector.currentNodeID or "") != choice.volume:
            blocked = selector.blockSignals(True)
            selector.setCurrentNodeID(choice.volume)
            selector.blockSignals(blocked)
        if choice.by_hand:
            confidence.text, confidence.toolTip = _("chosen"), _("You chose this volume.")
        elif choice.confidence is None:
            confidence.text = confidence.toolTip = ""
        else:
            confidence.text = _("{percent} % sure").format(percent=int(100 * choice.confidence))
            confidence.toolTip = "\n".join(choice.evidence)

    def _facts_changed(self) -> None:
        if self._desk is None:
            return
        facts = self._facts.read()
        if facts is not None:
            self._desk.review.set_facts(facts)

    def _choose_folder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(self.widget, _("Open study folder"), "")
        if folder:
            self._open(Path(str(folder)))

    def _open(self, study: Path) -> None:
        if self._desk is not None:
            self._desk.review.open_study(study)
            self._opening = True

    def _open_sample(self) -> None:
        if self._desk is not None:
            self._desk.review.open_sample()
            self._opening = True

    def _opened(self) -> None:
        """What was opened is looked at."""
        self._opening = False
        if self._desk is not None:
            self._desk.views.show_layout()


class DropFrame(qt.QFrame):  # type: ignore[misc]
    """A frame on which a folder or file can be dropped."""

    def __init__(self, dropped: Callable[[Path], None]) -> None:
        super().__init__()
        self._dropped = dropped
        self.acceptDrops = True

    def dragEnterEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Takes what is one local file or folder."""
        if _dropped_path(event.mimeData()) is not None:
            event.acceptProposedAction()

    def dropEvent(self, event: Any) -> None:  # noqa: N802 - Qt's name
        """Opens it."""
        path = _dropped_path(event.mimeData())
        if path is not None:
            event.acceptProposedAction()
            self._dropped(path)


def _dropped_path(data: Any) -> Path | None:
    urls = list(data.urls())
    if len(urls) != 1 or not urls[0].isLocalFile():
        return None
    return Path(str(urls[0].toLocalFile()))
