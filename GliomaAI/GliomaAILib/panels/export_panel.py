"""Export: one button, one folder; and corrected cases kept for training."""

from datetime import datetime
from pathlib import Path
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from GliomaAILib.panels.build import button, enable, section, text
from GliomaAILib.panels.desk import Desk, Panel
from GliomaAILib.review.export import ExportRequest
from GliomaAILib.review.state import ReviewState

HOME = Path.home() / "GliomaAI"
"""Where files go that the user gave no folder for."""


def kinds() -> dict[str, str]:
    """What can be exported, in words."""
    return {
        "html": _("Report (HTML)"),
        "pdf": _("Report (PDF)"),
        "seg.nrrd": _("Segmentation (.seg.nrrd)"),
        "nifti": _("Segmentation (NIfTI)"),
        "stl": _("Surfaces (STL)"),
        "json": _("Assessment (JSON)"),
        "csv": _("Line in the cohort table (CSV)"),
        "mrb": _("Scene (.mrb)"),
    }


def tool_tips() -> dict[str, str]:
    """What each kind is good for."""
    return {
        "html": _("One file for any browser"),
        "pdf": _("The same report, to be printed"),
        "seg.nrrd": _("The mask as Slicer reads it, with names, colours and terms"),
        "nifti": _("The mask on the voxels of its image: 1 NCR, 2 ED, 3 ET"),
        "stl": _("A surface of each class"),
        "json": _("Every measure and estimate, for programs"),
        "csv": _("One line for each case, in a table that grows with each export"),
        "mrb": _(
            "Images, masks and measures, to go on with; the window stands still while it "
            "is written, a second or more"
        ),
    }


class ExportPanel(Panel):
    """Folder, name, what to write, and the training case."""

    def __init__(self) -> None:
        self.widget, layout = section(_("Export"), collapsed=True)
        form = qt.QFormLayout()
        layout.addLayout(form)
        self._folder = self._folder_line("GliomaAI/ExportFolder", HOME)
        form.addRow(_("Into folder:"), self._folder)
        self._name = qt.QLineEdit()
        self._name.objectName = "exportName"
        self._name.accessibleName = _("Name of the case")
        self._name.toolTip = _("The folder's name; no patient identifier unless you write one")
        self._name.text = default_name()
        form.addRow(_("Name:"), self._name)
        self._boxes: dict[str, Any] = {}
        grid, tips = qt.QGridLayout(), tool_tips()
        for number, (kind, words) in enumerate(kinds().items()):
            box = qt.QCheckBox(words)
            box.objectName = f"{kind}Box"
            box.checked = kind != "mrb"
            self._boxes[kind] = box
            box.toolTip = tips[kind]
            grid.addWidget(box, number // 2, number % 2)
        layout.addLayout(grid)
        self._export = button(_("Export"), "", self._exported)
        self._export.objectName = "exportButton"
        layout.addWidget(self._export)
        self._report = button(
            _("Open report"), _("Show the report in the browser"), self._report_opened
        )
        layout.addWidget(self._report)
        training = qt.QFormLayout()
        layout.addLayout(training)
        self._cohort = self._folder_line("GliomaAI/CohortFolder", HOME / "cohort")
        training.addRow(_("Training cohort:"), self._cohort)
        self._save = button(_("Save as training case"), "", self._saved)
        self._save.objectName = "saveCaseButton"
        layout.addWidget(self._save)
        self._hint = text(
            _("Images and mask, without identifiers, as the training package reads them.")
        )
        layout.addWidget(self._hint)
        self._report_file: Path | None = None

    def bind(self, desk: Desk | None) -> None:
        super().bind(desk)
        self._name.text = default_name()

    def draw(self, state: ReviewState) -> None:
        enable(self._export, state.commands["export"])
        enable(self._save, state.commands["save_case"])
        self._report_file = state.report
        self._report.enabled = state.report is not None

    def _folder_line(self, key: str, otherwise: Path) -> Any:
        line = ctk.ctkPathLineEdit()
        line.toolTip = _("Empty: {folder}").format(folder=otherwise)
        line.filters = ctk.ctkPathLineEdit.Dirs | ctk.ctkPathLineEdit.Writable
        line.settingKey = key  # brings back the folder of last time
        if not line.currentPath:
            line.currentPath = str(otherwise)
        return line

    def _exported(self) -> None:
        if self._desk is None:
            return
        chosen = [kind for kind, box in self._boxes.items() if box.checked]
        folder = Path(str(self._folder.currentPath) or HOME)
        self._folder.addCurrentPathToHistory()
        self._desk.review.export(ExportRequest(folder, str(self._name.text), chosen))
        self._name.text = default_name()

    def _saved(self) -> None:
        if self._desk is None:
            return
        folder = Path(str(self._cohort.currentPath) or HOME / "cohort")
        self._cohort.addCurrentPathToHistory()
        self._desk.review.save_training_case(folder, str(self._name.text).replace(" ", "-"))

    def _report_opened(self) -> None:
        if self._report_file is not None:
            qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(self._report_file)))


def default_name() -> str:
    """A name without identifiers."""
    return str(_("Case {time}").format(time=f"{datetime.now():%Y-%m-%d %H%M%S}"))
