"""Training samples: drawn from stored cases, the same for the same seed and position."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from torch.utils.data import Dataset

from gliomaai_training.data.augmentation import Augmentation, AugmentationConfig
from gliomaai_training.data.case_store import StoredCase
from gliomaai_training.data.sequence_dropout import draw_present
from gliomaai_training.preprocessing.network_input import pad_to_multiple


@dataclass(frozen=True)
class SamplingConfig:
    """How samples are drawn."""

    crop: tuple[int, int, int] | None
    """Voxels along z, y, x, multiples of the network's stride; None takes the whole brain."""
    multiple: int
    """The network's stride."""
    keep_all: float
    """Probability that a sample shows every sequence."""
    tumour_centred: float
    """Probability that a crop is centred on a tumour voxel."""
    seed: int


@dataclass(frozen=True)
class Sample:
    """A batch (or, from the dataset, a batch of one)."""

    images: Tensor
    """(B, 4, Z, Y, X) float32; absent sequences are 0."""
    present: Tensor
    """(B, 4) bool."""
    labels: Tensor
    """(B, Z, Y, X) int64."""


class TrainingDataset(Dataset[Sample]):
    """Endless samples: item n depends on the seed and n alone, so training resumes anywhere."""

    def __init__(
        self,
        cases: Sequence[StoredCase],
        weights: Sequence[float],
        sampling: SamplingConfig,
        augmentation: AugmentationConfig,
    ) -> None:
        if not cases or len(cases) != len(weights):
            raise ValueError(f"{len(cases)} cases and {len(weights)} weights")
        self._cases = cases
        self._weights = np.asarray(weights, float) / np.sum(weights)
        self._sampling = sampling
        self._augment = Augmentation(augmentation)

    def __getitem__(self, index: int) -> Sample:
        generator = np.random.default_rng((self._sampling.seed, index))
        case = self._cases[int(generator.choice(len(self._cases), p=self._weights))]
        images, labels = self._cut(case, generator)
        changed, target = self._augment(images, labels, generator)
        present = draw_present(case.present, self._sampling.keep_all, generator)
        shown = torch.from_numpy(present)
        changed = changed * shown[:, None, None, None]
        return Sample(changed[None], shown[None], target[None])

    def _cut(
        self, case: StoredCase, generator: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        images = case.normalised()
        crop = self._sampling.crop
        if crop is None:
            multiple = self._sampling.multiple
            return pad_to_multiple(images, multiple), pad_to_multiple(case.labels, multiple)
        centre = self._centre(case, generator)
        box, padding = [], []
        for axis, size in enumerate(crop):
            length = case.labels.shape[axis]
            start = int(np.clip(centre[axis] - size // 2, 0, max(length - size, 0)))
            box.append(slice(start, start + size))
            padding.append((0, max(size - length, 0)))
        cut = images[(slice(None), *box)]
        return np.pad(cut, [(0, 0), *padding]), np.pad(case.labels[tuple(box)], padding)

    def _centre(self, case: StoredCase, generator: np.random.Generator) -> NDArray[np.int_]:
        inside = case.labels > 0
        if not inside.any() or generator.random() >= self._sampling.tumour_centred:
            inside = case.brain
        voxels = np.flatnonzero(inside)
        chosen = int(voxels[generator.integers(voxels.size)])
        return np.array(np.unravel_index(chosen, inside.shape))


def collate(samples: Sequence[Sample]) -> Sample:
    """Joins samples into a batch, zero-padding each to the largest."""
    shapes = [sample.labels.shape[1:] for sample in samples]
    largest = [max(sizes) for sizes in zip(*shapes, strict=True)]

    def padded(tensor: Tensor) -> Tensor:
        padding: list[int] = []
        for size, target in zip(reversed(tensor.shape[-3:]), reversed(largest), strict=True):
            padding += [0, target - size]
        return functional.pad(tensor, padding)

    return Sample(
        torch.cat([padded(sample.images) for sample in samples]),
        torch.cat([sample.present for sample in samples]),
        torch.cat([padded(sample.labels) for sample in samples]),
    )
