"""Volumes become candidates: read, checked, and weighed for each of the four sequences."""

import hashlib
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.progress import Progress
from GliomaAILib.intake.content import (
    CoarseView,
    coarse_view,
    content_evidence,
    enhancement,
    pair_evidence,
)
from GliomaAILib.intake.errors import CandidateRow
from GliomaAILib.intake.evidence import Evidence, combine, joint
from GliomaAILib.intake.gates import checked_voxels
from GliomaAILib.intake.names import name_evidence
from GliomaAILib.intake.parameters import parameter_evidence
from GliomaAILib.intake.volume import Refusal, Volume, VolumeRefusedError

STAGE = "reading"

T1_LIKE = 0.6
"""Two candidates more probably T1 or T1Gd than this are compared for enhancement."""

MAX_T1_LIKE = 4

CLEAR_NAME = 0.9
"""Below it a name leaves something open, as 'T1' does on the contrast agent."""

CONTRADICTING = 0.8
"""Voxels that say another sequence at least this surely contradict a name."""


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
    candidates = _weighed([_candidate(n, *both) for n, both in enumerate(read, start=1)])
    return Recognised(tuple(candidates), tuple(refusals), tuple(findings))


def _candidate(number: int, volume: Volume, image: sitk.Image) -> Candidate:
    """The candidate by its name and header alone."""
    pieces = _name_pieces(volume)
    if volume.header is not None:
        pieces.extend(parameter_evidence(volume.header))
    return Candidate(number, volume, image, _voxel_mark(image), tuple(pieces), combine(pieces))


def _weighed(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Adds what the voxels say, of each and of pairs, and weighs all candidates together."""
    views = [coarse_view(candidate.image) for candidate in candidates]
    contents = [content_evidence(view) for view in views]
    weighed = [
        _with_evidence(candidate, [content] if content else [])
        for candidate, content in zip(candidates, contents, strict=True)
    ]
    for index, piece in _pair_pieces(weighed, views):
        weighed[index] = _with_evidence(weighed[index], [piece])
    if len({candidate.voxel_mark for candidate in weighed}) < len(weighed):
        return weighed  # copies of one image say nothing of each other
    # What was computed from another image of the study repeats its sequence by intent.
    originals = [candidate for candidate in weighed if not candidate.volume.derived_name]
    planes = [candidate.volume.normal_axis for candidate in originals]
    together = joint([candidate.probabilities for candidate in originals], planes)
    by_number = dict(zip((c.number for c in originals), together, strict=True))
    return [replace(c, probabilities=by_number.get(c.number, c.probabilities)) for c in weighed]


def _with_evidence(candidate: Candidate, pieces: Sequence[Evidence]) -> Candidate:
    evidence = (*candidate.evidence, *pieces)
    return replace(candidate, evidence=evidence, probabilities=combine(evidence))


def _pair_pieces(
    candidates: Sequence[Candidate], views: Sequence[CoarseView]
) -> list[tuple[int, Evidence]]:
    """For each T1-like candidate, what its most telling comparison with another one says."""
    t1_like = [
        index
        for index, candidate in enumerate(candidates)
        if candidate.probabilities["t1"] + candidate.probabilities["t1gd"] > T1_LIKE
    ][:MAX_T1_LIKE]
    found: dict[int, list[Evidence]] = {index: [] for index in t1_like}
    for first, second in itertools.combinations(t1_like, 2):
        if candidates[first].voxel_mark == candidates[second].voxel_mark:
            continue
        score = enhancement(views[first], views[second])
        if score is not None:
            pieces = pair_evidence(score)
            found[first].append(pieces[0])
            found[second].append(pieces[1])
    return [
        (index, max(pieces, key=lambda piece: abs(piece.likelihoods["t1gd"] - 0.5)))
        for index, pieces in found.items()
        if pieces
    ]


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
    """The voxels' evidence that speaks clearly against a sequence, or None."""
    pieces = [piece for piece in candidate.evidence if piece.source == "content"]
    alone = combine(pieces)
    best = max(alone, key=lambda name: alone[name])
    if best == sequence or alone[best] < CONTRADICTING or alone[sequence] > 1 - CONTRADICTING:
        return None
    return max(pieces, key=lambda piece: piece.likelihoods[best] / piece.likelihoods[sequence])


def clearly_named(candidate: Candidate) -> str | None:
    """The sequence that the name alone gives clearly, or None."""
    alone = combine([piece for piece in candidate.evidence if piece.source == "name"])
    best = max(alone, key=lambda name: alone[name])
    return best if alone[best] >= CLEAR_NAME else None


def looks_like(candidate: Candidate) -> str | None:
    """What the voxels alone say when they contradict the name clearly; None otherwise."""
    if conflicting(candidate, candidate.best) is None:
        return None
    alone = combine([piece for piece in candidate.evidence if piece.source == "content"])
    return max(alone, key=lambda name: alone[name])


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
