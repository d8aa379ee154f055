"""Cases as training reads them: brain crops in 8 bits, one small file each."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.cohorts.manifest import CaseFiles
from gliomaai_training.preprocessing.coarsening import block_means, coarser_shape, mean_signal
from gliomaai_training.preprocessing.network_input import brain_box, normalise
from gliomaai_training.preprocessing.resampling import NATIVE_SPACING_TOLERANCE_MM
from gliomaai_training.vocabulary import SEQUENCES, Label

LEVELS = 255
"""0 is outside the brain or absent; 1 to 255 span the sequence's intensities in the brain."""

LEGACY_ET = 4
"""Public files before 2023 write enhancing tumour as 4."""


@dataclass(frozen=True)
class StoredCase:
    """One case's brain crop."""

    case: str
    patient: str
    cohort: str
    images: NDArray[np.uint8]
    """(4, z, y, x), 0 outside the brain."""
    present: NDArray[np.bool_]
    """(4,)"""
    labels: NDArray[np.uint8]
    """(z, y, x) `vocabulary.Label` values."""
    voxel_mm: tuple[float, float, float]
    """Voxel size along z, y, x."""

    @property
    def brain(self) -> NDArray[np.bool_]:
        """(z, y, x), where any sequence is not 0."""
        return np.asarray(self.images.any(axis=0))

    @property
    def voxel_ml(self) -> float:
        """Volume of a voxel in mL."""
        return float(np.prod(self.voxel_mm)) / 1000.0

    def normalised(self, factors: Sequence[NDArray[np.float32]] = ()) -> NDArray[np.float32]:
        """The images as a network reads them, (4, z, y, x).

        Args:
            factors: (z, y, x) for each sequence, multiplied in before; or none.
        """
        brain = self.brain
        images = (
            [i * f for i, f in zip(self.images, factors, strict=True)] if factors else self.images
        )
        return np.stack([normalise(image, brain) for image in images])


def store_cases(cases: Sequence[CaseFiles], folder: Path) -> list[Path]:
    """Converts co-registered, skull-stripped cases; files that exist already are kept.

    Returns:
        One file for each case, named by its images' content so that changed images convert anew.

    Raises:
        ValueError: a case has no segmentation, or its images differ in size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for case in cases:
        file = folder / f"{case.cohort}-{case.case}-{_fingerprint(case)}.npz"
        if not file.exists():
            write_case(convert_case(case), file)
        files.append(file)
    return files


def convert_case(case: CaseFiles) -> StoredCase:
    """Reads one case and cuts it to its brain (where any sequence is not 0)."""
    if case.segmentation is None:
        raise ValueError(f"case {case.case} has no segmentation to train on")
    segmentation = read_oriented(case.segmentation)
    images = {name: read_oriented(file) for name, file in case.sequences.items()}
    for name, image in images.items():
        if image.GetSize() != segmentation.GetSize():
            raise ValueError(
                f"{name} of case {case.case} has size {image.GetSize()}, "
                f"its segmentation {segmentation.GetSize()}"
            )
    arrays = {name: sitk.GetArrayFromImage(image) for name, image in images.items()}
    brain = np.any([array != 0 for array in arrays.values()], axis=0)
    box = brain_box(brain)
    labels = sitk.GetArrayFromImage(segmentation)[box].astype(np.uint8)
    labels[labels == LEGACY_ET] = Label.ET
    stack = np.zeros((len(SEQUENCES), *labels.shape), np.uint8)
    for index, name in enumerate(SEQUENCES):
        if name in arrays:
            stack[index] = to_levels(arrays[name][box], brain[box])
    present = np.array([name in arrays for name in SEQUENCES])
    spacing_mm = segmentation.GetSpacing()
    voxel_mm = (spacing_mm[2], spacing_mm[1], spacing_mm[0])
    return StoredCase(case.case, case.patient, case.cohort, stack, present, labels, voxel_mm)


def load_case(file: Path) -> StoredCase:
    """Reads a file that `store_cases` wrote."""
    with np.load(file, allow_pickle=False) as content:
        voxel_mm = content["voxel_mm"]
        return StoredCase(
            case=str(content["case"]),
            patient=str(content["patient"]),
            cohort=str(content["cohort"]),
            images=content["images"],
            present=content["present"],
            labels=content["labels"],
            voxel_mm=(float(voxel_mm[0]), float(voxel_mm[1]), float(voxel_mm[2])),
        )


def to_levels(array: NDArray[np.generic], brain: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """One sequence in 8 bits, as `StoredCase.images` holds it; 0 outside the brain."""
    inside = brain & (array != 0)
    levels = np.zeros(array.shape, np.uint8)
    if not inside.any():
        return levels
    values = array[inside].astype(np.float32)
    low, high = np.percentile(values, (0.0, 99.95))
    scaled = (values - low) / max(float(high - low), 1e-6) * (LEVELS - 1)
    levels[inside] = 1 + np.clip(np.rint(scaled), 0, LEVELS - 1).astype(np.uint8)
    return levels


def coarsened(case: StoredCase, voxel_mm: float) -> StoredCase:
    """The case on coarser, cubic voxels: mean intensities, and the label most voxels have.

    Args:
        case: a stored case.
        voxel_mm: the new voxel's edge; the case's own gives the case itself.

    Raises:
        ValueError: the case's voxels are larger.
    """
    if np.allclose(case.voxel_mm, voxel_mm, atol=NATIVE_SPACING_TOLERANCE_MM):
        return case
    shape = coarser_shape(case.labels.shape, case.voxel_mm, voxel_mm)
    images = np.rint(mean_signal(case.images, shape)).astype(np.uint8)
    shares = block_means(np.stack([case.labels == label for label in Label]), shape)
    labels = shares.argmax(axis=0).astype(np.uint8)
    return replace(case, images=images, labels=labels, voxel_mm=(voxel_mm,) * 3)


def write_case(case: StoredCase, file: Path) -> None:
    """Writes one case for `load_case`; a crash leaves no half of it."""
    partial = file.with_suffix(".partial.npz")
    np.savez_compressed(partial, **case.__dict__)
    partial.replace(file)


def read_oriented(file: Path) -> sitk.Image:
    """An image with its axes in the order that stored cases have."""
    image: sitk.Image = sitk.DICOMOrient(sitk.ReadImage(str(file)), "LPS")
    return image


def _fingerprint(case: CaseFiles) -> str:
    digest = hashlib.sha256()
    files = [*case.sequences.values(), *([case.segmentation] if case.segmentation else [])]
    for file in files:
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()[:12]
