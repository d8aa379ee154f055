"""The survival curves of a report as lines and areas; every kind of report draws the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from GliomaAILib.assessment.estimates import Estimates
from GliomaAILib.output.network_tables import curve_name

WIDTH, HEIGHT = 420.0, 216.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 34.0, 8.0, 8.0, 30.0
_YEAR = 12
_MOST_TICKS = 10

COLOURS = {"clinical": "#b34700", "clinical+imaging": "#0072b2", "network": "#007a59"}
"""Of Okabe and Ito, orange and green darker for text; lines are told apart by their dashes too."""
DASHES: Mapping[str, tuple[float, ...]] = {"clinical": (6.0, 3.0), "network": (2.0, 2.0)}
GROUP_COLOUR = "#7a8793"
GROUP_DASHES = ((1.0, 2.0), (4.0, 2.0), (7.0, 2.0, 1.0, 2.0), (2.0, 1.0), (9.0, 3.0), (1.0, 4.0))

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A curve that falls in steps."""

    label: str
    colour: str
    dash: tuple[float, ...]
    """Lengths drawn and left out; empty for a solid line."""
    width: float
    points: tuple[Point, ...]
    """x from the left, y from the top."""
    area: tuple[Point, ...] = ()
    """The outline of the interval."""

    @property
    def path(self) -> str:
        """For SVG."""
        return _path(self.points)

    @property
    def area_path(self) -> str:
        """For SVG."""
        return f"{_path(self.area)}Z" if self.area else ""


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    """x of the time axis, y of the other."""
    label: str


@dataclass(frozen=True)
class SurvivalChart:
    """A chart of `WIDTH` x `HEIGHT`."""

    lines: tuple[Line, ...]
    months: tuple[Tick, ...]
    shares: tuple[Tick, ...]
    frame: tuple[float, float, float, float]
    """Left, top, right and bottom of the axes."""
    description: str


def survival_chart(estimates: Estimates) -> SurvivalChart | None:
    """The patient's curves with their intervals, before those of the reference groups.

    The network's, where it gives one, lies beside those of the statistical models. None where there
    is no curve.
    """
    if not estimates.curves:
        return None
    longest = max(one.months[-1] for one in estimates.curves)
    place = _Place(longest)
    told = estimates.prognosis
    groups = [
        Line(
            f"{one.name} (observed, {one.cohort}, n = {one.patients})",
            GROUP_COLOUR,
            GROUP_DASHES[index % len(GROUP_DASHES)],
            0.9,
            tuple(place.steps(one.months, one.survival)),
        )
        for index, one in enumerate(() if told is None else told.groups)
    ]
    own = [
        Line(
            curve_name(one, estimates),
            COLOURS[one.model.inputs],
            DASHES.get(one.model.inputs, ()),
            2.0,
            tuple(place.steps(one.months, one.survival)),
            tuple(place.area(one.months, one.low, one.high)),
        )
        for one in estimates.curves
    ]
    every = _YEAR * max(1, -(-int(longest) // (_YEAR * _MOST_TICKS)))
    months = range(0, int(longest) + 1, every)
    return SurvivalChart(
        lines=(*groups, *own),
        months=tuple(Tick(place.x(m), str(m)) for m in months),
        shares=tuple(Tick(place.y(s / 100), f"{s} %") for s in (0, 25, 50, 75, 100)),
        frame=(_LEFT, _TOP, WIDTH - _RIGHT, HEIGHT - _BOTTOM),
        description="; ".join(
            f"{curve_name(one, estimates)}: "
            + ", ".join(
                f"{100 * at.survival:.0f} % alive at {m} months"
                for m, at in one.at_months.items()
                if at is not None
            )
            for one in estimates.curves
        ),
    )


class _Place:
    """Where months and shares lie."""

    def __init__(self, longest: float) -> None:
        self._longest = longest

    def x(self, months: float) -> float:
        return _LEFT + (WIDTH - _LEFT - _RIGHT) * months / self._longest

    def y(self, share: float) -> float:
        return _TOP + (HEIGHT - _TOP - _BOTTOM) * (1 - share)

    def steps(self, months: Sequence[float], shares: Sequence[float]) -> Iterator[Point]:
        """A curve keeps its value until the next time; it ends with the chart."""
        before = shares[0]
        for month, share in zip(months, shares, strict=True):
            if month > self._longest:
                yield self.x(self._longest), self.y(before)
                return
            yield self.x(month), self.y(before)
            if share != before:
                yield self.x(month), self.y(share)
            before = share

    def area(
        self, months: Sequence[float], low: Sequence[float], high: Sequence[float]
    ) -> Iterator[Point]:
        yield from self.steps(months, high)
        yield from list(self.steps(months, low))[::-1]


def _path(points: Sequence[Point]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
