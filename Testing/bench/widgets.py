# ruff: noqa: N801, N802, N815 - the names are those of CTK and Slicer.
"""Stand-ins for the ctk widgets, with the names of the real ones and enough of their behaviour.

Properties are Qt properties, so that .ui files and `SlicerParameterName` reach them. What a
stand-in needs for itself begins with an underscore: no public name here is missing in CTK.
"""

from pathlib import Path
from typing import Any

from PySide6.QtCore import Property, Signal, Slot

from bench import pythonqt
from bench.pythonqt import qt

_BAR_PX = 24
_NATURAL_PX = 16777215
"""Qt's QWIDGETSIZE_MAX: no limit of its own."""


def stored(kind: Any, name: str, default: Any) -> Any:
    """A Qt property that only keeps its value; `_property_changed` is told."""

    def read(self: Any) -> Any:
        return self.__dict__.get(f"_{name}", default)

    def write(self: Any, value: Any) -> None:
        if read(self) == value:
            return
        self.__dict__[f"_{name}"] = value
        told = getattr(self, "_property_changed", None)
        if told is not None:
            told(name)

    return Property(kind, read, write)


def passed_on(kind: Any, inner: str, name: str) -> Any:
    """A Qt property that is the one of an inner widget."""

    def write(self: Any, value: Any) -> None:
        setattr(getattr(self, inner), name, value)

    return Property(kind, lambda self: getattr(getattr(self, inner), name), write)


def row(parent: Any) -> Any:
    """A horizontal layout without margins."""
    layout = qt.QHBoxLayout(parent)
    layout.setContentsMargins(0, 0, 0, 0)
    return layout


def stand_in(cls: type) -> type:
    """Registers a stand-in: in `ctk`, and for .ui files."""
    pythonqt.STAND_INS[cls.__name__] = cls
    if cls.__name__.startswith("ctk"):
        setattr(pythonqt.ctk, cls.__name__, cls)
    return cls


class _Folding:
    """Hides the children of a widget while it is collapsed, and shows those again that were not
    hidden for another reason."""

    def __init__(self, widget: Any) -> None:
        self._widget = widget
        self._folded: list[Any] = []

    def fold(self, height_px: int) -> None:
        for child in self._widget.findChildren(qt.QWidget):
            self.add(child)
        self._widget.setMaximumHeight(height_px)

    def add(self, child: Any) -> None:
        if child.parent() is self._widget and not child.isWindow() and not child.isHidden():
            self._folded.append(child)
            child.hide()

    def unfold(self) -> None:
        self._widget.setMaximumHeight(_NATURAL_PX)
        folded, self._folded = self._folded, []
        for child in folded:
            child.show()


@stand_in
class ctkCollapsibleButton(qt.QAbstractButton):
    """A bar that hides what is below it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        text = arguments[0] if arguments and isinstance(arguments[0], str) else ""
        super().__init__(*[a for a in arguments if a is not None and not isinstance(a, str)])
        self._folding = _Folding(self)
        self.setText(text)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, _BAR_PX, 0, 0)
        self.setFocusPolicy(qt.Qt.TabFocus)
        self.setSizePolicy(qt.QSizePolicy.Preferred, qt.QSizePolicy.Preferred)
        self.setMinimumHeight(_BAR_PX)
        self.toggled.connect(self._fold)

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.checked, _set_collapsed)
    collapsedHeight = stored(int, "collapsedHeight", 0)
    contentsFrameShape = stored(int, "contentsFrameShape", 0)
    contentsFrameShadow = stored(int, "contentsFrameShadow", 0)
    contentsLineWidth = stored(int, "contentsLineWidth", 0)
    contentsMidLineWidth = stored(int, "contentsMidLineWidth", 0)
    flat = stored(bool, "flat", False)

    def _fold(self, opened: bool) -> None:
        if opened:
            self._folding.unfold()
        else:
            self._folding.fold(_BAR_PX + self.collapsedHeight)
        self.updateGeometry()
        self.contentsCollapsed.emit(not opened)

    def childEvent(self, event: Any) -> None:
        added = event.child()
        if event.polished() and not self.checked and isinstance(added, qt.QWidget):
            self._folding.add(added)

    def hitButton(self, position: Any) -> bool:
        return bool(position.y() < _BAR_PX)

    def paintEvent(self, event: Any) -> None:
        painter = qt.QPainter(self)
        bar = qt.QStyleOptionButton()
        bar.initFrom(self)
        bar.rect = qt.QRect(0, 0, self.width, _BAR_PX)
        bar.state |= qt.QStyle.State_Raised
        style = self.style()
        style.drawControl(qt.QStyle.CE_PushButtonBevel, bar, painter, self)
        arrow = qt.QStyleOption()
        arrow.initFrom(self)
        arrow.rect = qt.QRect(4, (_BAR_PX - 12) // 2, 12, 12)
        kind = qt.QStyle.PE_IndicatorArrowDown if self.checked else qt.QStyle.PE_IndicatorArrowRight
        style.drawPrimitive(kind, arrow, painter, self)
        painter.setPen(self.palette.color(qt.QPalette.ButtonText))
        place = qt.QRect(22, 0, self.width - 24, _BAR_PX)
        painter.drawText(place, int(qt.Qt.AlignLeft | qt.Qt.AlignVCenter), self.text)
        painter.end()


@stand_in
class ctkCollapsibleGroupBox(qt.QGroupBox):
    """A group box whose title's tick hides what is in it."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if a is not None])
        self._folding = _Folding(self)
        self.setCheckable(True)
        self.setChecked(True)
        self.toggled.connect(self._fold)

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, lambda self: not self.checked, _set_collapsed)
    collapsedHeight = stored(int, "collapsedHeight", 14)

    def _fold(self, opened: bool) -> None:
        if opened:
            self._folding.unfold()
        else:
            self._folding.fold(_BAR_PX)


@stand_in
class ctkPathLineEdit(qt.QWidget):
    """A path, typed or browsed for."""

    Dirs, Files, Drives, AllEntries, Readable, Writable, Executable = 1, 2, 4, 7, 16, 32, 64
    Hidden, NoDotAndDotDot = 256, 4096
    ShowDirsOnly, ReadOnly, DontUseNativeDialog = 1, 32, 16
    currentPathChanged = Signal(str)
    validInputChanged = Signal(bool)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, qt.QWidget)])
        self._edit, self._button = qt.QLineEdit(), qt.QToolButton()
        self._button.setText("...")
        layout = row(self)
        layout.addWidget(self._edit)
        layout.addWidget(self._button)
        self._edit.textChanged.connect(self._told)
        self._button.clicked.connect(lambda: self.browse())

    def _told(self, text: str) -> None:
        self.currentPathChanged.emit(text)
        self.validInputChanged.emit(Path(text).exists())

    def _property_changed(self, name: str) -> None:
        if name == "showBrowseButton":
            self._button.setVisible(self.showBrowseButton)

    currentPath = passed_on(str, "_edit", "text")
    filters = stored(int, "filters", 0)
    label = stored(str, "label", "")
    minimumContentsLength = stored(int, "minimumContentsLength", 0)
    nameFilters = stored("QStringList", "nameFilters", [])
    options = stored(int, "options", 0)
    settingKey = stored(str, "settingKey", "")
    showBrowseButton = stored(bool, "showBrowseButton", True)
    showHistoryButton = stored(bool, "showHistoryButton", True)

    @Slot(str)
    def setCurrentPath(self, path: str) -> None:
        self._edit.setText(path)

    @Slot()
    def browse(self) -> None:
        folders_only = self.filters and not self.filters & self.Files
        ask = (
            qt.QFileDialog.getExistingDirectory if folders_only else qt.QFileDialog.getOpenFileName
        )
        chosen = ask(self, self.label, self.currentPath)
        if chosen:
            self._edit.setText(chosen)

    def addCurrentPathToHistory(self) -> None:
        settings = qt.QSettings()
        known = settings.value(self.settingKey) or []
        kept = [path for path in known if path != self.currentPath]
        settings.setValue(self.settingKey, [self.currentPath, *kept])

    def retrieveHistory(self) -> None:
        known = qt.QSettings().value(self.settingKey) or []
        if known:
            self._edit.setText(known[0])


@stand_in
class ctkDirectoryButton(qt.QWidget):
    """A button that shows and asks for a folder."""

    directoryChanged = Signal(str)
    directorySelected = Signal(str)

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, qt.QWidget)])
        self._button = qt.QPushButton(".")
        row(self).addWidget(self._button)
        self._button.clicked.connect(lambda: self.browse())

    def _set_directory(self, folder: str) -> None:
        changed = folder != self.directory
        self.__dict__["_folder"] = folder
        self._button.setText(self.text or folder)
        if changed:
            self.directoryChanged.emit(folder)

    def _property_changed(self, name: str) -> None:
        if name == "text":
            self._button.setText(self.text or self.directory)

    directory = Property(str, lambda self: self.__dict__.get("_folder", "."), _set_directory)
    caption = stored(str, "caption", "")
    text = stored(str, "text", "")
    acceptMode = stored(int, "acceptMode", 0)
    options = stored(int, "options", 0)
    elideMode = stored(int, "elideMode", 1)
    icon = passed_on(qt.QIcon, "_button", "icon")

    @Slot()
    def browse(self) -> None:
        chosen = qt.QFileDialog.getExistingDirectory(self, self.caption, self.directory)
        if chosen:
            self._set_directory(chosen)
            self.directorySelected.emit(chosen)


@stand_in
class ctkComboBox(qt.QComboBox):
    """A combo box with a text for nothing chosen."""

    def _property_changed(self, name: str) -> None:
        if name == "defaultText":
            self.setPlaceholderText(self.defaultText)

    def _user_data(self) -> str:
        return "" if self.currentData is None else str(self.currentData)

    @Slot(str)
    def setCurrentUserDataAsString(self, data: str) -> None:
        texts = [str(self.itemData(index)) for index in range(self.count)]
        self.setCurrentIndex(texts.index(data) if data in texts else -1)

    currentUserDataAsString = Property(str, _user_data, setCurrentUserDataAsString)
    defaultText = stored(str, "defaultText", "")
    defaultIcon = stored(qt.QIcon, "defaultIcon", None)
    elideMode = stored(int, "elideMode", 3)
    forceDefault = stored(bool, "forceDefault", False)


@stand_in
class ctkDoubleSpinBox(qt.QWidget):
    """A spin box; a widget of its own in CTK, no QDoubleSpinBox."""

    valueChanged = Signal(float)
    _textual = Signal(str)
    editingFinished = Signal()
    decimalsChanged = Signal(int)
    _cpp_signals = {"valueChanged(QString)": "_textual"}  # noqa: RUF012

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, qt.QWidget)])
        self._spin = qt.QDoubleSpinBox()
        row(self).addWidget(self._spin)
        self._spin.valueChanged.connect(self.valueChanged)
        self._spin.textChanged.connect(self._textual)
        self._spin.editingFinished.connect(self.editingFinished)

    value = passed_on(float, "_spin", "value")
    minimum = passed_on(float, "_spin", "minimum")
    maximum = passed_on(float, "_spin", "maximum")
    singleStep = passed_on(float, "_spin", "singleStep")
    decimals = passed_on(int, "_spin", "decimals")
    prefix = passed_on(str, "_spin", "prefix")
    suffix = passed_on(str, "_spin", "suffix")
    readOnly = passed_on(bool, "_spin", "readOnly")
    frame = passed_on(bool, "_spin", "frame")
    alignment = passed_on(int, "_spin", "alignment")
    cleanText = Property(str, lambda self: self._spin.cleanText)
    decimalsOption = stored(int, "decimalsOption", 0)

    @Slot(float)
    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    @Slot(int)
    def setDecimals(self, decimals: int) -> None:
        self._spin.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    @Slot(bool)
    def setReadOnly(self, read_only: bool) -> None:
        self._spin.setReadOnly(read_only)

    def stepUp(self) -> None:
        self._spin.stepUp()

    def stepDown(self) -> None:
        self._spin.stepDown()


@stand_in
class ctkMenuButton(qt.QPushButton):
    """A push button with a menu beside it."""


@stand_in
class ctkFittedTextBrowser(qt.QTextBrowser):
    """A text as high as it is."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if a is not None])
        self.setVerticalScrollBarPolicy(qt.Qt.ScrollBarAlwaysOff)
        self.setSizePolicy(qt.QSizePolicy.Expanding, qt.QSizePolicy.Fixed)
        self.textChanged.connect(self._fit)

    collapsed = stored(bool, "collapsed", True)
    disableMouseScroll = stored(bool, "disableMouseScroll", False)
    showDetailsText = stored(str, "showDetailsText", "Show details...")
    hideDetailsText = stored(str, "hideDetailsText", "Hide details.")

    def _fit(self) -> None:
        document = self.document.clone()  # its width is another one than the shown one's
        document.setTextWidth(max(self.viewport().width, 50))
        self.setFixedHeight(int(document.size.height()) + 2 * self.frameWidth)

    def resizeEvent(self, event: Any) -> None:
        super().resizeEvent(event)
        self._fit()

    def setCollapsibleText(self, text: str) -> None:
        self.__dict__["_text"] = text
        self.setText(text)

    def setCollapsibleHtml(self, text: str) -> None:
        self.__dict__["_text"] = text
        self.setHtml(text)

    def setCollapsiblePlainText(self, text: str) -> None:
        self.__dict__["_text"] = text
        self.setPlainText(text)

    def collapsibleText(self) -> str:
        return str(self.__dict__.get("_text", ""))


@stand_in
class ctkSliderWidget(qt.QWidget):
    """A slider with a spin box."""

    valueChanged = Signal(float)
    valueIsChanging = Signal(float)
    decimalsChanged = Signal(int)
    _STEPS = 1000

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*[a for a in arguments if isinstance(a, qt.QWidget)])
        self._slider, self._spin = qt.QSlider(qt.Qt.Horizontal), qt.QDoubleSpinBox()
        self._slider.setRange(0, self._STEPS)
        self._spin.setMaximum(99.0)
        layout = row(self)
        layout.addWidget(self._slider)
        layout.addWidget(self._spin)
        self._spin.valueChanged.connect(self._told)
        self._slider.sliderMoved.connect(self._moved)

    def _span(self) -> float:
        return float(self._spin.maximum - self._spin.minimum) or 1.0

    def _told(self, value: float) -> None:
        share = (value - self._spin.minimum) / self._span()
        self._slider.setValue(round(share * self._STEPS))
        self.valueIsChanging.emit(value)
        self.valueChanged.emit(value)

    def _moved(self, step: int) -> None:
        self._spin.setValue(self._spin.minimum + self._span() * step / self._STEPS)

    def _property_changed(self, name: str) -> None:
        if name == "spinBoxVisible":
            self._spin.setVisible(self.spinBoxVisible)

    value = passed_on(float, "_spin", "value")
    minimum = passed_on(float, "_spin", "minimum")
    maximum = passed_on(float, "_spin", "maximum")
    singleStep = passed_on(float, "_spin", "singleStep")
    decimals = passed_on(int, "_spin", "decimals")
    prefix = passed_on(str, "_spin", "prefix")
    suffix = passed_on(str, "_spin", "suffix")
    pageStep = stored(float, "pageStep", 10.0)
    tickInterval = stored(float, "tickInterval", 0.1)
    tracking = stored(bool, "tracking", True)
    popupSlider = stored(bool, "popupSlider", False)
    spinBoxVisible = stored(bool, "spinBoxVisible", True)

    @Slot(float)
    def setValue(self, value: float) -> None:
        self._spin.setValue(value)

    @Slot(int)
    def setDecimals(self, decimals: int) -> None:
        self._spin.setDecimals(decimals)
        self.decimalsChanged.emit(decimals)

    @Slot(bool)
    def setSpinBoxVisible(self, visible: bool) -> None:
        self.spinBoxVisible = visible

    def reset(self) -> None:
        self._spin.setValue(self._spin.minimum)
