"""Pictures of the module's panel in its states: `python module_screenshots.py FOLDER [--study S]`.

The panel runs on the bench with the real worker and the shipped pack; without a study it shows a
simulated patient. In Slicer the views are beside the panel, and its widgets look as CTK's do.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from benchmark_module import BRUSH, simulated  # first: it finds the bench
from module_front import Front, look

WIDTH_PX = 520
AGE_YEARS = 58
SECTIONS = ("case", "result", "correction", "risk", "export", "settings")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where the PNG files go")
    parser.add_argument("--study", type=Path, help="a study folder; default: a simulated patient")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        study = arguments.study or simulated(Path(scratch) / "study")
        front = Front()
        front.panel._settings._scratch.currentPath = scratch
        try:
            Pictures(front, arguments.folder).take(study)
        finally:
            front.panel._settings._scratch.currentPath = ""
            front.close()
    return 0


class Pictures:
    """Drives the module from state to state."""

    def __init__(self, front: Front, folder: Path) -> None:
        self._front, self._folder = front, folder

    def take(self, study: Path) -> None:
        """Every state, in the order in which a user meets them."""
        front = self._front
        self._picture("empty", "case")
        front.open(study)
        front.widget("ageSpinBox").value = AGE_YEARS
        front.widget("sexComboBox").setCurrentIndex(2)
        self._picture("opened", "case")
        front.click("runButton")
        front.until_stage("segmentation")
        self._picture("running", "case")
        front.wait()
        self._picture("result", "result")
        self._picture("result-dark", "result", dark=True)
        front.paint(self._brush(), "ET")
        self._picture("corrected", "correction")
        self._picture("corrected-dark", "correction", dark=True)
        front.done("reassessButton")
        self._picture("reassessed", "result", "correction")
        self._picture("risk", "risk")
        self._picture("risk-dark", "risk", dark=True)
        self._picture("export", "export")
        self._settings()

    def _settings(self) -> None:
        """Something is not installed."""
        from GliomaAILib.worker.requirements import REQUIREMENTS

        self._front.panel._settings._scratch.currentPath = ""  # as users find it
        installation = self._front.panel._settings.installation
        absent = tuple(one for one in REQUIREMENTS if one.name in ("torch", "monai", "nilearn"))
        with mock.patch("GliomaAILib.panels.installation.missing", return_value=absent):
            installation.refresh()
            self._picture("settings", "settings")
        installation.refresh()

    def _brush(self) -> tuple[slice, slice, slice]:
        """A block at the middle of the tumour."""
        found = self._front.desk.scene.mask().array.nonzero()
        k, j, i = (int(axis.mean()) for axis in found)
        return slice(k, k + BRUSH), slice(j, j + BRUSH), slice(i, i + BRUSH)

    def _picture(self, name: str, *expanded: str, dark: bool = False) -> None:
        for section, panel in zip(SECTIONS, self._front.panel._panels[1:], strict=True):
            panel.widget.collapsed = section not in expanded
        panel_widget = self._front.module.widget_parent
        panel_widget.resize(WIDTH_PX, 100)
        look.settle()
        height = self._height(lambda: int(panel_widget.layout().totalHeightForWidth(WIDTH_PX)))
        file = self._folder / f"{name}.png"
        look.screenshot(panel_widget, file, dark=dark, size_px=(WIDTH_PX, height))

    def _height(self, measured: Callable[[], int]) -> int:
        """Of the content; texts that wrap know theirs only once they have their width."""
        hint = int(self._front.module.widget_parent.minimumSizeHint.height())
        return max(measured(), hint)


if __name__ == "__main__":
    sys.exit(main())
