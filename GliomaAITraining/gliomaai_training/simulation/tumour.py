"""From growth to an expert-like label image and the tissue fractions behind the signals."""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from gliomaai_training.simulation.anatomy import Frame, Tissues
from gliomaai_training.simulation.facts import TumourPlan
from gliomaai_training.simulation.fields import (
    distance_inside,
    noise,
    resize,
    sample,
    smooth,
    voxel_indices,
)
from gliomaai_training.simulation.growth import CORE_DENSITY, OEDEMA_DENSITY, Growth
from gliomaai_training.vocabulary import Label

_MARGIN_MM = 8.0
_SMALLEST_CORE_ML = 0.08
_SMALLEST_OEDEMA_ML = 0.25
_OEDEMA_FOLLOWS = 0.6
"""Share of the mass effect that the oedema follows; it also spreads while the mass grows."""


@dataclass(frozen=True)
class Tumour:
    """The tumour on the patient's box, (z, y, x)."""

    labels: Tensor
    """uint8, `vocabulary.Label`."""
    enhancing: Tensor
    necrotic: Tensor
    oedema: Tensor
    """Fractions of each voxel, 0 to 1."""
    infiltration: Tensor
    """Tumour cell density outside the labels, 0 to 1."""


def no_tumour(shape: tuple[int, ...]) -> Tumour:
    """A brain without a tumour."""
    empty = torch.zeros(shape)
    return Tumour(torch.zeros(shape, dtype=torch.uint8), empty, empty, empty, empty)


def paint(
    frame: Frame, tissues: Tissues, growth: Growth, plan: TumourPlan, rng: np.random.Generator
) -> Tumour:
    """Labels and fractions on the patient's grid.

    Border, rim, cavities and non-enhancing outer parts follow random fields of their own widths,
    because no two rims look alike; their volumes follow the plan.
    """
    density = resize(growth.density, frame.shape)
    indices = voxel_indices(tuple(growth.oedema.shape))
    moved = sample(growth.oedema[None], indices + _OEDEMA_FOLLOWS * growth.shift)[0]
    wet = torch.maximum(resize(moved, frame.shape), density)
    window = _window(wet > 0.02, _MARGIN_MM / frame.spacing_mm)
    parts = _Parts(
        density=density[window],
        wet=wet[window],
        white=tissues.white[window],
        fluid=tissues.fluid[window],
        brain=tissues.brain[window],
        spacing_mm=frame.spacing_mm,
    )
    core = _core(parts, rng)
    enhancing = _enhancing(core, parts, plan, rng)
    oedema = _oedema(core, parts, rng)
    labels = torch.zeros(core.shape, dtype=torch.uint8)
    labels[oedema] = Label.ED
    labels[core] = Label.NCR
    labels[enhancing] = Label.ET
    return _fractions(frame, parts, labels, window, rng)


@dataclass(frozen=True)
class _Parts:
    """What the painting needs, cut to the tumour's surroundings."""

    density: Tensor
    wet: Tensor
    white: Tensor
    fluid: Tensor
    brain: Tensor
    spacing_mm: float

    def field(self, width_mm: float, rng: np.random.Generator) -> Tensor:
        return noise(tuple(self.density.shape), width_mm / self.spacing_mm, rng)

    def voxels(self, volume_ml: float) -> int:
        return max(1, round(volume_ml * 1000 / self.spacing_mm**3))


def _window(mask: Tensor, margin_voxels: float) -> tuple[slice, slice, slice]:
    slices = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        used = torch.nonzero(mask.any(dim=others[1]).any(dim=others[0])).ravel()
        low = max(0, int(int(used.min()) - margin_voxels))
        slices.append(slice(low, int(int(used.max()) + margin_voxels) + 1))
    return slices[0], slices[1], slices[2]


def _core(parts: _Parts, rng: np.random.Generator) -> Tensor:
    rough = 0.13 * parts.field(6.0, rng) + 0.08 * parts.field(2.2, rng)
    core = (parts.density + rough > CORE_DENSITY) & (parts.density > 0.2)
    core &= (parts.fluid < 0.6) & (parts.brain > 0.5)
    core = torch.from_numpy(ndimage.binary_fill_holes(core.numpy()))
    return _without_islands(core, parts.voxels(_SMALLEST_CORE_ML))


def _without_islands(mask: Tensor, smallest_voxels: int) -> Tensor:
    labels, count = ndimage.label(mask.numpy())
    if count <= 1:
        return mask
    sizes = np.bincount(labels.ravel())
    keep = sizes >= min(smallest_voxels, int(sizes[1:].max()))
    keep[0] = False
    return torch.from_numpy(keep[labels])


def _enhancing(core: Tensor, parts: _Parts, plan: TumourPlan, rng: np.random.Generator) -> Tensor:
    if not plan.enhancing or not bool(core.any()):
        return torch.zeros_like(core)
    depth = distance_inside(core, parts.spacing_mm)
    outside = parts.field(11.0, rng)
    # Tumour without enhancement lies outside the rim where this field is high.
    cut = float(np.quantile(outside[core].numpy(), 1 - plan.outer_core))
    inset = ((outside - cut) * 5.0).clamp(0, 7.0)
    inner = core & (depth > inset)
    if not bool(inner.any()):
        return torch.zeros_like(core)
    depth = distance_inside(inner, parts.spacing_mm)
    thickness = plan.rim_mm * torch.exp(0.55 * parts.field(4.5, rng))
    # A cavity opens deep in the tumour and where the cavity field is high.
    score = depth / thickness + 0.9 * parts.field(plan.cavity_mm, rng) + 0.3 * parts.field(1.8, rng)
    score = torch.where(depth <= 0.75 * parts.spacing_mm, score - 1.5, score)
    limit = float(np.quantile(score[inner].numpy(), 1 - plan.necrotic_fraction))
    return inner & (score <= limit)


def _oedema(core: Tensor, parts: _Parts, rng: np.random.Generator) -> Tensor:
    wavy = 0.035 * parts.field(4.0, rng) + 0.015 * parts.field(1.6, rng)
    wet = (parts.wet + wavy > OEDEMA_DENSITY) & (parts.wet > 0.04)
    # White matter carries it; cortex is spared unless tumour cells are dense there.
    holds = (parts.white > 0.45) | (parts.density > 0.22)
    oedema = wet & holds & (parts.fluid < 0.45) & (parts.brain > 0.5) & ~core
    return _without_islands(oedema | core, parts.voxels(_SMALLEST_OEDEMA_ML)) & ~core


def _fractions(
    frame: Frame,
    parts: _Parts,
    labels: Tensor,
    window: tuple[slice, slice, slice],
    rng: np.random.Generator,
) -> Tumour:
    blur = 1 / frame.spacing_mm
    enhancing = smooth((labels == Label.ET).float(), 0.55 * blur)
    necrotic = smooth((labels == Label.NCR).float(), 0.7 * blur)
    solid = (enhancing + necrotic).clamp(0, 1)
    wetness = (0.62 + 0.9 * parts.wet).clamp(0, 1) * (1 + 0.10 * parts.field(5.0, rng))
    oedema = smooth((labels == Label.ED).float(), 1.0 * blur) * wetness
    oedema = torch.minimum(oedema.clamp(0, 1), 1 - solid)
    infiltration = (0.5 * parts.density * (1 - solid - oedema)).clamp(0, 0.35)

    def whole(part: Tensor) -> Tensor:
        full = torch.zeros(frame.shape, dtype=part.dtype)
        full[window] = part
        return full

    return Tumour(
        labels=whole(labels),
        enhancing=whole(enhancing),
        necrotic=whole(necrotic),
        oedema=whole(oedema),
        infiltration=whole(infiltration),
    )
