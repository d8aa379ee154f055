"""Reaction-diffusion growth, oedema and mass effect on the coarse grid.

Fisher-Kolmogorov growth dc/dt = div(D grad c) + rho c (1 - c) with fast diffusion in white matter
(Swanson 2000); the oedema spreads from the core by a second diffusion nearly confined to white
matter. Both stop at a wanted volume, so that size is a controlled factor. The displacement follows
the gradient of the smoothed core and dies out at the skull.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from gliomaai_training.simulation.anatomy import Frame, Tissues
from gliomaai_training.simulation.facts import TumourPlan
from gliomaai_training.simulation.fields import gradient, noise, smooth

CORE_DENSITY = 0.5
"""Cell density at the border of the core."""
OEDEMA_DENSITY = 0.12
_HALF_BOX_MM = 66.0
_ATLAS_MIDLINE = 98
"""Atlas voxel x of the midline."""
_MAX_STEPS = 1500
_CHECK_EVERY = 8
_NOTICEABLE = 1e-4
_GROWTH_RATE_PER_DAY = 0.03
_OEDEMA_RATE_PER_DAY = 0.05


@dataclass(frozen=True)
class Growth:
    """Fields on the coarse grid, (z, y, x)."""

    density: Tensor
    """Tumour cell density, 0 to 1."""
    oedema: Tensor
    """Oedema, 0 to 1, core included."""
    shift: Tensor
    """(3, z, y, x) coarse voxels: where the tissue found at each voxel came from."""
    seeds: tuple[tuple[int, int, int], ...]
    """Coarse voxels at which the foci began."""


@dataclass(frozen=True)
class _Local:
    """The tissues around the tumour, (z, y, x) on coarse voxels."""

    white: Tensor
    grey: Tensor
    fluid: Tensor
    open: Tensor
    """Where anything can spread."""
    lateral: Tensor
    """Distance from the midline, atlas mm."""
    window: tuple[slice, slice, slice]
    spacing_mm: float

    def field(self, width_mm: float, rng: np.random.Generator) -> Tensor:
        return noise(tuple(self.white.shape), width_mm / self.spacing_mm, rng)

    def volume_ml(self, mask: Tensor) -> float:
        return float(mask.sum()) * self.spacing_mm**3 / 1000


def grow(
    frame: Frame,
    tissues: Tissues,
    plan: TumourPlan,
    seeds: tuple[tuple[int, int, int], ...],
    rng: np.random.Generator,
) -> Growth:
    """Grows the foci, spreads the oedema and pushes the brain aside."""
    window = _window(seeds, frame)
    local = _Local(
        white=tissues.white[window].contiguous(),
        grey=tissues.grey[window].contiguous(),
        fluid=tissues.fluid[window].contiguous(),
        open=(tissues.brain[window] > 0.5).contiguous(),
        lateral=frame.positions[2][window] - _ATLAS_MIDLINE,
        window=window,
        spacing_mm=frame.coarse_mm,
    )
    density = _grow_core(local, plan, seeds, rng)
    oedema = _spread_oedema(local, density, plan, rng)
    full = torch.zeros(tissues.white.shape)
    whole_density, whole_oedema = full.clone(), full
    whole_density[window], whole_oedema[window] = density, oedema
    shift = _mass_effect(frame, tissues, whole_density, plan.push_mm)
    return Growth(density=whole_density, oedema=whole_oedema, shift=shift, seeds=seeds)


def _grow_core(
    local: _Local,
    plan: TumourPlan,
    seeds: tuple[tuple[int, int, int], ...],
    rng: np.random.Generator,
) -> Tensor:
    rough = (1 + 0.6 * local.field(8, rng)).clamp(0.15, 2.2)
    spread = 0.25 * plan.infiltration * local.white + 0.06 * local.grey + 0.002 * local.fluid
    pace = (1 + 0.6 * local.field(9, rng)).clamp(0.15, 2.4)
    rate = _GROWTH_RATE_PER_DAY * pace * ((local.white + local.grey) > 0.3)
    start = _seed_density(tuple(local.white.shape), seeds, local.window, plan, rng)
    return _diffuse(
        start,
        spread * rough * local.open,
        rate * local.open,
        local.spacing_mm,
        lambda c: local.volume_ml(c > CORE_DENSITY) >= plan.core_ml,
    )


def _spread_oedema(
    local: _Local, density: Tensor, plan: TumourPlan, rng: np.random.Generator
) -> Tensor:
    core = (density > CORE_DENSITY).float()
    channel = (local.white**3 + 0.012 * local.grey + 0.002 * local.fluid) * local.open
    channel = channel * (1 - 0.9 * torch.exp(-((local.lateral / 5) ** 2)))  # seldom crosses over
    uneven = (1 + 0.5 * local.field(6, rng)).clamp(0.1, 2.0)
    wanted_ml = local.volume_ml(core) + plan.oedema_ml

    def reached(oedema: Tensor) -> bool:
        wet = (oedema > OEDEMA_DENSITY) & (local.white > 0.45) | (core > 0)
        return local.volume_ml(wet) >= wanted_ml

    rate = _OEDEMA_RATE_PER_DAY * (local.white > 0.5).float() * local.open
    return _diffuse(core, channel * uneven, rate, local.spacing_mm, reached)


def _window(seeds: tuple[tuple[int, int, int], ...], frame: Frame) -> tuple[slice, slice, slice]:
    half = int(_HALF_BOX_MM / frame.coarse_mm)
    limits = frame.positions.shape[1:]
    lows = [max(0, min(seed[a] for seed in seeds) - half) for a in range(3)]
    highs = [min(limits[a], max(seed[a] for seed in seeds) + half) for a in range(3)]
    return (slice(lows[0], highs[0]), slice(lows[1], highs[1]), slice(lows[2], highs[2]))


def _seed_density(
    shape: tuple[int, ...],
    seeds: tuple[tuple[int, int, int], ...],
    window: tuple[slice, slice, slice],
    plan: TumourPlan,
    rng: np.random.Generator,
) -> Tensor:
    """A few dense voxels at each seed; later foci start smaller and so stay smaller."""
    start = torch.zeros(shape)
    for order, seed in enumerate(seeds):
        z, y, x = (seed[a] - window[a].start for a in range(3))
        level = 0.8 if order == 0 else float(rng.uniform(0.02, 0.5)) / plan.foci
        start[max(z - 1, 0) : z + 2, max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] = level
    return start


def _diffuse(
    start: Tensor, spread: Tensor, rate: Tensor, spacing_mm: float, done: Callable[[Tensor], bool]
) -> Tensor:
    """Explicit conservative scheme with harmonic-mean fluxes; zero flux where `spread` is zero.

    Only the box that the front can reach before the next check is computed.
    """
    step = min(0.9 * spacing_mm**2 / (6 * float(spread.max())), 4.0)
    fluxes = []
    for axis in range(3):
        n = spread.shape[axis]
        one, two = spread.narrow(axis, 0, n - 1), spread.narrow(axis, 1, n - 1)
        fluxes.append(2 * one * two / (one + two + 1e-9) * (step / spacing_mm**2))
    reaction = rate * step
    density = start.clone()
    for _ in range(_MAX_STEPS // _CHECK_EVERY):
        box = _reach(density, _CHECK_EVERY)
        part, pace = density[box], reaction[box]
        flows = [flux[box] for flux in fluxes]
        for _ in range(_CHECK_EVERY):
            change = pace * part * (1 - part)
            for axis, flux in enumerate(flows):
                n = part.shape[axis] - 1
                difference = part.narrow(axis, 1, n) - part.narrow(axis, 0, n)
                flow = difference.mul_(flux.narrow(axis, 0, n))
                change.narrow(axis, 0, n).add_(flow)
                change.narrow(axis, 1, n).sub_(flow)
            part.add_(change).clamp_(0, 1)
        if done(density):
            break
    return density


def _reach(density: Tensor, steps: int) -> tuple[slice, slice, slice]:
    """The box of noticeable density with a margin of one voxel a step."""
    slices = []
    for axis in range(3):
        others = tuple(a for a in range(3) if a != axis)
        used = torch.nonzero(density.amax(dim=others) > _NOTICEABLE).ravel()
        low = max(0, int(used.min()) - steps)
        slices.append(slice(low, int(used.max()) + steps + 1))
    return slices[0], slices[1], slices[2]


def _mass_effect(frame: Frame, tissues: Tissues, density: Tensor, push_mm: float) -> Tensor:
    """Tissue is found where it was pushed to: the shift points back towards the core."""
    core = (density > CORE_DENSITY).float()
    bulk = smooth(core, 7 / frame.coarse_mm) + 0.8 * smooth(core, 14 / frame.coarse_mm)
    to_skull = ndimage.distance_transform_edt((tissues.brain > 0.5).numpy())
    damping = (torch.from_numpy(to_skull.astype(np.float32)) * frame.coarse_mm / 14).clamp(0, 1)
    direction = gradient(bulk) * damping
    steepest = float(direction.norm(dim=0).max())
    return direction * (push_mm / frame.coarse_mm / max(steepest, 1e-6))


def choose_seeds(
    frame: Frame, tissues: Tissues, who_class: str, plan: TumourPlan, rng: np.random.Generator
) -> tuple[tuple[int, int, int], ...]:
    """Where the foci begin: supratentorial white matter, frontal for IDH-mutant tumours.

    Raises:
        ValueError: the brain has no voxel where a glioma could start (spacing too coarse).
    """
    z, y, x = (frame.positions[axis] for axis in range(3))  # atlas voxels: up, back, left
    lateral = (x - _ATLAS_MIDLINE).abs()
    allowed = (tissues.white > 0.7) & (lateral > 8) & (lateral < 58)
    # A line from the temporal pole to the tentorium keeps out brainstem and cerebellum.
    allowed &= (z > 55 + 0.35 * (y - 95).clamp_min(0)) & (z < 128)
    weight = allowed.float()
    frontal = torch.sigmoid((95 - y) / 8) * torch.sigmoid((z - 62) / 5)
    temporal = torch.sigmoid((78 - z) / 5) * torch.sigmoid((lateral - 25) / 6)
    if who_class == "GBM":
        weight = weight * (0.6 + 0.5 * frontal + 0.9 * temporal)
    else:
        weight = weight * (0.12 + 1.6 * frontal + 0.5 * temporal)
    if float(weight.sum()) <= 0:
        raise ValueError(f"no white matter to start a tumour in at {frame.coarse_mm} mm voxels")
    seeds = [_draw_voxel(weight, rng)]
    count = plan.foci + int(plan.satellite)
    for order in range(1, count):
        distance = _distance_mm(weight, seeds[0], frame.coarse_mm)
        near, far = (14.0, 28.0) if order >= plan.foci else (24.0, 55.0)
        ring = weight * ((distance > near) & (distance < far))
        if float(ring.sum()) > 0:
            seeds.append(_draw_voxel(ring, rng))
    return tuple(seeds)


def _draw_voxel(weight: Tensor, rng: np.random.Generator) -> tuple[int, int, int]:
    cumulative = np.cumsum(weight.numpy().ravel().astype(np.float64))
    index = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
    z, y, x = np.unravel_index(min(index, cumulative.size - 1), tuple(weight.shape))
    return int(z), int(y), int(x)


def _distance_mm(like: Tensor, seed: tuple[int, int, int], spacing_mm: float) -> Tensor:
    axes = [torch.arange(n, dtype=torch.float32) - seed[a] for a, n in enumerate(like.shape)]
    z, y, x = torch.meshgrid(*axes, indexing="ij")
    return (z**2 + y**2 + x**2).sqrt() * spacing_mm
