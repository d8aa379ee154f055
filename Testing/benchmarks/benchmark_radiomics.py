"""How much faster are our features than PyRadiomics'? `python benchmark_radiomics.py [--case DIR]`.

Three sequences in four regions, unfiltered: all classes, shape included. Ours and PyRadiomics' are
measured in turns on the same volume, in CPU seconds, so that other work on the machine matters
little; the ratio is told as the median of the turns, with the lowest and highest. PyRadiomics is
run as its users run it (`execute` for each sequence and region), and spared (images cut to the
region, shape once for each region). Where it is not installed, only ours is told.

DIR holds `t1`, `t1gd`, `t2` and `seg` as NIfTI; without it, a volume made by formula is measured.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import numpy as np
import SimpleITK as sitk

from gliomaai_training.radiomics.config import FEATURE_CLASSES, FEATURE_REGIONS, RadiomicsConfig
from gliomaai_training.radiomics.extract import extract
from gliomaai_training.radiomics.images import FeatureCase

SEQUENCES = ("t1", "t1gd", "t2")
REGIONS = ("WT", "TC", "ET", "ED")
BIN_WIDTH = 25.0
RECIPE = RadiomicsConfig(regions=REGIONS, sequences=SEQUENCES, normalisation="none")
RELATIVE = 1e-6

Values = Mapping[str, float]


def formula_case(seed: int = 0) -> FeatureCase:
    """A tumour of about 130 mL with a ragged outline, in textured images of 240 x 240 x 155."""
    generator = np.random.default_rng(seed)
    k, j, i = np.indices((155, 240, 240), dtype=np.float32)
    wave = np.sin(k / 4) * np.cos(j / 5) + np.sin(i / 3.5)
    distance = np.sqrt((k - 80) ** 2 + (j - 110) ** 2 + (0.9 * (i - 140)) ** 2) + 2 * wave
    labels = np.zeros(distance.shape, np.uint8)
    for label, radius_mm in ((2, 31.0), (3, 20.0), (1, 14.0)):
        labels[distance < radius_mm] = label
    images = {}
    for number, name in enumerate(SEQUENCES):
        means = np.array([100.0, 60.0 + 20 * number, 130.0, 180.0 - 30 * number], np.float32)
        noise = generator.normal(0, 18, labels.shape).astype(np.float32)
        images[name] = sitk.GetImageFromArray(means[labels] + 15 * wave + noise)
    return FeatureCase("formula", images, sitk.GetImageFromArray(labels))


def case_of(folder: Path) -> FeatureCase:
    """A case from its NIfTI files."""
    images = {
        name: sitk.ReadImage(str(folder / f"{name}.nii.gz"), sitk.sitkFloat32) for name in SEQUENCES
    }
    return FeatureCase(
        folder.name, images, sitk.ReadImage(str(folder / "seg.nii.gz"), sitk.sitkUInt8)
    )


def ours(case: FeatureCase) -> Values:
    return extract(case, RECIPE).values


def pyradiomics(case: FeatureCase, spared: bool) -> Values:
    """The same features under the same names."""
    import radiomics
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    radiomics.setVerbosity(60)
    settings: dict[str, object] = {"binWidth": BIN_WIDTH, "preCrop": spared}
    labels = sitk.GetArrayFromImage(case.labels)
    labels[labels == 4] = 3
    values: dict[str, float] = {}
    for region in REGIONS:
        mask = sitk.GetImageFromArray(np.isin(labels, FEATURE_REGIONS[region]).astype(np.uint8))
        mask.CopyInformation(case.labels)
        for number, sequence in enumerate(SEQUENCES):
            extractor = RadiomicsFeatureExtractor(**settings)
            extractor.disableAllFeatures()
            for name in FEATURE_CLASSES:
                if name != "shape" or number == 0 or not spared:
                    extractor.enableFeatureClassByName(name)
            found = extractor.execute(case.images[sequence], mask)
            for name, value in found.items():
                if name.startswith("original_shape"):
                    values[f"{region}_{name}"] = float(value)
                elif name.startswith("original"):
                    values[f"{sequence}_{region}_{name}"] = float(value)
    return values


def timed(measure: Callable[[], Values]) -> tuple[float, Values]:
    begin = time.process_time()
    values = measure()
    return time.process_time() - begin, values


def disagreement(one: Values, other: Values) -> float:
    """The largest relative difference of any feature."""
    return max(abs(one[name] - other[name]) / max(abs(other[name]), 1e-9) for name in other)


def spread(values: list[float], unit: str = "") -> str:
    return f"{median(values):.2f}{unit} ({min(values):.2f} to {max(values):.2f})"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", type=Path, help="folder of a case; default: made by formula")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    case = case_of(arguments.case) if arguments.case else formula_case()
    with_oracle = find_spec("radiomics") is not None
    ways = {"as used": False, "spared": True} if with_oracle else {}
    seconds: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in ways}
    worst = 0.0
    ours(case)  # tables are made and modules are loaded once in a process
    for _ in range(arguments.repeats):
        mine, values = timed(lambda: ours(case))
        seconds.append(mine)
        for name, spared in ways.items():
            taken, expected = timed(lambda spared=spared: pyradiomics(case, spared))
            theirs[name].append(taken)
            worst = max(worst, disagreement(values, expected))
    write = sys.stdout.write
    write(f"case {case.case}, {len(SEQUENCES)} sequences x {', '.join(REGIONS)}; CPU seconds\n")
    write(f"ours                 {spread(seconds)}\n")
    for name, taken in theirs.items():
        ratios = [other / mine for other, mine in zip(taken, seconds, strict=True)]
        write(f"PyRadiomics, {name:8s}{spread(taken)}; ratio {spread(ratios)}\n")
    if not with_oracle:
        write("PyRadiomics is not installed here: nothing to compare with\n")
        return 0
    write(f"largest relative difference of a feature: {worst:.1e}\n")
    return int(worst > RELATIVE)


if __name__ == "__main__":
    sys.exit(main())
