"""The volume that benchmarks run on: a 240x240x155 grid with a brain of average size in it."""

from importlib.util import find_spec
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.preprocessing.network_input import NetworkInput
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.vocabulary import SEQUENCES

GRID = Grid((240, 240, 155), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
SHRINKAGE = (0.92, 0.968, 0.973)
"""Along k, j, i: the ICBM152 template is larger than most brains."""

_TEMPLATE = "datasets/data/mni_icbm152_t1_tal_nlin_sym_09a_converted.nii.gz"


def synthetic_sequences(seed: int = 0) -> dict[str, sitk.Image]:
    """Four stripped, co-registered sequences of one head: the template under four contrasts, with
    a bright tumour, so that a trained network has something to find. Speed does not depend on it.
    """
    template = _template_on_grid()
    brain = template > 0
    k, j, i = np.indices(template.shape, dtype=np.float32)
    distance = np.sqrt((k - 95) ** 2 + (j - 105) ** 2 + (i - 150) ** 2)
    core, oedema = distance < 14, distance < 26
    noise = np.random.default_rng(seed)
    images = {}
    for name in SEQUENCES:
        dark_to_bright = name in ("t1", "t1gd")
        values = 40 + 160 * (template if dark_to_bright else 1 - template)
        values[oedema & brain] *= 0.85 if dark_to_bright else 1.5
        if name == "t1gd":
            values[core & brain] *= 1.7
        values += noise.normal(0, 4, values.shape)
        images[name] = GRID.image(np.where(brain, np.maximum(values, 1), 0).astype(np.float32))
    return images


def case_sequences(folder: Path) -> dict[str, sitk.Image]:
    """The sequences of a folder `t1.nii.gz`, `t1gd.nii.gz` ...: stripped and on one grid.

    Raises:
        FileNotFoundError: one of the four is missing.
    """
    files = {name: folder / f"{name}.nii.gz" for name in SEQUENCES}
    for file in files.values():
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing; a case holds all four sequences")
    return {name: sitk.ReadImage(str(file), sitk.sitkFloat32) for name, file in files.items()}


def prepared(sequences: dict[str, sitk.Image]) -> Prepared:
    """Stripped sequences on one grid as preprocessing would hand them over."""
    first = sequences["t1gd"]
    brain = np.any([sitk.GetArrayViewFromImage(image) > 0 for image in sequences.values()], axis=0)
    return Prepared(
        sequences=sequences,
        brain_mask=Grid.of(first).image(brain.astype(np.uint8)),
        reference="t1gd",
        native_grids={name: Grid.of(first) for name in sequences},
        to_native={name: sitk.Transform(sitk.TranslationTransform(3)) for name in sequences},
        findings=(),
        steps={},
    )


def whole_grid(cut: NetworkInput) -> NDArray[np.float32]:
    """The same normalised intensities (4, k, j, i), uncropped: what a plain tool would be given."""
    return cut.restore(cut.images, [0.0] * len(SEQUENCES))


def _template_on_grid() -> NDArray[np.float32]:
    """The template's T1 in the grid (k, j, i), 0 to 1, and 0 outside its brain."""
    package = find_spec("nilearn")
    if package is None or package.origin is None:
        raise FileNotFoundError("nilearn, which brings the ICBM152 template, is not installed")
    file = Path(package.origin).parent / _TEMPLATE
    values = np.asarray(nibabel.load(file).dataobj, np.float32).transpose(2, 1, 0)  # type: ignore[attr-defined]
    values = ndimage.zoom(values / values.max(), SHRINKAGE, order=1)
    occupied = ndimage.find_objects((values > 0.05).astype(np.uint8))[0]
    values = values[occupied]
    result = np.zeros(GRID.size[::-1], np.float32)
    start = [(whole - part) // 2 for whole, part in zip(result.shape, values.shape, strict=True)]
    place = tuple(slice(low, low + n) for low, n in zip(start, values.shape, strict=True))
    result[place] = np.where(values > 0.05, values, 0)
    return result
