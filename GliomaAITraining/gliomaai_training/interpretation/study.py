"""Why a multi-task pack answers about one study as it does, with the tumour's outline as it is."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.engines import choose_engine, cpu_threads, is_out_of_memory
from gliomaai_training.inference.task_features import TaskFeatures
from gliomaai_training.inference.task_heads import TaskReader, load_network
from gliomaai_training.interpretation.explanations import (
    ExplainedAnswer,
    MapCheck,
    Saliency,
    SaliencyVolume,
    SequenceImportance,
    StudyExplanation,
    Target,
    usual_targets,
)
from gliomaai_training.preprocessing.coarsening import coarsened_input, refined
from gliomaai_training.preprocessing.network_input import NetworkInput, pad_to_multiple
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.preprocessing.resampling import COMMON_SPACING_MM
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import SEQUENCES, Label

if TYPE_CHECKING:
    from gliomaai_training.interpretation.answers import Shown
    from gliomaai_training.networks.multitask import MultiTaskNetwork

IMPORTANCE, SALIENCY, CHECK = "importance of sequences", "saliency", "sanity check"
"""Stages, in the order of the work."""

METHOD = "integrated gradients"

SMOOTHING_VOXELS = 1.0
"""Of the network: single voxels of a gradient alternate with its strides."""
SMALLEST_SHARE = 0.05
"""Of a smoothed voxel's surroundings that are brain; less is taken for so much."""

TOO_LARGE = "a study of {voxels} voxels is too large to explain: at most {most} fit into one pass"
NO_ROOM = "not enough memory to explain the network's answers; close other programs"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ExplainConfig:
    """How answers are explained."""

    engine: EngineConfig = field(default_factory=EngineConfig)
    """Device and threads; it runs in float32 whatever the precision."""
    steps: int = 16
    """Of each map; see `saliency.integrated_gradients`."""
    seed: int = 0
    """Of the untrained network that the maps are checked with."""


def explain_study(
    reader: TaskReader,
    prepared: Prepared,
    features: TaskFeatures,
    labels: NDArray[np.integer[Any]],
    config: ExplainConfig,
    progress: Progress = silent,
) -> StudyExplanation:
    """Importance of the sequences, and a checked saliency map, for each answer of the network.

    The mask is given, not explained: it is held for every subset of sequences and every map, so
    that what is explained is the answer that is shown with it. What tissue told plays no part.

    Args:
        reader: the pack that read the study.
        prepared: the study.
        features: what the pack's network read of it.
        labels: `vocabulary.Label` values (k, j, i) on the common grid; corrected, or the network's.
        config: device, steps and seed.
        progress: told the stages `IMPORTANCE`, `SALIENCY` and `CHECK`, each once from 0 to 1.

    Raises:
        ValueError: features or labels are not of this study and pack, the mask is empty, or the
            study is too large.
        MemoryError: it does not fit into memory.
        Cancelled: by `progress`.
    """
    if not labels.any():
        raise ValueError("no tumour is drawn: there is nothing to explain")
    run = partial(_explained, reader, _Study.of(reader, prepared, features, labels), config)
    devices = ["cuda", "cpu"] if choose_engine(config.engine).device == "cuda" else ["cpu"]
    for device in devices:
        try:
            with cpu_threads(config.engine.threads):
                return run(device, progress)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            logger.warning("out of memory while explaining on %s", device)
    raise MemoryError(NO_ROOM)


@dataclass(frozen=True, eq=False)
class _Study:
    """A study as the network saw it, with the way back."""

    prepared: Prepared
    cut: NetworkInput
    features: TaskFeatures
    images: NDArray[np.float32]
    """(4, *seen.padded)"""
    mask: NDArray[np.float32]
    """(4, *seen.padded), by label."""

    @classmethod
    def of(
        cls,
        reader: TaskReader,
        prepared: Prepared,
        features: TaskFeatures,
        labels: NDArray[np.integer[Any]],
    ) -> "_Study":
        """Cuts and coarsens as the predictor does.

        Raises:
            ValueError: the features are of another study or pack.
        """
        if features.pack_sha256 != reader.pack.sha256:
            raise ValueError(f"the features are of another model pack than {reader.pack.name}")
        mask = features.mask(labels)
        stride = reader.network.stride
        voxel_mm = float(reader.pack.settings.get("voxel_mm", COMMON_SPACING_MM))
        cut = NetworkInput.of(prepared, round(stride * voxel_mm))
        images = pad_to_multiple(coarsened_input(cut.images, voxel_mm), stride)
        if images.shape != mask.shape:
            raise ValueError(f"features of {mask.shape[1:]} voxels, a study of {images.shape[1:]}")
        return cls(prepared, cut, features, images, mask)

    def volume(self, saliency: Saliency) -> SaliencyVolume:
        """The map, all sequences together, smoothed, as a density on the common grid."""
        from scipy import ndimage

        seen = self.features.seen
        depth, height, width = seen.read
        part = (slice(None), slice(depth), slice(height), slice(width))
        brain = self.images[part].any(axis=0).astype(np.float32)
        blurred, share = (
            ndimage.gaussian_filter(one, SMOOTHING_VOXELS, mode="constant")
            for one in (saliency.map[part].sum(axis=0), brain)
        )
        # Over the brain alone: at its edge nothing is lost to the outside.
        smooth = brain * blurred / np.maximum(share, SMALLEST_SHARE)
        voxel_ml = self.prepared.grid.voxel_ml * np.prod(seen.crop) / np.prod(seen.read)
        density = refined((smooth / voxel_ml).astype(np.float32)[None], seen.crop)
        whole = self.cut.restore(density * self.cut.brain, (0.0,))[0]
        tumour = 1 - self.mask[Label.BACKGROUND]
        magnitude = np.abs(saliency.map).sum(axis=0, dtype=np.float64)
        return SaliencyVolume(
            image=self.prepared.grid.image(whole),
            inside_tumour=float((magnitude * tumour).sum() / magnitude.sum()),
            step=saliency.output - (saliency.baseline or 0.0),
            gap=saliency.gap or 0.0,
        )


def _explained(
    reader: TaskReader, study: _Study, config: ExplainConfig, device: str, progress: Progress
) -> StudyExplanation:
    if study.images[0].size > config.engine.max_voxels:
        size, most = study.images[0].size, config.engine.max_voxels
        raise ValueError(TOO_LARGE.format(voxels=size, most=most))
    settings = reader.settings
    # A network of its own: the reader's stays where it is, and can be trained further.
    network = load_network(reader.pack).requires_grad_(False).to(device)
    shown = _shown(study, settings.temperatures, device)
    targets = usual_targets(settings.tasks)
    importances = _importances(network, shown, settings.prior, targets, progress)
    maps = [
        _map(network, shown, one, config, _part(progress, SALIENCY, number, len(targets)))
        for number, one in enumerate(targets)
    ]
    checks = [
        _check(network, shown, one, config, _part(progress, CHECK, number, len(targets)))
        for number, one in enumerate(maps)
    ]
    answers = tuple(
        ExplainedAnswer(
            target=one.target,
            output=one.output,
            importances=importances.get(one.target, ()),
            check=check,
            saliency=study.volume(one) if check is not None and check.passes else None,
        )
        for one, check in zip(maps, checks, strict=True)
    )
    voxel_mm = float(reader.pack.settings.get("voxel_mm", COMMON_SPACING_MM))
    return StudyExplanation(
        pack=reader.pack.name,
        pack_version=reader.pack.version,
        pack_sha256=reader.pack.sha256,
        simulated_only=settings.cohort.simulated_only,
        sequences=tuple(name for name in SEQUENCES if name in study.prepared.sequences),
        method=METHOD,
        steps=config.steps,
        smoothing_mm=SMOOTHING_VOXELS * voxel_mm,
        seed=config.seed,
        device=device,
        answers=answers,
    )


def _shown(study: _Study, temperatures: Mapping[str, float], device: str) -> "Shown":
    import torch

    from gliomaai_training.interpretation.answers import Shown
    from gliomaai_training.networks.multitask import View

    images = torch.from_numpy(study.images)[None].to(device)
    present = torch.from_numpy(study.cut.present)[None].to(device)
    return Shown(View(images, present), torch.from_numpy(study.mask)[None].to(device), temperatures)


def _importances(
    network: "MultiTaskNetwork",
    shown: "Shown",
    prior: Mapping[str, float],
    targets: tuple[Target, ...],
    progress: Progress,
) -> dict[Target, tuple[SequenceImportance, ...]]:
    """By answer, of those whose prior the pack tells."""
    from gliomaai_training.interpretation.sequence_importance import sequence_importance

    known = {target: prior[target.name] for target in targets if target.name in prior}
    if not known:
        return {}
    tell = _part(progress, IMPORTANCE, 0, 1)
    found = sequence_importance(network, shown, known, tell)
    return {target: tuple(one for one in found if one.target == target) for target in known}


def _map(
    network: "MultiTaskNetwork",
    shown: "Shown",
    target: Target,
    config: ExplainConfig,
    progress: Progress,
) -> Saliency:
    from gliomaai_training.interpretation.saliency import integrated_gradients

    return integrated_gradients(network, shown, target, config.steps, progress)


def _check(
    network: "MultiTaskNetwork",
    shown: "Shown",
    saliency: Saliency,
    config: ExplainConfig,
    progress: Progress,
) -> MapCheck | None:
    """None of a map that is the same everywhere."""
    import torch

    from gliomaai_training.interpretation.sanity import map_check

    if np.ptp(saliency.map) == 0:
        return None
    generator = torch.Generator().manual_seed(config.seed)
    explain = _mapper(saliency.target, config, progress)
    return map_check(network, shown, saliency.map, generator, explain)


def _mapper(
    target: Target, config: ExplainConfig, progress: Progress
) -> "Callable[[MultiTaskNetwork, Shown], NDArray[np.float32]]":
    return lambda network, shown: _map(network, shown, target, config, progress).map


def _part(progress: Progress, stage: str, number: int, count: int) -> Progress:
    """Progress of one of `count` equal parts of a stage."""
    return lambda _, fraction: progress(stage, (number + fraction) / count)
