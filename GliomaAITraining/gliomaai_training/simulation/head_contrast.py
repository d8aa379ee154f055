"""Random MR contrast for a head's tissues: from the four sequences' looks to no look at all."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gliomaai_training.simulation.head_canvas import Draw
from gliomaai_training.simulation.head_canvas import HeadTissue as T

TYPICAL_INTENSITY = {
    T.WHITE_MATTER: (0.70, 0.60, 0.35, 0.50),
    T.GREY_MATTER: (0.50, 0.48, 0.50, 0.62),
    T.INNER_CSF: (0.20, 0.18, 1.00, 0.12),
    T.OUTER_CSF: (0.20, 0.20, 1.00, 0.15),
    T.DURA: (0.35, 0.80, 0.20, 0.35),
    T.VEIN: (0.35, 1.00, 0.10, 0.20),
    T.COMPACT_BONE: (0.08, 0.08, 0.05, 0.05),
    T.DIPLOE: (0.65, 0.70, 0.50, 0.40),
    T.FAT: (1.00, 1.00, 0.75, 0.65),
    T.SKIN: (0.50, 0.60, 0.40, 0.50),
    T.MUSCLE: (0.42, 0.50, 0.20, 0.30),
    T.EYE: (0.20, 0.20, 1.00, 0.15),
    T.ORBIT_FAT: (1.00, 1.00, 0.75, 0.65),
    T.OPTIC_NERVE: (0.50, 0.50, 0.35, 0.50),
    T.SINUS_AIR: (0.02, 0.02, 0.02, 0.02),
    T.MUCOSA: (0.40, 0.90, 0.90, 0.80),
    T.GLAND: (0.50, 0.70, 0.50, 0.50),
    T.CORD: (0.60, 0.50, 0.35, 0.50),
    T.DISC: (0.40, 0.40, 0.40, 0.30),
    T.TUMOUR: (0.40, 0.30, 0.80, 0.80),
    T.TUMOUR_RIM: (0.45, 1.00, 0.60, 0.80),
    T.OEDEMA: (0.42, 0.40, 0.80, 1.00),
    T.CAVITY: (0.20, 0.20, 1.00, 0.20),
    T.SPINAL_CANAL: (0.20, 0.20, 0.95, 0.15),
}
"""Relative signal on T1, T1Gd, T2 and FLAIR, by the author's eye from textbook contrasts."""

ROUGH_TISSUES = (T.MUSCLE, T.FAT, T.MUCOSA, T.GLAND, T.DIPLOE, T.BLOB_1, T.BLOB_2)
SEQUENCE_SHARE = 0.7
"""How many heads look like one of the four sequences; the others have any contrast."""


@dataclass(frozen=True)
class Contrast:
    """Mean signal and its spread for every tissue, shape (28,) each."""

    mean: Tensor
    spread: Tensor


def draw_contrast(draw: Draw) -> Contrast:
    """A sequence's contrast with noise, or a random one that keeps fluids and air alike."""
    mean = torch.rand(len(T), generator=draw.generator)
    if draw.chance(SEQUENCE_SHARE):
        _like_a_sequence(mean, draw)
    else:
        _anything(mean, draw)
    mean[T.AIR] = 0.0 if draw.chance(0.4) else abs(draw.normal()) * 0.04
    spread = torch.rand(len(T), generator=draw.generator) * 0.06 * draw.uniform(0.3, 1)
    spread[list(ROUGH_TISSUES)] += draw.uniform(0, 0.1)
    spread[T.AIR] = draw.uniform(0, 0.02)
    return Contrast(mean.clamp(0, 1.3), spread)


def _like_a_sequence(mean: Tensor, draw: Draw) -> None:
    column = draw.integer(0, 3)
    for tissue, typical in TYPICAL_INTENSITY.items():
        mean[tissue] = typical[column] + draw.normal() * 0.08
    if draw.chance(0.3):  # fat suppression
        mean[[T.FAT, T.ORBIT_FAT]] = draw.uniform(0.05, 0.4)


def _anything(mean: Tensor, draw: Draw) -> None:
    alike = (
        (T.OUTER_CSF, T.INNER_CSF),
        (T.SPINAL_CANAL, T.OUTER_CSF),
        (T.CORD, T.WHITE_MATTER),
    )
    for tissue, model in alike:
        if draw.chance(0.5):
            mean[tissue] = mean[model] + draw.normal() * 0.02
    if draw.chance(0.7):
        mean[T.SINUS_AIR], mean[T.COMPACT_BONE] = draw.uniform(0, 0.1), draw.uniform(0, 0.2)


def paint_signal(labels: Tensor, contrast: Contrast, draw: Draw) -> Tensor:
    """Signal of every voxel: the tissue's mean, with texture both smooth and fine."""
    indices = labels.long()
    shape = tuple(labels.shape)
    texture = 0.6 * draw.smooth(shape, draw.uniform(2, 6))[0] + 0.8 * draw.normals(*shape)
    return (contrast.mean[indices] + contrast.spread[indices] * texture).clamp_min(0)


def with_receive_field(signal: Tensor, draw: Draw) -> Tensor:
    """Bias field; in some heads a surface coil that is bright at the rim."""
    shape = tuple(signal.shape)
    signal = signal * torch.exp(draw.smooth(shape, max(shape) / 4)[0] * draw.uniform(0, 0.3))
    if draw.chance(0.3):
        axes = [(torch.linspace(-1, 1, n) * 1.3) ** 2 for n in shape]
        radius2 = axes[0][:, None, None] + axes[1][:, None] + axes[2]
        signal = signal * torch.exp(draw.uniform(0.2, 0.8) * radius2.clamp(0, 2))
    return signal


def with_ghost(signal: Tensor, draw: Draw) -> Tensor:
    """In some heads a faint copy, shifted along one axis of the plane, as motion leaves it."""
    if not draw.chance(0.2):
        return signal
    axis = draw.integer(0, 1)
    shift = int(draw.uniform(0.12, 0.5) * signal.shape[axis])
    return signal + draw.uniform(0.02, 0.15) * torch.roll(signal, shift, axis)


def random_curve(volume: Tensor, draw: Draw) -> Tensor:
    """A new contrast at no cost: a random smooth curve of intensity; zero mostly stays zero."""
    knots = torch.rand(6, generator=draw.generator)
    if draw.chance(0.7):
        knots = knots.sort().values
    if draw.chance(0.4):
        knots = torch.linspace(0, 1, 6) + 0.1 * draw.normals(6)
    knots[0] = 0.0 if draw.chance(0.8) else draw.uniform(0, 0.1)
    position = volume.clamp(0, 1.2) / 1.2 * 5
    left = position.floor().clamp(0, 4)
    index = left.long()
    curved = torch.lerp(knots[index], knots[index + 1], position - left)
    return curved.clamp_min(0) * (volume > 0)
