"""The layers around the brain: meninges, skull, muscle, fat and skin."""

from dataclasses import dataclass

import torch
from torch import Tensor

from gliomaai_training.simulation.head_canvas import Ellipsoid, HeadCanvas
from gliomaai_training.simulation.head_canvas import HeadTissue as T


@dataclass(frozen=True)
class Shells:
    """Layers of a head, by distance outside the inner skull; all fields in ICBM152 mm."""

    inner_skull_mm: Tensor
    """Signed distance to the inner face of the skull."""
    skull_mm: Tensor
    """Thickness of bone, muscle and fat."""
    muscle_mm: Tensor
    fat_mm: Tensor
    skin_mm: float
    base: Tensor
    """1 at the skull base and below, 0 at the vault."""
    low: Tensor
    """Whether a voxel lies in the face or the neck."""
    depth_mm: Tensor
    """About how deep a voxel lies under the skin of the face or the neck."""

    @property
    def scalp(self) -> Tensor:
        """Whether a voxel lies within the layers around the brain, skin included."""
        return self.inner_skull_mm < self.skull_mm + self.muscle_mm + self.fat_mm + self.skin_mm


def draw_shells(canvas: HeadCanvas) -> Shells:
    """Draws the thickness of every layer, and the outline of face and neck."""
    draw = canvas.draw
    base = torch.sigmoid((-25 - canvas.z) / 6)
    atrophy = draw.uniform(0, 4)
    csf = draw.uniform(0.4, 3) + atrophy * torch.sigmoid(canvas.noise(24) + (canvas.z - 20) / 30)
    csf = (csf + canvas.noise(6) * 0.8).clamp(0.3, 9)
    inner = canvas.hull_mm
    if draw.chance(0.5):  # bone that follows the brain into the hull's hollows
        inner = torch.minimum(inner, canvas.brain_mm * draw.uniform(0.6, 1) + 3)
    inner = inner - csf
    skull = draw.uniform(4, 9) + 1.4 * canvas.noise(16) + base * draw.uniform(0, 14)
    temple = torch.exp(-(((canvas.y - 12) / 30) ** 2) - ((canvas.z + 15) / 28) ** 2)
    nape = torch.exp(-(((canvas.y + 85) / 35) ** 2))
    muscle = draw.uniform(4, 18) * temple * torch.sigmoid((canvas.abs_x - 40) / 5)
    muscle = muscle + draw.uniform(5, 30) * nape * torch.sigmoid((-38 - canvas.z) / 6)
    fat = (draw.uniform(1, 9) + 1.5 * canvas.noise(24)).clamp(0.5, 16)
    level = _face_and_neck(canvas)
    nose_y = draw.uniform(90, 108)
    nose = canvas.level(
        Ellipsoid(
            (0, nose_y, -62 + draw.uniform(-6, 6)),
            (draw.uniform(11, 16), draw.uniform(16, 26), draw.uniform(18, 28)),
        )
    )
    return Shells(
        inner_skull_mm=inner,
        skull_mm=skull.clamp(2, 30),
        muscle_mm=muscle,
        fat_mm=fat,
        skin_mm=draw.uniform(1.2, 3),
        base=base,
        low=torch.minimum(level, nose) < 1,
        depth_mm=(1 - level.clamp(0, 1).sqrt()) * 60,
    )


def _face_and_neck(canvas: HeadCanvas) -> Tensor:
    draw = canvas.draw
    radii = (draw.uniform(58, 72), 68 * draw.uniform(0.9, 1.12), 82 * draw.uniform(0.85, 1.15))
    face = canvas.level(Ellipsoid((0, 28, -70), radii))
    axis_y = -22 + (canvas.z + 70) * draw.uniform(-0.1, 0.3)
    neck = (canvas.x / draw.uniform(48, 68)) ** 2
    neck = neck + ((canvas.y - axis_y) / draw.uniform(50, 68)) ** 2
    return torch.minimum(face, torch.where(canvas.z < -45, neck, torch.full_like(neck, 9.0)))


def paint_scalp(canvas: HeadCanvas, shells: Shells) -> None:
    """Skin, fat and muscle of the whole head, ears included."""
    draw = canvas.draw
    radii = (draw.uniform(6, 12), draw.uniform(10, 18), draw.uniform(18, 30))
    ear = canvas.level(Ellipsoid((80, -22, -40), radii, paired=True)) < 1
    canvas.put(shells.low | shells.scalp | ear, T.SKIN)
    under_skin = shells.inner_skull_mm < shells.skull_mm + shells.muscle_mm + shells.fat_mm
    canvas.put((shells.low & (shells.depth_mm > shells.skin_mm)) | under_skin, T.FAT)
    over_bone = shells.inner_skull_mm < shells.skull_mm + shells.muscle_mm
    canvas.put(over_bone & (shells.inner_skull_mm >= shells.skull_mm), T.MUSCLE)


def paint_skull(canvas: HeadCanvas, shells: Shells) -> None:
    """Two tables with diploe between them; at the base, air cells and marrow."""
    draw, s = canvas.draw, shells.inner_skull_mm
    bone = (s < shells.skull_mm) & (shells.scalp | shells.low)
    table_mm = draw.uniform(1, 2.2)
    canvas.put(bone, T.COMPACT_BONE)
    canvas.put(bone & (s > table_mm) & (s < shells.skull_mm - table_mm), T.DIPLOE)
    base = bone & (canvas.z < -12) & (shells.base > 0.2)
    canvas.put(base & (canvas.noise(10) > draw.uniform(0.3, 1.2)), T.SINUS_AIR, T.DIPLOE)
    marrow = canvas.noise(6) > draw.uniform(0.2, 1.2)
    canvas.put(base & marrow, T.DIPLOE, T.DIPLOE, T.COMPACT_BONE)
    clivus = canvas.level(Ellipsoid((0, 2, -48), (10, 12, 20))) < 1
    canvas.put(clivus & (s > 0), T.DIPLOE)
    radii = (draw.uniform(8, 15), draw.uniform(10, 18), draw.uniform(12, 20))
    mastoid = canvas.level(Ellipsoid((52, -32, -45), radii, paired=True)) < 1
    canvas.put(mastoid & (s > 0) & (canvas.noise(6) > draw.uniform(-1, 0.5)), T.SINUS_AIR)


def paint_meninges(canvas: HeadCanvas, shells: Shells) -> None:
    """Everything inside the skull: dura, outer CSF, venous sinuses, bone between the lobes."""
    draw, s = canvas.draw, shells.inner_skull_mm
    canvas.put(s < draw.uniform(0.3, 1.6), T.DURA)
    canvas.put(s < 0, T.OUTER_CSF)
    sagittal = (canvas.abs_x < draw.uniform(3, 6)) & (canvas.hull_mm > -3)
    sagittal = sagittal & ((canvas.z > 10) | (canvas.y < -60))
    height = (canvas.z + 22 + canvas.noise(24) * 3).abs()
    transverse = (height < draw.uniform(3, 6)) & (canvas.y < -30) & (canvas.hull_mm > -4)
    near = (s < 2) & (canvas.brain_mm > -1)
    canvas.put((sagittal | transverse) & near, T.VEIN)
    if draw.chance(0.6):
        gap = (s < 0) & (canvas.brain_mm > draw.uniform(2.5, 6))
        bone_or_fluid = (T.COMPACT_BONE, T.DIPLOE, T.DURA, T.OUTER_CSF)
        canvas.put(gap & (canvas.z < draw.uniform(-15, 0)), *bone_or_fluid)
