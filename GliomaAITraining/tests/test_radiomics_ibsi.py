"""Our features against the reference values of the IBSI digital phantom.

The values are those of the reference manual's benchmark tables (arXiv 1612.07003, also in
ibsi-doc and in the compliance sheets), 3D, co-occurrence and run lengths averaged over directions.
Each stands with three significant digits, except where the manual gives a tolerance.
"""

import numpy as np
import pytest
from radiomics_makers import PHANTOM_SPACING_MM, as_image, digital_phantom

from gliomaai_training.radiomics.config import Discretisation, RadiomicsConfig
from gliomaai_training.radiomics.dictionary import IBSI_CODES, feature_dictionary
from gliomaai_training.radiomics.extract import extract
from gliomaai_training.radiomics.images import FeatureCase
from gliomaai_training.vocabulary import Label

SHAPE = {
    "RNU0": (556, 4),
    "YEKZ": (592, 4),
    "C0JK": (388, 3),
    "2PR5": (0.698, 0.004),
    "QCFX": (0.843, 0.005),
    "L0JK": (13.1, 0.1),
    "Q3CK": (0.816, 0.005),
    "N17B": (0.749, 0.005),
}
"""Value and tolerance by code."""

EXACT = {
    "Q4LE": "2.15", "ECT3": "3.05", "KE2A": "1.08", "Y12H": "1", "1GSF": "1", "QG58": "1",
    "8DWT": "4", "84IY": "6", "SALO": "3", "2OJQ": "5", "4FUA": "1.55", "1128": "1.11",
    "N8CA": "567", "5ZWQ": "2.77", "TLU2": "1.27", "BJ5W": "0.512",
    "GYBY": "0.503", "60VM": "2.14", "UR99": "3.1", "TU9B": "2.4", "TF7R": "1.43", "D3YU": "3.06",
    "NTRS": "1.56", "ZGXS": "4.29", "P6QZ": "1.92", "8ZQL": "0.303", "ACUI": "5.32",
    "IB1Z": "0.677", "NDRX": "0.851", "WF0Z": "0.618", "1QCO": "0.898", "E8JP": "0.0604",
    "NI2N": "0.157", "QWB0": "5.06", "DG8W": "7.07", "7NFM": "16.6", "AE86": "145",
    "R8DG": "-0.157", "JN9H": "0.52",
    "22OV": "0.705", "W4KF": "3.06", "V3SW": "0.603", "G3QZ": "9.7", "HTZT": "0.352",
    "GD3A": "8.54", "IVPO": "2.39", "3KUM": "17.6", "R5YN": "21.8", "OVBL": "0.43",
    "W92Y": "26.9", "IC23": "0.513", "9ZK5": "0.68", "8CE5": "3.46", "SXLW": "0.574",
    "HJ9O": "2.43",
    "P001": "0.255", "48P8": "550", "XMSY": "0.253", "5GN9": "15.6", "5RAI": "0.0256",
    "HW1V": "2.76", "YH51": "503", "J17V": "1490", "JNSA": "1.4", "Y1RO": "0.28", "4JP3": "1",
    "VB3A": "0.2", "P30P": "0.0676", "BYLV": "2.64", "3NSA": "331", "GU8N": "2.32",
    "SODN": "0.045", "IMOQ": "109", "TL9H": "0.693", "OAE7": "7.66", "EQ3F": "0.00963",
    "JA6D": "0.736", "NBZI": "102", "9QMG": "235", "FP8K": "37.9", "Z87G": "4.86",
    "OKJI": "0.0657", "1PFV": "3.05", "DNX2": "22.1", "FCBV": "4.4",
    "QCDE": "0.0296", "65HE": "0.584", "NQ30": "6.54", "HDEZ": "13.5", "1X9X": "0.763",
}  # fmt: skip
"""Value by code, as printed."""

AXES = {"TDIC": (11.4, 0.1), "P9VJ": (9.31, 0.06), "7J51": (8.54, 0.05)}
"""Value and tolerance by code."""

EXCESS_KURTOSIS = ("IPH6", -0.355)


@pytest.fixture(scope="module")
def by_code() -> dict[str, float]:
    levels, inside = digital_phantom()
    spacing_mm = (PHANTOM_SPACING_MM,) * 3
    labels = np.where(inside, Label.ED, Label.BACKGROUND).astype(np.uint8)
    case = FeatureCase(
        "phantom", {"t1": as_image(levels, spacing_mm)}, as_image(labels, spacing_mm)
    )
    recipe = RadiomicsConfig(
        regions=("WT",),
        sequences=("t1",),
        normalisation="none",
        discretisation=Discretisation(bin_width=1.0),
    )
    values = extract(case, recipe).values
    return {
        code: values[
            f"WT_original_shape_{name}" if group == "shape" else f"t1_WT_original_{group}_{name}"
        ]
        for group, codes in IBSI_CODES.items()
        for name, code in codes.items()
    }


@pytest.mark.parametrize(("code", "expected"), EXACT.items())
def test_value_of_the_digital_phantom(by_code: dict[str, float], code: str, expected: str) -> None:
    assert f"{by_code[code]:.3g}" == f"{float(expected):.3g}"


@pytest.mark.parametrize(("code", "expected"), SHAPE.items())
def test_shape_of_the_digital_phantom(
    by_code: dict[str, float], code: str, expected: tuple[float, float]
) -> None:
    value, tolerance = expected
    assert by_code[code] == pytest.approx(value, abs=tolerance)


def test_kurtosis_is_ibsi_s_and_three(by_code: dict[str, float]) -> None:
    code, excess = EXCESS_KURTOSIS
    assert by_code[code] - 3 == pytest.approx(excess, abs=5e-4)


@pytest.mark.parametrize(("code", "expected"), AXES.items())
def test_axes_of_the_digital_phantom(
    by_code: dict[str, float], code: str, expected: tuple[float, float]
) -> None:
    """IBSI divides the covariance by one less than the voxels, PyRadiomics by the voxels."""
    voxels = np.count_nonzero(digital_phantom()[1])
    value, tolerance = expected
    assert by_code[code] * np.sqrt(voxels / (voxels - 1)) == pytest.approx(value, abs=tolerance)


def test_every_code_is_proven() -> None:
    codes = [code for group in IBSI_CODES.values() for code in group.values()]
    assert len(codes) == len(set(codes))
    assert set(codes) == {*EXACT, *SHAPE, *AXES, EXCESS_KURTOSIS[0]}


def test_the_dictionary_names_every_feature_once() -> None:
    table = feature_dictionary()
    assert len(table) == 107
    assert not table.duplicated(["class", "feature"]).any()
    without_code = table.loc[table["ibsi_code"] == "", "feature"]
    assert set(without_code) == {
        "TotalEnergy",
        "MCC",
        "Maximum2DDiameterColumn",
        "Maximum2DDiameterRow",
        "Maximum2DDiameterSlice",
    }
