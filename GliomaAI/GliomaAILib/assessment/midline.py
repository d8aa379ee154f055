"""The brain's mid-sagittal plane, and on which side of it a tumour lies."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid
from GliomaAILib.assessment.foci import points_ras

BOTH_SIDES_SHARE = 0.1
"""A tumour lies on both sides when the smaller side holds at least this share of its volume."""

CROSSING_MARGIN_MM = 3.0
"""How far beyond the plane tumour must reach to cross: the plane itself is this uncertain."""

CROSSING_MINIMUM_ML = 0.5
"""How much tumour beyond that margin counts as crossing."""

_SURFACE_POINTS = 1500
_SURFACE_SPACING_MM = 3.0


@dataclass(frozen=True)
class Midline:
    """The mid-sagittal plane, RAS mm."""

    point_ras_mm: tuple[float, float, float]
    right: tuple[float, float, float]
    """Unit normal, towards the patient's right."""

    def right_of_mm(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Signed distance of points (n, 3) from the plane in mm, positive on the right."""
        distance: NDArray[np.float64] = (points - self.point_ras_mm) @ np.asarray(self.right)
        return distance


@dataclass(frozen=True)
class Laterality:
    """On which side of the brain a tumour lies."""

    side: str
    """`left`, `right` or `both`."""
    left_share: float
    """Share of the tumour's volume left of the midline, 0 to 1."""
    crosses_midline: bool


def angle_deg(first: Midline, second: Midline) -> float:
    """The angle between two planes, 0 to 90 degrees."""
    cosine = abs(float(np.dot(first.right, second.right)))
    return float(np.degrees(np.arccos(min(cosine, 1.0))))


def laterality(region: NDArray[np.bool_], grid: Grid, midline: Midline) -> Laterality:
    """The side of a non-empty region, shaped (k, j, i)."""
    distance_mm = midline.right_of_mm(points_ras(region, grid))
    left_share = float((distance_mm < 0).mean())
    side = (
        "both"
        if min(left_share, 1 - left_share) >= BOTH_SIDES_SHARE
        else ("left" if left_share > 0.5 else "right")
    )
    beyond = (
        distance_mm > CROSSING_MARGIN_MM
        if left_share > 0.5
        else (distance_mm < -CROSSING_MARGIN_MM)
    )
    crossing_ml = float(np.count_nonzero(beyond) * grid.voxel_ml)
    return Laterality(side, left_share, crossing_ml >= CROSSING_MINIMUM_ML)


def midline_of_mask(brain_mask: sitk.Image) -> Midline | None:
    """The plane in which a brain's outline mirrors best; None for an empty mask.

    Independent of the image's axes; a brain tilted by up to about 30 degrees is followed.
    """
    from scipy import ndimage
    from scipy.optimize import least_squares

    surface, inside = _surface(brain_mask)
    if len(surface) == 0:
        return None
    centre = surface.mean(axis=0)
    distance_mm = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(inside, squaredDistance=False, useImageSpacing=True)
    ).astype(np.float64)  # the derivatives are taken by small steps
    to_index = np.linalg.inv(Grid.of(inside).ijk_to_ras)

    def misfit_mm(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        plane = _plane(parameters, centre)
        mirrored = surface - 2 * plane.right_of_mm(surface)[:, None] * np.asarray(plane.right)
        index = mirrored @ to_index[:3, :3].T + to_index[:3, 3]
        return np.asarray(
            ndimage.map_coordinates(distance_mm, index[:, ::-1].T, order=1, mode="nearest"),
            dtype=np.float64,
        )

    # Degrees and mm are of like size here, so one step suits all three.
    best = least_squares(
        misfit_mm,
        np.zeros(3),
        loss="soft_l1",
        f_scale=2.0,
        diff_step=np.full(3, 1e-2),
        tr_solver="lsmr",
    )
    return _plane(best.x, centre)


def _plane(parameters: NDArray[np.float64], centre: NDArray[np.float64]) -> Midline:
    """The plane turned by yaw and roll (degrees) and moved to the right (mm)."""
    yaw, roll = np.radians(parameters[:2])
    right = np.array([np.cos(yaw) * np.cos(roll), np.sin(yaw) * np.cos(roll), np.sin(roll)])
    point = centre + parameters[2] * right
    return Midline(tuple(point.tolist()), tuple(right.tolist()))


def _surface(brain_mask: sitk.Image) -> tuple[NDArray[np.float64], sitk.Image]:
    """Points of the brain's surface (n, 3), RAS mm, and the mask on a coarse grid with a margin."""
    grid = Grid.of(brain_mask)
    factors = [max(1, round(_SURFACE_SPACING_MM / mm)) for mm in grid.spacing_mm]
    coarse = sitk.BinShrink(sitk.Cast(brain_mask > 0, sitk.sitkFloat32), factors) >= 0.5
    coarse = sitk.ConstantPad(coarse, (8, 8, 8), (8, 8, 8), 0)
    contour = sitk.GetArrayFromImage(sitk.BinaryContour(coarse, fullyConnected=False)) > 0
    points = points_ras(contour, Grid.of(coarse))
    return points[:: max(1, len(points) // _SURFACE_POINTS)], coarse
