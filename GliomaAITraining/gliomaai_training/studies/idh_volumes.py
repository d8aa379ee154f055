"""T1Gd features of UCSF-PDGM's model in images of other scanners: why they do not carry over."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.cohorts.brats import VOLUMES_TABLE, read_volumes
from gliomaai_training.cohorts.manifest import CaseFiles, read_manifest
from gliomaai_training.cohorts.ucsf_pdgm import read_ucsf_pdgm
from gliomaai_training.diagnosis.states import MUTANT, WILD_TYPE
from gliomaai_training.evaluation.auc import auc
from gliomaai_training.radiomics.config import RadiomicsConfig
from gliomaai_training.radiomics.extract import extract
from gliomaai_training.radiomics.images import FeatureCase
from gliomaai_training.studies.stacked_classifier import RIDGE, StackedClassifier
from gliomaai_training.studies.study import StudySettings, StudyTable
from gliomaai_training.studies.tumour_tables import UCSF_SHAPE, ucsf_radiomics

Floats = NDArray[np.float64]

RECIPE = RadiomicsConfig(
    regions=("WT",),
    sequences=("t1gd",),
    classes=("shape", "firstorder", "glcm", "glrlm", "glszm", "gldm"),
    normalisation="none",
    scale=1.0,
)
"""As UCSF-PDGM's table was made: intensities as they are, bins of 25."""
MEAN = "original_firstorder_Mean"


def volumes_table(settings: StudySettings) -> StudyTable:
    """The model of age and T1Gd features, asked of the volumes with and without a common scale."""
    cohort = read_volumes(settings.data)
    clinical = cohort.patients.set_index("case")
    home = read_ucsf_pdgm(settings.data).patients
    train = ucsf_radiomics(settings.data).reindex(home["patient"])
    raw = volume_features(settings.data, 1.0, settings.cache)
    factor = float(train[MEAN].median() / raw[MEAN].median())
    scaled = volume_features(settings.data, factor, settings.cache)
    known = clinical[clinical["age_years"].notna()].index
    truth = (home["idh"] == MUTANT).to_numpy()
    columns = np.column_stack([home["age_years"], train])
    model = StackedClassifier({"ridge": RIDGE}).fit(columns, truth)
    rows = []
    for name, features in (("as stored (8 bits)", raw), (f"times {factor:.1f}", scaled)):
        own = features.reindex(known)[train.columns]
        chance = model.probability(np.column_stack([clinical.loc[known, "age_years"], own]))
        rows.append(
            {"T1Gd intensities": name}
            | _told(chance, clinical.loc[known])
            | {
                "mean T1Gd in the tumour": f"{own[MEAN].median():.0f}",
                "features out of range": f"{100 * _outside(own, train):.0f} %",
            }
        )
    return StudyTable(
        "volumes",
        "T1Gd features measured in images of other scanners",
        pd.DataFrame(rows),
        f"UCSF-PDGM's mean T1Gd in the tumour is {train[MEAN].median():.0f} in its scanner's "
        "units, and texture counts bins of 25 of them. Images stored in 8 bits have hardly ten "
        "such bins. The second row multiplies them so that the cohort's median agrees. `features "
        "out of range` is the mean share of a patient's intensity features beyond all of "
        "UCSF-PDGM's. So few patients of known IDH prove nothing; the rows show the units at work. "
        "High-grade tumours of unknown IDH are nearly all wild-type: a high probability is "
        "probably wrong.",
    )


def volume_features(data: Path, factor: float, cache: Path | None = None) -> pd.DataFrame:
    """Features of T1Gd times a factor, by case, under PyRadiomics' names.

    Raises:
        ValueError: no such cohort, or a case without T1Gd or segmentation.
    """
    file = None if cache is None else cache / f"volumes-t1gd-{factor:.4g}.csv"
    if file is not None and file.is_file():
        return pd.read_csv(file, index_col="case")
    found = {
        files.case: _features(files, factor)
        for files in read_manifest(data / VOLUMES_TABLE, "volumes")
    }
    table = pd.DataFrame.from_dict(found, orient="index").rename_axis("case")
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(file)
    return table


def _features(files: CaseFiles, factor: float) -> Mapping[str, float]:
    if files.segmentation is None or "t1gd" not in files.sequences:
        raise ValueError(f"case {files.case} has no T1Gd or no segmentation")
    image = sitk.ReadImage(str(files.sequences["t1gd"]), sitk.sitkFloat32) * factor
    labels = sitk.ReadImage(str(files.segmentation), sitk.sitkUInt8)
    vector = extract(FeatureCase(files.case, {"t1gd": image}, labels), RECIPE)
    return {
        name.removeprefix("t1gd_").removeprefix("WT_"): value
        for name, value in vector.values.items()
    }


def _told(chance: Floats, clinical: pd.DataFrame) -> dict[str, str]:
    mutant = (clinical["idh"] == MUTANT).to_numpy()
    wild = (clinical["idh"] == WILD_TYPE).to_numpy()
    high = (clinical["idh"].isna() & (clinical["reported_grade"] == 4)).to_numpy()
    both = mutant | wild
    return {
        "P(mutant) of mutants": ", ".join(f"{p:.2f}" for p in chance[mutant]),
        "of wild-types": ", ".join(f"{p:.2f}" for p in chance[wild]),
        "AUC": f"{auc(chance[both], mutant[both]):.2f} ({mutant.sum()} against {wild.sum()})",
        "high-grade of unknown IDH above .5": f"{(chance[high] > 0.5).sum()} of {high.sum()}",
    }


def _outside(own: pd.DataFrame, train: pd.DataFrame) -> float:
    names = [name for name in train.columns if not name.startswith(UCSF_SHAPE)]
    beyond = (own[names] < train[names].min()) | (own[names] > train[names].max())
    return float(beyond.to_numpy().mean())
