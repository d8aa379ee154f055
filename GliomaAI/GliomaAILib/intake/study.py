"""A study folder or file becomes a Case."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import SimpleITK as sitk

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.case import Case, Source
from GliomaAILib.intake.choose import Choice, choose
from GliomaAILib.intake.collect import Collection, collect
from GliomaAILib.intake.errors import AmbiguousStudyError, StudyError
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.intake.recognise import Candidate, Recognised, recognise
from GliomaAILib.intake.scan import Scan, scan
from GliomaAILib.intake.volume import Origin, Refusal

WHAT_TO_GIVE = (
    "Give a folder with the MR study (DICOM, NIfTI, NRRD or MetaImage) that holds at least one of "
    "T1, T1 with contrast agent, T2 and FLAIR."
)

EXAMINATION_KEYS: tuple[tuple[str, Callable[[Origin], str]], ...] = (
    ("patients", lambda origin: origin.patient),
    ("examinations", lambda origin: origin.study_date or origin.study),
)

COST_OF_MISSING = {
    "t1gd": "enhancing tumour cannot be told from the rest of the core reliably",
    "t1": "enhancement cannot be told from what is bright before contrast agent",
    "t2": "the extent of oedema and core rests on the other sequences",
    "flair": "oedema is hard to tell from cerebrospinal fluid, so its extent is less sure",
}
"""What the published 15-subset tables show of each sequence's part in the result."""


@dataclass(frozen=True)
class Inspection:
    """What a study holds, before anybody chose anything. Holds no identifier of the patient."""

    candidates: tuple[Candidate, ...]
    taken: Mapping[str, int]
    """Number of the candidate by sequence; empty where there is a question."""
    question: str | None
    """What a person has to choose; None where nothing is unclear."""
    findings: tuple[Finding, ...]
    facts: ClinicalFacts


def read_study(
    folder_or_file: Path,
    choices: Mapping[str, str] | None = None,
    progress: Progress = silent,
) -> Case:
    """Reads a study and finds its T1, T1Gd, T2 and FLAIR.

    Args:
        folder_or_file: a folder, scanned recursively, or one image file. A single DICOM slice
            stands for the folder it lies in.
        choices: by sequence, what to take for it: the path of a file or of a series' folder, a
            series UID, or a number of the candidates' table.
        progress: told the stage `reading` with the fraction done.

    Returns:
        The case: any non-empty subset of the four sequences, in native geometry. Findings say
        what was refused, what was preferred to what, what is missing and what that costs. Neither
        findings nor sources hold a patient's name, number or date of birth.

    Raises:
        StudyError: nothing usable, or a choice names nothing usable.
        AmbiguousStudyError: a person has to choose; its table shows among what.
        Cancelled: from `progress`.
    """
    contents = _contents(Path(folder_or_file), dict(choices or {}), progress)
    settled = _settled(contents)
    progress("reading", 1.0)
    return Case(
        sequences={name: candidate.image for name, candidate in settled.taken.items()},
        sources={name: _source(candidate) for name, candidate in settled.taken.items()},
        facts=contents.collection.facts,
        findings=settled.findings,
    )


def inspect_study(folder_or_file: Path, progress: Progress = silent) -> Inspection:
    """What a study holds and what `read_study` would take of it, or would ask.

    Args:
        folder_or_file: as in `read_study`.
        progress: told the stage `reading` with the fraction done.

    Raises:
        StudyError: nothing usable.
        Cancelled: from `progress`.
    """
    contents = _contents(Path(folder_or_file), {}, progress)
    try:
        settled, question = _settled(contents), None
    except AmbiguousStudyError as error:
        known = (*contents.recognised.findings, *_refusal_findings(contents.refusals))
        settled = Choice({}, contents.masked(known))
        question = contents.collection.mask(error.question)
    progress("reading", 1.0)
    return Inspection(
        candidates=contents.recognised.candidates,
        taken={name: candidate.number for name, candidate in settled.taken.items()},
        question=question,
        findings=settled.findings,
        facts=contents.collection.facts,
    )


@dataclass(frozen=True)
class _Contents:
    """Everything that was found before one candidate is taken for each sequence."""

    found: Scan
    choices: Mapping[str, str]
    collection: Collection
    recognised: Recognised

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return (*self.collection.refusals, *self.recognised.refusals)

    def masked(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        return tuple(replace(f, message=self.collection.mask(f.message)) for f in findings)


def _contents(place: Path, choices: Mapping[str, str], progress: Progress) -> _Contents:
    # Warnings of the image library quote paths, and paths may hold names.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    if unknown := sorted(set(choices) - set(SEQUENCES)):
        raise StudyError(f"Unknown sequence {unknown}: choose among {', '.join(SEQUENCES)}.")
    found = _with_chosen_files(scan(place), choices)
    collection = collect(found, progress, _chosen_files(found, choices))
    contents = _Contents(found, choices, collection, recognise(collection.volumes, progress))
    if not contents.recognised.candidates:
        raise StudyError(_nothing_usable(found, contents.refusals))
    return contents


def _settled(contents: _Contents) -> Choice:
    """One candidate for each sequence, and all there is to say; raises what `read_study` does."""
    candidates = contents.recognised.candidates
    named = _named(candidates, contents.choices, contents.found)
    mixed: list[Finding] = []
    choice = choose(_of_one_examination(candidates, named, mixed), named)
    if not choice.taken:
        raise StudyError(_nothing_usable(contents.found, contents.refusals))
    findings = (
        *contents.recognised.findings,
        *mixed,
        *choice.findings,
        *_refusal_findings(contents.refusals),
        *_missing(set(choice.taken)),
    )
    return Choice(choice.taken, contents.masked(findings))


def _with_chosen_files(found: Scan, choices: Mapping[str, str]) -> Scan:
    """Adds files that a choice names outside the study folder."""
    for value in choices.values():
        path = Path(value).expanduser()
        if not path.exists() or path.resolve().is_relative_to(found.root.resolve()):
            continue
        more = scan(path)
        found = replace(
            found, dicom=(*found.dicom, *more.dicom), images=(*found.images, *more.images)
        )
    return found


def _chosen_files(found: Scan, choices: Mapping[str, str]) -> frozenset[Path]:
    places = [place for value in choices.values() for place in _places(value, found)]
    return frozenset(place for place in places if place.is_file())


def _places(value: str, found: Scan) -> list[Path]:
    """What a choice can mean as a path, resolved: as it stands, or within the study folder."""
    paths = (Path(value).expanduser(), found.root / value)
    return [path.resolve() for path in paths if path.exists()]


def _named(
    candidates: Sequence[Candidate], choices: Mapping[str, str], found: Scan
) -> dict[str, Candidate]:
    named: dict[str, Candidate] = {}
    for sequence, value in choices.items():
        matching = [c for c in candidates if _is_named(c, value, found)]
        if not matching:
            raise StudyError(
                f"The choice for {sequence} names no usable image. Give a file, the folder of a "
                f"series, a series UID or a number from 1 to {len(candidates)}."
            )
        if len(matching) > 1:
            raise AmbiguousStudyError(
                f"The choice for {sequence} names {len(matching)} images.",
                [c.row() for c in matching],
            )
        if any(other.voxel_mark == matching[0].voxel_mark for other in named.values()):
            raise StudyError(f"The same image was chosen for {sequence} and another sequence.")
        named[sequence] = matching[0]
    return named


def _is_named(candidate: Candidate, value: str, found: Scan) -> bool:
    if value == str(candidate.number) or value == candidate.volume.series_uid:
        return True
    places = _places(value, found)[:1]
    return any(
        path.resolve() == place or path.resolve().is_relative_to(place)
        for place in places
        for path in candidate.volume.paths
    )


def _of_one_examination(
    candidates: Sequence[Candidate], named: Mapping[str, Candidate], findings: list[Finding]
) -> list[Candidate]:
    """The candidates of the one patient and examination that the case is about.

    What a person named decides; else there must be only one. Series of one day are one
    examination even when the archive gave them several numbers. Files without a header (NIfTI and
    the like) go with any examination.
    """
    left = list(candidates)
    for what, key in EXAMINATION_KEYS:
        chosen = {key(c.volume.origin) for c in named.values()} - {""}
        present = {key(c.volume.origin) for c in left} - {""}
        if len(chosen) > 1:
            raise StudyError(f"The images chosen are of {len(chosen)} different {what}.")
        if len(present) > 1 and not chosen:
            raise AmbiguousStudyError(
                f"The folder holds images of {len(present)} different {what}: give the folder of "
                "one, or name its images.",
                [c.row() for c in candidates],
            )
        if len(present) > 1:
            left = [c for c in left if key(c.volume.origin) in chosen | {""}]
            findings.append(
                Finding(
                    "intake.several_examinations",
                    Severity.WARNING,
                    f"The folder holds images of {len(present)} different {what}; only those of "
                    "the one that was named are used.",
                )
            )
    return left


def _refusal_findings(refusals: Sequence[Refusal]) -> list[Finding]:
    return [
        Finding(
            f"intake.refused.{refusal.code}",
            Severity.INFO if refusal.expected else Severity.WARNING,
            refusal.sentence(),
        )
        for refusal in refusals
    ]


def _missing(present: set[str]) -> list[Finding]:
    return [
        Finding(
            "intake.missing_sequence",
            Severity.WARNING,
            f"{name} is missing: {COST_OF_MISSING[name]}.",
            f"Add it to the study, or name it with --{name} PATH.",
            (name,),
        )
        for name in SEQUENCES
        if name not in present
    ]


def _nothing_usable(found: Scan, refusals: Sequence[Refusal]) -> str:
    if not (found.dicom or found.images or found.flat_images):
        return f"There is no image in '{found.root.name}'. {WHAT_TO_GIVE}"
    listed = " ".join(refusal.sentence() for refusal in refusals[:12])
    return f"There is no usable MR sequence. {listed} {WHAT_TO_GIVE}"


def _source(candidate: Candidate) -> Source:
    volume = candidate.volume
    digest = hashlib.sha256()
    for path in volume.paths:
        digest.update(path.read_bytes())
    return Source(
        file_names=volume.file_names,
        sha256=digest.hexdigest(),
        format=volume.format,
        description=volume.description,
        confidence=1.0 if candidate.confidence == 1 else min(round(candidate.confidence, 3), 0.999),
        evidence=tuple(piece.why for piece in candidate.evidence),
        series_uid=volume.series_uid,
    )
