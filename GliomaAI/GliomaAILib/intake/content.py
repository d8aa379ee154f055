"""What the voxels themselves say of a sequence.

Signal physics decides: cerebrospinal fluid is dark on T1 and FLAIR and by far the brightest on T2;
white matter is brighter than grey on T1 and darker on T2 and FLAIR; after contrast agent vessels
and tumour rims stand out. No brain mask is needed: a slab below the vertex, well inside the head's
outline, holds brain whether the skull is there or not. Its histogram and local contrast go to a
softmax regression (`content_fit.py` fits it and reports its accuracy by cross-validation).
"""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.content_weights import BIASES, MEANS, PAIR_SLOPE, SCALES, WEIGHTS
from GliomaAILib.intake.evidence import Evidence

Array = NDArray[np.float32]

COARSE_MM = 3.5
SLAB_MM = (25.0, 85.0)
"""Below the vertex: the brain without skull base and without the partial volume of its top."""
INSIDE_MM = 22.0
"""From the outline in the slice plane: brain even under a thick scalp."""
CENTRE_MM = 35.0
"""From the outline in the slice plane: where the ventricles lie."""
MIN_VOXELS = 200

CAP = 0.03
"""Content alone never makes a sequence less likely than this: a clear name outweighs it."""

LOOKS = {
    "t1": "its voxels look like T1 without contrast agent",
    "t1gd": "its voxels look like T1 with contrast agent",
    "t2": "its voxels look like T2 (bright fluid)",
    "flair": "its voxels look like FLAIR (dark fluid, bright grey matter)",
}


@dataclass(frozen=True)
class CoarseView:
    """A volume at about 3.5 mm, axes turned to left, posterior, superior."""

    image: sitk.Image

    @property
    def array(self) -> Array:
        """Intensities shaped (superior, posterior, left)."""
        array: Array = sitk.GetArrayFromImage(self.image)
        return array

    @property
    def spacing_mm(self) -> tuple[float, ...]:
        """Along superior, posterior, left."""
        return tuple(self.image.GetSpacing()[::-1])


@dataclass(frozen=True)
class Slab:
    """The part of a coarse view that is brain in any head."""

    array: Array
    depth_mm: NDArray[np.float64]
    """Distance to the head's outline in the slice plane."""
    lower: int
    upper: int
    """Rows of the view's first axis."""

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Voxels far enough from the outline to be brain."""
        return self.depth_mm > min(INSIDE_MM, 0.5 * float(self.depth_mm.max()))


def coarse_view(image: sitk.Image) -> CoarseView:
    """Averages blocks of voxels down to about `COARSE_MM`."""
    turned = sitk.DICOMOrient(image, "LPS")
    wanted = [max(round(COARSE_MM / s - 0.2), 1) for s in turned.GetSpacing()]
    factors = [min(f, max(n // 4, 1)) for f, n in zip(wanted, turned.GetSize(), strict=True)]
    # Shrinking first in the stored type: casting the full volume would cost more than all else.
    return CoarseView(sitk.Cast(sitk.BinShrink(turned, factors), sitk.sitkFloat32))


def content_evidence(view: CoarseView) -> Evidence | None:
    """How well one volume's voxels fit each sequence; None when no brain is found in it."""
    vector = features(view)
    if vector is None:
        return None
    scores = np.asarray(WEIGHTS) @ ((vector - MEANS) / SCALES) + BIASES
    odds = np.exp(scores - scores.max())
    values = np.maximum(odds / odds.sum(), CAP)
    likelihoods = {name: float(v) for name, v in zip(SEQUENCES, values / values.sum(), strict=True)}
    best = max(likelihoods, key=lambda name: likelihoods[name])
    return Evidence(likelihoods, LOOKS[best], "content")


def features(view: CoarseView) -> NDArray[np.float64] | None:
    """Histogram and local contrast of the inner slab, relative to its median intensity.

    Returns:
        17 numbers, or None when the slab holds too few voxels to say anything.
    """
    slab = _inner_slab(view)
    if slab is None:
        return None
    array, inside, centre = slab.array, slab.inside, slab.depth_mm > CENTRE_MM
    values = array[inside]
    median = float(np.median(values))
    if values.size < MIN_VOXELS or median <= 0:
        return None
    relative = values / median
    tails = np.percentile(relative, [1, 3, 10, 25, 75, 90, 97, 99, 99.7])
    middle = array[centre] / median if centre.sum() > MIN_VOXELS // 4 else relative
    ventricles = np.percentile(middle, [2, 10, 90, 98])
    tissue = relative[np.abs(relative - 1) < 0.35] - 1
    clipped = np.clip(array / median, 0.3, 3.0)
    local = (clipped - ndimage.uniform_filter(clipped, (1, 5, 5)))[inside]
    return np.concatenate(
        [
            np.log(np.maximum(tails, 0.05)),
            [_skewness(tissue), _skewness(local)],
            np.percentile(local, [2, 98]),
            np.log(np.maximum(ventricles, 0.05)),
        ]
    )


def enhancement(before: CoarseView, after: CoarseView) -> float | None:
    """How much brighter the bright spots of `after` are than those of `before`, and not reversed.

    `after` is aligned to `before` first. Positive when `after` was taken after contrast agent;
    exchanging the two changes the sign, alignment apart.
    """
    slab = _inner_slab(before)
    if slab is None:
        return None
    aligned = sitk.GetArrayFromImage(_aligned(after.image, before.image))
    other = aligned[slab.lower : slab.upper]
    inside = slab.inside & (other > 0)
    if inside.sum() < MIN_VOXELS:
        return None
    first, second = slab.array[inside], other[inside]
    if min(np.median(first), np.median(second)) <= 0:
        return None
    difference = second / np.median(second) - first / np.median(first)
    low, high = np.percentile(difference, [1, 99])
    return float(low + high)


def pair_evidence(score: float) -> tuple[Evidence, Evidence]:
    """What a score of `enhancement` says of the volume before and of the one after."""
    after_is_gd = float(np.clip(1 / (1 + np.exp(-PAIR_SLOPE * score)), CAP, 1 - CAP))
    return _t1_pair(1 - after_is_gd), _t1_pair(after_is_gd)


def _t1_pair(is_gd: float) -> Evidence:
    words = "its bright spots are {} than those of the other T1 after alignment"
    why = words.format("brighter" if is_gd > 0.5 else "less bright")
    return Evidence({"t1": 1 - is_gd, "t1gd": is_gd, "t2": 0.3, "flair": 0.3}, why, "content")


def _skewness(values: NDArray[np.floating]) -> float:
    centred = values - values.mean()
    return float((centred**3).mean() / (centred.std() ** 3 + 1e-9))


def _outline(array: Array) -> NDArray[np.bool_]:
    """The head (or the stripped brain) as one filled object."""
    positive = array[array > array.min()]
    if positive.size < MIN_VOXELS:
        return np.zeros(array.shape, dtype=bool)
    bright = array > 0.1 * np.percentile(positive, 99)
    labels, count = ndimage.label(bright)
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        bright = labels == sizes.argmax()
    return np.stack([ndimage.binary_fill_holes(plane) for plane in bright])


def _inner_slab(view: CoarseView) -> Slab | None:
    array = view.array
    outline = _outline(array)
    area = outline.sum(axis=(1, 2))
    if not area.any():
        return None
    top = int(np.flatnonzero(area > 0.25 * area.max())[-1])
    step = view.spacing_mm[0]
    lower = max(round(top - SLAB_MM[1] / step), 0)
    upper = max(round(top - SLAB_MM[0] / step), lower + 1) + 1
    depth = [
        ndimage.distance_transform_edt(np.pad(plane, 1), sampling=view.spacing_mm[1:])[1:-1, 1:-1]
        for plane in outline[lower:upper]
    ]
    return Slab(array[lower:upper], np.stack(depth), lower, upper)


def _aligned(moving: sitk.Image, fixed: sitk.Image) -> sitk.Image:
    """The moving image on the fixed grid after a coarse rigid alignment.

    The frame of reference of the scanner is the start; correlation is enough between two T1s.
    Images of one grid are taken as aligned: they were resampled to it, or taken one after another.
    """
    if Grid.of(moving).matches(Grid.of(fixed)):
        return moving
    start = sitk.Euler3DTransform()
    centre = fixed.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in fixed.GetSize()])
    start.SetCenter(centre)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(0.2)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(2.0, 0.05, 30)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetInitialTransform(start, inPlace=False)
    try:
        transform = method.Execute(fixed, moving)
    except RuntimeError:
        # Fields of view that do not meet: leave the images where their headers put them.
        transform = sitk.Transform(start)
    return sitk.Resample(moving, fixed, transform, sitk.sitkLinear, 0.0)
