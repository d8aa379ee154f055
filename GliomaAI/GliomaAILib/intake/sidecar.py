"""The JSON file that converters write beside an image: BIDS names, times in seconds.

dcm2niix and BIDS (bids-specification.readthedocs.io, MRI metadata) agree on the names read here.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gliomaai_training.findings import Finding, Severity
from GliomaAILib.intake.facts import VALUES, age_of_string, possible_age
from GliomaAILib.intake.parameters import names_agent
from GliomaAILib.intake.scan import stem
from GliomaAILib.intake.volume import HeaderFacts

MAX_BYTES = 1_000_000
"""A larger file is no sidecar of one image."""

IDENTIFIER_KEYS = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "AccessionNumber",
    "OtherPatientIDs",
    "OtherPatientNames",
)


@dataclass(frozen=True)
class Sidecar:
    """What a sidecar says; everything is empty where there is none."""

    header: HeaderFacts | None = None
    age_years: float | None = None
    sex: str | None = None
    identifiers: tuple[str, ...] = field(default=(), repr=False)
    """For masking only; never shown."""
    ignored: str = ""
    """What of it could not be used, in words without any of its values."""

    def findings(self, shown_as: str) -> tuple[Finding, ...]:
        """What there is to say about it.

        Args:
            shown_as: the image's name for people.
        """
        if not self.ignored:
            return ()
        message = f"The JSON file beside '{shown_as}' is not used as it stands: {self.ignored}."
        return (Finding("intake.sidecar", Severity.INFO, message),)


class _Values:
    """Typed access to a sidecar's values; collects the names of those of another type."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self.wrong: list[str] = []

    def text(self, *names: str) -> str:
        value = self._first(names)
        if value is None or isinstance(value, str):
            return value or ""
        self.wrong.append(names[0])
        return ""

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, or one text whose parts are joined as DICOM or dcm2niix join them."""
        value = self._content.get(name)
        parts = re.split(r"[\\_,\s]+", value) if isinstance(value, str) else value
        if parts is None:
            return ()
        if isinstance(parts, list) and all(isinstance(part, str) for part in parts):
            return tuple(part.upper() for part in parts if part)
        self.wrong.append(name)
        return ()

    def milliseconds(self, name: str) -> float | None:
        """A time that the file gives in seconds."""
        value = self._content.get(name)
        if value is None:
            return None
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and math.isfinite(value) and value >= 0:
            return float(value) * 1000.0
        self.wrong.append(name)
        return None

    def age_years(self) -> float | None:
        """Years, as BIDS writes a number and DICOM an age string."""
        value = self._content.get("PatientAge")
        if possible_age(value):
            return float(value)  # type: ignore[arg-type]
        years = age_of_string(value) if isinstance(value, str) else None
        if years is None and value not in (None, ""):
            self.wrong.append("PatientAge")
        return years

    def sex(self) -> str | None:
        text = self.text("PatientSex").strip().upper()
        return text if text in VALUES["sex"] else None

    def identifiers(self) -> tuple[str, ...]:
        found = []
        for name in IDENTIFIER_KEYS:
            value = self._content.get(name)
            values = value if isinstance(value, list) else [value]
            found += [str(one) for one in values if isinstance(one, str | int) and str(one)]
        # Dates come as 1941-12-24 here; the mask knows every form of 19411224.
        dates = [text.replace("-", "") for text in found if re.fullmatch(r"\d{4}-\d\d-\d\d", text)]
        return (*found, *dates)

    def _first(self, names: tuple[str, ...]) -> Any:
        values = (self._content.get(name) for name in names)
        return next((value for value in values if value is not None), None)


def read_sidecar(image: Path) -> Sidecar:
    """Reads the JSON file with an image's name; one that is no sidecar says nothing.

    Args:
        image: a volume file; the sidecar has its name up to the format's ending, and `.json`.
    """
    file = image.with_name(stem(image) + ".json")
    try:
        if not file.is_file():
            return Sidecar()
        if file.stat().st_size > MAX_BYTES:
            return Sidecar(ignored="it is too large")
        content = json.loads(file.read_text("utf-8-sig"))
    except (OSError, ValueError, RecursionError):
        return Sidecar(ignored="it cannot be read as JSON")
    if not isinstance(content, dict):
        return Sidecar(ignored="it holds no names with values")
    return _sidecar(_Values(content))


def _sidecar(values: _Values) -> Sidecar:
    header = HeaderFacts(
        series_description=values.text("SeriesDescription"),
        protocol_name=values.text("ProtocolName"),
        sequence_name=values.text("SequenceName", "PulseSequenceName"),
        image_type=values.texts("ImageType"),
        scanning_sequence=values.texts("ScanningSequence"),
        echo_time_ms=values.milliseconds("EchoTime"),
        repetition_time_ms=values.milliseconds("RepetitionTime"),
        inversion_time_ms=values.milliseconds("InversionTime"),
        contrast_agent=names_agent(values.text("ContrastBolusAgent", "ContrastBolusIngredient")),
    )
    age_years, sex = values.age_years(), values.sex()
    wrong = ", ".join(dict.fromkeys(values.wrong))
    return Sidecar(
        header=None if header == HeaderFacts() else header,
        age_years=age_years,
        sex=sex,
        identifiers=values.identifiers(),
        ignored=f"{wrong} has no value of the right kind" if wrong else "",
    )
