"""The segmentation network: a branch for each sequence, CNN stages, a Transformer, a U-decoder."""

from collections.abc import Callable
from typing import Self

import torch
from pydantic import BaseModel, ConfigDict, model_validator
from torch import Tensor, nn
from torch.nn import functional

from gliomaai_training.networks.blocks import (
    ConvBlock,
    ResidualBlock,
    SequenceFusion,
    TransformerBlock,
    depth_to_space,
    space_to_depth,
)
from gliomaai_training.vocabulary import SEQUENCES, Label

Merge = Callable[[int, Tensor], Tensor]
"""Merges something into the features of a decoder stage, given its number, the coarsest being 0."""


class SegmentationNetworkConfig(BaseModel):
    """Size of the network; the default suits a CPU."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    branch_width: int = 16
    """Channels of each sequence's own branch."""
    widths: tuple[int, ...] = (32, 64, 128, 192)
    """Channels at strides 2, 4, 8, 16 ...; nothing is computed at full resolution."""
    encoder_blocks: tuple[int, ...] = (0, 1, 2, 2)
    """Residual blocks at each stride."""
    decoder_blocks: tuple[int, ...] = (0, 1, 1)
    """Residual blocks at each stride but the coarsest, after that stride's convolution."""
    transformer_layers: int = 2
    transformer_heads: int = 8

    @model_validator(mode="after")
    def _check(self) -> Self:
        levels = len(self.widths)
        if levels < 3:
            raise ValueError(f"widths {self.widths}: at least three strides are needed")
        if len(self.encoder_blocks) != levels or len(self.decoder_blocks) != levels - 1:
            raise ValueError(
                f"{levels} widths need {levels} encoder_blocks and {levels - 1} decoder_blocks, "
                f"not {self.encoder_blocks} and {self.decoder_blocks}"
            )
        return self


class SequenceBranch(nn.Sequential):
    """The non-linear features of one sequence at half resolution."""

    def __init__(self, branch_width: int, width: int) -> None:
        super().__init__(ConvBlock(8, branch_width), nn.Conv3d(branch_width, width, 1))


class Encoder(nn.Module):
    """Features at strides 2, 4, 8 ..., the coarsest after the Transformer."""

    def __init__(self, config: SegmentationNetworkConfig) -> None:
        super().__init__()
        widths = config.widths
        self.branches = nn.ModuleList(
            SequenceBranch(config.branch_width, widths[0]) for _ in SEQUENCES
        )
        self.fusion = SequenceFusion(len(SEQUENCES), widths[0])
        self.stages = nn.ModuleList()
        for level, (width, blocks) in enumerate(zip(widths, config.encoder_blocks, strict=True)):
            parts: list[nn.Module] = [ResidualBlock(width) for _ in range(blocks)]
            if level:
                parts.insert(0, ConvBlock(widths[level - 1], width, stride=2))
            self.stages.append(nn.Sequential(*parts))
        self.transformer = nn.Sequential(
            *[
                TransformerBlock(widths[-1], config.transformer_heads)
                for _ in range(config.transformer_layers)
            ]
        )

    def forward(self, images: Tensor, present: Tensor) -> list[Tensor]:
        branches = [
            branch(space_to_depth(images[:, index : index + 1]))
            for index, branch in enumerate(self.branches)
        ]
        x = functional.leaky_relu(self.fusion(branches, present), 0.1)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        features[-1] = self.transformer(features[-1])
        return features


class DecoderStage(nn.Module):
    """Doubles the resolution and adds the encoder's features of that stride."""

    def __init__(self, width_in: int, width_out: int, blocks: int) -> None:
        super().__init__()
        self.reduce = nn.Conv3d(width_in, width_out, 1)
        self.conv = ConvBlock(width_out, width_out)
        self.blocks = nn.Sequential(*[ResidualBlock(width_out) for _ in range(blocks)])

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = functional.interpolate(self.reduce(x), scale_factor=2.0, mode="nearest")
        y: Tensor = self.blocks(self.conv(x + skip))
        return y


class SegmentationNetwork(nn.Module):
    """Label logits for a brain crop of any size that is a multiple of `stride`.

    Nothing is computed at full resolution: voxels enter through space-to-depth and leave through
    depth-to-space, which is what makes one pass over a whole brain affordable on a CPU.
    """

    def __init__(self, config: SegmentationNetworkConfig) -> None:
        super().__init__()
        widths = config.widths
        self.stride = 2 ** len(widths)
        self.encoder = Encoder(config)
        self.decoder = nn.ModuleList(
            DecoderStage(widths[level + 1], widths[level], config.decoder_blocks[level])
            for level in reversed(range(len(widths) - 1))
        )
        self.head = nn.Conv3d(widths[0], 8 * len(Label), 1)
        self.coarse_head = nn.Conv3d(widths[1], len(Label), 1)

    def forward(self, images: Tensor, present: Tensor) -> Tensor:
        """Label logits.

        Args:
            images: normalised intensities (B, 4, Z, Y, X), in `vocabulary.SEQUENCES` order.
            present: boolean (B, 4); what an absent sequence holds does not matter.

        Returns:
            Logits (B, 4, Z, Y, X) by `vocabulary.Label`.
        """
        return self.logits(self.decode(self.encode(images, present)))

    def forward_deep(self, images: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, with the coarse logits at stride 4 before them, for deep supervision."""
        decoded = self.decode(self.encode(images, present))
        return self.coarse_logits(decoded), self.logits(decoded)

    def encode(self, images: Tensor, present: Tensor) -> list[Tensor]:
        """Features at strides 2, 4, 8 ..., arguments as in `forward`.

        Raises:
            ValueError: the images' size is no multiple of `stride`.
        """
        if not torch.jit.is_tracing() and any(n % self.stride for n in images.shape[2:]):
            raise ValueError(
                f"image size {tuple(images.shape[2:])} is no multiple of {self.stride}"
            )
        features: list[Tensor] = self.encoder(images, present)
        return features

    def decode(self, features: list[Tensor], merge: Merge | None = None) -> list[Tensor]:
        """Features of every decoder stage, the coarsest first.

        Args:
            features: of the encoder.
            merge: called with the number and the features of each stage, gives those to go on with.
        """
        x = features[-1]
        outputs = []
        for number, stage in enumerate(self.decoder):
            x = stage(x, features[-2 - number])
            if merge is not None:
                x = merge(number, x)
            outputs.append(x)
        return outputs

    def logits(self, decoded: list[Tensor]) -> Tensor:
        """Label logits (B, 4, Z, Y, X) from the decoder's features."""
        return depth_to_space(self.head(decoded[-1]))

    def coarse_logits(self, decoded: list[Tensor]) -> Tensor:
        """Label logits at stride 4 from the decoder's features, for deep supervision."""
        logits: Tensor = self.coarse_head(decoded[-2])
        return logits
