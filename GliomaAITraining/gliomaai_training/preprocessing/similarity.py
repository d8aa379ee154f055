"""How well a pose explains one image by another: mutual information at sampled points."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from gliomaai_training.preprocessing.geometry import Grid

BINS = 16
"""Few, so that some thousand points fill the joint histogram."""
TAILS_PERCENT = (0.5, 99.5)
"""Intensities beyond these percentiles share the outermost bins."""


@dataclass(frozen=True)
class Pose:
    """A rigid movement about a fixed centre: p goes to R (p - centre) + centre + shift (LPS mm)."""

    centre_mm: NDArray[np.float64]
    rotation_rad: NDArray[np.float64]
    """About x, y, z, in SimpleITK's Euler order."""
    shift_mm: NDArray[np.float64]

    @property
    def transform(self) -> sitk.Euler3DTransform:
        """The same as SimpleITK writes it."""
        transform = sitk.Euler3DTransform()
        transform.SetCenter(self.centre_mm.tolist())
        transform.SetRotation(*self.rotation_rad.tolist())
        transform.SetTranslation(self.shift_mm.tolist())
        return transform

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The rotation, 3x3: about y first, then x, then z, as SimpleITK's Euler transform."""
        (cx, cy, cz), (sx, sy, sz) = np.cos(self.rotation_rad), np.sin(self.rotation_rad)
        return np.array(
            [
                [cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy],
                [sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy],
                [-cx * sy, sx, cx * cy],
            ]
        )

    @classmethod
    def of(cls, transform: sitk.Euler3DTransform) -> "Pose":
        """The pose that a SimpleITK transform holds."""
        parameters = np.asarray(transform.GetParameters())
        return cls(np.asarray(transform.GetCenter()), parameters[:3], parameters[3:])

    def moved(self, points_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (n, 3) after the movement."""
        relative = points_mm - self.centre_mm
        return relative @ self.matrix.T + self.centre_mm + self.shift_mm


class Similarity:
    """Normalised mutual information of two images at points of the fixed one.

    The measure is 2 I(F, M) / (H(F) + H(M)), between 0 (independent) and 1 (each determines the
    other), from a joint histogram of 16 x 16 bins (Studholme et al. 1999 discuss why the
    normalisation makes it bearable where the images overlap only in part).
    """

    def __init__(
        self,
        fixed: sitk.Image,
        moving: sitk.Image,
        mask: sitk.Image,
        count: int,
        generator: np.random.Generator,
    ) -> None:
        """Draws the points.

        Args:
            fixed: float image.
            moving: float image, in any place.
            mask: on the fixed image's grid; points are drawn where it is not 0.
            count: at most so many points.
            generator: draws them.

        Raises:
            ValueError: the mask is empty.
        """
        index = np.argwhere(sitk.GetArrayViewFromImage(mask) > 0)
        if not len(index):
            raise ValueError("no voxel to compare: the mask is empty")
        index = index[generator.permutation(len(index))[:count]]
        values = sitk.GetArrayViewFromImage(fixed)[tuple(index.T)]
        affine = Grid.of(fixed).ijk_to_lps
        self.points_mm: NDArray[np.float64] = index[:, ::-1] @ affine[:3, :3].T + affine[:3, 3]
        self._fixed_bins = _scaled(values, values).astype(np.int64)
        array = sitk.GetArrayFromImage(moving).astype(np.float32)
        self._moving = _scaled(array, array[array > 0]).astype(np.float32)
        self._to_index = np.linalg.inv(Grid.of(moving).ijk_to_lps)

    def overlap(self, pose: Pose) -> float:
        """The share of the points that lie inside the moving image, 0 to 1."""
        return float(self._inside(self._index(pose)).mean())

    def __call__(self, pose: Pose) -> float:
        """The measure at a pose; halved overlap and less is punished in proportion."""
        index = self._index(pose)
        inside = self._inside(index)
        if not inside.any():
            return 0.0
        moving = ndimage.map_coordinates(
            self._moving, index[:, inside], order=1, mode="nearest", prefilter=False
        ).astype(np.int64)
        pairs = self._fixed_bins[inside] * BINS + moving
        joint = np.bincount(pairs, minlength=BINS * BINS).reshape(BINS, BINS) / len(pairs)
        fixed, other = _entropy(joint.sum(axis=1)), _entropy(joint.sum(axis=0))
        if fixed + other <= 0:
            return 0.0
        information = fixed + other - _entropy(joint.ravel())
        return float(2 * information / (fixed + other) * min(1.0, 2 * inside.mean()))

    def _index(self, pose: Pose) -> NDArray[np.float64]:
        """k, j, i (3, n) of the points in the moving image."""
        # One product for the whole way: this runs some thousand times in a registration.
        matrix = self._to_index[:3, :3] @ pose.matrix
        shift = self._to_index[:3, :3] @ (pose.centre_mm + pose.shift_mm) + self._to_index[:3, 3]
        shift -= matrix @ pose.centre_mm
        index: NDArray[np.float64] = matrix[::-1] @ self.points_mm.T + shift[::-1, None]
        return index

    def _inside(self, index: NDArray[np.float64]) -> NDArray[np.bool_]:
        inside = np.ones(index.shape[1], bool)
        for places, length in zip(index, self._moving.shape, strict=True):
            inside &= (places > -0.5) & (places < length - 0.5)
        return inside


def _scaled(values: NDArray[np.float32], sample: NDArray[np.float32]) -> NDArray[np.floating]:
    """Intensities as fractional bins, 0 to just under `BINS`, by the sample's percentiles."""
    if not sample.size:
        return np.zeros(values.shape, np.float32)
    low, high = np.percentile(sample[:: max(1, sample.size // 200_000)], TAILS_PERCENT)
    scaled = (values - low) / max(float(high - low), 1e-6)
    result: NDArray[np.floating] = np.clip(scaled, 0.0, 1.0) * (BINS - 1e-3)
    return result


def _entropy(probabilities: NDArray[np.float64]) -> float:
    positive = probabilities[probabilities > 0]
    return float(-(positive * np.log(positive)).sum())
