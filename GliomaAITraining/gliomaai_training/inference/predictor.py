"""The one predictor: from a prepared study to label probabilities, labels and uncertainty."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.inference.config import AUTOMATIC, EngineConfig
from gliomaai_training.inference.engines import Engine, EngineChoice, open_engine
from gliomaai_training.inference.model_pack import ModelPack, ModelPackError
from gliomaai_training.inference.postprocessing import (
    PostprocessingConfig,
    clean_labels,
    entropy_bits,
    nested_labels,
)
from gliomaai_training.inference.prediction import Prediction
from gliomaai_training.inference.runner import NetworkRunner
from gliomaai_training.preprocessing.network_input import NetworkInput
from gliomaai_training.preprocessing.prepared import Prepared
from gliomaai_training.preprocessing.resampling import COMMON_SPACING_MM
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import Label

CERTAIN_BACKGROUND = (1.0, 0.0, 0.0, 0.0)
"""Label probabilities outside the brain."""


class Predictor:
    """Segments prepared studies with one model pack.

    The pack's settings used here: `task` (must be `segmentation`), `network`, `voxel_mm` (what the
    network was trained on, default 1), `calibration.temperature` (default 1),
    `calibration.usual_entropy_bits` (default none) and `postprocessing` (fields of
    `PostprocessingConfig`).
    """

    def __init__(self, pack: ModelPack, config: EngineConfig = AUTOMATIC) -> None:
        """Checks the pack's settings and settles the engine; the network is loaded at first use.

        Raises:
            ModelPackError: the pack is for another task or its settings are wrong.
            ValueError: an engine or device was asked for that this machine lacks.
        """
        if pack.settings.get("task") != "segmentation":
            raise ModelPackError(
                f"model pack {pack.name} is for {pack.settings.get('task')!r}, not for segmentation"
            )
        self._pack = pack
        self._config = config
        self._settings = _Settings.of(pack)
        self._runner = NetworkRunner(self._open_engine, config, self._settings.voxel_mm)

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
        inside, labels = self.segment(cut.images, cut.present, cut.brain, grid.voxel_ml, progress)
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
        )

    def segment(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        brain: NDArray[np.bool_],
        voxel_ml: float,
        progress: Progress = silent,
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Segments a brain crop.

        Args:
            images, present, progress: as `NetworkRunner.probabilities` takes them; any size.
            brain: (z, y, x); all outside is certain background.
            voxel_ml: volume of a voxel.

        Returns:
            Calibrated label probabilities (4, z, y, x), and labels (z, y, x) after post-processing.

        Raises:
            ValueError, MemoryError: as `NetworkRunner.probabilities`; or the brain does not fit.
        """
        if brain.shape != images.shape[1:]:
            raise ValueError(f"brain of shape {brain.shape}, images of shape {images.shape}")
        found = self._runner.probabilities(images, present, self._settings.temperature, progress)
        for label, value in enumerate(CERTAIN_BACKGROUND):
            found[label][~brain] = value
        tumour = 1 - found[Label.BACKGROUND]
        return found, clean_labels(
            nested_labels(found), tumour, voxel_ml, self._settings.postprocessing
        )

    def _open_engine(self, choice: EngineChoice) -> Engine:
        from gliomaai_training.networks.build import build_network

        network = build_network(self._pack.settings["network"])
        network.load_state_dict(self._pack.weights())
        return open_engine(network, choice, self._config.threads)


@dataclass(frozen=True)
class _Settings:
    voxel_mm: float
    temperature: float
    usual_entropy_bits: float | None
    postprocessing: PostprocessingConfig

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
            )
        except (TypeError, ValueError) as error:
            raise ModelPackError(
                f"the settings of model pack {pack.name} are wrong: {error}"
            ) from error
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
