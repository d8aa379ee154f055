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
    belongs = np.zeros(256, bool)
    belongs[_values(region)] = True
    ijk = np.nonzero(belongs[labels.array])[::-1]
    if not ijk[0].size:
        return None
    # A window waits for this: only the coordinate across the plane is computed for every voxel.
    matrix = labels.ijk_to_ras
    row = matrix[PLANE_AXES[plane], :3]
    across = sum(step * index for step, index in zip(row, ijk, strict=True))
    # On an oblique grid, cuts are as thick as voxels reach across the plane.
    cut = np.rint((across - across.min()) / np.abs(row).max()).astype(int)
    chosen = cut == np.bincount(cut).argmax()
    starts = [part.start for part in labels.box[::-1]]
    middle = [index[chosen].mean() + start for index, start in zip(ijk, starts, strict=True)]
    right, anterior, superior = matrix[:3, :3] @ middle + matrix[:3, 3]
    return float(right), float(anterior), float(superior)


def _values(region: str) -> list[int]:
    if region in REGIONS:
        return [int(label) for label in REGIONS[region]]
    if region in Label.__members__:
        return [int(Label[region])]
    raise ValueError(f"{region!r} is none of {', '.join([*REGIONS, *Label.__members__])}")
