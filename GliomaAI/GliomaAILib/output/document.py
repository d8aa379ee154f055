"""`assessment.json`: an assessment for machines, as the published schema describes it."""

import dataclasses
import json
import math
from collections.abc import Mapping
from enum import StrEnum
from importlib.resources import files
from typing import Any

import numpy as np
import SimpleITK as sitk

from gliomaai_training.interpretation.explanations import (
    LOG_ODDS,
    LOG_RISK,
    RISK,
    ExplainedAnswer,
    Target,
)
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.vocabulary import NOTICE, Label
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.diameters import Diameters
from GliomaAILib.assessment.explanation import explanation_notes
from GliomaAILib.assessment.measures import Measures

SCHEMA_VERSION = "1.5"
"""Grows by one after the dot when fields are added, before it when a field changes its meaning."""

_DECIMALS = 4

Document = dict[str, Any]


def schema() -> Document:
    """The JSON schema of `assessment.json`."""
    name = f"assessment-{SCHEMA_VERSION}.schema.json"
    text = files("GliomaAILib.output").joinpath("schemas", name).read_text("utf-8")
    loaded: Document = json.loads(text)
    return loaded


def document_bytes(document: Document) -> bytes:
    """The document as UTF-8 JSON.

    Raises:
        ValueError: a number is not finite.
    """
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8")


def assessment_document(assessment: Assessment) -> Document:
    """The assessment as JSON values. File names are left out: they may hold a patient's name."""
    return {
        "schema_version": SCHEMA_VERSION,
        "notice": NOTICE,
        "reference": assessment.reference,
        "facts": _plain(assessment.facts),
        "sequences": {
            name: {
                "format": source.format,
                "description": source.description,
                "files": len(source.file_names),
                "sha256": source.sha256,
                "series_uid": source.series_uid,
                "confidence": _rounded(source.confidence),
                "evidence": list(source.evidence),
            }
            for name, source in assessment.sources.items()
        },
        "segmentation": _segmentation(assessment.segmentation),
        "measures": _measures(assessment.measures),
        "correction": _plain(assessment.correction),
        **_estimates(assessment),
        "explanation": explanation_document(assessment),
        "findings": _plain(assessment.findings),
        "preprocessing": dict(assessment.prepared.steps),
        "provenance": _plain(assessment.provenance),
    }


def _estimates(assessment: Assessment) -> Document:
    estimates = assessment.estimates
    absent = dict(estimates.absent)
    if assessment.not_explained:
        absent["explanation"] = assessment.not_explained
    diagnosis: Document | None = _plain(estimates.diagnosis)
    if diagnosis is not None and estimates.diagnosis is not None:
        diagnosis["indeterminate"] = estimates.diagnosis.indeterminate
    return {
        "diagnosis": diagnosis,
        "prognosis": _plain(estimates.prognosis),
        "network": _plain(estimates.network),
        "not_estimated": absent,
    }


def saliency_file(target: Target) -> str:
    """The name of the file that holds an answer's map, beside the document."""
    return f"saliency_{target.name.replace(':', '_')}.nii.gz"


def explanation_document(assessment: Assessment) -> Document | None:
    """Why the network answers as it does; None where nobody asked."""
    explanation = assessment.explanation
    if explanation is None:
        return None
    plain: Document = {
        field.name: _plain(getattr(explanation, field.name))
        for field in dataclasses.fields(explanation)
        if field.name != "answers"
    }
    plain["answers"] = [_answer(one) for one in explanation.answers]
    plain["notes"] = list(explanation_notes(explanation, assessment.facts))
    return plain


def _answer(answer: ExplainedAnswer) -> Document:
    unit = LOG_RISK if answer.target.task == RISK else LOG_ODDS
    check, saliency = answer.check, answer.saliency
    return {
        "answer": answer.target.name,
        "words": answer.target.words,
        "output": _rounded(answer.output),
        "unit": unit,
        "probability": _plain(answer.probability),
        "importance": [
            {
                "scale": one.scale,
                "values": _plain(one.values),
                "empty": _rounded(one.empty),
                "full": _rounded(one.full),
            }
            for one in answer.importances
        ],
        "check": None if check is None else {**_plain(check), "passes": check.passes},
        "saliency": None
        if saliency is None
        else {
            "file": saliency_file(answer.target),
            "unit": f"{unit} per mL",
            "inside_tumour": _rounded(saliency.inside_tumour),
            "step": _rounded(saliency.step),
            "gap": _rounded(saliency.gap),
        },
    }


def _segmentation(segmentation: sitk.Image) -> Document:
    counts = np.bincount(sitk.GetArrayViewFromImage(segmentation).ravel(), minlength=len(Label))
    parts = [label for label in Label if label != Label.BACKGROUND]
    voxel_ml = Grid.of(segmentation).voxel_ml
    return {
        "file": "segmentation.nii.gz",
        "labels": {label.name: int(label) for label in parts},
        "voxels": {label.name: int(counts[label]) for label in parts},
        "volumes_ml": {label.name: _rounded(counts[label] * voxel_ml) for label in parts},
    }


def _measures(measures: Measures) -> Document:
    plain: Document = _plain(measures)
    plain["diameters"] = {
        name: {**plain["diameters"][name], **_derived(pair)}
        for name, pair in measures.diameters.items()
    }
    return plain


def _derived(pair: Diameters) -> Mapping[str, Any]:
    return {"product_mm2": _rounded(pair.product_mm2), "measurable": pair.measurable}


def _plain(value: Any) -> Any:
    """JSON values of nested dataclasses, mappings, sequences and numbers."""
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, float):
        return _rounded(value)
    return value


def _rounded(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be written: a result is a finite number or null")
    return round(float(value), _DECIMALS) + 0.0  # adding zero turns -0.0 into 0.0
