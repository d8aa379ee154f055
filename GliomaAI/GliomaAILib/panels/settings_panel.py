"""Settings of the application, what has to be installed, and about."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import ctk
import qt
import slicer
from slicer.i18n import tr as _

from GliomaAILib import __version__
from GliomaAILib.panels.build import button, research_only, section, text, words
from GliomaAILib.panels.desk import Desk, Panel
from GliomaAILib.panels.installation import InstallationBox
from GliomaAILib.review.message import Message
from GliomaAILib.review.settings import Settings
from GliomaAILib.review.state import ReviewState

REASSESS_AFTER_S = 2.0


class SettingsPanel(Panel):
    """Device, model, folders and behaviour; kept in Slicer's settings."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when a setting, or what is installed, has changed."""
        self._changed = changed
        self.widget, layout = section(_("Settings and help"), collapsed=True)
        form = qt.QFormLayout()
        layout.addLayout(form)
        self._device = qt.QComboBox()
        for name, value in ((_("automatic"), "auto"), ("CPU", "cpu"), ("CUDA", "cuda")):
            self._device.addItem(name, value)
        self._device.objectName = "deviceComboBox"
        self._device.toolTip = _(
            "What the network runs on; automatic takes CUDA where there is any"
        )
        self._devices = text(name="devicesText")
        self._engine = text(name="engineText")
        form.addRow(_("Compute on:"), self._device)
        form.addRow(self._devices)
        form.addRow(self._engine)
        self._model = self._path(ctk.ctkPathLineEdit.Dirs, _("Empty: the pack that is shipped"))
        form.addRow(_("Model pack:"), self._model)
        self._scratch = self._path(ctk.ctkPathLineEdit.Dirs, _("Empty: the system's"))
        form.addRow(_("Temporary folder:"), self._scratch)
        self._bias = qt.QCheckBox(_("Correct the bias field first (N4, about 30 s more)"))
        self._by_itself = qt.QCheckBox(_("Reassess by itself after an edit"))
        self._bias.toolTip = _("Evens out slow changes of brightness before the network runs")
        self._by_itself.toolTip = _("Two seconds after the last edit, without a press of Reassess")
        self._offline = qt.QCheckBox(_("Offline: download nothing"))
        self._offline.objectName = "offlineBox"
        self._offline.toolTip = _(
            "Only an installation ever downloads; offline, it takes a folder of wheels"
        )
        for box in (self._bias, self._by_itself, self._offline):
            layout.addWidget(box)
        self.installation = InstallationBox(changed)
        layout.addWidget(self.installation.widget)
        card = button(
            _("Model card"),
            _("On what data the models were trained, how well they do, and their limits"),
            self._card_opened,
        )
        card.objectName = "modelCardButton"
        layout.addWidget(card)
        layout.addWidget(text(keys_text(), "keysText"))
        layout.addWidget(text(f"GliomaAI {__version__}. {research_only()}", "aboutText"))
        self._restore()
        self._device.connect("currentIndexChanged(int)", self._store)
        for line in (self._model, self._scratch):
            line.connect("currentPathChanged(QString)", self._store)
        for box in (self._bias, self._by_itself, self._offline):
            box.connect("toggled(bool)", self._store)

    def bind(self, desk: Desk | None) -> None:
        """Settings are the same for all cases."""

    def draw(self, state: ReviewState) -> None:
        provenance = state.document.get("provenance")
        engine = provenance["engine"] if isinstance(provenance, dict) else ""
        self._engine.text = _("Last analysis ran on: {engine}").format(engine=engine)
        self._engine.visible = bool(engine)

    def draw_devices(self, lines: Sequence[Message]) -> None:
        """Says what is known of the devices."""
        self._devices.text = "\n".join(words(line) for line in lines)

    def settings(self) -> Settings:
        """The settings as they are now."""
        model, scratch = str(self._model.currentPath), str(self._scratch.currentPath)
        return Settings(
            scratch=Path(scratch or tempfile.gettempdir()) / "GliomaAI",
            device=str(self._device.itemData(self._device.currentIndex)),
            model=Path(model) if model else None,
            bias_field=bool(self._bias.checked),
            reassess_after_s=REASSESS_AFTER_S if self._by_itself.checked else None,
        )

    def _card_opened(self) -> None:
        """Shows the cards of the packs that the next run would use."""
        from gliomaai_training.inference.model_pack import CARD, ModelPackError
        from GliomaAILib.models import (
            OPTIONAL_PACKS,
            SEGMENTATION_PACK,
            find_model_pack,
            has_model_pack,
        )

        try:
            packs = [find_model_pack(SEGMENTATION_PACK, self.settings().model)]
            packs += [find_model_pack(name) for name in OPTIONAL_PACKS if has_model_pack(name)]
            content = "\n\n---\n\n".join((pack / CARD).read_text("utf-8") for pack in packs)
        except (ModelPackError, OSError) as error:
            content = str(error)
        browser = qt.QTextBrowser()
        browser.setMarkdown(content)
        dialog = qt.QDialog(self.widget.window())
        dialog.windowTitle = _("Model card")
        qt.QVBoxLayout(dialog).addWidget(browser)
        dialog.resize(720, 640)
        dialog.exec()
        dialog.deleteLater()  # it would stay with its window

    def _path(self, filters: Any, tool_tip: str) -> Any:
        line = ctk.ctkPathLineEdit()
        line.filters = filters
        line.toolTip = tool_tip
        return line

    def _restore(self) -> None:
        kept = slicer.app.userSettings()
        index = self._device.findData(str(kept.value("GliomaAI/Device", "auto")))
        self._device.currentIndex = max(index, 0)
        self._model.currentPath = str(kept.value("GliomaAI/Model", ""))
        self._scratch.currentPath = str(kept.value("GliomaAI/Scratch", ""))
        # Settings files hold text: "false" is no false value.
        self._bias.checked = str(kept.value("GliomaAI/BiasField", "false")) == "true"
        self._by_itself.checked = str(kept.value("GliomaAI/ReassessByItself", "false")) == "true"
        self._offline.checked = str(kept.value("GliomaAI/Offline", "false")) == "true"
        self.installation.offline = bool(self._offline.checked)

    def _store(self, _value: object = None) -> None:
        settings = self.settings()
        kept = slicer.app.userSettings()
        kept.setValue("GliomaAI/Device", settings.device)
        kept.setValue("GliomaAI/Model", str(self._model.currentPath))
        kept.setValue("GliomaAI/Scratch", str(self._scratch.currentPath))
        kept.setValue("GliomaAI/BiasField", "true" if settings.bias_field else "false")
        by_itself = settings.reassess_after_s is not None
        kept.setValue("GliomaAI/ReassessByItself", "true" if by_itself else "false")
        kept.setValue("GliomaAI/Offline", "true" if self._offline.checked else "false")
        self.installation.offline = bool(self._offline.checked)
        self._changed()


def keys_text() -> str:
    """Which keys there are."""
    return str(
        _(
            "Keys: Alt+R run, Alt+A reassess, Alt+1, Alt+2 and Alt+3 the largest extent in axial, "
            "coronal and sagittal slices; the editor's keys are those of the Segment Editor."
        )
    )
