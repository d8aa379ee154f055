"""What a simulated patient shall be like, and the random streams that every part draws from."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np

from gliomaai_training.diagnosis.states import WHO_STATES
from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.vocabulary import SEQUENCES

USUAL_CLASS_MIX = (
    ("GBM", 0.82), ("A2", 0.045), ("A3", 0.035), ("A4", 0.03), ("O2", 0.04), ("O3", 0.03),
)  # fmt: skip
"""Shares of the classes among adults operated for a diffuse glioma: 82/11/7 % for GBM, A and O."""

BRATS_SIZE = (240, 240, 155)
"""Voxels of the default grid at 1 mm, as the BraTS challenge publishes its cases."""
BRATS_ORIGIN_MM = (0.0, -239.0, 0.0)
HEAD_SIZE = (240, 256, 192)
"""Voxels of a whole head's grid at 1 mm: room for face, neck and scalp."""
HEAD_ORIGIN_MM = (0.0, -247.0, -30.0)
"""LPS mm; the brain lies at the same coordinates on both grids."""
_IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class SimulationConfig:
    """The form of a simulated patient; the seed decides everything else.

    Raises:
        ValueError: an unknown class or sequence, no sequence left, a class mix that is none, or a
            spacing out of 0.5-5 mm.
    """

    spacing_mm: float = 1.0
    """Voxel size; 2 to 3 mm gives a coarse patient in about a second, for tests."""
    who_class: str | None = None
    """One of `WHO_STATES`; `None` draws it from the mix."""
    class_mix: tuple[tuple[str, float], ...] = USUAL_CLASS_MIX
    """Share of each class; another mix than the usual one teaches more of the rare classes."""
    tumour_free: bool = False
    whole_head: bool = False
    """With skull, scalp, eyes and so on; otherwise skull-stripped."""
    thick_slices: bool = False
    """Each sequence on its own grid of 3-7 mm slices, as in clinical 2D studies."""
    separate_views: bool = False
    """Each sequence with its own field of view, slightly tilted, after a small motion."""
    missing: tuple[str, ...] = ()
    """Sequences left out of the patient."""

    def __post_init__(self) -> None:
        if not 0.5 <= self.spacing_mm <= 5.0:
            raise ValueError(f"spacing of {self.spacing_mm} mm is out of 0.5 to 5 mm")
        if self.who_class is not None and self.who_class not in WHO_STATES:
            raise ValueError(f"unknown class {self.who_class!r}: use one of {WHO_STATES}")
        mix = dict(self.class_mix)
        if not set(mix) <= set(WHO_STATES) or not mix or min(mix.values()) <= 0:
            raise ValueError(f"a class mix gives shares of {', '.join(WHO_STATES)}, not {mix}")
        unknown = sorted(set(self.missing) - set(SEQUENCES))
        if unknown:
            raise ValueError(f"unknown sequences to leave out: {', '.join(unknown)}")
        if set(self.missing) == set(SEQUENCES):
            raise ValueError("all four sequences are left out: keep at least one")

    @property
    def grid(self) -> Grid:
        """The grid of the co-registered patient: BraTS's field of view, or the whole head's."""
        if self.whole_head:
            x, y, z = (  # whole voxels away, so that both grids share their voxels
                b - round((b - h) / self.spacing_mm) * self.spacing_mm
                for b, h in zip(BRATS_ORIGIN_MM, HEAD_ORIGIN_MM, strict=True)
            )
            return self._grid(HEAD_SIZE, (x, y, z))
        return self._grid(BRATS_SIZE, BRATS_ORIGIN_MM)

    @property
    def own_grids(self) -> bool:
        """Whether each sequence comes on a grid of its own."""
        return self.thick_slices or self.separate_views

    def _grid(self, size_mm: tuple[int, int, int], origin_mm: tuple[float, float, float]) -> Grid:
        i, j, k = (round(n / self.spacing_mm) for n in size_mm)
        return Grid((i, j, k), (self.spacing_mm,) * 3, origin_mm, _IDENTITY)

    @property
    def present(self) -> tuple[str, ...]:
        """The sequences that the patient has, in the vocabulary's order."""
        return tuple(name for name in SEQUENCES if name not in self.missing)


def stream(seed: int, part: str) -> np.random.Generator:
    """The random generator of one part of one patient.

    Parts have streams of their own, so that an option of one part (thick slices, a missing
    sequence) leaves anatomy, tumour and outcome of the same seed as they were.

    Raises:
        ValueError: the seed is negative.
    """
    if seed < 0:
        raise ValueError(f"the seed must not be negative: {seed}")
    return np.random.default_rng([seed, crc32(part.encode())])
