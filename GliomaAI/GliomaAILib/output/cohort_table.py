"""One line for a case in the table of a cohort: a plain CSV file that statistics programs read.

Made from `assessment.json`, so that a table can be made again from results that are kept.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gliomaai_training.diagnosis.states import WHO_STATES
from GliomaAILib.assessment.estimates import MARGINAL_NAMES
from GliomaAILib.output.folder import replace_text

CASE = "case"
_FACTS = ("age_years", "sex", "kps", "resection", "idh", "codeletion_1p19q", "grade")
_VOLUMES = ("WT", "TC", "ET", "NCR", "ED")
_REGIONS = ("WT", "TC", "ET")
_INPUTS = {"clinical": "clinical", "imaging": "clinical+imaging"}
"""Of survival models: word in the columns and in the document."""
_MONTHS = (12, 24, 60)

COLUMNS = (
    CASE,
    "created_utc",
    *_FACTS,
    "reference",
    "sequences",
    *(f"{name}_ml" for name in _VOLUMES),
    "brain_ml",
    *(f"{name}_{kind}_mm" for name in _REGIONS for kind in ("longest", "perpendicular")),
    "rano_region",
    "foci",
    "side",
    "crosses_midline",
    "lobe",
    "corrected",
    *(f"dice_with_network_{name}" for name in _REGIONS),
    *(f"probability_{name}" for name in (*WHO_STATES, *MARGINAL_NAMES)),
    "who_state",
    "diagnosis_basis",
    "diagnosis_model",
    "prognosis_role",
    *(
        f"{word}_{name}"
        for word in _INPUTS
        for name in (*(f"survival_{months}_months" for months in _MONTHS), "points", "model")
    ),
    "findings",
    "gliomaai_version",
    "model_packs",
    "schema_version",
)
"""In the order of the table."""

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r")
"""A cell that begins so is a formula to a spreadsheet program."""

MAX_NAME = 80


class CohortTableError(ValueError):
    """The file is no table of this kind, or the case's name cannot stand in one."""


def cohort_row(case: str, document: Mapping[str, Any]) -> dict[str, str]:
    """One case as a line of the table, by column; what is not known is empty.

    Args:
        case: the case's name in the cohort; no identifier of the patient.
        document: an assessment document, as `output.document` makes it.

    Raises:
        CohortTableError: the name is empty, too long or would be a formula.
    """
    _check_name(case)
    measures, origin = document["measures"], document["provenance"]
    side, place = measures["laterality"] or {}, measures["location"] or {}
    codes = sorted({finding["code"] for finding in document["findings"]})
    values: dict[str, Any] = {
        CASE: case,
        "created_utc": origin["created_utc"],
        **{name: document["facts"].get(name) for name in _FACTS},
        "reference": document["reference"],
        "sequences": " ".join(document["sequences"]),
        **{f"{name}_ml": measures["volumes_ml"][name] for name in _VOLUMES},
        "brain_ml": measures["brain_ml"],
        **_diameters(measures["diameters"]),
        "rano_region": measures["rano_region"],
        "foci": len(measures["foci"]["WT"]),
        "side": side.get("side"),
        "crosses_midline": side.get("crosses_midline"),
        "lobe": place.get("lobe"),
        "corrected": document["correction"] is not None,
        **_overlaps(document["correction"]),
        **_diagnosis(document.get("diagnosis") or {}),
        **_prognosis(document.get("prognosis") or {}),
        "findings": " ".join(codes),
        "gliomaai_version": origin["gliomaai_version"],
        "model_packs": " ".join(f"{p['name']}={p['version']}" for p in origin["model_packs"]),
        "schema_version": document["schema_version"],
    }
    return {name: _text(values[name]) for name in COLUMNS}


def append_row(file: Path, row: Mapping[str, str]) -> None:
    """Adds a line to a table, or replaces the one of the same case; a reader sees old or new.

    Args:
        file: made with a heading where there is none.
        row: of `cohort_row`.

    Raises:
        CohortTableError: the file has other columns, or is no CSV file.
        OSError: it cannot be read or written.
    """
    rows = _read(file)
    kept = [one for one in rows if one[CASE] != row[CASE]]
    place = next((n for n, one in enumerate(rows) if one[CASE] == row[CASE]), len(kept))
    lines = [*kept[:place], dict(row), *kept[place:]]
    stream = io.StringIO()
    writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    file.parent.mkdir(parents=True, exist_ok=True)
    replace_text(file, stream.getvalue())


def check_table(file: Path, case: str) -> None:
    """Finds out before minutes are spent whether a line could be added.

    Raises:
        CohortTableError: the name cannot stand in a table, or the file is no table of this kind.
        OSError: the file cannot be read.
    """
    _check_name(case)
    if file.exists() and not file.is_file():
        raise CohortTableError(f"{file} is a folder, not a table: name a file")
    _read(file)


def _read(file: Path) -> list[dict[str, str]]:
    if not file.exists():
        return []
    try:
        reader = csv.DictReader(io.StringIO(file.read_text("utf-8-sig")), strict=True)
        rows = list(reader)
    except (UnicodeDecodeError, csv.Error) as error:
        raise CohortTableError(f"{file} is no CSV file in UTF-8: choose another file") from error
    found = tuple(reader.fieldnames or ())
    if found != COLUMNS:
        other = sorted(set(found) ^ set(COLUMNS)) or ["their order"]
        raise CohortTableError(
            f"{file} has other columns than this version writes ({', '.join(other)}): "
            "choose another file"
        )
    if any(None in row or None in row.values() for row in rows):
        raise CohortTableError(f"{file} has lines of another length: choose another file")
    return rows


def _check_name(case: str) -> None:
    if not case.strip() or len(case) > MAX_NAME or not case.isprintable():
        raise CohortTableError(f"{case!r} cannot be a case's name: use 1 to {MAX_NAME} signs")
    if case.startswith(_FORMULA_SIGNS):
        raise CohortTableError(f"{case!r} would be a formula: begin with a letter or digit")


def _diameters(diameters: Mapping[str, Any]) -> dict[str, Any]:
    found = {}
    for region in _REGIONS:
        pair = diameters.get(region, {})
        found[f"{region}_longest_mm"] = pair.get("longest_mm")
        found[f"{region}_perpendicular_mm"] = pair.get("perpendicular_mm")
    return found


def _overlaps(correction: Mapping[str, Any] | None) -> dict[str, Any]:
    dice = correction["dice"] if correction else {}
    return {f"dice_with_network_{region}": dice.get(region) for region in _REGIONS}


def _diagnosis(diagnosis: Mapping[str, Any]) -> dict[str, Any]:
    chances = {**diagnosis.get("states", {}), **diagnosis.get("marginals", {})}
    return {
        **{f"probability_{name}": chances.get(name) for name in (*WHO_STATES, *MARGINAL_NAMES)},
        "who_state": diagnosis.get("answers", {}).get("state"),
        "diagnosis_basis": diagnosis.get("basis"),
        "diagnosis_model": (diagnosis.get("model") or {}).get("name"),
    }


def _prognosis(prognosis: Mapping[str, Any]) -> dict[str, Any]:
    by_inputs = {one["model"]["inputs"]: one for one in prognosis.get("estimates", ())}
    found: dict[str, Any] = {"prognosis_role": prognosis.get("role")}
    for word, inputs in _INPUTS.items():
        one = by_inputs.get(inputs, {})
        for months in _MONTHS:
            at = one.get("at_months", {}).get(str(months)) or {}
            found[f"{word}_survival_{months}_months"] = at.get("survival")
        found[f"{word}_points"] = (one.get("nomogram") or {}).get("total")
        found[f"{word}_model"] = one.get("model", {}).get("name")
    return found


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA_SIGNS) else text
