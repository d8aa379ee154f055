"""From a study's native images to one grid: `prepare`."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import SimpleITK as sitk

from gliomaai_training.findings import BlockingFindingError, Finding, Severity
from gliomaai_training.preprocessing.alignment import Alignment, align
from gliomaai_training.preprocessing.bias_field import correct_bias_field
from gliomaai_training.preprocessing.brains import (
    Brain,
    BrainMaskSource,
    Origin,
    find_brains,
    fuse_brains,
)
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.orientation import orientation_findings, to_lps
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.preprocessing.quality import (
    check_image,
    common_findings,
    coverage,
    noise_findings,
    thickness_findings,
)
from gliomaai_training.preprocessing.registration import Side
from gliomaai_training.preprocessing.resampling import common_grid, is_common, resample
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import SEQUENCES, reference_sequence

if TYPE_CHECKING:
    from gliomaai_training.preprocessing.brain_mask import BrainMasker


@dataclass(frozen=True)
class PreparationConfig:
    """What is done on the way to the common grid."""

    brain_mask: BrainMaskSource = "network"
    """Where the brain mask of images with their skull comes from."""
    n4: bool = False
    """Whether the bias field is corrected."""


def prepare(
    images: Mapping[str, sitk.Image],
    config: PreparationConfig | None = None,
    progress: Progress = silent,
    masker: "BrainMasker | None" = None,
) -> Prepared:
    """Brings a study's sequences on one 1 mm grid, with a brain mask.

    The same input gives the same bytes, whatever the number of processors.

    Args:
        images: native images by `vocabulary.SEQUENCES` name.
        config: settings; the default ones if None.
        progress: told about each step; may cancel.
        masker: finds the brain in images that are not skull-stripped.

    Raises:
        ValueError: no sequence, a name that is none of the four, or no 3D volume.
        BlockingFindingError: no sequence can be used, or there is no way to find the brain.
    """
    config = config or PreparationConfig()
    usable, findings = _check(images, progress)
    reference = reference_sequence(list(usable))
    grid = common_grid(Grid.of(usable[reference]))
    progress("brain mask", 0.0)
    brains = find_brains(usable, reference, config.brain_mask, masker)
    alignments = dict(_align(usable, brains, reference, progress))
    findings += [found.finding for found in alignments.values() if found.finding is not None]
    kept = [name for name in usable if alignments[name].finding is None]
    _require_agreement(kept, list(usable))
    to_native = {name: alignments[name].transform for name in kept}
    progress("resampling", 0.0)
    brain = fuse_brains({name: brains[name] for name in kept}, to_native, grid)
    sequences = {name: resample(usable[name], grid, to_native[name]) for name in kept}
    findings += [*brain.findings, *orientation_findings(brain.mask)]
    findings += _quality(usable, sequences, brains, brain.mask, to_native)
    _stop_at_blocking(findings)
    if config.n4:
        sequences = dict(_corrected(sequences, brain.mask, progress))
    steps = {
        "grid": _grid_step(Grid.of(usable[reference]), reference),
        "brain mask": _mask_step([brains[name] for name in kept]),
        **{f"alignment of {name}": found.step for name, found in alignments.items()},
        "bias field": "N4" if config.n4 else "not corrected",
        "orientation": "as the files say; that left is left no image can prove",
    }
    progress("resampling", 1.0)
    return Prepared(
        sequences=sequences,
        brain_mask=brain.mask,
        reference=reference,
        native_grids={name: Grid.of(images[name]) for name in kept},
        to_native=to_native,
        findings=tuple(findings),
        steps=steps,
    )


def _check(
    images: Mapping[str, sitk.Image], progress: Progress
) -> tuple[dict[str, sitk.Image], list[Finding]]:
    """The usable images with LPS axes, and what was found."""
    unknown = sorted(set(images) - set(SEQUENCES))
    if unknown or not images:
        named = ", ".join(unknown) or "none"
        raise ValueError(f"sequences must be among {', '.join(SEQUENCES)}; given: {named}")
    usable: dict[str, sitk.Image] = {}
    findings: list[Finding] = []
    for index, name in enumerate(name for name in SEQUENCES if name in images):
        progress("checks", index / len(images))
        checked = check_image(name, images[name])
        findings += checked.findings
        if checked.image is not None:
            usable[name] = to_lps(checked.image)
    if not usable:
        raise BlockingFindingError(_nothing_usable())
    return usable, [*findings, *thickness_findings(usable)]


def _align(
    images: Mapping[str, sitk.Image],
    brains: Mapping[str, Brain],
    reference: str,
    progress: Progress,
) -> Iterator[tuple[str, Alignment]]:
    """Each sequence's alignment, in the order of `images`."""
    sides = {name: Side(image, brains[name].mask) for name, image in images.items()}
    moving = [name for name in images if name != reference]
    identity = Alignment(sitk.Transform(3, sitk.sitkIdentity), "is the reference", None)
    progress("registration", 0.0)
    # Each registration keeps to one thread and so repeats; several run beside each other.
    with ThreadPoolExecutor(max_workers=max(1, len(moving))) as pool:
        jobs = {name: pool.submit(align, name, sides[reference], sides[name]) for name in moving}
        for index, name in enumerate(images):
            yield name, identity if name == reference else jobs[name].result()
            progress("registration", (index + 1) / len(images))


def _require_agreement(kept: list[str], usable: list[str]) -> None:
    """One sequence that fails may be bad itself; if all fail, no one knows which is right."""
    if len(kept) == 1 and len(usable) > 2:
        raise BlockingFindingError(
            Finding(
                "preparation.registration_failed",
                Severity.BLOCKING,
                f"No sequence could be aligned with the reference, {kept[0]}.",
                "Check that all series show the same patient's head; leave out wrong ones.",
                tuple(usable),
            )
        )


def _quality(
    native: Mapping[str, sitk.Image],
    sequences: Mapping[str, sitk.Image],
    brains: Mapping[str, Brain],
    mask: sitk.Image,
    to_native: Mapping[str, sitk.Transform],
) -> list[Finding]:
    findings: list[Finding] = []
    for name in sequences:
        own = brains[name].mask
        if own is not None:
            findings += noise_findings(name, native[name], own)
    seen = {name: coverage(mask, to_native[name], Grid.of(native[name])) for name in sequences}
    return [*findings, *common_findings(sequences, mask, seen)]


def _stop_at_blocking(findings: list[Finding]) -> None:
    for finding in findings:
        if finding.severity is Severity.BLOCKING:
            raise BlockingFindingError(finding)


def _corrected(
    sequences: Mapping[str, sitk.Image], mask: sitk.Image, progress: Progress
) -> Iterator[tuple[str, sitk.Image]]:
    for index, (name, image) in enumerate(sequences.items()):
        progress("bias field", index / len(sequences))
        yield name, correct_bias_field(image, mask)


def _grid_step(native: Grid, reference: str) -> str:
    if is_common(native):
        return f"the voxels of {reference} itself, 1 mm; no interpolation"
    spacing = " x ".join(f"{value:.2f}" for value in native.spacing_mm)
    return f"1 mm isotropic along the axes of {reference} ({spacing} mm), linear interpolation"


def _mask_step(brains: list[Brain]) -> str:
    origins = {brain.origin for brain in brains}
    if origins == {Origin.OUTLINE}:
        return "the outline of the skull-stripped images"
    if Origin.OUTLINE in origins:
        return "the outline of the sequences that are skull-stripped"
    if Origin.HD_BET in origins:
        return "HD-BET on the reference"
    return f"brain mask network, mean over {len(brains)} sequences"


def _nothing_usable() -> Finding:
    return Finding(
        "preparation.nothing_usable",
        Severity.BLOCKING,
        "None of the images can be used.",
        "Export the series again, or choose others.",
    )
