"""Rigid registration of one sequence to the reference, by mutual information."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from threading import Lock

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.similarity import Pose, Similarity

HEAD_RADIUS_MM = 70.0
"""At this distance from the centre, one radian moves a point as far as this many millimetres."""


@dataclass(frozen=True)
class Level:
    """One step of the search, from coarse to fine."""

    voxel_mm: float
    """Both images are averaged to about this voxel size; coarser axes stay as they are."""
    margin_mm: float
    """The brain mask is widened by this much: coarse steps may see the skull, fine ones not."""
    points: int
    iterations: int
    first_step_mm: float
    candidates: int
    """So many poses go into this level."""


@dataclass(frozen=True)
class RegistrationConfig:
    """How the search runs."""

    levels: tuple[Level, ...] = (
        Level(6.0, 25.0, 6_000, 60, 2.0, 3),
        Level(4.0, 5.0, 12_000, 40, 1.0, 2),
        Level(2.0, 2.0, 30_000, 20, 0.5, 1),
    )
    score_points: int = 2_000
    """Points by which the starts are ranked."""
    seed: int = 20_260_101


@dataclass(frozen=True)
class Side:
    """One of the two images of a registration."""

    image: sitk.Image
    """Float32."""
    mask: sitk.Image | None
    """UInt8 brain mask on the image's grid; None where it is not known."""


@dataclass(frozen=True)
class Registration:
    """The pose that fits best, and what speaks for it."""

    transform: sitk.Euler3DTransform
    """Maps a point (LPS mm) of the fixed image to the same anatomy in the moving one."""
    similarity: float
    """Normalised mutual information inside the fixed brain, 0 to 1."""
    similarity_before: float
    """The same at the identity."""
    similarity_elsewhere: float
    """The same at the best of poses that are certainly wrong, 20 mm or 20 degrees from the found
    one: what two unrelated images would show."""
    overlap: float
    """Share of the fixed brain inside the moving image's field of view."""
    disagreement_mm: float
    """Median distance over the brain between the results of the two best starts."""

    @property
    def rotation_deg(self) -> float:
        """The angle of the whole rotation."""
        matrix = np.reshape(self.transform.GetMatrix(), (3, 3))
        cosine = np.clip((np.trace(matrix) - 1) / 2, -1.0, 1.0)
        return float(np.degrees(np.arccos(cosine)))

    @property
    def shift_mm(self) -> float:
        """How far the centre of the fixed brain moves."""
        return float(np.linalg.norm(self.transform.GetTranslation()))


def register(fixed: Side, moving: Side, config: RegistrationConfig | None = None) -> Registration:
    """Finds the rigid movement that carries the fixed image's anatomy on the moving image's.

    Starts (headers, centres of the fields of view, of mass and of the brain masks, each with
    shifts and rotations) are ranked at a coarse level; the best go through a Mattes mutual
    information search (Mattes et al. 2003) from coarse to fine.

    Args:
        fixed: the reference; without a mask, everything brighter than its mean counts.
        moving: the other sequence.
        config: the search's settings.

    Raises:
        ValueError: the fixed mask is empty.
    """
    with _one_thread():
        return _register(fixed, moving, config or RegistrationConfig())


def compare_at(
    fixed: Side, moving: Side, level: Level, seed: int
) -> tuple[Similarity, NDArray[np.float64]]:
    """The similarity of two images at one level, and the centre of the fixed brain (LPS mm).

    Raises:
        ValueError: the fixed mask is empty.
    """
    mask = fixed.mask if fixed.mask is not None else _foreground(fixed.image)
    stage = _Stage.build(fixed.image, moving.image, mask, level)
    return stage.similarity(level.points, seed), _mask_centre(mask)


def _register(fixed: Side, moving: Side, config: RegistrationConfig) -> Registration:
    mask = fixed.mask if fixed.mask is not None else _foreground(fixed.image)
    centre = _mask_centre(mask)
    pyramid = [_Stage.build(fixed.image, moving.image, mask, level) for level in config.levels]
    scorer = pyramid[0].similarity(config.score_points, config.seed)
    centres = _centres(fixed, moving, centre, pyramid[0])
    poses = _distinct(_starts(centre, centres), scorer, config.levels[0].candidates)
    runner_up = poses[-1]
    for stage in pyramid:
        found = [stage.optimise(pose, config.seed) for pose in poses[: stage.level.candidates]]
        found.sort(key=lambda result: -result[0])
        poses = [pose for _, pose in found]
        runner_up = poses[1] if len(poses) > 1 else runner_up
    best = poses[0]
    judge = pyramid[-1].similarity(config.levels[-1].points, config.seed)
    apart = np.linalg.norm(best.moved(judge.points_mm) - runner_up.moved(judge.points_mm), axis=1)
    return Registration(
        transform=best.transform,
        similarity=judge(best),
        similarity_before=judge(_identity(centre)),
        similarity_elsewhere=max(judge(pose) for pose in _wrong_poses(best)),
        overlap=judge.overlap(best),
        disagreement_mm=float(np.median(apart)),
    )


class _Threads:
    """How many registrations run, and ITK's setting to go back to."""

    lock = Lock()
    running = 0
    usual = 0


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keeps ITK to one thread each, for as long as any registration runs.

    Mattes' metric adds its threads' sums in the order in which they end, so with more than one
    the same input would not give the same bytes; it heeds only the setting of the whole process.
    """
    with _Threads.lock:
        if _Threads.running == 0:
            _Threads.usual = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
            sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
        _Threads.running += 1
    try:
        yield
    finally:
        with _Threads.lock:
            _Threads.running -= 1
            if _Threads.running == 0:
                sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(_Threads.usual)


@dataclass(frozen=True)
class _Stage:
    """Both images at one level's resolution."""

    level: Level
    fixed: sitk.Image
    moving: sitk.Image
    mask: sitk.Image

    @classmethod
    def build(
        cls, fixed: sitk.Image, moving: sitk.Image, mask: sitk.Image, level: Level
    ) -> "_Stage":
        coarse = averaged(fixed, level.voxel_mm)
        near = sitk.Resample(mask, coarse, sitk.Transform(), sitk.sitkNearestNeighbor)
        wide = widened(near, level.margin_mm)
        box = _mask_box(wide, margin=1)
        return cls(level, coarse[box], averaged(moving, level.voxel_mm), wide[box])

    def similarity(self, points: int, seed: int) -> Similarity:
        generator = np.random.default_rng(seed)
        return Similarity(self.fixed, self.moving, self.mask, points, generator)

    def optimise(self, start: Pose, seed: int) -> tuple[float, Pose]:
        """Mutual information (nats) and pose where the search from `start` ends."""
        inside = int((sitk.GetArrayViewFromImage(self.mask) > 0).sum())
        method = sitk.ImageRegistrationMethod()
        method.SetMetricAsMattesMutualInformation(32)
        if self.level.points < inside:
            method.SetMetricSamplingStrategy(method.RANDOM)
            method.SetMetricSamplingPercentage(self.level.points / inside, seed)
        method.SetMetricFixedMask(self.mask)
        # Gradients only where points fall: whole gradient images would cost more than the search.
        method.SetMetricUseFixedImageGradientFilter(False)
        method.SetMetricUseMovingImageGradientFilter(False)
        method.SetInterpolator(sitk.sitkLinear)
        method.SetOptimizerAsRegularStepGradientDescent(
            learningRate=self.level.first_step_mm,
            minStep=0.01,
            numberOfIterations=self.level.iterations,
            gradientMagnitudeTolerance=1e-6,
        )
        method.SetOptimizerScales([HEAD_RADIUS_MM**2] * 3 + [1.0] * 3)
        method.SetInitialTransform(start.transform, inPlace=False)
        try:
            result = method.Execute(self.fixed, self.moving)
        except RuntimeError:  # ITK's way to say that the images no longer overlap
            return 0.0, start
        return -method.GetMetricValue(), Pose.of(_euler(result))


def averaged(image: sitk.Image, voxel_mm: float) -> sitk.Image:
    """Block averages so that no axis is finer than about `voxel_mm`."""
    factors = [max(1, round(voxel_mm / spacing)) for spacing in image.GetSpacing()]
    factors = [min(factor, size) for factor, size in zip(factors, image.GetSize(), strict=True)]
    shrunk: sitk.Image = sitk.BinShrink(image, factors) if max(factors) > 1 else image
    return shrunk


def widened(mask: sitk.Image, margin_mm: float) -> sitk.Image:
    """A mask grown by `margin_mm`."""
    distance = sitk.SignedMaurerDistanceMap(
        mask, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    wide: sitk.Image = sitk.Cast(distance <= margin_mm, sitk.sitkUInt8)
    return wide


def _euler(transform: sitk.Transform) -> sitk.Euler3DTransform:
    if isinstance(transform, sitk.CompositeTransform):
        transform = transform.GetNthTransform(0)
    return sitk.Euler3DTransform(transform)


def _identity(centre: NDArray[np.float64]) -> Pose:
    return Pose(centre, np.zeros(3), np.zeros(3))


def _wrong_poses(right: Pose) -> list[Pose]:
    """Poses that lie too far from the right one to fit."""
    moves = [sign * np.eye(6)[axis] for axis in range(6) for sign in (-1.0, 1.0)]
    return [
        Pose(
            right.centre_mm,
            right.rotation_rad + 0.35 * move[:3],
            right.shift_mm + 20.0 * move[3:],
        )
        for move in moves
    ]


def _starts(centre: NDArray[np.float64], targets: Iterable[NDArray[np.float64]]) -> list[Pose]:
    """Poses that bring the centre on each target, with shifts and rotations around it."""
    reach = ((-12.0, 0.0, 12.0), (-12.0, 0.0, 12.0), (-24.0, -12.0, 0.0, 12.0, 24.0))
    shifts = [np.array(shift) for shift in product(*reach)]
    turns = [np.zeros(3)] + [sign * 0.25 * axis for axis in np.eye(3) for sign in (-1.0, 1.0)]
    return [
        Pose(centre, turn, target - centre + shift)
        for target in targets
        for shift in shifts
        for turn in turns
    ]


def _distinct(poses: list[Pose], scorer: Similarity, count: int) -> list[Pose]:
    """The best poses of which no two are neighbours."""
    ranked = sorted(poses, key=scorer, reverse=True)
    chosen: list[Pose] = []
    for pose in ranked:
        if all(_apart_mm(pose, other) > 15.0 for other in chosen):
            chosen.append(pose)
        if len(chosen) == count:
            break
    return chosen


def _apart_mm(first: Pose, second: Pose) -> float:
    turn = np.linalg.norm(first.rotation_rad - second.rotation_rad) * HEAD_RADIUS_MM
    return float(np.linalg.norm(first.shift_mm - second.shift_mm) + turn)


def _centres(
    fixed: Side, moving: Side, centre: NDArray[np.float64], coarse: _Stage
) -> list[NDArray[np.float64]]:
    """Where in the moving image the centre of the fixed brain may lie (LPS mm)."""
    places = [
        centre,
        centre + _middle(moving.image) - _middle(fixed.image),
        centre + _mass_centre(coarse.moving) - _mass_centre(averaged(fixed.image, 8.0)),
    ]
    if moving.mask is not None:
        places.append(_mask_centre(moving.mask))
    return places


def _middle(image: sitk.Image) -> NDArray[np.float64]:
    index = [(length - 1) / 2 for length in image.GetSize()]
    return np.asarray(image.TransformContinuousIndexToPhysicalPoint(index))


def _mass_centre(image: sitk.Image) -> NDArray[np.float64]:
    return _mask_centre(_foreground(image))


def _foreground(image: sitk.Image) -> sitk.Image:
    mean = float(sitk.GetArrayViewFromImage(image).mean())
    bright: sitk.Image = sitk.Cast(image > mean, sitk.sitkUInt8)
    return bright


def _mask_centre(mask: sitk.Image) -> NDArray[np.float64]:
    inside = sitk.GetArrayViewFromImage(mask) > 0
    if not inside.any():
        raise ValueError("the mask is empty")
    # By axis: the coordinates of all voxels of a fine mask would take hundreds of megabytes.
    index = [
        float(np.average(np.arange(inside.shape[axis]), weights=inside.sum(axis=others)))
        for axis, others in ((2, (0, 1)), (1, (0, 2)), (0, (1, 2)))
    ]
    affine = Grid.of(mask).ijk_to_lps
    centre: NDArray[np.float64] = affine[:3, :3] @ np.array(index) + affine[:3, 3]
    return centre


def _mask_box(mask: sitk.Image, margin: int) -> tuple[slice, slice, slice]:
    """(i, j, k) slices around a mask."""
    index = np.argwhere(sitk.GetArrayViewFromImage(mask) > 0)[:, ::-1]
    if not len(index):
        raise ValueError("the mask is empty")
    first = np.maximum(index.min(axis=0) - margin, 0)
    past = np.minimum(index.max(axis=0) + 1 + margin, mask.GetSize())
    i, j, k = (slice(int(a), int(b)) for a, b in zip(first, past, strict=True))
    return i, j, k
