"""How good the brain mask network is: on simulated heads, expert tumours and stripped volumes."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from torch import nn

from gliomaai_training.preprocessing.brain_mask import (
    cleaned,
    fuse,
    logit_on,
    network_logit,
    outside_share,
)
from gliomaai_training.preprocessing.brain_mask_grid import NETWORK_SPACING_MM
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import SEQUENCES

if TYPE_CHECKING:
    from gliomaai_training.simulation.head_acquisition import HeadSample

FUSED = "fused"
SLICES_FOV_MM = 240.0
"""The 2-D collection has no geometry: this in-plane field of view is assumed."""
SLICES_HEIGHT_MM = 150.0
"""And its slices are assumed to span this height, as the axial planning of a head does."""
SLICES_GAP_MM = (2.0, 7.5)
HELD_OUT_SEED = 900_000_000
"""Simulated heads for evaluation start here, far from any training's."""


@dataclass(frozen=True)
class SimulatedDice:
    """Dice of the network's mask with a simulated head's true one, per head."""

    dice: tuple[float, ...]


@dataclass(frozen=True)
class Containment:
    """The share of an expert's tumour that lies inside the brain mask, per patient."""

    by_sequence: Mapping[str, Mapping[str, float]]
    """Sequence or `fused`: patient: share, 0 to 1."""


def evaluate_simulated(
    network: nn.Module, heads: int, progress: Progress = silent
) -> SimulatedDice:
    """Draws held-out heads, one contrast each, and compares masks on the network's grid."""
    from gliomaai_training.simulation.head_acquisition import draw_sample

    found = []
    for index in range(heads):
        progress("simulated heads", index / heads)
        sample = draw_sample(HELD_OUT_SEED + index)
        logit = sitk.GetArrayFromImage(network_logit(network, sample_image(sample)))
        found.append(dice(logit.transpose(2, 1, 0) > 0, sample.target.numpy() > 0.5))
    return SimulatedDice(tuple(found))


def sample_image(sample: "HeadSample") -> sitk.Image:
    """A simulated head as an image with geometry, as the network's user has it."""
    image = sitk.GetImageFromArray(sample.image.numpy().transpose(2, 1, 0))
    image.SetSpacing((NETWORK_SPACING_MM,) * 3)
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))  # the sample's axes are RAS
    return image


def slice_gap_mm(slices: int) -> float:
    """The slice distance assumed for a stack without geometry."""
    low, high = SLICES_GAP_MM
    return min(max(SLICES_HEIGHT_MM / slices, low), high)


def slice_stack(array: NDArray[np.uint8]) -> sitk.Image:
    """An image of axial slices (inferior first; anterior and right first) without geometry."""
    image = sitk.GetImageFromArray(array)
    plane = SLICES_FOV_MM / array.shape[2]
    image.SetSpacing((plane, plane, slice_gap_mm(array.shape[0])))
    return image


def evaluate_containment(
    network: nn.Module, folder: Path, progress: Progress = silent
) -> Containment:
    """The expert's whole tumour inside the mask, over the patients of `lgg_slices`.

    Raises:
        FileNotFoundError: the folder has no `patients.csv`.
    """
    import pandas as pd

    patients = pd.read_csv(folder / "patients.csv")
    shares: dict[str, dict[str, float]] = {name: {} for name in (*SEQUENCES, FUSED)}
    for index, row in enumerate(patients.itertuples()):
        progress("expert tumours", index / len(patients))
        missing = {name for name in ("t1", "t1gd") if bool(getattr(row, f"{name}_missing"))}
        name = str(row.patient)
        with np.load(folder / f"{name}.npz") as arrays:
            tumour = np.asarray(arrays["whole_tumor"]) > 0
            images = {
                sequence: slice_stack(np.asarray(arrays[sequence]))
                for sequence in SEQUENCES
                if sequence in arrays.files and sequence not in missing
            }
        for sequence, share in _contained(network, images, tumour).items():
            shares[sequence][name] = share
    return Containment({name: values for name, values in shares.items() if values})


def _contained(
    network: nn.Module, images: Mapping[str, sitk.Image], tumour: NDArray[np.bool_]
) -> dict[str, float]:
    logits = {
        name: logit_on(network_logit(network, image), Grid.of(image))
        for name, image in images.items()
    }
    masks = {name: cleaned(sitk.GetArrayFromImage(logit) > 0) for name, logit in logits.items()}
    masks[FUSED] = sitk.GetArrayFromImage(fuse(logits).mask) > 0
    count = np.count_nonzero(tumour)
    return {name: float(np.count_nonzero(mask & tumour) / count) for name, mask in masks.items()}


def evaluate_outside(network: nn.Module, images: Mapping[str, sitk.Image]) -> dict[str, float]:
    """`outside_share` of every image: what tells stripped from raw."""
    return {
        name: outside_share(image, network_logit(network, image)) for name, image in images.items()
    }


def cpu_seconds(network: nn.Module, images: Sequence[sitk.Image]) -> float:
    """Mean process CPU-seconds from an image to its logits, the first run left out."""
    network_logit(network, images[0])
    started = time.process_time()
    for image in images:
        network_logit(network, image)
    return (time.process_time() - started) / len(images)


def summary(values: Sequence[float]) -> dict[str, float]:
    """Count, mean, median, 5th percentile and minimum."""
    array = np.asarray(values)
    return {
        "n": float(array.size),
        "mean": float(array.mean()),
        "median": float(np.median(array)),
        "p5": float(np.quantile(array, 0.05)),
        "worst": float(array.min()),
    }


def dice(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Twice the overlap of two masks over the sum of their sizes; 1 when both are empty."""
    total = np.count_nonzero(one) + np.count_nonzero(other)
    return 2 * np.count_nonzero(one & other) / total if total else 1.0


def read_series(folder: Path) -> dict[str, sitk.Image]:
    """Every DICOM series of a folder, by its description; for evaluation only."""
    series = {}
    for uid in sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder)):
        files = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), uid)
        image = sitk.ReadImage(files, sitk.sitkFloat32)
        reader = sitk.ImageFileReader()
        reader.SetFileName(files[0])
        reader.ReadImageInformation()
        description = reader.GetMetaData("0008|103e") if reader.HasMetaDataKey("0008|103e") else uid
        series[description.strip()] = image
    return series
