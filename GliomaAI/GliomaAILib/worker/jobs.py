"""What the worker does: analyses studies, and keeps the last ones for reassessment."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from gliomaai_training.findings import BlockingFindingError
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.model_pack import ModelPackError
from gliomaai_training.preprocessing.prepare import PreparationConfig
from gliomaai_training.progress import Progress
from GliomaAILib.analysis import AnalysisRequest, Analyst
from GliomaAILib.assessment.assessment import Assessment
from GliomaAILib.assessment.reassess import reassess
from GliomaAILib.intake.errors import AmbiguousStudyError, StudyError
from GliomaAILib.output.write import OutputError, write_assessment
from GliomaAILib.worker.protocol import Analyze, FailureReason, Reassess

KEPT_STUDIES = 3
"""So many studies can be reassessed without running again; each keeps its volumes in memory."""


class UnknownJobError(LookupError):
    """The study to reassess is not in memory."""


class Jobs:
    """Does the jobs of one worker; networks and the last studies stay in memory between them."""

    def __init__(self) -> None:
        self._analyst = Analyst()
        self._kept: dict[str, Assessment] = {}

    def __call__(self, job: Analyze | Reassess, progress: Progress) -> Mapping[str, str]:
        """Does one job; returns the files it wrote."""
        if isinstance(job, Reassess):
            return _written(self._reassessed(job, progress), job.out, progress)
        assessment = self._analyst.analyze(analysis_request(job), progress)
        files = _written(assessment, job.out, progress)
        self._keep(job.job, assessment)
        return files

    def _keep(self, job: str, assessment: Assessment) -> None:
        self._kept[job] = assessment
        if len(self._kept) > KEPT_STUDIES:
            self._kept.pop(next(iter(self._kept)))

    def _reassessed(self, job: Reassess, progress: Progress) -> Assessment:
        original = self._kept.get(job.analysis)
        if original is None:
            raise UnknownJobError("the study is no longer in memory: run the analysis again")
        progress("measures", 0.0)
        try:
            mask = sitk.ReadImage(job.mask)
        except RuntimeError as error:
            raise StudyError(f"the corrected mask {job.mask} cannot be read") from error
        return reassess(original, mask)


def analysis_request(job: Analyze) -> AnalysisRequest:
    """The job's request.

    Raises:
        ValueError: an option is unknown or wrong.
    """
    options: dict[str, Any] = dict(job.options)
    try:
        return AnalysisRequest(
            study=Path(job.study),
            choices=job.choices,
            preparation=PreparationConfig(**options.pop("preparation", {})),
            engine=EngineConfig(**options.pop("engine", {})),
            **{key: Path(value) for key, value in options.items()},
        )
    except TypeError as error:
        raise ValueError(f"unknown option: {error}") from error


def explain(error: BaseException) -> tuple[FailureReason, str]:
    """Why a job failed, and what to do, in words for its user."""
    if isinstance(error, AmbiguousStudyError):
        return FailureReason.CHOICE, error.table()
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason, str(error) or reason.value
    return FailureReason.UNEXPECTED, f"{type(error).__name__}: {error}"


_REASONS: Mapping[type[BaseException], FailureReason] = {
    BlockingFindingError: FailureReason.BLOCKED,
    ModelPackError: FailureReason.MODEL,
    OutputError: FailureReason.OUTPUT,
    MemoryError: FailureReason.MEMORY,
    UnknownJobError: FailureReason.UNKNOWN_JOB,
    StudyError: FailureReason.INPUT,
    OSError: FailureReason.INPUT,
    ValueError: FailureReason.INPUT,
}


def _written(assessment: Assessment, out: str, progress: Progress) -> Mapping[str, str]:
    files = write_assessment(assessment, Path(out), progress)
    return {
        "segmentation": str(files.segmentation),
        "document": str(files.document),
        "report": str(files.report),
    }
