"""What a network learns from in one step: images, labels and what is known of the patients."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional

from gliomaai_training.data.targets import PatientTargets
from gliomaai_training.losses.partial_labels import PartialLabels


@dataclass(frozen=True, eq=False)
class MixedIn:
    """A patient whose tumour Tumor-CutMix set into another's."""

    targets: PatientTargets
    share: float
    """Of the whole tumour, how much is the host's."""


@dataclass(frozen=True, eq=False)
class Targets:
    """What is known of B patients."""

    patients: tuple[str, ...]
    labels: Mapping[str, PartialLabels]
    """For each of `targets.CLASSES`."""
    pseudo: Mapping[str, Tensor]
    """By task (B,) boolean: whether the labels are another network's word."""
    months: Tensor
    """(B,) to death or last contact; NaN where unknown."""
    event: Tensor
    """(B,) boolean."""

    @classmethod
    def of(cls, patient: str, targets: PatientTargets, mixed: MixedIn | None = None) -> Self:
        """One patient's.

        Args:
            patient: who it is.
            targets: what is known.
            mixed: who was mixed in, if anybody; a mixed tumour has no survival.
        """
        second, share = (mixed.targets, mixed.share) if mixed else (targets, 1.0)
        labels = {
            task: PartialLabels(
                first=torch.from_numpy(possible)[None],
                second=torch.from_numpy(second.possible[task])[None],
                share=torch.tensor([share]),
            )
            for task, possible in targets.possible.items()
        }
        said = targets.pseudo | second.pseudo if mixed else targets.pseudo
        return cls(
            patients=(patient,),
            labels=labels,
            pseudo={task: torch.tensor([task in said]) for task in labels},
            months=torch.tensor([float("nan") if mixed else targets.months]),
            event=torch.tensor([targets.event and mixed is None]),
        )

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The patients of several."""
        return cls(
            patients=tuple(name for one in parts for name in one.patients),
            labels={
                task: PartialLabels.joined([one.labels[task] for one in parts])
                for task in parts[0].labels
            },
            pseudo={
                task: torch.cat([one.pseudo[task] for one in parts]) for task in parts[0].pseudo
            },
            months=torch.cat([one.months for one in parts]),
            event=torch.cat([one.event for one in parts]),
        )

    def believed(self, share: float) -> Self:
        """With another network's word counting so much, where the truth counts 1."""
        labels = {
            task: replace(one, weight=torch.where(self.pseudo[task], share, 1.0))
            for task, one in self.labels.items()
        }
        return replace(self, labels=labels)

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return replace(
            self,
            labels={task: one.to(device) for task, one in self.labels.items()},
            pseudo={task: one.to(device) for task, one in self.pseudo.items()},
            months=self.months.to(device),
            event=self.event.to(device),
        )


@dataclass(frozen=True, eq=False)
class Whole:
    """The whole brains at low resolution, of which the images show a crop."""

    images: Tensor
    """(B, 4, z, y, x)"""
    labels: Tensor
    """(B, z, y, x) int64."""
    place: Tensor
    """(B, 3, 2): see `networks.global_branch.place_grid`."""

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return type(self)(*(one.to(device) for one in (self.images, self.labels, self.place)))


@dataclass(frozen=True, eq=False)
class Sample:
    """B patients (from the dataset, one)."""

    images: Tensor
    """(B, 4, Z, Y, X) float32; what sequences hold that are not present does not matter."""
    present: Tensor
    """(B, 4) bool."""
    labels: Tensor
    """(B, Z, Y, X) int64."""
    second: Tensor | None = None
    """(B, 4) bool, another subset of the sequences, where a stage compares two."""
    whole: Whole | None = None
    """None where the images show everything."""
    targets: Targets | None = None
    """None where segmentation is all that is learned."""

    def to(self, device: torch.device) -> Self:
        """The same on a device, images channels-last."""
        return type(self)(
            images=self.images.to(device, memory_format=torch.channels_last_3d),
            present=self.present.to(device),
            labels=self.labels.to(device),
            second=None if self.second is None else self.second.to(device),
            whole=None if self.whole is None else self.whole.to(device),
            targets=None if self.targets is None else self.targets.to(device),
        )


def collate(samples: Sequence[Sample]) -> Sample:
    """Joins samples into a batch, zero-padding each to the largest."""
    wholes = [one.whole for one in samples if one.whole is not None]
    targets = [one.targets for one in samples if one.targets is not None]
    seconds = [one.second for one in samples if one.second is not None]
    return Sample(
        images=_stacked([one.images for one in samples]),
        present=torch.cat([one.present for one in samples]),
        labels=_stacked([one.labels for one in samples]),
        second=torch.cat(seconds) if seconds else None,
        whole=_joined_wholes(wholes) if wholes else None,
        targets=Targets.joined(targets) if targets else None,
    )


def _joined_wholes(wholes: Sequence[Whole]) -> Whole:
    """Padding a whole moves its far edge away: a crop's place in it shrinks by as much."""
    images = _stacked([one.images for one in wholes])
    places = []
    for one in wholes:
        sizes = zip(one.images.shape[2:], images.shape[2:], strict=True)
        kept = torch.tensor([before / after for before, after in sizes])
        places.append(one.place * kept[None, :, None])
    return Whole(images, _stacked([one.labels for one in wholes]), torch.cat(places))


def _stacked(tensors: Sequence[Tensor]) -> Tensor:
    shapes = [tensor.shape[-3:] for tensor in tensors]
    largest = [max(sizes) for sizes in zip(*shapes, strict=True)]
    return torch.cat([_padded(tensor, largest) for tensor in tensors])


def _padded(tensor: Tensor, largest: Sequence[int]) -> Tensor:
    padding: list[int] = []
    for size, target in zip(reversed(tensor.shape[-3:]), reversed(largest), strict=True):
        padding += [0, target - size]
    return functional.pad(tensor, padding)
