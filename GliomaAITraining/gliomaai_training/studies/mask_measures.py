"""What BraTS' masks tell of a tumour beside volumes and form: foci, side and site.

The masks lie in the space of one atlas, so that side and site follow from simple geometry: the
sagittal middle of the grid is the midline.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from gliomaai_training.diagnosis.covariates import MM3_PER_ML
from gliomaai_training.progress import Progress, silent
from gliomaai_training.studies.tumour_tables import mask_measures, read_mask
from gliomaai_training.vocabulary import REGIONS

FOCUS_MINIMUM_ML = 0.1
"""Smaller separate parts are no foci; the largest part always is."""
BOTH_SIDES_SHARE = 0.1
"""A tumour lies on both sides when the smaller side holds at least this share of it."""
CROSSING_MARGIN_MM = 3.0
CROSSING_MINIMUM_ML = 0.5
"""How much tumour beyond the margin counts as crossing."""

MEASURES_FILE = "mask-measures.csv"


@dataclass(frozen=True)
class Site:
    """Where the whole tumour lies in the atlas."""

    side: str
    """`left`, `right` or `both`."""
    crosses_midline: str
    """`yes` or `no`."""
    off_midline_mm: float
    """Of the centre of mass, without its side."""
    behind_mm: float
    """Of the centre of mass behind the middle of the grid."""
    above_mm: float
    """Of the centre of mass above the middle of the grid."""


def measure_mask(image: sitk.Image) -> dict[str, float | str]:
    """Everything that is measured, by the names of `covariates.MEASURES` where they are there.

    Args:
        image: of `vocabulary.Label` values, its axes to the left, to the back and up.

    Raises:
        ValueError: there is no tumour.
    """
    labels = sitk.GetArrayViewFromImage(image).transpose(2, 1, 0)
    whole = labels > 0
    if not whole.any():
        raise ValueError("the mask holds no tumour")
    voxel_mm = image.GetSpacing()
    voxel_ml = float(np.prod(voxel_mm)) / MM3_PER_ML
    measured = mask_measures(image)
    place = site(whole, voxel_mm)
    return {
        **measured,
        "tc_ml": float(np.isin(labels, REGIONS["TC"]).sum() * voxel_ml),
        "enhancing_proportion": measured["et_ml"] / measured["wt_ml"],
        "necrotic_proportion": measured["ncr_ml"] / measured["wt_ml"],
        "foci": float(count_foci(whole, voxel_ml)),
        **{name: getattr(place, name) for name in Site.__dataclass_fields__},
    }


def count_foci(region: NDArray[np.bool_], voxel_ml: float) -> int:
    """The largest 26-connected part, and all others of `FOCUS_MINIMUM_ML` and more."""
    pieces, count = ndimage.label(region, np.ones((3, 3, 3)))
    if count == 0:
        return 0
    volumes_ml = np.bincount(pieces.ravel())[1:] * voxel_ml
    return max(1, int((volumes_ml >= FOCUS_MINIMUM_ML).sum()))


def site(whole: NDArray[np.bool_], voxel_mm: tuple[float, float, float]) -> Site:
    """Side and centre of a region that is not empty."""
    middle = (np.asarray(whole.shape) - 1) / 2
    offset_mm = (np.argwhere(whole) - middle) * voxel_mm
    left_share = float((offset_mm[:, 0] > 0).mean())
    beyond_mm = -offset_mm[:, 0] if left_share > 0.5 else offset_mm[:, 0]
    crossing_ml = (beyond_mm > CROSSING_MARGIN_MM).sum() * np.prod(voxel_mm) / MM3_PER_ML
    centre = offset_mm.mean(axis=0)
    both = min(left_share, 1 - left_share) >= BOTH_SIDES_SHARE
    return Site(
        "both" if both else "left" if left_share > 0.5 else "right",
        "yes" if crossing_ml >= CROSSING_MINIMUM_ML else "no",
        float(abs(centre[0])),
        float(centre[1]),
        float(centre[2]),
    )


def measure_folder(
    folder: Path, cases: Mapping[str, str], cache: Path | None = None, progress: Progress = silent
) -> pd.DataFrame:
    """Measures the masks `NAME.npz` of a folder, or reads what was measured of them before.

    Args:
        folder: of the masks.
        cases: by patient, the mask's name.
        cache: folder of `MEASURES_FILE`; None to keep nothing.
        progress: told after each mask.

    Returns:
        A row for each patient, `patient` first.

    Raises:
        ValueError: a mask is missing or empty.
    """
    file = None if cache is None else cache / MEASURES_FILE
    if file is not None and file.is_file():
        known = pd.read_csv(file)
        if list(known["patient"]) == list(cases):
            return known
    rows = []
    for number, (patient, case) in enumerate(cases.items(), start=1):
        rows.append({"patient": patient, **measure_mask(read_mask(folder / f"{case}.npz"))})
        progress("masks", number / len(cases))
    table = pd.DataFrame(rows)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(file, index=False)
    return table
