"""Where voxels lie. SimpleITK images carry geometry (LPS mm); interfaces speak RAS mm."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

LPS_FROM_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])
"""Turns homogeneous RAS coordinates into LPS ones, and back."""

GRID_TOLERANCE_MM = 1e-3
"""Two grids are the same when no corner voxel's centre differs by more than this."""


@dataclass(frozen=True)
class Grid:
    """The geometry of an image without its voxels, in SimpleITK's terms (LPS mm)."""

    size: tuple[int, int, int]
    """Voxels along i, j, k; the numpy shape is the reverse."""
    spacing_mm: tuple[float, float, float]
    origin_mm: tuple[float, float, float]
    direction: tuple[float, ...]
    """Nine direction cosines, row by row."""

    @classmethod
    def of(cls, image: sitk.Image) -> "Grid":
        """The grid of a three-dimensional image."""
        return cls(image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection())

    @property
    def ijk_to_lps(self) -> NDArray[np.float64]:
        """4x4 matrix from voxel index (i, j, k, 1) to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing_mm)
        matrix[:3, 3] = self.origin_mm
        return matrix

    @property
    def ijk_to_ras(self) -> NDArray[np.float64]:
        """4x4 matrix from voxel index (i, j, k, 1) to RAS mm, as NIfTI and Slicer write it."""
        return LPS_FROM_RAS @ self.ijk_to_lps

    @property
    def voxel_ml(self) -> float:
        """Volume of one voxel in mL."""
        return float(np.prod(self.spacing_mm)) / 1000.0

    def image(self, array: NDArray[np.generic]) -> sitk.Image:
        """An image of this geometry holding `array`, shaped (k, j, i).

        Raises:
            ValueError: the array's shape is not this grid's.
        """
        if array.shape != self.size[::-1]:
            raise ValueError(f"array of shape {array.shape} on a grid of shape {self.size[::-1]}")
        image = sitk.GetImageFromArray(array)
        image.SetSpacing(self.spacing_mm)
        image.SetOrigin(self.origin_mm)
        image.SetDirection(self.direction)
        return image

    def matches(self, other: "Grid") -> bool:
        """Whether both grids have the same voxels, within `GRID_TOLERANCE_MM`."""
        if self.size != other.size:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.size])).reshape(3, -1)
        corners = np.vstack([corners, np.ones(corners.shape[1])])
        shift = (self.ijk_to_lps - other.ijk_to_lps) @ corners
        return bool(np.abs(shift).max() <= GRID_TOLERANCE_MM)
