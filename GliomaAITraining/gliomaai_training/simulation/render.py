"""Tissue fractions and signals become noiseless images, white matter being 1."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gliomaai_training.simulation.anatomy import Tissues
from gliomaai_training.simulation.fields import noise, smooth
from gliomaai_training.simulation.signals import Signals
from gliomaai_training.simulation.tumour import Tumour
from gliomaai_training.vocabulary import SEQUENCES

_TEXTURE_SIGN = {"t1": 1.0, "t1gd": 1.0, "t2": -0.8, "flair": -0.5}


@dataclass(frozen=True)
class Scene:
    """All that gives signal, on the patient's box."""

    tissues: Tissues
    tumour: Tumour
    vessels: Tensor
    """Fraction of blood vessels, sinuses and enhancing dura."""
    hyperintensities: Tensor
    """Fraction of age-related white matter change; looks like oedema, bears no label."""
    spacing_mm: float


def render(scene: Scene, signals: Signals, rng: np.random.Generator) -> dict[str, Tensor]:
    """The four images (z, y, x), zero outside the brain."""
    shape = tuple(scene.tissues.white.shape)
    tumour = scene.tumour
    ill = tumour.oedema + tumour.enhancing + tumour.necrotic
    vessel = scene.vessels * (1 - 0.8 * ill).clamp(0, 1)
    healthy = ((1 - ill) * (1 - vessel)).clamp(0, 1)
    white = scene.tissues.white * healthy
    changed = white * (tumour.infiltration + scene.hyperintensities).clamp(0, 0.8)
    fractions = {
        "white": white - changed,
        "grey": scene.tissues.grey * healthy,
        "fluid": scene.tissues.fluid * healthy,
        "oedema": tumour.oedema + changed,
        "necrotic": tumour.necrotic,
        "vessel": vessel,
    }
    broad = noise(shape, 5 / scene.spacing_mm, rng)
    middle = noise(shape, 2.2 / scene.spacing_mm, rng)
    uptake = (0.5 + 0.22 * broad + 0.22 * middle).clamp(0, 1)
    texture = 0.25 * (scene.tissues.texture - smooth(scene.tissues.texture, 3 / scene.spacing_mm))
    texture = texture + 0.012 * noise(shape, 1.2 / scene.spacing_mm, rng)
    lesion = (0.09 * broad + 0.05 * middle) * tumour.necrotic
    lesion = lesion + (0.04 * broad + 0.05 * middle) * (tumour.enhancing + 0.6 * tumour.oedema)
    support = scene.tissues.brain
    images = {}
    for name in SEQUENCES:
        table = signals.table[name]
        image = sum((part * table[t] for t, part in fractions.items()), torch.zeros(shape))
        if name == "t1gd":
            span = signals.enhancing_high - signals.enhancing_low
            image = image + tumour.enhancing * (signals.enhancing_low + span * uptake)
        else:
            image = image + tumour.enhancing * table["enhancing"]
        sign = _TEXTURE_SIGN[name]
        images[name] = image * (1 + sign * (texture + lesion)) * support
    return images


def hyperintensities(
    tissues: Tissues, age_years: float, spacing_mm: float, rng: np.random.Generator
) -> Tensor:
    """Caps at the ventricles and punctate foci, more with age (Fazekas 1987)."""
    burden = float(np.clip((age_years - 45) / 35 + rng.normal(0, 0.3), 0, 1.5))
    shape = tuple(tissues.white.shape)
    halo = smooth(tissues.ventricles, 3.5 / spacing_mm)
    caps = (halo * 1.4 * (0.35 + burden) * (1 + 0.5 * noise(shape, 5 / spacing_mm, rng))).clamp(
        0, 1
    )
    spots = noise(shape, 2.0 / spacing_mm, rng) + 0.8 * noise(shape, 10 / spacing_mm, rng)
    limit = 4.6 - 0.9 * min(burden, 1.3)
    foci = ((spots - limit) * 2.0).clamp(0, 1)
    deep = smooth(tissues.white, 2.5 / spacing_mm) > 0.85
    return ((caps * 0.8 + foci * deep) * (tissues.white > 0.5)).clamp(0, 0.8)
