"""Where the brain lies in each native image, and on the common grid."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Literal

import numpy as np
import SimpleITK as sitk

from gliomaai_training.findings import BlockingFindingError, Finding, Severity
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.resampling import resample

if TYPE_CHECKING:
    from gliomaai_training.preprocessing.brain_mask import BrainMasker

BrainMaskSource = Literal["network", "hd-bet", "stripped"]
"""Where masks come from: the brain mask network, HD-BET in a process of its own, or the images'
own zeros. Images that are stripped already keep their own mask in every case."""

LARGEST_BRAIN_ML = 2300.0
"""Where more than this is not 0, an image is not skull-stripped: a whole head has 3,000 and up."""
LARGEST_STRIPPED_SHARE = 0.7
"""A stripped image fills no more of its field of view than this."""
SAME_OUTLINE = 0.97
"""Dice above which two sequences' non-zero voxels are one and the same brain."""


class Origin(StrEnum):
    """Where a mask comes from."""

    OUTLINE = "outline"
    """The image is skull-stripped; the mask is what is not 0."""
    NETWORK = "network"
    HD_BET = "HD-BET"
    NOWHERE = "nowhere"
    """No brain was found, or none was looked for."""


@dataclass(frozen=True)
class Brain:
    """What is known of the brain in one native image."""

    origin: Origin
    mask: sitk.Image | None = None
    """UInt8 in the image's own space, on any grid."""
    logit: sitk.Image | None = None
    """The network's."""


@dataclass(frozen=True)
class CommonBrain:
    """The brain of the whole study."""

    mask: sitk.Image
    """UInt8, 1 inside the brain, on the common grid."""
    findings: tuple[Finding, ...]


def find_brains(
    images: Mapping[str, sitk.Image],
    reference: str,
    source: BrainMaskSource,
    masker: "BrainMasker | None",
) -> dict[str, Brain]:
    """Finds the brain in every native image.

    Args:
        images: finite, by sequence.
        reference: the sequence looked at first; those with its very outline are not asked again.
        source: where masks come from.
        masker: the network; not needed for stripped images.

    Raises:
        BlockingFindingError: an image has its skull and there is nothing that finds the brain.
    """
    brains: dict[str, Brain] = {}
    for name in sorted(images, key=lambda name: name != reference):
        known = brains.get(reference)
        if known is not None and _has_outline(images[name], known):
            brains[name] = known
            continue
        outline = _outline(images[name], source, masker)
        if outline is not None:
            brains[name] = outline
        elif source == "hd-bet" and name == reference:
            brains[name] = _by_hd_bet(images[name])
        else:
            brains[name] = _by_network(name, images[name], source, masker)
    return brains


def fuse_brains(
    brains: Mapping[str, Brain], to_native: Mapping[str, sitk.Transform], grid: Grid
) -> CommonBrain:
    """One mask on the common grid, and what speaks against it.

    Stripped sequences give the union of their outlines: what any of them keeps is brain, and
    nothing can be seen beyond. Without one, the logits of all sequences are averaged.

    Args:
        brains: by sequence.
        to_native: maps points (LPS mm) of the common grid to each native image.
        grid: the common grid.

    Raises:
        BlockingFindingError: no brain was found.
    """
    from gliomaai_training.preprocessing.brain_mask import cleaned, fuse, logit_on

    given = _carried(brains, to_native, grid)
    findings: tuple[Finding, ...] = ()
    if len(given) == 1:
        mask = given[0]
    elif given:
        union = np.any([sitk.GetArrayViewFromImage(each) > 0 for each in given], axis=0)
        mask = grid.image(cleaned(union).astype(np.uint8))
    else:
        fused = fuse(
            {
                name: logit_on(brain.logit, grid, to_native[name])
                for name, brain in brains.items()
                if brain.logit is not None
            }
        )
        mask, findings = fused.mask, fused.findings
    if not sitk.GetArrayViewFromImage(mask).any():
        raise BlockingFindingError(_no_brain())
    return CommonBrain(mask, findings)


def _carried(
    brains: Mapping[str, Brain], to_native: Mapping[str, sitk.Transform], grid: Grid
) -> list[sitk.Image]:
    """The different masks that need no network, on the common grid: outlines, else HD-BET's."""
    origins = {brain.origin for brain in brains.values()}
    wanted = Origin.OUTLINE if Origin.OUTLINE in origins else Origin.HD_BET
    found: dict[tuple[int, tuple[float, ...]], sitk.Image] = {}
    for name, brain in brains.items():
        # Sequences stripped by one mask share it; it needs to be carried over only once.
        key = (id(brain.mask), tuple(to_native[name].GetParameters()))
        if brain.origin is wanted and brain.mask is not None and key not in found:
            found[key] = resample(brain.mask, grid, to_native[name], sitk.sitkNearestNeighbor)
    return list(found.values())


def _outline(
    image: sitk.Image, source: BrainMaskSource, masker: "BrainMasker | None"
) -> Brain | None:
    """The outline of an image that is skull-stripped, or said to be; else None."""
    # torch is imported only where a brain is looked for.
    from gliomaai_training.preprocessing.brain_mask import is_stripped, stripped_mask

    if source != "stripped":
        if not looks_stripped(image):
            return None
        # With noise in its background even a stripped image has no outline of its own.
        if masker is not None and not is_stripped(image, masker.logit(image)):
            return None
    return Brain(Origin.OUTLINE, stripped_mask(image))


def _by_network(
    name: str, image: sitk.Image, source: BrainMaskSource, masker: "BrainMasker | None"
) -> Brain:
    if masker is None:
        if source == "hd-bet":  # the reference has a mask; this one is registered without
            return Brain(Origin.NOWHERE)
        raise BlockingFindingError(_no_masker(name))
    logit = masker.logit(image)
    mask = sitk.Cast(logit > 0, sitk.sitkUInt8)
    found = bool(sitk.GetArrayViewFromImage(mask).any())
    return Brain(Origin.NETWORK, mask if found else None, logit)


def _by_hd_bet(image: sitk.Image) -> Brain:
    from gliomaai_training.preprocessing.hd_bet import HdBetError, hd_bet_mask

    try:
        return Brain(Origin.HD_BET, hd_bet_mask(image))
    except HdBetError as error:
        finding = Finding(
            "preparation.hd_bet",
            Severity.BLOCKING,
            f"HD-BET gave no brain mask: {error}.",
            "Use the brain mask network.",
        )
        raise BlockingFindingError(finding) from error


def looks_stripped(image: sitk.Image) -> bool:
    """Whether the voxels that are not 0 could be a brain without its head.

    A head has more volume than a brain, and its background seldom is exactly 0. A head that
    lies partly outside its field of view can pass, which only the network can tell.
    """
    array = sitk.GetArrayViewFromImage(image)
    count = int(np.count_nonzero(array))
    volume_ml = count * Grid.of(image).voxel_ml
    return count < LARGEST_STRIPPED_SHARE * array.size and volume_ml <= LARGEST_BRAIN_ML


def _has_outline(image: sitk.Image, brain: Brain) -> bool:
    """Whether an image is not 0 exactly where a stripped image of the same grid is brain."""
    if brain.origin is not Origin.OUTLINE or brain.mask is None:
        return False
    if not Grid.of(image).matches(Grid.of(brain.mask)):
        return False
    one = sitk.GetArrayViewFromImage(image) != 0
    other = sitk.GetArrayViewFromImage(brain.mask) > 0
    return 2 * int((one & other).sum()) >= SAME_OUTLINE * (int(one.sum()) + int(other.sum()))


def _no_masker(name: str) -> Finding:
    return Finding(
        "preparation.no_brain_mask",
        Severity.BLOCKING,
        f"{name} is not skull-stripped, and there is no brain mask network.",
        "Install the brain mask pack, or give skull-stripped images.",
        (name,),
    )


def _no_brain() -> Finding:
    return Finding(
        "preparation.no_brain",
        Severity.BLOCKING,
        "No brain was found in the images.",
        "Check that these are MR images of a head, in the right orientation.",
    )
