"""What each feature is in the Image Biomarker Standardisation Initiative's terms.

Reference: Zwanenburg et al., IBSI reference manual (arXiv 1612.07003), and Radiology 2020.
Texture features are those of 3D matrices at distance 1; those of co-occurrence and run lengths are
averaged over directions (IBSI aggregation IAZD). Where PyRadiomics and IBSI differ, the feature is
PyRadiomics' and the note says how.
"""

from collections.abc import Mapping
from types import MappingProxyType

import pandas as pd

from gliomaai_training.radiomics.config import FeatureClass
from gliomaai_training.radiomics.region import NAMES

NONE = ""
"""IBSI has no code for it."""

_SHAPE = {
    "Elongation": "Q3CK",
    "Flatness": "N17B",
    "LeastAxisLength": "7J51",
    "MajorAxisLength": "TDIC",
    "Maximum3DDiameter": "L0JK",
    "MeshVolume": "RNU0",
    "MinorAxisLength": "P9VJ",
    "Sphericity": "QCFX",
    "SurfaceArea": "C0JK",
    "SurfaceVolumeRatio": "2PR5",
    "VoxelVolume": "YEKZ",
}
_FIRST_ORDER = {
    "10Percentile": "QG58",
    "90Percentile": "8DWT",
    "Energy": "N8CA",
    "Entropy": "TLU2",
    "InterquartileRange": "SALO",
    "Kurtosis": "IPH6",
    "Maximum": "84IY",
    "Mean": "Q4LE",
    "MeanAbsoluteDeviation": "4FUA",
    "Median": "Y12H",
    "Minimum": "1GSF",
    "Range": "2OJQ",
    "RobustMeanAbsoluteDeviation": "1128",
    "RootMeanSquared": "5ZWQ",
    "Skewness": "KE2A",
    "Uniformity": "BJ5W",
    "Variance": "ECT3",
}
_GLCM = {
    "Autocorrelation": "QWB0",
    "ClusterProminence": "AE86",
    "ClusterShade": "7NFM",
    "ClusterTendency": "DG8W",
    "Contrast": "ACUI",
    "Correlation": "NI2N",
    "DifferenceAverage": "TF7R",
    "DifferenceEntropy": "NTRS",
    "DifferenceVariance": "D3YU",
    "Id": "IB1Z",
    "Idm": "WF0Z",
    "Idmn": "1QCO",
    "Idn": "NDRX",
    "Imc1": "R8DG",
    "Imc2": "JN9H",
    "InverseVariance": "E8JP",
    "JointAverage": "60VM",
    "JointEnergy": "8ZQL",
    "JointEntropy": "TU9B",
    "MaximumProbability": "GYBY",
    "SumAverage": "ZGXS",
    "SumEntropy": "P6QZ",
    "SumSquares": "UR99",
}
_GLRLM = {
    "GrayLevelNonUniformity": "R5YN",
    "GrayLevelNonUniformityNormalized": "OVBL",
    "GrayLevelVariance": "8CE5",
    "HighGrayLevelRunEmphasis": "G3QZ",
    "LongRunEmphasis": "W4KF",
    "LongRunHighGrayLevelEmphasis": "3KUM",
    "LongRunLowGrayLevelEmphasis": "IVPO",
    "LowGrayLevelRunEmphasis": "V3SW",
    "RunEntropy": "HJ9O",
    "RunLengthNonUniformity": "W92Y",
    "RunLengthNonUniformityNormalized": "IC23",
    "RunPercentage": "9ZK5",
    "RunVariance": "SXLW",
    "ShortRunEmphasis": "22OV",
    "ShortRunHighGrayLevelEmphasis": "GD3A",
    "ShortRunLowGrayLevelEmphasis": "HTZT",
}
_GLSZM = {
    "GrayLevelNonUniformity": "JNSA",
    "GrayLevelNonUniformityNormalized": "Y1RO",
    "GrayLevelVariance": "BYLV",
    "HighGrayLevelZoneEmphasis": "5GN9",
    "LargeAreaEmphasis": "48P8",
    "LargeAreaHighGrayLevelEmphasis": "J17V",
    "LargeAreaLowGrayLevelEmphasis": "YH51",
    "LowGrayLevelZoneEmphasis": "XMSY",
    "SizeZoneNonUniformity": "4JP3",
    "SizeZoneNonUniformityNormalized": "VB3A",
    "SmallAreaEmphasis": "P001",
    "SmallAreaHighGrayLevelEmphasis": "HW1V",
    "SmallAreaLowGrayLevelEmphasis": "5RAI",
    "ZoneEntropy": "GU8N",
    "ZonePercentage": "P30P",
    "ZoneVariance": "3NSA",
}
_GLDM = {
    "DependenceEntropy": "FCBV",
    "DependenceNonUniformity": "Z87G",
    "DependenceNonUniformityNormalized": "OKJI",
    "DependenceVariance": "DNX2",
    "GrayLevelNonUniformity": "FP8K",
    "GrayLevelVariance": "1PFV",
    "HighGrayLevelEmphasis": "OAE7",
    "LargeDependenceEmphasis": "IMOQ",
    "LargeDependenceHighGrayLevelEmphasis": "9QMG",
    "LargeDependenceLowGrayLevelEmphasis": "NBZI",
    "LowGrayLevelEmphasis": "TL9H",
    "SmallDependenceEmphasis": "SODN",
    "SmallDependenceHighGrayLevelEmphasis": "JA6D",
    "SmallDependenceLowGrayLevelEmphasis": "EQ3F",
}
_NGTDM = {
    "Busyness": "NQ30",
    "Coarseness": "QCDE",
    "Complexity": "HDEZ",
    "Contrast": "65HE",
    "Strength": "1X9X",
}

IBSI_CODES: Mapping[FeatureClass, Mapping[str, str]] = MappingProxyType(
    {
        "shape": _SHAPE,
        "firstorder": _FIRST_ORDER,
        "glcm": _GLCM,
        "glrlm": _GLRLM,
        "glszm": _GLSZM,
        "gldm": _GLDM,
        "ngtdm": _NGTDM,
    }
)
"""IBSI's permanent codes; features that are not here have none."""

NOTES: Mapping[tuple[FeatureClass, str], str] = MappingProxyType(
    {
        ("firstorder", "Kurtosis"): "not in excess: 3 more than IBSI's",
        ("firstorder", "TotalEnergy"): "energy times a voxel's volume in mm3",
        ("glcm", "MCC"): "maximal correlation coefficient (Haralick 1973)",
        ("shape", "Maximum2DDiameterSlice"): "among the mesh's vertices of one plane across z",
        ("shape", "Maximum2DDiameterColumn"): "among the mesh's vertices of one plane across y",
        ("shape", "Maximum2DDiameterRow"): "among the mesh's vertices of one plane across x",
        **{
            ("shape", f"{axis}AxisLength"): "covariance over n voxels; IBSI's over n - 1"
            for axis in ("Major", "Minor", "Least")
        },
        **{
            ("ngtdm", name): "a voxel without neighbours counts with difference 0; IBSI omits it"
            for name in _NGTDM
        },
    }
)


def feature_dictionary() -> pd.DataFrame:
    """One row for each feature: `class`, `feature`, `ibsi_code`, `note`."""
    rows = [
        (group, name, IBSI_CODES[group].get(name, NONE), NOTES.get((group, name), ""))
        for group, names in NAMES.items()
        for name in names
    ]
    return pd.DataFrame(rows, columns=["class", "feature", "ibsi_code", "note"])
