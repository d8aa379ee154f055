"""What the worker does: inspects and analyses studies, and keeps the last ones to reassess."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from gliomaai_training.findings import BlockingFindingError
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.devices import found_devices
from gliomaai_training.inference.model_pack import ModelPackError
from gliomaai_training.interpretation.explanations import StudyExplanation
from gliomaai_training.preprocessing.prepare import PreparationConfig
from gliomaai_training.progress import Progress
from GliomaAILib.analysis import AnalysisRequest, Analyst, EarlierRun
from GliomaAILib.assessment.assessment import Assessment, PackUse
from GliomaAILib.intake.errors import AmbiguousStudyError, StudyError
from GliomaAILib.intake.facts import ClinicalFacts, facts_of
from GliomaAILib.output.folder import OutputError
from GliomaAILib.output.training_case import check_case, save_training_case
from GliomaAILib.output.write import write_assessment
from GliomaAILib.worker.inspection import inspected
from GliomaAILib.worker.protocol import (
    Analyze,
    FailureReason,
    FindDevices,
    Finished,
    Inspect,
    Job,
    Reassess,
    SaveTrainingCase,
    Simulate,
)
from GliomaAILib.worker.scene_files import (
    LABELS,
    UNCERTAINTY,
    kept_features,
    write_saliency,
    write_scene_files,
)

KEPT_STUDIES = 3
"""So many studies can be reassessed without preparing them again; each keeps its volumes."""


SAMPLE_CLASS = "GBM"
"""WHO 2021 class of a patient to try things with: it has all three labels."""


class Jobs:
    """Does the jobs of one worker; networks and the last studies stay in memory between them."""

    def __init__(self) -> None:
        self._analyst = Analyst()
        self._kept: dict[str, Assessment] = {}
        """The networks' own assessments, with the facts of headers only, by job."""
        self._explanation: tuple[tuple[str, str], StudyExplanation] | None = None
        """The last, with the analysis and the mask that it is of: facts do not change it."""

    def __call__(self, job: Job, progress: Progress) -> Finished:
        """Does one job; tells what it wrote and found."""
        match job:
            case Inspect():
                return inspected(job, progress)
            case Analyze():
                return self._analyzed(job, progress)
            case Reassess():
                return self._reassessed_and_written(job, progress)
            case SaveTrainingCase():
                cohort = Path(job.folder)
                check_case(cohort, job.case)  # before minutes are spent
                assessment = self._reassessed(job.reassessment, progress)
                place = save_training_case(assessment, cohort, job.case, progress)
                return Finished(job.job, {"case": str(place.folder), "table": str(place.table)})
            case Simulate():
                return _simulated(job, progress)
            case FindDevices():
                return Finished(job.job, {}, found_devices())

    def _analyzed(self, job: Analyze, progress: Progress) -> Finished:
        request = analysis_request(job)
        original = self._analyst.analyze(replace(request, facts=ClinicalFacts()), progress)
        facts = original.facts.overridden_by(request.facts)
        shown = self._analyst.estimate(replace(original, facts=facts))
        files = dict(
            _written(shown, job.out, progress, lambda folder: write_scene_files(shown, folder))
        )
        self._keep(job, original)
        out = Path(job.out)
        return Finished(
            job.job,
            files | {"labels": str(out / LABELS), "uncertainty": str(out / UNCERTAINTY)},
        )

    def _keep(self, job: Analyze, assessment: Assessment) -> None:
        self._kept[job.job] = assessment
        if len(self._kept) > KEPT_STUDIES:
            self._kept.pop(next(iter(self._kept)))

    def _reassessed_and_written(self, job: Reassess, progress: Progress) -> Finished:
        assessment = self._explained(job, self._reassessed(job, progress), progress)
        maps: dict[str, str] = {}

        def write_maps(folder: Path) -> None:
            maps.update(write_saliency(assessment, folder))

        files = _written(assessment, job.out, progress, write_maps)
        shown = {kind: str(Path(job.out) / name) for kind, name in maps.items()}
        return Finished(job.job, {**files, **shown})

    def _explained(self, job: Reassess, assessment: Assessment, progress: Progress) -> Assessment:
        """With the explanation: the one that is known of this mask, else a new one if asked for."""
        mask = sitk.GetArrayViewFromImage(assessment.segmentation).tobytes()
        key = job.analysis.job, sha256(mask).hexdigest()
        if self._explanation is not None and self._explanation[0] == key:
            return replace(assessment, explanation=self._explanation[1])
        if not job.explain:
            return assessment
        found = self._analyst.explain(assessment, analysis_request(job.analysis), progress)
        if found.explanation is not None:
            self._explanation = key, found.explanation
        return found

    def _reassessed(self, job: Reassess, progress: Progress) -> Assessment:
        facts = facts_of(job.facts)
        mask = _read_mask(job.mask, "corrected mask")
        original = self._kept.get(job.analysis.job)
        if original is None:
            original = self._restored(job, progress)
            self._keep(job.analysis, original)
        progress("measures", 0.0)
        return self._analyst.reassess(original, mask, facts)

    def _restored(self, job: Reassess, progress: Progress) -> Assessment:
        request = replace(analysis_request(job.analysis), facts=ClinicalFacts())
        mask = _read_mask(job.network_mask, "network's mask")
        features = kept_features(Path(job.analysis.out))
        earlier = replace(earlier_run(job.provenance), features=features)
        return self._analyst.restore(request, mask, earlier, progress)


def _simulated(job: Simulate, progress: Progress) -> Finished:
    from gliomaai_training.simulation.config import SimulationConfig
    from gliomaai_training.simulation.patient import simulate_patient
    from gliomaai_training.simulation.writer import write_patient

    progress("simulation", 0.0)
    patient = simulate_patient(job.seed, SimulationConfig(who_class=SAMPLE_CLASS))
    progress("simulation", 0.8)
    write_patient(patient, Path(job.out))
    progress("simulation", 1.0)
    return Finished(job.job, {"study": job.out})


def analysis_request(job: Analyze) -> AnalysisRequest:
    """The job's request.

    Raises:
        ValueError: an option or a fact is unknown or wrong.
    """
    options: dict[str, Any] = dict(job.options)
    facts = facts_of(job.facts)
    model = options.pop("model", None)
    try:
        preparation = PreparationConfig(**options.pop("preparation", {}))
        engine = EngineConfig(**options.pop("engine", {}))
    except TypeError as error:
        raise ValueError(f"unknown option: {error}") from error
    if options:
        raise ValueError(f"unknown option: {', '.join(options)}")
    return AnalysisRequest(
        study=Path(job.study),
        choices=job.choices,
        preparation=preparation,
        engine=engine,
        model=None if model is None else Path(model),
        facts=facts,
    )


def earlier_run(provenance: Mapping[str, Any]) -> EarlierRun:
    """What a document's provenance says of the run that made the mask; empty says nothing.

    Raises:
        ValueError: it is no provenance of an assessment document.
    """
    if not provenance:
        return EarlierRun()
    try:
        packs = tuple(PackUse(**pack) for pack in provenance["model_packs"])
        return EarlierRun(packs, str(provenance["engine"]))
    except (KeyError, TypeError) as error:
        raise ValueError("the provenance of the earlier analysis is damaged") from error


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
    StudyError: FailureReason.INPUT,
    OSError: FailureReason.INPUT,
    ValueError: FailureReason.INPUT,
}


def _read_mask(file: str, what: str) -> sitk.Image:
    try:
        return sitk.ReadImage(file)
    except RuntimeError as error:
        raise StudyError(f"the {what} {file} cannot be read") from error


def _written(
    assessment: Assessment,
    out: str,
    progress: Progress,
    more: Callable[[Path], None] | None = None,
) -> Mapping[str, str]:
    files = write_assessment(assessment, Path(out), progress, more)
    return {kind: str(file) for kind, file in asdict(files).items()}
