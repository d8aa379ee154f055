"""Deep features: a network's coarse maps, pooled over the brain and the parts of its tumour.

They are what the heads of a multi-task network read. A segmentation network has no heads, but the
same maps, and gives the same features: it is a multi-task network without tasks.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gliomaai_training.data.case_store import StoredCase
from gliomaai_training.inference.config import AUTOMATIC, EngineConfig
from gliomaai_training.inference.engines import choose_engine
from gliomaai_training.inference.model_pack import ModelPack
from gliomaai_training.inference.multitask_engine import MultiTaskEngine
from gliomaai_training.inference.task_features import SeenGrid, TaskFeatures
from gliomaai_training.preprocessing.coarsening import coarsened_input
from gliomaai_training.preprocessing.network_input import pad_to_multiple
from gliomaai_training.preprocessing.resampling import COMMON_SPACING_MM

if TYPE_CHECKING:
    from gliomaai_training.networks.multitask import MultiTaskNetwork

PREFIX = "deep"
"""Of the features' names."""

LEVELS = ("coarsest", "finer")
STATISTICS = ("mean", "max")


class FeatureReader:
    """Reads deep features with the network of one pack, on which only the encoder is run."""

    def __init__(self, pack: ModelPack, config: EngineConfig = AUTOMATIC) -> None:
        """Settles the engine; the network is loaded at first use.

        Raises:
            ValueError: a device was asked for that this machine lacks.
        """
        self._pack = pack
        self._voxel_mm = float(pack.settings.get("voxel_mm", COMMON_SPACING_MM))
        self._choice = replace(choose_engine(config), library="torch")
        self._threads = config.threads

    def names(self, regions: Sequence[str]) -> list[str]:
        """The features of some of `networks.pooling.POOLED_REGIONS`, as `vector` orders them."""
        widths = self._network.config.segmentation.widths
        return [
            f"{PREFIX}_{level}_{region}_{statistic}_{channel:03d}"
            for level, width in zip(LEVELS, (widths[-1], widths[-2]), strict=True)
            for region in regions
            for statistic in STATISTICS
            for channel in range(width)
        ]

    def vector(self, case: StoredCase, regions: Sequence[str]) -> NDArray[np.float32]:
        """Mean and maximum of every channel over every region of the case's own mask, (P,).

        Args:
            case: a brain crop with its segmentation.
            regions: of `networks.pooling.POOLED_REGIONS`.

        Raises:
            ValueError: no sequence is present, or the voxels are no cubes or too large.
        """
        import torch

        from gliomaai_training.networks.pooling import pooled, region_weights

        features = self._features(case)
        weights = region_weights(torch.from_numpy(features.mask(case.labels))[None], tuple(regions))
        maps = [torch.from_numpy(one.astype(np.float32))[None] for one in features.maps]
        vector = torch.cat([pooled(one, weights) for one in maps], 1)[0]
        return np.asarray(vector.numpy(), np.float32)

    def _features(self, case: StoredCase) -> TaskFeatures:
        if len(set(case.voxel_mm)) > 1 or not case.present.any():
            raise ValueError(
                f"case {case.case} has voxels of {case.voxel_mm} mm and "
                f"{int(case.present.sum())} sequences: features need cubes, and something to see"
            )
        images = np.where(case.present[:, None, None, None], case.normalised(), np.float32(0))
        read = coarsened_input(images, self._voxel_mm / case.voxel_mm[0])
        padded = pad_to_multiple(read, self._engine.stride)
        (d, h, w), (rd, rh, rw), (pd, ph, pw) = (one.shape[1:] for one in (images, read, padded))
        seen = SeenGrid((d, h, w), (0, 0, 0), (d, h, w), (rd, rh, rw), (pd, ph, pw))
        maps = self._engine.pooled_maps(padded, case.present)
        return TaskFeatures(maps, seen, self._pack.sha256)

    @cached_property
    def _network(self) -> "MultiTaskNetwork":
        return feature_network(self._pack)

    @cached_property
    def _engine(self) -> MultiTaskEngine:
        return MultiTaskEngine(self._network, self._choice, self._threads)


def feature_network(pack: ModelPack) -> "MultiTaskNetwork":
    """The network of a pack, ready to run; that of a segmentation pack without any task.

    Raises:
        ValueError: the pack is of something else, or the weights do not fit.
    """
    from gliomaai_training.networks.build import build_network
    from gliomaai_training.networks.multitask import MultiTaskNetwork, MultiTaskNetworkConfig
    from gliomaai_training.networks.segmentation import SegmentationNetwork

    network = build_network(pack.settings.get("network", {}))
    try:
        network.load_state_dict(pack.weights())
    except RuntimeError as error:  # torch's word for weights of other shapes or names
        raise ValueError(f"the weights of {pack.name} do not fit its network") from error
    if isinstance(network, MultiTaskNetwork):
        return network.eval()
    if not isinstance(network, SegmentationNetwork):
        raise ValueError(f"model pack {pack.name} is of no network that has deep features")
    fields = {k: v for k, v in pack.settings["network"].items() if k != "architecture"}
    without_tasks = MultiTaskNetwork(
        MultiTaskNetworkConfig.model_validate({"segmentation": fields})
    )
    without_tasks.local = network
    return without_tasks.eval()
