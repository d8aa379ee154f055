"""What a result itself gives reason to doubt."""

from collections.abc import Iterator

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.inference.prediction import Prediction
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.prepared import Prepared
from GliomaAILib.assessment.measures import Measures

TINY_ML = 1.0
"""A smaller tumour is more often a mistake than a glioma."""

SCATTERED_MAIN_SHARE = 0.6
"""A tumour is scattered when its largest focus holds less of it than this."""

IMPLAUSIBLE_WT_ML = 350.0
IMPLAUSIBLE_BRAIN_SHARE = 0.3
"""Of the brain's volume: a larger whole tumour is taken for a mistake."""

NATIVE_VOLUME_DEVIATION = 0.05
"""How much the native mask's volume may differ from the measured one before it is said."""


def result_findings(
    prepared: Prepared, prediction: Prediction | None, measures: Measures, segmentation: sitk.Image
) -> tuple[Finding, ...]:
    """Findings about the network's segmentation and its measures.

    Args:
        prepared: the study.
        prediction: on the common grid; None where nothing but its labels is known any more.
        measures: of the prediction's labels.
        segmentation: the same labels on the reference sequence's native grid.
    """
    if measures.volumes_ml["WT"] == 0:
        return (
            Finding(
                "assessment.no_tumour",
                Severity.INFO,
                "No tumour was found.",
                "Look at the images: small or faint lesions can be missed.",
            ),
        )
    return (
        *measures_findings(measures, segmentation),
        *(() if prediction is None else _of_certainty(prediction)),
        *_of_enhancement(prepared),
    )


def measures_findings(measures: Measures, segmentation: sitk.Image) -> tuple[Finding, ...]:
    """Findings about a tumour's measures, whoever drew it.

    Args:
        measures: of a mask that is not empty.
        segmentation: the mask on the reference sequence's native grid.
    """
    return (*_of_extent(measures, segmentation), *_of_measures(measures, segmentation))


def _of_extent(measures: Measures, segmentation: sitk.Image) -> Iterator[Finding]:
    whole_ml = measures.volumes_ml["WT"]
    if _touches_border(sitk.GetArrayViewFromImage(segmentation) > 0):
        yield Finding(
            "assessment.field_of_view",
            Severity.WARNING,
            "The tumour touches the border of the images: part of it may lie outside.",
            "Take volumes and diameters as lower bounds.",
        )
    if whole_ml < TINY_ML:
        yield Finding(
            "assessment.tiny",
            Severity.WARNING,
            f"The tumour found is tiny ({whole_ml:.2f} mL): it may be no tumour.",
            "Look at the place on all sequences.",
        )
    elif measures.foci["WT"][0].volume_ml < SCATTERED_MAIN_SHARE * whole_ml:
        yield Finding(
            "assessment.scattered",
            Severity.WARNING,
            "The segmentation is scattered: its largest part holds "
            f"{measures.foci['WT'][0].volume_ml / whole_ml:.0%} of it.",
            "Check each part: this is multicentric growth, another disease, or a mistake.",
        )
    brain_ml = measures.brain_ml or 0.0
    if whole_ml > IMPLAUSIBLE_WT_ML or whole_ml > IMPLAUSIBLE_BRAIN_SHARE * brain_ml > 0:
        yield Finding(
            "assessment.implausible_size",
            Severity.WARNING,
            f"The tumour is implausibly large ({whole_ml:.0f} mL).",
            "Check the sequences and the segmentation before using any measure.",
        )


def _of_certainty(prediction: Prediction) -> Iterator[Finding]:
    tumour = sitk.GetArrayViewFromImage(prediction.labels) > 0
    mean_bits = float(np.mean(sitk.GetArrayViewFromImage(prediction.entropy)[tumour]))
    usual_bits = prediction.usual_entropy_bits
    if usual_bits is not None and mean_bits > usual_bits:
        yield Finding(
            "assessment.uncertain",
            Severity.WARNING,
            f"The network is less sure of this tumour (mean entropy {mean_bits:.2f} bits) than of "
            f"nine in ten of those on which it was judged (up to {usual_bits:.2f} bits).",
            "Check borders and labels against the images.",
        )


def _of_enhancement(prepared: Prepared) -> Iterator[Finding]:
    if "t1gd" not in prepared.sequences:
        yield Finding(
            "assessment.enhancement_unseen",
            Severity.WARNING,
            "Without T1Gd, enhancing tumour (ET) and core (TC) are guesses from other sequences.",
            "Rely on the whole tumour (WT) only, or add a contrast-enhanced T1.",
        )


def _of_measures(measures: Measures, segmentation: sitk.Image) -> Iterator[Finding]:
    if measures.location is None:
        yield Finding(
            "assessment.no_location",
            Severity.INFO,
            "The brain could not be laid on the ICBM152 template: lobe, template coordinates and "
            "distance to the ventricles are not given.",
            "The side is taken from the brain's outline.",
        )
    measured_ml = measures.volumes_ml["WT"]
    native_ml = float(
        np.count_nonzero(sitk.GetArrayViewFromImage(segmentation)) * Grid.of(segmentation).voxel_ml
    )
    if abs(native_ml - measured_ml) > NATIVE_VOLUME_DEVIATION * measured_ml:
        yield Finding(
            "assessment.native_volume",
            Severity.INFO,
            f"On the reference's own voxels the whole tumour has {native_ml:.1f} mL, on the 1 mm "
            f"grid of the measures {measured_ml:.1f} mL.",
            "Thick slices make both uncertain by about that much.",
        )


def _touches_border(tumour: NDArray[np.bool_]) -> bool:
    return any(tumour.take(end, axis).any() for axis in range(3) for end in (0, -1))
