"""Vessels, venous sinuses, falx and choroid plexus: what enhances in a normal brain."""

import numpy as np
import torch
from torch import Tensor

from gliomaai_training.simulation.anatomy import Tissues
from gliomaai_training.simulation.fields import noise, smooth


def draw_vessels(tissues: Tissues, spacing_mm: float, rng: np.random.Generator) -> Tensor:
    """Fraction of vessel in each voxel, (z, y, x).

    A vessel follows the line on which two independent random fields vanish together; kept where
    there is fluid around the brain, where real pial vessels run.
    """
    shape = tuple(tissues.white.shape)
    first = noise(shape, 5.0 / spacing_mm, rng)
    second = noise(shape, 5.0 / spacing_mm, rng)
    width = 0.10 * max(1.0, spacing_mm / 1.5)
    line = torch.exp(-(first**2 + second**2) / (2 * width**2))
    near_fluid = smooth(tissues.fluid, 1.0 / spacing_mm) * (1 - tissues.ventricles)
    pial = (line * (near_fluid * 2.2).clamp(0, 1)).clamp(0, 0.9)
    tortuous = (1 + 0.35 * first).clamp(0.2, 1.6)
    named = (tissues.vessels * tortuous * rng.uniform(0.8, 1.5)).clamp(0, 1)
    dura = (tissues.sinus * rng.uniform(0.7, 1.4)).clamp(0, 1)
    return torch.maximum(torch.maximum(pial, named), dura) * tissues.brain
