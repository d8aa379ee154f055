"""What a diagnosis without a network may know of a patient, measured alike in cohorts and clinic.

Volumes and shape are those of the whole tumour's and its parts' voxel masks, as `radiomics.shape`
measures them. Only what does not depend on the voxel size is used: volumes, and axes of the
ellipsoid of the same covariance. Surfaces do depend on it (sphericity grows by 4 %, in some
tumours 12 %, when a 1 mm mask is resized to 1.9 x 1.9 x 1.2 mm), and are left out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.survival.terms import CategoricalTerm, NumericTerm, Term, Transform
from gliomaai_training.vocabulary import CLINICAL_WORDS, MAX_AGE_YEARS

_CHANGES: Mapping[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = MappingProxyType(
    {"linear": np.asarray, "log": np.log, "log1p": np.log1p, "arsinh": np.asarray}
)

NORMAL_SPREAD = 1.349
"""Quartile distance of the standard normal distribution."""

MM3_PER_ML = 1000.0
MAX_TUMOUR_ML = 2000.0
"""No larger than a brain."""
MAX_AXIS_MM = 300.0


@dataclass(frozen=True)
class Covariate:
    """A number that a model can use."""

    name: str
    label: str
    unit: str
    allowed: tuple[float, float]
    transform: Transform = "linear"


AGE = Covariate("age_years", "age", "years", (0.0, MAX_AGE_YEARS))
VOLUMES = (
    Covariate("wt_ml", "whole tumour", "mL", (0.0, MAX_TUMOUR_ML), "log1p"),
    Covariate("et_ml", "enhancing tumour", "mL", (0.0, MAX_TUMOUR_ML), "log1p"),
    Covariate("ncr_ml", "necrotic or non-enhancing core", "mL", (0.0, MAX_TUMOUR_ML), "log1p"),
    Covariate("ed_ml", "oedema", "mL", (0.0, MAX_TUMOUR_ML), "log1p"),
)
SHAPE = (
    Covariate("wt_major_axis_mm", "major axis of the tumour", "mm", (0.0, MAX_AXIS_MM)),
    Covariate("wt_elongation", "elongation of the tumour", "", (0.0, 1.0)),
    Covariate("wt_flatness", "flatness of the tumour", "", (0.0, 1.0)),
)
NUMBERS: Mapping[str, Covariate] = MappingProxyType(
    {one.name: one for one in (AGE, *VOLUMES, *SHAPE)}
)
SEX = "sex"

AGE_AND_SEX = (AGE.name, SEX)
WHOLE_TUMOUR = ("wt_ml", *(one.name for one in SHAPE))
PARTS = ("et_ml", "ncr_ml", "ed_ml")


def whole_tumour_covariates(shape: Mapping[str, float]) -> dict[str, float]:
    """Volume and shape of the whole tumour from its features.

    Args:
        shape: by the names of `radiomics.shape`, in mm and mm3.

    Raises:
        ValueError: a feature is missing.
    """
    needed = ("VoxelVolume", "MajorAxisLength", "Elongation", "Flatness")
    missing = [name for name in needed if name not in shape]
    if missing:
        raise ValueError(f"the shape of the whole tumour lacks {', '.join(missing)}")
    return {
        "wt_ml": shape["VoxelVolume"] / MM3_PER_ML,
        "wt_major_axis_mm": shape["MajorAxisLength"],
        "wt_elongation": shape["Elongation"],
        "wt_flatness": shape["Flatness"],
    }


def numeric_term(covariate: Covariate, values: NDArray[np.float64]) -> Term:
    """A covariate as a term, centred and scaled by the patients it is known of.

    Args:
        covariate: what it is.
        values: (n,) of the training patients; NaN for unknown.

    Raises:
        ValueError: an impossible value, or fewer than two different ones.
    """
    known = values[~np.isnan(values)]
    low, high = covariate.allowed
    wrong = known[(known < low) | (known > high)]
    if wrong.size:
        raise ValueError(
            f"{covariate.label} of {wrong[0]:g} {covariate.unit} is not possible: it lies between "
            f"{low:g} and {high:g}"
        )
    changed = _CHANGES[covariate.transform](known)
    spread = float(np.std(changed)) if known.size else 0.0
    if not spread > 0:
        raise ValueError(f"{covariate.label} is the same for everyone: nothing can be learned")
    low_q, middle, high_q = (float(q) for q in np.quantile(known, [0.25, 0.5, 0.75]))
    if covariate.transform == "arsinh" and high_q > low_q:
        spread = (high_q - low_q) / NORMAL_SPREAD
    observed = (float(known.min()), low_q, middle, high_q, float(known.max()))
    return NumericTerm(
        covariate.name,
        covariate.label,
        covariate.unit,
        reference=middle,
        allowed=covariate.allowed,
        observed=observed,
        scale=spread,
        transform=covariate.transform,
    )


def sex_term(values: Sequence[str | None]) -> Term:
    """Sex as a term."""
    levels = CLINICAL_WORDS["sex"]
    counts = tuple(sum(value == level for value in values) for level in levels)
    return CategoricalTerm(SEX, "sex", levels, levels[0], counts)
