"""A study folder or file becomes a Case."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import SimpleITK as sitk

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.case import Case, Source
from GliomaAILib.intake.choose import choose
from GliomaAILib.intake.collect import collect
from GliomaAILib.intake.errors import AmbiguousStudyError, StudyError
from GliomaAILib.intake.recognise import Candidate, recognise
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
    # Warnings of the image library quote paths, and paths may hold names.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    choices = dict(choices or {})
    if unknown := sorted(set(choices) - set(SEQUENCES)):
        raise StudyError(f"Unknown sequence {unknown}: choose among {', '.join(SEQUENCES)}.")
    found = _with_chosen_files(scan(Path(folder_or_file)), choices)
    collection = collect(found, progress)
    recognised = recognise(collection.volumes, progress)
    refusals = (*collection.refusals, *recognised.refusals)
    if not recognised.candidates:
        raise StudyError(_nothing_usable(found, refusals))
    named = _named(recognised.candidates, choices, found)
    mixed: list[Finding] = []
    candidates = _of_one_examination(recognised.candidates, named, mixed)
    choice = choose(candidates, named)
    if not choice.taken:
        raise StudyError(_nothing_usable(found, refusals))
    findings = (
        *recognised.findings,
        *mixed,
        *choice.findings,
        *_refusal_findings(refusals),
        *_missing(set(choice.taken)),
    )
    progress("reading", 1.0)
    return Case(
        sequences={name: candidate.image for name, candidate in choice.taken.items()},
        sources={name: _source(candidate) for name, candidate in choice.taken.items()},
        facts=collection.facts,
        findings=tuple(replace(f, message=collection.mask(f.message)) for f in findings),
    )


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
    for path in (Path(value).expanduser(), found.root / value):
        if path.exists():
            place = path.resolve()
            return any(
                p.resolve() == place or p.resolve().is_relative_to(place)
                for p in candidate.volume.paths
            )
    return False


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
