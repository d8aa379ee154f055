"""A study on one grid: what preprocessing hands to the network."""

from collections.abc import Mapping
from dataclasses import dataclass

import SimpleITK as sitk

from gliomaai_training.findings import Finding
from gliomaai_training.preprocessing.geometry import Grid


@dataclass(frozen=True)
class Prepared:
    """A study's sequences on the common grid, with the way back to each native image.

    The common grid is 1 mm isotropic; its axes are the reference image's own, reordered so that
    i, j, k point to the patient's left, posterior, superior as nearly as they can.
    """

    sequences: Mapping[str, sitk.Image]
    """Float32 intensities as acquired (not normalised), on the common grid; not skull-stripped."""
    brain_mask: sitk.Image
    """UInt8, 1 inside the brain, on the common grid."""
    reference: str
    """The sequence that gave the common grid its place and axes."""
    native_grids: Mapping[str, Grid]
    to_native: Mapping[str, sitk.Transform]
    """Maps a point (LPS mm) of the common grid to the same anatomy in the sequence's native image;
    the identity for the reference."""
    findings: tuple[Finding, ...]
    steps: Mapping[str, str]
    """What was done, by step, in words: for provenance."""

    @property
    def grid(self) -> Grid:
        """The common grid."""
        return Grid.of(self.brain_mask)
