"""PySide6 made to behave like PythonQt, as the modules `qt` and `ctk`.

What Slicer's Python sees and PySide6 does differently:

- Qt properties are attributes: `label.text = "x"`, `button.enabled`; `label.text()` fails.
- Signals are connected by their C++ signature: `button.connect("clicked()", slot)`, and a slot
  gets no more arguments than it takes.
- Enumerations are integers.
- `delete()`, `className()`, `name`, `findChild("QLabel", "title")` exist on every object.
- A dialog that would wait for the user is answered from `dialogs`.

An exception in a slot does not reach whoever emitted the signal; it is kept in `slot_errors`,
which a test should find empty at its end.
"""

import inspect
import re
import sys
import tempfile
import types
from collections.abc import Callable
from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtUiTools, QtWidgets

__all__ = ["ctk", "find_signal", "qt", "slot_errors", "unknown_classes"]

slot_errors: list[BaseException] = []
"""Exceptions that ended a slot, a timer's function or an overridden virtual method."""

unknown_classes: set[str] = set()
"""Widget classes of loaded .ui files that are neither Qt's own nor stood in for."""

STAND_INS: dict[str, type] = {}
"""Stand-in by class name; `bench.widgets` fills it."""

qt = types.ModuleType("qt", __doc__)
ctk = types.ModuleType("ctk", __doc__)

_METHODS = frozenset({"children", "layout", "model", "parent", "widget"})
"""Properties of Qt 6 that PythonQt shows as methods."""

_VIRTUAL_PROPERTIES = {
    "sizeHint": QtWidgets.QWidget,
    "minimumSizeHint": QtWidgets.QWidget,
    "spacing": QtWidgets.QLayout,
}
"""Properties that are virtual methods too. A property on the class would be taken for an override
of the method, so that these become attributes on access only."""

_plain_getattribute = QtCore.QObject.__getattribute__


class _PropertyAttribute(property):
    """A Qt property as attribute of an instance; the class still shows the method of that name,
    since `QTimer.singleShot` is both."""

    def __init__(
        self, read: Callable[[Any], Any], write: Callable[[Any, Any], None], method: Any
    ) -> None:
        super().__init__(read, write)
        self._method = method

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None and self._method is not None:
            return self._method
        return super().__get__(instance, owner)


def _reader(cls: type, name: str, method: Any) -> Callable[[Any], Any]:
    """Prefers the C++ getter, which gives the typed value."""
    capital = name[0].upper() + name[1:]
    static = name in {"singleShot"}
    for candidate in (None if static else method, cls.__dict__.get(f"is{capital}")):
        if callable(candidate):
            return candidate
    return lambda self: QtCore.QObject.property(self, name)


def _writer(cls: type, name: str) -> Callable[[Any, Any], None]:
    setter = getattr(cls, "set" + name[0].upper() + name[1:], None)

    def write(self: Any, value: Any) -> None:
        if callable(setter):
            try:
                setter(self, value)
            except TypeError:  # an int for an enumeration, which PythonQt takes
                pass
            else:
                return
        if not QtCore.QObject.setProperty(self, name, value):
            raise ValueError(f"property {name!r} of {type(self).__name__} does not take {value!r}")

    return write


def _show_properties(cls: type) -> None:
    """Turns the properties a C++ class declares into attributes."""
    meta = cls.__dict__.get("staticMetaObject")
    if meta is None:
        return
    for index in range(meta.propertyOffset(), meta.propertyCount()):
        name = meta.property(index).name()
        if name in _METHODS or name in _VIRTUAL_PROPERTIES:
            continue
        method = cls.__dict__.get(name)
        reader = _reader(cls, name, method)
        setattr(cls, name, _PropertyAttribute(reader, _writer(cls, name), method))


def _accepted_arguments(function: Callable[..., Any]) -> int | None:
    """How many arguments of a signal PythonQt passes on; None for all of them.

    Only plain functions and bound methods are counted: a `functools.partial` or another callable
    object gets everything.
    """
    bound = inspect.ismethod(function)
    code = getattr(function, "__code__", None)
    if code is None or not (bound or inspect.isfunction(function)):
        return None
    if code.co_flags & inspect.CO_VARARGS:
        return None
    return int(code.co_argcount) - int(bound)


def as_declared(text: str) -> str:
    """Signatures with VTK objects as a stand-in declares them: a Python signal carries those as
    Python objects."""
    return re.sub(r"\bvtk\w+\s*\*", "PyObject", text)


def find_signal(sender: Any, signature: str) -> tuple[Any, int]:
    """The bound signal of a C++ signature and how many arguments it has.

    Raises:
        ValueError: the sender has no such signal.
    """
    compact = as_declared(QtCore.QMetaObject.normalizedSignature(signature).data().decode())
    name, _, arguments = compact.rstrip(")").partition("(")
    for cls in type(sender).__mro__:
        declared = cls.__dict__.get("_cpp_signals", {})
        if compact in declared:
            name = declared[compact]
            break
    else:
        if sender.metaObject().indexOfSignal(compact) < 0:
            raise ValueError(f"{type(sender).__name__} has no signal {signature!r}")
    return _plain_getattribute(sender, name), len([a for a in arguments.split(",") if a])


def _forwarder(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """A slot with exactly `count` arguments: shiboken chooses the overload of a signal by it."""
    accepted = _accepted_arguments(function)
    passed = count if accepted is None else min(count, accepted)

    def call(*values: Any) -> None:
        function(*values[:passed])

    names = [f"a{index}" for index in range(count)]
    return eval(f"lambda {', '.join(names)}: call({', '.join(names)})", {"call": call})


def _connect(self: Any, signature: Any, *target: Any) -> Any:
    # PySide6 itself connects with a signature that has Qt's code 2 before it.
    if not isinstance(signature, str) or signature.startswith("2"):
        return _plain_getattribute(self, "connect")(signature, *target)
    function = target[0] if len(target) == 1 else getattr(target[0], target[1].partition("(")[0])
    if not callable(function):
        raise TypeError(f"connect({signature!r}) needs a callable, not {function!r}")
    signal, count = find_signal(self, signature)
    slot = _forwarder(function, count)
    signal.connect(slot)
    self.__dict__.setdefault("_connections", []).append((signature, function, slot))
    return True


def _disconnect(self: Any, *arguments: Any) -> Any:
    if not arguments or not isinstance(arguments[0], str):
        return _plain_getattribute(self, "disconnect")(*arguments)
    signature, *target = arguments
    kept, ended = [], []
    for connection in self.__dict__.get("_connections", []):
        is_meant = connection[0] == signature and (not target or connection[1] == target[-1])
        (ended if is_meant else kept).append(connection)
    for _, _, slot in ended:
        find_signal(self, signature)[0].disconnect(slot)
    self.__dict__["_connections"] = kept
    return bool(ended)


_INTERCEPTED = {"connect": _connect, "disconnect": _disconnect}


def _getattribute(self: Any, name: str) -> Any:
    # shiboken answers `instance.connect` itself; only this hook comes before it.
    if name in _INTERCEPTED:
        return types.MethodType(_INTERCEPTED[name], self)
    if name in _VIRTUAL_PROPERTIES and isinstance(self, _VIRTUAL_PROPERTIES[name]):
        method = getattr(type(self), name)
        # Through the class: shiboken looks here for overrides, so that a virtual call would not
        # end. An override in Python stays a method, or shiboken would not find it.
        return _plain_getattribute(self, name) if inspect.isfunction(method) else method(self)
    return _plain_getattribute(self, name)


def _set_attribute(self: Any, name: str, value: Any) -> None:
    """Refuses new attributes on objects of C++ classes and of stand-ins: `label.tooltip = "x"`
    would be lost silently."""
    if name == "spacing" and isinstance(self, QtWidgets.QLayout):
        self.setSpacing(value)
        return
    kind = type(self)
    descriptor = inspect.getattr_static(kind, name, None)
    is_plain = kind.__module__.startswith(("PySide6.", "bench."))
    if is_plain and descriptor is None and not name.startswith("_"):
        if isinstance(value, QtCore.QObject) and value.objectName == name:
            # PySide6 makes the named widgets of a .ui file attributes of it, PythonQt does not.
            self.__dict__.setdefault("_of_form", []).append(value)
            return
        raise AttributeError(f"{kind.__name__} has no property {name!r}")
    # The classes' own ways to set an attribute cannot be called from here: as they do.
    if isinstance(descriptor, QtCore.Property):
        descriptor.fset(self, value)
    elif hasattr(type(descriptor), "__set__"):
        descriptor.__set__(self, value)
    else:
        self.__dict__[name] = value


def _class_of(kind: Any) -> type:
    if isinstance(kind, str):
        found = STAND_INS.get(kind) or getattr(qt, kind, None)
        if found is None:
            raise ValueError(f"there is no class {kind!r}")
        return found
    return kind


_plain_find_child = QtCore.QObject.findChild
_plain_find_children = QtCore.QObject.findChildren


def _find_child(self: Any, kind: Any, *name: str) -> Any:
    return _plain_find_child(self, _class_of(kind), *name)


def _find_children(self: Any, kind: Any, *name: str) -> list[Any]:
    return list(_plain_find_children(self, _class_of(kind), *name))


class UiLoader(QtUiTools.QUiLoader):
    """Makes stand-ins for the custom widgets of a .ui file, and connects them."""

    def load(self, device: Any, parent: Any = None) -> Any:
        if isinstance(device, str):
            device = QtCore.QFile(device)
        if not device.isOpen():
            device.open(QtCore.QIODevice.ReadOnly)
        declared = QtCore.QBuffer()
        declared.setData(as_declared(device.readAll().data().decode()).encode())
        declared.open(QtCore.QIODevice.ReadOnly)
        return super().load(declared, parent)

    def createWidget(  # noqa: N802
        self, class_name: str, parent: Any = None, name: str = ""
    ) -> Any:
        stand_in = STAND_INS.get(class_name)
        if stand_in is None:
            if class_name in self.availableWidgets():
                return super().createWidget(class_name, parent, name)
            unknown_classes.add(class_name)
            stand_in = QtWidgets.QWidget
        widget = stand_in(parent)
        widget.objectName = name
        return widget


def _keep_error(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    slot_errors.append(error)
    sys.__excepthook__(kind, error, trace)


def _fill() -> None:
    for module in (QtCore, QtGui, QtWidgets):
        for name in dir(module):
            if not name.startswith("_"):
                setattr(qt, name, getattr(module, name))
    for hidden in ("Property", "Signal", "Slot", "SignalInstance"):  # PySide6's own
        delattr(qt, hidden)
    for value in list(vars(qt).values()):
        if inspect.isclass(value) and issubclass(value, QtCore.QObject):
            _show_properties(value)
            value.__setattr__ = _set_attribute
    qt.QUiLoader = UiLoader


def _patch_objects() -> None:
    base: Any = QtCore.QObject
    base.__getattribute__ = _getattribute
    base.delete = lambda self: shiboken6.delete(self)
    base.className = lambda self: self.metaObject().className()
    base.findChild = _find_child
    base.findChildren = _find_children
    base.name = property(
        lambda self: QtCore.QObject.property(self, "objectName"),
        lambda self, value: QtCore.QObject.setProperty(self, "objectName", value),
    )


def _keep_settings_apart() -> None:
    """Settings of the tests go to a temporary folder, so that nobody's own are touched."""
    folder = tempfile.mkdtemp(prefix="bench-settings-")
    for scope in (QtCore.QSettings.UserScope, QtCore.QSettings.SystemScope):
        QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, scope, folder)
    QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)


def _install() -> None:
    if not issubclass(QtCore.Qt.CheckState, int):
        raise ImportError("import bench before PySide6: its enumerations are set up at import")
    application = QtWidgets.QApplication.instance() or QtWidgets.QApplication(["Slicer"])
    application.setOrganizationName("GliomaAI bench")
    application.setApplicationName("Slicer")
    _keep_settings_apart()
    _fill()
    _patch_objects()
    sys.modules["qt"], sys.modules["ctk"] = qt, ctk
    sys.excepthook = _keep_error


_install()
