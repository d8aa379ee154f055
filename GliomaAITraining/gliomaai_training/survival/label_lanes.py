"""Where the labels of an axis stand, so that none covers another.

Labels stand in lanes along the line: 1 is next below it, 2 under that; -1 is next above it.
"""

from collections.abc import Sequence

CHARACTER, GAP = 0.06, 0.05
"""Width of a character of a label, and what is left free between two labels, in inches."""

Spot = tuple[float, str]
"""Where on the line in inches, and what is written there."""


def half_width(label: str) -> float:
    """Half the width of a label with what is left free around it, in inches."""
    return (len(label) * CHARACTER + GAP) / 2


def number_lanes(spots: Sequence[Spot], lanes: Sequence[int]) -> list[int]:
    """The lane of each label of a scale of numbers: the first that is free, 0 where none is.

    Between its neighbours a number can be read without its label. The ends come first: without
    them a scale cannot be read.
    """
    placed: dict[int, int] = {}
    for index in _ends_first(len(spots)):
        fitting = (lane for lane in lanes if _fits(spots, index, lane, placed))
        placed[index] = next(fitting, 0)
    return [placed[index] for index in range(len(spots))]


def category_lanes(spots: Sequence[Spot]) -> list[int]:
    """The lane of each label of a category, every one of which is named.

    Its tick runs through no other label on the way to it unless every lane asks for that.
    """
    lanes = [lane for row in range(1, len(spots) + 1) for lane in (row, -row)]
    placed: dict[int, int] = {}
    for index in _ends_first(len(spots)):
        free = [lane for lane in lanes if _fits(spots, index, lane, placed)]
        clear = [lane for lane in free if not _crosses(spots, index, lane, placed)]
        placed[index] = [*clear, *free][0]
    return [placed[index] for index in range(len(spots))]


def _ends_first(count: int) -> list[int]:
    every = list(range(count))
    return [*every[:1], *every[:0:-1][:1], *every[1:-1]]


def _fits(spots: Sequence[Spot], index: int, lane: int, placed: dict[int, int]) -> bool:
    """Whether a label touches none that stands in this lane."""
    return all(
        abs(spots[index][0] - spots[other][0])
        >= half_width(spots[index][1]) + half_width(spots[other][1])
        for other, its_lane in placed.items()
        if its_lane == lane
    )


def _crosses(spots: Sequence[Spot], index: int, lane: int, placed: dict[int, int]) -> bool:
    """Whether a label's tick runs through another label, or another's tick through this one."""
    for other, its_lane in placed.items():
        if its_lane * lane <= 0 or its_lane == lane:
            continue
        nearer = other if abs(its_lane) < abs(lane) else index
        if abs(spots[index][0] - spots[other][0]) < half_width(spots[nearer][1]):
            return True
    return False
