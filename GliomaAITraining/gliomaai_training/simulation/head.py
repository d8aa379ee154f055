"""Whole heads as implicit shapes around the ICBM152 brain: nothing is stored, every head differs.

The idea of training a brain mask on such heads follows SynthStrip (Hoopes et al., NeuroImage 2022,
doi:10.1016/j.neuroimage.2022.119474); there the heads are label maps of real people, here none is
needed.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from gliomaai_training.simulation.head_atlas import icbm152_fields
from gliomaai_training.simulation.head_brain import paint_blobs, paint_brain, paint_lesions
from gliomaai_training.simulation.head_canvas import Draw, HeadCanvas
from gliomaai_training.simulation.head_face import (
    paint_face_and_neck,
    paint_orbits,
    paint_sinuses,
    paint_spine,
)
from gliomaai_training.simulation.head_shells import (
    Shells,
    draw_shells,
    paint_meninges,
    paint_scalp,
    paint_skull,
)


@dataclass(frozen=True)
class HeadConfig:
    """What a head holds beside healthy anatomy."""

    lesions: bool = True
    """Draws up to three tumours or resection cavities; off for a caller with tumours of its own."""
    blobs: bool = True
    """Draws unnamed structures outside the brain: variety for training, not anatomy."""


@dataclass(frozen=True)
class Head:
    """One head on the grid of the coordinates it was drawn from."""

    labels: Tensor
    """uint8 `HeadTissue` values, shaped (X, Y, Z)."""
    distance_mm: Tensor
    """Signed distance in ICBM152 mm to the brain's surface (sulci inside), negative inside."""
    inner_skull_mm: Tensor
    """Signed distance in ICBM152 mm to the inner face of the skull, negative inside."""


def draw_head(
    coordinates_mm: Tensor, generator: torch.Generator, config: HeadConfig | None = None
) -> Head:
    """Paints a random head around the ICBM152 brain.

    Args:
        coordinates_mm: shape (3, X, Y, Z), float32: the ICBM152 RAS coordinate in mm that each
            voxel shows. A rigid, scaled or smoothly deformed grid gives a patient of that shape.
        generator: all randomness comes from here.
        config: what is drawn; everything by default.

    Raises:
        ValueError: the coordinates are not shaped (3, X, Y, Z).
    """
    if coordinates_mm.ndim != 4 or coordinates_mm.shape[0] != 3:
        raise ValueError(f"coordinates must be shaped (3, X, Y, Z), not {coordinates_mm.shape}")
    config = config or HeadConfig()
    canvas = HeadCanvas(coordinates_mm, icbm152_fields(), Draw(generator))
    shells: Shells = draw_shells(canvas)
    paint_scalp(canvas, shells)
    paint_face_and_neck(canvas, shells)
    paint_skull(canvas, shells)
    paint_orbits(canvas, shells)
    paint_sinuses(canvas, shells)
    paint_meninges(canvas, shells)
    paint_spine(canvas, shells)
    paint_brain(canvas)
    if config.lesions:
        paint_lesions(canvas, shells)
    if config.blobs:
        paint_blobs(canvas)
    return Head(canvas.labels, canvas.brain_mm, shells.inner_skull_mm)
