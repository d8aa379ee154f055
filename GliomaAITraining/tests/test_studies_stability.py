"""Which features can be trusted in another mask: the study on tiny patients."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from cohort_makers import write_cohort
from scipy import ndimage
from study_makers import write_data

from gliomaai_training.cohorts.manifest import read_manifest
from gliomaai_training.evaluation.predicted_masks import ENDING, write_list
from gliomaai_training.progress import silent
from gliomaai_training.radiomics.agreement import icc
from gliomaai_training.radiomics.config import RadiomicsConfig
from gliomaai_training.studies import stability, stability_filter, stability_readings
from gliomaai_training.studies.folder import summary, write_study
from gliomaai_training.studies.grading import FASTER
from gliomaai_training.studies.study import StudySettings

PATIENTS = [f"p{number}" for number in range(6)]
SMALL = RadiomicsConfig(
    regions=("WT", "TC", "ET", "ED", "NCR"),
    sequences=("t1gd", "flair"),
    classes=("shape", "firstorder", "glcm"),
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> StudySettings:
    """Volumes, and masks that a network drew: the expert's, moved by a voxel and without rim."""
    data = tmp_path_factory.mktemp("data")
    write_data(data, (20, 70, 10))
    table = write_cohort(data / "volumes", PATIENTS)
    shutil.move(table, data / "volumes" / "volumes.csv")
    masks = tmp_path_factory.mktemp("masks")
    cases = read_manifest(data / "volumes" / "volumes.csv", "volumes")
    for number, case in enumerate(cases):
        expert = sitk.ReadImage(str(case.segmentation))
        labels = sitk.GetArrayFromImage(expert)
        labels[labels == 4] = 3
        drawn = np.roll(labels, 1, axis=number % 3)
        drawn[~ndimage.binary_erosion(drawn > 0)] = 0
        image = sitk.GetImageFromArray(drawn)
        image.CopyInformation(expert)
        sitk.WriteImage(image, str(masks / f"{case.case}{ENDING}"))
    write_list([(case, number % 3) for number, case in enumerate(cases)], masks)
    cache = tmp_path_factory.mktemp("cache")
    return StudySettings(data, seed=3, resamples=5, cache=cache, masks=masks)


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (stability, stability_readings):
        monkeypatch.setattr(module, "RECIPE", SMALL)
    monkeypatch.setattr(stability_filter, "PUBLISHED", FASTER)


def frame(result: object, name: str) -> pd.DataFrame:
    (found,) = (one for one in result.tables if one.name == name)  # type: ignore[attr-defined]
    return found.frame


def test_the_study(settings: StudySettings, tmp_path: Path) -> None:
    result = stability.study(settings, silent)
    write_study("stability", result, settings, tmp_path)
    masks = frame(result, "masks").set_index("region")
    assert 0.3 < float(masks.loc["WT", "median Dice"]) < 0.9
    assert float(masks.loc["WT", "predicted / expert volume, median"]) < 0.9
    classes = frame(result, "by-class").set_index("feature class")
    assert list(classes.index) == ["shape", "firstorder", "glcm", "all"]
    total = 14 * 5 + (18 + 24) * 5 * 2
    assert classes["features"].tolist()[-1] == str(total)
    features = frame(result, "features")
    for kind in ("perturbed", "predicted"):
        for name in ("shape", "glcm"):
            reached = (features.loc[features["class"] == name, kind] >= 0.75).mean()
            shown = classes.loc[name, f"{kind}: above .75"]
            assert shown.startswith(f"{100 * reached:.0f} % (")
    assert set(frame(result, "by-sequence")["sequence"]) == {"form", "t1gd", "flair", "all"}
    assert len(features) == total
    good = features[features["predicted"] >= 0.5]
    assert len(good) > 10
    assert (good["predicted low"] <= good["predicted"]).all()
    assert (good["predicted"] <= good["predicted high"]).all()
    assert len(frame(result, "clinic")) == 7
    assert frame(result, "filter")["kept"].str.endswith("of 14").all()
    text = summary("stability", result, settings, "figures", ["agreement"])
    assert "--masks MASKS" in text
    assert "Every feature" not in text
    assert (tmp_path / "tables" / "features.csv").is_file()
    assert (tmp_path / "figures" / "agreement.png").stat().st_size > 10_000


def test_agreement_is_with_the_expert_s_mask(settings: StudySettings) -> None:
    readings = stability_readings.read_readings(settings, silent)
    # Both comparisons begin with the expert's mask as it is.
    same = np.isclose(readings.perturbed[:, 0], readings.predicted[:, 0], equal_nan=True)
    assert same.all()
    found = stability.agreements(readings)
    volume = found[found["feature"] == "WT_original_shape_VoxelVolume"].iloc[0]
    index = readings.features.index("WT_original_shape_VoxelVolume")
    expected = icc(readings.predicted[:, :, [index]]).estimate[0]
    assert volume["predicted"] == pytest.approx(expected)
    assert (volume["sequence"], volume["region"], volume["class"]) == ("form", "WT", "shape")


def test_measurements_are_kept_and_belong_to_their_seed(
    settings: StudySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = stability_readings.read_readings(settings, silent)
    other = stability_readings.read_readings(replace(settings, seed=4), silent)
    assert not np.array_equal(first.perturbed, other.perturbed, equal_nan=True)

    def measured(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(stability_readings, "perturbed_readings", measured)
    again = stability_readings.read_readings(settings, silent)
    assert np.array_equal(first.perturbed, again.perturbed, equal_nan=True)


def test_masks_that_tell_nothing_are_refused(settings: StudySettings, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs --masks"):
        stability_readings.read_readings(replace(settings, masks=None), silent)
    assert settings.masks is not None
    few = shutil.copytree(settings.masks, tmp_path / "few")
    rows = pd.read_csv(few / "masks.csv")
    rows.head(2).to_csv(few / "masks.csv", index=False)
    with pytest.raises(ValueError, match="2 masks show no agreement"):
        stability_readings.read_readings(replace(settings, masks=few), silent)
    rows.loc[0, "id"] = "case-99"
    shutil.copy(few / f"case-00{ENDING}", few / f"case-99{ENDING}")
    rows.to_csv(few / "masks.csv", index=False)
    with pytest.raises(ValueError, match="case-99 are of nobody"):
        stability_readings.read_readings(replace(settings, masks=few), silent)


def test_a_mask_on_another_grid_is_named(settings: StudySettings, tmp_path: Path) -> None:
    assert settings.masks is not None
    masks = shutil.copytree(settings.masks, tmp_path / "masks")
    file = masks / f"case-00{ENDING}"
    image = sitk.ReadImage(str(file))
    image.SetOrigin((5.0, 0.0, 0.0))
    sitk.WriteImage(image, str(file))
    with pytest.raises(ValueError, match="case-00 could not be measured"):
        stability_readings.read_readings(replace(settings, masks=masks), silent)


def test_the_filter_keeps_what_is_stable() -> None:
    agreement = pd.DataFrame(
        {
            "feature": ["WT_original_shape_Elongation", "t1gd_WT_original_glcm_Contrast"],
            "sequence": ["form", "t1gd"],
            "region": ["WT", "WT"],
            "perturbed": [0.9, 0.95],
            "predicted": [0.8, 0.3],
        }
    )
    columns = ["original_glcm_Contrast", "original_shape_Elongation", "original_glcm_Idm"]
    kept = stability_filter.stable_columns(agreement, columns)
    assert kept["all features"] == columns
    assert kept["stable in perturbed masks"] == columns[:2]
    assert kept["stable in predicted masks"] == ["original_shape_Elongation"]
    assert kept["stable in both"] == ["original_shape_Elongation"]
