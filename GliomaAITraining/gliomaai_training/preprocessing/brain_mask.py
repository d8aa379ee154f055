"""The brain mask of a study that is not skull-stripped, and the test whether it is."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from torch import nn

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.inference.model_pack import ModelPack
from gliomaai_training.preprocessing.brain_mask_grid import (
    NETWORK_SPACING_MM,
    apply_along_axes,
    coarse_size,
    normalised,
    padded_size,
    resampling_matrix,
)
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.network_input import brain_box

PACK_NAME = "brain-mask"
PLAUSIBLE_ML = (900.0, 2000.0)
"""Volumes of adult brains with their inner fluid; outside, something went wrong."""
AGREEMENT_FLOOR = 0.9
"""Two sequences of one patient whose masks agree less (Dice) contradict each other."""
STRIPPED_BELOW = 0.1
"""Bright volume outside the mask / volume of the mask. Measured: stripped at most .0022, raw at
least .53."""
BRIGHT_SHARE = 0.15
"""Bright: above this share of the 99.5th percentile."""
CLEARANCE_MM = 5.0
"""Only what lies further than this from the mask counts as outside."""
MIN_SIZE_VOXELS = 4


@dataclass(frozen=True)
class BrainMask:
    """The brain of a study on one grid."""

    mask: sitk.Image
    """UInt8, 1 inside the brain."""
    volume_ml: float
    agreement: Mapping[tuple[str, str], float]
    """Dice of every two sequences' own masks, where both see the anatomy."""
    findings: tuple[Finding, ...]


class BrainMasker:
    """The brain mask network of a model pack; the network is built when it is first needed."""

    def __init__(self, pack: ModelPack) -> None:
        self.pack = pack

    @cached_property
    def _network(self) -> nn.Module:
        from gliomaai_training.networks.build import build_network

        network = build_network(self.pack.settings["network"])
        network.load_state_dict(self.pack.weights())
        return network.eval()

    def logit(self, image: sitk.Image) -> sitk.Image:
        """The mask's logits over the image's field of view (positive: brain).

        Args:
            image: one sequence in its native geometry, any contrast, orientation, obliqueness and
                slice thickness.

        Returns:
            Float32 image of 3 mm voxels along the image's own axes, in RAS order, that covers
            the field of view. Between its voxels logits are interpolated linearly.

        Raises:
            ValueError: the image is not three-dimensional, too small, or without any signal.
        """
        return network_logit(self._network, image)


def network_logit(network: nn.Module, image: sitk.Image) -> sitk.Image:
    """`BrainMasker.logit` with a network that is at hand.

    The mean of two passes: the head, and its mirror image placed one voxel further, so that the
    network's stride meets the surface elsewhere.
    """
    volume, grid = coarse_volume(image)
    with torch.inference_mode():
        straight = _padded_pass(network, volume, shift=0)
        mirrored = _padded_pass(network, volume.flip(0), shift=1).flip(0)
        logits = ((straight + mirrored) / 2).float()
    return grid.image(np.ascontiguousarray(logits.numpy().transpose(2, 1, 0)))


def _padded_pass(network: nn.Module, volume: torch.Tensor, shift: int) -> torch.Tensor:
    target = [padded_size(size + shift) for size in volume.shape]
    window = []
    for wanted, size in zip(target, volume.shape, strict=True):
        before = (wanted - size - shift) // 2 + shift
        window.append(slice(before, before + size))
    padded = torch.zeros(1, 1, *target).contiguous(memory_format=torch.channels_last_3d)
    padded[0, 0][tuple(window)] = volume
    logits: torch.Tensor = network(padded)[0, 0][tuple(window)]
    return logits


def coarse_volume(image: sitk.Image) -> tuple[torch.Tensor, Grid]:
    """The image as the network sees it: normalised, RAS (X, Y, Z), 3 mm; and its grid.

    Raises:
        ValueError: the image is not three-dimensional, too small, or without any signal.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise ValueError("the brain mask needs a three-dimensional image with one value a voxel")
    if min(image.GetSize()) < MIN_SIZE_VOXELS:
        raise ValueError(f"an image of {image.GetSize()} voxels is too small for a brain mask")
    oriented = sitk.DICOMOrient(image, "RAS")
    array = sitk.GetArrayFromImage(oriented).astype(np.float32, copy=False)
    size, spacing = oriented.GetSize()[::-1], oriented.GetSpacing()[::-1]
    matrices = [
        torch.from_numpy(resampling_matrix(n, step)) for n, step in zip(size, spacing, strict=True)
    ]
    finite = torch.from_numpy(array).nan_to_num_(nan=0.0, posinf=0.0, neginf=0.0)
    # Averaged as it lies in memory; only the coarse volume is turned to (X, Y, Z).
    coarse = apply_along_axes(finite, matrices).permute(2, 1, 0).contiguous()
    volume = normalised(coarse)
    if not bool(volume.max() > volume.min()):
        raise ValueError("the image has no signal: every voxel has the same value")
    return volume, _coarse_grid(oriented)


def _coarse_grid(oriented: sitk.Image) -> Grid:
    size = oriented.GetSize()
    coarse = [coarse_size(n, step) for n, step in zip(size, oriented.GetSpacing(), strict=True)]
    centre = oriented.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in size])
    axes = np.reshape(oriented.GetDirection(), (3, 3))
    half = (np.asarray(coarse) - 1) / 2 * NETWORK_SPACING_MM
    return Grid(
        size=(coarse[0], coarse[1], coarse[2]),
        spacing_mm=(NETWORK_SPACING_MM,) * 3,
        origin_mm=tuple(np.asarray(centre) - axes @ half),
        direction=oriented.GetDirection(),
    )


def logit_on(logit: sitk.Image, grid: Grid, to_native: sitk.Transform | None = None) -> sitk.Image:
    """A sequence's logits on another grid; NaN where the sequence does not see.

    Args:
        logit: from `BrainMasker.logit`.
        grid: where they are wanted, for example the common grid.
        to_native: maps a point (LPS mm) of that grid to the same anatomy in the sequence.
    """
    resample = sitk.ResampleImageFilter()
    resample.SetSize(grid.size)
    resample.SetOutputSpacing(grid.spacing_mm)
    resample.SetOutputOrigin(grid.origin_mm)
    resample.SetOutputDirection(grid.direction)
    resample.SetTransform(to_native or sitk.Transform(3, sitk.sitkIdentity))
    resample.SetInterpolator(sitk.sitkLinear)
    resample.SetDefaultPixelValue(float("nan"))
    resampled: sitk.Image = resample.Execute(logit)
    return resampled


def fuse(logits: Mapping[str, sitk.Image]) -> BrainMask:
    """One mask from the sequences' logits: the sign of their mean over those that see a voxel.

    Args:
        logits: by sequence, all on one grid (`logit_on`), NaN where a sequence does not see.

    Raises:
        ValueError: no logits, or grids that differ.
    """
    if not logits:
        raise ValueError("there is no sequence to make a brain mask from")
    grid = Grid.of(next(iter(logits.values())))
    for name, image in logits.items():
        if not grid.matches(Grid.of(image)):
            raise ValueError(f"the logits of {name} lie on another grid")
    arrays = {name: sitk.GetArrayViewFromImage(image) for name, image in logits.items()}
    mask = cleaned(_mean_logit(list(arrays.values())) > 0)
    volume_ml = float(np.count_nonzero(mask)) * grid.voxel_ml
    agreement = {
        (one, other): _dice(arrays[one], arrays[other]) for one, other in combinations(arrays, 2)
    }
    findings = (*_volume_findings(volume_ml), *_agreement_findings(agreement))
    return BrainMask(grid.image(mask.astype(np.uint8)), volume_ml, agreement, findings)


def _mean_logit(arrays: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    total = np.zeros(arrays[0].shape, np.float32)
    seen = np.zeros(arrays[0].shape, np.uint8)
    for array in arrays:
        sees = ~np.isnan(array)
        np.add(total, array, out=total, where=sees)
        seen += sees
    return np.where(seen > 0, total / np.maximum(seen, 1), np.float32(-1))


def cleaned(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The largest connected piece of a mask, with its holes filled."""
    result = np.zeros(mask.shape, bool)
    if not mask.any():
        return result
    # Labels take four bytes a voxel: only in the mask's own box, with a rim that is outside.
    box = brain_box(mask)
    image = sitk.GetImageFromArray(np.pad(mask[box], 1).astype(np.uint8))
    components = sitk.ConnectedComponent(image)
    sizes = np.bincount(sitk.GetArrayViewFromImage(components).ravel())
    largest = components == (int(sizes[1:].argmax()) + 1)
    filled = sitk.GetArrayFromImage(sitk.BinaryFillhole(largest))
    result[box] = filled[1:-1, 1:-1, 1:-1]
    return result


def _dice(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Dice of two masks by their logits, where neither is NaN."""
    first, second = one > 0, other > 0
    total = np.count_nonzero(first & ~np.isnan(other)) + np.count_nonzero(second & ~np.isnan(one))
    return 2 * np.count_nonzero(first & second) / total if total else 0.0


def _volume_findings(volume_ml: float) -> tuple[Finding, ...]:
    low, high = PLAUSIBLE_ML
    if low <= volume_ml <= high:
        return ()
    return (
        Finding(
            code="brain_mask.volume",
            severity=Severity.WARNING,
            message=f"The brain mask has {volume_ml:.0f} mL; adults have {low:.0f} to {high:.0f}.",
            action="Check the mask; a field of view that cuts the brain also gives a small volume.",
        ),
    )


def _agreement_findings(agreement: Mapping[tuple[str, str], float]) -> tuple[Finding, ...]:
    return tuple(
        Finding(
            code="brain_mask.disagreement",
            severity=Severity.WARNING,
            message=f"The brain masks of {one} and {other} agree poorly (Dice {dice:.2f}).",
            action="Check the co-registration and the mask of these two sequences.",
            sequences=(one, other),
        )
        for (one, other), dice in agreement.items()
        if dice < AGREEMENT_FLOOR
    )


def outside_share(image: sitk.Image, logit: sitk.Image) -> float:
    """Bright volume more than 5 mm outside the network's mask, divided by the mask's volume.

    Infinite when the network finds no brain. Computed on the logit's 3 mm grid.
    """
    volume, grid = coarse_volume(image)
    if not grid.matches(Grid.of(logit)):
        raise ValueError("these logits belong to another image")
    mask = logit > 0
    mask_voxels = int(np.count_nonzero(sitk.GetArrayViewFromImage(mask)))
    if mask_voxels == 0:
        return float("inf")
    distance = sitk.SignedMaurerDistanceMap(
        mask, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    bright = volume > BRIGHT_SHARE * torch.quantile(volume.reshape(-1), 0.995)
    outside = sitk.GetArrayViewFromImage(distance).transpose(2, 1, 0) > CLEARANCE_MM
    return float(np.count_nonzero(bright.numpy() & outside)) / mask_voxels


def is_stripped(image: sitk.Image, logit: sitk.Image) -> bool:
    """Whether the image holds hardly anything bright outside the brain.

    The share of exact zeros does not tell: noise removes it, and raw images can have it.

    Args:
        image: one sequence in its native geometry.
        logit: what `BrainMasker.logit` says of this image.

    Raises:
        ValueError: the logits belong to another image.
    """
    return outside_share(image, logit) < STRIPPED_BELOW


def stripped_mask(image: sitk.Image) -> sitk.Image:
    """The mask that a skull-stripped image already has: its largest non-zero piece, holes filled.

    Returns:
        UInt8 image on the image's own grid.

    Raises:
        ValueError: every voxel is zero.
    """
    array = sitk.GetArrayViewFromImage(image)
    signal = array != 0
    signal &= array == array  # not where NaN
    if not signal.any():
        raise ValueError("the image has no signal: every voxel is zero")
    return Grid.of(image).image(cleaned(signal).astype(np.uint8))
