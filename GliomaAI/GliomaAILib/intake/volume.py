"""What intake's stages hand to each other: volumes that could be a sequence, and refusals."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import SimpleITK as sitk

from gliomaai_training.findings import Finding


@dataclass(frozen=True)
class HeaderFacts:
    """What a header or sidecar says of how the image was made; None or empty where it is silent."""

    series_description: str = field(default="", repr=False)
    protocol_name: str = field(default="", repr=False)
    sequence_name: str = ""
    image_type: tuple[str, ...] = ()
    scanning_sequence: tuple[str, ...] = ()
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    b_value: float | None = None
    contrast_agent: bool = False
    """Whether a contrast agent is named; many scanners leave it out, so False says nothing."""


@dataclass(frozen=True)
class Origin:
    """Whose volume it is and of which examination, as one-way marks; empty where unknown."""

    patient: str = ""
    study: str = ""
    study_date: str = ""


@dataclass(frozen=True)
class Volume:
    """A volume that passed the geometric checks; its voxels are read when asked for."""

    paths: tuple[Path, ...]
    """In slice order for DICOM; a single file otherwise."""
    file_names: tuple[str, ...]
    """Relative to the study folder, identifiers masked."""
    format: str
    """`DICOM`, `NIfTI`, `NRRD` or `MetaImage`."""
    description: str
    """For people: identifiers masked."""
    name_texts: tuple[str, ...] = field(repr=False)
    """What to recognise by name, the most telling first. Not masked: never show it."""
    size: tuple[int, int, int] = (0, 0, 0)
    spacing_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    normal_axis: int = 2
    """The patient axis nearest to the slice normal: 0 sagittal, 1 coronal, 2 axial."""
    series_uid: str | None = None
    header: HeaderFacts | None = None
    origin: Origin = Origin()
    load: Callable[[], sitk.Image] = field(default=lambda: sitk.Image(), repr=False)
    """Reads the voxels: a new image without any meta-data. Raises `VolumeRefusedError`."""
    findings: tuple[Finding, ...] = ()
    derived_name: bool = False
    """Whether the name tells of processing (bias-corrected, reformatted)."""


@dataclass(frozen=True)
class Refusal:
    """A series or file that cannot be a sequence, with the reasons in words."""

    description: str
    """For people: identifiers masked."""
    code: str
    """Of the first reason: `gantry_tilt`, `few_slices` and so on."""
    reasons: tuple[str, ...]
    expected: bool = False
    """Whether such a thing belongs in a study (a localiser, a diffusion map, a segmentation)."""

    def sentence(self) -> str:
        """One sentence for a finding."""
        return f"'{self.description}' is not used: {'; '.join(self.reasons)}."


class VolumeRefusedError(ValueError):
    """Reading the voxels showed that the volume cannot be used."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
