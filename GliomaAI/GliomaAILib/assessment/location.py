"""Where a tumour lies in the brain, by way of the ICBM152 template."""

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.preprocessing.atlas import AtlasRegistration, register_to_icbm152
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.vocabulary import REGIONS
from GliomaAILib.assessment.foci import nearest_mm, points_ras, surface_ras
from GliomaAILib.assessment.lobes import LOBES, lobe_numbers
from GliomaAILib.assessment.measures import Location
from GliomaAILib.assessment.midline import Midline, angle_deg, midline_of_mask
from GliomaAILib.assessment.ventricles import find_ventricles

REGISTRATION_ORDER = ("t1", "t1gd", "t2", "flair")
"""Which sequence is registered to the T1 template: the first of these that is present."""

MIDLINE_ANGLE_DEG = 6.0
"""Largest angle between the template's midline and that of the brain's outline."""

MIDLINE_SHIFT_MM = 5.0
"""Largest distance of the template's centre from the outline's midline."""


def register_brain(prepared: Prepared) -> AtlasRegistration | None:
    """The study's registration to ICBM152; None when it fails its check.

    Raises:
        ValueError: the brain mask is empty.
    """
    name = next(name for name in REGISTRATION_ORDER if name in prepared.sequences)
    registration = register_to_icbm152(prepared.sequences[name], prepared.brain_mask)
    # Two brains overlap well even when one is turned: the outline's own symmetry tells.
    outline = midline_of_mask(prepared.brain_mask)
    turned = outline is None or not agree(template_midline(registration), outline)
    return None if turned or not registration.trusted else registration


def agree(template: Midline, outline: Midline) -> bool:
    """Whether the template's midline, carried to the patient, is that of the brain's outline."""
    centre = np.array([template.point_ras_mm])
    shift_mm = abs(float(outline.right_of_mm(centre)[0]))
    return angle_deg(template, outline) <= MIDLINE_ANGLE_DEG and shift_mm <= MIDLINE_SHIFT_MM


def template_midline(registration: AtlasRegistration) -> Midline:
    """The template's plane of symmetry in the patient."""
    to_patient = registration.to_atlas.GetInverse()
    centre = to_patient.TransformPoint((0.0, 0.0, 0.0))
    # Planes map by the transposed matrix; the template's normal (LPS +x) points left.
    left = np.reshape(registration.to_atlas.GetMatrix(), (3, 3))[0]
    right = -left * np.array([-1.0, -1.0, 1.0]) / np.linalg.norm(left)
    return Midline((-centre[0], -centre[1], centre[2]), tuple(right.tolist()))


def locate(prepared: Prepared, labels: sitk.Image, registration: AtlasRegistration) -> Location:
    """The place of a tumour in the brain.

    Args:
        prepared: the study.
        labels: `vocabulary.Label` values on the common grid.
        registration: of this study to the template.

    Raises:
        ValueError: there is no tumour.
    """
    array = sitk.GetArrayViewFromImage(labels)
    grid = Grid.of(labels)
    whole = registration.to_atlas_ras(points_ras(array > 0, grid))
    if len(whole) == 0:
        raise ValueError("there is no tumour to locate")
    counts = np.bincount(lobe_numbers(whole), minlength=len(LOBES))
    order = [int(n) for n in np.argsort(-counts, kind="stable") if counts[n] > 0]
    shares = {LOBES[n]: float(counts[n] / counts.sum()) for n in order}
    centre = whole.mean(axis=0).tolist()
    ventricles = find_ventricles(prepared, labels, registration)
    return Location(
        centre_icbm152_mm=(centre[0], centre[1], centre[2]),
        lobe=LOBES[order[0]],
        lobe_shares=shares,
        ventricle_distance_mm=(
            None if ventricles is None else _distances_mm(array, grid, ventricles)
        ),
        brain_overlap=registration.brain_overlap,
    )


def _distances_mm(
    labels: NDArray[np.uint8], grid: Grid, ventricles: sitk.Image
) -> dict[str, float]:
    """From each region that is present to the nearest ventricle, between voxel faces."""
    from scipy.spatial import cKDTree

    tree = cKDTree(surface_ras(sitk.GetArrayViewFromImage(ventricles) > 0, Grid.of(ventricles)))
    distances = {}
    for name in ("WT", "TC"):
        surface = surface_ras(np.isin(labels, REGIONS[name]), grid)
        if len(surface) > 0:
            distances[name] = max(0.0, nearest_mm(tree, surface) - min(grid.spacing_mm))
    return distances
