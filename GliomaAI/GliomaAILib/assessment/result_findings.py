"""What a result itself gives reason to doubt."""

import SimpleITK as sitk
from gliomaai_training.findings import Finding, Severity
from gliomaai_training.inference.prediction import Prediction
from gliomaai_training.preprocessing.prepared import Prepared

from GliomaAILib.assessment.measures import Measures


def result_findings(
    prepared: Prepared, prediction: Prediction, measures: Measures, segmentation: sitk.Image
) -> tuple[Finding, ...]:
    """Findings about the segmentation and its measures."""
    if measures.volumes_ml["WT"] == 0:
        return (
            Finding(
                "assessment.no_tumour",
                Severity.INFO,
                "No tumour was found.",
                "Small or faint lesions can be missed: look at the images.",
            ),
        )
    return ()
