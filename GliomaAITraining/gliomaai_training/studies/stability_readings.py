"""Features of the volumes in several masks: the expert's, a network's, and perturbed ones."""

import hashlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.cohorts.brats import VOLUMES_TABLE
from gliomaai_training.cohorts.manifest import CaseFiles, read_manifest
from gliomaai_training.evaluation.predicted_masks import DrawnMask, read_list
from gliomaai_training.evaluation.segmentation_metrics import dice
from gliomaai_training.progress import Progress
from gliomaai_training.radiomics import perturbation
from gliomaai_training.radiomics.cache import cache_key
from gliomaai_training.radiomics.cohort import extract_cohort, read_case
from gliomaai_training.radiomics.config import DEFAULT_RECIPE, FEATURE_REGIONS
from gliomaai_training.radiomics.extract import feature_columns
from gliomaai_training.radiomics.stability import perturbed_readings
from gliomaai_training.studies.study import StudySettings

Floats = NDArray[np.float64]

RECIPE = DEFAULT_RECIPE
READINGS = 4
"""Of the perturbed masks: the expert's as it is, and three perturbations."""
LEAST_CASES = 3


@dataclass(frozen=True, eq=False)
class Readings:
    """The same features of the same patients, measured several times."""

    features: tuple[str, ...]
    perturbed: Floats
    """(n, `READINGS`, p) in the expert's mask, and in that mask perturbed."""
    predicted: Floats
    """(n, 2, p) in the expert's mask, and in the network's."""
    overlap: pd.DataFrame
    """`case`, `fold`, `region`, `dice`, `expert_ml`, `predicted_ml`."""


def read_readings(settings: StudySettings, progress: Progress) -> Readings:
    """Measures everything, or takes it from the cache.

    Raises:
        ValueError: no folder of masks is given, a mask is of nobody in the volumes or on another
            grid, or too few patients have one.
    """
    if settings.masks is None:
        raise ValueError(
            "the study of stability needs --masks, the folder of held-out masks that "
            "`gliomaai-train evaluate RUNS --masks DIR` wrote"
        )
    expert, predicted, drawn = paired_cases(settings.data, settings.masks)
    cache = None if settings.cache is None else settings.cache / "radiomics"
    tables = []
    for number, files in enumerate((expert, predicted)):
        start = 0.2 * number

        def measuring(stage: str, done: float, start: float = start) -> None:
            progress(stage, start + 0.2 * done)

        found = extract_cohort(files, RECIPE, 1, cache, measuring)
        if len(found.failures):
            first = found.failures.iloc[0]
            raise ValueError(f"case {first['case']} could not be measured: {first['reason']}")
        tables.append(found.features.set_index("case"))
    features = feature_columns(RECIPE)
    order = [files.case for files in expert]
    values = [table.loc[order, list(features)].to_numpy(np.float64) for table in tables]
    return Readings(
        features,
        _perturbed(expert, settings, progress),
        np.stack(values, axis=1),
        overlap_table(expert, drawn),
    )


def paired_cases(
    data: Path, masks: Path
) -> tuple[list[CaseFiles], list[CaseFiles], dict[str, DrawnMask]]:
    """The volumes that have a held-out mask, once with the expert's mask and once with this one.

    Raises:
        ValueError: as `read_readings`.
    """
    known = {files.case: files for files in read_manifest(data / VOLUMES_TABLE, "volumes")}
    drawn = {one.case: one for one in read_list(masks)}
    if strangers := sorted(set(drawn) - set(known)):
        raise ValueError(f"the masks of {', '.join(strangers[:5])} are of nobody in the volumes")
    expert = [files for case, files in known.items() if case in drawn]
    if len(expert) < LEAST_CASES:
        raise ValueError(f"{len(expert)} masks show no agreement; it takes {LEAST_CASES}")
    predicted = [replace(files, segmentation=drawn[files.case].file) for files in expert]
    return expert, predicted, drawn


def overlap_table(expert: Sequence[CaseFiles], drawn: Mapping[str, DrawnMask]) -> pd.DataFrame:
    """How far each predicted mask agrees with the expert's, by region.

    Raises:
        ValueError: two masks of a case have different sizes.
    """
    rows = []
    for files in expert:
        own, voxel_ml = _labels(Path(str(files.segmentation)))
        other, _ = _labels(drawn[files.case].file)
        for region, labels in FEATURE_REGIONS.items():
            truth, found = np.isin(own, labels), np.isin(other, labels)
            rows.append(
                {
                    "case": files.case,
                    "fold": drawn[files.case].fold,
                    "region": region,
                    "dice": dice(found, truth),
                    "expert_ml": np.count_nonzero(truth) * voxel_ml,
                    "predicted_ml": np.count_nonzero(found) * voxel_ml,
                }
            )
    return pd.DataFrame(rows)


def _labels(file: Path) -> tuple[NDArray[np.generic], float]:
    image = sitk.ReadImage(str(file), sitk.sitkUInt8)
    return sitk.GetArrayFromImage(image), float(np.prod(image.GetSpacing())) / 1000.0


def _perturbed(expert: Sequence[CaseFiles], settings: StudySettings, progress: Progress) -> Floats:
    """(n, `READINGS`, p); measured patient by patient, for images are large."""
    shape = (len(expert), READINGS, len(feature_columns(RECIPE)))
    file = None if settings.cache is None else settings.cache / _name(expert, settings.seed)
    if file is not None and file.is_file():
        known: Floats = np.load(file, allow_pickle=False)
        return known
    found = np.empty(shape)
    generator = np.random.default_rng(settings.seed)
    for number, files in enumerate(expert):
        case = read_case(files, RECIPE)
        found[number] = perturbed_readings([case], generator, RECIPE, READINGS)[0]
        progress("perturbed masks", 0.4 + 0.5 * (number + 1) / len(expert))
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, found, allow_pickle=False)
    return found


def _name(expert: Sequence[CaseFiles], seed: int) -> str:
    """Tells images, masks, recipe, code and seed apart."""
    told = [cache_key(files, RECIPE) for files in expert]
    told += [inspect.getsource(perturbation), str(READINGS), str(seed)]
    return f"perturbed-{hashlib.sha256(' '.join(told).encode()).hexdigest()[:12]}.npy"
