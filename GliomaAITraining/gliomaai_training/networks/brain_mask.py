"""The brain mask network: a small 3-D U-Net for any contrast."""

from itertools import pairwise

import torch.nn.functional as F  # noqa: N812 - the customary name
from pydantic import BaseModel, ConfigDict, PositiveInt
from torch import Tensor, nn


class BrainMaskNetworkConfig(BaseModel):
    """Size of the network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    channels: tuple[PositiveInt, ...] = (32, 64, 96)
    """At strides 2, 4, 8 ..."""


class BrainMaskNetwork(nn.Module):
    """U-Net with additive skips that works at half resolution, .74 M parameters by default.

    A strided stem and a transposed head stand for the full-resolution stage: that stage would
    cost more than all others together, and a mask's surface is smooth at twice the voxel size.
    """

    def __init__(self, config: BrainMaskNetworkConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.channels
        pairs = list(pairwise(channels))
        self.stem = _block(1, channels[0], kernel=6, stride=2)
        self.encoders = nn.ModuleList(
            nn.Sequential(_block(fine, coarse, stride=2), _block(coarse, coarse))
            for fine, coarse in pairs
        )
        self.reducers = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in pairs)
        self.decoders = nn.ModuleList(_block(fine, fine) for fine, _ in pairs)
        self.head = nn.ConvTranspose3d(channels[0], 1, 2, stride=2)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of the mask, shaped like the image: (batch, 1, X, Y, Z), sizes multiples of 8."""
        levels = [self.stem(image)]
        for encoder in self.encoders:
            levels.append(encoder(levels[-1]))
        features = levels.pop()
        steps = list(zip(self.reducers, self.decoders, levels, strict=True))
        for reducer, decoder, skip in reversed(steps):
            features = decoder(F.interpolate(reducer(features), scale_factor=2.0) + skip)
        logits: Tensor = self.head(features)
        return logits


def _block(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride, (kernel - 1) // 2),
        nn.InstanceNorm3d(outputs, affine=True),
        nn.LeakyReLU(0.1, inplace=True),
    )
