"""Fitted models as small readable files: JSON that says what it is and of which version."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol


class Fitted(Protocol):
    """A model that was fitted on patients."""

    @property
    def name(self) -> str: ...

    @property
    def cohort(self) -> str: ...

    @property
    def patients(self) -> int: ...


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


def model_head(kind: str, version: int, model: Fitted) -> dict[str, Any]:
    """How the document of every fitted model begins."""
    return {
        "format": kind,
        "version": version,
        "name": model.name,
        "cohort": model.cohort,
        "patients": model.patients,
    }


def told_in_head(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a fitted model that `model_head` wrote.

    Raises:
        KeyError, TypeError: one is missing or wrong.
    """
    return {
        "name": str(document["name"]),
        "cohort": str(document["cohort"]),
        "patients": int(document["patients"]),
    }
