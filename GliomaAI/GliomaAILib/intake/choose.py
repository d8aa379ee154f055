"""One candidate for each sequence, by rules that are told, or a question to the user."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gliomaai_training.findings import Finding, Severity
from gliomaai_training.vocabulary import SEQUENCES
from GliomaAILib.intake.errors import AmbiguousStudyError
from GliomaAILib.intake.prefer import prefer
from GliomaAILib.intake.recognise import (
    Candidate,
    as_named,
    clearly_named,
    conflicting,
    contradiction,
    looks_like,
)

CLEAR = 0.70
"""A candidate at least this probable is taken without a question."""

LIKELY = 0.50
"""A candidate at least this probable is taken, with a warning, when one sequence is left to it."""

WORTH_ASKING = 0.20
"""A sequence at least this probable makes an unclear candidate worth a question."""


@dataclass(frozen=True)
class Choice:
    """The candidate taken for each sequence, and what there is to say about it."""

    taken: Mapping[str, Candidate]
    findings: tuple[Finding, ...]


def choose(candidates: Sequence[Candidate], named: Mapping[str, Candidate]) -> Choice:
    """Takes one candidate for each sequence.

    Args:
        candidates: everything that could be a sequence.
        named: what a person said, by sequence; taken as it is.

    Raises:
        AmbiguousStudyError: the choice is unclear.
    """
    findings: list[Finding] = []
    taken = {sequence: as_named(candidate, sequence) for sequence, candidate in named.items()}
    numbers = {candidate.number for candidate in named.values()}
    marks = {candidate.voxel_mark for candidate in named.values()}
    rest = [c for c in candidates if c.number not in numbers and c.voxel_mark not in marks]
    rest = _without_duplicates(rest, findings)
    _ask_about_contradicted_names(rest, candidates)
    for sequence in [name for name in SEQUENCES if name not in taken]:
        rivals = [c for c in rest if c.best == sequence and c.confidence >= CLEAR]
        if rivals:
            taken[sequence] = _preferred(sequence, rivals, candidates, findings)
    _settle_unclear(rest, taken, candidates, findings)
    for sequence, candidate in taken.items():
        if piece := conflicting(candidate, sequence):
            findings.append(contradiction(candidate, sequence, piece))
    return Choice({name: taken[name] for name in SEQUENCES if name in taken}, tuple(findings))


def _without_duplicates(
    candidates: Sequence[Candidate], findings: list[Finding]
) -> list[Candidate]:
    groups: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.voxel_mark, []).append(candidate)
    for group in groups.values():
        if len(group) == 1:
            continue
        shown = ", ".join(f"'{c.volume.description}'" for c in group)
        named = {c.best for c in group if c.confidence >= CLEAR}
        if len(named) > 1:
            raise AmbiguousStudyError(
                f"The same image is there {len(group)} times under the names of different "
                f"sequences ({shown}): say which sequence it is.",
                [c.row() for c in candidates],
            )
        findings.append(
            Finding(
                "intake.duplicate",
                Severity.WARNING,
                f"The same image is there {len(group)} times: {shown}; it is used once.",
                "Check that no sequence was exported under another's name.",
            )
        )
    return [max(group, key=lambda c: c.confidence) for group in groups.values()]


def _ask_about_contradicted_names(
    rest: Sequence[Candidate], candidates: Sequence[Candidate]
) -> None:
    """Asks when voxels overrule a clear name, or two images each look like the other's name."""
    for candidate in rest:
        name = clearly_named(candidate)
        if name not in (None, candidate.best):
            raise AmbiguousStudyError(
                f"'{candidate.volume.description}' is named {name} but looks like "
                f"{candidate.best}: the names may be exchanged.",
                [c.row() for c in candidates],
            )
    for one, other in itertools.combinations(rest, 2):
        exchanged = looks_like(one) == other.best and looks_like(other) == one.best
        if exchanged and one.best != other.best:
            raise AmbiguousStudyError(
                f"'{one.volume.description}' is named {one.best} but looks like {other.best}, and "
                f"'{other.volume.description}' the other way round: the names may be exchanged.",
                [c.row() for c in candidates],
            )


def _settle_unclear(
    rest: Sequence[Candidate],
    taken: dict[str, Candidate],
    candidates: Sequence[Candidate],
    findings: list[Finding],
) -> None:
    """Takes an unclear candidate for the one sequence left to it, or asks."""
    for candidate in rest:
        if candidate.confidence >= CLEAR:
            continue
        possible = [
            name
            for name in SEQUENCES
            if name not in taken and candidate.probabilities[name] >= WORTH_ASKING
        ]
        if possible == [candidate.best] and candidate.confidence >= LIKELY:
            taken[candidate.best] = candidate
            findings.append(_unsure(candidate))
        elif possible:
            raise AmbiguousStudyError(
                f"It is unclear which sequence '{candidate.volume.description}' is "
                f"({' or '.join(possible)}).",
                [c.row() for c in candidates],
            )


def _unsure(candidate: Candidate) -> Finding:
    return Finding(
        "intake.unsure_sequence",
        Severity.WARNING,
        f"'{candidate.volume.description}' is taken for {candidate.best}, the sequence left over, "
        f"with a confidence of only {100 * candidate.confidence:.0f} %.",
        f"Check the image; name another with --{candidate.best} PATH.",
        (candidate.best,),
    )


def _preferred(
    sequence: str,
    rivals: Sequence[Candidate],
    candidates: Sequence[Candidate],
    findings: list[Finding],
) -> Candidate:
    if len(rivals) == 1:
        return rivals[0]
    winner, why = prefer(rivals)
    if winner is None:
        raise AmbiguousStudyError(
            f"{len(rivals)} images could be {sequence} and none is clearly better.",
            [c.row() for c in candidates],
        )
    others = ", ".join(f"'{c.volume.description}'" for c in rivals if c is not winner)
    findings.append(
        Finding(
            "intake.several_candidates",
            Severity.INFO,
            f"'{winner.volume.description}' is taken for {sequence} because {why}; "
            f"not used: {others}.",
            f"Name another with --{sequence} PATH.",
            (sequence,),
        )
    )
    return winner
