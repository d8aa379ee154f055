"""The brain's shape and tissues in ICBM152 space, as fields that a head is painted from."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import SimpleITK as sitk
import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from gliomaai_training.icbm152 import icbm152

ORIGIN_MM = (-120, -160, -130)
"""ICBM152 RAS coordinates of the fields' first 1 mm voxel."""
SIZE_MM = (240, 280, 260)
FIELD_SPACING_MM = 2
TISSUE_THRESHOLD = 0.45
"""Grey + white matter above this is brain."""
SULCUS_MM = 6.0
"""Gaps narrower than twice this belong to the brain: sulci are inside a brain mask."""
HULL_MM = 16.0
"""The same for the hull that the inner skull follows."""


@dataclass(frozen=True)
class AtlasFields:
    """Fields over ICBM152 space at 2 mm."""

    values: Tensor
    """Shaped (4, X, Y, Z), RAS: signed distances (mm, negative inside) to the brain and to its
    hull, white matter and grey matter fraction."""

    def sample(self, coordinates_mm: Tensor) -> Tensor:
        """The four fields at ICBM152 RAS coordinates shaped (3, X, Y, Z); borders extend."""
        unit = [
            ((coordinate - origin) / size) * 2 - 1
            for coordinate, origin, size in zip(coordinates_mm, ORIGIN_MM, SIZE_MM, strict=True)
        ]
        points = torch.stack(unit[::-1], dim=-1)[None]
        return F.grid_sample(
            self.values[None], points, mode="bilinear", padding_mode="border", align_corners=False
        )[0]


@lru_cache(maxsize=1)
def icbm152_fields() -> AtlasFields:
    """The fields from the ICBM152 2009a tissue maps that nilearn ships; made once a process.

    Source: Fonov et al., NeuroImage 2011, doi:10.1016/j.neuroimage.2010.07.033.
    """
    grey, white = _placed(icbm152("gm")), _placed(icbm152("wm"))
    components, _ = ndimage.label(ndimage.binary_opening(grey + white > TISSUE_THRESHOLD))
    largest = components == np.bincount(components.ravel())[1:].argmax() + 1
    brain = ndimage.binary_fill_holes(_closed(largest, SULCUS_MM))
    hull = _closed(brain, HULL_MM)
    fields = np.stack([signed_distance(brain), signed_distance(hull), white, grey])
    step = FIELD_SPACING_MM
    x, y, z = (size // step for size in SIZE_MM)
    coarse = fields.reshape(4, x, step, y, step, z, step).mean((2, 4, 6))
    return AtlasFields(torch.from_numpy(coarse.astype(np.float32)))


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance in voxels to the mask's surface, negative inside."""
    return _distance_to(mask) - _distance_to(~mask)


def _distance_to(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Distance in voxels to the nearest voxel of the mask, 0 inside (Maurer et al., 2003)."""
    signed = sitk.SignedMaurerDistanceMap(
        sitk.GetImageFromArray(mask.astype(np.uint8)), squaredDistance=False
    )
    return np.asarray(np.maximum(sitk.GetArrayViewFromImage(signed), 0), dtype=np.float32)


def _placed(image: sitk.Image) -> NDArray[np.float64]:
    """A 1 mm map in the fields' box, shaped (X, Y, Z), RAS."""
    oriented = sitk.DICOMOrient(image, "RAS")
    values = sitk.GetArrayFromImage(oriented).astype(np.float64).transpose(2, 1, 0)
    first_mm = np.asarray(oriented.GetOrigin()) * (-1, -1, 1)
    offset = np.round(first_mm - np.asarray(ORIGIN_MM)).astype(int)
    pads = [
        (int(before), size - int(before) - count)
        for before, size, count in zip(offset, SIZE_MM, values.shape, strict=True)
    ]
    return np.pad(values, pads)


def _closed(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    """Morphological closing with a ball, computed in the mask's own box."""
    margin = int(radius) + 2
    box = tuple(
        slice(max(0, s.start - margin), s.stop + margin)
        for s in ndimage.find_objects(mask.astype(np.uint8))[0]
    )
    closed = mask.copy()
    grown = _distance_to(mask[box]) <= radius
    closed[box] = _distance_to(~grown) > radius
    return closed
