"""What the painters of a simulated head share: tissues, random draws, the painted voxels."""

from dataclasses import dataclass
from enum import IntEnum

import torch
import torch.nn.functional as F  # noqa: N812 - the customary name
from torch import Tensor

from gliomaai_training.simulation.head_atlas import AtlasFields


class HeadTissue(IntEnum):
    """Values of a head's label image."""

    AIR = 0
    WHITE_MATTER = 1
    GREY_MATTER = 2
    INNER_CSF = 3
    OUTER_CSF = 4
    DURA = 5
    VEIN = 6
    COMPACT_BONE = 7
    DIPLOE = 8
    FAT = 9
    SKIN = 10
    MUSCLE = 11
    EYE = 12
    ORBIT_FAT = 13
    OPTIC_NERVE = 14
    SINUS_AIR = 15
    MUCOSA = 16
    GLAND = 17
    CORD = 18
    DISC = 19
    TUMOUR = 20
    TUMOUR_RIM = 21
    OEDEMA = 22
    CAVITY = 23
    SPINAL_CANAL = 24
    BLOB_1 = 25
    """Blobs are unnamed structures outside the brain (vessels, glands, implants, scars)."""
    BLOB_2 = 26
    BLOB_3 = 27


class Draw:
    """Random draws in the words of the painters, all from one generator."""

    def __init__(self, generator: torch.Generator) -> None:
        self.generator = generator

    def uniform(self, low: float, high: float) -> float:
        """A number between `low` and `high`."""
        return low + (high - low) * float(torch.rand((), generator=self.generator))

    def normal(self, mean: float = 0.0, deviation: float = 1.0) -> float:
        """A normally distributed number."""
        return mean + deviation * float(torch.randn((), generator=self.generator))

    def normals(self, *shape: int) -> Tensor:
        """A tensor of standard normal numbers."""
        return torch.randn(shape, generator=self.generator)

    def integer(self, low: int, high: int) -> int:
        """An integer from `low` to `high`, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.generator))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return float(torch.rand((), generator=self.generator)) < probability

    def tissue(self, *tissues: HeadTissue) -> HeadTissue:
        """One of the tissues; name one twice to make it twice as likely."""
        return tissues[self.integer(0, len(tissues) - 1)]

    def smooth(self, shape: tuple[int, ...], wavelength_voxels: float, channels: int = 1) -> Tensor:
        """Smooth noise of unit variance, shaped (channels, *shape): a trilinear random lattice."""
        coarse = [max(3, round(n / wavelength_voxels)) for n in shape]
        lattice = self.normals(1, channels, *coarse)
        noise = F.interpolate(lattice, size=shape, mode="trilinear", align_corners=True)[0]
        scaled: Tensor = noise / noise.std()
        return scaled


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid with axes along ICBM152 RAS, mm; `paired` mirrors it at the midline."""

    centre_mm: tuple[float, float, float]
    radii_mm: tuple[float, float, float]
    paired: bool = False


class HeadCanvas:
    """The voxels of one head while it is painted; later paint covers earlier paint."""

    def __init__(self, coordinates_mm: Tensor, atlas: AtlasFields, draw: Draw) -> None:
        self.draw = draw
        self.x, self.y, self.z = coordinates_mm
        self.abs_x = self.x.abs()
        self.shape = tuple(self.x.shape)
        self.voxel_mm = _voxel_mm(coordinates_mm)
        fields = atlas.sample(coordinates_mm)
        self.brain_mm, self.hull_mm, self.white, self.grey = fields
        self.labels = torch.zeros(self.shape, dtype=torch.uint8)

    def noise(self, wavelength_mm: float) -> Tensor:
        """Smooth unit-variance noise with bumps of about this size."""
        return self.draw.smooth(self.shape, wavelength_mm / self.voxel_mm)[0]

    def put(self, where: Tensor, *tissues: HeadTissue) -> None:
        """Paints one of the tissues (drawn at random) where the mask is true."""
        self.labels.masked_fill_(where, int(self.draw.tissue(*tissues)))

    def level(self, shape: Ellipsoid) -> Tensor:
        """Squared normalised distance to the ellipsoid's centre: 1 on its surface."""
        axes = (self.abs_x if shape.paired else self.x, self.y, self.z)
        level = torch.zeros_like(self.x)
        for axis, centre, radius in zip(axes, shape.centre_mm, shape.radii_mm, strict=True):
            level += ((axis - centre) / radius) ** 2
        return level


def _voxel_mm(coordinates_mm: Tensor) -> float:
    """In ICBM152 mm: anatomy and noise keep their size whatever the grid."""
    stride = max(1, min(coordinates_mm.shape[1:]) // 8)  # deformations are smooth: a few will do
    sparse = coordinates_mm[:, ::stride, ::stride, ::stride]
    steps = [sparse.diff(dim=axis).norm(dim=0).mean() / stride for axis in (1, 2, 3)]
    return float(torch.stack(steps).mean())
