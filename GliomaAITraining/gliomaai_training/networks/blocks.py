"""Parts that networks are built from; all take and give tensors (batch, channel, z, y, x)."""

import torch
from torch import Tensor, nn
from torch.nn import functional


def space_to_depth(x: Tensor) -> Tensor:
    """Folds every 2x2x2 cube of voxels into channels: (B, C, Z, Y, X) to (B, 8C, Z/2, Y/2, X/2)."""
    b, c, z, y, w = x.shape
    x = x.reshape(b, c, z // 2, 2, y // 2, 2, w // 2, 2)
    # Written channels-last, which is how the convolutions want it: no second copy.
    x = x.permute(0, 2, 4, 6, 1, 3, 5, 7).reshape(b, z // 2, y // 2, w // 2, 8 * c)
    return x.permute(0, 4, 1, 2, 3)


def depth_to_space(x: Tensor) -> Tensor:
    """The inverse of `space_to_depth`: (B, 8C, Z, Y, X) to (B, C, 2Z, 2Y, 2X)."""
    b, c, z, y, w = x.shape
    x = x.reshape(b, c // 8, 2, 2, 2, z, y, w)
    return x.permute(0, 1, 5, 2, 6, 3, 7, 4).reshape(b, c // 8, 2 * z, 2 * y, 2 * w)


def norm(width: int, group_width: int = 4) -> nn.GroupNorm:
    """Group normalisation: on the CPU it keeps channels-last memory, instance norm does not."""
    return nn.GroupNorm(max(1, width // group_width), width)


class ConvBlock(nn.Sequential):
    """3x3x3 convolution, group normalisation, leaky ReLU."""

    def __init__(self, width_in: int, width_out: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv3d(width_in, width_out, 3, stride, 1, bias=False),
            norm(width_out),
            nn.LeakyReLU(0.1, inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two pre-activated 3x3x3 convolutions beside the identity (He 2016, Myronenko 2018)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(width), norm(width)
        self.conv1 = nn.Conv3d(width, width, 3, padding=1, bias=False)
        self.conv2 = nn.Conv3d(width, width, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv1(functional.leaky_relu(self.norm1(x), 0.1, inplace=True))
        y = self.conv2(functional.leaky_relu(self.norm2(y), 0.1, inplace=True))
        return x + y


class TransformerBlock(nn.Module):
    """A pre-norm Transformer layer over all voxels of a coarse feature map.

    A depthwise convolution gives each token its place (conditional positional encoding, Chu 2021),
    so that the layer takes feature maps of any size.
    """

    def __init__(self, width: int, heads: int, mlp_ratio: float = 2.0) -> None:
        super().__init__()
        self.heads = heads
        self.position = nn.Conv3d(width, width, 3, padding=1, groups=width)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query_key_value = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        hidden = int(width * mlp_ratio)
        self.mlp = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))

    def forward(self, x: Tensor) -> Tensor:
        placed: Tensor = x + self.position(x)
        tokens: Tensor = placed.flatten(2).transpose(1, 2)
        tokens = tokens + self._attend(self.norm1(tokens))
        tokens = tokens + self.mlp(self.norm2(tokens))
        return tokens.transpose(1, 2).reshape(x.shape)

    def _attend(self, tokens: Tensor) -> Tensor:
        b, n, c = tokens.shape
        parts = self.query_key_value(tokens).reshape(b, n, 3, self.heads, c // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        attended = functional.scaled_dot_product_attention(query, key, value)
        result: Tensor = self.project(attended.transpose(1, 2).reshape(b, n, c))
        return result


class SequenceFusion(nn.Module):
    """Weighted mean over the sequences that are present, with one learned weight for each channel.

    The weights of the present sequences sum to 1 in every channel, so that features keep their
    scale whatever is missing; an absent sequence has weight 0.
    """

    def __init__(self, sequences: int, width: int) -> None:
        super().__init__()
        self.preference = nn.Parameter(torch.zeros(sequences, width))

    def forward(self, features: list[Tensor], present: Tensor) -> Tensor:
        """Fuses a (B, C, Z, Y, X) tensor for each sequence; `present` is boolean (B, sequences)."""
        preference = self.preference.unsqueeze(0).masked_fill(~present.unsqueeze(2), -1e4)
        weights = torch.softmax(preference, dim=1)[..., None, None, None]
        fused = features[0] * weights[:, 0]
        for index in range(1, len(features)):
            fused = fused + features[index] * weights[:, index]
        return fused
