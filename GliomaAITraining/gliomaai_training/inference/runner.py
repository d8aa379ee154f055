"""Runs a network over a volume: whole or in tiles, mirrored or not, with fallbacks for memory."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
from gliomaai_training.inference.multitask_engine import Maps, MultiTaskEngine, Surroundings
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


@dataclass(frozen=True, eq=False)
class Run:
    """What a network gave."""

    probabilities: NDArray[np.float32]
    """(4, z, y, x) by `vocabulary.Label`; they sum to 1."""
    maps: Maps | None
    """What the heads of a multi-task network pool, of the images as they are, not of their mirror
    image; None of a network without heads, and where it ran in tiles."""
    read_shape: tuple[int, ...]
    """The size (z, y, x) on the network's voxels, without the padding to its stride."""


class NetworkRunner:
    """Gives a network's probabilities for a volume of any size.

    Engines are made when first needed and kept. A pass that runs out of memory is repeated in
    tiles, then on the CPU: GPU, GPU in tiles gathered on the CPU, CPU, CPU in tiles. A network with
    heads goes to the CPU before it goes to tiles, which hold no maps of the whole.
    """

    def __init__(
        self,
        open_engine: Callable[[EngineChoice], Engine],
        config: EngineConfig,
        voxel_mm: float = COMMON_SPACING_MM,
        has_heads: bool = False,
    ) -> None:
        """Settles the engine but does not open it.

        Args:
            open_engine: makes the network ready to run with an engine of that kind.
            config: what the user chose.
            voxel_mm: edge of the voxels that the network was trained on; volumes come on 1 mm
                voxels, are coarsened for it, and its probabilities are brought back.
            has_heads: whether the engines are `MultiTaskEngine`s.

        Raises:
            ValueError: an engine or device was asked for that this machine lacks.
        """
        self._open_engine = open_engine
        self._config = config
        self._voxel_mm = voxel_mm
        self._has_heads = has_heads
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
        return round(self.engine_stride * self._voxel_mm)

    @property
    def engine_stride(self) -> int:
        """As `stride`, in the network's own voxels."""
        return self._engine(self._choice).stride

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
        return self.run(images, present, temperature, progress).probabilities

    def run(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        temperature: float = 1.0,
        progress: Progress = silent,
    ) -> Run:
        """As `probabilities`, with what the heads of a multi-task network pool."""
        _check(images, present)
        if not present.all():
            images = np.where(present[:, None, None, None], images, np.float32(0))
        mirrors = (False, True) if self._config.flips else (False,)
        seen = [
            self._seen(images, present, temperature, _part(progress, index, len(mirrors)), mirror)
            for index, mirror in enumerate(mirrors)
        ]
        progress(STAGE, 1.0)
        mean = np.mean([one.probabilities for one in seen], axis=0) if len(seen) > 1 else None
        return seen[0] if mean is None else replace(seen[0], probabilities=mean)

    def _seen(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        temperature: float,
        progress: Progress,
        mirror: bool,
    ) -> Run:
        """What the network gives for the images, or for their mirror image.

        The mirror image is also moved by a voxel where the network's are larger: what falls into
        one of them is then told apart by the other. The plane that leaves on one side enters on the
        other, and goes back.
        """
        move = int(self._voxel_mm > COMMON_SPACING_MM)
        if mirror:
            images = np.roll(images[..., ::-1], (move,) * 3, (1, 2, 3))
        read = coarsened_input(images, self._voxel_mm)
        found, maps = self._first_that_fits(read, present, temperature, progress)
        finer = refined(found, images.shape[1:])
        if mirror:
            finer = np.roll(finer, (-move,) * 3, (1, 2, 3))[..., ::-1]
        return Run(finer, maps, read.shape[1:])

    def _first_that_fits(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        temperature: float,
        progress: Progress,
    ) -> tuple[NDArray[np.float32], Maps | None]:
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
        ways = [(choice, in_tiles) for choice in choices for in_tiles in (False, True)]
        if self._has_heads:
            ways.sort(key=lambda way: way[1])
        fits = voxels <= self._config.max_voxels
        yield from (way for way in ways if fits or way[1])

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
    ) -> tuple[NDArray[np.float32], Maps | None]:
        engine = self._engine(choice)
        if in_tiles:
            logits, maps = self._tiled(engine, images, present, progress), None
        else:
            logits, maps = _whole(engine, images, present, progress)
        self._last = engine.name
        logger.info("segmentation network ran on %s%s", engine.name, " in tiles" * in_tiles)
        return softmax(logits, temperature), maps

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
        size = images.shape[1:]
        if isinstance(engine, MultiTaskEngine):
            # A tile's place counts for it: no padding around it may move it.
            images = np.pad(images, [(0, 0), *((0, max(0, edge - n)) for n in size)])
        whole = _shrunk(engine, images)

        def one_tile(tile: "Tensor", places: "Sequence[Sequence[slice]]") -> "Tensor":
            nonlocal done
            progress(STAGE, min(done / count, 1.0))
            done += 1
            values = tile[0].numpy()
            if values.any():
                around = None if whole is None else _around(whole, places[0], images.shape[1:])
                logits = _of_tile(engine, np.ascontiguousarray(values), present, around)
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
            with_coord=True,
        )
        if not isinstance(result, torch.Tensor):
            raise TypeError(f"tiles were joined to {type(result).__name__}, not to a tensor")
        depth, height, width = size
        joined = np.asarray(result[0].numpy(), dtype=np.float32)
        return joined[:, :depth, :height, :width]


def _part(progress: Progress, index: int, count: int) -> Progress:
    """Progress of one of several equal parts."""
    return lambda stage, fraction: progress(stage, (index + fraction) / count)


def _whole(
    engine: Engine,
    images: NDArray[np.float32],
    present: NDArray[np.bool_],
    progress: Progress,
) -> tuple[NDArray[np.float32], Maps | None]:
    progress(STAGE, 0.0)
    depth, height, width = images.shape[1:]
    padded = pad_to_multiple(images, engine.stride)
    maps = None
    if isinstance(engine, MultiTaskEngine):
        logits, maps = engine.passed(padded, present)
    else:
        logits = engine.logits(padded, present)
    return logits[:, :depth, :height, :width], maps


def _shrunk(engine: Engine, images: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """What surrounds every tile, for a network that reads it."""
    if isinstance(engine, MultiTaskEngine) and engine.sees_whole:
        return engine.shrunk(images)
    return None


def _of_tile(
    engine: Engine,
    values: NDArray[np.float32],
    present: NDArray[np.bool_],
    around: Surroundings | None,
) -> NDArray[np.float32]:
    if isinstance(engine, MultiTaskEngine):
        return engine.tile_logits(values, present, around)
    return engine.logits(values, present)


def _around(
    whole: NDArray[np.float32], place: Sequence[slice], size: tuple[int, ...]
) -> Surroundings:
    """A tile's surroundings, from where MONAI says that it lies: batch, channels, z, y, x."""
    ends = [(part.start / n, part.stop / n) for part, n in zip(place[-3:], size, strict=True)]
    return Surroundings(whole, np.array(ends, np.float32))


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
