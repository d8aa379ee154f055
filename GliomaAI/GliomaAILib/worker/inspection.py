"""What the worker tells of a study that nobody analysed yet."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gliomaai_training.progress import Progress
from GliomaAILib.intake.recognise import Candidate
from GliomaAILib.intake.study import Inspection, inspect_study
from GliomaAILib.output.folder import complete_or_nothing
from GliomaAILib.worker.protocol import Finished, Inspect
from GliomaAILib.worker.scene_files import write_image

STAGE = "volumes"


def inspected(job: Inspect, progress: Progress) -> Finished:
    """Finds out what a study holds; writes its volumes where the job wants them.

    Raises:
        StudyError: nothing usable.
        OutputError: the volumes cannot be written.
        Cancelled: from `progress`; nothing is written.
    """
    inspection = inspect_study(Path(job.study), progress)
    files = _volumes(inspection, Path(job.out), progress) if job.out else {}
    return Finished(job.job, files, found(inspection))


def found(inspection: Inspection) -> dict[str, Any]:
    """An inspection as JSON values; it holds no identifier of the patient."""
    return {
        "candidates": [_candidate(one) for one in inspection.candidates],
        "taken": dict(inspection.taken),
        "question": inspection.question,
        "findings": [
            {**dataclasses.asdict(finding), "sequences": list(finding.sequences)}
            for finding in inspection.findings
        ],
        "facts": {"age_years": inspection.facts.age_years, "sex": inspection.facts.sex},
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    volume = candidate.volume
    return {
        "number": candidate.number,
        "name": volume.description,
        "file": volume.file_names[0],
        "sequence": candidate.best,
        "confidence": round(candidate.confidence, 3),
        "evidence": [piece.why for piece in candidate.evidence],
        "series_uid": volume.series_uid,
    }


def _volumes(inspection: Inspection, folder: Path, progress: Progress) -> Mapping[str, str]:
    names = {}
    with complete_or_nothing(folder) as scratch:
        for index, candidate in enumerate(inspection.candidates):
            progress(STAGE, index / len(inspection.candidates))
            name = f"{candidate.number}.nrrd"
            write_image(candidate.image, scratch / name)
            names[str(candidate.number)] = str(folder / name)
        progress(STAGE, 1.0)
    return names
