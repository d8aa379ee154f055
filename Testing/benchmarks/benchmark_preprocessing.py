"""How exact and how dear preprocessing is: `python benchmark_preprocessing.py FOLDER [--cases N]`.

FOLDER holds `volumes/` (co-registered, stripped cases: t1, t1gd, t2, flair as .nii.gz). From each
case thick, moved, oblique sequences are made; the registration's error against the known movement
is taken over the brain's voxels. Further: the offset that the check for co-registered input sees,
linear against B-spline resampling, and the cost of N4 with what it changes.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from gliomaai_training.preprocessing.alignment import align, mask_overlap, misalignment_mm
from gliomaai_training.preprocessing.bias_field import correct_bias_field
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.registration import Side, register
from gliomaai_training.preprocessing.resampling import common_grid, resample

MOVING = ("t1", "t2", "flair")
Row = dict[str, str | float]


def random_motion(
    generator: np.random.Generator, centre: tuple[float, ...], degrees: float, mm: float
) -> sitk.Euler3DTransform:
    """A movement about `centre`, by up to so much on each axis."""
    motion = sitk.Euler3DTransform()
    motion.SetCenter(centre)
    motion.SetRotation(*np.radians(generator.uniform(-degrees, degrees, 3)))
    motion.SetTranslation(generator.uniform(-mm, mm, 3).tolist())
    return motion


def middle(image: sitk.Image) -> tuple[float, ...]:
    place: tuple[float, ...] = image.TransformContinuousIndexToPhysicalPoint(
        [(length - 1) / 2 for length in image.GetSize()]
    )
    return place


def moved_header(image: sitk.Image, motion: sitk.Euler3DTransform) -> sitk.Image:
    """The same voxels where the movement takes them: exact, and oblique."""
    moved = sitk.Image(image)
    turn = np.reshape(motion.GetMatrix(), (3, 3))
    moved.SetOrigin(motion.TransformPoint(image.GetOrigin()))
    moved.SetDirection((turn @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    return moved


def thick_slices(
    image: sitk.Image, generator: np.random.Generator, slice_mm: float, axis: int
) -> sitk.Image:
    """Slices averaged over their thickness, on a slightly oblique plane, cut at the bottom."""
    turn = np.reshape(random_motion(generator, (0.0, 0.0, 0.0), 8.0, 0.0).GetMatrix(), (3, 3))
    spacing = np.full(3, 0.9)
    spacing[axis] = slice_mm
    extent = np.array(image.GetSize()) * image.GetSpacing() - np.array([0.0, 0.0, 10.0])
    size = np.floor(extent / spacing).astype(int)
    parts = np.ones(3, int)
    parts[axis] = 4
    fine = spacing / parts
    corner = np.array(middle(image)) - turn @ ((size * parts - 1) / 2 * fine)
    count = [int(length) for length in size * parts]
    grid = Grid(
        (count[0], count[1], count[2]),
        (fine[0], fine[1], fine[2]),
        (corner[0], corner[1], corner[2]),
        tuple(turn.ravel()),
    )
    return sitk.BinShrink(resample(image, grid), parts.tolist())


def errors_mm(found: sitk.Transform, true: sitk.Transform, mask: sitk.Image) -> list[float]:
    index = np.argwhere(sitk.GetArrayFromImage(mask) > 0)[:, ::-1]
    points = [mask.TransformIndexToPhysicalPoint(p.tolist()) for p in index[:: len(index) // 500]]
    return [
        float(np.linalg.norm(np.subtract(found.TransformPoint(p), true.TransformPoint(p))))
        for p in points
    ]


def registration_rows(case: Path, seed: int) -> Iterator[Row]:
    generator = np.random.default_rng(seed)
    reference = sitk.ReadImage(str(case / "t1gd.nii.gz"), sitk.sitkFloat32)
    fixed_image = thick_slices(reference, generator, 5.0, 2)
    mask = resample(
        sitk.Cast(reference != 0, sitk.sitkUInt8),
        Grid.of(fixed_image),
        None,
        sitk.sitkNearestNeighbor,
    )
    fixed = Side(fixed_image, mask)
    for number, name in enumerate(MOVING):
        image = sitk.ReadImage(str(case / f"{name}.nii.gz"), sitk.sitkFloat32)
        slices = thick_slices(image, generator, 6.0, (0, 2, 2)[number])
        motion = random_motion(generator, middle(slices), 12.0, 20.0)
        moving_image = moved_header(slices, motion)
        moving = Side(moving_image, sitk.Cast(moving_image != 0, sitk.sitkUInt8))
        begin = time.process_time()
        found = register(fixed, moving)
        seconds = time.process_time() - begin
        errors = errors_mm(found.transform, motion, mask)
        yield {
            "case": case.name,
            "sequence": name,
            "median_mm": float(np.median(errors)),
            "max_mm": max(errors),
            "contrast": found.similarity / found.similarity_elsewhere,
            "mask_dice": mask_overlap(fixed, moving, found.transform) or 0.0,
            "cpu_s": seconds,
        }


def in_place_rows(case: Path) -> Iterator[Row]:
    reference = sitk.ReadImage(str(case / "t1gd.nii.gz"), sitk.sitkFloat32)
    fixed = Side(reference, sitk.Cast(reference != 0, sitk.sitkUInt8))
    for name in MOVING:
        moving = Side(sitk.ReadImage(str(case / f"{name}.nii.gz"), sitk.sitkFloat32), None)
        begin = time.process_time()
        offset = misalignment_mm(fixed, moving)
        yield {
            "case": case.name,
            "sequence": name,
            "offset_mm": offset,
            "cpu_s": time.process_time() - begin,
            "kept": align(name, fixed, moving).step.split(" (")[0],
        }


def filter_rows(case: Path) -> Iterator[Row]:
    """Interpolators on one thick volume, and N4 on every sequence."""
    reference = sitk.ReadImage(str(case / "t1gd.nii.gz"), sitk.sitkFloat32)
    thick = thick_slices(reference, np.random.default_rng(0), 5.0, 2)
    grid = common_grid(Grid.of(thick))
    brain = sitk.GetArrayFromImage(resample(reference, grid)) > 0
    truth = sitk.GetArrayFromImage(resample(reference, grid))[brain]
    for name, interpolator in (("linear", sitk.sitkLinear), ("B-spline", sitk.sitkBSpline)):
        begin = time.process_time()
        found = sitk.GetArrayFromImage(resample(thick, grid, None, interpolator))[brain]
        seconds = time.process_time() - begin
        error = float(np.sqrt(np.mean((found - truth) ** 2)) / truth.std())
        yield {"step": f"resampling, {name}", "cpu_s": seconds, "rms_error_sd": error}
    mask = sitk.Cast(reference != 0, sitk.sitkUInt8)
    for name in ("t1gd", *MOVING):
        image = sitk.ReadImage(str(case / f"{name}.nii.gz"), sitk.sitkFloat32)
        inside = sitk.GetArrayFromImage(mask) > 0
        begin = time.process_time()
        corrected = sitk.GetArrayFromImage(correct_bias_field(image, mask))[inside]
        seconds = time.process_time() - begin
        before = sitk.GetArrayFromImage(image)[inside]
        same = float(np.corrcoef(before, corrected)[0, 1])
        yield {"step": f"N4, {name}", "cpu_s": seconds, "correlation_with_raw": same}


def show(rows: Iterator[Row], title: str) -> list[Row]:
    sys.stdout.write(f"\n{title}\n")
    shown = []
    for row in rows:
        values = (f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values())
        if not shown:
            sys.stdout.write("  ".join(row) + "\n")
        sys.stdout.write("  ".join(values) + "\n")
        sys.stdout.flush()
        shown.append(row)
    return shown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", type=int, default=4)
    arguments = parser.parse_args()
    cases = sorted((arguments.folder / "volumes").glob("vol-*"))
    cases = cases[:: max(1, len(cases) // arguments.cases)][: arguments.cases]
    rows: list[Row] = []
    for seed, case in enumerate(cases):
        rows += show(registration_rows(case, seed), f"Registration of thick slices, {case.name}")
    medians = [float(row["median_mm"]) for row in rows]
    sys.stdout.write(
        f"\nMedian error: median {np.median(medians):.2f}, worst {max(medians):.2f} mm;"
        f" {np.mean([float(row['cpu_s']) for row in rows]):.2f} CPU-s a sequence\n"
    )
    for case in cases[:2]:
        show(in_place_rows(case), f"Co-registered input, {case.name}")
    show(filter_rows(cases[0]), "Resampling and N4")
    return 0


if __name__ == "__main__":
    sys.exit(main())
