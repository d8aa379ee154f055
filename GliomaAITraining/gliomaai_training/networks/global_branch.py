"""The whole brain at low resolution beside a crop of it, merged by channel attention (GMMAS)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

PLACE_CHANNELS = 3
"""Coordinates of a voxel in the whole field of view."""


def place_grid(place: Tensor, size: tuple[int, int, int]) -> Tensor:
    """Where the voxels of a crop lie in the whole.

    Args:
        place: (B, 3, 2), where the crop begins and ends along z, y and x, as shares of the whole.
        size: voxels of the crop, or of features of it.

    Returns:
        (B, z, y, x, 3) centres of the voxels as `grid_sample` wants them: x, y, z, each from -1
        at the whole's first edge to 1 at its last.
    """
    begin, end = place[..., 0], place[..., 1]
    axes = []
    for axis, count in enumerate(size):
        centres = (torch.arange(count, device=place.device, dtype=place.dtype) + 0.5) / count
        span = end[:, axis] - begin[:, axis]
        axes.append(2 * (begin[:, axis, None] + span[:, None] * centres) - 1)
    z, y, x = axes
    b = len(place)
    whole = (b, *size)
    return torch.stack(
        [
            x[:, None, None, :].expand(whole),
            y[:, None, :, None].expand(whole),
            z[:, :, None, None].expand(whole),
        ],
        -1,
    )


class GlobalFusion(nn.Module):
    """Adds to a crop's features what the whole brain's say of the same place.

    The published fusion (c = both, a = sigmoid(W [g(mean c), g(max c)]), out = V(a c) + local) puts
    the two maps on each other as if they showed the same place. Here the whole's are sampled where
    the crop lies, and the voxels' place goes in as three more channels.
    """

    def __init__(self, width: int, reduction: int = 8) -> None:
        super().__init__()
        both = 2 * width + PLACE_CHANNELS
        self.squeeze = nn.Sequential(
            nn.Linear(both, max(4, both // reduction), bias=False),
            nn.ReLU(inplace=True),
            nn.Linear(max(4, both // reduction), both, bias=False),
        )
        self.attend = nn.Linear(2 * both, both)
        self.project = nn.Conv3d(both, width, 1)

    def forward(self, local: Tensor, whole: Tensor, place: Tensor) -> Tensor:
        """Merges features of a crop (B, C, z, y, x) and of the whole (B, C, ...); see `place_grid`.

        Returns:
            Features like `local`.
        """
        z, y, x = local.shape[2:]
        grid = place_grid(place.to(local.dtype), (z, y, x))
        there = functional.grid_sample(whole, grid, padding_mode="border", align_corners=False)
        both = torch.cat([local, there, grid.movedim(-1, 1)], 1)
        mean, largest = both.mean((2, 3, 4)), both.amax((2, 3, 4))
        attention = torch.sigmoid(
            self.attend(torch.cat([self.squeeze(mean), self.squeeze(largest)], 1))
        )
        merged: Tensor = self.project(both * attention[..., None, None, None])
        return local + merged
