"""A bench that runs the Slicer module's own widget code without Slicer.

PySide6 is made to behave like PythonQt, slicer-core supplies the real scene, and small stand-ins
take the place of the ctk and qMRML widgets. It is a net, not a second Slicer: a module that
passes here still has to be driven in the real one.

`import bench.pythonqt` patches PySide6 for the whole process and cannot be undone, so nothing
here is imported before a test needs it.
"""

import ctypes
import os
import sys

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# PySide6 reads it once, at its first import: every Enum an IntEnum, every Flag an IntFlag.
os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = "0x3"

if sys.version_info < (3, 12):
    # PySide6 6.12 takes None for immortal, which it is from Python 3.12 on: every call that returns
    # None uses up one of its references, and without any the interpreter aborts.
    ctypes.c_ssize_t.from_address(id(None)).value += 1 << 40
