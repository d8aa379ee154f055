"""The tumour as shaded surfaces inside a translucent brain, without a graphics library.

Rays are traced through signed distance maps (Hart, Vis Comput 1996;12:527): each step goes as far
as the nearest surface allows, so a picture costs a dozen look-ups a pixel.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from gliomaai_training.preprocessing.geometry import Grid
from gliomaai_training.vocabulary import REGIONS, Label
from GliomaAILib.assessment.foci import bounding_box
from GliomaAILib.output.colours import LABEL_COLOURS, rgb

_Floats = NDArray[np.float64]

PIXEL_MM = 0.8
_HALF_WIDTH_MM, _HALF_HEIGHT_MM = 96.0, 80.0
_FAR_MM = 160.0
_STEPS = 60
_TOUCH_MM = 0.15
_NEAR_MM = 0.6
_MARGIN_MM = 4
_BRAIN_SPACING_MM = 2
_BRAIN_COLOUR = np.array([0.72, 0.76, 0.82])
_WHITE = np.ones(3)


@dataclass(frozen=True)
class View:
    """An orthographic camera."""

    name: str
    towards_ras: tuple[float, float, float]
    """From the camera into the picture."""
    left_mark: str
    """What of the patient the picture's left edge shows: `R`, `L`, `A` or `P`."""
    right_mark: str


@dataclass(frozen=True)
class _Surface:
    """A closed surface as the zero of a distance map."""

    distance_mm: _Floats
    """Shaped (k, j, i), negative inside."""
    to_index: _Floats
    """4x4, RAS mm to i, j, k."""

    def at(self, points: _Floats) -> _Floats:
        """Distance in mm at RAS points (n, 3); outside the map never more than the true one."""
        from scipy import ndimage

        index = points @ self.to_index[:3, :3].T + self.to_index[:3, 3]
        return np.asarray(
            ndimage.map_coordinates(self.distance_mm, index[:, ::-1].T, order=1, mode="nearest")
        )

    def crossed(self, starts: _Floats, towards: _Floats) -> tuple[_Floats, _Floats]:
        """Where rays (n, 3) enter and leave the map's box, mm on their way; no entry before 0."""
        first = starts @ self.to_index[:3, :3].T + self.to_index[:3, 3]
        step = self.to_index[:3, :3] @ towards
        step = np.where(np.abs(step) < 1e-9, 1e-9, step)
        last = np.array(self.distance_mm.shape[::-1]) - 1
        ends = np.stack([-first / step, (last - first) / step])
        return np.maximum(ends.min(axis=0).max(axis=1), 0.0), ends.max(axis=0).min(axis=1)

    def normals(self, points: _Floats) -> _Floats:
        """Outward unit normals at RAS points on the surface, both (n, 3)."""
        steps = 1.2 * np.eye(3)
        slope = np.stack([self.at(points + step) - self.at(points - step) for step in steps], -1)
        return np.asarray(slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9))


@dataclass(frozen=True)
class Scene:
    """What is drawn: make it once, render it from several sides."""

    centre_ras_mm: _Floats
    brain: _Surface | None
    whole: _Surface | None
    core: _Surface | None
    labels: NDArray[np.uint8]
    labels_to_index: _Floats


def make_scene(labels: sitk.Image, brain_mask: sitk.Image) -> Scene:
    """Surfaces of brain, whole tumour and core; absent ones are left out."""
    array = sitk.GetArrayViewFromImage(labels)
    grid = Grid.of(labels)
    factors = [max(1, round(_BRAIN_SPACING_MM / mm)) for mm in grid.spacing_mm]
    coarse = sitk.BinShrink(sitk.Cast(brain_mask > 0, sitk.sitkFloat32), factors)
    brain_array = sitk.GetArrayFromImage(coarse) > 0.5
    brain_grid = Grid.of(coarse)
    box = bounding_box(brain_array)
    middle = [(n - 1) / 2 for n in brain_array.shape]
    if box is not None:
        middle = [(side.start + side.stop - 1) / 2 for side in box]
    centre = (brain_grid.ijk_to_ras @ np.append(middle[::-1], 1.0))[:3]
    return Scene(
        centre_ras_mm=centre,
        brain=_surface(brain_array, brain_grid, 1.0),
        whole=_surface(array > 0, grid, 0.9),
        core=_surface(np.isin(array, REGIONS["TC"]), grid, 0.7),
        labels=array,
        labels_to_index=np.linalg.inv(grid.ijk_to_ras).astype(np.float64),
    )


def render(scene: Scene, view: View) -> NDArray[np.uint8]:
    """The scene on white, shaped (rows, columns, 3)."""
    towards, right, up = _frame(view)
    rows = np.arange(_HALF_HEIGHT_MM, -_HALF_HEIGHT_MM, -PIXEL_MM)
    columns = np.arange(-_HALF_WIDTH_MM, _HALF_WIDTH_MM, PIXEL_MM)
    b, a = np.meshgrid(rows, columns, indexing="ij")
    starts = (
        scene.centre_ras_mm
        - _FAR_MM * towards
        + a.ravel()[:, None] * right
        + b.ravel()[:, None] * up
    )
    picture = np.ones((starts.shape[0], 3))
    light = -towards + 0.45 * up - 0.35 * right
    light /= np.linalg.norm(light)
    if scene.core is not None:
        _draw_core(picture, scene, starts, towards, light)
    if scene.whole is not None:
        _draw_whole(picture, scene.whole, starts, towards, light)
    if scene.brain is not None:
        _draw_brain(picture, scene.brain, starts, towards, light)
    shaded = np.clip(picture, 0.0, 1.0).reshape(*b.shape, 3) * 255.0
    return np.asarray(shaded.round(), dtype=np.uint8)


def _draw_core(
    picture: _Floats, scene: Scene, starts: _Floats, towards: _Floats, light: _Floats
) -> None:
    if scene.core is None:
        return
    hit, cover, points, normals = _trace(scene.core, starts, towards)
    inside = points - 0.8 * normals  # half a voxel deep: the label there, not the one outside
    index = np.rint(inside @ scene.labels_to_index[:3, :3].T + scene.labels_to_index[:3, 3])
    i, j, k = np.clip(index.astype(int), 0, np.array(scene.labels.shape[::-1]) - 1).T
    enhancing = scene.labels[k, j, i] == Label.ET
    base = np.where(enhancing[:, None], _colour(Label.ET), _colour(Label.NCR))
    gloss = np.maximum(normals @ _halfway(light, towards), 0.0) ** 40
    colour = base * (0.5 + 0.6 * np.maximum(normals @ light, 0.0))[:, None]
    _blend(picture, hit, colour + 0.25 * gloss[:, None], cover)


def _draw_whole(
    picture: _Floats, surface: _Surface, starts: _Floats, towards: _Floats, light: _Floats
) -> None:
    hit, cover, _, normals = _trace(surface, starts, towards)
    edge = 1.0 - np.abs(normals @ towards)
    colour = _colour(Label.ED) * (0.55 + 0.55 * np.maximum(normals @ light, 0.0))[:, None]
    _blend(picture, hit, colour, cover * (0.20 + 0.5 * edge**2))


def _draw_brain(
    picture: _Floats, surface: _Surface, starts: _Floats, towards: _Floats, light: _Floats
) -> None:
    hit, cover, _, normals = _trace(surface, starts, towards)
    edge = 1.0 - np.abs(normals @ towards)
    gloss = np.maximum(normals @ _halfway(light, towards), 0.0) ** 24
    colour = _BRAIN_COLOUR * (0.5 + 0.5 * np.maximum(normals @ light, 0.0))[:, None]
    colour = colour + 0.35 * gloss[:, None] * _WHITE
    _blend(picture, hit, colour, cover * (0.16 + 0.62 * edge**1.6))


def _trace(
    surface: _Surface, starts: _Floats, towards: _Floats
) -> tuple[NDArray[np.int64], _Floats, _Floats, _Floats]:
    """Rays that meet a surface: their number, how much of the pixel it covers, point, normal."""
    entry, leave = surface.crossed(starts, towards)
    travelled = entry.copy()
    nearest = np.full(len(starts), np.inf)
    place = np.zeros(len(starts))
    alive = np.flatnonzero(entry < leave)
    for _ in range(_STEPS):
        distance = surface.at(starts[alive] + travelled[alive, None] * towards)
        closer = distance < nearest[alive]
        nearest[alive[closer]] = distance[closer]
        place[alive[closer]] = travelled[alive[closer]]
        # Grazing rays creep along a surface: a least step lets them pass.
        travelled[alive] += np.maximum(distance, 0.25)
        alive = alive[(distance > _TOUCH_MM) & (travelled[alive] < leave[alive])]
        if len(alive) == 0:
            break
    hit = np.flatnonzero(nearest < _NEAR_MM)
    cover = np.clip((_NEAR_MM - nearest[hit]) / (_NEAR_MM - _TOUCH_MM), 0.0, 1.0)
    points = starts[hit] + place[hit, None] * towards
    return hit, cover, points, surface.normals(points)


def _blend(picture: _Floats, hit: NDArray[np.int64], colour: _Floats, alpha: _Floats) -> None:
    picture[hit] += alpha[:, None] * (colour - picture[hit])


def _surface(region: NDArray[np.bool_], grid: Grid, smoothing_voxels: float) -> _Surface | None:
    from scipy import ndimage

    box = bounding_box(region)
    if box is None:
        return None
    margins = [round(_MARGIN_MM / mm) + 1 for mm in reversed(grid.spacing_mm)]
    padded = np.pad(region[box], [(margin, margin) for margin in margins])
    corner = [side.start - margin for side, margin in zip(box, margins, strict=True)][::-1]
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] += matrix[:3, :3] @ np.array(corner)
    image = sitk.GetImageFromArray(padded.astype(np.uint8))
    image.SetSpacing(grid.spacing_mm)
    distance = sitk.GetArrayFromImage(
        sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    )
    smooth = ndimage.gaussian_filter(distance, smoothing_voxels)
    return _Surface(smooth, np.linalg.inv(matrix).astype(np.float64))


def _frame(view: View) -> tuple[_Floats, _Floats, _Floats]:
    towards = np.asarray(view.towards_ras) / np.linalg.norm(view.towards_ras)
    right = np.cross(towards, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return towards, right, np.cross(right, towards)


def _halfway(light: _Floats, towards: _Floats) -> _Floats:
    halfway: _Floats = light - towards
    return halfway / np.linalg.norm(halfway)


def _colour(label: Label) -> _Floats:
    return np.array(rgb(LABEL_COLOURS[label])) / 255.0


def views_of(side: str | None) -> Mapping[str, View]:
    """The cameras of a report: obliquely from the tumour's side, and from the front."""
    lateral = -1.0 if side == "left" else 1.0
    marks = ("A", "P") if side == "left" else ("P", "A")
    oblique = View(
        f"from the {'left' if side == 'left' else 'right'}", (-lateral, -0.45, -0.3), *marks
    )
    return {"oblique": oblique, "front": View("from the front", (0.0, -1.0, -0.12), "R", "L")}
