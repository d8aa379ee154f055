"""Face, orbits, air sinuses, neck and spine."""

import torch

from gliomaai_training.simulation.head_canvas import Ellipsoid, HeadCanvas
from gliomaai_training.simulation.head_canvas import HeadTissue as T
from gliomaai_training.simulation.head_shells import Shells

NECK_TOP_MM = -62.0


def paint_face_and_neck(canvas: HeadCanvas, shells: Shells) -> None:
    """Muscles with fat, glands and bone among them; jaws and teeth, tongue."""
    draw = canvas.draw
    inside = shells.low & (shells.depth_mm > shells.skin_mm + shells.fat_mm)
    canvas.put(inside, T.MUSCLE)
    coarse, fine = canvas.noise(draw.uniform(8, 20)), canvas.noise(10)
    canvas.put(inside & (coarse > draw.uniform(0.5, 1.2)), T.FAT)
    varied = (T.GLAND, T.DIPLOE, T.COMPACT_BONE, T.MUCOSA)
    canvas.put(inside & (coarse < -draw.uniform(0.6, 1.4)), *varied)
    small = (T.COMPACT_BONE, T.DIPLOE, T.SINUS_AIR, T.MUCOSA)
    canvas.put(inside & (fine > draw.uniform(0.9, 1.8)), *small)
    jaw = canvas.level(Ellipsoid((0, 45, -92), (48, 42, 16))) < 1
    canvas.put(inside & jaw & (fine > draw.uniform(-1.2, 0.2)), T.DIPLOE, T.COMPACT_BONE)
    tongue = canvas.level(Ellipsoid((0, 50, -85), (24, 38, 16))) < 1
    canvas.put(shells.low & tongue, T.GLAND)


def paint_orbits(canvas: HeadCanvas, shells: Shells) -> None:
    """A cone of fat from the apex to the eye, with muscles and optic nerve, and the globe."""
    draw, s = canvas.draw, shells.inner_skull_mm
    eye = (33 + draw.uniform(-3, 3), 60 + draw.uniform(-5, 6), -36 + draw.uniform(-5, 4))
    apex = (13 + draw.uniform(-2, 2), 22 + draw.uniform(-5, 5), -29 + draw.uniform(-3, 3))
    axis = [e - a for e, a in zip(eye, apex, strict=True)]
    offset = [p - a for p, a in zip((canvas.abs_x, canvas.y, canvas.z), apex, strict=True)]
    length2 = sum(component**2 for component in axis)
    along = (offset[0] * axis[0] + offset[1] * axis[1] + offset[2] * axis[2]) / length2
    rx, ry, rz = (o - along * a for o, a in zip(offset, axis, strict=True))
    radial = (rx**2 + ry**2 + rz**2).sqrt()
    outside = s > draw.uniform(0.5, 2)
    width = 3 + draw.uniform(13, 18) * along.clamp(0, 1)
    cone = (along > 0) & (along < draw.uniform(1.05, 1.35)) & (radial < width) & outside
    canvas.put(cone, T.ORBIT_FAT)
    sheet = (radial - 2 - 11 * along).abs() < draw.uniform(1, 2)
    four_recti = torch.sin(4 * torch.atan2(rz, rx)) > 0.5
    canvas.put(cone & sheet & four_recti, T.MUSCLE)
    nerve = (along > -0.2) & (along < 1) & (radial < draw.uniform(1.8, 3.5))
    canvas.put(outside & nerve, T.OPTIC_NERVE)
    radius = draw.uniform(10.5, 13.5)
    globe = canvas.level(Ellipsoid((eye[0], eye[1] + 2, eye[2]), (radius,) * 3, paired=True))
    canvas.put((globe < 1.25) & outside, T.MUSCLE, T.COMPACT_BONE)
    canvas.put((globe < 1) & outside, T.EYE)


def paint_sinuses(canvas: HeadCanvas, shells: Shells) -> None:
    """Nose and ethmoid, sphenoid, maxillary and frontal sinuses, pharynx: air, sometimes filled."""
    draw, u = canvas.draw, canvas.draw.uniform
    cavities = (
        Ellipsoid((0, 48, -54), (u(10, 17), u(25, 36), u(18, 28))),
        Ellipsoid((0, 16, -42), (u(6, 15), u(8, 15), u(7, 13))),
        Ellipsoid((30, 42, -66), (u(9, 17), u(12, 19), u(12, 20)), paired=True),
        Ellipsoid((12, 72, -12 + u(-8, 8)), (u(2, 18), u(2, 11), u(3, 20)), paired=True),
    )
    lining, rough = canvas.noise(6), canvas.noise(10)
    for cavity in cavities:
        inside = (canvas.level(cavity) + 0.25 * rough < 1) & (shells.inner_skull_mm > u(1, 3))
        canvas.put(inside, T.SINUS_AIR, T.SINUS_AIR, T.SINUS_AIR, T.MUCOSA)
        canvas.put(inside & (lining > u(0.4, 2)), T.MUCOSA)
    pharynx = canvas.level(Ellipsoid((0, 8, -80), (u(6, 12), u(5, 11), 40))) < 1
    canvas.put(pharynx & (shells.inner_skull_mm > 2), T.SINUS_AIR)
    if draw.chance(0.15):  # metal in the teeth swallows the signal around it
        teeth = canvas.level(Ellipsoid((0, 62, -92), (u(25, 50), u(20, 40), u(15, 32)))) < 1
        canvas.put(teeth & (shells.inner_skull_mm > 3), T.SINUS_AIR)


def paint_spine(canvas: HeadCanvas, shells: Shells) -> None:
    """Vertebrae with discs, the canal and the cord."""
    draw = canvas.draw
    axis_y = -32 + (canvas.z + 70) * draw.uniform(-0.1, 0.2)
    neck = (canvas.z < NECK_TOP_MM) & shells.low & (shells.inner_skull_mm > 0)
    radial = (canvas.x**2 + (canvas.y - axis_y) ** 2).sqrt()
    body2 = canvas.x**2 + (canvas.y - axis_y - 20) ** 2
    arch = (canvas.x / 24) ** 2 + ((canvas.y - axis_y) / 22) ** 2 < 1
    canvas.put(neck & arch, T.COMPACT_BONE, T.DIPLOE)
    canvas.put(neck & (body2 < draw.uniform(9, 15) ** 2), T.DIPLOE)
    disc = torch.remainder(canvas.z + draw.uniform(0, 20), 18) < 5
    canvas.put(neck & disc & (body2 < 225), T.DISC)
    canal_mm = draw.uniform(8, 12)
    canvas.put(neck & (radial < canal_mm), T.SPINAL_CANAL)
    canvas.put(neck & (radial < canal_mm * draw.uniform(0.5, 0.75)), T.CORD)
