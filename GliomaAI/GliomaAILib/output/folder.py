"""Folders that a reader sees complete or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path


class OutputError(Exception):
    """The results could not be written; the folder is as it was."""


@contextlib.contextmanager
def complete_or_nothing(folder: Path) -> Iterator[Path]:
    """Gives a hidden folder beside a place; what is written there moves in at the block's end.

    An error or a cancelled run leaves nothing behind. Older files of the same name in `folder`
    are replaced; others there are left alone.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    with clear_errors(folder), _scratch_beside(folder) as scratch:
        yield scratch
        _move_in(scratch, folder)


@contextlib.contextmanager
def clear_errors(folder: Path) -> Iterator[None]:
    """Turns the system's errors on writing into an `OutputError` that says what to do."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(
            f"The results cannot be written to {folder}: {reason}. "
            "Choose another folder, or make room and check its permissions."
        ) from error


def replace_text(file: Path, text: str) -> None:
    """Replaces a text file in one step: a reader sees the old text or the new.

    Raises:
        OSError: it cannot be written; the old text stands.
    """
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".gliomaai-") as name:
        new = Path(name) / file.name
        new.write_text(text, "utf-8", newline="")
        os.replace(new, file)


@contextlib.contextmanager
def _scratch_beside(folder: Path) -> Iterator[Path]:
    """A hidden folder on the same file system, so that moving out of it is one atomic step."""
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(None, "it is a file, not a folder", str(folder))
    folder.parent.mkdir(parents=True, exist_ok=True)
    home = folder if folder.is_dir() else folder.parent
    with tempfile.TemporaryDirectory(dir=home, prefix=".gliomaai-") as name:
        scratch = Path(name) / folder.name
        scratch.mkdir()
        yield scratch


def _move_in(scratch: Path, folder: Path) -> None:
    if not folder.exists():
        os.replace(scratch, folder)
        return
    for file in sorted(scratch.iterdir()):
        os.replace(file, folder / file.name)
