"""What was measured of the tumours of real cohorts, by patient, in units that can be compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.cohorts.brats import MASKS_TABLE
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.splits import fold_column, linked_folds
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.cohorts.values import read_text_table
from gliomaai_training.diagnosis.covariates import (
    MM3_PER_ML,
    PARTS,
    WHOLE_TUMOUR,
    whole_tumour_covariates,
)
from gliomaai_training.progress import Progress, silent
from gliomaai_training.radiomics.config import RadiomicsConfig
from gliomaai_training.radiomics.extract import extract, shape_column
from gliomaai_training.radiomics.images import FeatureCase
from gliomaai_training.radiomics.shape import NAMES as SHAPE_NAMES
from gliomaai_training.vocabulary import Label

UCSF_TABLE = Path("tables", "ucsf_pdgm_radiomics_t1gd.csv")
UCSF_SHAPE = "original_shape_"
UCSF_PREFIX = "original_"
"""Of every feature; the rest of the table says how it was made."""

MASK_VOXEL_MM = (1.875, 1.875, 155 / 128)
"""Of the resized BraTS masks, along x, y, z; their arrays are in that order."""
MASK_MEASURES = (*WHOLE_TUMOUR, *PARTS)
MASK_RECIPE = RadiomicsConfig(regions=("WT",), classes=("shape",), normalisation="none")


def ucsf_radiomics(data: Path) -> pd.DataFrame:
    """PyRadiomics' features of T1Gd in the whole tumour of UCSF-PDGM, indexed by patient.

    Raises:
        ValueError: no such table, or a cell that is no number.
    """
    rows = read_text_table(data / UCSF_TABLE, ("patient",))
    names = [name for name in rows.columns if name.startswith(UCSF_PREFIX)]
    try:
        features = rows[names].astype(np.float64)
    except ValueError as error:
        raise ValueError(f"{UCSF_TABLE.name} holds a cell that is no number: {error}") from error
    return features.set_index(rows["patient"])


@dataclass(frozen=True, eq=False)
class UcsfPatients:
    """UCSF-PDGM with the features of T1Gd; rows belong together."""

    cohort: ClinicalCohort
    age: NDArray[np.float64]
    features: pd.DataFrame

    @property
    def clinical(self) -> pd.DataFrame:
        """The patients."""
        return self.cohort.patients

    def folds(self, folds: int, seed: int, by: str) -> NDArray[np.int_]:
        """The patients dealt into folds over which a column is spread evenly."""
        return fold_column(self.cohort, linked_folds([self.cohort], folds, seed, by=by))

    def take(self, rows: NDArray[np.bool_], reason: str) -> "UcsfPatients":
        """Some of the patients."""
        return UcsfPatients(
            self.cohort.keep(rows, reason),
            self.age[rows],
            self.features[rows].reset_index(drop=True),
        )


def ucsf_patients(data: Path) -> UcsfPatients:
    """Reads UCSF-PDGM with its features.

    Raises:
        ValueError: as `read_ucsf_pdgm` and `ucsf_radiomics`.
    """
    cohort = read_ucsf_pdgm(data)
    features = ucsf_radiomics(data).reindex(cohort.patients["patient"]).reset_index(drop=True)
    return UcsfPatients(cohort, cohort.patients["age_years"].to_numpy(np.float64), features)


def ucsf_measures(data: Path) -> pd.DataFrame:
    """Volume and shape of the whole tumour in UCSF-PDGM, indexed by patient, by the names of
    `diagnosis.covariates`.

    Raises:
        ValueError: as `ucsf_radiomics`.
    """
    features = ucsf_radiomics(data)
    shape = features.filter(like=UCSF_SHAPE).rename(columns=lambda name: name[len(UCSF_SHAPE) :])
    measured = [
        whole_tumour_covariates(dict(zip(shape.columns, row, strict=True)))
        for row in shape.to_numpy()
    ]
    return pd.DataFrame(measured, index=features.index)


def brats20_measures(
    data: Path, cache: Path | None = None, progress: Progress = silent
) -> pd.DataFrame:
    """Volumes of tumour and parts and shape of the tumour in the BraTS 2020 masks, by patient.

    Args:
        data: the root of the data.
        cache: folder that keeps the measurements; None to measure anew.
        progress: told after each mask.

    Raises:
        ValueError: no such table, or a mask that cannot be read.
    """
    file = None if cache is None else cache / "brats20-measures.csv"
    if file is not None and file.is_file():
        return pd.read_csv(file, index_col="patient")
    rows = read_text_table(data / MASKS_TABLE, ("id", "patient"))
    measured = []
    for number, case in enumerate(rows["id"], start=1):
        measured.append(mask_measures(read_mask(data / MASKS_TABLE.parent / f"{case}.npz")))
        progress("masks", number / len(rows))
    table = pd.DataFrame(measured, index=pd.Index(rows["patient"], name="patient"))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(file)
    return table


def read_mask(file: Path) -> sitk.Image:
    """A resized BraTS mask with its true voxel size.

    Raises:
        ValueError: the file is absent or holds no mask.
    """
    try:
        with np.load(file) as stored:
            labels: NDArray[np.uint8] = stored["seg"]
    except (OSError, KeyError) as error:
        raise ValueError(f"{file.name} holds no mask: {error}") from error
    image: sitk.Image = sitk.GetImageFromArray(np.ascontiguousarray(labels.transpose(2, 1, 0)))
    image.SetSpacing(MASK_VOXEL_MM)
    return image


def mask_measures(labels: sitk.Image) -> dict[str, float]:
    """Everything of `MASK_MEASURES` of one segmentation."""
    values = extract(FeatureCase("", {}, labels), MASK_RECIPE).values
    shape = {name: values[shape_column("WT", name)] for name in SHAPE_NAMES}
    voxels = sitk.GetArrayViewFromImage(labels)
    ml = float(np.prod(labels.GetSpacing())) / MM3_PER_ML
    parts = {
        name: float(np.count_nonzero(voxels == Label[name.removesuffix("_ml").upper()])) * ml
        for name in PARTS
    }
    return whole_tumour_covariates(shape) | parts


def with_measures(cohort: ClinicalCohort, measures: pd.DataFrame) -> pd.DataFrame:
    """The patients of a cohort with what was measured of them; NaN where nothing was."""
    own = measures.reindex(cohort.patients["patient"]).reset_index(drop=True)
    return pd.concat([cohort.patients.reset_index(drop=True), own], axis=1)


def known_rows(table: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """The patients of whom all these columns are known."""
    return table[table[list(columns)].notna().all(axis=1)].reset_index(drop=True)
