"""The brain mask network: a small 3-D U-Net for any contrast."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor, nn

DEFAULT_CHANNELS = (32, 64, 96)


class BrainMaskNet(nn.Module):
    """U-Net with additive skips that works at half resolution, .74 M parameters by default.

    A strided stem and a transposed head stand for the full-resolution stage: that stage would
    cost more than all others together, and a mask's surface is smooth at twice the voxel size.
    """

    def __init__(self, channels: tuple[int, ...] = DEFAULT_CHANNELS) -> None:
        super().__init__()
        self.channels = channels
        pairs = list(pairwise(channels))
        self.stem = _block(1, channels[0], kernel=6, stride=2)
        self.encoders = nn.ModuleList(
            nn.Sequential(_block(fine, coarse, stride=2), _block(coarse, coarse))
            for fine, coarse in pairs
        )
        self.reducers = nn.ModuleList(nn.Conv3d(coarse, fine, 1) for fine, coarse in pairs)
        self.decoders = nn.ModuleList(_block(fine, fine) for fine, _ in pairs)
        self.head = nn.ConvTranspose3d(channels[0], 1, 2, stride=2)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "BrainMaskNet":
        """Builds the network that a model pack's `network` section describes.

        Raises:
            ValueError: the section describes another network.
        """
        if settings.get("class") != cls.__name__:
            raise ValueError(f"not a {cls.__name__}: {settings.get('class')!r}")
        return cls(tuple(int(width) for width in settings["channels"]))

    def settings(self) -> dict[str, Any]:
        """What `from_settings` needs to build this network again."""
        return {"class": type(self).__name__, "channels": list(self.channels)}

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
