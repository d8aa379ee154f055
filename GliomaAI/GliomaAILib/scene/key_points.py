"""Where a region of the tumour is largest: what a tour of key images visits."""

from collections.abc import Mapping

import numpy as np

from gliomaai_training.vocabulary import REGIONS, Label
from GliomaAILib.scene.label_maps import PlacedLabels
from GliomaAILib.scene.port import Point

PLANE_AXES: Mapping[str, int] = {"axial": 2, "coronal": 1, "sagittal": 0}
"""The RAS axis across each plane."""


def key_point(labels: PlacedLabels, plane: str, region: str = "WT") -> Point | None:
    """The centre of a region's largest cut.

    Args:
        labels: on any grid, oblique ones too.
        plane: of `PLANE_AXES`: anatomical, not along the grid.
        region: of `vocabulary.REGIONS`, or the name of a label.

    Returns:
        RAS mm; None where nothing of the region is there.

    Raises:
        ValueError: there is no such plane or region.
    """
    if plane not in PLANE_AXES:
        raise ValueError(f"{plane!r} is none of {', '.join(PLANE_AXES)}")
    found = np.argwhere(np.isin(labels.array, _values(region)))
    if not len(found):
        return None
    kji = found + [part.start for part in labels.box]
    points = kji[:, ::-1] @ labels.ijk_to_ras[:3, :3].T + labels.ijk_to_ras[:3, 3]
    axis = PLANE_AXES[plane]
    across = points[:, axis]
    # On an oblique grid, cuts are as thick as voxels reach across the plane.
    thickness_mm = np.abs(labels.ijk_to_ras[axis, :3]).max()
    cut = np.rint((across - across.min()) / thickness_mm).astype(int)
    right, anterior, superior = points[cut == np.bincount(cut).argmax()].mean(axis=0)
    return float(right), float(anterior), float(superior)


def _values(region: str) -> list[int]:
    if region in REGIONS:
        return [int(label) for label in REGIONS[region]]
    if region in Label.__members__:
        return [int(Label[region])]
    raise ValueError(f"{region!r} is none of {', '.join([*REGIONS, *Label.__members__])}")
