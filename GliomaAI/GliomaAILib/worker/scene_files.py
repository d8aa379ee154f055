"""What a scene shows of a study, as raw files that Slicer's process reads without a library."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from gliomaai_training.preprocessing.geometry import Grid
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.explanation import native_saliency, on_reference
from GliomaAILib.raw_volume import RawVolume, write_raw

LABELS = "labels.nrrd"
UNCERTAINTY = "uncertainty.nrrd"
FEATURES = "network_features.npz"
"""What the heads of a multi-task network read: with it a study can be reassessed by a worker that
does not remember it. About a megabyte."""

STEPS_PER_BIT = 100
"""Uncertainty is written in hundredths of a bit: 2 bits, the most there can be, fit into 8."""

SALIENCY = "saliency:"
"""What the kinds of the maps' files begin with; the answer's name follows."""

NOTHING_SALIENT = 128
"""Of a map in the scene: below speaks against the answer, above for it."""
FULL_PERCENTILE = 99.5

_PLAIN = frozenset({"uint8", "int8", "uint16", "int16", "float32"})
"""Voxel types that a volume keeps; others become float32, which every viewer takes."""


def write_image(image: sitk.Image, file: Path) -> None:
    """Writes an image as a raw volume; voxel types that are wider than needed become float32.

    The image stays alive until it is written: the array is a view of its memory.

    Raises:
        OSError: it cannot be written.
    """
    array = sitk.GetArrayViewFromImage(image)
    if array.dtype.name not in _PLAIN:
        array = array.astype(np.float32)
    write_raw(RawVolume(array, Grid.of(image).ijk_to_ras), file)


def write_scene_files(assessment: Assessment, folder: Path) -> None:
    """Writes the labels and, where it is known, the uncertainty on the reference's native grid,
    and beside them what the network's heads read.

    Raises:
        OSError: they cannot be written.
    """
    if assessment.features is not None or assessment.no_features:
        # Empty where there are none, so that those of an earlier result do not stay.
        content = b"" if assessment.features is None else assessment.features.to_bytes()
        (folder / FEATURES).write_bytes(content)
    write_image(assessment.segmentation, folder / LABELS)
    uncertainty = native_uncertainty(assessment)
    if uncertainty is not None:
        write_image(uncertainty, folder / UNCERTAINTY)


def kept_features(folder: Path) -> bytes | None:
    """What `write_scene_files` wrote of the network's features; None where nothing is there."""
    try:
        return (folder / FEATURES).read_bytes()
    except OSError:
        return None


def native_uncertainty(assessment: Assessment) -> sitk.Image | None:
    """Entropy in hundredths of a bit, UInt8, on the reference's native grid; None where unknown."""
    if assessment.entropy is None:
        return None
    native = on_reference(assessment.entropy, assessment)
    bits = sitk.GetArrayFromImage(native)
    steps = np.clip(np.rint(bits * STEPS_PER_BIT), 0, 255).astype(np.uint8)
    return Grid.of(native).image(steps)


def write_saliency(assessment: Assessment, folder: Path) -> dict[str, str]:
    """Writes the maps of an explanation for the scene, UInt8 about `NOTHING_SALIENT`.

    Returns:
        The files' names by kind: `SALIENCY` and the answer.

    Raises:
        OSError: they cannot be written.
    """
    files = {}
    for target, image in native_saliency(assessment).items():
        file = folder / f"saliency_{target.name.replace(':', '_')}.nrrd"
        write_image(shown_saliency(image), file)
        files[f"{SALIENCY}{target.name}"] = file.name
    return files


def shown_saliency(density: sitk.Image) -> sitk.Image:
    """A map in steps from `NOTHING_SALIENT` down, against, and up, for; its strongest
    `FULL_PERCENTILE` reaches the ends."""
    array = sitk.GetArrayFromImage(density)
    there = np.abs(array[array != 0])
    strongest = float(np.percentile(there, FULL_PERCENTILE)) if there.size else 1.0
    steps = np.rint(np.clip(array / strongest, -1, 1) * (255 - NOTHING_SALIENT))
    return Grid.of(density).image((steps + NOTHING_SALIENT).astype(np.uint8))
