"""Axes that run to the patient's left, posterior and superior, and whether they truly do."""

from functools import lru_cache
from itertools import permutations, product

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.icbm152 import icbm152
from gliomaai_training.preprocessing.geometry import Grid

SUSPICIOUS_MARGIN = 0.03
"""Another orientation must fit the template's brain by so much more Dice to raise a finding."""
RECOGNISABLE_DICE = 0.85
"""A mask that fits no orientation this well (a field of view cut short) tells nothing."""

_SIDE = 40
_STEP_MM = 5.0
_TEMPLATE_ML = 1800.0
"""All masks are scaled to one volume before they are compared."""


def to_lps(image: sitk.Image) -> sitk.Image:
    """Reorders and flips the axes so that i, j, k point as nearly as they can to L, P, S.

    No voxel changes its value or its place in space; oblique axes stay oblique.
    """
    stated = sitk.DICOMOrientImageFilter.GetOrientationFromDirectionCosines(image.GetDirection())
    if stated == "LPS":  # spares a copy of what may be a large image
        return image
    oriented: sitk.Image = sitk.DICOMOrient(image, "LPS")
    return oriented


def orientation_findings(brain: sitk.Image) -> tuple[Finding, ...]:
    """A warning if the brain's shape contradicts the axes that the file states.

    The mask, centred and scaled to one volume, is compared with the ICBM152 brain in each of the
    24 orientations that a mix-up of axes can give. Left and right cannot be told apart: the
    brain's shape is the same on both sides.

    Args:
        brain: 1 inside the brain; its axes near L, P, S.
    """
    fits = orientation_fits(brain)
    stated = fits["as stated"]
    best = max(fits, key=lambda name: fits[name])
    if fits[best] < RECOGNISABLE_DICE or fits[best] - stated < SUSPICIOUS_MARGIN:
        return ()
    return (
        Finding(
            "preparation.orientation",
            Severity.WARNING,
            f"The brain's shape contradicts the stated orientation: it fits better {best}.",
            "Check the file's orientation; if it is wrong, so are all places and sides.",
        ),
    )


def orientation_fits(brain: sitk.Image) -> dict[str, float]:
    """Dice with the template's brain by orientation; `as stated` is the file's own."""
    cube = _normalised_cube(brain)
    template = _template_cube()
    fits: dict[str, float] = {}
    for order in permutations(range(3)):
        turned = cube.transpose(order)
        # Flips of the left-right axis change nothing against a symmetric template.
        for upside_down, backwards in product((False, True), repeat=2):
            flips = tuple(axis for axis, flip in ((0, upside_down), (1, backwards)) if flip)
            name = _orientation_name(order, upside_down, backwards)
            fits[name] = _dice(np.flip(turned, flips), template)
    return fits


def _orientation_name(order: tuple[int, ...], upside_down: bool, backwards: bool) -> str:
    words = []
    if order != (0, 1, 2):
        words.append("with other axes")
    if upside_down:
        words.append("upside down")
    if backwards:
        words.append("back to front")
    suffix = f" ({''.join('kji'[axis] for axis in order)})" if order != (0, 1, 2) else ""
    return (" and ".join(words) + suffix) if words else "as stated"


@lru_cache(maxsize=1)
def _template_cube() -> NDArray[np.bool_]:
    return _normalised_cube(icbm152("t1") > 0)


def _normalised_cube(brain: sitk.Image) -> NDArray[np.bool_]:
    """The mask around its centre at a volume of its own, as a small (k, j, i) cube."""
    inside = sitk.GetArrayViewFromImage(brain) > 0
    count = int(inside.sum())
    if count == 0:
        raise ValueError("the brain mask is empty")
    volume_ml = count * Grid.of(brain).voxel_ml
    step_mm = _STEP_MM * (volume_ml / _TEMPLATE_ML) ** (1 / 3)
    offsets = (np.arange(_SIDE) - (_SIDE - 1) / 2) * step_mm
    centre = [
        float(np.average(np.arange(inside.shape[axis]), weights=inside.sum(axis=others)))
        for axis, others in ((0, (1, 2)), (1, (0, 2)), (2, (0, 1)))
    ]
    index = [
        np.round(centre[axis] + offsets / spacing).astype(int)
        for axis, spacing in enumerate(reversed(brain.GetSpacing()))
    ]
    array = np.pad(inside, 1)
    index = [
        np.clip(places + 1, 0, length - 1)
        for places, length in zip(index, array.shape, strict=True)
    ]
    cube: NDArray[np.bool_] = array[np.ix_(*index)]
    return cube


def _dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    total = int(one.sum() + other.sum())
    return 2 * int((one & other).sum()) / total if total else 0.0
