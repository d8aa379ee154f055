"""Features of a region's form (IBSI 3.1), under PyRadiomics' names."""

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.radiomics.diameters import mesh_diameters
from gliomaai_training.radiomics.mesh import mesh_volume_and_area

NAMES = (
    "Elongation",
    "Flatness",
    "LeastAxisLength",
    "MajorAxisLength",
    "Maximum2DDiameterColumn",
    "Maximum2DDiameterRow",
    "Maximum2DDiameterSlice",
    "Maximum3DDiameter",
    "MeshVolume",
    "MinorAxisLength",
    "Sphericity",
    "SurfaceArea",
    "SurfaceVolumeRatio",
    "VoxelVolume",
)
"""In mm, mm2, mm3; ratios have no unit and the surface-to-volume ratio is in 1/mm."""

OF_NOTHING = {"MeshVolume": 0.0, "VoxelVolume": 0.0, "SurfaceArea": 0.0}
"""What a region without voxels measures; its other features are unknown."""

AXIS_SCALE = 4.0
"""Axis lengths are four standard deviations: twice the semi-axis of the ellipsoid (IBSI TDIC)."""


def shape_features(
    mask: NDArray[np.bool_], voxel_mm: tuple[float, float, float]
) -> dict[str, float]:
    """All of `NAMES`.

    Args:
        mask: (z, y, x), cut to the region with at least one voxel of nothing around it.
        voxel_mm: voxel size along z, y, x.
    """
    voxels = np.argwhere(mask)
    if not len(voxels):
        return {name: OF_NOTHING.get(name, np.nan) for name in NAMES}
    volume, area = mesh_volume_and_area(mask, voxel_mm)
    diameters = mesh_diameters(mask, voxel_mm)
    least, minor, major = _axis_lengths(voxels * np.asarray(voxel_mm))
    across_z, across_y, across_x = diameters.planes
    return {
        "Elongation": minor / major if major > 0 else np.nan,
        "Flatness": least / major if major > 0 else np.nan,
        "LeastAxisLength": least,
        "MajorAxisLength": major,
        "Maximum2DDiameterColumn": across_y,
        "Maximum2DDiameterRow": across_x,
        "Maximum2DDiameterSlice": across_z,
        "Maximum3DDiameter": diameters.volume,
        "MeshVolume": volume,
        "MinorAxisLength": minor,
        "Sphericity": sphericity(volume, area),
        "SurfaceArea": area,
        "SurfaceVolumeRatio": area / volume,
        "VoxelVolume": float(len(voxels) * np.prod(voxel_mm)),
    }


def sphericity(volume_mm3: float, area_mm2: float) -> float:
    """Surface of the sphere of this volume by the surface itself; 1 for a sphere (IBSI QCFX)."""
    return float(np.cbrt(36 * np.pi * volume_mm3**2) / area_mm2)


def _axis_lengths(points_mm: NDArray[np.float64]) -> tuple[float, float, float]:
    """Least, minor and major axis of the ellipsoid of the same covariance (IBSI 3.1.12 to 14)."""
    centred = points_mm - points_mm.mean(axis=0)
    covariance = centred.T @ centred / len(points_mm)
    # Rounding makes the zero of a flat region slightly negative.
    lengths = AXIS_SCALE * np.sqrt(np.maximum(np.linalg.eigvalsh(covariance), 0.0))
    return float(lengths[0]), float(lengths[1]), float(lengths[2])
