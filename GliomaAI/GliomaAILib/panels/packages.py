"""Two ways to install packages into Slicer's Python: Slicer's own, where it has one, else pip."""

import contextlib
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import slicer
from slicer.i18n import tr as _

from GliomaAILib.worker.installation import Installation
from GliomaAILib.worker.requirements import PackageSource, pip_command

TORCH_VERSION = ">=2.4"


class InstallationError(Exception):
    """Nothing was installed; says why, and what to do."""


class RunningInstallation(Protocol):
    """What is being installed; a face polls it."""

    @property
    def can_be_cancelled(self) -> bool:
        """Whether `cancel` ends it."""

    @property
    def exit_code(self) -> int | None:
        """None while it runs; 0 when everything is installed."""

    def lines(self) -> list[str]:
        """What it said since the last call."""

    def cancel(self) -> None:
        """Ends it at once, where that can be."""


class SlicerInstallation:
    """An installation by `slicer.packaging`, which Slicer has from 5.12 on."""

    can_be_cancelled = False

    def __init__(self, arguments: Sequence[str]) -> None:
        """Starts it; Slicer's event loop drives it.

        Raises:
            ImportError: this Slicer has no `slicer.packaging`.
            RuntimeError: another installation is under way.
        """
        import slicer.packaging

        self.exit_code: int | None = None
        self._said: list[str] = []
        slicer.packaging.pip_install(
            list(arguments),
            blocking=False,
            show_progress=False,  # the panel shows it
            logCallback=self._said.append,
            completedCallback=self._ended,
        )

    def lines(self) -> list[str]:
        """What it said since the last call."""
        said = [line for line in self._said if line.strip()]
        self._said.clear()
        return said

    def cancel(self) -> None:
        """Slicer gives no hold on it: it goes on, and nobody listens."""

    def _ended(self, code: int) -> None:
        self.exit_code = code


def install_packages(arguments: Sequence[str]) -> RunningInstallation:
    """Begins `pip install` with these arguments.

    Raises:
        InstallationError: it cannot be begun.
    """
    try:
        # Under test Slicer's own waits until all is done, and tells nobody.
        if not slicer.app.testingEnabled():
            return SlicerInstallation(arguments)
    except ImportError:  # Slicer 5.10
        pass
    except RuntimeError as error:
        raise InstallationError(str(error)) from error
    try:
        return Installation(pip_command(arguments))
    except OSError as error:
        raise InstallationError(str(error)) from error


def install_torch(source: PackageSource) -> bool:
    """Lets the PyTorch extension ask and install torch; the window waits.

    Returns:
        False where the user declined.

    Raises:
        InstallationError: there is no such extension, or it failed.
    """
    try:
        import PyTorchUtils
    except ImportError as error:
        raise InstallationError(
            _(
                "Install the PyTorch extension in the Extensions Manager and restart Slicer; "
                "it finds the build of torch for this computer."
            )
        ) from error
    logic = PyTorchUtils.PyTorchUtilsLogic()
    try:
        with _environment(source.environment):
            torch = logic.installTorch(askConfirmation=True, torchVersionRequirement=TORCH_VERSION)
    except (ImportError, OSError, RuntimeError, subprocess.SubprocessError) as error:
        raise InstallationError(str(error)) from error
    return torch is not None


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
