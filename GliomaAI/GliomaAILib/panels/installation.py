"""What is missing, how large it is, and the button that installs it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import ctk
import qt
from slicer.i18n import tr as _

from GliomaAILib.panels.build import button, row, text
from GliomaAILib.review.message import Message
from GliomaAILib.worker.installation import Installation
from GliomaAILib.worker.requirements import (
    TORCH,
    PackageSource,
    Requirement,
    missing,
    pip_command,
)

POLL_MS = 100


class InstallationBox:
    """Offers to install; nothing is downloaded before the user says so."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when something was installed."""
        self._changed = changed
        self._running: Installation | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.connect("timeout()", self._poll)
        self.widget = qt.QFrame()
        layout = qt.QVBoxLayout(self.widget)
        layout.setContentsMargins(0, 0, 0, 0)
        self._words = text(name="missingText")
        layout.addWidget(self._words)
        form = qt.QFormLayout()
        layout.addLayout(form)
        self._wheels = ctk.ctkPathLineEdit()
        self._wheels.filters = ctk.ctkPathLineEdit.Dirs
        self._wheels.toolTip = _("Install from a folder of wheels, without the network")
        form.addRow(_("Wheel folder:"), self._wheels)
        self._proxy = qt.QLineEdit()
        self._proxy.toolTip = _("For example http://host:8080; empty: the system's")
        form.addRow(_("Proxy:"), self._proxy)
        self._install = button(_("Install"), _("Download and install"), self.install)
        self._install.objectName = "installButton"
        self._cancel = button(_("Cancel installation"), "", self._cancelled)
        layout.addLayout(row(self._install, self._cancel))
        self._said = text(name="installationText")
        self._said.visible = False
        layout.addWidget(self._said)
        self.refresh()

    @property
    def problem(self) -> Message | None:
        """Why nothing can run; None when everything is there."""
        if not self._missing:
            return None
        names = ", ".join(one.name for one in self._missing)
        return Message(_("Not installed yet: {names}. See Settings and help."), {"names": names})

    def refresh(self) -> None:
        """Looks again at what is installed."""
        self._missing: Sequence[Requirement] = missing()
        self._draw()

    def install(self) -> None:
        """Installs what is missing: torch through the PyTorch extension, the rest by pip."""
        if self._running is not None:
            return
        if any(one.name == TORCH for one in self._missing) and not self._torch_installed():
            return
        rest = [one for one in missing() if one.name != TORCH]
        if not rest:
            self.refresh()
            self._changed()
            return
        folder = str(self._wheels.currentPath)
        source = PackageSource(Path(folder) if folder else None, str(self._proxy.text))
        self._running = Installation(pip_command(rest, source))
        self._timer.start()
        self._draw()

    def close(self) -> None:
        """Ends what is under way."""
        self._timer.stop()
        if self._running is not None:
            self._running.cancel()
            self._running = None

    def _torch_installed(self) -> bool:
        try:
            import PyTorchUtils
        except ImportError:
            self._say(
                _(
                    "Install the PyTorch extension in the Extensions Manager and restart Slicer; "
                    "it finds the build of torch for this computer."
                )
            )
            return False
        logic = PyTorchUtils.PyTorchUtilsLogic()
        return logic.installTorch(askConfirmation=True, torchVersionRequirement=">=2.4") is not None

    def _poll(self) -> None:
        running = self._running
        if running is None:
            return
        for line in running.lines():
            self._say(line)
        code = running.exit_code
        if code is None:
            return
        self._timer.stop()
        self._running = None
        if code != 0:
            self._say(_("Not installed: {reason}").format(reason=self._said.text))
        self.refresh()
        self._changed()

    def _cancelled(self) -> None:
        self.close()
        self._say(_("Cancelled."))
        self._draw()

    def _say(self, content: str) -> None:
        self._said.text = content
        self._said.visible = True

    def _draw(self) -> None:
        self._words.visible = bool(self._missing)
        if self._missing:
            size_mb = sum(one.size_mb for one in self._missing)
            self._words.text = "⚠ " + _("Not installed: {names}; at least {size} MB.").format(
                names=", ".join(one.name for one in self._missing), size=size_mb
            )
        self.widget.visible = bool(self._missing) or self._running is not None
        self._install.enabled = self._running is None
        self._cancel.visible = self._running is not None
