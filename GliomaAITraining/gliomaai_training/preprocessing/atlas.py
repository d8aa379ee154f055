"""Where a patient's brain lies in ICBM152 2009a space: a quick affine registration with a check."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.icbm152 import icbm152
from gliomaai_training.preprocessing.geometry import Grid

MINIMUM_OVERLAP = 0.88
"""Below this Dice of the two brains a registration has failed."""

SCALE_LIMITS = (0.75, 1.35)
"""How much a patient's brain may be stretched along any direction to become the template."""

_SPACING_MM = 4.0
_MARGIN = 3
_BINS = 32
_SURFACE_POINTS = 1000
_PITCHES = (-0.3, 0.0, 0.3)
_STEPS = (0.1, 0.1, 0.1, 5.0, 5.0, 5.0, 0.05, 0.05, 0.05)


@dataclass(frozen=True)
class AtlasRegistration:
    """An affine map between a patient and the ICBM152 2009a template."""

    to_atlas: sitk.AffineTransform
    """Maps a point of the patient (LPS mm) to ICBM152 (LPS mm)."""
    brain_overlap: float
    """Dice of the template's brain and the patient's."""
    scales: tuple[float, float, float]
    """Stretch from patient to template along the map's own three directions, smallest first."""

    @property
    def trusted(self) -> bool:
        """Whether overlap and stretch are those of a brain on a brain."""
        return (
            self.brain_overlap >= MINIMUM_OVERLAP
            and self.scales[0] >= SCALE_LIMITS[0]
            and self.scales[2] <= SCALE_LIMITS[1]
        )

    def to_atlas_ras(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """ICBM152 coordinates of a patient's points; both (n, 3), RAS mm."""
        flip = np.array([-1.0, -1.0, 1.0])
        matrix = np.reshape(self.to_atlas.GetMatrix(), (3, 3))
        centre = np.asarray(self.to_atlas.GetCenter())
        shift = np.asarray(self.to_atlas.GetTranslation())
        mapped = ((points * flip) - centre) @ matrix.T + centre + shift
        return np.asarray(mapped * flip, dtype=np.float64)


def register_to_icbm152(image: sitk.Image, brain_mask: sitk.Image) -> AtlasRegistration:
    """Registers a brain affinely to the template: outlines first, then intensities.

    Mutual information (Mattes 2003) at 4 mm needs no particular contrast, though T1 does best.
    The patient may lie up to about 30 degrees off the template's axes.

    Args:
        image: any sequence, not necessarily skull-stripped.
        brain_mask: 1 inside the brain, on the same grid.

    Raises:
        ValueError: the mask is empty.
    """
    template = icbm152("t1")
    brain = sitk.Cast(brain_mask > 0, sitk.sitkFloat32)
    patient = _coarse(brain)
    template_brain = _coarse(sitk.Cast(template > 0, sitk.sitkFloat32))
    outline = _outline_fit(patient, template_brain)
    inside = _coarse(sitk.Cast(image, sitk.sitkFloat32) * brain)
    return _checked(_intensity_fit(inside, patient, template, outline), patient, template_brain)


def _coarse(image: sitk.Image) -> sitk.Image:
    """The image averaged to about 4 mm voxels, with a margin of zeros."""
    factors = [max(1, round(_SPACING_MM / mm)) for mm in image.GetSpacing()]
    shrunk = sitk.BinShrink(image, factors)
    padded: sitk.Image = sitk.ConstantPad(shrunk, [_MARGIN] * 3, [_MARGIN] * 3, 0.0)
    return padded


def _outline_fit(patient: sitk.Image, template: sitk.Image) -> sitk.AffineTransform:
    """Rotation, shift and three scales that lay the patient's outline on the template's.

    A brain's outline says little about pitch, so several pitches are tried.
    """
    from scipy import ndimage
    from scipy.optimize import least_squares

    surface = _surface_lps(patient)
    centre, target = surface.mean(axis=0), _surface_lps(template).mean(axis=0)
    distance_mm = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(template > 0.5, squaredDistance=False, useImageSpacing=True)
    ).astype(np.float64)  # the derivatives are taken by small steps
    to_index = np.linalg.inv(Grid.of(template).ijk_to_lps)

    def misfit_mm(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        matrix, shift = _rotated_and_scaled(parameters)
        moved = (surface - centre) @ matrix.T + target + shift
        index = moved @ to_index[:3, :3].T + to_index[:3, 3]
        return np.asarray(
            ndimage.map_coordinates(distance_mm, index[:, ::-1].T, order=1, mode="nearest")
        )

    fits = [
        least_squares(
            misfit_mm,
            start,
            loss="soft_l1",
            f_scale=3.0,
            x_scale=_STEPS,
            tr_solver="lsmr",  # the exact solver's SVD costs more than all the rest
            max_nfev=30,
        )
        for start in (np.array([pitch, 0, 0, 0, 0, 0, 0, 0, 0]) for pitch in _PITCHES)
    ]
    matrix, shift = _rotated_and_scaled(min(fits, key=lambda fit: float(fit.cost)).x)
    return sitk.AffineTransform(
        matrix.ravel().tolist(), (target - centre + shift).tolist(), centre.tolist()
    )


def _rotated_and_scaled(
    parameters: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrix and shift from a rotation vector, a shift in mm and three log scales."""
    from scipy.spatial.transform import Rotation

    rotation = Rotation.from_rotvec(parameters[:3]).as_matrix()
    return np.diag(np.exp(parameters[6:])) @ rotation, parameters[3:6]


def _surface_lps(brain: sitk.Image) -> NDArray[np.float64]:
    """About a thousand points (n, 3) of a brain's surface, LPS mm.

    Raises:
        ValueError: the brain is empty.
    """
    contour = sitk.BinaryContour(brain > 0.5, fullyConnected=False)
    index = np.argwhere(sitk.GetArrayViewFromImage(contour))[:, ::-1]
    if len(index) == 0:
        raise ValueError("the brain mask is empty: there is nothing to register")
    matrix = Grid.of(brain).ijk_to_lps
    points: NDArray[np.float64] = index @ matrix[:3, :3].T + matrix[:3, 3]
    return points[:: max(1, len(points) // _SURFACE_POINTS)]


def _intensity_fit(
    image: sitk.Image, brain: sitk.Image, template: sitk.Image, start: sitk.AffineTransform
) -> sitk.AffineTransform:
    transform = sitk.AffineTransform(start)
    method = sitk.ImageRegistrationMethod()
    method.SetInitialTransform(transform, inPlace=True)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetMetricAsMattesMutualInformation(_BINS)
    # The rim outside the brain counts too: it holds the outlines together.
    method.SetMetricFixedMask(sitk.BinaryDilate(brain > 0.5, [2, 2, 2]))
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=1.0, minStep=0.02, numberOfIterations=50, relaxationFactor=0.6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.Execute(image, _coarse(template))
    return transform


def _checked(
    transform: sitk.AffineTransform, patient: sitk.Image, template: sitk.Image
) -> AtlasRegistration:
    moved = sitk.Resample(template, patient, transform, sitk.sitkLinear, 0.0)
    inside = sitk.GetArrayViewFromImage(moved) > 0.5
    expected = sitk.GetArrayViewFromImage(patient) > 0.5
    overlap = 2.0 * (inside & expected).sum() / max(1, inside.sum() + expected.sum())
    scales = np.linalg.svd(np.reshape(transform.GetMatrix(), (3, 3)), compute_uv=False)
    low, middle, high = sorted(float(s) for s in scales)
    return AtlasRegistration(transform, float(overlap), (low, middle, high))
