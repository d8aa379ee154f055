"""What is missing, how large it is, and the button that installs it."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import ctk
import qt
from slicer.i18n import tr as _

from GliomaAILib.panels.build import button, row, text
from GliomaAILib.panels.packages import (
    InstallationError,
    RunningInstallation,
    install_packages,
    install_torch,
)
from GliomaAILib.review.message import Message
from GliomaAILib.worker.requirements import (
    TORCH,
    PackageSource,
    Requirement,
    missing,
    pip_arguments,
)

POLL_MS = 100


class InstallationBox:
    """Offers to install; nothing is downloaded before the user says so, and nothing offline."""

    def __init__(self, changed: Callable[[], None]) -> None:
        """`changed` is called when something was installed."""
        self._changed = changed
        self._offline = self._asking = False
        self._running: RunningInstallation | None = None
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
        self._wheels.objectName = "wheelFolder"
        self._wheels.filters = ctk.ctkPathLineEdit.Dirs
        self._wheels.toolTip = _("Install from a folder of wheels, without the network")
        self._wheels.connect("currentPathChanged(QString)", lambda _path: self._draw())
        form.addRow(_("Wheel folder:"), self._wheels)
        self._proxy = qt.QLineEdit()
        self._proxy.objectName = "proxyLine"
        self._proxy.toolTip = _("For example http://host:8080; empty: the system's")
        self._proxy_caption = qt.QLabel(_("Proxy:"))
        self._proxy_caption.setBuddy(self._proxy)
        form.addRow(self._proxy_caption, self._proxy)
        self._install = button(_("Install"), _("Download and install"), self.install)
        self._install.objectName = "installButton"
        self._cancel = button(
            _("Cancel installation"),
            _("Stop; what was installed completely stays"),
            self._cancelled,
        )
        self._cancel.objectName = "cancelInstallationButton"
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

    @property
    def offline(self) -> bool:
        """Whether the network is not asked for anything."""
        return self._offline

    @offline.setter
    def offline(self, on: bool) -> None:
        self._offline = on
        self._draw()

    def refresh(self) -> None:
        """Looks again at what is installed."""
        importlib.invalidate_caches()  # what another process installed
        self._missing: Sequence[Requirement] = missing()
        self._draw()

    def install(self) -> None:
        """Installs what is missing: torch through the PyTorch extension, the rest by pip; from a
        folder of wheels all of it."""
        if self._running is not None or self._asking:
            return
        try:
            self._begin(self._source())
        except InstallationError as error:
            self._say(str(error))
        self._draw()

    def close(self) -> None:
        """Ends what is under way."""
        self._timer.stop()
        if self._running is not None:
            self._running.cancel()
            self._running = None

    def _source(self) -> PackageSource:
        """Where the user wants packages from.

        Raises:
            InstallationError: that is nowhere.
        """
        folder = str(self._wheels.currentPath)
        if folder and not Path(folder).is_dir():
            raise InstallationError(_("{folder} is no folder.").format(folder=folder))
        if self._offline and not folder:
            raise InstallationError(offline_text())
        return PackageSource(Path(folder) if folder else None, str(self._proxy.text).strip())

    def _begin(self, source: PackageSource) -> None:
        from_index = source.wheel_folder is None
        if from_index and any(one.name == TORCH for one in self._missing):
            if not self._torch_installed(source):
                self._say(_("Nothing was installed."))
                return
            self.refresh()
        rest = [one for one in self._missing if not (from_index and one.name == TORCH)]
        if not rest:
            self.refresh()
            self._changed()
            return
        self._running = install_packages(pip_arguments(rest, source))
        self._timer.start()

    def _torch_installed(self, source: PackageSource) -> bool:
        self._asking = True  # meanwhile the window lives, and its buttons
        self._draw()
        try:
            return install_torch(source)
        finally:
            self._asking = False

    def _poll(self) -> None:
        running = self._running
        if running is None:
            return
        code = running.exit_code
        for line in running.lines():
            self._say(line)
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
            if self._offline:
                self._words.text += " " + offline_text()
        idle = self._running is None and not self._asking
        self.widget.visible = bool(self._missing) or not idle
        self._proxy.visible = self._proxy_caption.visible = not self._offline
        self._install.enabled = idle and not (self._offline and not self._wheels.currentPath)
        self._cancel.visible = self._running is not None and self._running.can_be_cancelled


def offline_text() -> str:
    """What to do where nothing may be downloaded."""
    return str(
        _(
            "Nothing is downloaded offline: choose a folder with the wheels of these packages and "
            "of what they need."
        )
    )
