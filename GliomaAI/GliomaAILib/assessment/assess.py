"""From a prediction to an assessment."""

import dataclasses
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.inference.prediction import Prediction
from gliomaai_training.preprocessing.atlas import AtlasRegistration
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.native import (
    labels_to_common,
    labels_to_native,
    probabilities_to_native_labels,
)
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.preprocessing.resampling import is_common
from gliomaai_training.vocabulary import Label
from GliomaAILib.assessment.assessment import Assessment, Provenance
from GliomaAILib.assessment.location import locate, register_brain, template_midline
from GliomaAILib.assessment.measures import Measures, measure
from GliomaAILib.assessment.result_findings import result_findings
from GliomaAILib.intake.case import Case

_ORDER = (Severity.BLOCKING, Severity.WARNING, Severity.INFO)


def assess(
    case: Case, prepared: Prepared, prediction: Prediction, provenance: Provenance
) -> Assessment:
    """Brings a prediction home to native space, measures it and says what is doubtful about it.

    Raises:
        ValueError: the prediction does not lie on the prepared study's grid.
    """
    if not Grid.of(prediction.labels).matches(prepared.grid):
        raise ValueError(
            f"the prediction has size {prediction.labels.GetSize()}, "
            f"the prepared study {prepared.grid.size}: they are not of one study"
        )
    segmentation = _native_segmentation(prepared, prediction)
    masks = _Masks(prediction.labels, segmentation, prediction)
    return _assessed(case, prepared, masks, provenance)


def restore(case: Case, prepared: Prepared, mask: sitk.Image, provenance: Provenance) -> Assessment:
    """The assessment of an earlier analysis, from the mask that it gave; no network runs.

    What else the network said, its uncertainty above all, is not known any more. On a reference
    that is not 1 mm isotropic the measures may differ from the earlier ones by rounding to voxels.

    Args:
        case: the same study.
        prepared: of the case.
        mask: the network's `vocabulary.Label` values on the reference's native grid.
        provenance: of the restored assessment.

    Raises:
        ValueError: the mask lies on another grid or holds an unknown label.
    """
    mask = checked_mask(mask, prepared.native_grids[prepared.reference])
    labels = labels_to_common(mask, prepared, prepared.reference)
    return _assessed(case, prepared, _Masks(labels, mask, None), provenance)


@dataclass(frozen=True)
class _Masks:
    """The network's labels on both grids, and all it said where that is known."""

    labels: sitk.Image
    segmentation: sitk.Image
    prediction: Prediction | None


def _assessed(case: Case, prepared: Prepared, masks: _Masks, provenance: Provenance) -> Assessment:
    registration = template_registration(prepared, masks.labels)
    measures = measured(prepared, masks.labels, registration)
    prediction = masks.prediction
    found = result_findings(prepared, prediction, measures, masks.segmentation)
    return Assessment(
        reference=prepared.reference,
        sources=case.sources,
        facts=case.facts,
        findings=sorted_findings(case.findings + prepared.findings + found),
        segmentation=masks.segmentation,
        labels=masks.labels,
        entropy=None if prediction is None else prediction.entropy,
        prepared=prepared,
        registration=registration,
        measures=measures,
        provenance=provenance,
        features=None if prediction is None else prediction.features,
        no_features="" if prediction is None else prediction.no_features,
    )


def checked_mask(mask: sitk.Image, grid: Grid) -> sitk.Image:
    """A mask from outside as UInt8 labels.

    Args:
        mask: what somebody gave.
        grid: the native grid on which it must lie.

    Raises:
        ValueError: it lies on another grid or holds an unknown label.
    """
    if mask.GetDimension() != 3 or not Grid.of(mask).matches(grid):
        raise ValueError(
            f"the mask has size {mask.GetSize()} and spacing {mask.GetSpacing()} mm, "
            f"the study's {grid.size} and {grid.spacing_mm} mm, or it lies "
            "elsewhere: use the mask that belongs to this study"
        )
    values = np.unique(sitk.GetArrayViewFromImage(mask))
    unknown = sorted(set(values.tolist()) - set(Label))
    if unknown:
        raise ValueError(f"the mask holds unknown labels {unknown}")
    plain: sitk.Image = sitk.Cast(mask, sitk.sitkUInt8)
    return plain


def template_registration(prepared: Prepared, labels: sitk.Image) -> AtlasRegistration | None:
    """The study's registration to ICBM152; None where it fails or nothing is there to locate."""
    has_tumour = bool(sitk.GetArrayViewFromImage(labels).any())
    has_brain = bool(sitk.GetArrayViewFromImage(prepared.brain_mask).any())
    return register_brain(prepared) if has_tumour and has_brain else None


def measured(
    prepared: Prepared, labels: sitk.Image, registration: AtlasRegistration | None
) -> Measures:
    """Measures of labels on the common grid, with midline and location where registered."""
    if registration is None or not sitk.GetArrayViewFromImage(labels).any():
        return measure(labels, prepared.brain_mask)
    measures = measure(labels, prepared.brain_mask, template_midline(registration))
    return dataclasses.replace(measures, location=locate(prepared, labels, registration))


def _native_segmentation(prepared: Prepared, prediction: Prediction) -> sitk.Image:
    """The labels on the reference's own voxels, smooth where those are finer than the grid's."""
    reference = prepared.reference
    if is_common(prepared.native_grids[reference]):
        return labels_to_native(prediction.labels, prepared, reference)
    labels = sitk.GetArrayViewFromImage(prediction.labels)
    probabilities = prediction.probabilities
    # Post-processing had the last word on the labels: where it disagrees with the probabilities,
    # its choice is what comes home.
    changed = probabilities.argmax(axis=0) != labels
    if changed.any():
        probabilities = probabilities.copy()
        probabilities[:, changed] = np.eye(len(probabilities), dtype=np.float32)[:, labels[changed]]
    return probabilities_to_native_labels(probabilities, prepared, reference)


def sorted_findings(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Each finding once, the most severe first, otherwise in the order of the run."""
    return tuple(sorted(dict.fromkeys(findings), key=lambda f: _ORDER.index(f.severity)))
