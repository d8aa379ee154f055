"""Real patients with what networks, radiomics and the clinic know of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gliomaai_training.cohorts.brats import VOLUMES_TABLE, read_volumes
from gliomaai_training.cohorts.clinical import ClinicalCohort
from gliomaai_training.cohorts.lgg_slices import TABLE as SLICES_TABLE
from gliomaai_training.cohorts.lgg_slices import read_lgg_slices
from gliomaai_training.evaluation.features.slices import slice_patients
from gliomaai_training.evaluation.features.table import read_provenance
from gliomaai_training.progress import Progress
from gliomaai_training.radiomics.further import FurtherFeatures, read_further_features
from gliomaai_training.studies.idh_volumes import volume_features
from gliomaai_training.studies.lgg_cohort import measured_slices
from gliomaai_training.studies.slice_features import FORM, SEQUENCES, columns_of
from gliomaai_training.studies.study import StudySettings
from gliomaai_training.survival.elastic_net_model import deal_folds
from gliomaai_training.survival.outcome import Outcome

CLINICAL, RADIOMICS, NETWORK = "clinical", "radiomics", "network"
"""Blocks of columns."""
SLICES, VOLUMES = "lgg_slices", "volumes"
"""Names of the cohorts, and of their tables of features."""
FOLDS = 5
"""Of patients whose hospital is not known, where one network read them all."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class RealCohort:
    """n patients."""

    name: str
    clinical: ClinicalCohort
    blocks: Mapping[str, Floats]
    """(n, p) by name; NaN where unknown."""
    clinical_words: tuple[str, ...]
    """What the clinic knows."""
    fold: NDArray[np.int_]
    """(n,) left out together, and compared with each other."""
    fold_words: str
    """What a fold is."""
    provenance: Mapping[str, object]
    """Of the network's features."""

    @property
    def table(self) -> pd.DataFrame:
        """The patients."""
        return self.clinical.patients

    @property
    def unread(self) -> int:
        """Patients without features of the network that read the others."""
        return int(np.isnan(self.blocks[NETWORK]).all(axis=1).sum())


def read_real(settings: StudySettings, folder: Path, progress: Progress) -> tuple[RealCohort, ...]:
    """Both cohorts.

    Args:
        settings: for data, seed and cache.
        folder: of the tables `lgg_slices.csv` and `volumes.csv` of `gliomaai-train features`.
        progress: told while radiomics are measured.

    Raises:
        ValueError: a table is missing, was changed since it was made, or cannot be read.
    """
    return _slices(settings, folder, progress), _volumes(settings, folder)


def _slices(settings: StudySettings, folder: Path, progress: Progress) -> RealCohort:
    """Every hospital is a fold of its own."""
    cohort = replace(read_lgg_slices(settings.data), name="TCGA-LGG slices")
    patients = cohort.patients["patient"]
    further, provenance = _further(folder, SLICES, patients)
    table = cohort.patients
    sex = table["sex"].map({"F": 0.0, "M": 1.0}).to_numpy(np.float64)
    clinical = np.column_stack([table["age_years"].to_numpy(np.float64), sex])
    radiomics = _slice_radiomics(settings, patients, progress)
    fold = np.unique(table["site"].fillna("").astype(str), return_inverse=True)[1]
    read = further.of_largest_model().columns
    network = read.reindex(patients).to_numpy(np.float64)
    blocks = {CLINICAL: clinical, RADIOMICS: radiomics, NETWORK: network}
    return RealCohort(
        SLICES, cohort, blocks, ("age", "sex"), np.asarray(fold, np.int_), "hospital", provenance
    )


def _slice_radiomics(
    settings: StudySettings, patients: "pd.Series[str]", progress: Progress
) -> Floats:
    """(n, p); of a sequence that a patient lacks nothing is known, whatever the file holds."""
    measured = measured_slices(settings, patients.tolist(), progress).reindex(patients)
    present = slice_patients(settings.data)
    for sequence in SEQUENCES:
        own = [name for name in columns_of(sequence) if name not in FORM]
        absent = [patient for patient in patients if sequence not in present[patient]]
        measured.loc[absent, own] = np.nan
    return measured.to_numpy(np.float64)


def _volumes(settings: StudySettings, folder: Path) -> RealCohort:
    """Folds are those of the networks; where one network read everybody, patients are dealt."""
    cohort = replace(read_volumes(settings.data), name="BraTS volumes")
    table = cohort.patients
    further, provenance = _further(folder, VOLUMES, table["patient"])
    own = further.of(table["patient"])
    network = own.columns.reindex(table["patient"])
    if own.is_of_one_model:
        dead = Outcome(np.zeros(len(table)), (table["event"] == 1).to_numpy())
        fold = deal_folds(dead, FOLDS, np.random.default_rng(settings.seed))
        words = "fold"
    else:
        read_by = own.fold.reindex(table["patient"]).fillna(-1)
        fold = np.asarray(read_by, np.int_)
        # The offset of a network is the same for all whom it is compared in: nothing is learnt
        # from the patients left out.
        network = network - network.groupby(fold).transform("mean")
        words = "fold of the networks"
    radiomics = volume_features(settings.data, 1.0, settings.cache).reindex(table["case"])
    blocks = {
        CLINICAL: table[["age_years"]].to_numpy(np.float64),
        RADIOMICS: radiomics.to_numpy(np.float64),
        NETWORK: network.to_numpy(np.float64),
    }
    return RealCohort(VOLUMES, cohort, blocks, ("age",), fold, words, provenance)


def _further(
    folder: Path, name: str, patients: "pd.Series[str]"
) -> tuple[FurtherFeatures, Mapping[str, object]]:
    file = folder / f"{name}.csv"
    if not file.is_file():
        table = {SLICES: SLICES_TABLE, VOLUMES: VOLUMES_TABLE}[name].as_posix()
        raise ValueError(
            f"{folder} has no {name}.csv: make it with `gliomaai-train features NETWORK... --table "
            f"{table} --out {name}.csv`"
        )
    return read_further_features(file).of(patients), read_provenance(file)
