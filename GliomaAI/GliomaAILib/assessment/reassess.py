"""An assessment again, after a person corrected the mask; no network runs."""

import dataclasses

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.evaluation.segmentation_metrics import dice
from gliomaai_training.findings import Finding, Severity
from gliomaai_training.preprocessing.atlas import AtlasRegistration
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.native import labels_to_common
from gliomaai_training.vocabulary import REGIONS, Label
from GliomaAILib.assessment.assess import (
    checked_mask,
    measured,
    sorted_findings,
    template_registration,
)
from GliomaAILib.assessment.assessment import Assessment, Correction
from GliomaAILib.assessment.estimate import without_estimates
from GliomaAILib.assessment.result_findings import measures_findings
from GliomaAILib.intake.facts import ClinicalFacts

RESULT = "assessment."
"""What the codes of findings about a result begin with."""


def reassess(
    original: Assessment, mask: sitk.Image, facts: ClinicalFacts | None = None
) -> Assessment:
    """The assessment of the same study with a corrected mask or other facts.

    Where a voxel was not touched its label on the common grid stays the network's own, so a mask
    without changes gives the same measures, and a small correction changes no others. What the
    network doubts in its own mask is said again as long as that mask is unchanged. Diagnosis and
    prognosis are not in it: `estimate.estimated` makes them anew.

    Args:
        original: what the networks found; not an assessment that was corrected before.
        mask: `vocabulary.Label` values on the native grid of `original.segmentation`; it comes
            back unchanged as the new `segmentation`. The network's own mask is no correction.
        facts: what the user knows of the patient; it goes before what `original` has.

    Raises:
        ValueError: the mask lies on another grid, holds an unknown label, the facts contradict
            each other, or `original` is itself a correction.
    """
    if original.correction is not None:
        raise ValueError("reassess the network's own assessment, not a corrected one")
    mask = checked_mask(mask, Grid.of(original.segmentation))
    before = sitk.GetArrayViewFromImage(original.segmentation)
    after = sitk.GetArrayViewFromImage(mask)
    changed = before != after
    correction = _correction(before, after) if changed.any() else None
    labels = _common_labels(original, mask, changed)
    registration = _registration(original, labels)
    measures = measured(original.prepared, labels, registration)
    original = without_estimates(original)
    found = list(original.findings)
    if correction is not None:
        found = [f for f in found if not f.code.startswith(RESULT)]
        if measures.volumes_ml["WT"] > 0:
            found += measures_findings(measures, mask)
        found.append(_corrected_finding(correction, Grid.of(mask).voxel_ml))
    return dataclasses.replace(
        original,
        facts=original.facts.overridden_by(facts or ClinicalFacts()),
        segmentation=mask,
        labels=labels,
        registration=registration,
        measures=measures,
        findings=sorted_findings(tuple(found)),
        correction=correction,
        explanation=None,
        not_explained="",
    )


def _registration(original: Assessment, labels: sitk.Image) -> AtlasRegistration | None:
    """The original's where it was tried: registering anew would move figures in the last digit."""
    if original.measures.volumes_ml["WT"] > 0:
        return original.registration
    return template_registration(original.prepared, labels)


def _common_labels(
    original: Assessment, mask: sitk.Image, changed: NDArray[np.bool_]
) -> sitk.Image:
    prepared, reference = original.prepared, original.reference
    if not changed.any():
        return original.labels
    touched = Grid.of(mask).image(changed.astype(np.uint8))
    where = sitk.GetArrayFromImage(labels_to_common(touched, prepared, reference)) > 0
    drawn = sitk.GetArrayFromImage(labels_to_common(mask, prepared, reference))
    network = sitk.GetArrayViewFromImage(original.labels)
    return prepared.grid.image(np.where(where, drawn, network).astype(np.uint8))


def _correction(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Correction:
    labels = [label for label in Label if label != Label.BACKGROUND]
    return Correction(
        added_voxels={k.name: int(np.sum((after == k) & (before != k))) for k in labels},
        removed_voxels={k.name: int(np.sum((before == k) & (after != k))) for k in labels},
        dice={
            region: dice(np.isin(after, values), np.isin(before, values))
            for region, values in REGIONS.items()
        },
    )


def _corrected_finding(correction: Correction, voxel_ml: float) -> Finding:
    changes = (("added", correction.added_voxels), ("removed", correction.removed_voxels))
    parts = [
        f"{_volume(voxels * voxel_ml)} of {name} {done}"
        for done, counts in changes
        for name, voxels in counts.items()
        if voxels
    ]
    message = (
        f"The mask was corrected by hand: {', '.join(parts)}; Dice of the whole tumour with "
        f"the network's mask {correction.dice['WT']:.2f}."
    )
    return Finding(f"{RESULT}corrected", Severity.INFO, message)


def _volume(volume_ml: float) -> str:
    return f"{volume_ml:.1f} mL" if volume_ml >= 0.05 else "less than 0.1 mL"
