"""The scanner: a scene becomes stored images, on one grid or each on its own."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from torch import Tensor

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.simulation.acquisition import (
    WHITE_MATTER_VALUE,
    Acquisition,
    acquire,
    add_noise,
    draw_acquisition,
)
from gliomaai_training.simulation.anatomy import Frame
from gliomaai_training.simulation.config import SimulationConfig, stream
from gliomaai_training.simulation.render import Scene, render
from gliomaai_training.simulation.signals import Protocol, Signals
from gliomaai_training.simulation.views import View, draw_views, resample
from gliomaai_training.simulation.whole_head import surround

_MAXIMUM = 4095
"""Scanners store 12 bits."""


@dataclass(frozen=True)
class PatientSignals:
    """What a patient's tissues give on this scanner."""

    protocol: Protocol
    signals: Signals


@dataclass(frozen=True)
class Scan:
    """The images of one patient and how they were made."""

    sequences: dict[str, sitk.Image]
    protocol: Protocol
    acquisitions: dict[str, Acquisition]
    motions: dict[str, tuple[float, ...]]
    """Sequence: 4x4 matrix, row by row, from its LPS mm to the labels' LPS mm."""


@dataclass(frozen=True)
class _Field:
    """What can be scanned: noiseless images on one axis-aligned grid."""

    images: dict[str, Tensor]
    grid: Grid
    support: Tensor | None
    """The brain's hull, outside of which a stripped image is zero; `None` for a whole head."""


def scan_scene(
    seed: int, scene: Scene, frame: Frame, config: SimulationConfig, patient: PatientSignals
) -> Scan:
    """Scans the sequences that the configuration asks for."""
    images = render(scene, patient.signals, stream(seed, "texture"))
    field = _Field(images, frame.grid, scene.tissues.brain)
    if config.whole_head:
        field = _Field(surround(seed, images, scene, frame, config), config.grid, None)
    views = draw_views(config, stream(seed, "views")) if config.own_grids else {}
    sequences, acquisitions = {}, {}
    for name in config.present:
        rng = stream(seed, f"scanner-{name}")
        acquisition = draw_acquisition(name, rng)
        acquisitions[name] = acquisition
        if name in views:
            sequences[name] = _scan_view(field, name, views[name], acquisition, rng)
        else:
            sequences[name] = _scan_registered(field, name, acquisition, config, rng)
    identity = tuple(float(v) for v in np.eye(4).ravel())
    motions = {n: views[n].motion if n in views else identity for n in config.present}
    return Scan(sequences, patient.protocol, acquisitions, motions)


def _scan_registered(
    field: _Field,
    name: str,
    acquisition: Acquisition,
    config: SimulationConfig,
    rng: np.random.Generator,
) -> sitk.Image:
    scanned = acquire(field.images[name], acquisition, config.spacing_mm, rng)
    noisy = add_noise(scanned, acquisition.noise, rng)
    if field.support is not None:
        noisy = noisy * (field.support > 0.5)
    return _on_grid(_stored(noisy), field.grid, config.grid)


def _scan_view(
    field: _Field, name: str, view: View, acquisition: Acquisition, rng: np.random.Generator
) -> sitk.Image:
    thin = Acquisition(
        slice_mm=1.0,  # the view itself averages over its slices
        slice_axis=acquisition.slice_axis,
        blur_mm=acquisition.blur_mm,
        bias=acquisition.bias,
        noise=acquisition.noise,
        ghost=acquisition.ghost,
    )
    scanned = acquire(field.images[name], thin, field.grid.spacing_mm[0], rng)
    noisy = add_noise(resample(scanned, field.grid, view), acquisition.noise, rng)
    if field.support is not None:
        noisy = noisy * (resample(field.support, field.grid, view) > 0.5)
    return view.grid.image(_stored(noisy).numpy().astype(np.uint16))


def _stored(image: Tensor) -> Tensor:
    return (image * WHITE_MATTER_VALUE).round().clamp(0, _MAXIMUM).to(torch.int32)


def place(box: Tensor, frame: Frame, config: SimulationConfig) -> sitk.Image:
    """A tensor on the patient's box as an image on the patient's grid, zero around it."""
    return _on_grid(box, frame.grid, config.grid)


def _on_grid(box: Tensor, box_grid: Grid, grid: Grid) -> sitk.Image:
    dtype = np.uint8 if box.dtype == torch.uint8 else np.uint16
    array: NDArray[np.generic] = np.zeros(grid.size[::-1], dtype)
    corner = [
        round((b - g) / grid.spacing_mm[0])
        for b, g in zip(box_grid.origin_mm[::-1], grid.origin_mm[::-1], strict=True)
    ]
    window = tuple(slice(c, c + n) for c, n in zip(corner, box.shape, strict=True))
    array[window] = box.numpy().astype(dtype)
    return grid.image(array)
