"""The published UCSF-PDGM feature table: our names, and the relations between its shapes."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gliomaai_training.radiomics.region import NAMES
from gliomaai_training.radiomics.shape import NAMES as SHAPE_NAMES
from gliomaai_training.radiomics.shape import sphericity

TABLE = Path(__file__).parents[3] / "shared/data/tables/ucsf_pdgm_radiomics_t1gd.csv"

NOT_FEATURES = {
    "patient",
    "diagnostics_Mask-original_VoxelNum",
    "diagnostics_Mask-original_VolumeNum",
    "diagnostics_Mask-original_CenterOfMass",
    "diagnostics_Mask-original_BoundingBox",
}
"""Columns that say whose the row is and where the mask lies."""

VOXEL_MM3 = 1.0


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    if not TABLE.is_file():
        pytest.skip(f"no development data at {TABLE}")
    return pd.read_csv(TABLE)


def shape(table: pd.DataFrame, name: str) -> np.ndarray:
    return table[f"original_shape_{name}"].to_numpy(float)


def test_every_column_is_a_feature_of_ours(table: pd.DataFrame) -> None:
    ours = {f"original_{group}_{name}" for group, names in NAMES.items() for name in names}
    columns = set(table.columns)
    assert len(table.columns) == 105
    assert columns - ours == NOT_FEATURES
    assert {f"original_shape_{name}" for name in SHAPE_NAMES} <= columns
    assert ours - columns == {
        "original_glcm_MCC",
        "original_glcm_SumAverage",
        *(f"original_ngtdm_{name}" for name in NAMES["ngtdm"]),
    }


def test_its_shapes_obey_our_formulas(table: pd.DataFrame) -> None:
    volume, area = shape(table, "MeshVolume"), shape(table, "SurfaceArea")
    expected = [sphericity(one, other) for one, other in zip(volume, area, strict=True)]
    assert shape(table, "Sphericity") == pytest.approx(expected, rel=1e-9)
    assert shape(table, "SurfaceVolumeRatio") == pytest.approx(area / volume, rel=1e-9)
    major = shape(table, "MajorAxisLength")
    for ratio, axis in (("Elongation", "Minor"), ("Flatness", "Least")):
        lengths = shape(table, f"{axis}AxisLength")
        assert shape(table, ratio) == pytest.approx(lengths / major, rel=1e-9)


def test_its_volumes_and_diameters_are_possible(table: pd.DataFrame) -> None:
    voxels = table["diagnostics_Mask-original_VoxelNum"].to_numpy(float)
    assert shape(table, "VoxelVolume") == pytest.approx(voxels * VOXEL_MM3, rel=1e-9)
    assert shape(table, "MeshVolume") == pytest.approx(shape(table, "VoxelVolume"), rel=0.05)
    for plane in ("Slice", "Column", "Row"):
        assert (
            shape(table, f"Maximum2DDiameter{plane}") <= shape(table, "Maximum3DDiameter")
        ).all()


def test_its_intensities_obey_our_formulas(table: pd.DataFrame) -> None:
    values = {name: table[f"original_firstorder_{name}"] for name in NAMES["firstorder"]}
    voxels = table["diagnostics_Mask-original_VoxelNum"]
    assert values["Range"].to_numpy() == pytest.approx(
        (values["Maximum"] - values["Minimum"]).to_numpy(), rel=1e-9
    )
    power = values["Variance"] + values["Mean"] ** 2
    assert values["Energy"].to_numpy() == pytest.approx((power * voxels).to_numpy(), rel=1e-6)
    assert values["RootMeanSquared"].to_numpy() == pytest.approx(np.sqrt(power), rel=1e-6)
    contrast = (
        table["original_glcm_DifferenceVariance"] + table["original_glcm_DifferenceAverage"] ** 2
    )
    # A mean over directions: the square of a mean is no more than the mean of squares.
    assert (contrast <= table["original_glcm_Contrast"] * (1 + 1e-9)).all()
    total = table["original_glcm_ClusterTendency"] + table["original_glcm_Contrast"]
    assert total.to_numpy() == pytest.approx(4 * table["original_glcm_SumSquares"], rel=1e-6)
