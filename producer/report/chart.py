"""Charts as plain shapes in a plane; the page's template draws them as SVG.

All coordinates are SVG user units, the origin at the top left.
"""

from dataclasses import dataclass, field
from math import floor, log10
from typing import Final, NamedTuple

WIDTH: Final = 480
HEIGHT: Final = 250
LEFT, RIGHT, TOP, BOTTOM = 66, 460, 12, 204
"""Edges of the plot; the rest is for the labels."""


class Tick(NamedTuple):
    """A labelled place on an axis."""

    at: float
    label: str


class Bar(NamedTuple):
    """A rectangle; `kind` is its class in the style sheet."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


class Line(NamedTuple):
    """A polyline; `points` as SVG has them, `kind` is its class in the style sheet."""

    points: str
    kind: str


class Dot(NamedTuple):
    """A circle; `kind` is its class in the style sheet."""

    x: float
    y: float
    radius: float
    kind: str
    title: str


@dataclass(frozen=True, slots=True)
class Axis:
    """Values from `low` to `high` laid out from `start` to `end`; logarithmically if so asked."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """Return the place of `value`."""
        low, high = (log10(self.low), log10(self.high)) if self.logarithmic else (self.low, self.high)
        place = ((log10(value) if self.logarithmic else value) - low) / (high - low)
        return round(self.start + place * (self.end - self.start), 2)


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart, ready to be drawn.

    Attributes:
        name: unique within the page.
        title: what it shows.
        description: the same in a sentence with its main figures, for those who cannot see it.
        x_label: of the horizontal axis, with the unit.
        y_label: of the vertical axis, with the unit.
        x_ticks: on the horizontal axis.
        y_ticks: on the vertical axis.
        bars: drawn first.
        lines: drawn over them.
        dots: drawn last.
        legend: pairs of kind and meaning.
    """

    name: str
    title: str
    description: str
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    bars: list[Bar] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    dots: list[Dot] = field(default_factory=list)
    legend: list[tuple[str, str]] = field(default_factory=list)


def across(low: float, high: float) -> Axis:
    """Return the horizontal axis."""
    return Axis(low, high, LEFT, RIGHT)


def upward(low: float, high: float, *, logarithmic: bool = False) -> Axis:
    """Return the vertical axis."""
    return Axis(low, high, BOTTOM, TOP, logarithmic)


def polyline(points: list[tuple[float, float]], kind: str) -> Line:
    """Return the line through `points`."""
    return Line(" ".join(f"{x:g},{y:g}" for x, y in points), kind)


def round_steps(low: float, high: float, count: int = 5) -> list[float]:
    """Return about `count` round values from `low` to `high`: multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / count
    power = 10.0 ** floor(log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first, last = floor(low / step), floor(high / step * (1 + 1e-9))
    return [index * step for index in range(first, last + 1) if index * step >= low * (1 - 1e-9)]
