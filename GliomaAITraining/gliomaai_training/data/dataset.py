"""Training samples: drawn from stored cases, the same for the same seed and position."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional
from torch.utils.data import Dataset

from gliomaai_training.data.augmentation import (
    Augmentation,
    AugmentationConfig,
    faded,
    random_drift,
)
from gliomaai_training.data.batch import MixedIn, Sample, Targets, Whole
from gliomaai_training.data.case_store import StoredCase
from gliomaai_training.data.sequence_dropout import draw_present
from gliomaai_training.data.targets import PatientTargets
from gliomaai_training.data.tumour_cutmix import tumour_cutmix
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
    two_subsets: bool = False
    """Whether every sample names two subsets of its sequences."""
    whole_beside_crop: bool = False
    """Whether the whole brain comes beside a crop, for a network with a global branch."""
    cutmix_probability: float = 0.0


@dataclass(frozen=True)
class TrainingPatients:
    """What samples are drawn from."""

    cases: Sequence[StoredCase]
    weights: Sequence[float]
    """How often each case is drawn, relative to the others."""
    targets: Mapping[str, PatientTargets] | None = None
    """By case; None where segmentation is all that is learned."""

    def __post_init__(self) -> None:
        if not self.cases or len(self.cases) != len(self.weights):
            raise ValueError(f"{len(self.cases)} cases and {len(self.weights)} weights")
        if self.targets is None:
            return
        lacking = sum(one.case not in self.targets for one in self.cases)
        if lacking:
            raise ValueError(f"{lacking} cases have no targets, not even unknown ones")


class TrainingDataset(Dataset[Sample]):
    """Endless samples: item n depends on the seed and n alone, so training resumes anywhere."""

    def __init__(
        self,
        patients: TrainingPatients,
        sampling: SamplingConfig,
        augmentation: AugmentationConfig,
    ) -> None:
        self._patients = patients
        self._shares = np.asarray(patients.weights, float) / np.sum(patients.weights)
        self._sampling = sampling
        self._changes = augmentation
        if sampling.whole_beside_crop:  # then crop and whole are mirrored together, before
            augmentation = augmentation.model_copy(update={"flip_probability": 0.0})
        self._augment = Augmentation(augmentation)

    def __getitem__(self, index: int) -> Sample:
        generator = np.random.default_rng((self._sampling.seed, index))
        case = self._drawn(generator)
        volume, mixed = self._mixed(case, generator)
        cut = self._cut(volume, generator)
        images, labels = self._augment(cut.images, cut.labels, generator)
        present = draw_present(case.present, self._sampling.keep_all, generator)
        second = draw_present(case.present, 0.0, generator) if self._sampling.two_subsets else None
        seen = torch.from_numpy(present if second is None else present | second)
        return Sample(
            images=(images * seen[:, None, None, None])[None],
            present=torch.from_numpy(present)[None],
            labels=labels[None],
            second=None if second is None else torch.from_numpy(second)[None],
            whole=self._whole(volume, cut.box) if self._sampling.whole_beside_crop else None,
            targets=self._targets(case, mixed),
        )

    def _drawn(self, generator: np.random.Generator) -> StoredCase:
        return self._patients.cases[int(generator.choice(len(self._shares), p=self._shares))]

    def _mixed(
        self, case: StoredCase, generator: np.random.Generator
    ) -> tuple["_Volume", MixedIn | None]:
        """A patient, at times with part of another one's tumour."""
        volume = self._volume(case, generator)
        targets, probability = self._patients.targets, self._sampling.cutmix_probability
        if targets is None or generator.random() >= probability:
            return volume, None
        donor = self._drawn(generator)
        if donor.case == case.case or (case.present & ~donor.present).any():
            return volume, None
        mixed = tumour_cutmix(volume, self._volume(donor, generator), generator)
        if mixed is None:
            return volume, None
        return _Volume(mixed.images, mixed.labels), MixedIn(targets[donor.case], mixed.share)

    def _volume(self, case: StoredCase, generator: np.random.Generator) -> "_Volume":
        """A patient whose coils drift and whose tumour fades at times."""
        changes = self._changes
        images = case.normalised(self._drifts(case, generator))
        if generator.random() < changes.fade_probability:
            shares = generator.uniform(changes.fade_least, 1.0, len(images))
            images = faded(images, case.labels, shares)
        labels = case.labels
        if self._sampling.whole_beside_crop and generator.random() < changes.flip_probability:
            images, labels = (
                np.ascontiguousarray(images[..., ::-1]),
                np.ascontiguousarray(labels[..., ::-1]),
            )
        return _Volume(images, labels)

    def _drifts(
        self, case: StoredCase, generator: np.random.Generator
    ) -> list[NDArray[np.float32]]:
        if generator.random() >= self._changes.drift_probability:
            return []
        log_sd = self._changes.drift_log_sd * generator.random(len(case.images))
        return [random_drift(case.labels.shape, sd, generator) for sd in log_sd]

    def _cut(self, volume: "_Volume", generator: np.random.Generator) -> "_Cut":
        """The sample's field of view, padded to a multiple of the stride."""
        images, labels = volume
        crop = self._sampling.crop
        if crop is None:
            multiple = self._sampling.multiple
            everything = tuple(slice(0, length) for length in labels.shape)
            padded = [pad_to_multiple(part, multiple) for part in (images, labels)]
            return _Cut(padded[0], padded[1], everything)
        centre = self._centre(volume, generator)
        box, padding = [], []
        for axis, size in enumerate(crop):
            length = labels.shape[axis]
            start = int(np.clip(centre[axis] - size // 2, 0, max(length - size, 0)))
            box.append(slice(start, start + size))
            padding.append((0, max(size - length, 0)))
        cut = np.pad(images[(slice(None), *box)], [(0, 0), *padding])
        return _Cut(cut, np.pad(labels[tuple(box)], padding), tuple(box))

    def _centre(self, volume: "_Volume", generator: np.random.Generator) -> NDArray[np.int_]:
        inside = volume.labels > 0
        if not inside.any() or generator.random() >= self._sampling.tumour_centred:
            inside = np.asarray(volume.images.any(axis=0))
        voxels = np.flatnonzero(inside)
        chosen = int(voxels[generator.integers(voxels.size)])
        return np.array(np.unravel_index(chosen, inside.shape))

    def _whole(self, volume: "_Volume", box: tuple[slice, ...]) -> Whole:
        """The whole brain at half the resolution or less; its intensities are not augmented."""
        multiple, shape = self._sampling.multiple, volume.labels.shape
        size = [multiple * math.ceil(length / (2 * multiple)) for length in shape]
        images = torch.from_numpy(volume.images)[None]
        labels = torch.from_numpy(volume.labels)[None, None].float()
        place = [
            (part.start / length, part.stop / length)
            for part, length in zip(box, shape, strict=True)
        ]
        return Whole(
            images=functional.interpolate(images, size=size, mode="area"),
            labels=functional.interpolate(labels, size=size)[:, 0].long(),
            place=torch.tensor(place)[None],
        )

    def _targets(self, case: StoredCase, mixed: MixedIn | None) -> Targets | None:
        if self._patients.targets is None:
            return None
        return Targets.of(case.patient, self._patients.targets[case.case], mixed)


class _Volume(NamedTuple):
    """A patient's brain as a network reads it."""

    images: NDArray[np.float32]
    """(4, z, y, x) normalised; 0 outside the brain."""
    labels: NDArray[np.uint8]
    """(z, y, x)"""


class _Cut(NamedTuple):
    """A part of it, and where that lies."""

    images: NDArray[np.float32]
    labels: NDArray[np.uint8]
    box: tuple[slice, ...]
