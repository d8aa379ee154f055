"""First use: what is missing is offered, and installed as far as the user wants it."""

import os
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from bench_makers import fresh_application, look, qt, slicer

ABSENT = "surely-not-there"
PACKAGES = "GliomaAILib.panels.packages"


class SlicerPackaging(types.ModuleType):
    """`slicer.packaging` as Slicer 5.12 documents it, without pip behind it."""

    def __init__(self) -> None:
        super().__init__("slicer.packaging")
        self.asked: list[list[str]] = []
        self.busy = False
        self.end: Callable[[int], None] = lambda _code: None

    def pip_install(
        self,
        requirements: str | list[str],
        *,
        blocking: bool = True,
        show_progress: bool = True,
        logCallback: Callable[[str], None],  # noqa: N803 - Slicer's name
        completedCallback: Callable[[int], None],  # noqa: N803 - Slicer's name
    ) -> None:
        """Of its arguments those that are used here, with its defaults."""
        assert isinstance(requirements, list)
        assert not blocking, "the window would wait"
        assert not show_progress
        if self.busy:
            raise RuntimeError("A non-blocking pip_install is already in progress.")
        self.asked.append(requirements)
        logCallback("Collecting it")
        self.end = completedCallback


@dataclass
class PyTorchExtension:
    """The extension's logic: what the user answers, and what it saw."""

    answer: object | None = object()
    failure: Exception | None = None
    calls: int = 0
    proxy: str | None = None
    installed: Callable[[], None] = lambda: None

    def installTorch(  # noqa: N802 - the extension's name
        self,
        askConfirmation: bool = False,  # noqa: N803 - the extension's names
        forceComputationBackend: str | None = None,  # noqa: N803
        torchVersionRequirement: str | None = None,  # noqa: N803
    ) -> object | None:
        assert askConfirmation
        assert torchVersionRequirement == ">=2.4"
        self.calls += 1
        self.proxy = os.environ.get("PIP_PROXY")
        if self.failure is not None:
            raise self.failure
        if self.answer is not None:
            self.installed()
        return self.answer


@dataclass
class Shop:
    """A computer on which packages are missing, and the box that offers them."""

    absent: list[Any] = field(default_factory=list)
    commands: list[Sequence[str]] = field(default_factory=list)
    """Of pip itself, where there is no `slicer.packaging`."""
    changes: list[str] = field(default_factory=list)
    extension: PyTorchExtension = field(default_factory=PyTorchExtension)
    box: Any = None

    def lacks(self, *names: str) -> None:
        from GliomaAILib.worker.requirements import Requirement

        self.absent[:] = [Requirement(name, "1", 7) for name in names]
        self.box.refresh()

    def has(self, name: str) -> None:
        self.absent[:] = [one for one in self.absent if one.name != name]

    def widget(self, name: str) -> Any:
        (found,) = self.box.widget.findChildren("QWidget", name)
        return found

    @property
    def said(self) -> str:
        return str(self.widget("installationText").text)

    @property
    def can_install(self) -> bool:
        return bool(self.widget("installButton").enabled)


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    """Slicer 5.10: no `slicer.packaging`; pip itself does nothing and succeeds."""
    yield from (_shop(monkeypatch) for _ in fresh_application())


def _shop(monkeypatch: pytest.MonkeyPatch) -> Shop:
    from GliomaAILib.panels.installation import InstallationBox

    shop = Shop()

    def pip_command(arguments: Sequence[str]) -> list[str]:
        shop.commands.append(arguments)
        return [sys.executable, "-c", "print('Collecting it')"]

    monkeypatch.setattr("GliomaAILib.panels.installation.missing", lambda: tuple(shop.absent))
    monkeypatch.setattr(f"{PACKAGES}.pip_command", pip_command)
    monkeypatch.setitem(sys.modules, "slicer.packaging", None)
    extension = types.ModuleType("PyTorchUtils")
    extension.PyTorchUtilsLogic = lambda: shop.extension  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PyTorchUtils", extension)
    monkeypatch.delenv("PIP_PROXY", raising=False)
    shop.box = InstallationBox(lambda: shop.changes.append("installed"))
    shop.lacks(ABSENT)
    return shop


@pytest.fixture
def packaging(monkeypatch: pytest.MonkeyPatch) -> SlicerPackaging:
    """Slicer 5.12."""
    found = SlicerPackaging()
    monkeypatch.setitem(sys.modules, "slicer.packaging", found)
    monkeypatch.setattr(slicer, "packaging", found, raising=False)
    return found


def test_nothing_happens_before_the_user_says_so(shop: Shop) -> None:
    look.settle()
    assert f"{ABSENT}; at least 7 MB" in shop.widget("missingText").text
    assert ABSENT in str(shop.box.problem)
    assert shop.commands == []
    assert shop.extension.calls == 0


def test_slicer_installs_where_it_can(shop: Shop, packaging: SlicerPackaging) -> None:
    shop.box.install()
    (asked,) = packaging.asked
    assert asked[-1] == f"{ABSENT}>=1"
    assert not shop.can_install
    assert shop.widget("cancelInstallationButton").isHidden()  # Slicer gives no hold on it
    look.drive(lambda: "Collecting" in shop.said)
    assert shop.changes == []
    shop.has(ABSENT)
    packaging.end(0)
    look.drive(lambda: shop.changes == ["installed"])
    assert shop.box.problem is None
    assert shop.box.widget.isHidden()
    assert shop.commands == []


def test_what_slicer_cannot_install_is_said(shop: Shop, packaging: SlicerPackaging) -> None:
    shop.box.install()
    packaging.end(1)
    look.drive(lambda: "Not installed: Collecting it" in shop.said)
    assert shop.can_install
    packaging.busy = True
    shop.box.install()
    assert "already in progress" in shop.said
    assert shop.can_install


def test_an_older_slicer_has_pip(shop: Shop) -> None:
    shop.box.install()
    assert not shop.widget("cancelInstallationButton").isHidden()
    shop.has(ABSENT)
    look.drive(lambda: shop.changes == ["installed"])
    (arguments,) = shop.commands
    assert arguments[-1] == f"{ABSENT}>=1"
    assert shop.box.problem is None


def test_under_test_slicer_does_not_block(shop: Shop, packaging: SlicerPackaging) -> None:
    with mock.patch.object(type(slicer.app), "testingEnabled", return_value=True):
        shop.box.install()
    assert packaging.asked == []
    look.drive(lambda: shop.changes == ["installed"])


def test_pip_can_be_cancelled(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    waits = [sys.executable, "-c", "import time; time.sleep(600)"]
    monkeypatch.setattr(f"{PACKAGES}.pip_command", lambda _arguments: waits)
    shop.box.install()
    process = shop.box._running._process
    shop.widget("cancelInstallationButton").click()
    assert process.poll() is not None
    assert shop.said == "Cancelled."
    assert shop.can_install
    assert shop.changes == []


def test_torch_is_the_extension_s(shop: Shop) -> None:
    shop.lacks("torch", ABSENT)
    shop.extension.installed = lambda: shop.has("torch")
    shop.box.install()
    assert shop.extension.calls == 1
    (arguments,) = shop.commands
    assert arguments[-1] == f"{ABSENT}>=1"
    assert "torch>=1" not in arguments
    look.drive(lambda: shop.changes == ["installed"])


def test_who_declines_torch_gets_nothing(shop: Shop) -> None:
    shop.lacks("torch", ABSENT)
    shop.extension.answer = None
    shop.box.install()
    assert shop.said == "Nothing was installed."
    assert shop.commands == []
    assert shop.can_install
    shop.extension.failure = RuntimeError("the index was not reached")
    shop.box.install()
    assert shop.said == "the index was not reached"
    assert shop.commands == []
    assert shop.can_install


def test_without_the_extension_it_is_named(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    shop.lacks("torch")
    shop.box.install()
    assert "Extensions Manager" in shop.said
    assert shop.commands == []


def test_a_proxy_is_told_to_everyone(shop: Shop, packaging: SlicerPackaging) -> None:
    shop.lacks("torch", ABSENT)
    shop.extension.installed = lambda: shop.has("torch")
    shop.widget("proxyLine").text = " http://proxy:8080 "
    shop.box.install()
    assert shop.extension.proxy == "http://proxy:8080"
    assert "PIP_PROXY" not in os.environ
    (asked,) = packaging.asked
    assert asked[asked.index("--proxy") + 1] == "http://proxy:8080"


def test_a_folder_of_wheels_needs_nobody(
    shop: Shop, packaging: SlicerPackaging, tmp_path: Path
) -> None:
    shop.lacks("torch", ABSENT)
    shop.widget("wheelFolder").currentPath = str(tmp_path / "nowhere")
    shop.box.install()
    assert "nowhere is no folder" in shop.said
    shop.widget("wheelFolder").currentPath = str(tmp_path)
    shop.box.install()
    (asked,) = packaging.asked
    assert "--no-index" in asked
    assert asked[-2:] == ["torch>=1", f"{ABSENT}>=1"]
    assert shop.extension.calls == 0


def test_offline_only_a_folder_is_taken(
    shop: Shop, packaging: SlicerPackaging, tmp_path: Path
) -> None:
    shop.lacks("torch", ABSENT)
    shop.box.offline = True
    assert "choose a folder with the wheels" in shop.widget("missingText").text
    assert not shop.can_install
    assert shop.widget("proxyLine").isHidden()
    shop.box.install()  # by whatever way
    assert "choose a folder with the wheels" in shop.said
    assert shop.extension.calls == 0
    assert packaging.asked == []
    shop.widget("wheelFolder").currentPath = str(tmp_path)
    assert shop.can_install
    shop.box.install()
    assert "--no-index" in packaging.asked[0]
    assert shop.extension.calls == 0


def test_offline_is_a_setting_that_is_kept(shop: Shop) -> None:
    from GliomaAILib.panels.settings_panel import SettingsPanel

    def offline_box(panel: Any) -> Any:
        (found,) = panel.widget.findChildren(qt.QCheckBox, "offlineBox")
        return found

    first = SettingsPanel(lambda: None)
    assert not offline_box(first).checked
    assert not first.installation.offline
    try:
        offline_box(first).click()
        assert first.installation.offline
        second = SettingsPanel(lambda: None)
        assert offline_box(second).checked
        assert second.installation.offline
    finally:
        offline_box(first).checked = False
    assert not first.installation.offline
