"""What the segmentation network says of a prepared study."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.inference.task_features import TaskFeatures


@dataclass(frozen=True)
class Prediction:
    """Label probabilities on the common grid, with their uncertainty."""

    probabilities: NDArray[np.float32]
    """Shape (4, k, j, i), calibrated, by `vocabulary.Label`; they sum to 1 in every voxel."""
    labels: sitk.Image
    """UInt8 `vocabulary.Label` values on the common grid, after post-processing."""
    entropy: sitk.Image
    """Float32 per-voxel entropy of the probabilities in bits (0 certain, 2 uniform), same grid."""
    usual_entropy_bits: float | None
    """Mean entropy inside the tumour that nine in ten of the patients on whom the network was
    judged did not exceed; None where nobody measured it."""
    engine: str
    """Which engine and precision computed it, for example `torch fp32 cpu`."""
    pack_name: str
    pack_sha256: str
    """Hash of the model pack's manifest."""
    features: TaskFeatures | None = None
    """What the heads of a multi-task pack read; None of a segmentation pack, and where the network
    ran in tiles."""
    no_features: str = ""
    """Why a multi-task pack gave none, in a sentence."""
