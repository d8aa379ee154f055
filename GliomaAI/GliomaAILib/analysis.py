"""The whole way of one study, from its files to its assessment, in one call."""

import dataclasses
import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import SimpleITK as sitk

from gliomaai_training.findings import BlockingFindingError, Severity
from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.model_pack import ModelPack, ModelPackError, load_model_pack
from gliomaai_training.inference.multitask_pack import is_multitask
from gliomaai_training.inference.predictor import Predictor
from gliomaai_training.inference.statistical_packs import (
    load_diagnosis_pack,
    load_prognosis_pack,
)
from gliomaai_training.inference.task_features import TaskFeatures
from gliomaai_training.inference.task_heads import TaskReader
from gliomaai_training.interpretation.study import ExplainConfig
from gliomaai_training.preprocessing.prepare import PreparationConfig, prepare
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.progress import Progress, silent
from GliomaAILib import __version__
from GliomaAILib.assessment.assess import assess, restore
from GliomaAILib.assessment.assessment import Assessment, PackUse, Provenance
from GliomaAILib.assessment.estimate import DIAGNOSIS, PROGNOSIS, EstimateModels, estimated
from GliomaAILib.assessment.explanation import NO_HEADS, explained
from GliomaAILib.assessment.reassess import reassess
from GliomaAILib.intake.case import Case
from GliomaAILib.intake.facts import ClinicalFacts
from GliomaAILib.intake.study import read_study
from GliomaAILib.models import (
    BRAIN_MASK_PACK,
    DIAGNOSIS_PACK,
    PROGNOSIS_PACK,
    SEGMENTATION_PACK,
    find_model_pack,
    has_model_pack,
)

if TYPE_CHECKING:
    from gliomaai_training.preprocessing.brain_mask import BrainMasker

_SOFTWARE = ("gliomaai", "gliomaai-training", "torch", "monai", "SimpleITK", "numpy", "openvino")
"""Distributions whose versions go into the provenance, where they are installed."""


@dataclass(frozen=True)
class AnalysisRequest:
    """What to analyse, and how."""

    study: Path
    """A folder of DICOM, NIfTI, NRRD or MetaImage files, or one such file."""
    choices: Mapping[str, str] = field(default_factory=dict)
    """The user's choice by sequence, as `intake.study.read_study` takes it."""
    preparation: PreparationConfig = field(default_factory=PreparationConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    model: Path | None = None
    """The segmentation or multi-task pack to use instead of the shipped one."""
    facts: ClinicalFacts = field(default_factory=ClinicalFacts)
    """What the user knows of the patient; it goes before what headers say."""
    explain: bool = False
    """Whether a pack without answers to explain is refused before the work."""


@dataclass(frozen=True)
class EarlierRun:
    """What is known of the run that gave a mask which is taken up again."""

    model_packs: tuple[PackUse, ...] = ()
    engine: str = "not known"
    features: bytes | None = None
    """Of `TaskFeatures`, where they were kept."""


NEEDS_RUN = (
    "Of the earlier analysis only the mask is kept: the network's diagnosis and risk need a new "
    "run of the analysis."
)
OTHER_PACK = (
    "The model pack has changed since the analysis: the network's diagnosis and risk need a new "
    "run of the analysis."
)


class StageClock:
    """Wall-clock seconds by stage, in the order of the run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Adds the time the block takes to stage `name`."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - begin


def analyze_study(request: AnalysisRequest, progress: Progress = silent) -> Assessment:
    """Reads, prepares, segments, measures and judges one study; see `Analyst`."""
    analyst = Analyst()
    assessment = analyst.estimate(analyst.analyze(request, progress))
    return analyst.explain(assessment, request, progress) if request.explain else assessment


class Analyst:
    """Analyses studies one after the other; the networks stay loaded between them.

    `analyze` and `restore` take minutes; what they give is kept, to `reassess` it as often as mask
    or facts change. `estimate` and `reassess` add diagnosis and prognosis.
    """

    def __init__(self) -> None:
        self._predictors: dict[tuple[str, EngineConfig], Predictor] = {}
        self._maskers: dict[str, BrainMasker] = {}
        self._readers: dict[str, TaskReader] = {}

    def analyze(self, request: AnalysisRequest, progress: Progress = silent) -> Assessment:
        """Reads, prepares, segments and measures one study.

        Model packs are verified first, so that a damaged one is known before minutes are spent.

        Raises:
            StudyError: the study holds nothing usable, or a person has to choose.
            BlockingFindingError: a stage cannot give a result that could be trusted.
            ModelPackError: a model pack is missing or damaged, or gives nothing to explain.
            Cancelled: `progress` cancelled the run.
        """
        clock = StageClock()
        with clock.stage("models"):
            pack = load_model_pack(find_model_pack(SEGMENTATION_PACK, request.model))
            if request.explain and not is_multitask(pack):
                raise ModelPackError(f"{pack.name} {pack.version}: {NO_HEADS}")
            self._know_heads(pack)
        study = self._study(request, clock, progress)
        with clock.stage("inference"):
            predictor = self._predictor(pack, request.engine)
            prediction = predictor.predict(study.prepared, progress)
        with clock.stage("assessment"):
            progress("measures", 0.0)
            packs = (pack_use(pack), *study.packs)
            provenance = _provenance(request, packs, prediction.engine)
            assessment = assess(study.case, study.prepared, prediction, provenance)
            progress("measures", 1.0)
        _stop_at_blocking(assessment)
        return _timed(assessment, clock)

    def restore(
        self,
        request: AnalysisRequest,
        mask: sitk.Image,
        earlier: EarlierRun,
        progress: Progress = silent,
    ) -> Assessment:
        """Takes an earlier analysis up again from the mask it gave; no segmentation network runs.

        Args:
            request: as it was analysed.
            mask: the network's own, on the reference's native grid.
            earlier: what is known of the run that gave the mask.
            progress: as in `analyze`.

        Raises:
            ValueError: the mask is not of this study.
            StudyError, BlockingFindingError, ModelPackError, Cancelled: as from `analyze`.
        """
        clock = StageClock()
        study = self._study(request, clock, progress)
        with clock.stage("assessment"):
            progress("measures", 0.0)
            packs = (*earlier.model_packs, *study.packs)
            provenance = _provenance(
                request, tuple(dict.fromkeys(packs)), f"restored mask; made by: {earlier.engine}"
            )
            assessment = restore(study.case, study.prepared, mask, provenance)
            assessment = self._with_features(assessment, request, earlier)
            progress("measures", 1.0)
        _stop_at_blocking(assessment)
        return _timed(assessment, clock)

    def estimate(self, assessment: Assessment) -> Assessment:
        """The assessment with diagnosis and prognosis by the packs that are installed now.

        A pack that is damaged or of a later GliomaAI is not used, and a finding says so.
        """
        features = assessment.features
        network = None if features is None else self._readers.get(features.pack_sha256)
        return estimated(assessment, dataclasses.replace(estimate_models(), network=network))

    def explain(
        self, assessment: Assessment, request: AnalysisRequest, progress: Progress = silent
    ) -> Assessment:
        """The assessment with an explanation of the network's answers; takes minutes on a CPU.

        Where it cannot be given, `Assessment.not_explained` says why.

        Raises:
            MemoryError: it does not fit into memory.
            Cancelled: by `progress`.
        """
        features = assessment.features
        reader = None if features is None else self._readers.get(features.pack_sha256)
        clock = StageClock()
        with clock.stage("explanation"):
            found = explained(assessment, reader, ExplainConfig(request.engine), progress)
        return _timed(found, clock)

    def reassess(
        self, original: Assessment, mask: sitk.Image, facts: ClinicalFacts | None = None
    ) -> Assessment:
        """Measures, diagnosis and prognosis of a corrected mask or other facts; no network runs.

        Raises:
            ValueError: as `assessment.reassess.reassess`.
        """
        return self.estimate(reassess(original, mask, facts))

    def _study(self, request: AnalysisRequest, clock: StageClock, progress: Progress) -> "_Study":
        mask_pack = None
        with clock.stage("models"):
            if request.preparation.brain_mask == "network":
                mask_pack = load_model_pack(find_model_pack(BRAIN_MASK_PACK))
        with clock.stage("intake"):
            case = read_study(request.study, request.choices, progress)
            facts = case.facts.overridden_by(request.facts)
        with clock.stage("preprocessing"):
            masker = None if mask_pack is None else self._masker(mask_pack)
            prepared = prepare(case.sequences, request.preparation, progress, masker)
        packs = () if mask_pack is None else (pack_use(mask_pack),)
        return _Study(dataclasses.replace(case, facts=facts), prepared, packs)

    def _know_heads(self, pack: ModelPack) -> None:
        """Keeps a multi-task pack's heads, for as long as its studies may be reassessed.

        Raises:
            ModelPackError: its settings are wrong.
        """
        if is_multitask(pack) and pack.sha256 not in self._readers:
            self._readers[pack.sha256] = TaskReader(pack)

    def _with_features(
        self, assessment: Assessment, request: AnalysisRequest, earlier: EarlierRun
    ) -> Assessment:
        """What the network's heads read in an earlier run, or why that is not known any more."""
        try:
            pack = load_model_pack(find_model_pack(SEGMENTATION_PACK, request.model))
            self._know_heads(pack)
            found = _kept_features(earlier, assessment, pack)
        except ModelPackError:  # the mask is there without it, and so is all that is measured
            found = "" if earlier.features is None else OTHER_PACK
        if isinstance(found, TaskFeatures):
            return dataclasses.replace(assessment, features=found)
        return dataclasses.replace(assessment, no_features=found)

    def _predictor(self, pack: ModelPack, engine: EngineConfig) -> Predictor:
        key = (pack.sha256, engine)
        if key not in self._predictors:
            self._predictors[key] = Predictor(pack, engine)
        return self._predictors[key]

    def _masker(self, pack: ModelPack) -> "BrainMasker":
        # It imports torch, which takes seconds: a bad study is refused before.
        from gliomaai_training.preprocessing.brain_mask import BrainMasker

        if pack.sha256 not in self._maskers:
            self._maskers[pack.sha256] = BrainMasker(pack)
        return self._maskers[pack.sha256]


def _kept_features(
    earlier: EarlierRun, assessment: Assessment, pack: ModelPack
) -> TaskFeatures | str:
    """The features of an earlier run, or why they are none of this study and pack; empty where no
    network with heads took part."""
    if not is_multitask(pack):
        return "" if earlier.features is None else OTHER_PACK
    if not earlier.features:
        return NEEDS_RUN
    try:
        features = TaskFeatures.from_bytes(earlier.features)
    except ValueError:
        return NEEDS_RUN
    if features.pack_sha256 != pack.sha256:
        return OTHER_PACK
    if features.seen.grid != assessment.prepared.grid.size[::-1]:
        return NEEDS_RUN
    return features


def estimate_models() -> EstimateModels:
    """Reads the packs of statistical models that are installed."""
    found: dict[str, Any] = {}
    problems = {}
    for part, name, load in (
        (DIAGNOSIS, DIAGNOSIS_PACK, load_diagnosis_pack),
        (PROGNOSIS, PROGNOSIS_PACK, load_prognosis_pack),
    ):
        if not has_model_pack(name):
            continue
        try:
            found[part] = load(find_model_pack(name))
        except ModelPackError as error:
            problems[part] = str(error)
    return EstimateModels(**found, problems=problems)


@dataclass(frozen=True)
class _Study:
    """A study on one grid, and the packs that took part so far."""

    case: Case
    prepared: Prepared
    packs: tuple[PackUse, ...]


def pack_use(pack: ModelPack) -> PackUse:
    """A pack as provenance names it."""
    return PackUse(pack.name, pack.version, pack.sha256)


def _stop_at_blocking(assessment: Assessment) -> None:
    for finding in assessment.findings:
        if finding.severity is Severity.BLOCKING:
            raise BlockingFindingError(finding)


def _timed(assessment: Assessment, clock: StageClock) -> Assessment:
    """The assessment with the seconds of these stages beside those of earlier ones."""
    seconds = {**assessment.provenance.timings_s, **clock.seconds}
    provenance = dataclasses.replace(assessment.provenance, timings_s=seconds)
    return dataclasses.replace(assessment, provenance=provenance)


def _provenance(request: AnalysisRequest, packs: tuple[PackUse, ...], engine: str) -> Provenance:
    return Provenance(
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        gliomaai_version=__version__,
        software=_software(),
        model_packs=packs,
        engine=engine,
        options=_options(request),
    )


def _software() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in _SOFTWARE:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _options(request: AnalysisRequest) -> dict[str, str]:
    """What the user chose, without paths: they may hold a name."""
    options = {name: str(value) for name, value in dataclasses.asdict(request.preparation).items()}
    options |= {name: str(value) for name, value in dataclasses.asdict(request.engine).items()}
    options["sequences chosen by hand"] = ", ".join(sorted(request.choices)) or "none"
    return options
