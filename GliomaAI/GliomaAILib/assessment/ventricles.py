"""The patient's lateral and third ventricles, by the template's and the patient's own fluid."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.icbm152 import icbm152
from gliomaai_training.preprocessing.atlas import AtlasRegistration
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.prepared import Prepared

FLUID_IS_DARK: Mapping[str, bool] = {"t1": True, "t1gd": True, "t2": False, "flair": True}
"""How fluid looks beside the brain."""

PLAUSIBLE_ML = (2.0, 150.0)
"""Ventricles outside this are taken for a mistake."""

MINIMUM_CONTRAST = 0.35
"""Fluid must differ from the brain's median by this part of it, or the sequence says nothing."""

_SHIFT_MM = 8
"""How far a tumour may have pushed a ventricle's wall."""

_EXPECTED_SHARE = 0.2
"""How much of a connected part must lie where the template has ventricles."""

_CENTRAL_RAS_MM = ((-40.0, 40.0), (-58.0, 42.0), (-14.0, 34.0))


def find_ventricles(
    prepared: Prepared, labels: sitk.Image, registration: AtlasRegistration
) -> sitk.Image | None:
    """The ventricles as a mask (1 inside) on a part of the common grid; None when unsure.

    Approximate: what looks like fluid in the mean of the present sequences, within 8 mm of where
    the template has ventricles, connected, without tumour.

    Args:
        prepared: the study.
        labels: tumour labels on the common grid.
        registration: of this study to the template.
    """
    prior = _warped_template(prepared.grid, registration)
    near = sitk.BinaryDilate(prior, [_SHIFT_MM] * 3, sitk.sitkBall)
    tumour = _crop(labels, near) > 0
    brain = (_crop(prepared.brain_mask, near) > 0) & ~tumour
    inside = brain & (sitk.GetArrayViewFromImage(near) > 0)
    likeness = [
        _fluid_likeness(_crop(image, near), inside, FLUID_IS_DARK[name])
        for name, image in prepared.sequences.items()
    ]
    known = [one for one in likeness if one is not None]
    if not known:
        return None
    fluid = inside & (np.mean(known, axis=0) > 0.5)
    found = _connected_to(fluid, sitk.GetArrayViewFromImage(prior) > 0)
    grid = Grid.of(prior)
    volume_ml = np.count_nonzero(found) * grid.voxel_ml
    if not PLAUSIBLE_ML[0] <= volume_ml <= PLAUSIBLE_ML[1]:
        return None
    return grid.image(found.astype(np.uint8))


def _fluid_likeness(
    intensity: NDArray[np.float32], inside: NDArray[np.bool_], dark: bool
) -> NDArray[np.float64] | None:
    """0 for the brain's median, 1 for the most fluid-like; None without a contrast between them."""
    if not inside.any():
        return None
    brain, extreme = np.percentile(intensity[inside], [50, 1 if dark else 99])
    if abs(extreme - brain) < MINIMUM_CONTRAST * abs(brain) or extreme == brain:
        return None
    likeness: NDArray[np.float64] = np.clip((intensity - brain) / (extreme - brain), 0.0, 1.0)
    return likeness


@lru_cache(maxsize=1)
def _template_ventricles() -> sitk.Image:
    """The largest connected fluid around the template's centre, as a mask with a box of its own."""
    fluid = icbm152("t1") * 0 + 1 - icbm152("gm") - icbm152("wm")
    fluid = sitk.Cast((fluid > 0.5) & (icbm152("t1") > 0), sitk.sitkUInt8)
    (right, left), (back, front), (low, high) = _CENTRAL_RAS_MM
    start = fluid.TransformPhysicalPointToIndex((right, -front, low))
    stop = fluid.TransformPhysicalPointToIndex((left, -back, high))
    box = fluid[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]]
    parts = sitk.RelabelComponent(sitk.ConnectedComponent(box))
    largest: sitk.Image = sitk.Cast(parts == 1, sitk.sitkUInt8)
    return largest


def _warped_template(grid: Grid, registration: AtlasRegistration) -> sitk.Image:
    """The template's ventricles on that part of the grid where they and their margin lie."""
    template = _template_ventricles()
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in template.GetSize()])).reshape(3, -1).T
    to_patient = registration.to_atlas.GetInverse()
    points = [
        to_patient.TransformPoint(template.TransformIndexToPhysicalPoint([int(v) for v in corner]))
        for corner in corners
    ]
    index = np.linalg.solve(grid.ijk_to_lps, np.column_stack([points, np.ones(8)]).T)[:3]
    margin = np.ceil(_SHIFT_MM / np.asarray(grid.spacing_mm)) + 1
    size = np.asarray(grid.size)
    start = np.clip(np.floor(index.min(axis=1) - margin), 0, size - 1).astype(int)
    stop = np.clip(np.ceil(index.max(axis=1) + margin) + 1, start + 1, size).astype(int)
    origin = (grid.ijk_to_lps @ np.append(start, 1.0))[:3]
    resampler = sitk.ResampleImageFilter()
    resampler.SetSize((stop - start).tolist())
    resampler.SetOutputOrigin(origin.tolist())
    resampler.SetOutputSpacing(grid.spacing_mm)
    resampler.SetOutputDirection(grid.direction)
    resampler.SetInterpolator(sitk.sitkNearestNeighbor)
    resampler.SetTransform(registration.to_atlas)
    warped: sitk.Image = resampler.Execute(template)
    return warped


def _crop(image: sitk.Image, like: sitk.Image) -> NDArray[Any]:
    """The part of an image that `like`, a box of the same grid, covers."""
    start = image.TransformPhysicalPointToIndex(like.GetOrigin())
    stop = [first + count for first, count in zip(start, like.GetSize(), strict=True)]
    part: NDArray[Any] = sitk.GetArrayViewFromImage(image)[
        start[2] : stop[2], start[1] : stop[1], start[0] : stop[0]
    ]
    return part


def _connected_to(fluid: NDArray[np.bool_], expected: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Connected parts of fluid that lie where ventricles are expected."""
    from scipy import ndimage

    parts, count = ndimage.label(fluid)
    total = np.bincount(parts.ravel(), minlength=count + 1)
    hits = np.bincount(parts[expected], minlength=count + 1)
    good = hits >= _EXPECTED_SHARE * total
    good[0] = False
    kept: NDArray[np.bool_] = good[parts]
    return kept
