"""A simulated study as a PACS exports it: classic MR Image Storage, one file a slice, one folder.

Headers are plausible, names and numbers synthetic; the same patient gives the same bytes.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage, generate_uid

from gliomaai_training.simulation.patient import SimulatedPatient
from gliomaai_training.vocabulary import SEQUENCES

_STUDY_DATE = "20200102"
_TESLA = "3"
_DESCRIPTIONS = {
    "SE": {
        "t1": ("AX T1 SE", "t1_se_tra", "Ax T1"),
        "t1gd": ("AX T1 SE +C", "t1_se_tra KM", "Ax T1 POST GAD"),
    },
    "GRE": {
        "t1": ("t1_mprage_sag_p2_iso", "AX 3D T1 BRAVO", "3D T1 TFE"),
        "t1gd": ("t1_mprage_sag_p2_iso +C", "AX 3D T1 BRAVO +C", "3D T1 TFE POST GD"),
    },
    "": {
        "t2": ("AX T2 TSE", "t2_tse_tra", "Ax T2 FSE"),
        "flair": ("AX T2 FLAIR", "t2_tirm_tra_dark-fluid", "FLAIR TRA"),
    },
}


@dataclass(frozen=True)
class _Series:
    """What the headers of one series say beside the pixels."""

    name: str
    number: int
    description: str
    protocol: dict[str, float | str]


def write_dicom_study(patient: SimulatedPatient, folder: Path) -> int:
    """Writes all present sequences as DICOM files in one folder; returns the number of files.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    protocol = patient.parameters["protocol"]
    if not isinstance(protocol, dict):
        raise ValueError(f"the patient's protocol is no mapping: {type(protocol).__name__}")
    count = 0
    for name, image in patient.sequences.items():
        series = _Series(
            name=name,
            number=2 + SEQUENCES.index(name),
            description=_description(name, str(protocol["t1_kind"]), patient.seed),
            protocol=protocol,
        )
        voxels = sitk.GetArrayViewFromImage(image).astype(np.uint16)
        for index, pixels in enumerate(voxels):
            count += 1
            dataset = _slice(patient, series, image, index)
            _add_pixels(dataset, pixels)
            _save(dataset, folder / f"IM{count:06d}")
    return count


def _description(name: str, t1_kind: str, seed: int) -> str:
    choices = _DESCRIPTIONS[t1_kind if name in ("t1", "t1gd") else ""][name]
    return choices[seed % len(choices)]  # one vendor's habit for all series of a study


def _uid(*words: object) -> UID:
    return generate_uid(entropy_srcs=["gliomaai-simulation", *(str(word) for word in words)])


def _slice(
    patient: SimulatedPatient, series: _Series, image: sitk.Image, index: int
) -> FileDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.MediaStorageSOPInstanceUID = _uid(patient.seed, series.name, index)
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _uid("implementation")
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = MRImageStorage
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    _add_patient(dataset, patient)
    dataset.StudyInstanceUID = _uid(patient.seed, "study")
    dataset.SeriesInstanceUID = _uid(patient.seed, "series", series.name)
    dataset.FrameOfReferenceUID = _uid(patient.seed, "frame")
    dataset.StudyID = "1"
    dataset.SeriesNumber = series.number
    dataset.InstanceNumber = index + 1
    dataset.SeriesDescription = series.description
    dataset.ProtocolName = series.description
    time = f"10{series.number * 6:02d}00"
    dataset.StudyTime, dataset.SeriesTime, dataset.AcquisitionTime = "100000", time, time
    _add_geometry(dataset, image, index)
    _add_contrast(dataset, series)
    return dataset


def _add_patient(dataset: FileDataset, patient: SimulatedPatient) -> None:
    dataset.PatientName = f"Synthetic^Patient{patient.seed:06d}"
    dataset.PatientID = f"SIM{patient.seed:06d}"
    dataset.PatientBirthDate = ""
    dataset.PatientSex = patient.facts.sex
    dataset.PatientAge = f"{int(patient.facts.age_years):03d}Y"
    dataset.StudyDate = dataset.SeriesDate = dataset.AcquisitionDate = _STUDY_DATE
    dataset.AccessionNumber = ""
    dataset.ReferringPhysicianName = ""
    dataset.StudyDescription = "MRI BRAIN W WO CONTRAST"
    dataset.Manufacturer = "GliomaAI simulator"
    dataset.ManufacturerModelName = "Synthetic"
    dataset.Modality = "MR"
    dataset.BodyPartExamined = "HEAD"
    dataset.PatientPosition = "HFS"
    dataset.MagneticFieldStrength = _TESLA


def _add_geometry(dataset: FileDataset, image: sitk.Image, index: int) -> None:
    cosines = np.reshape(image.GetDirection(), (3, 3))
    spacing = image.GetSpacing()
    position = image.TransformIndexToPhysicalPoint((0, 0, index))
    dataset.ImagePositionPatient = [_decimal(v) for v in position]
    dataset.ImageOrientationPatient = [_decimal(v) for v in (*cosines[:, 0], *cosines[:, 1])]
    dataset.PixelSpacing = [_decimal(spacing[1]), _decimal(spacing[0])]
    dataset.SliceThickness = _decimal(spacing[2])
    dataset.SpacingBetweenSlices = _decimal(spacing[2])
    dataset.SliceLocation = _decimal(float(np.dot(position, cosines[:, 2])))


def _decimal(value: float) -> str:
    """A DICOM decimal string: at most 16 characters."""
    return f"{value:.10f}"[:16]


def _add_contrast(dataset: FileDataset, series: _Series) -> None:
    protocol = series.protocol
    gradient_echo = protocol["t1_kind"] == "GRE"
    weighted = "t1" if series.name in ("t1", "t1gd") else series.name
    dataset.RepetitionTime = _decimal(float(protocol[f"{weighted}_tr_ms"]))
    dataset.EchoTime = _decimal(float(protocol[f"{weighted}_te_ms"]))
    inversion = float(protocol.get(f"{weighted}_ti_ms", 0.0))
    if inversion > 0:
        dataset.InversionTime = _decimal(inversion)
    prepared = weighted == "t1" and gradient_echo
    dataset.ScanningSequence = ["GR", "IR"] if prepared else ["SE", "IR"] if inversion else "SE"
    dataset.SequenceVariant = "MP" if prepared else "SK"
    dataset.ScanOptions = ""
    dataset.MRAcquisitionType = "3D" if prepared else "2D"
    dataset.FlipAngle = "9" if prepared else "90"
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
    if series.name == "t1gd":
        dataset.ContrastBolusAgent = "Gadobutrol"


def _add_pixels(dataset: FileDataset, pixels: NDArray[np.uint16]) -> None:
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = "500", "1000"
    dataset.PixelData = pixels.astype("<u2").tobytes()


def _save(dataset: FileDataset, path: Path) -> None:
    if int(pydicom.__version__.split(".")[0]) >= 3:
        dataset.save_as(path, enforce_file_format=True)
        return
    dataset.is_little_endian, dataset.is_implicit_VR = True, False
    dataset.save_as(path, write_like_original=False)
