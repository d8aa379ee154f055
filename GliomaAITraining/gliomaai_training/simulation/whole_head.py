"""Skull, scalp and face around a rendered brain, from the model that trains the brain mask."""

import torch
from torch import Tensor

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.simulation.anatomy import Frame
from gliomaai_training.simulation.config import SimulationConfig, stream
from gliomaai_training.simulation.fields import noise, resize, smooth
from gliomaai_training.simulation.head import HeadConfig, draw_head
from gliomaai_training.simulation.head_canvas import HeadTissue
from gliomaai_training.simulation.head_contrast import TYPICAL_INTENSITY
from gliomaai_training.simulation.render import Scene
from gliomaai_training.vocabulary import SEQUENCES

_HEAD_MM = 2.0
"""Spacing at which the head is painted; its signal is then interpolated."""
_ATLAS_ORIGIN_RAS_MM = (98.0, 98.0, -72.0)
"""RAS mm (x, y, z) of the atlas's first voxel in LPS order."""


def surround(
    seed: int, images: dict[str, Tensor], scene: Scene, frame: Frame, config: SimulationConfig
) -> dict[str, Tensor]:
    """The images (z, y, x) on the whole head's grid, brain included; white matter is 1."""
    grid = config.grid
    labels = _labels(seed, frame, grid)
    hull = _placed(scene.tissues.brain, frame, grid)
    shape = grid.size[::-1]
    rng = stream(seed, "head-signal")
    rough = (
        1 + 0.10 * noise(tuple(labels.shape), 1.5, rng) + 0.06 * noise(tuple(labels.shape), 5, rng)
    )
    fat_suppressed = rng.random() < 0.3
    heads = {}
    for column, name in enumerate(SEQUENCES):
        table = _signals(column, rng.normal(0, 0.04, len(HeadTissue)).tolist())
        if fat_suppressed and name != "t1":
            table[HeadTissue.FAT] = table[HeadTissue.ORBIT_FAT] = 0.25
        coarse = smooth((table[labels.long()] * rough).clamp_min(0), 0.4)
        around = resize(coarse, shape) * (1 - hull)
        heads[name] = around + _placed(images[name], frame, grid)
    return heads


def _labels(seed: int, frame: Frame, grid: Grid) -> Tensor:
    """Head tissues (z, y, x) on a coarser grid that spans the same box."""
    factor = max(1.0, _HEAD_MM / grid.spacing_mm[0])
    size = tuple(round((n - 1) / factor) + 1 for n in grid.size)
    # One spacing for all axes: the last voxels may lie off by less than one.
    coarse = Grid(
        (size[0], size[1], size[2]),
        (grid.spacing_mm[0] * factor,) * 3,
        grid.origin_mm,
        grid.direction,
    )
    z, y, x = frame.atlas_positions(coarse)
    right, front, bottom = _ATLAS_ORIGIN_RAS_MM
    ras = torch.stack([right - x, front - y, z + bottom]).permute(0, 3, 2, 1).contiguous()
    generator = torch.Generator().manual_seed(int(stream(seed, "head").integers(2**62)))
    head = draw_head(ras, generator, HeadConfig(lesions=False, blobs=False))
    return head.labels.permute(2, 1, 0).contiguous()


def _signals(column: int, jitter: list[float]) -> Tensor:
    """Signal of each head tissue on one sequence, white matter being 1."""
    table = torch.zeros(len(HeadTissue))
    white = TYPICAL_INTENSITY[HeadTissue.WHITE_MATTER][column]
    for tissue, typical in TYPICAL_INTENSITY.items():
        table[tissue] = max(0.0, typical[column] / white * (1 + jitter[tissue]))
    return table


def _placed(box: Tensor, frame: Frame, grid: Grid) -> Tensor:
    whole = torch.zeros(grid.size[::-1])
    corner = [
        round((b - g) / grid.spacing_mm[0])
        for b, g in zip(frame.grid.origin_mm[::-1], grid.origin_mm[::-1], strict=True)
    ]
    window = tuple(slice(c, c + n) for c, n in zip(corner, box.shape, strict=True))
    whole[window] = box
    return whole
