"""What Slicer's DICOM database knows of a volume, in the names and units of BIDS."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import slicer

from GliomaAILib.intake.facts import ClinicalFacts, age_of_string
from GliomaAILib.intake.privacy import IdentifierMask, fingerprint

TIMES_MS = {
    "EchoTime": "0018,0081",
    "RepetitionTime": "0018,0080",
    "InversionTime": "0018,0082",
}
"""Milliseconds in DICOM, seconds in BIDS."""

TEXTS = {
    "SeriesDescription": "0008,103E",
    "ProtocolName": "0018,1030",
    "SequenceName": "0018,0024",
    "ContrastBolusAgent": "0018,0010",
}

LISTS = {"ImageType": "0008,0008", "ScanningSequence": "0018,0020"}

PATIENT_AGE = "0010,1010"
PATIENT_SEX = "0010,0040"
PATIENT_NAME = "0010,0010"
PATIENT_ID = "0010,0020"
PATIENT_BIRTH_DATE = "0010,0030"
STUDY_UID = "0020,000D"


class Database(Protocol):
    """What is used of ctkDICOMDatabase."""

    def fileForInstance(self, uid: str) -> str:  # noqa: N802
        """Path of an instance's file; empty where it is unknown."""

    def fileValue(self, path: str, tag: str) -> str:  # noqa: N802
        """Text of an element, parts divided by a backslash; empty where it is missing."""


@dataclass(frozen=True)
class Header:
    """What is known of one volume; nothing of it names the patient."""

    parameters: Mapping[str, Any] = field(default_factory=dict)
    facts: ClinicalFacts = field(default_factory=ClinicalFacts)
    examination: str = ""
    """One-way mark of patient and study."""


def database() -> Database | None:
    """Slicer's DICOM database, where there is one."""
    found: Database | None = getattr(slicer, "dicomDatabase", None)
    return found


def header_of(volume: Any) -> Header | None:
    """The header of the first instance of a volume node; None where the database lacks it."""
    uids = (volume.GetAttribute("DICOM.instanceUIDs") or "").split()
    source = database()
    path = source.fileForInstance(uids[0]) if uids and source is not None else ""
    if not path or source is None:
        return None

    def value(tag: str) -> str:
        return str(source.fileValue(path, tag) or "").strip()

    return Header(_parameters(value), _facts(value), _examination(value))


def _parameters(value: Callable[[str], str]) -> dict[str, Any]:
    """Technicians write names into descriptions: they are masked."""
    mask = IdentifierMask(value(tag) for tag in (PATIENT_NAME, PATIENT_ID, PATIENT_BIRTH_DATE))
    found: dict[str, Any] = {}
    for name, tag in TIMES_MS.items():
        time_ms = _number(value(tag))
        if time_ms is not None:
            found[name] = time_ms / 1000.0
    found |= {name: mask(text) for name, tag in TEXTS.items() if (text := value(tag))}
    for name, tag in LISTS.items():
        if parts := [part.strip() for part in value(tag).split("\\") if part.strip()]:
            found[name] = parts
    return found


def _number(text: str) -> float | None:
    try:
        number = float(text.split("\\")[0])
    except ValueError:
        return None
    return number if number > 0 else None


def _facts(value: Callable[[str], str]) -> ClinicalFacts:
    sex = value(PATIENT_SEX).upper()
    return ClinicalFacts(
        age_years=age_of_string(value(PATIENT_AGE)), sex=sex if sex in {"F", "M"} else None
    )


def _examination(value: Callable[[str], str]) -> str:
    study = value(STUDY_UID)
    return fingerprint(value(PATIENT_ID), study) if study else ""
