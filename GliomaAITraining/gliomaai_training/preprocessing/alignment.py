"""Whether a sequence lies on the reference, and if not, how to carry it there; with a check."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.registration import (
    HEAD_RADIUS_MM,
    Level,
    Registration,
    RegistrationConfig,
    Side,
    compare_at,
    register,
)
from gliomaai_training.preprocessing.similarity import Pose

ALIGNED_WITHIN_MM = 0.8
"""Content that is off by less than this is taken as aligned. Measured on co-registered BraTS
cases: at most 0.4 mm; moved by 2 mm: at least 1.5 mm."""

LEAST_FIELD_OVERLAP = 0.4
"""Share of the reference's brain that a sequence must see to be of use."""
LEAST_CONTRAST = 1.5
"""Similarity at the found pose over that at wrong ones. Measured with thick slices and 20 degrees
of motion: right 1.66 to 6.8; wrong poses and noise at most 1.1, upside down 1.1. Another patient's
brain fits in part: 1.0 to 1.57."""
CLEAR_CONTRAST = 2.0
LARGEST_DISAGREEMENT_MM = 8.0
"""Two starts that end so far apart speak against a pose unless its contrast is clear. Measured:
right at most 1.6 mm; wrong mostly over 10."""
LEAST_MASK_OVERLAP = 0.85
"""Dice of the brain outlines. Measured: right at least 0.94, wrong poses at most 0.75."""
LARGEST_ROTATION_DEG = 45.0
"""Nobody turns the head further in a head coil."""

_CHECK_LEVEL = Level(3.0, 4.0, 8_000, 0, 0.0, 0)
_PROBE_MM = 2.0


@dataclass(frozen=True)
class Alignment:
    """How one sequence comes to lie on the reference."""

    transform: sitk.Transform
    """Maps a point (LPS mm) of the reference to the same anatomy in the sequence."""
    step: str
    """What was done, in words."""
    finding: Finding | None
    """Why the result cannot be used, or None."""


def align(
    name: str, fixed: Side, moving: Side, config: RegistrationConfig | None = None
) -> Alignment:
    """Keeps a sequence in place if it lies on the reference already, else registers it.

    Only images on one grid can be in place already; that their content agrees is verified too,
    for scanners write several series of a moving patient on one grid.

    Args:
        name: the moving sequence.
        fixed: the reference.
        moving: the sequence.
        config: settings of the registration.
    """
    if Grid.of(fixed.image).matches(Grid.of(moving.image)):
        offset_mm = misalignment_mm(fixed, moving)
        if offset_mm < ALIGNED_WITHIN_MM:
            step = f"already on the reference (contents within {offset_mm:.1f} mm)"
            return Alignment(sitk.Transform(3, sitk.sitkIdentity), step, None)
    found = register(fixed, moving, config)
    doubt = _doubt(found, mask_overlap(fixed, moving, found.transform))
    finding = None
    if doubt is not None:
        finding = Finding(
            "preparation.registration_failed",
            Severity.WARNING,
            f"{name} could not be aligned with the reference ({doubt}); it is left out.",
            "Look at this series: another patient, another body part or heavy artefacts?",
            (name,),
        )
    return Alignment(found.transform, _described(found), finding)


def misalignment_mm(fixed: Side, moving: Side) -> float:
    """How far two images on one grid are from their best fit, without searching for it.

    The similarity at the identity and 2 mm (or as much rotation) to both sides gives a parabola
    for each of the six degrees of freedom; the distance of its top is the misalignment.

    Returns:
        Millimetres, all six together; infinite where the identity is no top at all.
    """
    similarity, centre = compare_at(fixed, moving, _CHECK_LEVEL, seed=0)
    here = similarity(Pose(centre, np.zeros(3), np.zeros(3)))
    squares = 0.0
    for axis in range(6):
        step = np.eye(6)[axis] * _PROBE_MM
        turn, shift = step[:3] / HEAD_RADIUS_MM, step[3:]
        before = similarity(Pose(centre, -turn, -shift))
        after = similarity(Pose(centre, turn, shift))
        bend = before - 2 * here + after
        if bend >= 0:
            return float("inf")
        squares += (_PROBE_MM / 2 * (after - before) / bend) ** 2
    return float(np.sqrt(squares))


def mask_overlap(fixed: Side, moving: Side, transform: sitk.Transform) -> float | None:
    """Dice of the two brains after alignment where both images see; None if one is not known."""
    if fixed.mask is None or moving.mask is None:
        return None
    outside = 255
    carried = sitk.GetArrayFromImage(
        sitk.Resample(moving.mask, fixed.mask, transform, sitk.sitkNearestNeighbor, outside)
    )
    seen = carried != outside
    one, other = sitk.GetArrayViewFromImage(fixed.mask)[seen] > 0, carried[seen] > 0
    total = int(one.sum() + other.sum())
    return 2 * int((one & other).sum()) / total if total else 0.0


def _doubt(found: Registration, overlap: float | None) -> str | None:
    """Why a registration is not to be trusted, in words; None if it is."""
    if found.overlap < LEAST_FIELD_OVERLAP:
        return f"only {found.overlap:.0%} of the brain lies in its field of view"
    if found.similarity < LEAST_CONTRAST * found.similarity_elsewhere:
        return "no position fits clearly better than others"
    unclear = found.similarity < CLEAR_CONTRAST * found.similarity_elsewhere
    if unclear and found.disagreement_mm > LARGEST_DISAGREEMENT_MM:
        return "two searches ended at different positions"
    if overlap is not None and overlap < LEAST_MASK_OVERLAP:
        return f"the brain outlines agree poorly, Dice {overlap:.2f}"
    if found.rotation_deg > LARGEST_ROTATION_DEG:
        return f"it would have to be turned by {found.rotation_deg:.0f} degrees"
    return None


def _described(found: Registration) -> str:
    return (
        f"rigid registration by mutual information: turned {found.rotation_deg:.1f} degrees,"
        f" moved {found.shift_mm:.1f} mm"
    )
