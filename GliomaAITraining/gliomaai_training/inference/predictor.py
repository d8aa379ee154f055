"""The one predictor: from a prepared study to label probabilities, labels and uncertainty."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.inference.config import AUTOMATIC, EngineConfig
from gliomaai_training.inference.engines import Engine, EngineChoice, open_engine
from gliomaai_training.inference.model_pack import ModelPack, ModelPackError
from gliomaai_training.inference.multitask_pack import (
    MULTITASK,
    MultiTaskSettings,
    is_multitask,
)
from gliomaai_training.inference.postprocessing import (
    PostprocessingConfig,
    clean_labels,
    entropy_bits,
    nested_labels,
)
from gliomaai_training.inference.prediction import Prediction
from gliomaai_training.inference.runner import NetworkRunner, Run
from gliomaai_training.inference.task_features import SeenGrid, Shape, TaskFeatures
from gliomaai_training.preprocessing.network_input import (
    NORMALISATION,
    NetworkInput,
    pad_to_multiple,
)
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.preprocessing.resampling import COMMON_SPACING_MM
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import Label

CERTAIN_BACKGROUND = (1.0, 0.0, 0.0, 0.0)
"""Label probabilities outside the brain."""

SEGMENTATION = "segmentation"
TASKS = (SEGMENTATION, MULTITASK)
"""Of the packs whose network segments."""

IN_TILES = (
    "The network ran in tiles, as the study is too large or memory too small for one pass: its "
    "diagnosis and risk need the whole brain at once."
)

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Segmented:
    """A brain crop, segmented."""

    probabilities: NDArray[np.float32]
    """(4, z, y, x) by `vocabulary.Label`, calibrated."""
    labels: NDArray[np.uint8]
    """(z, y, x) after post-processing."""
    features: TaskFeatures | None
    """What the heads of a multi-task pack read; see `Prediction.features`."""


class Predictor:
    """Segments prepared studies with one model pack.

    The pack's settings used here: `task` (`segmentation` or `multitask`), `network`,
    `normalisation` (the one of `network_input.normalise`, or the pack is refused), `voxel_mm`
    (what the network was trained on, default 1), `calibration.temperature` (default 1),
    `calibration.usual_entropy_bits` (default none), `inference.flips` (default false; what the user
    chose goes before) and `postprocessing` (fields of `PostprocessingConfig`); those of a
    multi-task pack's heads (`multitask_pack`) are checked. What the heads read comes from the same
    pass as the labels, and `task_heads` answers with it.
    """

    def __init__(self, pack: ModelPack, config: EngineConfig = AUTOMATIC) -> None:
        """Checks the pack's settings and settles the engine; the network is loaded at first use.

        Raises:
            ModelPackError: the pack is for another task or its settings are wrong.
            ValueError: an engine or device was asked for that this machine lacks.
        """
        if pack.settings.get("task") not in TASKS:
            raise ModelPackError(
                f"model pack {pack.name} is for {pack.settings.get('task')!r}, not for segmentation"
            )
        self._pack = pack
        self._settings = _Settings.of(pack)
        if config.flips is None:
            config = replace(config, flips=self._settings.flips)
        self._config = config
        self._has_heads = is_multitask(pack)
        if self._has_heads:
            MultiTaskSettings.of(pack)
        self._runner = NetworkRunner(
            self._open_engine, config, self._settings.voxel_mm, self._has_heads
        )

    @property
    def engine(self) -> str:
        """Library, precision and device, for example `torch fp32 cpu`."""
        return self._runner.engine

    def predict(self, prepared: Prepared, progress: Progress = silent) -> Prediction:
        """Segments a prepared study; sequences that are absent are done without.

        Raises:
            ValueError: the brain mask is empty, no sequence is present, or voxels are not finite.
            MemoryError: there is not enough memory even for tiles.
            Cancelled: raised by `progress`.
        """
        cut = NetworkInput.of(prepared, self._runner.stride)
        grid = prepared.grid
        run = self._run(cut.images, cut.present, cut.brain, progress)
        inside = run.probabilities
        labels = self._labels(inside, grid.voxel_ml)
        z, y, x = cut.box
        features = self._features(run, cut.grid_shape, (z.start, y.start, x.start))
        entropy = cut.restore(entropy_bits(inside)[None], (0.0,))[0]
        whole_labels = cut.restore(labels[None], (Label.BACKGROUND,))[0]
        return Prediction(
            probabilities=cut.restore(inside, CERTAIN_BACKGROUND),
            labels=grid.image(whole_labels),
            entropy=grid.image(entropy),
            usual_entropy_bits=self._settings.usual_entropy_bits,
            engine=self._runner.engine,
            pack_name=self._pack.name,
            pack_sha256=self._pack.sha256,
            features=features,
            no_features=IN_TILES if self._has_heads and features is None else "",
        )

    def segment(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        brain: NDArray[np.bool_],
        voxel_ml: float,
        progress: Progress = silent,
    ) -> Segmented:
        """Segments a brain crop.

        Args:
            images, present, progress: as `NetworkRunner.probabilities` takes them; any size.
            brain: (z, y, x); all outside is certain background.
            voxel_ml: volume of a voxel.

        Raises:
            ValueError, MemoryError: as `NetworkRunner.probabilities`; or the brain does not fit.
        """
        run = self._run(images, present, brain, progress)
        depth, height, width = brain.shape
        return Segmented(
            probabilities=run.probabilities,
            labels=self._labels(run.probabilities, voxel_ml),
            features=self._features(run, (depth, height, width), (0, 0, 0)),
        )

    def _run(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        brain: NDArray[np.bool_],
        progress: Progress,
    ) -> Run:
        if brain.shape != images.shape[1:]:
            raise ValueError(f"brain of shape {brain.shape}, images of shape {images.shape}")
        run = self._runner.run(images, present, self._settings.temperature, progress)
        for label, value in enumerate(CERTAIN_BACKGROUND):
            run.probabilities[label][~brain] = value
        return run

    def _labels(self, found: NDArray[np.float32], voxel_ml: float) -> NDArray[np.uint8]:
        tumour = 1 - found[Label.BACKGROUND]
        return clean_labels(nested_labels(found), tumour, voxel_ml, self._settings.postprocessing)

    def _features(self, run: Run, grid: Shape, begin: Shape) -> TaskFeatures | None:
        """Of a pass over a crop that begins there in the study's grid; shapes are (z, y, x)."""
        if run.maps is None:
            return None
        depth, height, width = run.probabilities.shape[1:]
        read = run.read_shape
        padded = pad_to_multiple(np.empty((1, *read), np.bool_), self._runner.engine_stride).shape
        seen = SeenGrid(
            grid=grid,
            begin=begin,
            crop=(depth, height, width),
            read=(read[0], read[1], read[2]),
            padded=(padded[1], padded[2], padded[3]),
        )
        return TaskFeatures(run.maps, seen, self._pack.sha256)

    def _open_engine(self, choice: EngineChoice) -> Engine:
        if self._has_heads:
            return self._open_multitask(choice)
        from gliomaai_training.networks.build import build_network

        network = build_network(self._pack.settings["network"])
        network.load_state_dict(self._pack.weights())
        return open_engine(network, choice, self._config.threads)

    def _open_multitask(self, choice: EngineChoice) -> Engine:
        from gliomaai_training.inference.multitask_engine import MultiTaskEngine
        from gliomaai_training.inference.task_heads import load_network

        if choice.library == "openvino":
            logger.warning("multi-task packs run in torch only; torch runs instead of OpenVINO")
            choice = replace(choice, library="torch")
        return MultiTaskEngine(load_network(self._pack), choice, self._config.threads)


@dataclass(frozen=True)
class _Settings:
    voxel_mm: float
    temperature: float
    usual_entropy_bits: float | None
    postprocessing: PostprocessingConfig
    flips: bool

    @classmethod
    def of(cls, pack: ModelPack) -> "_Settings":
        calibration: Mapping[str, Any] = pack.settings.get("calibration", {})
        usual_bits = calibration.get("usual_entropy_bits")
        try:
            settings = cls(
                voxel_mm=float(pack.settings.get("voxel_mm", COMMON_SPACING_MM)),
                temperature=float(calibration.get("temperature", 1.0)),
                usual_entropy_bits=None if usual_bits is None else float(usual_bits),
                postprocessing=PostprocessingConfig(**pack.settings.get("postprocessing", {})),
                flips=bool(pack.settings.get("inference", {}).get("flips", False)),
            )
        except (TypeError, ValueError) as error:
            raise ModelPackError(
                f"the settings of model pack {pack.name} are wrong: {error}"
            ) from error
        if (how := pack.settings.get("normalisation")) != NORMALISATION:
            raise ModelPackError(
                f"model pack {pack.name} {pack.version} learnt from images normalised by "
                f"{how or 'mean and deviation'}, not by {NORMALISATION}: take a newer pack, or "
                "train its network anew"
            )
        if not settings.temperature > 0:
            raise ModelPackError(
                f"model pack {pack.name} has temperature {settings.temperature}, not above 0"
            )
        if not settings.voxel_mm >= COMMON_SPACING_MM:
            raise ModelPackError(
                f"model pack {pack.name} has voxel_mm {settings.voxel_mm}, "
                f"below {COMMON_SPACING_MM}"
            )
        return settings
