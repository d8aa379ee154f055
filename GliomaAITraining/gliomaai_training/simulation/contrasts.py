"""Tissue contrasts of a co-registered, skull-stripped case: how real and simulated ones compare."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.vocabulary import SEQUENCES, Label

TISSUES = ("WM", "GM", "CSF", "ED", "ET", "NCR")
"""The tissues of the contrast table, in its order."""

_TUMOUR_MARGIN_VOXELS = 8
_SAMPLES = 20_000
_MINIMUM_VOXELS = 150
_CLUSTER_ROUNDS = 25


def read_case(folder: Path) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.uint8]]:
    """The sequences and the label array of a case folder, shaped (k, j, i).

    Raises:
        ValueError: the folder lacks one of the four sequences or `seg.nii.gz`.
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    for name in (*SEQUENCES, "seg"):
        path = folder / f"{name}.nii.gz"
        if not path.is_file():
            raise ValueError(f"{path.name} is missing in case folder {folder.name}")
        arrays[name] = sitk.GetArrayFromImage(sitk.ReadImage(str(path))).astype(np.float32)
    labels = arrays.pop("seg").astype(np.uint8)
    return arrays, labels


def tissue_contrasts(
    sequences: Mapping[str, NDArray[np.float32]], labels: NDArray[np.uint8]
) -> dict[str, dict[str, float]]:
    """Median of each tissue over the median of normal white matter, for each sequence.

    Normal tissues are clustered (k-means on T1, T2 and FLAIR) well away from the tumour, by the
    same rule for real and simulated cases. A tissue with too few voxels gives NaN.

    Returns:
        tissue: sequence: ratio.
    """
    masks = _normal_tissue_masks(sequences, labels)
    for name in ("ED", "ET", "NCR"):
        masks[name] = labels == Label[name]
    table: dict[str, dict[str, float]] = {}
    for tissue in TISSUES:
        table[tissue] = {}
        for name in SEQUENCES:
            reference = float(np.median(sequences[name][masks["WM"]]))
            values = sequences[name][masks[tissue]]
            values = values[values > 0]
            enough = values.size >= _MINIMUM_VOXELS
            table[tissue][name] = float(np.median(values)) / reference if enough else float("nan")
    return table


def _normal_tissue_masks(
    sequences: Mapping[str, NDArray[np.float32]], labels: NDArray[np.uint8]
) -> dict[str, NDArray[np.bool_]]:
    from scipy import ndimage

    near = ndimage.distance_transform_edt(labels == 0) < _TUMOUR_MARGIN_VOXELS
    if not (labels > 0).any():
        near = np.zeros(labels.shape, bool)
    usable = ~near
    for name in ("t1", "t2", "flair"):
        usable &= sequences[name] > 0
    usable = ndimage.binary_erosion(usable, iterations=2)
    values = np.stack([sequences[name][usable] for name in ("t1", "t2", "flair")], axis=1)
    features = (values / np.median(values, axis=0)).astype(np.float32)
    rng = np.random.default_rng(0)
    sample = features[rng.integers(len(features), size=_SAMPLES)]
    start = [[1.15, 0.85, 0.9], [0.95, 1.1, 1.1], [0.55, 2.2, 0.5]]
    centres: NDArray[np.float32] = np.array(start, dtype=np.float32)
    for _ in range(_CLUSTER_ROUNDS):
        nearest = _nearest(sample, centres)
        for index in range(len(centres)):
            if (nearest == index).any():
                centres[index] = np.median(sample[nearest == index], axis=0)
    nearest = _nearest(features, centres)
    masks = {}
    for index, tissue in enumerate(("WM", "GM", "CSF")):
        mask = np.zeros(labels.shape, bool)
        mask[usable] = nearest == index
        masks[tissue] = mask
    return masks


def _nearest(points: NDArray[np.float32], centres: NDArray[np.float32]) -> NDArray[np.int64]:
    distances = ((points[:, None, :] - centres[None]) ** 2).sum(axis=2)
    return np.asarray(distances.argmin(axis=1), dtype=np.int64)
