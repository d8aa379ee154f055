"""From a prediction to an assessment."""

import dataclasses

import SimpleITK as sitk
from gliomaai_training.findings import Finding, Severity
from gliomaai_training.inference.prediction import Prediction
from gliomaai_training.preprocessing.prepared import Prepared

from GliomaAILib.assessment.assessment import Assessment, Provenance
from GliomaAILib.assessment.location import locate
from GliomaAILib.assessment.measures import measure
from GliomaAILib.assessment.result_findings import result_findings
from GliomaAILib.intake.case import Case

_ORDER = (Severity.BLOCKING, Severity.WARNING, Severity.INFO)


def assess(
    case: Case, prepared: Prepared, prediction: Prediction, provenance: Provenance
) -> Assessment:
    """Brings a prediction home to native space, measures it and says what is wrong with it.

    Raises:
        ValueError: the prediction does not lie on the prepared study's grid.
    """
    from gliomaai_training.preprocessing.native import labels_to_native

    measures = measure(prediction.labels, prepared.brain_mask)
    measures = dataclasses.replace(measures, location=locate(prepared, prediction.labels))
    segmentation = sitk.Cast(
        labels_to_native(prediction.labels, prepared, prepared.reference), sitk.sitkUInt8
    )
    found = result_findings(prepared, prediction, measures, segmentation)
    return Assessment(
        reference=prepared.reference,
        sources=case.sources,
        facts=case.facts,
        findings=_sorted(case.findings + prepared.findings + found),
        segmentation=segmentation,
        labels=prediction.labels,
        entropy=prediction.entropy,
        prepared=prepared,
        measures=measures,
        provenance=provenance,
    )


def _sorted(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Each finding once, the most severe first, otherwise in the order of the run."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda f: _ORDER.index(f.severity)))
