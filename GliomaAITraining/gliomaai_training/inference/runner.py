"""Runs a network over a volume: whole or in tiles, mirrored or not, with fallbacks for memory."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.inference.config import EngineConfig
from gliomaai_training.inference.engines import (
    Engine,
    EngineChoice,
    choose_engine,
    is_out_of_memory,
)
from gliomaai_training.inference.postprocessing import softmax
from gliomaai_training.preprocessing.coarsening import coarsened_input, refined
from gliomaai_training.preprocessing.network_input import pad_to_multiple
from gliomaai_training.preprocessing.resampling import COMMON_SPACING_MM
from gliomaai_training.progress import Progress, silent
from gliomaai_training.vocabulary import SEQUENCES, Label

if TYPE_CHECKING:
    from torch import Tensor

STAGE = "segmentation"
"""The stage's name in progress reports."""

EMPTY_LOGIT = 20.0
"""Background's logit in a tile that holds nothing; the other labels' is 0."""

logger = logging.getLogger(__name__)


class NetworkRunner:
    """Gives a network's probabilities for a volume of any size.

    Engines are made when first needed and kept. A pass that runs out of memory is repeated in
    tiles, then on the CPU: GPU, GPU in tiles gathered on the CPU, CPU, CPU in tiles.
    """

    def __init__(
        self,
        open_engine: Callable[[EngineChoice], Engine],
        config: EngineConfig,
        voxel_mm: float = COMMON_SPACING_MM,
    ) -> None:
        """Settles the engine but does not open it.

        Args:
            open_engine: makes the network ready to run with an engine of that kind.
            config: what the user chose.
            voxel_mm: edge of the voxels that the network was trained on; volumes come on 1 mm
                voxels, are coarsened for it, and its probabilities are brought back.

        Raises:
            ValueError: an engine or device was asked for that this machine lacks.
        """
        self._open_engine = open_engine
        self._config = config
        self._voxel_mm = voxel_mm
        self._choice = choose_engine(config)
        self._engines: dict[EngineChoice, Engine] = {}
        self._last = self._choice.name

    @property
    def engine(self) -> str:
        """Library, precision and device of the last run (of the next, before the first)."""
        return self._last

    @property
    def stride(self) -> int:
        """Volumes whose sizes are multiples of this need no padding."""
        return round(self._engine(self._choice).stride * self._voxel_mm)

    def probabilities(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        temperature: float = 1.0,
        progress: Progress = silent,
    ) -> NDArray[np.float32]:
        """Label probabilities of a volume.

        Args:
            images: normalised intensities (4, z, y, x) on 1 mm voxels, sequences in
                `vocabulary.SEQUENCES` order, x from right to left; what an absent sequence holds
                does not matter.
            present: (4,), which sequences there are.
            temperature: the logits are divided by it (Guo et al. 2017).
            progress: called before every pass or tile; cancels by raising.

        Returns:
            Probabilities (4, z, y, x) by `vocabulary.Label`; they sum to 1.

        Raises:
            ValueError: shapes do not fit, or no sequence is present.
            MemoryError: there is not enough memory even for tiles.
        """
        _check(images, present)
        if not present.all():
            images = np.where(present[:, None, None, None], images, np.float32(0))
        read = coarsened_input(images, self._voxel_mm)
        result = self._first_that_fits(read, present, temperature, progress)
        return refined(result, images.shape[1:])

    def _first_that_fits(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        temperature: float,
        progress: Progress,
    ) -> NDArray[np.float32]:
        for choice, in_tiles in self._attempts(images[0].size):
            try:
                return self._run(choice, in_tiles, images, present, temperature, progress)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
                logger.warning("out of memory on %s%s", choice.name, " in tiles" * in_tiles)
            if choice.device == "cuda":
                _empty_cuda_cache()
        raise MemoryError("not enough memory to run the network, even in tiles")

    def _attempts(self, voxels: int) -> Iterator[tuple[EngineChoice, bool]]:
        choices = [self._choice]
        if self._choice.device == "cuda":
            cpu = replace(self._config, device="cpu", precision="auto")
            choices.append(choose_engine(cpu))
        for choice in choices:
            if voxels <= self._config.max_voxels:
                yield choice, False
            yield choice, True

    def _engine(self, choice: EngineChoice) -> Engine:
        if choice not in self._engines:
            self._engines[choice] = self._open_engine(choice)
        return self._engines[choice]

    def _run(
        self,
        choice: EngineChoice,
        in_tiles: bool,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        temperature: float,
        progress: Progress,
    ) -> NDArray[np.float32]:
        engine = self._engine(choice)
        views = (1, -1) if self._config.flips else (1,)
        seen: list[NDArray[np.float32]] = []
        for index, step in enumerate(views):

            def report(stage: str, fraction: float, index: int = index) -> None:
                progress(stage, (index + fraction) / len(views))

            mirrored = np.ascontiguousarray(images[..., ::step])
            logits = (
                self._tiled(engine, mirrored, present, report)
                if in_tiles
                else _whole(engine, mirrored, present, report)
            )
            seen.append(softmax(logits, temperature)[..., ::step])
        progress(STAGE, 1.0)
        self._last = engine.name
        logger.info("segmentation network ran on %s%s", engine.name, " in tiles" * in_tiles)
        return seen[0] if len(seen) == 1 else (seen[0] + seen[1]) / np.float32(2)

    def _tiled(
        self,
        engine: Engine,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        progress: Progress,
    ) -> NDArray[np.float32]:
        import torch
        from monai.inferers.utils import sliding_window_inference

        edge = -(-self._config.tile_voxels // engine.stride) * engine.stride
        step = int(edge * (1 - self._config.tile_overlap))
        count = int(np.prod([max(0, -(-(n - edge) // step)) + 1 for n in images.shape[1:]]))
        done = 0

        def one_tile(tile: "Tensor") -> "Tensor":
            nonlocal done
            progress(STAGE, min(done / count, 1.0))
            done += 1
            values = tile[0].numpy()
            if values.any():
                logits = engine.logits(np.ascontiguousarray(values), present)
            else:
                logits = np.zeros((len(Label), *values.shape[1:]), np.float32)
                logits[Label.BACKGROUND] = EMPTY_LOGIT
            return torch.from_numpy(logits)[None]

        result = sliding_window_inference(
            torch.from_numpy(images)[None],
            roi_size=(edge, edge, edge),
            sw_batch_size=1,
            predictor=one_tile,
            overlap=self._config.tile_overlap,
            mode="gaussian",
        )
        if not isinstance(result, torch.Tensor):
            raise TypeError(f"tiles were joined to {type(result).__name__}, not to a tensor")
        return np.asarray(result[0].numpy(), dtype=np.float32)


def _whole(
    engine: Engine,
    images: NDArray[np.float32],
    present: NDArray[np.bool_],
    progress: Progress,
) -> NDArray[np.float32]:
    progress(STAGE, 0.0)
    depth, height, width = images.shape[1:]
    padded = pad_to_multiple(images, engine.stride)
    return engine.logits(padded, present)[:, :depth, :height, :width]


def _check(images: NDArray[np.float32], present: NDArray[np.bool_]) -> None:
    if images.ndim != 4 or images.shape[0] != len(SEQUENCES) or images.size == 0:
        raise ValueError(f"images must be shaped (4, z, y, x), not {images.shape}")
    if present.shape != (len(SEQUENCES),) or present.dtype != np.bool_:
        raise ValueError(f"present must be four booleans, not {present.dtype} {present.shape}")
    if not present.any():
        raise ValueError("no sequence is present: there is nothing to segment")
    if not all(np.isfinite(images[index]).all() for index in np.flatnonzero(present)):
        raise ValueError("the images hold values that are not finite")


def _empty_cuda_cache() -> None:
    import torch

    torch.cuda.empty_cache()
