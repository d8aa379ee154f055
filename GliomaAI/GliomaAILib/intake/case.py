"""A study as the rest of the clinic sees it: at most one image for each sequence."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import SimpleITK as sitk

from gliomaai_training.findings import Finding
from GliomaAILib.intake.facts import ClinicalFacts


@dataclass(frozen=True)
class Source:
    """Where a sequence's image came from and why it was taken for that sequence."""

    file_names: tuple[str, ...]
    """Relative to the study folder."""
    sha256: str
    """Of the files' bytes, in the order of `file_names`."""
    format: str
    """`DICOM`, `NIfTI`, `NRRD` or `MetaImage`."""
    description: str
    """Series description or file name: no identifier of the patient."""
    confidence: float
    """0 to 1: how sure recognition is; 1 when the user named the sequence."""
    evidence: tuple[str, ...]
    """Why, in words."""
    series_uid: str | None = None


@dataclass(frozen=True)
class Case:
    """One study, ready for preprocessing."""

    sequences: Mapping[str, sitk.Image]
    """Float32 or integer scalar volumes in native geometry, by `vocabulary.SEQUENCES` name."""
    sources: Mapping[str, Source]
    facts: ClinicalFacts = field(default_factory=ClinicalFacts)
    findings: tuple[Finding, ...] = ()
