"""Fitted models as small readable files: JSON that says what it is and of which version."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read_document(file: Path) -> Any:
    """What a JSON file holds.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} cannot be read: {error}") from error


def write_document(document: Any, file: Path) -> None:
    """Writes JSON; every number comes back exactly.

    Raises:
        ValueError: a number is not finite.
    """
    file.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", "utf-8")


def check_format(document: Any, kind: str, version: int) -> Mapping[str, Any]:
    """A document of the right kind.

    Raises:
        ValueError: it is none, or of another version.
    """
    if not isinstance(document, Mapping):
        raise ValueError(f"needs {kind!r}, not {type(document).__name__}")
    if document.get("format") != kind or document.get("version") != version:
        raise ValueError(
            f"needs {kind!r} of version {version}, not {document.get('format')!r} of "
            f"version {document.get('version')!r}"
        )
    return document
