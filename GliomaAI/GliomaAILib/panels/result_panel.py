"""The result: measures that follow the mask, findings, and how the images are looked at."""

from collections.abc import Callable, Sequence
from typing import Any

import ctk
import qt
from slicer.i18n import tr as _

from GliomaAILib.panels.build import NoticeList, button, row, section, words
from GliomaAILib.panels.desk import Desk, Panel
from GliomaAILib.panels.explanation_part import nobody_listens
from GliomaAILib.review.state import MeasureRow, ReviewState

TURN_MS = 20
"""Between the steps in which a new result is shown, so that the window draws and answers."""


class ResultPanel(Panel):
    """Table of measures, findings, and controls of the views."""

    def __init__(self) -> None:
        self._rows: tuple[MeasureRow, ...] | None = None
        self._had_result = self._was_busy = False
        self.overlay_changed: Callable[[], None] = nobody_listens
        """Called when the uncertainty was laid over the images, or taken away."""
        self.widget, layout = section(_("Segmentation and measures"), collapsed=True)
        self._notices = NoticeList("resultNotices")
        layout.addWidget(self._notices.widget)
        self._table = self._built_table()
        layout.addWidget(self._table)
        layout.addWidget(qt.QLabel(_("Largest extent of the tumour:")))
        layout.addLayout(self._tour())
        layout.addLayout(self._controls())

    def bind(self, desk: Desk | None) -> None:
        super().bind(desk)
        self._had_result = False

    def draw(self, state: ReviewState) -> None:
        self._notices.draw(state.notices if state.has_result else ())
        self._draw_table(state.measures)
        for widget in self._needs_result:
            widget.enabled = state.has_result
        if self._was_busy and state.work is None:
            self._read_controls()
        if state.has_result and not self._had_result:
            self._appeared()
        self._had_result, self._was_busy = state.has_result, state.work is not None

    def _appeared(self) -> None:
        """A result is there for the first time: it is shown without being asked for."""
        if self._desk is None:
            return
        views = self._desk.views
        steps = (
            lambda: setattr(self.widget, "collapsed", False),
            views.show_layout,
            lambda: views.show_key_image("axial"),
            views.fit,  # views that have just been made got their size when the window was drawn
            self._read_controls,
        )
        self._in_turns(self._desk, steps)

    def _in_turns(self, desk: Desk, steps: Sequence[Callable[[], object]]) -> None:
        """Does one step after the other for the case on the desk; the window lives between."""

        def go_on() -> None:
            if self._desk is desk:  # not where another case is shown meanwhile
                steps[0]()
                self._in_turns(desk, steps[1:])

        if steps:
            qt.QTimer.singleShot(TURN_MS, go_on)

    def _built_table(self) -> Any:
        table = qt.QTableWidget()
        table.objectName = "measuresTable"
        table.setColumnCount(3)
        table.setHorizontalHeaderLabels([_("Measure"), _("Value"), _("AI mask")])
        table.verticalHeader().visible = False
        table.editTriggers = qt.QAbstractItemView.NoEditTriggers
        table.tabKeyNavigation = False  # Tab leaves the table; arrows go from cell to cell
        header = table.horizontalHeader()
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        for column in (1, 2):
            header.setSectionResizeMode(column, qt.QHeaderView.ResizeToContents)
        table.accessibleName = _("Measures of the tumour")
        table.toolTip = _("Volumes follow the mask at once, everything else with Reassess")
        table.verticalScrollBarPolicy = qt.Qt.ScrollBarAlwaysOff  # it is as high as its lines
        return table

    def _draw_table(self, rows: tuple[MeasureRow, ...]) -> None:
        if rows == self._rows:
            return
        self._rows = rows
        self._table.setRowCount(len(rows))
        for number, measure in enumerate(rows):
            value = f"{words(measure.value)} {measure.unit}".strip()
            if not measure.current:
                value += " " + _("(out of date)")
            before = f"{words(measure.before)} {measure.unit}".strip() if measure.before else ""
            for column, content in enumerate((words(measure.name), value, before)):
                self._table.setItem(number, column, qt.QTableWidgetItem(content))
        self._table.resizeRowsToContents()
        lines = (
            self._table.verticalHeader().length() + self._table.horizontalHeader().sizeHint.height()
        )
        self._table.setFixedHeight(lines + 2 * self._table.frameWidth)

    def _tour(self) -> Any:
        planes = {"axial": _("Axial"), "coronal": _("Coronal"), "sagittal": _("Sagittal")}
        buttons = []
        for plane, name in planes.items():
            one = button(name, _("Go to the slice with the largest extent"), self._jumper(plane))
            one.objectName = f"{plane}Button"
            buttons.append(one)
        rano = button(
            _("RANO"),
            _("Go to the slice in which the diameters were measured, and show them"),
            self._show_diameters,
        )
        rano.objectName = "ranoButton"
        self._needs_result = [*buttons, rano]
        return row(*buttons, rano)

    def _show_diameters(self) -> None:
        if self._desk is not None:
            self._desk.views.show_diameters()
            self._read_controls()

    def _jumper(self, plane: str) -> Any:
        return self.given(lambda d: d.views.show_key_image(plane))

    def _controls(self) -> Any:
        form = qt.QFormLayout()
        self._opacity = ctk.ctkSliderWidget()
        self._opacity.minimum, self._opacity.maximum = 0.0, 1.0
        self._opacity.singleStep, self._opacity.decimals = 0.05, 2
        self._opacity.toolTip = _("How strongly the classes cover the image")
        self._opacity.connect("valueChanged(double)", self._opacity_changed)
        form.addRow(_("Opacity:"), self._opacity)
        self._boxes = {
            "outline": qt.QCheckBox(_("Outline")),
            "surface": qt.QCheckBox(_("3D surface")),
            "diameters": qt.QCheckBox(_("Diameters")),
            "uncertainty": qt.QCheckBox(_("Uncertainty")),
        }
        tips = {
            "outline": _("Draw the border of each class in the slices"),
            "surface": _("Show the tumour in 3D views; each edit then takes a moment more"),
            "diameters": _("Show the lines that RANO asks for, in the slice they were measured in"),
            "uncertainty": _("Lay over the images where the network was unsure"),
        }
        for name, box in self._boxes.items():
            box.objectName = f"{name}Box"
            box.toolTip = tips[name]
            box.connect("toggled(bool)", self._toggler(name))
        form.addRow(row(*self._boxes.values()))
        layout = button(
            _("Four sequences side by side"),
            _("Show the sequences in linked views"),
            self.given(lambda d: d.views.show_layout(with_3d=d.views.surface)),
        )
        form.addRow(layout)
        self._needs_result += [self._opacity, *self._boxes.values(), layout]
        return form

    def read_overlay(self) -> None:
        """The box says whether the uncertainty lies over the images: another overlay may have taken
        its place."""
        if self._desk is not None:
            self._boxes["uncertainty"].checked = self._desk.views.uncertainty

    def _toggler(self, name: str) -> Any:
        def toggled(on: bool) -> None:
            if self._desk is not None and getattr(self._desk.views, name) != on:
                setattr(self._desk.views, name, on)
                if name == "uncertainty":
                    self.overlay_changed()

        return toggled

    def _opacity_changed(self, value: float) -> None:
        if self._desk is not None:
            self._desk.views.fill_opacity = value

    def _read_controls(self) -> None:
        """The controls say what the views show."""
        if self._desk is None:
            return
        self._opacity.value = self._desk.views.fill_opacity
        for name, box in self._boxes.items():
            box.checked = getattr(self._desk.views, name)
