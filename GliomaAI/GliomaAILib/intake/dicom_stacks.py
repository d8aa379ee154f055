"""Slices become stacks: groups of one series that form a regular grid, or a stated refusal.

One series may hold several volumes (echoes, magnitude and phase, b-values, passes before and
after contrast, planes of a localiser): they are told apart by what their headers say, and every
group is then judged by its geometry alone. File names and instance numbers play no part.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from GliomaAILib.intake.dicom_slices import Plane, Slice

MIN_SLICES = 4
"""Fewer slices cannot be told from a localiser or a test image."""

MIN_SLICES_OF_MIXED_SERIES = 10
"""In a series of several orientations, a group needs this many slices to be more than a scout."""

ORIENTATION_TOLERANCE = 1e-3
"""Largest difference of direction cosines inside one stack (0.06 degrees)."""

MAX_STEP_ERROR = 0.05
"""Largest departure of a slice from its even place, as a fraction of the slice distance."""

MAX_SHEAR_MM = 0.5
"""Largest sideways drift of slice positions over a stack; beyond it the stack is tilted."""

MAX_STEP_MM = 12.0
"""Slices further apart than this leave most of the head unseen."""

SAME_PLACE_MM = 0.01


@dataclass(frozen=True)
class Stack:
    """Slices of one series in order along their normal (row x column: right-handed)."""

    slices: tuple[Slice, ...]
    origin_mm: tuple[float, float, float]
    spacing_mm: tuple[float, float, float]
    direction: tuple[float, ...]
    """Nine direction cosines in LPS, row by row, as SimpleITK takes them."""
    part: str = ""
    """What tells the stack apart from others of its series, in words."""


@dataclass(frozen=True)
class Rejected:
    """Slices that do not form a volume."""

    slices: tuple[Slice, ...]
    code: str
    reason: str


def stacks_of_series(slices: Sequence[Slice]) -> list[Stack | Rejected]:
    """Splits the slices of one series into volumes and says what is none.

    Args:
        slices: all slices that share a SeriesInstanceUID, in any order.
    """
    placed = [item for item in slices if item.plane is not None]
    result: list[Stack | Rejected] = []
    if unplaced := [item for item in slices if item.plane is None]:
        result.append(Rejected(tuple(unplaced), "no_geometry", "no position in space is recorded"))
    orientations = _by_orientation(placed)
    minimum = MIN_SLICES if len(orientations) == 1 else MIN_SLICES_OF_MIXED_SERIES
    small = [item for group in orientations if len(group) < minimum for item in group]
    if small and len(orientations) > 1:
        reason = f"mixed orientation: its slices lie in {len(orientations)} orientations"
        result.append(Rejected(tuple(small), "mixed_orientation", reason))
    for group in orientations:
        if len(orientations) == 1 or len(group) >= minimum:
            result.extend(_stacks_of_orientation(group))
    return result


def _stacks_of_orientation(slices: Sequence[Slice]) -> list[Stack | Rejected]:
    groups = _grouped(slices, _acquisition_key)
    several = len(groups) > 1
    result: list[Stack | Rejected] = []
    for group in groups:
        part = _part_name(group[0], groups) if several else ""
        passes = _by_pass(_without_copies(group))
        for number, one_pass in enumerate(passes, start=1):
            name = ", ".join(filter(None, (part, f"pass {number}" if len(passes) > 1 else "")))
            result.append(_stack(one_pass, name))
    return result


def _acquisition_key(item: Slice) -> Hashable:
    """What is the same for all slices of one volume."""
    plane = item.plane
    spacing = tuple(round(value, 4) for value in plane.spacing_mm) if plane else ()
    header = item.header
    echo = None if header.echo_time_ms is None else round(header.echo_time_ms, 1)
    return (item.rows, item.columns, item.samples, spacing, echo, header.b_value, header.image_type)


def _part_name(item: Slice, groups: Sequence[Sequence[Slice]]) -> str:
    """Names a group by what differs between it and the others."""
    firsts = [group[0].header for group in groups]
    words = []
    if len({header.echo_time_ms for header in firsts}) > 1:
        words.append(
            f"echo time {item.header.echo_time_ms:g} ms"
            if item.header.echo_time_ms is not None
            else "no echo time"
        )
    if len({header.b_value for header in firsts}) > 1:
        words.append(f"b = {item.header.b_value}")
    if len({header.image_type for header in firsts}) > 1:
        words.append("/".join(item.header.image_type))
    return ", ".join(words) or f"{item.columns} x {item.rows}"


def _without_copies(slices: Sequence[Slice]) -> list[Slice]:
    """Drops slices that an export holds twice: the same SOP instance under two file names."""
    first: dict[Hashable, Slice] = {}
    for item in slices:
        first.setdefault((item.instance_uid, item.frame), item)
    return list(first.values())


def _by_pass(slices: Sequence[Slice]) -> list[Sequence[Slice]]:
    """Tells repeated passes over the same places apart (dynamic or before/after contrast)."""
    if not _has_repeated_places(slices):
        return [slices]
    for position in range(len(slices[0].timing)):
        groups = _grouped(slices, partial(_timing_at, position))
        if (
            len(groups) > 1
            and not any(_has_repeated_places(group) for group in groups)
            and min(map(len, groups)) >= MIN_SLICES
        ):
            return sorted(groups, key=lambda group: _in_order(group[0].timing[position]))
    return [slices]


def _timing_at(position: int, item: Slice) -> str:
    return item.timing[position]


def _in_order(value: str) -> tuple[float, str]:
    """A key that sorts numbers by size and puts other texts after them."""
    try:
        return float(value), ""
    except ValueError:
        return np.inf, value


def _has_repeated_places(slices: Sequence[Slice]) -> bool:
    if len(slices) < 2:
        return False
    along = np.sort(_places(slices) @ _axes(slices[0])[:, 2])
    return bool(np.min(np.diff(along)) < SAME_PLACE_MM)


def _by_orientation(slices: Iterable[Slice]) -> list[list[Slice]]:
    groups: list[tuple[NDArray[np.float64], list[Slice]]] = []
    for item in slices:
        axes = _cosines(item)
        for known, members in groups:
            if np.abs(known - axes).max() <= ORIENTATION_TOLERANCE:
                members.append(item)
                break
        else:
            groups.append((axes, [item]))
    return [members for _, members in groups]


def _grouped(slices: Iterable[Slice], key: Callable[[Slice], Hashable]) -> list[Sequence[Slice]]:
    groups: dict[Hashable, list[Slice]] = defaultdict(list)
    for item in slices:
        groups[key(item)].append(item)
    return list(groups.values())


def _plane_of(item: Slice) -> Plane:
    if item.plane is None:
        raise ValueError("a slice without a place in space cannot be stacked")
    return item.plane


def _cosines(item: Slice) -> NDArray[np.float64]:
    plane = _plane_of(item)
    return np.array([plane.row, plane.column], dtype=float)


def _places(slices: Sequence[Slice]) -> NDArray[np.float64]:
    return np.array([_plane_of(item).position_mm for item in slices], dtype=float)


def _axes(item: Slice) -> NDArray[np.float64]:
    """Orthonormal columns: row direction, column direction, normal (row x column).

    Headers round their cosines; the small error is taken out of the column direction.
    """
    row, column = _cosines(item)
    row = row / np.linalg.norm(row)
    column = column - (column @ row) * row
    column = column / np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def _stack(slices: Sequence[Slice], part: str) -> Stack | Rejected:
    if problem := _not_an_image(slices):
        return Rejected(tuple(slices), *problem)
    axes = _axes(slices[0])
    places = _places(slices)
    order = np.argsort(places @ axes[:, 2], kind="stable")
    ordered = tuple(slices[index] for index in order)
    places = places[order]
    if problem := _unevenness(places, axes):
        return Rejected(ordered, *problem)
    along = places @ axes[:, 2]
    step = float((along[-1] - along[0]) / (len(along) - 1))
    in_plane = _plane_of(ordered[0]).spacing_mm
    x, y, z = (float(value) for value in places[0])
    direction = tuple(float(value) for value in axes.reshape(-1))
    return Stack(ordered, (x, y, z), (*in_plane, step), direction, part)


def _not_an_image(slices: Sequence[Slice]) -> tuple[str, str] | None:
    first = slices[0]
    row, column = _cosines(first)
    lengths = np.linalg.norm([row, column], axis=1)
    if np.abs(lengths - 1).max() > 0.01 or abs(row @ column) > 0.01:
        return "bad_geometry", "its direction cosines are not at right angles"
    if first.samples != 1:
        return "not_scalar", "it holds colour pictures or frames without their own place"
    if len(slices) < MIN_SLICES:
        count = f"{len(slices)} slice{'s' if len(slices) > 1 else ''}"
        return "few_slices", f"too few slices: {count}, at least {MIN_SLICES} are needed"
    return None


def _unevenness(places: NDArray[np.float64], axes: NDArray[np.float64]) -> tuple[str, str] | None:
    """Why ordered slice positions do not form a regular grid, or None."""
    along = places @ axes[:, 2]
    steps = np.diff(along)
    if steps.max() < SAME_PLACE_MM:
        return "not_a_volume", "not a volume: all its slices lie at the same place"
    if steps.min() < SAME_PLACE_MM:
        repeated = int((steps < SAME_PLACE_MM).sum())
        return "repeated_places", (
            f"{repeated} slices lie at the place of another and nothing tells the passes apart"
        )
    if problem := _sheared(places, axes):
        return problem
    step = float(np.median(steps))
    if missing := _missing(steps, step):
        return "missing_slices", f"missing slices: {missing} between the first and the last"
    even = np.linspace(along[0], along[-1], len(along))
    if np.abs(along - even).max() > MAX_STEP_ERROR * step + SAME_PLACE_MM:
        return "uneven_slices", (
            f"uneven slices: distances from {steps.min():.2f} to {steps.max():.2f} mm"
        )
    if step > MAX_STEP_MM:
        return "sparse_slices", f"its slices are {step:.0f} mm apart"
    return None


def _sheared(places: NDArray[np.float64], axes: NDArray[np.float64]) -> tuple[str, str] | None:
    sideways = (places - places[0]) @ axes[:, :2]
    drift = np.linalg.norm(sideways, axis=1)
    if drift.max() <= MAX_SHEAR_MM:
        return None
    height = float((places[-1] - places[0]) @ axes[:, 2])
    angle = float(np.degrees(np.arctan2(np.linalg.norm(sideways[-1]), height)))
    return "gantry_tilt", f"gantry tilt: its slices are sheared by {angle:.1f} degrees"


def _missing(steps: NDArray[np.float64], step: float) -> int:
    """How many slices are absent when all gaps are whole multiples of the usual distance."""
    multiples = np.rint(steps / step)
    whole = np.abs(steps - multiples * step).max() <= MAX_STEP_ERROR * step + SAME_PLACE_MM
    return int((multiples - 1).sum()) if whole and multiples.max() > 1 else 0


def most_common(values: Iterable[str]) -> str:
    """The most frequent non-empty text, or an empty one."""
    counted = Counter(value for value in values if value)
    return counted.most_common(1)[0][0] if counted else ""
