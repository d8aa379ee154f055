"""Brain masks beside published outlines: patients that are in a raw and in a stripped collection.

The raw slices have no geometry, so the stripped volume is laid over them by an affine
registration; its outline is then a reference that owes nothing to this project.
"""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from torch import nn

from gliomaai_training.evaluation.brain_mask import dice, slice_stack
from gliomaai_training.preprocessing.brain_mask import cleaned, logit_on, network_logit
from gliomaai_training.preprocessing.geometry import Grid

SAMPLED_SHARE = 0.25
SAMPLING_SEED = 1
AROUND_VOXELS = (2, 2, 0)
"""The registration looks at the network's mask and this much around it."""
SEQUENCE = "flair"


def evaluate_references(network: nn.Module, data: Path) -> dict[str, float]:
    """Dice of the network's FLAIR mask with the published outline, by patient.

    Args:
        network: the network.
        data: folder with `lgg_slices` and `volumes`.
    """
    import pandas as pd

    shared = {}
    volumes = pd.read_csv(data / "volumes" / "volumes.csv")
    for case, patient in zip(volumes["id"], volumes["patient"], strict=True):
        slices = data / "lgg_slices" / f"{patient}.npz"
        if slices.is_file():
            shared[str(patient)] = (slices, data / "volumes" / str(case) / f"{SEQUENCE}.nii.gz")
    return {
        patient: _dice_with_outline(network, slices, stripped)
        for patient, (slices, stripped) in shared.items()
    }


def _dice_with_outline(network: nn.Module, slices: Path, stripped: Path) -> float:
    with np.load(slices) as arrays:
        raw = sitk.Cast(slice_stack(np.asarray(arrays[SEQUENCE])), sitk.sitkFloat32)
    logit = logit_on(network_logit(network, raw), Grid.of(raw))
    mask = cleaned(sitk.GetArrayFromImage(logit) > 0)
    published = sitk.DICOMOrient(sitk.ReadImage(str(stripped), sitk.sitkFloat32), "LPS")
    transform = _affine(raw, published, mask)
    outline = sitk.Resample(
        sitk.Cast(published > 0, sitk.sitkFloat32), raw, transform, sitk.sitkLinear, 0.0
    )
    return dice(mask, sitk.GetArrayFromImage(outline) > 0.5)


def _affine(raw: sitk.Image, published: sitk.Image, mask: NDArray[np.bool_]) -> sitk.Transform:
    brain = sitk.GetArrayFromImage(published) > 0
    centre, size_mm = _centre_and_size_mm(raw, mask)
    other_centre, other_size_mm = _centre_and_size_mm(published, brain)
    initial = sitk.AffineTransform(3)
    initial.SetCenter(centre)
    initial.SetTranslation(other_centre - centre)
    initial.SetMatrix(np.diag(other_size_mm / size_mm).ravel())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(40)
    around = sitk.BinaryDilate(Grid.of(raw).image(mask.astype(np.uint8)), AROUND_VOXELS)
    method.SetMetricFixedMask(around)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(SAMPLED_SHARE, SAMPLING_SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-3, 120)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([1, 0])
    method.SetInitialTransform(initial, inPlace=True)
    method.Execute(raw, published)
    return initial


def _centre_and_size_mm(
    image: sitk.Image, mask: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    voxels = np.argwhere(mask)[:, ::-1]
    centre = image.TransformContinuousIndexToPhysicalPoint(voxels.mean(axis=0).tolist())
    return np.asarray(centre), np.ptp(voxels, axis=0) * np.asarray(image.GetSpacing())
