"""What can be said against an image before anything is computed from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.resampling import resample

THICK_SLICE_MM = 4.0
FEW_VALUES = 16
"""An image with fewer different values is no acquired MR image but, perhaps, a label map."""
SATURATED_SHARE = 0.01
NEGATIVE_SHARE = 0.05
LOW_SIGNAL_TO_NOISE = 4.0
DUPLICATE_CORRELATION = 0.999
FULL_COVERAGE = 0.95
CUT_AREA_CM2 = 10.0
"""More brain than the spinal cord's cross-section on a face of the field of view is cut off."""

_SAMPLE = 50_000


@dataclass(frozen=True)
class Checked:
    """One sequence's image after the first look."""

    image: sitk.Image | None
    """Float32 and finite; None if it cannot be used."""
    findings: tuple[Finding, ...]


def check_image(name: str, image: sitk.Image) -> Checked:
    """Makes an image float32 and finite, and says what is wrong with it.

    Raises:
        ValueError: the image is not three-dimensional, or has several values a voxel.
    """
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        raise ValueError(
            f"{name} has {image.GetDimension()} dimensions and"
            f" {image.GetNumberOfComponentsPerPixel()} values a voxel; give one 3D volume"
        )
    if image.GetPixelID() != sitk.sitkFloat32:
        image = sitk.Cast(image, sitk.sitkFloat32)
    array = sitk.GetArrayViewFromImage(image)
    findings: list[Finding] = []
    # The extremes tell whether all is finite, without a mask of every voxel.
    if not np.isfinite([array.min(), array.max()]).all():
        finite = np.isfinite(array)
        share = 1.0 - float(finite.mean())
        image = Grid.of(image).image(np.where(finite, array, np.float32(0)))
        array = sitk.GetArrayViewFromImage(image)
        findings.append(_not_finite(name, share))
    if float(array.min()) == float(array.max()):
        return Checked(None, (*findings, _constant(name)))
    findings += _intensity_findings(name, array)
    return Checked(image, tuple(findings))


def thickness_findings(images: Mapping[str, sitk.Image]) -> tuple[Finding, ...]:
    """One warning that names all sequences with thick slices."""
    distances = {name: max(image.GetSpacing()) for name, image in images.items()}
    thick = {name: mm for name, mm in distances.items() if mm > THICK_SLICE_MM}
    if not thick:
        return ()
    listed = ", ".join(f"{name} {mm:.1f} mm" for name, mm in thick.items())
    return (
        Finding(
            "preparation.thick_slices",
            Severity.WARNING,
            f"Slices lie far apart ({listed}); small lesions and volumes are uncertain.",
            "Prefer series with slices of 1 to 3 mm if there are any.",
            tuple(thick),
        ),
    )


def signal_to_noise(image: sitk.Image, mask: sitk.Image) -> float:
    """Median intensity in the brain over the noise's standard deviation.

    The noise comes from second differences along the finest axis, where anatomy is nearly
    straight from voxel to voxel (after Immerkaer 1996); what remains of anatomy makes the figure
    too low rather than too high.

    Args:
        image: native intensities.
        mask: of the brain, on any grid.

    Returns:
        Infinite for an image without noise; not a number where the mask sees too little.
    """
    near = resample(mask, Grid.of(image), interpolator=sitk.sitkNearestNeighbor)
    axis = 2 - int(np.argmin(image.GetSpacing()))
    inside = np.moveaxis(sitk.GetArrayViewFromImage(near) > 0, axis, -1)
    values = np.moveaxis(sitk.GetArrayViewFromImage(image), axis, -1)
    whole = inside[..., 1:-1] & inside[..., :-2] & inside[..., 2:]
    middles = np.flatnonzero(whole)
    if middles.size < 1000:
        return float("nan")
    step = max(1, middles.size // _SAMPLE)
    j, i, n = np.unravel_index(middles[::step], whole.shape)
    bend = values[j, i, n] - 2 * values[j, i, n + 1] + values[j, i, n + 2]
    noise = 1.4826 * float(np.median(np.abs(bend))) / np.sqrt(6.0)
    brain = np.unravel_index(np.flatnonzero(inside)[::step], inside.shape)
    signal = float(np.median(values[brain]))
    return float("inf") if noise <= 0 else signal / noise


def noise_findings(name: str, image: sitk.Image, mask: sitk.Image) -> tuple[Finding, ...]:
    """A warning if the image is mostly noise."""
    ratio = signal_to_noise(image, mask)
    if not ratio < LOW_SIGNAL_TO_NOISE:
        return ()
    return (
        Finding(
            "preparation.noise",
            Severity.WARNING,
            f"{name} is noisy: its signal is {ratio:.1f} times the noise.",
            "Look at this series; repeat it or leave it out if it shows little.",
            (name,),
        ),
    )


def common_findings(
    sequences: Mapping[str, sitk.Image], brain: sitk.Image, coverage: Mapping[str, float]
) -> tuple[Finding, ...]:
    """What shows only when all sequences lie on one grid.

    Args:
        sequences: on the common grid.
        brain: the brain mask, on the same grid.
        coverage: share of the brain inside each sequence's field of view.
    """
    findings = [_coverage(name, share) for name, share in coverage.items() if share < FULL_COVERAGE]
    findings += _cut_findings(brain)
    findings += _duplicate_findings(sequences, brain)
    return tuple(findings)


def coverage(brain: sitk.Image, to_native: sitk.Transform, native: Grid) -> float:
    """The share of the brain inside a native image's field of view, 0 to 1.

    Args:
        brain: the mask, on the common grid.
        to_native: maps a point (LPS mm) of the common grid to the native image.
        native: its grid.
    """
    inside = _sample_of(brain)
    if not inside.size:
        return 0.0
    index = np.stack(np.unravel_index(inside, brain.GetSize()[::-1]), axis=1)[:, ::-1]
    to_index = np.linalg.inv(native.ijk_to_lps) @ _matrix(to_native) @ Grid.of(brain).ijk_to_lps
    native_index = index @ to_index[:3, :3].T + to_index[:3, 3]
    # Half a voxel beyond the outermost centres still belongs to the field of view.
    seen = (native_index > -0.5 - 1e-6) & (native_index < np.asarray(native.size) - 0.5 + 1e-6)
    return float(seen.all(axis=1).mean())


def _sample_of(mask: sitk.Image) -> NDArray[np.int64]:
    """Flat indices of evenly drawn voxels of a mask."""
    inside = np.flatnonzero(sitk.GetArrayViewFromImage(mask))
    return inside[:: max(1, inside.size // _SAMPLE)]


def _matrix(transform: sitk.Transform) -> NDArray[np.float64]:
    """The 4x4 matrix of an affine transform."""
    origin = np.asarray(transform.TransformPoint((0.0, 0.0, 0.0)))
    matrix = np.eye(4)
    matrix[:3, 3] = origin
    for axis, unit in enumerate(np.eye(3)):
        matrix[:3, axis] = np.asarray(transform.TransformPoint(unit.tolist())) - origin
    return matrix


def _intensity_findings(name: str, array: NDArray[np.float32]) -> list[Finding]:
    sample = array.ravel()[:: max(1, array.size // 1_000_000)]
    findings = []
    # Mostly a thousandth of the sample shows enough values: sorting all of it is slow.
    if len(np.unique(sample[::1000])) < FEW_VALUES and len(np.unique(sample)) < FEW_VALUES:
        findings.append(_few_values(name, len(np.unique(sample))))
    elif float((sample[sample > 0] >= sample.max()).mean()) > SATURATED_SHARE:
        findings.append(_saturated(name))
    if float((sample < 0).mean()) > NEGATIVE_SHARE:
        findings.append(_negative(name))
    return findings


def _duplicate_findings(sequences: Mapping[str, sitk.Image], brain: sitk.Image) -> list[Finding]:
    inside = _sample_of(brain)
    values = {
        name: sitk.GetArrayViewFromImage(image).ravel()[inside] for name, image in sequences.items()
    }
    same = [
        (one, other)
        for one, other in combinations(values, 2)
        if _correlation(values[one], values[other]) > DUPLICATE_CORRELATION
    ]
    everything = len(sequences) > 1 and len(same) == len(sequences) * (len(sequences) - 1) // 2
    severity = Severity.BLOCKING if everything else Severity.WARNING
    return [_duplicate(pair, severity) for pair in same]


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    if one.size < 2 or one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _cut_findings(brain: sitk.Image) -> list[Finding]:
    array = sitk.GetArrayViewFromImage(brain) > 0
    pixel_cm2 = float(np.prod(brain.GetSpacing()[:2])) / 100.0
    sides = {
        "right": array[:, :, 0],
        "left": array[:, :, -1],
        "front": array[:, 0],
        "back": array[:, -1],
        "bottom": array[0],
        "top": array[-1],
    }
    cut = [side for side, face in sides.items() if face.sum() * pixel_cm2 > CUT_AREA_CM2]
    if not cut:
        return []
    return [
        Finding(
            "preparation.brain_cut",
            Severity.WARNING,
            f"The reference's field of view cuts the brain off at the {', '.join(cut)}.",
            "Tumour beyond it is not seen; volumes may be too small.",
        )
    ]


def _not_finite(name: str, share: float) -> Finding:
    return Finding(
        "preparation.not_finite",
        Severity.WARNING,
        f"{name} holds values that are no numbers ({share:.2%} of its voxels); they count as 0.",
        "Export the series again if they lie inside the head.",
        (name,),
    )


def _constant(name: str) -> Finding:
    return Finding(
        "preparation.constant",
        Severity.WARNING,
        f"{name} has one value everywhere; it is left out.",
        "Export the series again.",
        (name,),
    )


def _few_values(name: str, count: int) -> Finding:
    return Finding(
        "preparation.few_values",
        Severity.WARNING,
        f"{name} holds only {count} different values; it looks like a label map, not an image.",
        "Check that the right file was chosen.",
        (name,),
    )


def _saturated(name: str) -> Finding:
    return Finding(
        "preparation.saturated",
        Severity.WARNING,
        f"{name} is clipped: over {SATURATED_SHARE:.0%} of its voxels share the highest value.",
        "Export the original intensities if there are any.",
        (name,),
    )


def _negative(name: str) -> Finding:
    return Finding(
        "preparation.negative",
        Severity.WARNING,
        f"{name} holds many negative values: it was normalised before, or it is no MR magnitude.",
        "Give the image as acquired.",
        (name,),
    )


def _coverage(name: str, share: float) -> Finding:
    return Finding(
        "preparation.coverage",
        Severity.WARNING,
        f"{name} sees only {share:.0%} of the brain.",
        "Tumour outside its field of view is judged from the other sequences alone.",
        (name,),
    )


def _duplicate(pair: tuple[str, str], severity: Severity) -> Finding:
    return Finding(
        "preparation.duplicate",
        severity,
        f"{pair[0]} and {pair[1]} are the same image.",
        "Choose the right series for each sequence.",
        pair,
    )
