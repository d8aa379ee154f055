"""The ICBM152 2009a tissue maps that come with nilearn (Fonov 2011), as one array of channels."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from gliomaai_training.icbm152 import icbm152
from gliomaai_training.simulation.fields import smooth
from gliomaai_training.simulation.landmarks import sinus_map, vessel_map

CHANNELS = ("white", "grey", "fluid", "depth_mm", "t1", "ventricles", "vessels", "sinus")
"""White and grey matter and fluid as fractions; signed depth below the brain's surface, clipped;
the T1 template, which carries the subcortical texture; the ventricles, smooth at their border;
named vessels with choroid plexus; sagittal sinus and falx. All but the depth go from 0 to 1."""

_VALLEY_SIGMA_MM = 2.6
_VALLEY_GAIN = 9.0
_DEPTH_LIMIT_MM = 12.0


@dataclass(frozen=True)
class Atlas:
    """Tissue maps on 1 mm voxels, (z, y, x) with x to the left, y to the back, z up (LPS)."""

    maps: Tensor
    """(8, z, y, x), the channels of `CHANNELS`."""
    origin_mm: tuple[float, float, float]
    """LPS mm of voxel (0, 0, 0), as (z, y, x)."""


@lru_cache(maxsize=1)
def load_atlas() -> Atlas:
    """Reads the maps and derives fluid, sulci and ventricles; about a second, once a process."""
    z, y, x = (float(v) for v in reversed(icbm152("t1").GetOrigin()))
    t1, grey, white = (
        torch.from_numpy(sitk.GetArrayFromImage(icbm152(name))) for name in ("t1", "gm", "wm")
    )
    brain = torch.from_numpy(ndimage.binary_fill_holes((t1 > 0).numpy()))
    fluid = (1 - grey - white).clamp(0, 1) * brain
    # The averaged template keeps each deep sulcus as a dark valley of T1 within grey matter,
    # where the tissue maps show little fluid: the valley is what makes a crisp cortex.
    valley = (smooth(t1, _VALLEY_SIGMA_MM) - t1 - 0.015).clamp_min(0) * _VALLEY_GAIN
    fluid = torch.maximum(fluid, (valley * (grey > 0.25)).clamp(0, 0.9) * brain)
    ventricles = _ventricles(fluid)
    depth = _depth(brain.numpy())
    shape = (fluid.shape[0], fluid.shape[1], fluid.shape[2])
    vessels = vessel_map(shape, ventricles)
    sinus = sinus_map(depth.numpy(), fluid)
    near = depth.clamp(-_DEPTH_LIMIT_MM, _DEPTH_LIMIT_MM)
    channels = [white * brain, grey * brain, fluid, near, t1, ventricles, vessels, sinus]
    return Atlas(maps=torch.stack(channels), origin_mm=(z, y, x))


def _depth(brain: NDArray[np.bool_]) -> Tensor:
    """Signed distance in mm to the surface of the brain, positive inside."""
    image = sitk.GetImageFromArray(brain.astype(np.uint8))
    distance = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=True, squaredDistance=False, useImageSpacing=True
    )
    return torch.from_numpy(sitk.GetArrayFromImage(distance).astype(np.float32))


def _ventricles(fluid: Tensor) -> Tensor:
    """The connected fluid around the centre of the brain, away from the cisterns."""
    shape = fluid.shape
    central = np.zeros(shape, bool)
    central[62:112, 75:160, 60:137] = True
    labels, count = ndimage.label((fluid.numpy() > 0.6) & central)
    if count == 0:
        return torch.zeros(shape)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    inside = torch.from_numpy((labels == sizes.argmax()).astype(np.float32))
    return smooth(inside, 1.0)
