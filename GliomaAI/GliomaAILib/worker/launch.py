"""Starts the worker as a process of its own, and ends it with everything it started."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

IS_WINDOWS = sys.platform == "win32"


def python_program() -> str:
    """What runs Python with all libraries of this process: Slicer's launcher where this is Slicer,
    which has it in its PATH, else this interpreter."""
    return shutil.which("PythonSlicer") or sys.executable


def worker_command() -> list[str]:
    """What starts the worker."""
    return [python_program(), "-m", "GliomaAILib.worker"]


def worker_environment() -> dict[str, str]:
    """Lets the worker find both packages where this process found them."""
    here = Path(__file__).resolve().parents[2]
    training = importlib.util.find_spec("gliomaai_training")
    folders = [str(here)]
    if training is not None and training.origin is not None:
        folders.append(str(Path(training.origin).resolve().parents[1]))
    if inherited := os.environ.get("PYTHONPATH"):
        folders.append(inherited)
    return {"PYTHONPATH": os.pathsep.join(dict.fromkeys(folders))}


def start(command: Sequence[str], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    """Starts a command in a process group of its own, its three streams as pipes.

    Args:
        command: program and arguments; no shell sees them, so blanks and non-ASCII names are safe.
        environment: variables beside those of this process.

    Raises:
        OSError: the program cannot be started.
    """
    flags = ("CREATE_NEW_PROCESS_GROUP", "CREATE_NO_WINDOW") if IS_WINDOWS else ()
    return subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment, "PYTHONIOENCODING": "utf-8", "PYTHONUTF8": "1"},
        start_new_session=not IS_WINDOWS,
        creationflags=sum(getattr(subprocess, name) for name in flags),
    )


def kill(process: "subprocess.Popen[bytes]") -> None:
    """Ends a process that `start` started, and its children, at once.

    The group, not the process: in Slicer the interpreter is the child of a launcher.
    """
    if process.poll() is not None:
        return
    if IS_WINDOWS:
        tree = ["taskkill", "/F", "/T", "/PID", str(process.pid)]
        no_window = getattr(subprocess, "CREATE_NO_WINDOW")  # noqa: B009 - Windows has it
        subprocess.run(tree, capture_output=True, check=False, creationflags=no_window)
    else:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return
    process.wait()
