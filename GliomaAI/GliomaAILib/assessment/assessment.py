"""The result of a run: everything that a report, a table or a viewer shows."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import SimpleITK as sitk

from gliomaai_training.findings import Finding
from gliomaai_training.inference.task_features import TaskFeatures
from gliomaai_training.interpretation.explanations import StudyExplanation
from gliomaai_training.preprocessing.atlas import AtlasRegistration
from gliomaai_training.preprocessing.prepared import Prepared
from GliomaAILib.assessment.estimates import Estimates
from GliomaAILib.assessment.measures import Measures
from GliomaAILib.intake.case import Source
from GliomaAILib.intake.facts import ClinicalFacts


@dataclass(frozen=True)
class PackUse:
    """A model pack that took part in a result."""

    name: str
    version: str
    sha256: str
    """Hash of the pack's manifest."""


@dataclass(frozen=True)
class Provenance:
    """How a result came to be; the inputs' hashes are with the assessment's sources."""

    created_utc: str
    """ISO 8601 with offset, for example `2026-01-31T12:00:00+00:00`."""
    gliomaai_version: str
    software: Mapping[str, str]
    """Version by distribution or component name."""
    model_packs: tuple[PackUse, ...]
    engine: str
    """Which engine and precision ran the network, for example `torch fp32 cpu`."""
    timings_s: Mapping[str, float] = field(default_factory=dict)
    """Wall-clock seconds by stage, in the order of the run."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What the user chose, by option name."""


@dataclass(frozen=True)
class Correction:
    """How a mask that a person corrected differs from the network's, on the native grid."""

    added_voxels: Mapping[str, int]
    """By label name: voxels that have it now and did not before."""
    removed_voxels: Mapping[str, int]
    """By label name: voxels that had it before and do not now."""
    dice: Mapping[str, float]
    """By region: overlap of the corrected with the network's mask; 1 where both are empty."""


@dataclass(frozen=True)
class Assessment:
    """A case's segmentation, measures, estimates and findings."""

    reference: str
    """The sequence whose native grid `segmentation` has."""
    sources: Mapping[str, Source]
    """By sequence."""
    facts: ClinicalFacts
    findings: tuple[Finding, ...]
    """Of intake, preprocessing and the result, the most severe first."""
    segmentation: sitk.Image
    """UInt8 `vocabulary.Label` values on the reference sequence's native grid."""
    labels: sitk.Image
    """UInt8 `vocabulary.Label` values on the common grid."""
    entropy: sitk.Image | None
    """Float32 bits (0 certain, 2 uniform) on the common grid; None where the network's mask was
    restored and nothing else of what it said is known."""
    prepared: Prepared
    registration: AtlasRegistration | None
    """To ICBM152; None where it failed, or without a tumour to locate."""
    measures: Measures
    provenance: Provenance
    correction: Correction | None = None
    """None where the mask is the network's own."""
    estimates: Estimates = field(default_factory=Estimates)
    """Diagnosis and prognosis of this mask and these facts; see `estimate.estimated`."""
    features: TaskFeatures | None = None
    """What the heads of a multi-task network read, whatever the mask is; None without heads."""
    no_features: str = ""
    """Why there are none of a network that has heads, in a sentence."""
    explanation: StudyExplanation | None = None
    """Why the network answers as it does with this mask; None where nobody asked."""
    not_explained: str = ""
    """Why there is no explanation, where somebody asked for one."""
