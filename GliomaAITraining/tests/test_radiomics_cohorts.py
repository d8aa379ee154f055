"""Radiomics of cohorts and the command: workers, cache, failures and tables."""

import json
import multiprocessing
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk
from cohort_makers import write_cohort

from gliomaai_training.cli import main
from gliomaai_training.cohorts.manifest import CaseFiles, read_manifest
from gliomaai_training.progress import Cancelled
from gliomaai_training.radiomics import cohort as cohort_module
from gliomaai_training.radiomics.cache import MEASURING, cache_key
from gliomaai_training.radiomics.cohort import extract_cohort
from gliomaai_training.radiomics.config import (
    FEATURE_CLASSES,
    Discretisation,
    RadiomicsConfig,
    config_from_json,
)
from gliomaai_training.radiomics.extract import feature_columns
from gliomaai_training.radiomics.shape import NAMES as SHAPE_NAMES

RECIPE = RadiomicsConfig(regions=("WT", "ET"), minimum_voxels=8)
ANOTHER = RadiomicsConfig(regions=("WT", "ET"), sequences=("t1",), normalisation="none")


def test_the_number_of_workers_changes_nothing(tiny_cohort: Path) -> None:
    files = read_manifest(tiny_cohort, "tiny")
    one = extract_cohort(files, RECIPE)
    two = extract_cohort(files, RECIPE, workers=2)
    pd.testing.assert_frame_equal(one.features, two.features)
    pd.testing.assert_frame_equal(one.regions, two.regions)
    assert list(one.features["case"]) == [case.case for case in files]
    assert np.isfinite(one.features["t1gd_WT_original_glcm_Contrast"]).all()


def test_a_measured_case_is_not_measured_again(
    tiny_cohort: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = read_manifest(tiny_cohort, "tiny")
    first = extract_cohort(files, RECIPE, cache=tmp_path / "cache")

    def refuse(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(cohort_module, "extract", refuse)
    again = extract_cohort(files, RECIPE, cache=tmp_path / "cache")
    pd.testing.assert_frame_equal(first.features, again.features)
    pd.testing.assert_frame_equal(first.regions, again.regions)


def test_the_cache_knows_images_masks_recipes_and_nothing_else(tmp_path: Path) -> None:
    files = read_manifest(write_cohort(tmp_path / "a", ["A", "B"]), "a")
    renamed = CaseFiles("other", "P", "b", files[0].sequences, files[0].segmentation)
    key = cache_key(files[0], RECIPE)
    assert cache_key(renamed, RECIPE) == key
    assert cache_key(files[1], RECIPE) != key
    assert cache_key(files[0], ANOTHER) != key
    assert files[0].segmentation is not None
    sitk.WriteImage(sitk.ReadImage(str(files[0].segmentation)) * 0, str(files[0].segmentation))
    assert cache_key(files[0], RECIPE) != key


def test_the_cache_knows_every_module_that_measures() -> None:
    """Whatever is loaded of the package when features are extracted."""
    code = (
        "import sys, gliomaai_training.radiomics.extract\n"
        "print(*(name for name in sys.modules if name.startswith('gliomaai_training.radiomics.')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    loaded = sorted(name.rpartition(".")[2] for name in done.stdout.split())
    assert loaded == sorted(MEASURING)


def test_a_damaged_cache_entry_is_measured_anew(tiny_cohort: Path, tmp_path: Path) -> None:
    files = read_manifest(tiny_cohort, "tiny")[:1]
    cache = tmp_path / "cache"
    first = extract_cohort(files, RECIPE, cache=cache)
    entry = cache / f"{cache_key(files[0], RECIPE)}.json"
    entry.write_text(entry.read_text("utf-8")[:100], "utf-8")
    again = extract_cohort(files, RECIPE, cache=cache)
    pd.testing.assert_frame_equal(first.features, again.features)


def test_a_case_that_cannot_be_measured_is_told(tiny_cohort: Path) -> None:
    files = read_manifest(tiny_cohort, "tiny")
    (tiny_cohort.parent / "case-01" / "seg.nii.gz").write_bytes(b"no image")
    (tiny_cohort.parent / "case-02" / "seg.nii.gz").unlink()
    unsegmented = CaseFiles("case-03", "D", "tiny", files[3].sequences, None)
    found = extract_cohort([*files[:3], unsegmented], RECIPE)
    assert list(found.features["case"]) == ["case-00"]
    assert list(found.failures["case"]) == ["case-01", "case-02", "case-03"]
    assert found.failures["reason"].str.len().gt(10).all()


def test_cancelling_keeps_what_is_measured(tiny_cohort: Path, tmp_path: Path) -> None:
    files = read_manifest(tiny_cohort, "tiny")

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0.3:
            raise Cancelled

    with pytest.raises(Cancelled):
        extract_cohort(files, RECIPE, cache=tmp_path, progress=stop)
    assert len(list(tmp_path.glob("*.json"))) == 2
    assert list(tmp_path.glob("*.part")) == []


def test_cancelling_ends_the_workers(tiny_cohort: Path, tmp_path: Path) -> None:
    files = read_manifest(tiny_cohort, "tiny") * 20

    def stop(stage: str, fraction: float) -> None:
        if fraction > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        extract_cohort(files, RECIPE, workers=2, progress=stop)
    assert multiprocessing.active_children() == []


def test_no_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="workers"):
        extract_cohort([], workers=0)


def test_the_command_writes_tables_that_say_how_they_were_made(
    tiny_cohort: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out" / "features.csv"
    words = ["radiomics", "--data", str(tiny_cohort.parent), "--table", tiny_cohort.name]
    recipe = ["--regions", "WT", "--sequences", "t1", "flair", "--bin-number", "16"]
    assert main([*words, "--out", str(out), *recipe]) == 0
    table = pd.read_csv(out)
    told = json.loads(out.with_name("features.json").read_text("utf-8"))
    assert table.shape == (6, 3 + 14 + 2 * 93)
    assert set(table["cohort"]) == {"cohort"}
    assert told["cases"] == 6
    assert config_from_json(told["config"]).discretisation == Discretisation(None, 16)
    for part in ("regions", "failures", "dictionary"):
        assert out.with_name(f"features.{part}.csv").is_file()
    again = tmp_path / "again.csv"
    assert main([*words, "--out", str(again), "--config", str(out.with_name("features.json"))]) == 0
    pd.testing.assert_frame_equal(pd.read_csv(again), table)
    both = ["--config", str(out.with_name("features.json")), "--regions", "ET"]
    assert main([*words, "--out", str(again), *both]) == 1


def test_every_class_has_columns() -> None:
    columns = feature_columns(RadiomicsConfig())
    assert len(columns) == len(set(columns)) == 5 * 14 + 4 * 5 * 93
    for group in FEATURE_CLASSES:
        assert any(f"_{group}_" in column for column in columns)
    assert len(SHAPE_NAMES) == 14
