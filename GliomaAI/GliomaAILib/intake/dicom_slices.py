"""DICOM headers become slices: one record for each image plane, classic or enhanced alike."""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.multival import MultiValue

from GliomaAILib.intake.facts import age_of_string
from GliomaAILib.intake.parameters import names_agent
from GliomaAILib.intake.privacy import fingerprint
from GliomaAILib.intake.volume import HeaderFacts, Origin

ENHANCED_STORAGE = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.4.1",
        "1.2.840.10008.5.1.4.1.1.4.3",
        "1.2.840.10008.5.1.4.1.1.4.4",
        "1.2.840.10008.5.1.4.1.1.2.1",
        "1.2.840.10008.5.1.4.1.1.2.2",
    }
)
"""SOP classes whose frames carry their own geometry (DICOM PS3.3, A.36 and A.38)."""

SEGMENTATION_STORAGE = frozenset({"1.2.840.10008.5.1.4.1.1.66.4", "1.2.840.10008.5.1.4.1.1.66.7"})

IDENTIFIER_KEYWORDS = (
    "PatientName",
    "PatientID",
    "OtherPatientIDs",
    "OtherPatientNames",
    "PatientBirthName",
    "PatientMotherBirthName",
    "PatientBirthDate",
    "AccessionNumber",
)

Vector = tuple[float, ...]


@dataclass(frozen=True)
class Plane:
    """Where one slice lies, in LPS mm (DICOM PS3.3, C.7.6.2)."""

    position_mm: Vector
    """Centre of the first voxel."""
    row: Vector
    """Direction of growing column index."""
    column: Vector
    """Direction of growing row index."""
    spacing_mm: tuple[float, float]
    """Between columns (along `row`), between rows (along `column`)."""


@dataclass(frozen=True)
class SeriesFacts:
    """What all slices of a series share."""

    uid: str
    number: int | None
    modality: str
    sop_class: str
    origin: Origin
    age_years: float | None
    sex: str | None
    identifiers: tuple[str, ...]
    """For masking only; never shown."""


@dataclass(frozen=True)
class Slice:
    """One image plane of a DICOM file."""

    path: Path
    instance_uid: str
    frame: int | None
    """Index in an enhanced multi-frame file; None for a file that is one slice."""
    series: SeriesFacts
    header: HeaderFacts
    plane: Plane | None
    rows: int
    columns: int
    samples: int
    rescale: tuple[float, float]
    """Slope and intercept."""
    rescale_of_file: tuple[float, float]
    """Slope and intercept of the file's first frame: GDCM applies them to all of its frames."""
    timing: tuple[str, ...]
    """What may tell repeated passes over the same places apart, the most telling first."""


class UnreadableDicomError(ValueError):
    """The file is no DICOM image, or its header is damaged."""


def read_slices(path: Path) -> list[Slice]:
    """Reads a file's header and describes its planes.

    Raises:
        UnreadableDicomError: no DICOM file, no image, or a damaged header.
    """
    try:
        with _quiet():
            dataset = pydicom.dcmread(path, stop_before_pixels=True)
            if "Rows" not in dataset or "SeriesInstanceUID" not in dataset:
                return []
            return _slices(path, dataset)
    except (InvalidDicomError, EOFError, OSError) as error:
        raise UnreadableDicomError("the DICOM header cannot be read") from error
    except (AttributeError, KeyError, TypeError, ValueError, NotImplementedError) as error:
        raise UnreadableDicomError("the DICOM header is damaged") from error


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps pydicom from warning and logging: its words quote paths and values of elements."""
    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings(), pydicom.config.disable_value_validation():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = before


def _slices(path: Path, dataset: Dataset) -> list[Slice]:
    series = _series(dataset)
    if series.sop_class in ENHANCED_STORAGE and "PerFrameFunctionalGroupsSequence" in dataset:
        frames = dataset.PerFrameFunctionalGroupsSequence
        return [_enhanced_slice(path, k, series, dataset) for k in range(len(frames))]
    return [_classic_slice(path, series, dataset)]


def _series(dataset: Dataset) -> SeriesFacts:
    identifiers = tuple(
        text for key in IDENTIFIER_KEYWORDS for text in _texts(dataset.get(key)) if text
    )
    patient = [str(dataset.get(key) or "") for key in ("PatientID", "PatientName")]
    origin = Origin(
        patient=fingerprint(*patient) if any(patient) else "",
        study=_mark(dataset.get("StudyInstanceUID")),
        study_date=_mark(dataset.get("StudyDate")),
    )
    return SeriesFacts(
        uid=str(dataset.SeriesInstanceUID),
        number=_integer(dataset.get("SeriesNumber")),
        modality=str(dataset.get("Modality") or ""),
        sop_class=str(dataset.get("SOPClassUID") or ""),
        origin=origin,
        age_years=_age_years(dataset),
        sex=_sex(dataset),
        identifiers=identifiers,
    )


def _mark(value: object) -> str:
    return fingerprint(str(value)) if value else ""


def _classic_slice(path: Path, series: SeriesFacts, dataset: Dataset) -> Slice:
    plane = _plane(
        dataset.get("ImagePositionPatient"),
        dataset.get("ImageOrientationPatient"),
        dataset.get("PixelSpacing"),
    )
    timing = ("TemporalPositionIdentifier", "AcquisitionNumber", "TriggerTime", "AcquisitionTime")
    return Slice(
        path=path,
        instance_uid=str(dataset.get("SOPInstanceUID") or path),
        frame=None,
        series=series,
        header=_header([dataset]),
        plane=plane,
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        samples=int(dataset.get("SamplesPerPixel") or 1) * int(dataset.get("NumberOfFrames") or 1),
        rescale=_rescale(dataset),
        rescale_of_file=_rescale(dataset),
        timing=tuple(str(dataset.get(key) or "") for key in timing),
    )


def _enhanced_slice(path: Path, frame: int, series: SeriesFacts, dataset: Dataset) -> Slice:
    shared = dataset.get("SharedFunctionalGroupsSequence") or [Dataset()]
    groups = (dataset.PerFrameFunctionalGroupsSequence[frame], shared[0])
    first = (dataset.PerFrameFunctionalGroupsSequence[0], shared[0])
    plane = _plane(
        _group(groups, "PlanePositionSequence").get("ImagePositionPatient"),
        _group(groups, "PlaneOrientationSequence").get("ImageOrientationPatient"),
        _group(groups, "PixelMeasuresSequence").get("PixelSpacing"),
    )
    parts = (
        "MREchoSequence",
        "MRTimingAndRelatedParametersSequence",
        "MRModifierSequence",
        "MRDiffusionSequence",
        "MRImageFrameTypeSequence",
    )
    content = _group(groups, "FrameContentSequence")
    timing = ("TemporalPositionIndex", "FrameAcquisitionNumber", "FrameReferenceDateTime")
    return Slice(
        path=path,
        instance_uid=str(dataset.get("SOPInstanceUID") or path),
        frame=frame,
        series=series,
        header=_header([*(_group(groups, part) for part in parts), dataset]),
        plane=plane,
        rows=int(dataset.Rows),
        columns=int(dataset.Columns),
        samples=int(dataset.get("SamplesPerPixel") or 1),
        rescale=_rescale(_group(groups, "PixelValueTransformationSequence")),
        rescale_of_file=_rescale(_group(first, "PixelValueTransformationSequence")),
        timing=tuple(str(content.get(key) or "") for key in timing),
    )


def _group(groups: Sequence[Dataset], name: str) -> Dataset:
    for group in groups:
        if group.get(name):
            item: Dataset = group[name][0]
            return item
    return Dataset()


def _header(datasets: Sequence[Dataset]) -> HeaderFacts:
    def first(*keys: str) -> object:
        values = (dataset.get(key) for dataset in datasets for key in keys)
        return next((value for value in values if value not in (None, "")), None)

    # An enhanced file names its inversion times as a list, a classic one as a number.
    inversion = _texts(first("InversionTime", "InversionTimes"))
    return HeaderFacts(
        series_description=str(first("SeriesDescription") or ""),
        protocol_name=str(first("ProtocolName") or ""),
        sequence_name=str(first("SequenceName", "PulseSequenceName") or ""),
        image_type=tuple(text.upper() for text in _texts(first("FrameType", "ImageType"))),
        scanning_sequence=_texts(first("ScanningSequence", "EchoPulseSequence")),
        echo_time_ms=_number(first("EchoTime", "EffectiveEchoTime")),
        repetition_time_ms=_number(first("RepetitionTime")),
        inversion_time_ms=_number(inversion[0]) if inversion else None,
        b_value=_number(first("DiffusionBValue")),
        contrast_agent=_names_contrast(first("ContrastBolusAgent", "ContrastBolusAgentSequence")),
    )


def _names_contrast(value: object) -> bool:
    """Whether the contrast field names an agent."""
    if value is None:
        return False
    if isinstance(value, pydicom.Sequence):
        return len(value) > 0
    return names_agent(str(value))


def _plane(position: object, orientation: object, spacing: object) -> Plane | None:
    numbers = [_vector(position), _vector(orientation), _vector(spacing)]
    if [len(vector) for vector in numbers] != [3, 6, 2]:
        return None
    place, axes, (between_rows, between_columns) = numbers
    if not (between_rows > 0 and between_columns > 0):
        return None
    return Plane(place, axes[:3], axes[3:], (between_columns, between_rows))


def _vector(value: object) -> Vector:
    if value is None or isinstance(value, str) or not hasattr(value, "__iter__"):
        return ()
    return tuple(float(item) for item in value)


def _rescale(dataset: Dataset) -> tuple[float, float]:
    slope = _number(dataset.get("RescaleSlope"))
    return (1.0 if slope is None else slope, _number(dataset.get("RescaleIntercept")) or 0.0)


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    # A person's name can be iterated over too, letter by letter.
    if isinstance(value, MultiValue | list | tuple):
        return tuple(str(item) for item in value)
    return (str(value),)


def _number(value: object) -> float | None:
    try:
        return None if value is None or value == "" else float(str(value))
    except ValueError:
        return None


def _integer(value: object) -> int | None:
    number = _number(value)
    return None if number is None else int(number)


def _age_years(dataset: Dataset) -> float | None:
    """Age from PatientAge (DICOM PS3.5, value representation AS), else from the two dates."""
    years = age_of_string(str(dataset.get("PatientAge") or ""))
    if years is not None:
        return years
    born, taken = (str(dataset.get(key) or "") for key in ("PatientBirthDate", "StudyDate"))
    if not (len(born) == len(taken) == 8 and (born + taken).isdigit()):
        return None
    days = (int(taken[:4]) - int(born[:4])) * 12 + int(taken[4:6]) - int(born[4:6])
    return days / 12 if 0 < days < 12 * 120 else None


def _sex(dataset: Dataset) -> str | None:
    text = str(dataset.get("PatientSex") or "").strip().upper()
    return text if text in {"F", "M"} else None
