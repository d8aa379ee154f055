"""Volumes become candidates: read, checked, and weighed for each of the four sequences."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.progress import Progress
from GliomaAILib.intake.content import content_evidence
from GliomaAILib.intake.errors import CandidateRow
from GliomaAILib.intake.evidence import Evidence, combine
from GliomaAILib.intake.gates import checked_voxels
from GliomaAILib.intake.names import name_evidence
from GliomaAILib.intake.parameters import parameter_evidence
from GliomaAILib.intake.volume import Refusal, Volume, VolumeRefusedError

STAGE = "reading"


@dataclass(frozen=True)
class Candidate:
    """A volume with its voxels and the probability of each sequence."""

    number: int
    volume: Volume
    image: sitk.Image
    voxel_mark: str
    """Equal for two candidates that hold the same voxels at the same places."""
    evidence: tuple[Evidence, ...]
    probabilities: dict[str, float]

    @property
    def best(self) -> str:
        """The most likely sequence."""
        return max(self.probabilities, key=lambda name: self.probabilities[name])

    @property
    def confidence(self) -> float:
        """Probability of the most likely sequence."""
        return self.probabilities[self.best]

    def row(self) -> CandidateRow:
        """The candidate as a line of the table from which a person chooses."""
        return CandidateRow(
            number=self.number,
            sequence=self.best if self.confidence > 0.5 else "?",
            confidence=self.confidence,
            description=self.volume.description,
            slices=self.volume.size[2],
            spacing_mm=self.volume.spacing_mm,
            why="; ".join(piece.why for piece in self.evidence) or "nothing told it apart",
        )


@dataclass(frozen=True)
class Recognised:
    """The candidates of a study, with what was refused or repaired on reading them."""

    candidates: tuple[Candidate, ...]
    refusals: tuple[Refusal, ...]
    findings: tuple[Finding, ...]


def recognise(volumes: Sequence[Volume], progress: Progress) -> Recognised:
    """Reads the voxels of each volume and weighs name, header and content.

    Args:
        volumes: in the order in which they are numbered.
        progress: told after each volume.
    """
    read: list[tuple[Volume, sitk.Image]] = []
    refusals: list[Refusal] = []
    findings: list[Finding] = []
    for index, volume in enumerate(volumes):
        try:
            image, repaired = checked_voxels(volume)
        except VolumeRefusedError as error:
            expected = error.code == "label_image"
            refusals.append(Refusal(volume.description, error.code, (error.reason,), expected))
        else:
            read.append((volume, image))
            findings.extend([*volume.findings, *repaired])
        progress(STAGE, 0.5 + 0.4 * (index + 1) / len(volumes))
    contents = content_evidence([image for _, image in read])
    candidates = [
        _candidate(number, volume, image, content)
        for number, ((volume, image), content) in enumerate(
            zip(read, contents, strict=True), start=1
        )
    ]
    return Recognised(tuple(candidates), tuple(refusals), tuple(findings))


def _candidate(
    number: int, volume: Volume, image: sitk.Image, content: Evidence | None
) -> Candidate:
    pieces = [*_name_pieces(volume)]
    if volume.header is not None:
        pieces.extend(parameter_evidence(volume.header))
    if content is not None:
        pieces.append(content)
    return Candidate(number, volume, image, _voxel_mark(image), tuple(pieces), combine(pieces))


def _name_pieces(volume: Volume) -> list[Evidence]:
    """The first text that says anything; the rest mostly repeats it."""
    for text in volume.name_texts:
        if piece := name_evidence(text):
            return [piece]
    return []


def _voxel_mark(image: sitk.Image) -> str:
    array = sitk.GetArrayViewFromImage(image)
    geometry = np.round([*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection()], 3)
    digest = hashlib.sha256(np.ascontiguousarray(array, dtype=np.float32).tobytes())
    digest.update((geometry + 0.0).tobytes())
    return digest.hexdigest()


def conflicting(candidate: Candidate, sequence: str) -> Evidence | None:
    """The content evidence that speaks clearly against a sequence, or None."""
    for piece in candidate.evidence:
        if piece.source == "content":
            alone = combine([piece])
            best = max(alone, key=lambda name: alone[name])
            if best != sequence and alone[best] >= 0.8 and alone[sequence] <= 0.15:
                return piece
    return None


def as_named(candidate: Candidate, sequence: str) -> Candidate:
    """The candidate when a person said which sequence it is."""
    return replace(candidate, probabilities={sequence: 1.0})


def contradiction(candidate: Candidate, sequence: str, piece: Evidence) -> Finding:
    """The finding for a sequence whose content speaks against its name."""
    return Finding(
        "intake.contradiction",
        Severity.WARNING,
        f"'{candidate.volume.description}' is taken as {sequence}, but its voxels look otherwise: "
        f"{piece.why}.",
        f"Check the image; name another with --{sequence} PATH if this is not {sequence}.",
        (sequence,),
    )
