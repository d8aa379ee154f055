"""The brain with its sulci, and what illness and surgery leave in it."""

import torch
from torch import Tensor

from gliomaai_training.simulation.head_canvas import Ellipsoid, HeadCanvas
from gliomaai_training.simulation.head_canvas import HeadTissue as T
from gliomaai_training.simulation.head_shells import Shells

VERTEX_MM = (0.0, -20.0, 78.0)


def paint_brain(canvas: HeadCanvas) -> None:
    """White and grey matter with sulci of random width, ventricles and inner CSF."""
    draw = canvas.draw
    depth = canvas.brain_mm + canvas.noise(10) * draw.uniform(0, 0.8) + draw.uniform(-0.7, 0.5)
    inside = depth < 0
    canvas.put(inside, T.INNER_CSF)
    matter = canvas.grey + canvas.white > draw.uniform(0.25, 0.6) + 0.12 * canvas.noise(10)
    if draw.chance(0.6):
        folds = (canvas.white < 0.4) & (canvas.noise(6).abs() < draw.uniform(0, 0.5))
        matter = matter & ~(folds & (depth > -draw.uniform(2, 14)))
    canvas.put(inside & matter, T.GREY_MATTER)
    canvas.put(inside & (canvas.white > draw.uniform(0.4, 0.62)), T.WHITE_MATTER)


def paint_lesions(canvas: HeadCanvas, shells: Shells) -> None:
    """Up to two tumours, deep or at the surface, and sometimes a resection cavity."""
    inside = canvas.brain_mm < 0
    for _ in range(min(canvas.draw.integer(0, 3), 2)):
        _paint_tumour(canvas, shells, inside)
    if canvas.draw.chance(0.12):
        _paint_resection(canvas, shells, inside)


def _paint_tumour(canvas: HeadCanvas, shells: Shells, inside: Tensor) -> None:
    draw, u = canvas.draw, canvas.draw.uniform
    centre = _centre_mm(canvas)
    radii = (u(7, 32), u(7, 32), u(7, 32))
    bumps, rough = canvas.noise(24), canvas.noise(10)
    level = canvas.level(Ellipsoid(centre, radii)) + 0.35 * bumps + 0.15 * rough
    wide = Ellipsoid(centre, (radii[0] + u(0, 25), radii[1] + u(0, 25), radii[2] + u(0, 25)))
    spread = canvas.level(wide) + 0.5 * canvas.noise(24) < 1
    canvas.put(inside & (canvas.white > 0.2) & spread, T.OEDEMA)
    if draw.chance(0.3):  # cortex and sulci swollen too: no rim of grey or CSF is left
        canvas.put(inside & spread, T.OEDEMA)
    canvas.put(inside & (level < 1), T.TUMOUR_RIM, T.TUMOUR)
    core = (T.TUMOUR, T.TUMOUR, T.CAVITY)
    canvas.put(inside & (level < u(0.3, 0.9)), *core)
    if draw.chance(0.12):
        reach = shells.inner_skull_mm < shells.skull_mm + shells.muscle_mm
        breach = (canvas.labels > 0) & ~inside & (level < u(0.8, 1.6)) & reach
        canvas.put(breach, T.OUTER_CSF, T.BLOB_1, T.MUSCLE, T.DURA)


def _centre_mm(canvas: HeadCanvas) -> tuple[float, float, float]:
    u = canvas.draw.uniform
    if canvas.draw.chance(0.2):
        x, y, z = VERTEX_MM
        return x + u(-40, 40), y + u(-45, 45), z - u(0, 30)
    if canvas.draw.chance(0.4):
        return _surface_point_mm(canvas)
    return u(-58, 58), u(-90, 55), u(-45, 68)


def _surface_point_mm(canvas: HeadCanvas) -> tuple[float, float, float]:
    candidates = torch.nonzero((canvas.brain_mm.abs() < 3).reshape(-1))[:, 0]
    if candidates.numel() == 0:
        return 0.0, -20.0, 20.0
    chosen = candidates[canvas.draw.integer(0, candidates.numel() - 1)]
    x, y, z = (float(axis.reshape(-1)[chosen]) for axis in (canvas.x, canvas.y, canvas.z))
    return x, y, z


def _paint_resection(canvas: HeadCanvas, shells: Shells, inside: Tensor) -> None:
    """A large cavity open to the surface, with the bone flap and the scalp over it."""
    draw, u = canvas.draw, canvas.draw.uniform
    radii = (u(14, 38), u(14, 38), u(14, 38))
    level = canvas.level(Ellipsoid(_surface_point_mm(canvas), radii)) + 0.25 * canvas.noise(24)
    content = draw.tissue(T.CAVITY, T.OUTER_CSF, T.INNER_CSF, T.TUMOUR)
    canvas.put(inside & (level < 1.25), T.TUMOUR_RIM, T.OEDEMA, T.GREY_MATTER)
    canvas.put((shells.inner_skull_mm < 0) & (level < 1), content)
    s = shells.inner_skull_mm
    flap = (level < u(0.8, 2)) & (s >= 0) & (s < shells.skull_mm)
    if draw.chance(0.6):
        canvas.put(flap, T.COMPACT_BONE, T.DIPLOE, T.BLOB_2, content)
    seam = ((level - u(1, 2)).abs() < 0.15) & (s >= 0) & (s < shells.skull_mm)
    canvas.put(seam, T.OUTER_CSF, T.MUSCLE, T.SINUS_AIR)
    swollen = (level < 2) & (s >= shells.skull_mm) & shells.scalp
    if draw.chance(0.5):
        canvas.put(swollen, T.BLOB_1, T.MUSCLE, T.OUTER_CSF)


def paint_blobs(canvas: HeadCanvas) -> None:
    """Unnamed structures outside the brain, so that nothing there has one look."""
    draw = canvas.draw
    for tissue in (T.BLOB_1, T.BLOB_2, T.BLOB_3):
        if draw.chance(0.4):
            lumps = canvas.noise(draw.uniform(10, 30)) > draw.uniform(1.6, 2.4)
            canvas.put((canvas.brain_mm > 1) & (canvas.labels > 0) & lumps, tissue)
