"""One network for segmentation, diagnosis and survival; each published system configures it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from torch import Tensor, nn
from torch.nn import functional

from gliomaai_training.diagnosis.states import LABELS
from gliomaai_training.networks.global_branch import GlobalFusion
from gliomaai_training.networks.pooling import POOLED_REGIONS, pooled, region_weights
from gliomaai_training.networks.segmentation import SegmentationNetwork, SegmentationNetworkConfig
from gliomaai_training.vocabulary import WHO_GRADES

Task = Literal["state", "idh", "codeletion_1p19q", "grade", "histology", "risk"]

TASK_OUTPUTS: Mapping[Task, int] = MappingProxyType(
    {
        "state": len(LABELS),
        "idh": 2,
        "codeletion_1p19q": 2,
        "grade": len(WHO_GRADES),
        "histology": 2,
        "risk": 1,
    }
)
"""Outputs of each task's head. `state` is the coherent diagnosis; `idh`, `codeletion_1p19q`,
`grade` and `histology` (lower-grade glioma or glioblastoma) are the published heads, each alone."""

SIZES: Mapping[str, SegmentationNetworkConfig] = MappingProxyType(
    {
        "small": SegmentationNetworkConfig(
            branch_width=8,
            widths=(16, 32, 64),
            encoder_blocks=(0, 1, 1),
            decoder_blocks=(0, 1),
            transformer_layers=1,
            transformer_heads=4,
        ),
        "medium": SegmentationNetworkConfig(),
        "large": SegmentationNetworkConfig(
            branch_width=32,
            widths=(64, 128, 256, 384),
            encoder_blocks=(1, 2, 2, 4),
            decoder_blocks=(1, 1, 2),
            transformer_layers=4,
        ),
    }
)
"""From a coarse simulated cohort on two CPU cores to a GPU; medium is the segmentation pack's."""


class MultiTaskNetworkConfig(BaseModel):
    """What the network has; none of it is code of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    segmentation: SegmentationNetworkConfig = SIZES["medium"]
    """The encoder and decoder; or the name of one of `SIZES`, or `size` with fields to change."""
    global_branch: bool = False
    tasks: tuple[Task, ...] = ()
    pooled_regions: tuple[str, ...] = POOLED_REGIONS
    """`brain` alone makes a network whose segmentation does not guide its other tasks."""
    hidden_width: int = Field(64, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)

    @field_validator("segmentation", mode="before")
    @classmethod
    def _sized(cls, value: object) -> object:
        fields = {"size": value} if isinstance(value, str) else value
        if not isinstance(fields, Mapping) or "size" not in fields:
            return value
        if fields["size"] not in SIZES:
            raise ValueError(f"sizes are {', '.join(SIZES)}, not {fields['size']!r}")
        changes = {name: given for name, given in fields.items() if name != "size"}
        return {**SIZES[str(fields["size"])].model_dump(), **changes}

    @model_validator(mode="after")
    def _check(self) -> Self:
        wrong = [region for region in self.pooled_regions if region not in POOLED_REGIONS]
        if wrong or not self.pooled_regions:
            raise ValueError(
                f"features are pooled over some of {', '.join(POOLED_REGIONS)}, "
                f"not {wrong or 'nothing'}"
            )
        if len(set(self.tasks)) != len(self.tasks):
            raise ValueError(f"a task is named twice in {self.tasks}")
        return self


@dataclass(frozen=True, eq=False)
class View:
    """What the network sees of B patients."""

    images: Tensor
    """(B, 4, Z, Y, X) a crop, or everything."""
    present: Tensor
    """(B, 4) boolean."""
    whole: Tensor | None = None
    """(B, 4, z, y, x) the whole brain at low resolution; None where `images` show all of it."""
    place: Tensor | None = None
    """(B, 3, 2) where the crop lies in the whole: see `global_branch.place_grid`."""

    def __post_init__(self) -> None:
        if (self.whole is None) != (self.place is None):
            raise ValueError("a whole brain needs the place of the crop in it, and a place a whole")


@dataclass(frozen=True, eq=False)
class MultiTaskOutput:
    """What the network makes of B patients."""

    logits: Tensor
    """(B, 4, Z, Y, X) by `vocabulary.Label`."""
    coarse_logits: Tensor
    """The same at stride 4."""
    whole_logits: Tensor | None
    """Of the global branch, on the grid of the whole; None without the branch."""
    tasks: Mapping[str, Tensor]
    """(B, outputs) of each head."""
    vector: Tensor
    """(B, P) what the heads read: deep features."""
    maps: tuple[Tensor, ...]
    """Feature maps that distillation compares: fused input, encoder's end, decoder's end."""


class MultiTaskNetwork(nn.Module):
    """Segmentation network whose features, pooled inside the tumour it draws, give the other tasks.

    The gradient of the tasks goes through the features, not through the mask that they are pooled
    with: a mask is judged by the truth alone. A mask corrected by hand can take its place.
    """

    def __init__(self, config: MultiTaskNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.local = SegmentationNetwork(config.segmentation)
        widths = config.segmentation.widths
        self.stride = self.local.stride
        self.whole: SegmentationNetwork | None = None
        if config.global_branch:
            without = config.segmentation.model_copy(update={"transformer_layers": 0})
            self.whole = SegmentationNetwork(without)
            # Not at the finest stride, where the whole's features are coarser than the crop's.
            fused = [widths[-1], *reversed(widths[1:-1])]
            self.fusions = nn.ModuleList(GlobalFusion(width) for width in fused)
        self.vector_width = 2 * len(config.pooled_regions) * (widths[-1] + widths[-2])
        self.heads = nn.ModuleDict({task: self._head(TASK_OUTPUTS[task]) for task in config.tasks})

    def forward(self, view: View, mask: Tensor | None = None) -> MultiTaskOutput:
        """Everything at once.

        Args:
            view: the patients.
            mask: label probabilities (B, 4, Z, Y, X) to pool with, for example those of a corrected
                mask; None for the network's own.

        Raises:
            ValueError: a size that is no multiple of `stride`.
        """
        passed = self._passed(view)
        logits = self.local.logits(passed.decoded)
        used = torch.softmax(logits.detach().float(), 1) if mask is None else mask
        tasks, vector = self.read(passed.pooled, used.to(logits.dtype))
        return MultiTaskOutput(
            logits=logits,
            coarse_logits=self.local.coarse_logits(passed.decoded),
            whole_logits=None
            if self.whole is None or passed.whole is None
            else self.whole.logits(passed.whole),
            tasks=tasks,
            vector=vector,
            maps=(passed.fused, passed.pooled[0], passed.decoded[-1]),
        )

    def segment(self, view: View) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Label logits as in `forward`, and the feature maps that `read` takes, the coarsest first;
        what only training needs is not computed."""
        passed = self._passed(view)
        return self.local.logits(passed.decoded), passed.pooled

    def read(
        self, pooled_maps: tuple[Tensor, Tensor], mask: Tensor
    ) -> tuple[Mapping[str, Tensor], Tensor]:
        """The tasks' outputs and the vector that the heads read; see `MultiTaskOutput`.

        Args:
            pooled_maps: of `segment`.
            mask: label probabilities (B, 4, Z, Y, X) to pool with.
        """
        weights = region_weights(mask, self.config.pooled_regions)
        vector = torch.cat([pooled(part, weights) for part in pooled_maps], 1)
        return {task: head(vector) for task, head in self.heads.items()}, vector

    def pooled_maps(self, view: View) -> tuple[Tensor, Tensor]:
        """The feature maps that `read` takes, the coarsest first, without drawing a mask."""
        features, _ = self._encoded(view)
        return features[-1], features[-2]

    def _passed(self, view: View) -> "_Passed":
        features, surroundings = self._encoded(view)
        merge, decoded_whole = None, None
        if self.whole is not None and surroundings is not None:
            whole_features, place = surroundings
            decoded_whole = self.whole.decode(whole_features)
            merge = _Merge(self.fusions[1:], decoded_whole, place)
        decoded = self.local.decode(features, merge)
        return _Passed(features[0], (features[-1], features[-2]), decoded, decoded_whole)

    def _encoded(self, view: View) -> tuple[list[Tensor], tuple[list[Tensor], Tensor] | None]:
        """The encoder's features, and the global branch's with the place of the images."""
        features = self.local.encode(view.images, view.present)
        if self.whole is None:
            return features, None
        image, place = self._whole(view)
        whole_features = self.whole.encode(image, view.present)
        features[-1] = self.fusions[0](features[-1], whole_features[-1], place)
        return features, (whole_features, place)

    def _whole(self, view: View) -> tuple[Tensor, Tensor]:
        """The whole brain at low resolution, and where in it the images lie."""
        if view.whole is not None and view.place is not None:
            return view.whole, view.place
        everything = torch.tensor([0.0, 1.0], device=view.images.device)
        return self.shrunk(view.images), everything.expand(len(view.images), 3, 2)

    def shrunk(self, images: Tensor) -> Tensor:
        """The whole brain (B, 4, Z, Y, X) at half its resolution, as the global branch reads it."""
        size = [self.stride * math.ceil(n / (2 * self.stride)) for n in images.shape[2:]]
        return functional.interpolate(images, size=size, mode="area")

    def _head(self, outputs: int) -> nn.Sequential:
        """A shift of all risks changes nothing, so that the risk has no bias."""
        hidden = self.config.hidden_width
        return nn.Sequential(
            nn.LayerNorm(self.vector_width),
            nn.Dropout(self.config.dropout),
            nn.Linear(self.vector_width, hidden),
            nn.GELU(),
            nn.Dropout(self.config.dropout),
            nn.Linear(hidden, outputs, bias=outputs > 1),
        )


@dataclass(frozen=True, eq=False)
class _Passed:
    """Features of one pass."""

    fused: Tensor
    pooled: tuple[Tensor, Tensor]
    """What the heads pool, the coarsest first."""
    decoded: list[Tensor]
    whole: list[Tensor] | None
    """Of the global branch's decoder."""


class _Merge:
    """Merges the global branch into the decoder's stages."""

    def __init__(self, fusions: nn.ModuleList, whole: list[Tensor], place: Tensor) -> None:
        self._fusions, self._whole, self._place = fusions, whole, place

    def __call__(self, number: int, local: Tensor) -> Tensor:
        if number >= len(self._fusions):
            return local
        merged: Tensor = self._fusions[number](local, self._whole[number], self._place)
        return merged
