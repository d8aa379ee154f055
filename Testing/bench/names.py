"""Names of Qt, CTK and Slicer that a source uses, held against those a real Slicer shows.

Read are `qt.X`, `ctk.X`, `slicer.X`, `slicer.util.x`, `slicer.app.x`, `slicer.modules.x`, what
follows a class (`qt.Qt.AlignLeft`), signatures of signals, and attributes of variables whose class
is evident in the file (`self.button = qt.QPushButton()`, then `self.button.text`).
"""

import ast
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

KEYWORDS = {"exec_": "exec", "raise_": "raise", "print_": "print"}
"""PythonQt also shows these with an underscore behind."""

SLICER_PARTS = frozenset(
    {
        "ScriptedLoadableModule", "app", "cli", "i18n", "logic", "modules", "mrmlScene",
        "packaging", "parameterNodeWrapper", "testing", "util",
    }
)  # fmt: skip
"""What `slicer` has beside classes."""

GONE_IN_QT6 = frozenset(
    {"QDesktopWidget", "QRegExp", "QRegExpValidator", "QTextCodec", "QStringMatcher"}
)
"""Classes of Qt 5.15 that a module ready for Qt 6 leaves alone."""

GONE_SIGNALS = frozenset(
    {"currentIndexChanged(QString)", "activated(QString)", "highlighted(QString)"}
)

UI_LAYOUT = frozenset(
    {
        "bottomMargin", "columnStretch", "horizontalSpacing", "leftMargin", "margin",
        "rightMargin", "rowStretch", "stretch", "topMargin", "verticalSpacing",
    }
)  # fmt: skip
"""Properties of layouts that only .ui files know."""


def compact(signature: str) -> str:
    """A C++ signature as Qt compares it."""
    plain = re.sub(r"\bconst\b|&", "", signature)
    return re.sub(r"\s+", "", plain)


@dataclass(frozen=True)
class Api:
    """What a real Slicer shows in Python."""

    data: Mapping[str, Any]

    @classmethod
    def read(cls, file: Path) -> "Api":
        return cls(json.loads(file.read_text("utf-8")))

    @cached_property
    def classes(self) -> Mapping[str, Any]:
        return dict(self.data["classes"])

    @cached_property
    def all_signals(self) -> frozenset[str]:
        """Signatures of all signals of all classes."""
        found = (self.signals(name) for name in self.classes)
        return frozenset(signature for signatures in found for signature in signatures)

    def entries(self, name: str) -> list[Mapping[str, Any]]:
        """A class and its bases."""
        bases = [base for base in self.classes[name]["bases"] if base in self.classes]
        return [self.classes[name], *(self.classes[base] for base in bases)]

    def signals(self, name: str) -> set[str]:
        return {
            compact(signal["signature"])
            for entry in self.entries(name)
            for signal in entry.get("signals", [])
        }

    def properties(self, name: str) -> dict[str, bool]:
        """Whether it can be written, by property."""
        found: dict[str, bool] = {"name": True}
        for entry in reversed(self.entries(name)):
            found |= {key: value["writable"] for key, value in entry.get("properties", {}).items()}
        return found

    def members(self, name: str) -> set[str]:
        """Every name on an object of a class, or on the class."""
        found = set(self.properties(name))
        for entry in self.entries(name):
            found |= {*(entry.get("pythonMethods") or []), *(entry.get("staticMethods") or [])}
            for kind in ("signals", "slots", "invokables"):
                found |= {m["signature"].partition("(")[0] for m in entry.get(kind, [])}
            for enum, values in (entry.get("enums") or {}).items():
                found |= {enum, *values}
        return found

    def has(self, name: str, member: str) -> bool:
        """Whether a class has a member; what the file leaves open is asked of PySide6.

        For classes that are no QObject it lists no enumerations, and for some that are one no
        signals.
        """
        if KEYWORDS.get(member, member) in self.members(name):
            return True
        if name == "Qt":
            return member in self.data["Qt"]
        return not self.classes[name]["bases"] and _qt6_has(name, member)


def _qt6_has(name: str, member: str) -> bool:
    if find_spec("PySide6") is None:
        return True
    from PySide6 import QtCore, QtGui, QtWidgets

    found = [getattr(m, name) for m in (QtCore, QtGui, QtWidgets) if hasattr(m, name)]
    if not found:
        return False
    is_enumeration = hasattr(found[0], member) and not callable(getattr(found[0], member))
    is_signal = isinstance(getattr(found[0], member, None), QtCore.Signal)
    return is_enumeration or is_signal or isinstance(getattr(found[0], member, None), type)


@dataclass
class _Scope:
    """Classes of the variables of one function, or of the attributes of one class's `self`."""

    classes: dict[str, str | None] = field(default_factory=dict)

    def assign(self, name: str, cls: str | None) -> None:
        """A variable that is given different things is of no evident class."""
        if name in self.classes and self.classes[name] != cls:
            cls = None
        self.classes[name] = cls


def dotted(node: ast.AST) -> str:
    """`a.b.c` of an attribute chain, empty for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (base := dotted(node.value)):
        return f"{base}.{node.attr}"
    return ""


class SourceNames(ast.NodeVisitor):
    """Collects what a source says that Slicer does not know."""

    def __init__(self, api: Api, own_modules: frozenset[str] = frozenset()) -> None:
        """
        Args:
            api: what there is.
            own_modules: names in `slicer.modules` that the extension itself brings.
        """
        self.api = api
        self.own_modules = own_modules
        self.found: list[str] = []
        self._locals: list[_Scope] = [_Scope()]
        self._selves: list[_Scope] = []

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        scope = _Scope()
        for child in ast.walk(node):
            for target, value in _assignments(child):
                if (name := dotted(target)).startswith("self.") and name.count(".") == 1:
                    scope.assign(name, self._class_of(value))
        self._selves.append(scope)
        self.generic_visit(node)
        self._selves.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        scope = _Scope({argument.arg: None for argument in node.args.args})
        for child in ast.walk(node):
            for target, value in _assignments(child):
                if isinstance(target, ast.Name):
                    scope.assign(target.id, self._class_of(value))
        self._locals.append(scope)
        self.generic_visit(node)
        self._locals.pop()

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        known = {
            "slicer.util": self.api.data["slicer.util"],
            "slicer.app": self.api.data["slicer.app"],
        }
        for alias in node.names:
            if node.module in known and alias.name not in known[node.module]:
                self._tell(node, f"{node.module}.{alias.name}")
            elif node.module in {"slicer", "qt", "ctk"}:
                self._check_global(node, [node.module, alias.name])

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Attribute):
            if called.attr in {"connect", "disconnect"} and node.args:
                self._check_signature(node, called.value, node.args[0])
            cls = self._class_of_variable(called.value)
            if cls and called.attr in self._readable_only(cls):
                self._tell(node, f"{cls}.{called.attr}() - a property, not a method")
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        cls = self._class_of_variable(node.value)
        if cls:
            self._check_member(node, cls)
        names = dotted(node).split(".")
        if names[0] in {"qt", "ctk", "slicer"}:
            self._check_global(node, names)
            return  # its parts are parts of it
        self.generic_visit(node)

    def _check_member(self, node: ast.Attribute, cls: str) -> None:
        properties = self.api.properties(cls)
        if isinstance(node.ctx, ast.Store):
            if not properties.get(node.attr, False):
                self._tell(node, f"{cls}.{node.attr} = - no property that can be set")
        elif not self.api.has(cls, node.attr):
            self._tell(node, f"{cls}.{node.attr}")

    def _check_signature(self, node: ast.Call, sender: ast.AST, argument: ast.AST) -> None:
        if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
            return
        signature = compact(argument.value)
        cls = self._class_of_variable(sender)
        known = self.api.signals(cls) if cls else self.api.all_signals
        if dotted(sender) == "slicer.app":
            known = self.api.all_signals | {f"{n}()" for n in self.api.data["slicer.app"]}
        if signature not in known or signature in GONE_SIGNALS:
            self._tell(node, f"{cls or 'any class'}: signal {argument.value!r}")

    def _check_global(self, node: ast.AST, names: list[str]) -> None:
        root, first, *rest = [*names, ""] if len(names) == 1 else names
        if not first:
            return
        if root in {"qt", "ctk"}:
            right = first == "Qt" or (first in self.api.classes and first not in GONE_IN_QT6)
            if not right or first.startswith("Q") != (root == "qt"):
                self._tell(node, f"{root}.{first}")
                return
            self._check_of_class(node, first, rest)
        elif first in {"util", "app", "modules"}:
            known = {*self.api.data[f"slicer.{first}"], "__file__"}
            own = self.own_modules if first == "modules" else frozenset()
            if rest and rest[0] not in known | own:
                self._tell(node, f"slicer.{first}.{rest[0]}")
        elif first.startswith("vtk"):
            if first not in self.api.data["slicer_vtk_classes"]:
                self._tell(node, f"slicer.{first}")
        elif first in self.api.classes and not first.startswith("Q"):
            self._check_of_class(node, first, rest)
        elif first not in SLICER_PARTS:
            self._tell(node, f"slicer.{first}")

    def _check_of_class(self, node: ast.AST, cls: str, rest: list[str]) -> None:
        if rest and not self.api.has(cls, rest[0]):
            self._tell(node, f"{cls}.{rest[0]}")

    def _readable_only(self, cls: str) -> set[str]:
        """Properties that are no method at the same time, as `QTimer.singleShot` is."""
        entries = self.api.entries(cls)
        methods = {n for entry in entries for n in (entry.get("pythonMethods") or [])}
        return set(self.api.properties(cls)) - methods

    def _class_of(self, value: ast.AST | None) -> str | None:
        """The class that a call such as `qt.QLabel("x")` makes an object of."""
        if not isinstance(value, ast.Call):
            return None
        root, _, cls = dotted(value.func).partition(".")
        return cls if root in {"qt", "ctk", "slicer"} and cls in self.api.classes else None

    def _class_of_variable(self, node: ast.AST) -> str | None:
        name = dotted(node)
        if name.startswith("self.") and self._selves:
            return self._selves[-1].classes.get(name)
        for scope in reversed(self._locals):
            if name in scope.classes:
                return scope.classes[name]
        return None

    def _tell(self, node: ast.AST, what: str) -> None:
        self.found.append(f"line {getattr(node, 'lineno', 0)}: {what}")


def _assignments(node: ast.AST) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    """Targets and values of one statement; None where the value is not evident."""
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        yield node.target, node.value
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            yield from _pairs(target, node.value)
    elif isinstance(node, ast.For | ast.comprehension):
        yield from ((name, None) for name in ast.walk(node.target) if isinstance(name, ast.Name))
    elif isinstance(node, ast.With):
        yield from ((i.optional_vars, None) for i in node.items if i.optional_vars is not None)


def _pairs(target: ast.AST, value: ast.AST) -> Iterator[tuple[ast.AST, ast.AST | None]]:
    """An assignment with its tuples taken apart."""
    if not isinstance(target, ast.Tuple):
        yield target, value
        return
    values: list[ast.AST | None] = [None] * len(target.elts)
    if isinstance(value, ast.Tuple) and len(value.elts) == len(values):
        values = list(value.elts)
    yield from zip(target.elts, values, strict=True)


def unknown_in_source(
    source: str, api: Api, own_modules: frozenset[str] = frozenset()
) -> list[str]:
    """What a Python source says that Slicer does not know, with lines."""
    visitor = SourceNames(api, own_modules)
    visitor.visit(ast.parse(source))
    return list(dict.fromkeys(visitor.found))


def unknown_in_ui(text: str, api: Api) -> list[str]:
    """What a .ui file says that Slicer does not know."""
    root = ElementTree.fromstring(text)
    classes: dict[str, str] = {}
    found: list[str] = []
    for element in root.iter():
        if element.tag == "widget":
            cls = {"Line": "QFrame"}.get(element.attrib["class"], element.attrib["class"])
            classes[element.attrib.get("name", "")] = cls
            found += _of_ui_widget(element, cls, api)
        elif element.tag == "layout":
            cls = element.attrib["class"]
            known = set(api.properties(cls)) | UI_LAYOUT if cls in api.classes else set()
            found += _of_ui_element(element, cls, known, api)
    for connection in root.iter("connection"):
        found += _of_ui_connection(connection, classes, api)
    return found


def _of_ui_widget(element: ElementTree.Element, cls: str, api: Api) -> list[str]:
    writable = {n for n, can in api.properties(cls).items() if can} if cls in api.classes else set()
    return _of_ui_element(element, cls, writable | {"buddy"}, api)


def _of_ui_element(element: ElementTree.Element, cls: str, known: set[str], api: Api) -> list[str]:
    if cls not in api.classes:
        return [f"class {cls}"]
    return [
        f"{cls}.{child.attrib['name']}"
        for child in element.findall("property")
        # stdset="0" makes a dynamic property, as connectGui wants them.
        if child.attrib["name"] not in known and child.attrib.get("stdset") != "0"
    ]


def _of_ui_connection(
    connection: ElementTree.Element, classes: Mapping[str, str], api: Api
) -> list[str]:
    parts = {child.tag: child.text or "" for child in connection}
    sender, receiver = classes.get(parts["sender"]), classes.get(parts["receiver"])
    found = []
    if sender not in api.classes or compact(parts["signal"]) not in api.signals(sender):
        found.append(f"{sender}: signal {parts['signal']!r}")
    slot = parts["slot"].partition("(")[0]
    if receiver not in api.classes or not api.has(receiver, slot):
        found.append(f"{receiver}: slot {parts['slot']!r}")
    return found
