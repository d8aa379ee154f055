"""Everything in a scan that could be a sequence, and everything that cannot, with the reason."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from gliomaai_training.progress import Progress
from GliomaAILib.intake.dicom_pixels import read_stack
from GliomaAILib.intake.dicom_slices import (
    SEGMENTATION_STORAGE,
    SeriesFacts,
    Slice,
    UnreadableDicomError,
    read_slices,
)
from GliomaAILib.intake.dicom_stacks import Rejected, Stack, most_common, stacks_of_series
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.intake.image_files import read_header, read_volume
from GliomaAILib.intake.names import OtherKind, names_processing, other_kind
from GliomaAILib.intake.parameters import other_kind_by_parameters
from GliomaAILib.intake.privacy import IdentifierMask
from GliomaAILib.intake.scan import Scan, image_format, stem
from GliomaAILib.intake.sidecar import Sidecar, read_sidecar
from GliomaAILib.intake.volume import HeaderFacts, Refusal, Volume, VolumeRefusedError

STAGE = "reading"


@dataclass(frozen=True)
class Collection:
    """What a study folder holds."""

    volumes: tuple[Volume, ...]
    refusals: tuple[Refusal, ...]
    facts: ClinicalFacts
    mask: IdentifierMask


def collect(found: Scan, progress: Progress, chosen: frozenset[Path] = frozenset()) -> Collection:
    """Reads every header of a scan; no voxels yet.

    Args:
        found: the files.
        progress: told after each file.
        chosen: image files that a person chose, resolved: no name speaks against them.
    """
    slices, refusals = _read_all_slices(found, progress)
    sidecars = {path: read_sidecar(path) for path in found.images}
    named: list[SeriesFacts | Sidecar] = [*(item.series for item in slices), *sidecars.values()]
    mask = IdentifierMask({text for one in named for text in one.identifiers})
    volumes: list[Volume] = []
    series: dict[str, list[Slice]] = defaultdict(list)
    for item in slices:
        series[item.series.uid].append(item)
    by_number = sorted(series.values(), key=lambda s: (s[0].series.number or 0, s[0].path))
    for members in by_number:
        _sort_series(members, found, mask, volumes, refusals)
    for path in found.images:
        shown = mask(found.relative(path))
        part: Volume | Refusal | None = None
        if path.resolve() not in chosen:
            part = _named_otherwise(path, sidecars[path], shown)
        part = part or _file_volume(path, sidecars[path], shown, found)
        if isinstance(part, Volume):
            volumes.append(part)
        else:
            refusals.append(part)
    for path in found.flat_images:
        refusals.append(
            Refusal(
                mask(found.relative(path)),
                "two_dimensional",
                ("it is a 2D image, not a volume",),
                expected=True,
            )
        )
    return Collection(tuple(volumes), tuple(refusals), _facts(named), mask)


def _read_all_slices(found: Scan, progress: Progress) -> tuple[list[Slice], list[Refusal]]:
    slices: list[Slice] = []
    damaged: list[str] = []
    for index, path in enumerate(found.dicom):
        try:
            slices.extend(read_slices(path))
        except UnreadableDicomError as error:
            damaged.append(str(error))
        progress(STAGE, 0.5 * (index + 1) / len(found.dicom))
    refusals = []
    if damaged:
        reason = f"{most_common(damaged)} ({len(damaged)} of {len(found.dicom)} DICOM files)"
        refusals.append(Refusal("damaged DICOM files", "unreadable", (reason,)))
    return slices, refusals


def _sort_series(
    members: Sequence[Slice],
    found: Scan,
    mask: IdentifierMask,
    volumes: list[Volume],
    refusals: list[Refusal],
) -> None:
    description = _shown(members, mask)
    for part in stacks_of_series(members):
        why, code, expected = _why_not(part)
        name = description
        if isinstance(part, Stack) and part.part:
            name = f"{description} ({part.part})"
        if isinstance(part, Stack) and not why:
            volumes.append(_dicom_volume(part, name, found, mask))
        else:
            refusals.append(Refusal(name, code, why, expected))


def _why_not(part: Stack | Rejected) -> tuple[tuple[str, ...], str, bool]:
    """Reasons against a part of a series, the first one's code, and whether it was to be expected.

    No reason for a stack that could be a sequence.
    """
    reasons: list[tuple[str, str, bool]] = []
    if wrong := _wrong_modality(part.slices[0]):
        reasons.append((wrong, "not_mr", "segmentation" in wrong))
    elif kind := _kind(part.slices[0].header):
        reasons.append((f"it is {kind.words}", kind.code, True))
    if isinstance(part, Rejected):
        reasons.append((part.reason, part.code, False))
    if not reasons:
        return (), "", False
    return tuple(words for words, _, _ in reasons), reasons[0][1], reasons[0][2]


def _wrong_modality(item: Slice) -> str:
    if item.series.sop_class in SEGMENTATION_STORAGE or item.series.modality == "SEG":
        return "it is a DICOM segmentation, not an MR image"
    if item.series.modality in {"MR", ""}:
        return ""
    known = re.fullmatch(r"[A-Z]{2,16}", item.series.modality)
    return f"it is {item.series.modality if known else 'of another modality'}, not MR"


def _kind(header: HeaderFacts) -> OtherKind | None:
    return other_kind(header.series_description) or other_kind_by_parameters(header)


def _shown(members: Sequence[Slice], mask: IdentifierMask) -> str:
    """What to call a series: its description unless that is empty or only an identifier."""
    header = members[0].header
    for text in (header.series_description, header.protocol_name, header.sequence_name):
        masked = mask(text.strip())
        if re.search(r"\w", masked):
            return masked
    number = members[0].series.number
    return f"series {number}" if number is not None else "series without description"


def _dicom_volume(stack: Stack, name: str, found: Scan, mask: IdentifierMask) -> Volume:
    first = stack.slices[0]
    paths = tuple(dict.fromkeys(item.path for item in stack.slices))
    header = first.header
    direction = np.reshape(stack.direction, (3, 3))
    return Volume(
        paths=paths,
        file_names=tuple(mask(found.relative(path)) for path in paths),
        format="DICOM",
        description=name,
        name_texts=(header.series_description, header.protocol_name, paths[0].parent.name),
        size=(first.columns, first.rows, len(stack.slices)),
        spacing_mm=stack.spacing_mm,
        normal_axis=int(np.argmax(np.abs(direction[:, 2]))),
        series_uid=first.series.uid,
        header=header,
        origin=first.series.origin,
        load=partial(read_stack, stack),
        derived_name=names_processing(header.series_description),
    )


def _named_otherwise(path: Path, sidecar: Sidecar, shown: str) -> Refusal | None:
    """The refusal of a file whose name or sidecar tells that it is none of the four sequences."""
    if kind := other_kind(stem(path)):
        return Refusal(shown, kind.code, (f"it is named as {kind.words}",), True)
    if sidecar.header is not None and (kind := _kind(sidecar.header)):
        return Refusal(shown, kind.code, (f"it is {kind.words}",), True)
    return None


def _file_volume(path: Path, sidecar: Sidecar, shown: str, found: Scan) -> Volume | Refusal:
    """A volume file as it could be a sequence, or why it cannot."""
    try:
        header = read_header(path, shown)
    except VolumeRefusedError as error:
        return Refusal(shown, error.code, (error.reason,))
    direction = np.reshape(header.direction, (3, 3))
    thickest = int(np.argmax(header.spacing_mm))
    told = sidecar.header or HeaderFacts()
    folder = path.parent.name if path.parent != found.root else ""
    return Volume(
        paths=(path,),
        file_names=(shown,),
        format=image_format(path) or "",
        description=shown,
        # A file's name was chosen later than the scanner's words, often for what these leave open.
        name_texts=(stem(path), told.series_description, told.protocol_name, folder),
        size=header.size,
        spacing_mm=header.spacing_mm,
        normal_axis=int(np.argmax(np.abs(direction[:, thickest]))),
        header=sidecar.header,
        load=partial(read_volume, path),
        findings=(*header.findings, *sidecar.findings(shown)),
        derived_name=names_processing(stem(path)) or names_processing(told.series_description),
    )


def _facts(named: Sequence[SeriesFacts | Sidecar]) -> ClinicalFacts:
    """Age and sex, when all headers that name them agree."""
    ages = {one.age_years for one in named} - {None}
    sexes = {one.sex for one in named} - {None}
    return ClinicalFacts(
        age_years=min(age for age in ages if age is not None) if _alike(ages) else None,
        sex=next(iter(sexes)) if len(sexes) == 1 else None,
    )


def _alike(ages: set[float | None]) -> bool:
    known = [age for age in ages if age is not None]
    return bool(known) and max(known) - min(known) <= 1.0
