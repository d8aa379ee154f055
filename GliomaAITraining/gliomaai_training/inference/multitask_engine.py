"""The multi-task network in torch: label logits and, of the same pass, the maps its heads pool.

OpenVINO is not used for it: its check of the compiled network knows one output.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.inference.engines import EngineChoice, TorchEngine

if TYPE_CHECKING:
    from torch import Tensor

    from gliomaai_training.networks.multitask import MultiTaskNetwork

Maps = tuple[NDArray[np.float16], NDArray[np.float16]]

LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Surroundings:
    """What a tile lies in."""

    whole: NDArray[np.float32]
    """(4, z, y, x) of `MultiTaskEngine.shrunk`."""
    place: NDArray[np.float32]
    """(3, 2) where the tile begins and ends along z, y and x, as shares of the whole."""


class MultiTaskEngine(TorchEngine):
    """A network with heads, ready to run."""

    def __init__(
        self, network: "MultiTaskNetwork", choice: EngineChoice, threads: int | None
    ) -> None:
        super().__init__(network, choice, threads)
        self._multitask = network

    @property
    def sees_whole(self) -> bool:
        """Whether a tile has to be given its surroundings."""
        return self._multitask.whole is not None

    def logits(
        self, images: NDArray[np.float32], present: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """See `Engine.logits`; the images are everything that there is."""
        return self.passed(images, present)[0]

    def tile_logits(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        surroundings: Surroundings | None,
    ) -> NDArray[np.float32]:
        """Logits of a tile; without a global branch its surroundings do not matter."""
        return self.passed(images, present, surroundings)[0]

    def passed(
        self,
        images: NDArray[np.float32],
        present: NDArray[np.bool_],
        surroundings: Surroundings | None = None,
    ) -> tuple[NDArray[np.float32], Maps]:
        """Logits (4 labels, z, y, x), and the maps that the heads pool, the coarsest first.

        Raises:
            ValueError: the images' size is no multiple of the stride.
        """
        import torch

        from gliomaai_training.networks.multitask import View

        with self.running():
            shown = torch.from_numpy(present)[None].to(self.device)
            whole = place = None
            if surroundings is not None and self.sees_whole:
                whole = self.batch(surroundings.whole)
                place = torch.from_numpy(surroundings.place)[None].to(self.device)
            logits, maps = self._multitask.segment(View(self.batch(images), shown, whole, place))
            return np.asarray(logits[0].float().cpu().numpy()), (_half(maps[0]), _half(maps[1]))

    def pooled_maps(self, images: NDArray[np.float32], present: NDArray[np.bool_]) -> Maps:
        """The maps of `passed`, of everything that there is, without drawing a mask."""
        import torch

        from gliomaai_training.networks.multitask import View

        with self.running():
            shown = torch.from_numpy(present)[None].to(self.device)
            maps = self._multitask.pooled_maps(View(self.batch(images), shown))
            return _half(maps[0]), _half(maps[1])

    def shrunk(self, images: NDArray[np.float32]) -> NDArray[np.float32]:
        """Everything that there is (4, z, y, x), as the global branch reads it beside a tile."""
        import torch

        with torch.inference_mode():
            everything = self._multitask.shrunk(torch.from_numpy(images)[None])
        return np.ascontiguousarray(everything[0].numpy())


def _half(features: "Tensor") -> NDArray[np.float16]:
    """Features (1, C, z, y, x) as they are kept; what float16 cannot hold is cut."""
    kept = features[0].float().clamp(-LARGEST, LARGEST).cpu().numpy()
    return np.ascontiguousarray(kept.astype(np.float16))
