"""Our features against PyRadiomics 3.0.1: its values kept as data, and itself where installed."""

import json

import numpy as np
import pytest
from radiomics_makers import (
    ORACLE_REGIONS,
    ORACLE_RUNS,
    ORACLE_SIGMAS_MM,
    ORACLE_WAVELET,
    as_image,
    formula_volume,
)
from radiomics_oracle import EXPECTED, pyradiomics_values

from gliomaai_training.radiomics.config import (
    FEATURE_CLASSES,
    Discretisation,
    FilterConfig,
    RadiomicsConfig,
)
from gliomaai_training.radiomics.extract import FeatureVector, extract
from gliomaai_training.radiomics.images import FeatureCase
from gliomaai_training.radiomics.mesh import mesh_volume_and_area

RELATIVE = 1e-6

MESH_OF_NOISE = (1933.6625000000029, 4481.129516322634)
"""mm3 and mm2."""

FILTERS = FilterConfig(ORACLE_SIGMAS_MM, ORACLE_WAVELET)
DISCRETISATION = {"width": Discretisation(25.0), "number": Discretisation(None, 16)}


@pytest.fixture(scope="module")
def ours() -> dict[str, FeatureVector]:
    array, labels = formula_volume()
    case = FeatureCase("formula", {"t1": as_image(array)}, as_image(labels))
    found = {}
    for run, discretisation in DISCRETISATION.items():
        recipe = RadiomicsConfig(
            regions=tuple(ORACLE_REGIONS),
            sequences=("t1",),
            normalisation="none",
            discretisation=discretisation,
            filters=FILTERS if run == "width" else FilterConfig(),
            margin_mm=100.0,
        )
        found[run] = extract(case, recipe)
    return found


def value_of(vector: FeatureVector, region: str, name: str) -> float:
    shape = f"{region}_{name}"
    return vector.values[shape if shape in vector.values else f"t1_{region}_{name}"]


@pytest.mark.parametrize("run", ORACLE_RUNS)
@pytest.mark.parametrize("region", ORACLE_REGIONS)
def test_features_are_pyradiomics(ours: dict[str, FeatureVector], run: str, region: str) -> None:
    expected = json.loads(EXPECTED.read_text("utf-8"))[f"{run} {region}"]
    found = {name: value_of(ours[run], region, name) for name in expected}
    assert found == pytest.approx(expected, rel=RELATIVE, abs=1e-12)


def test_the_expected_values_are_of_all_classes_and_filters() -> None:
    expected = json.loads(EXPECTED.read_text("utf-8"))["width WT"]
    originals = [name for name in expected if name.startswith("original")]
    assert len(originals) == 107
    assert {name.split("_")[1] for name in originals} == set(FEATURE_CLASSES)
    assert len({name.split("_")[0] for name in expected}) == 1 + len(ORACLE_SIGMAS_MM) + 8


def test_features_are_those_of_the_installed_pyradiomics(ours: dict[str, FeatureVector]) -> None:
    pytest.importorskip("radiomics", reason="PyRadiomics is not installed")
    array, labels = formula_volume()
    mask = as_image(np.isin(labels, ORACLE_REGIONS["TC"]).astype(np.uint8))
    expected = pyradiomics_values(as_image(array), mask, ORACLE_RUNS["number"], filters=False)
    found = {name: value_of(ours["number"], "TC", name) for name in expected}
    assert found == pytest.approx(expected, rel=RELATIVE, abs=1e-12)


def test_every_cell_of_the_mesh_is_cut_as_pyradiomics_cuts_it() -> None:
    """Noise holds all 256 cells; the values are of its `cShape.calculate_coefficients`."""
    coordinates = np.indices((14, 15, 16))
    noise = np.sin(12.9898 * coordinates[0] + 78.233 * coordinates[1] + 37.719 * coordinates[2])
    mask = np.zeros((14, 15, 16), bool)
    inside = (slice(1, -1),) * 3
    mask[inside] = (noise[inside] * 43758.5453) % 1 > 0.5
    volume, area = mesh_volume_and_area(mask, (2.5, 0.7, 1.1))
    assert (volume, area) == pytest.approx(MESH_OF_NOISE, rel=1e-12)
