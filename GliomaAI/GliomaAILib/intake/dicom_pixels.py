"""The voxels of a stack, at the geometry its headers give."""

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from GliomaAILib.intake.dicom_slices import Slice
from GliomaAILib.intake.dicom_stacks import Stack
from GliomaAILib.intake.volume import VolumeRefusedError

NO_RESCALE = (1.0, 0.0)


def read_stack(stack: Stack) -> sitk.Image:
    """Reads and decodes a stack's slices; rescale slope and intercept are applied.

    GDCM decodes the voxels (JPEG, JPEG-LS, JPEG 2000, RLE and deflated included); the geometry is
    set from the headers, so that no rule of the reader on slice order can change it. The image
    carries no meta-data.

    Raises:
        VolumeRefusedError: the voxels cannot be decoded, or do not fit the headers.
    """
    try:
        if stack.slices[0].frame is None:
            array = _classic_voxels(stack.slices)
        else:
            array = _enhanced_voxels(stack.slices)
    except RuntimeError as error:
        # SimpleITK's own words hold paths, and paths may hold names.
        raise VolumeRefusedError("undecodable", "its voxels cannot be decoded") from error
    expected = (len(stack.slices), stack.slices[0].rows, stack.slices[0].columns)
    if array.shape != expected:
        raise VolumeRefusedError(
            "size_mismatch", f"its voxels are shaped {array.shape}, its headers say {expected}"
        )
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(stack.spacing_mm)
    image.SetOrigin(stack.origin_mm)
    image.SetDirection(stack.direction)
    return image


def _classic_voxels(slices: Sequence[Slice]) -> NDArray[np.generic]:
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames([str(item.path) for item in slices])
    if any(item.rescale != NO_RESCALE for item in slices):
        # The reader takes the voxel type of the first slice: other slopes would be rounded.
        reader.SetOutputPixelType(sitk.sitkFloat32)
    return sitk.GetArrayFromImage(reader.Execute())


def _enhanced_voxels(slices: Sequence[Slice]) -> NDArray[np.generic]:
    frames: NDArray[np.generic] = sitk.GetArrayFromImage(sitk.ReadImage(str(slices[0].path)))
    array = frames[[item.frame for item in slices if item.frame is not None]]
    if all(item.rescale == item.rescale_of_file for item in slices):
        return array
    slope, intercept = slices[0].rescale_of_file
    own = np.array([item.rescale for item in slices])[:, :, None, None]
    stored = (array.astype(np.float64) - intercept) / slope
    rescaled: NDArray[np.float32] = (stored * own[:, 0] + own[:, 1]).astype(np.float32)
    return rescaled
