"""Makes small heads and writes them as DICOM, NIfTI and NRRD for the tests of intake."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
ENHANCED_MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4.1"

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

# Scalp, skull, fluid, grey matter, white matter, tumour core's rim, oedema.
SIGNALS = {
    "t1": (900, 60, 180, 420, 560, 400, 430),
    "t1gd": (900, 60, 190, 430, 560, 1150, 430),
    "t2": (500, 60, 1500, 640, 460, 760, 900),
    "flair": (500, 60, 120, 520, 440, 640, 860),
}


def head(
    sequence: str, shape: tuple[int, int, int] = (30, 56, 48), seed: int = 0
) -> NDArray[np.int16]:
    """A crude head of 150 x 196 x 168 mm, shaped (superior, posterior, left), LPS axes.

    Grey matter is a folded ribbon; there are ventricles, a tumour with a rim and oedema. It is
    drawn for contrast, not for beauty.
    """
    scalp, skull, fluid, grey, white, rim, oedema = SIGNALS[sequence]
    z, y, x = np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij")
    radius = np.sqrt((x / 0.92) ** 2 + (y / 0.95) ** 2 + ((z + 0.15) / 1.02) ** 2)
    folds = np.sin(11 * x + 3 * z) * np.sin(9 * y - 2 * x) * np.cos(7 * z)
    image = np.zeros(shape)
    image[radius < 0.98] = scalp
    image[radius < 0.91] = skull
    image[radius < 0.85] = fluid
    image[radius < 0.82] = grey
    image[(radius < 0.82) & (radius > 0.45) & (folds > 0.45)] = fluid
    image[radius + 0.22 * folds < 0.66] = white
    for side in (-0.14, 0.14):
        image[((x - side) / 0.11) ** 2 + (y / 0.45) ** 2 + (z / 0.4) ** 2 < 1] = fluid
    tumour = np.sqrt(((x - 0.42) / 0.2) ** 2 + (y / 0.22) ** 2 + ((z - 0.1) / 0.3) ** 2)
    image[(tumour < 1.6) & (image == white)] = oedema
    image[tumour < 1.0] = rim
    image[tumour < 0.6] = 0.4 * white + 0.6 * fluid
    noise = np.random.default_rng(seed).normal(0, 12, shape)
    return np.clip(image + noise, 0, None).astype(np.int16)


@dataclass(frozen=True)
class SeriesRecipe:
    """How a DICOM series is written."""

    description: str = ""
    orientation: Sequence[float] = AXIAL
    position_mm: Sequence[float] = (-84.0, -98.0, -75.0)
    spacing_mm: tuple[float, float, float] = (3.5, 3.5, 5.0)
    """Between columns, rows and slices."""
    patient: Mapping[str, str] = field(
        default_factory=lambda: {"PatientName": "Doe^Jane", "PatientID": "4711x"}
    )
    study_uid: str = "1.2.826.0.1.3680043.8.498.1"
    tags: Mapping[str, object] = field(default_factory=dict)
    order: Sequence[int] | None = None
    """In which order the slices are numbered and named; by default as in the array."""
    slice_positions_mm: Sequence[Sequence[float]] | None = None


def write_series(folder: Path, array: NDArray[np.integer], recipe: SeriesRecipe) -> list[Path]:
    """Writes `array`, shaped (slice, row, column), as single-slice DICOM files."""
    folder.mkdir(parents=True, exist_ok=True)
    series_uid = generate_uid()
    order = list(recipe.order if recipe.order is not None else range(len(array)))
    paths = []
    for name, index in enumerate(order):
        dataset = _dataset(MR_IMAGE, recipe, series_uid)
        dataset.InstanceNumber = name + 1
        dataset.ImageOrientationPatient = [float(v) for v in recipe.orientation]
        dataset.ImagePositionPatient = [float(v) for v in slice_position(recipe, index)]
        dataset.PixelSpacing = [recipe.spacing_mm[1], recipe.spacing_mm[0]]
        dataset.SliceThickness = recipe.spacing_mm[2]
        _set_pixels(dataset, array[index])
        for key, value in recipe.tags.items():
            setattr(dataset, key, value)
        path = folder / f"{series_uid[-6:]}-{name:04d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        paths.append(path)
    return paths


def slice_position(recipe: SeriesRecipe, index: int) -> NDArray[np.float64]:
    """Centre of the first voxel of a slice, LPS mm."""
    if recipe.slice_positions_mm is not None:
        return np.asarray(recipe.slice_positions_mm[index], dtype=float)
    normal = np.cross(recipe.orientation[:3], recipe.orientation[3:])
    return np.asarray(recipe.position_mm) + index * recipe.spacing_mm[2] * normal


def write_enhanced(path: Path, array: NDArray[np.integer], recipe: SeriesRecipe) -> Path:
    """Writes `array` as one enhanced multi-frame MR file (DICOM PS3.3, A.36)."""
    dataset = _dataset(ENHANCED_MR_IMAGE, recipe, generate_uid())
    shared = Dataset()
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing = [recipe.spacing_mm[1], recipe.spacing_mm[0]]
    measures.SliceThickness = recipe.spacing_mm[2]
    orientation.ImageOrientationPatient = [float(v) for v in recipe.orientation]
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    dataset.SharedFunctionalGroupsSequence = [shared]
    order = list(recipe.order if recipe.order is not None else range(len(array)))
    dataset.PerFrameFunctionalGroupsSequence = [_frame_groups(recipe, index) for index in order]
    _set_pixels(dataset, array[order])
    dataset.NumberOfFrames = len(array)
    for key, value in recipe.tags.items():
        setattr(dataset, key, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(path, enforce_file_format=True)
    return path


def _frame_groups(recipe: SeriesRecipe, index: int) -> Dataset:
    groups, place, transform, content = Dataset(), Dataset(), Dataset(), Dataset()
    place.ImagePositionPatient = [float(v) for v in slice_position(recipe, index)]
    transform.RescaleIntercept, transform.RescaleSlope, transform.RescaleType = 0, 1, "US"
    content.InStackPositionNumber, content.StackID = index + 1, "1"
    groups.PlanePositionSequence = [place]
    groups.PixelValueTransformationSequence = [transform]
    groups.FrameContentSequence = [content]
    return groups


def _dataset(sop_class: str, recipe: SeriesRecipe, series_uid: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyInstanceUID = recipe.study_uid
    dataset.SeriesInstanceUID = series_uid
    dataset.Modality = "MR"
    dataset.SeriesDescription = recipe.description
    dataset.StudyDate = "20240105"
    for key, value in recipe.patient.items():
        setattr(dataset, key, value)
    return dataset


def _set_pixels(dataset: Dataset, pixels: NDArray[np.integer]) -> None:
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
    dataset.PixelRepresentation = 1
    dataset.PixelData = pixels.astype("<i2").tobytes()


def image_of(
    array: NDArray[np.generic],
    spacing_mm: Sequence[float] = (3.5, 3.5, 5.0),
    origin_mm: Sequence[float] = (-84.0, -98.0, -75.0),
    direction: Sequence[float] = (1, 0, 0, 0, 1, 0, 0, 0, 1),
) -> sitk.Image:
    """A SimpleITK image of an array shaped (k, j, i)."""
    image = sitk.GetImageFromArray(array)
    image.SetSpacing([float(v) for v in spacing_mm])
    image.SetOrigin([float(v) for v in origin_mm])
    image.SetDirection([float(v) for v in direction])
    return image


def write_head(path: Path, sequence: str, seed: int = 0) -> Path:
    """Writes a head of one sequence as NIfTI, NRRD or MetaImage, by the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image_of(head(sequence, seed=seed)), str(path))
    return path


def write_study(folder: Path, names: Mapping[str, str]) -> Path:
    """Writes one head a file: `names` gives the sequence by file name."""
    for index, (name, sequence) in enumerate(names.items()):
        write_head(folder / name, sequence, seed=index)
    return folder


def set_tag(path: Path, key: str, value: object) -> None:
    """Changes one element of a DICOM file in place."""
    dataset = pydicom.dcmread(path)
    setattr(dataset, key, value)
    dataset.save_as(path)
